//! What came of it.

use std::time::Duration;

use crate::crash::Victim;

/// What the platform saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Messages said.
    pub(super) said: usize,
    /// Of these, acknowledged by the host.
    pub(super) accepted: usize,
    /// Of these, answered by the agent.
    pub(super) answered: usize,
    /// Acknowledged, and the host said in the conversation that there is no answer.
    pub(super) told: usize,
    /// Acknowledged, and neither.
    pub(super) lost: usize,
    /// Answered more than once, or answered and told that there is no answer.
    pub(super) duplicated: usize,
    /// What came and belongs to nothing that was said.
    pub(super) strange: usize,
    /// Lines that came again under an id that was there, which a platform shows once.
    pub(super) repeats: usize,
    /// Answers that came after the answer to a later message of the same conversation.
    pub(super) out_of_order: usize,
}

/// What the host still has on record at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub(super) struct OnRecord {
    pub(super) sessions_faulted: u64,
    pub(super) messages_pending: u64,
    pub(super) messages_failed: u64,
    pub(super) deliveries_pending: u64,
    pub(super) deliveries_dead: u64,
    pub(super) deliveries_unknown: u64,
}

/// All that is counted in one run.
#[derive(Debug)]
pub(super) struct Tally {
    seed: u64,
    hosts: u32,
    sandboxes: u32,
    engines: u32,
    /// Kills that found nobody, as no sandbox ran: they don't count.
    missed: u32,
    pub(super) platform: Seen,
    pub(super) host: OnRecord,
    pub(super) took: Duration,
}

impl Tally {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            hosts: 0,
            sandboxes: 0,
            engines: 0,
            missed: 0,
            platform: Seen::default(),
            host: OnRecord::default(),
            took: Duration::ZERO,
        }
    }

    /// Something was killed, or was not there to be.
    pub(super) fn hit(&mut self, victim: Victim, hit: bool) {
        let count = match (hit, victim) {
            (false, _) => &mut self.missed,
            (true, Victim::Host) => &mut self.hosts,
            (true, Victim::Sandbox) => &mut self.sandboxes,
            (true, Victim::Engine) => &mut self.engines,
        };
        *count += 1;
    }

    /// How many were killed.
    pub(super) fn kills(&self) -> u32 {
        self.hosts + self.sandboxes + self.engines
    }

    /// What neither an answer nor a visible end explains, by the host's own records.
    fn unexplained(&self) -> u64 {
        let host = &self.host;
        let told = u64::try_from(self.platform.told).unwrap_or(u64::MAX);
        let strange = u64::try_from(self.platform.strange).unwrap_or(u64::MAX);
        host.sessions_faulted
            + host.messages_pending
            + host.deliveries_pending
            + host.deliveries_dead
            + host.deliveries_unknown
            + host.messages_failed.abs_diff(told)
            + strange
    }

    /// Nothing is lost, nothing came twice, and everything is explained.
    pub(super) fn is_good(&self) -> bool {
        let seen = &self.platform;
        seen.lost == 0
            && seen.duplicated == 0
            && seen.out_of_order == 0
            && seen.accepted == seen.said
            && self.unexplained() == 0
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let (seen, kills) = (&self.platform, self.kills());
        format!(
            "{kills} kills, {} messages, {} lost, {} duplicated, {} unexplained",
            seen.accepted,
            seen.lost,
            seen.duplicated,
            self.unexplained()
        )
    }

    /// As a table.
    pub(super) fn table(&self, runtime: &str) -> String {
        let seen = &self.platform;
        let number = |count: usize| count.to_string();
        let rows = [
            ("runtime", runtime.to_owned()),
            ("seed", self.seed.to_string()),
            ("took", format!("{} s", self.took.as_secs())),
            ("hosts killed", self.hosts.to_string()),
            ("sandboxes killed", self.sandboxes.to_string()),
            ("engines killed", self.engines.to_string()),
            ("kills that found nobody", self.missed.to_string()),
            ("messages said", number(seen.said)),
            ("acknowledged", number(seen.accepted)),
            ("answered", number(seen.answered)),
            ("told that there is no answer", number(seen.told)),
            ("sent again under a known id", number(seen.repeats)),
            ("answers out of order", number(seen.out_of_order)),
            ("lost", number(seen.lost)),
            ("duplicated", number(seen.duplicated)),
            ("unexplained", self.unexplained().to_string()),
        ];
        let mut lines: Vec<String> = rows
            .iter()
            .map(|(name, value)| format!("{name:<30} {value:>22}"))
            .collect();
        if self.unexplained() > 0 {
            lines.push(format!("on record: {:?}", self.host));
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests;
