//! Who gets a sandbox next, and whose is stopped: one pure decision over queue and list.

use std::{collections::VecDeque, time::Duration};

use crate::ids::{AgentGroupId, SessionId};

/// Sessions that want a sandbox: in turn by agent group, in order of arrival within a group.
///
/// One busy group can so never keep the others waiting for longer than one start each.
#[derive(Debug, Default)]
pub struct FairQueue {
    groups: VecDeque<(AgentGroupId, VecDeque<SessionId>)>,
}

/// One sandbox that runs, as the decision sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Whose it is.
    pub session: SessionId,
    /// For how long it has had nothing to do; `None` while it has work.
    pub idle: Option<Duration>,
    /// How long it may be idle.
    pub idle_limit: Duration,
    /// Was it already told to stop?
    pub stopping: bool,
}

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Sessions whose sandbox starts, taken off the queue.
    pub start: Vec<SessionId>,
    /// Sessions whose sandbox is told to stop.
    pub stop: Vec<SessionId>,
}

impl FairQueue {
    /// Puts `session` in its group's line; one that is there already keeps its place.
    pub fn push(&mut self, group: AgentGroupId, session: SessionId) {
        if self.contains(session) {
            return;
        }
        match self.groups.iter_mut().find(|(id, _)| *id == group) {
            Some((_, line)) => line.push_back(session),
            None => self.groups.push_back((group, VecDeque::from([session]))),
        }
    }

    /// Takes the next session; its group goes to the end of the round.
    pub fn pop(&mut self) -> Option<SessionId> {
        let (group, mut line) = self.groups.pop_front()?;
        let session = line.pop_front();
        if !line.is_empty() {
            self.groups.push_back((group, line));
        }
        session
    }

    /// Takes `session` out of the line, wherever it stands.
    pub fn remove(&mut self, session: SessionId) {
        for (_, line) in &mut self.groups {
            line.retain(|waiting| *waiting != session);
        }
        self.groups.retain(|(_, line)| !line.is_empty());
    }

    /// Does `session` wait?
    pub fn contains(&self, session: SessionId) -> bool {
        self.groups.iter().any(|(_, line)| line.contains(&session))
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|(_, line)| line.len()).sum()
    }

    /// Does nobody wait?
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// Decides who starts and who stops, so that at most `limit` sandboxes run.
///
/// What was idle for its whole limit stops. While sessions wait for a place, the sandboxes that
/// have been idle for longest make room, one for each that waits and no more.
pub fn plan(queue: &mut FairQueue, running: &[Running], limit: usize) -> Plan {
    let mut plan = Plan::default();
    while running.len() + plan.start.len() < limit
        && let Some(session) = queue.pop()
    {
        plan.start.push(session);
    }
    let mut idle: Vec<(Duration, &Running)> = running
        .iter()
        .filter(|r| !r.stopping)
        .filter_map(|r| r.idle.map(|idle| (idle, r)))
        .collect();
    idle.sort_by_key(|(idle, _)| std::cmp::Reverse(*idle));
    let leaving = running.iter().filter(|r| r.stopping).count();
    let mut needed = queue.len().saturating_sub(leaving);
    for (idle, candidate) in idle {
        if needed > 0 || idle >= candidate.idle_limit {
            plan.stop.push(candidate.session);
            needed = needed.saturating_sub(1);
        }
    }
    plan
}

#[cfg(test)]
mod tests;
