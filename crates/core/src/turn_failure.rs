//! A provider did not bring a turn to its end: what follows, decided from the kind of the failure.
//!
//! Two decide, one on each side of the wall. Inside, [`in_turn`] says what can be mended at once and
//! how long to wait else. Outside, [`on_record`] says whether the host still waits, and who is told.

use std::time::Duration;

use crate::{
    entity::text_enum,
    retry::{Backoff, Next},
};

text_enum! {
    /// Why a provider did not bring a turn to its end.
    FailureClass {
        /// It wants to be asked less often.
        RateLimited = "rate_limited",
        /// It may work the next time: the network, an overloaded server.
        Transient = "transient",
        /// Nobody pays for more.
        OutOfBudget = "out_of_budget",
        /// It does not know the conversation any more that it was to go on with.
        ContinuationLost = "continuation_lost",
        /// The conversation is longer than it can read.
        ContextFull = "context_full",
        /// It does not let this host in.
        Unauthorised = "unauthorised",
        /// It will never answer this.
        Rejected = "rejected",
    }
}

/// Between the tries of a turn whose failure has no wait of its own.
const TRANSIENT: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: Duration::from_mins(5),
    tries: u32::MAX,
};
/// The same where a person has to do something first.
const ACCOUNT: Backoff = Backoff {
    first: Duration::from_mins(1),
    longest: Duration::from_mins(15),
    tries: u32::MAX,
};
/// No turn waits for less.
const SHORTEST: Duration = Duration::from_secs(1);
/// No turn waits for longer at once, whatever the provider asks for.
pub const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// So many failures of one message are waited for, whatever they are.
const FAILURES_LIMIT: u32 = 1_000;
/// Whoever waits for longer is told so.
const UNTOLD_WAIT: Duration = Duration::from_mins(1);

/// What a turn has tried already to mend itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mended {
    /// It was begun again without what the provider remembered.
    pub afresh: bool,
    /// What the provider remembers was made shorter.
    pub compacted: bool,
}

/// What follows inside the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTurn {
    /// The same turn at once, without what the provider remembered.
    Afresh,
    /// The same turn at once, after what it remembers was made shorter.
    Compact,
    /// The turn is over; its messages are tried again after this wait.
    Later(Duration),
    /// The turn is over, and its messages are not tried again.
    Surface,
}

/// What follows from a failure of `class` in a turn that had `failures` before, on other tries.
///
/// `asked` is the wait that the provider wants.
pub fn in_turn(
    class: FailureClass,
    asked: Option<Duration>,
    mended: Mended,
    failures: u32,
) -> InTurn {
    let backoff = match class {
        FailureClass::ContinuationLost if !mended.afresh => return InTurn::Afresh,
        FailureClass::ContextFull if !mended.compacted => return InTurn::Compact,
        FailureClass::ContinuationLost | FailureClass::ContextFull | FailureClass::Rejected => {
            return InTurn::Surface;
        }
        FailureClass::RateLimited | FailureClass::Transient => TRANSIENT,
        FailureClass::OutOfBudget | FailureClass::Unauthorised => ACCOUNT,
    };
    // What the provider asks for is taken as it is: a longer wait would only be our own guess.
    let wait = match (class, asked) {
        (FailureClass::RateLimited, Some(asked)) => asked,
        _ => match backoff.next(failures.saturating_add(1), asked, 0) {
            Next::After(wait) => wait,
            Next::GiveUp => backoff.longest,
        },
    };
    InTurn::Later(wait.clamp(SHORTEST, LONGEST_WAIT))
}

/// For how long, and how often, the host waits for a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// While it limits the rate, or its account needs a person.
    pub waits: Duration,
    /// So many transient failures are tried again.
    pub tries: u32,
}

/// What the host knows of one message's failures, without the one that it decides about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// How many there were.
    pub failures: u32,
    /// How long ago the first one was.
    pub age: Duration,
}

/// What follows outside the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnRecord {
    /// The message waits.
    Wait {
        /// For so long.
        wait: Duration,
        /// Is the person who wrote it told?
        tell: bool,
    },
    /// The message is given up, and the person is told.
    GiveUp,
}

/// What the host makes of a turn that wants to be tried again after `wait`. The wish comes from
/// inside the wall, so it is bounded here once more.
///
/// `jitter` is a random number that adds up to a quarter, so that what was turned away together does
/// not come back together.
pub fn on_record(
    class: FailureClass,
    wait: Duration,
    past: Past,
    patience: Patience,
    jitter: u8,
) -> OnRecord {
    let over = match class {
        FailureClass::RateLimited | FailureClass::OutOfBudget | FailureClass::Unauthorised => {
            past.age >= patience.waits
        }
        FailureClass::Transient => past.failures >= patience.tries,
        FailureClass::ContinuationLost | FailureClass::ContextFull | FailureClass::Rejected => true,
    };
    if over || past.failures >= FAILURES_LIMIT {
        return OnRecord::GiveUp;
    }
    let wait = wait.clamp(SHORTEST, LONGEST_WAIT);
    let spread = wait / 4 * u32::from(jitter) / 255;
    OnRecord::Wait {
        wait: wait + spread,
        tell: needs_a_person(class) || wait > UNTOLD_WAIT,
    }
}

/// Does it stay like this until somebody does something?
pub fn needs_a_person(class: FailureClass) -> bool {
    match class {
        FailureClass::OutOfBudget | FailureClass::Unauthorised => true,
        FailureClass::RateLimited
        | FailureClass::Transient
        | FailureClass::ContinuationLost
        | FailureClass::ContextFull
        | FailureClass::Rejected => false,
    }
}

#[cfg(test)]
mod tests;
