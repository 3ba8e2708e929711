//! What the host itself says to people: short, honest, without internals that only help attackers.

use anchorhold_core::{
    address::Address, ids::ChannelName, liveness::Verdict, route::Reason, sandbox::ExitStatus,
    turn_failure::FailureClass,
};
use jiff::Timestamp;

/// The most of a reason that people and agents are shown, in characters.
const WHY_CHARS: usize = 300;

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

/// How it is told that a message has no answer.
const UNANSWERED: &str = "Your message could not be answered";

/// What is told of a message in words about a task that it is a run of.
pub fn of_task(text: &str, name: &str) -> String {
    match text.strip_prefix(UNANSWERED) {
        Some(rest) => format!("The task “{name}” could not be done{rest}"),
        None => text.to_owned(),
    }
}

/// A task failed too often and is paused.
pub fn task_paused(name: &str, failures: u32) -> String {
    format!(
        "The task “{name}” failed {failures} times in a row and is paused. \
         It runs again when somebody resumes it."
    )
}

/// A message was tried as often as it may be.
pub fn given_up(cause: &str, tries: u32) -> String {
    let times = times(tries);
    format!("{UNANSWERED}: {cause}. It was tried {times} and is now given up.")
}

/// A turn ended in a failure that trying again would not mend.
pub fn failed(why: &str) -> String {
    format!("{UNANSWERED}: {why}")
}

/// What a provider's failure is, as a sentence's end. What the provider itself said of it is for the
/// operator: it may tell of keys, of prompts, of other people.
fn trouble(class: FailureClass) -> &'static str {
    match class {
        FailureClass::RateLimited => "the agent's model is asked too often at the moment",
        FailureClass::Transient => "the agent's model can't be reached at the moment",
        FailureClass::OutOfBudget => "the agent's budget is used up",
        FailureClass::Unauthorised => "the agent's model does not accept its key",
        FailureClass::ContinuationLost => {
            "the agent's memory of this conversation is lost, and beginning afresh did not help"
        }
        FailureClass::ContextFull => {
            "this conversation has become too long for the agent, and could not be shortened"
        }
        FailureClass::Rejected => "the agent's model refuses to answer it",
    }
}

/// A provider failed, and the message is not tried again.
pub fn provider_failed(class: FailureClass, tries: u32) -> String {
    let trouble = trouble(class);
    match tries {
        0 | 1 => format!("{UNANSWERED}: {trouble}."),
        tries => {
            format!("{UNANSWERED}: {trouble}. It was tried {tries} times and is now given up.")
        }
    }
}

/// A provider failed, and the message waits.
pub fn waits_for_provider(class: FailureClass) -> String {
    let trouble = capital(trouble(class));
    let mend = match class {
        FailureClass::OutOfBudget | FailureClass::Unauthorised => {
            " Its owners are told what to mend."
        }
        FailureClass::RateLimited
        | FailureClass::Transient
        | FailureClass::ContinuationLost
        | FailureClass::ContextFull
        | FailureClass::Rejected => "",
    };
    format!("{trouble}. Your message is kept and will be tried again.{mend}")
}

/// The same for an owner.
pub fn provider_needs_owner(class: FailureClass, agent: &str) -> String {
    let trouble = trouble(class);
    format!(
        "Messages to the agent `{agent}` wait: {trouble}. They are tried again now and then, and \
         given up visibly if that goes on for too long. For an hour you are not told again."
    )
}

/// A turn was begun again without what the provider remembered.
pub fn began_afresh() -> String {
    "The agent's memory of this conversation was lost; it goes on without what was said before."
        .to_owned()
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

/// What could not be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Undelivered<'a> {
    /// The operation's name, as it is recorded.
    pub kind: &'a str,
    /// Why.
    pub why: &'a str,
    /// How often sending it failed.
    pub tries: u32,
    /// So many of its parts arrived.
    pub parts_sent: u32,
    /// Nobody can say whether the next part did.
    pub uncertain: bool,
}

/// What the agent said did not arrive: for the person it was meant for.
pub fn not_delivered(what: &Undelivered<'_>) -> String {
    let (thing, end) = (what.thing(), what.end());
    let thing = format!("{thing} of the agent's");
    if what.uncertain {
        format!("{} may not have arrived here: {end}", capital(&thing))
    } else {
        format!("{} could not be delivered here: {end}", capital(&thing))
    }
}

/// The same for the agent: its row `seq`, and whether the conversation hears of it.
pub fn to_agent(what: &Undelivered<'_>, seq: Option<i64>, told: bool) -> String {
    let (thing, end) = (what.thing(), what.end());
    let number = seq.map_or_else(String::new, |seq| format!(" as number {seq}"));
    let verdict = if what.uncertain {
        "may not have arrived"
    } else {
        "was not delivered"
    };
    let told = if told {
        "The conversation is told so."
    } else {
        "Nothing is said about it in the conversation."
    };
    format!("What you said{number} ({thing}) {verdict}: {end} {told}")
}

/// The same for an owner, who reads it somewhere else than at `lane`.
pub fn to_owner(what: &Undelivered<'_>, lane: &Address, by_host: bool) -> String {
    let thing = what.thing();
    let author = if by_host { "the host's" } else { "the agent's" };
    let thing = capital(&format!("{thing} of {author}"));
    let (chat, channel, end) = (&lane.chat, &lane.channel, what.end());
    format!(
        "{thing} could not be delivered to the conversation `{chat}` on `{channel}`: {end} \
         `anchorhold deadletters list` shows all that was not delivered. \
         For an hour you are not told again about this conversation."
    )
}

impl Undelivered<'_> {
    fn thing(&self) -> &'static str {
        match self.kind {
            "edit" => "a change of a message",
            "delete" => "the taking back of a message",
            "react" => "a reaction",
            "ask" => "a question",
            _ => "a message",
        }
    }

    /// Why, how often and what follows, from the middle of a sentence on.
    fn end(&self) -> String {
        let why: String = self.why.chars().take(WHY_CHARS).collect();
        let why = why.replace(char::is_control, " ");
        let why = why.trim_end_matches('.');
        let tried = match (self.tries, self.uncertain) {
            (_, true) => "It is not sent again, since it might come twice.".to_owned(),
            (0, false) => "It was not tried at all.".to_owned(),
            (tries, false) => format!("It was tried {} and is now given up.", times(tries)),
        };
        match self.parts_sent {
            0 => format!("{why}. {tried}"),
            1 => format!("{why}. {tried} Its first part has arrived."),
            parts => format!("{why}. {tried} Its first {parts} parts have arrived."),
        }
    }
}

/// A channel is not connected: for the owners, over another one.
pub fn channel_down(channel: &ChannelName, since: Timestamp, why: Option<&str>) -> String {
    let why: String = why
        .unwrap_or("nobody knows why")
        .chars()
        .take(WHY_CHARS)
        .collect();
    let why = why.replace(char::is_control, " ");
    let why = why.trim_end_matches('.');
    let since = since.strftime("%Y-%m-%d %H:%M:%SZ");
    format!(
        "The channel `{channel}` is not connected since {since}: {why}. What is to be said there \
         waits. You are told when it is back; `anchorhold channels list` shows how it fares."
    )
}

/// It is connected again.
pub fn channel_back(channel: &ChannelName, since: Timestamp) -> String {
    let since = since.strftime("%Y-%m-%d %H:%M:%SZ");
    format!("The channel `{channel}`, which was not connected since {since}, is connected again.")
}

fn times(tries: u32) -> String {
    if tries == 1 {
        "once".to_owned()
    } else {
        format!("{tries} times")
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

#[cfg(test)]
mod tests;
