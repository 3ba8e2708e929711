//! When somebody is told that a channel is not connected, and that it is again.

use std::time::Duration;

use jiff::Timestamp;

/// A connection that is down for so long is told of.
pub const TELL_AFTER: Duration = Duration::from_mins(5);
/// A connection that is up for so long is back, also if nothing came over it yet.
pub const STEADY: Duration = Duration::from_mins(1);

/// A time in which a connection was not up for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// When somebody was told.
    pub told_at: Option<Timestamp>,
}

/// How a connection is seen to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Is it up?
    pub up: bool,
    /// Since when it is up, or is not.
    pub since: Timestamp,
    /// When something last went over it, in either direction.
    pub proven_at: Option<Timestamp>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is as it was.
    Nothing,
    /// An outage begins; nobody is told yet.
    Begun(Outage),
    /// It has lasted for long enough that somebody has to know, once.
    Tell,
    /// It is over. Who was told of it is told that, too.
    Over,
}

/// Judges what is seen at `now`, given the outage that is on record.
///
/// A connection that comes up and is lost at once does not end an outage: it has to prove itself by
/// something that goes over it, or by time.
pub fn judge(known: Option<Outage>, seen: Seen, now: Timestamp) -> Verdict {
    let long = |since: Timestamp, span: Duration| {
        since.saturating_add(span).is_ok_and(|until| now >= until)
    };
    match (known, seen.up) {
        (None, true) => Verdict::Nothing,
        (None, false) => Verdict::Begun(Outage {
            since: seen.since.min(now),
            told_at: None,
        }),
        (Some(_), true) => {
            let proven = seen.proven_at.is_some_and(|at| at > seen.since);
            if proven || long(seen.since, STEADY) {
                Verdict::Over
            } else {
                Verdict::Nothing
            }
        }
        (Some(outage), false) if outage.told_at.is_none() && long(outage.since, TELL_AFTER) => {
            Verdict::Tell
        }
        (Some(_), false) => Verdict::Nothing,
    }
}

#[cfg(test)]
mod tests;
