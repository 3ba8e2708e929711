//! What the lifecycle knows: plain data, changed under a lock that is never held across an await.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    time::{Duration, Instant},
};

use anchorhold_core::{
    ids::{AgentGroupId, SessionId},
    sandbox::Generation,
    schedule::{FairQueue, Running, plan},
};

use super::{RunningSandbox, Standing};
use crate::{runtime::RuntimeKind, spec::InstanceId};

/// Where each wish and each sandbox stands.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Sessions in line for a place.
    queue: FairQueue,
    /// The groups of the sessions in `queue`, which gives out sessions only.
    groups: BTreeMap<SessionId, AgentGroupId>,
    /// Wanted while their last sandbox is not yet proven gone.
    held: BTreeMap<SessionId, AgentGroupId>,
    /// Wanted while their runtime does not answer.
    parked: BTreeMap<SessionId, (AgentGroupId, RuntimeKind)>,
    /// On their way from the queue to a sandbox; each takes a place.
    starting: BTreeMap<SessionId, Start>,
    slots: BTreeMap<InstanceId, Slot>,
    /// Runtimes that were asked, and whether they answered last.
    up: BTreeMap<RuntimeKind, bool>,
    /// What began or ended while a runtime was making its list: the list may be wrong about it.
    touched: BTreeMap<RuntimeKind, BTreeSet<InstanceId>>,
    draining: bool,
}

/// One start that is under way.
#[derive(Clone, Copy, Debug)]
struct Start {
    group: AgentGroupId,
    /// It was told to stop before it ran.
    then_stop: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    runtime: RuntimeKind,
    phase: Phase,
    adopted: bool,
    started: Instant,
}

/// How far a sandbox is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Stopping,
    /// Proven gone; the owner is being told.
    Over,
}

/// What is to be done after planning.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) start: Vec<(SessionId, AgentGroupId)>,
    pub(super) stop: Vec<(InstanceId, RuntimeKind)>,
}

/// What becomes of a sandbox that a runtime listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Known already.
    Leave,
    /// A start of its session is under way, so it can't be told yet whether this is what came of it.
    Later,
    Adopt,
    /// Stop it and wait for it.
    Orphan,
    /// It ended; wait for it.
    Collect,
}

impl State {
    pub(super) fn want(&mut self, group: AgentGroupId, session: SessionId) {
        let known = self.starting.contains_key(&session)
            || self.parked.contains_key(&session)
            || self.held.contains_key(&session);
        if known || self.draining {
            return;
        }
        match self.phases(session).last() {
            Some((_, Phase::Running)) => {}
            Some(_) => {
                self.held.insert(session, group);
            }
            None => self.enqueue(group, session),
        }
    }

    /// Takes back every wish for `session`, and gives its sandboxes that are to be told to stop.
    pub(super) fn stop(
        &mut self,
        session: SessionId,
        grace: Duration,
    ) -> Vec<(InstanceId, RuntimeKind)> {
        self.queue.remove(session);
        self.groups.remove(&session);
        self.held.remove(&session);
        self.parked.remove(&session);
        if let Some(start) = self.starting.get_mut(&session) {
            start.then_stop = Some(grace);
        }
        self.stop_slots(grace, |id| id.session == session)
    }

    /// No more starts, and everything is to stop.
    pub(super) fn drain(&mut self, grace: Duration) -> Vec<(InstanceId, RuntimeKind)> {
        self.draining = true;
        self.queue = FairQueue::default();
        self.groups.clear();
        self.held.clear();
        self.parked.clear();
        for start in self.starting.values_mut() {
            start.then_stop = Some(grace);
        }
        // Those that are stopping already may have been given more time than there is now.
        for slot in self.slots.values_mut() {
            if slot.phase == Phase::Stopping {
                slot.phase = Phase::Running;
            }
        }
        self.stop_slots(grace, |_| true)
    }

    /// Is nothing left that a runtime which answers could end?
    pub(super) fn is_drained(&self) -> bool {
        let silent = |slot: &Slot| self.up.get(&slot.runtime) == Some(&false);
        self.starting.is_empty() && self.slots.values().all(silent)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    pub(super) fn running(&self) -> Vec<RunningSandbox> {
        let alive = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.phase != Phase::Over);
        alive
            .map(|(id, slot)| RunningSandbox {
                session: id.session,
                generation: id.generation,
                runtime: slot.runtime,
                adopted: slot.adopted,
                stopping: slot.phase == Phase::Stopping,
                started: slot.started,
            })
            .collect()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len() + self.held.len() + self.parked.len()
    }

    /// Decides what starts and what stops. `standing` is what the owner said of those that run.
    pub(super) fn plan(
        &mut self,
        standing: &BTreeMap<SessionId, (Standing, Duration)>,
        limit: usize,
    ) -> Orders {
        if self.draining {
            return Orders::default();
        }
        let running = self.places(standing);
        // While nothing can start, nothing has to make room either.
        let mut nobody = FairQueue::default();
        let queue = if self.up.values().any(|up| *up) {
            &mut self.queue
        } else {
            &mut nobody
        };
        let plan = plan(queue, &running, limit);
        let mut orders = Orders::default();
        for session in plan.start {
            if let Some(group) = self.groups.remove(&session) {
                let then_stop = None;
                self.starting.insert(session, Start { group, then_stop });
                orders.start.push((session, group));
            }
        }
        for session in plan.stop {
            // Not zero, so only what runs is told, once.
            orders
                .stop
                .extend(self.stop_slots(Duration::MAX, |id| id.session == session));
        }
        orders
    }

    /// A start came to nothing. Wanted again meanwhile or not, the owner decides anew.
    pub(super) fn start_ended(&mut self, session: SessionId) {
        self.starting.remove(&session);
    }

    /// A start met a runtime that does not answer: the session stays wanted.
    pub(super) fn park(&mut self, session: SessionId, kind: RuntimeKind) {
        self.up.insert(kind, false);
        let Some(start) = self.starting.remove(&session) else {
            return;
        };
        if start.then_stop.is_none() && !self.draining {
            self.parked.insert(session, (start.group, kind));
        }
    }

    /// A sandbox runs. Gives the grace with which it is to stop, if it was told to meanwhile.
    pub(super) fn started(
        &mut self,
        id: InstanceId,
        runtime: RuntimeKind,
        now: Instant,
    ) -> Option<Duration> {
        let start = self.starting.remove(&id.session);
        let slot = Slot {
            runtime,
            phase: Phase::Running,
            adopted: false,
            started: now,
        };
        self.slots.insert(id, slot);
        self.touch(id, runtime);
        start.and_then(|start| start.then_stop)
    }

    /// A sandbox is proven gone: from now on it takes no place, but still keeps the next one out.
    pub(super) fn over(&mut self, id: &InstanceId) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.phase = Phase::Over;
        }
    }

    /// The owner knows that a sandbox is gone: a wish that waited for it goes in line.
    pub(super) fn forget(&mut self, id: &InstanceId) {
        if let Some(slot) = self.slots.remove(id) {
            self.touch(*id, slot.runtime);
        }
        if self.phases(id.session).next().is_none()
            && let Some(group) = self.held.remove(&id.session)
        {
            self.enqueue(group, id.session);
        }
    }

    pub(super) fn has(&self, id: &InstanceId) -> bool {
        self.slots.contains_key(id)
    }

    pub(super) fn is_up(&self, kind: RuntimeKind) -> bool {
        self.up.get(&kind) == Some(&true)
    }

    /// Was it asked, whatever came of it?
    pub(super) fn is_asked(&self, kind: RuntimeKind) -> bool {
        self.up.contains_key(&kind)
    }

    pub(super) fn went_down(&mut self, kind: RuntimeKind) {
        self.up.insert(kind, false);
    }

    /// A runtime listed what it has, and that was taken in: its sessions can start again.
    pub(super) fn came_up(&mut self, kind: RuntimeKind) {
        self.up.insert(kind, true);
        let parked = mem::take(&mut self.parked);
        for (session, (group, waits_for)) in parked {
            if waits_for == kind {
                self.enqueue(group, session);
            } else {
                self.parked.insert(session, (group, waits_for));
            }
        }
    }

    /// From here on changes are noted, because a list that is being made may not have them.
    pub(super) fn begin_list(&mut self, kind: RuntimeKind) {
        self.touched.insert(kind, BTreeSet::new());
    }

    /// Is `id`, which a list shows, new to us?
    pub(super) fn is_new(&self, id: &InstanceId, kind: RuntimeKind) -> bool {
        let touched = self.touched.get(&kind).is_some_and(|set| set.contains(id));
        !touched && !self.slots.contains_key(id)
    }

    /// Takes in a sandbox that a list shows and that [`State::is_new`].
    pub(super) fn take_in(
        &mut self,
        listed: Listed,
        current: Option<Generation>,
        now: Instant,
    ) -> Fate {
        let Listed { id, kind, running } = listed;
        if !self.is_new(&id, kind) {
            return Fate::Leave;
        }
        if self.starting.contains_key(&id.session) {
            return Fate::Later;
        }
        let alone = self.phases(id.session).next().is_none();
        let fate = match (running, current == Some(id.generation) && alone) {
            (false, _) => Fate::Collect,
            (true, true) => Fate::Adopt,
            (true, false) => Fate::Orphan,
        };
        let wish = self.take_wish(id.session);
        let phase = match fate {
            // It is what was wished for.
            Fate::Adopt => Phase::Running,
            Fate::Leave | Fate::Later | Fate::Orphan | Fate::Collect => {
                self.held.extend(wish.map(|group| (id.session, group)));
                Phase::Stopping
            }
        };
        let slot = Slot {
            runtime: kind,
            phase,
            adopted: fate == Fate::Adopt,
            started: now,
        };
        self.slots.insert(id, slot);
        fate
    }

    fn enqueue(&mut self, group: AgentGroupId, session: SessionId) {
        self.groups.entry(session).or_insert(group);
        self.queue.push(group, session);
    }

    fn take_wish(&mut self, session: SessionId) -> Option<AgentGroupId> {
        self.queue.remove(session);
        let parked = self.parked.remove(&session).map(|(group, _)| group);
        self.groups.remove(&session).or(parked)
    }

    /// Marks those of `which` that run as stopping and gives them; with no grace at all also
    /// those that are stopping already.
    fn stop_slots(
        &mut self,
        grace: Duration,
        which: impl Fn(&InstanceId) -> bool,
    ) -> Vec<(InstanceId, RuntimeKind)> {
        let mut told = Vec::new();
        for (id, slot) in self.slots.iter_mut().filter(|(id, _)| which(id)) {
            let tell = match slot.phase {
                Phase::Running => true,
                Phase::Stopping => grace.is_zero(),
                Phase::Over => false,
            };
            if tell {
                slot.phase = Phase::Stopping;
                told.push((*id, slot.runtime));
            }
        }
        told
    }

    /// What takes a place, as the plan wants to see it.
    fn places(&self, standing: &BTreeMap<SessionId, (Standing, Duration)>) -> Vec<Running> {
        let starting = self.starting.keys().map(|session| Running {
            session: *session,
            idle: None,
            idle_limit: Duration::MAX,
            stopping: false,
        });
        let alive = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.phase != Phase::Over);
        let alive = alive.map(|(id, slot)| {
            let (idle, idle_limit) = match standing.get(&id.session) {
                Some((Standing::Idle { for_how_long }, limit)) => (Some(*for_how_long), *limit),
                // One that the owner was not asked about began just now.
                Some((Standing::Busy, _)) | None => (None, Duration::MAX),
            };
            Running {
                session: id.session,
                idle,
                idle_limit,
                stopping: slot.phase == Phase::Stopping,
            }
        });
        starting.chain(alive).collect()
    }

    /// The sandboxes of `session`, the newest last.
    fn phases(&self, session: SessionId) -> impl Iterator<Item = (Generation, Phase)> {
        let of_session = self
            .slots
            .iter()
            .filter(move |(id, _)| id.session == session);
        of_session.map(|(id, slot)| (id.generation, slot.phase))
    }

    fn touch(&mut self, id: InstanceId, kind: RuntimeKind) {
        self.touched.entry(kind).or_default().insert(id);
    }
}

/// One line of a runtime's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) id: InstanceId,
    pub(super) kind: RuntimeKind,
    pub(super) running: bool,
}
