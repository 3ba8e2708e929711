//! Is a sandbox still working? Judged by progress, never by a timer of its own.

use std::time::Duration;

/// What the host sees of one running sandbox. All spans end now, on the host's monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Since the runtime said that it started (or since this host adopted it).
    pub since_start: Duration,
    /// Since the host last saw its progress change; `None` if this sandbox never showed any.
    pub since_progress: Option<Duration>,
    /// How long the tool that runs now said it may take.
    pub declared: Option<Duration>,
    /// Since its oldest message that is not answered was there for it to take; `None` if idle.
    pub since_due: Option<Duration>,
    /// Since its oldest open claim was first seen; `None` if it holds none.
    pub since_claim: Option<Duration>,
}

/// How long is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From start to the first sign of life.
    pub start: Duration,
    /// Without progress while there is work. A tool's declared time is added.
    pub progress: Duration,
    /// For one turn altogether, whatever its progress.
    pub turn: Duration,
    /// The longest declared time that is believed.
    pub declared: Duration,
}

/// Why a sandbox has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It works, or has nothing to do.
    Healthy,
    /// It started but its runner never showed life.
    NeverStarted,
    /// It has work and makes no progress.
    Stalled,
    /// Its turn takes longer than a turn may.
    Overlong,
}

/// Judges one running sandbox.
pub fn judge(seen: &Observation, limits: &Limits) -> Verdict {
    let Some(since_progress) = seen.since_progress else {
        return if seen.since_start > limits.start {
            Verdict::NeverStarted
        } else {
            Verdict::Healthy
        };
    };
    if seen.since_claim.is_some_and(|claim| claim > limits.turn) {
        return Verdict::Overlong;
    }
    let Some(since_due) = seen.since_due else {
        return Verdict::Healthy;
    };
    let allowance = limits.progress + seen.declared.unwrap_or_default().min(limits.declared);
    // A message that came just now after a long silence has had no time to cause progress.
    if since_progress.min(since_due) > allowance {
        Verdict::Stalled
    } else {
        Verdict::Healthy
    }
}

#[cfg(test)]
mod tests;
