//! A message's story as steps in time, and who owns what of it now. Pure.

mod owed;
mod steps;

use anchorhold_core::{entity::MessageStatus, ids::SessionId};
use anchorhold_sessiondb::Claim;
use anchorhold_store::trace::{find::Subject, story::Story};
use jiff::Timestamp;
use serde::Serialize;

pub use self::owed::Owed;
use self::{owed::owed, steps::steps};

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// Which message.
    pub message: Which,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// What is still under way, and with whom; empty once all is over.
    pub owned: Vec<Owed>,
    /// How it stands at each agent that has it, in a sentence.
    pub agents: Vec<AgentState>,
}

/// Which message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Which {
    /// The channel instance.
    pub channel: Option<String>,
    /// The chat.
    pub chat: Option<String>,
    /// The platform's id.
    pub id: Option<String>,
    /// Of the host's own word to a session: `SESSION:SEQ`.
    pub word: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// So many milliseconds after the first step.
    pub after_ms: i64,
    /// At which agent, where it is one's.
    pub agent: Option<String>,
    /// What happened, in a word.
    pub step: &'static str,
    /// The same in a sentence.
    pub what: String,
    /// By which rule or for what reason.
    pub why: Option<String>,
    /// The session's id, where it happened in one.
    pub session: Option<String>,
    /// The number that the message has there.
    pub seq: Option<i64>,
    /// The delivery's id, where it is about one.
    pub delivery: Option<String>,
}

/// Where the message stands with one agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentState {
    /// Its name.
    pub agent: String,
    /// `pending`, `context`, `done` or `failed`.
    pub state: &'static str,
    /// How often it was tried in vain.
    pub tries: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Our id of the message.
    pub message: String,
    /// `SESSION:SEQ`.
    pub place: String,
}

/// Tells a story; `claims` are the messages that sandboxes have in hand at `now`.
pub fn timeline(story: &Story, claims: &[(SessionId, Claim)], now: Timestamp) -> Timeline {
    let message = match &story.subject {
        Subject::Said { channel, chat, id } => Which {
            channel: Some(channel.to_string()),
            chat: Some(chat.to_string()),
            id: Some(id.to_string()),
            word: None,
        },
        Subject::Word { session, seq } => Which {
            channel: None,
            chat: None,
            id: None,
            word: Some(format!("{session}:{seq}")),
        },
    };
    let agents = story.hearings.iter().map(|hearing| AgentState {
        agent: hearing.agent.clone(),
        state: state(hearing.status),
        tries: hearing.tries,
        last_error: hearing.last_error.clone(),
        message: hearing.message.to_string(),
        place: format!("{}:{}", hearing.session, hearing.seq),
    });
    Timeline {
        message,
        steps: steps(story),
        owned: owed(story, claims, now),
        agents: agents.collect(),
    }
}

fn state(status: MessageStatus) -> &'static str {
    match status {
        MessageStatus::Pending => "pending",
        MessageStatus::Context => "context",
        MessageStatus::Done => "done",
        MessageStatus::Failed => "failed",
    }
}

/// A time that people can read, to the millisecond.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S%.3fZ").to_string()
}

/// A number as people count: 1st, 2nd, 3rd, 4th.
pub(crate) fn nth(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        (_, _) => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests;
