//! Pauses between tries at something that fails and may pass, inside one `run`.
//!
//! Only for receiving: a send is never tried again by an adapter.

use std::time::Duration;

/// How long the pauses are: each twice as long as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The first one.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
    /// After so many failures in a row it is no hiccup any more, and `run` is to end.
    pub tries: u32,
}

impl Pace {
    /// What is customary for answers that can't be read.
    pub const CUSTOMARY: Self = Self {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(30),
        tries: 20,
    };

    /// The pause after the `failed`-th failure in a row, counted from 1; `None` after the last one.
    pub fn pause(&self, failed: u32) -> Option<Duration> {
        if failed >= self.tries {
            return None;
        }
        let doublings = failed.saturating_sub(1).min(31);
        Some(self.first.saturating_mul(1 << doublings).min(self.longest))
    }
}

#[cfg(test)]
mod tests;
