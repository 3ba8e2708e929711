//! When to try again, and when not to any more.

use std::time::Duration;

/// A bounded exponential backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The wait after the first failure.
    pub first: Duration,
    /// No wait is longer than this, before jitter.
    pub longest: Duration,
    /// After so many failures there is no further try.
    pub tries: u32,
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again after this wait.
    After(Duration),
    /// The limit is reached: end it visibly.
    GiveUp,
}

impl Backoff {
    /// Decides what follows the `failed`-th failure (counted from 1).
    ///
    /// The wait doubles each time. A wait that the other side `asked` for is honoured where it is
    /// longer. `jitter` is a random number that adds up to a quarter, so that what failed together
    /// does not come back together.
    pub fn next(&self, failed: u32, asked: Option<Duration>, jitter: u8) -> Next {
        if failed >= self.tries {
            return Next::GiveUp;
        }
        let doublings = failed.saturating_sub(1).min(31);
        let wait = self
            .first
            .saturating_mul(1_u32 << doublings)
            .min(self.longest);
        let spread = wait / 4 * u32::from(jitter) / 255;
        Next::After((wait + spread).max(asked.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
