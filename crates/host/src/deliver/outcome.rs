//! What follows from one attempt: one pure decision.

use std::time::Duration;

use anchorhold_channel::{ChannelError, Disposition, LimitScope};
use anchorhold_core::retry::{Backoff, Next};
use anchorhold_store::attempts::{AttemptOutcome, Settled};
use jiff::Timestamp;

use crate::report::report;

/// Failures that may pass are tried again for about a day.
const PATIENCE: Backoff = Backoff {
    first: Duration::from_secs(2),
    longest: Duration::from_mins(10),
    tries: 150,
};
/// How long an instance with refused credentials keeps its messages back before the next try.
const UNAUTHORIZED: Duration = Duration::from_mins(5);

/// What to record, and who else has to wait.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What becomes of the delivery.
    pub settled: Settled,
    /// No lane of the chat, or of the whole instance, sends before this time.
    pub park: Option<(LimitScope, Timestamp)>,
}

/// Decides what follows from a failed attempt, the `failed`-th of its part (counted from 1).
/// `repeatable`: done twice it is what it is when done once, by itself or by the platform's help.
pub fn after_failure(
    failure: &ChannelError,
    repeatable: bool,
    failed: u32,
    now: Timestamp,
    jitter: u8,
) -> Outcome {
    let why = report(failure).to_string();
    let outcome = outcome_of(failure);
    let retry = |wait: Duration, why: String| Settled::Retry {
        next_at: later(now, wait),
        why,
        outcome,
    };
    let patiently = |why: String| match PATIENCE.next(failed, None, jitter) {
        Next::After(wait) => retry(wait, why),
        Next::GiveUp => Settled::Dead { why, outcome },
    };
    let (settled, park) = match failure.disposition() {
        Disposition::RetryAfter { wait, scope } => {
            (retry(wait, why), Some((scope, later(now, wait))))
        }
        Disposition::Backoff => (patiently(why), None),
        Disposition::SettleUnknownOrResend if repeatable => (patiently(why), None),
        Disposition::SettleUnknownOrResend => (Settled::Unknown { why, outcome }, None),
        Disposition::Dead => (Settled::Dead { why, outcome }, None),
        Disposition::ParkInstance => {
            let until = later(now, UNAUTHORIZED);
            (
                retry(UNAUTHORIZED, why),
                Some((LimitScope::Instance, until)),
            )
        }
        Disposition::ParkUntilPresent => (Settled::Park, None),
    };
    Outcome { settled, park }
}

/// What follows from an attempt that the death of the host cut off; `repeatable` as above.
pub fn after_interruption(repeatable: bool, now: Timestamp) -> Settled {
    let outcome = AttemptOutcome::Interrupted;
    let why = "the host ended while it was being sent".to_owned();
    if repeatable {
        Settled::Retry {
            next_at: now,
            why,
            outcome,
        }
    } else {
        Settled::Unknown { why, outcome }
    }
}

fn outcome_of(failure: &ChannelError) -> AttemptOutcome {
    match failure {
        ChannelError::RateLimited { .. } => AttemptOutcome::RateLimited,
        ChannelError::Transient { .. } => AttemptOutcome::Transient,
        ChannelError::Ambiguous { .. } => AttemptOutcome::Ambiguous,
        ChannelError::Permanent { .. } => AttemptOutcome::Permanent,
        ChannelError::Unauthorized { .. } => AttemptOutcome::Unauthorized,
        ChannelError::Absent => AttemptOutcome::Absent,
    }
}

/// A time that is `wait` later, or the end of time.
pub fn later(now: Timestamp, wait: Duration) -> Timestamp {
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
