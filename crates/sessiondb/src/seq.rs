//! Sequence numbers: one increasing order over both files.

use std::fmt;

use anchorhold_core::order;
use serde::{Deserialize, Serialize};

/// The place of a message in its session: even from the host, odd from the agent.
///
/// Small on purpose, so that an agent can cite it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(i64);

impl Seq {
    /// No number of a sandbox is believed above this one.
    pub const MAX: i64 = order::HIGHEST;

    /// A number as it was read from a database; `None` if it can't be one.
    pub fn new(raw: i64) -> Option<Self> {
        (1..=Self::MAX).contains(&raw).then_some(Self(raw))
    }

    /// The number in plain form.
    pub fn get(self) -> i64 {
        self.0
    }

    /// Was it given by the host?
    pub fn is_host(self) -> bool {
        self.0 % 2 == 0
    }

    /// The agent's next number after everything up to `highest`.
    pub(crate) fn agent_after(highest: i64) -> Self {
        let highest = highest.clamp(0, Self::MAX);
        Self(highest + 1 + highest % 2)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
