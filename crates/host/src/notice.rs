//! What the host itself says to people: short, honest, without internals that only help attackers.

use anchorhold_core::{liveness::Verdict, route::Reason, sandbox::ExitStatus};

/// Why a sandbox did not bring its turn to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It ended in mid-turn.
    Died(ExitStatus),
    /// The host ended it.
    Stopped(Verdict),
    /// Its files could not be trusted.
    Untrusted,
}

/// The cause as the end of a sentence.
pub fn cause(cause: &Cause) -> String {
    match cause {
        Cause::Died(status) => format!("the agent stopped in the middle of its work ({status})"),
        Cause::Stopped(Verdict::Overlong) => "the agent's work took too long".to_owned(),
        Cause::Stopped(Verdict::NeverStarted) => "the agent did not come up".to_owned(),
        Cause::Stopped(Verdict::Stalled | Verdict::Healthy) => {
            "the agent made no progress".to_owned()
        }
        Cause::Untrusted => "the agent's files were damaged".to_owned(),
    }
}

/// A message was tried as often as it may be.
pub fn given_up(cause: &str, tries: u32) -> String {
    let times = if tries == 1 {
        "once".to_owned()
    } else {
        format!("{tries} times")
    };
    format!(
        "Your message could not be answered: {cause}. It was tried {times} and is now given up."
    )
}

/// A turn ended in a failure that trying again would not mend.
pub fn failed(why: &str) -> String {
    format!("Your message could not be answered: {why}")
}

/// The agent wants to send something that can't be taken.
pub fn rejected(why: &str) -> String {
    format!("Something the agent wanted to send could not be taken: {why}")
}

/// The runtime does not answer.
pub fn engine_down() -> String {
    "The engine that runs the agent does not answer at the moment. \
     Your message is kept and will be answered when it is back."
        .to_owned()
}

/// The sandbox can't be started as things are.
pub fn can_not_start() -> String {
    "The agent can't be started at the moment. \
     Your message is kept, and its operator is told what to mend."
        .to_owned()
}

/// A turn was stopped.
pub fn stopped() -> String {
    "Stopped; your message is not answered.".to_owned()
}

/// Nobody hears the conversation yet.
pub fn awaits_wiring() -> String {
    "No agent hears this conversation yet. An owner is asked which one is to; your message waits."
        .to_owned()
}

/// The person is not known.
pub fn awaits_approval() -> String {
    "You are not known here yet. Somebody is asked to let you in; your message waits.".to_owned()
}

/// So much waits for a decision that this does not any more.
pub fn too_many_wait() -> String {
    "Too many messages wait for a decision here; this one is not kept. Please send it again later."
        .to_owned()
}

/// No agent hears the conversation yet, and nobody who could change that can be reached.
pub fn awaits_wiring_unseen() -> String {
    "No agent hears this conversation yet, and nobody who could change that can be reached at the \
     moment. Your message waits."
        .to_owned()
}

/// The person is not known, and nobody who could let them in can be reached.
pub fn awaits_approval_unseen() -> String {
    "You are not known here yet, and nobody who could let you in can be reached at the moment. \
     Your message waits."
        .to_owned()
}

/// A message that waited is not heard after all.
pub fn not_heard(reason: Reason) -> String {
    format!("Your message is not answered: {}.", reason.sentence())
}

/// A request was refused.
pub fn refused() -> String {
    "Your request was refused; your message is not answered.".to_owned()
}

/// A request was approved, and could not be carried out.
pub fn not_carried_out() -> String {
    "Your request was approved but could not be carried out; your message is not answered. \
     Write again to ask anew."
        .to_owned()
}

/// A request was not decided.
pub fn nobody_decided() -> String {
    "Nobody has decided about your request in time; your message is not answered. \
     Write again to ask anew."
        .to_owned()
}

#[cfg(test)]
mod tests;
