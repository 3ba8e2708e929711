//! What became of each message, step by step, for whoever asks later.
//!
//! Most of it is in the rows that carry custody: messages, deliveries, attempts. Here is what those
//! do not keep: decisions with their rules, holds, starts and ends of sandboxes, plans to try again.
//! A row is added by the transaction that does what it tells of, is never changed, and holds ids,
//! lengths and reasons, never what somebody said.

pub mod find;
pub mod story;

use anchorhold_core::{
    ids::{
        AgentGroupId, ChannelName, ChatId, OutboundId, PlatformMessageId, QuestionId, SessionId,
        TaskId,
    },
    sandbox::{ExitStatus, Generation},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    ingest::{EventOutcome, EventRecord},
    rows::{opt_id, to_json},
    store::Durability,
};

/// The most agents whose decisions about one message are kept.
const DECISIONS_LIMIT: usize = 64;
/// The longest rule or reason that is kept, in bytes.
const WHY_LIMIT_BYTES: usize = 300;
/// The most numbers of messages that one row names.
const SEQS_LIMIT: usize = 64;

const INSERT: &str = "INSERT INTO trace (at, what, channel, chat, message_id, session_id, seq,
         delivery_id, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

const RELEASE: &str = "INSERT INTO trace (at, what, channel, chat, message_id, detail)
     SELECT ?2, ?3, channel, chat, message_id, ?4 FROM held_events WHERE approval_id = ?1";

// The oldest rows come first in the table itself, so this needs no index.
pub(crate) const FORGET: &str = "DELETE FROM trace
     WHERE id < (SELECT MIN(id) FROM trace) + ?2 AND at < ?1";

/// What was decided about one message, agent by agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The length of its text, in bytes.
    pub text_bytes: usize,
    /// How many files came with it.
    pub files: usize,
    /// When its platform says it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<Timestamp>,
    /// What the host itself did with it, if it was for the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_host: Option<String>,
    /// The host's answer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<OutboundId>,
    /// Why nobody heard it, in a sentence, if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declined: Option<String>,
    /// What each wired agent's rule said, in the order in which they were asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decided>,
    /// How many decisions more than are kept.
    #[serde(default)]
    pub more: usize,
}

/// One agent's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The agent.
    pub agent: AgentGroupId,
    /// What it means for the agent.
    pub heard: HeardAs,
    /// By which rule.
    pub rule: String,
    /// In which session it is, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
}

/// What a decision means for one agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeardAs {
    /// It is to answer.
    Answer,
    /// It has it as context for a later message.
    Context,
    /// It never hears of it.
    Declined,
}

/// How the wait for a person's decision ended, where the message is not decided about anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Released {
    /// It was refused.
    Refused,
    /// Nobody decided in time.
    Expired,
    /// It was approved and could not be carried out.
    NotCarriedOut,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Event {
    /// A platform's message was taken on.
    Received(Receipt),
    /// It waits for a person's decision.
    Held {
        /// About what.
        approval: QuestionId,
    },
    /// It does not wait any more, and is not decided about anew.
    Released {
        /// About what.
        approval: QuestionId,
        /// How the wait ended.
        how: Released,
    },
    /// It was decided about anew after it had waited.
    Replayed(Receipt),
    /// A sandbox of the session is about to start.
    Starting {
        /// Which.
        generation: Generation,
    },
    /// A sandbox that ran before this host did was taken over.
    TakenOver {
        /// Which.
        generation: Generation,
    },
    /// A sandbox of the session did not start.
    NotStarted {
        /// Why.
        why: String,
    },
    /// A sandbox of the session ended.
    Ended {
        /// Which.
        generation: Generation,
        /// How.
        status: ExitStatus,
        /// Why the host ended it, if it did.
        why: Option<String>,
        /// The messages that it had taken and not ended.
        taken: Vec<i64>,
    },
    /// What the agent said and ended was taken over.
    Pulled {
        /// The latest sandbox of the session.
        generation: Generation,
        /// Inbound messages that ended.
        ended: Vec<i64>,
        /// What the agent said.
        said: Vec<i64>,
        /// What was refused of it.
        refused: Vec<i64>,
    },
    /// A task was due, and the message is a run of it.
    Fired {
        /// Which task.
        task: TaskId,
        /// Which run.
        number: u32,
        /// When it was due.
        due_at: Timestamp,
        /// So many more runs were due by then.
        missed: u32,
    },
    /// Another try of a message was planned.
    Retry {
        /// How often it was tried by then.
        tries: u32,
        /// When the next try is.
        next_at: Timestamp,
        /// Why.
        why: String,
    },
    /// A message waits for its provider, which has failed.
    Waits {
        /// Until when.
        next_at: Timestamp,
        /// Why.
        why: String,
    },
    /// A delivery waits, without a try having been made.
    PutOff {
        /// Until when; `None` until somebody is there to read.
        next_at: Option<Timestamp>,
        /// Why.
        why: String,
    },
    /// The operator had a delivery sent again.
    SentAgain,
    /// A host began to run.
    Host {
        /// Its version.
        version: String,
    },
    /// The wall clock was found to be set back.
    SetBack {
        /// What it would have said.
        was: Timestamp,
    },
}

/// What an event is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// A platform's message.
    Message(&'a ChannelName, &'a ChatId, &'a PlatformMessageId),
    /// A session.
    Session(SessionId),
    /// One message of a session.
    Row(SessionId, i64),
    /// A delivery.
    Delivery(OutboundId),
    /// The host as a whole.
    Host,
}

impl Event {
    /// The event's name, as its row has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Received(_) => "received",
            Self::Held { .. } => "held",
            Self::Released { .. } => "released",
            Self::Replayed(_) => "replayed",
            Self::Starting { .. } => "starting",
            Self::TakenOver { .. } => "taken_over",
            Self::NotStarted { .. } => "not_started",
            Self::Ended { .. } => "ended",
            Self::Pulled { .. } => "pulled",
            Self::Fired { .. } => "fired",
            Self::Retry { .. } => "retry",
            Self::Waits { .. } => "waits",
            Self::PutOff { .. } => "put_off",
            Self::SentAgain => "sent_again",
            Self::Host { .. } => "host",
            Self::SetBack { .. } => "set_back",
        }
    }

    /// What was decided, of an event that is a decision.
    pub fn receipt(&self) -> Option<&Receipt> {
        if let Self::Received(receipt) | Self::Replayed(receipt) = self {
            return Some(receipt);
        }
        None
    }

    /// The event within the bounds of what a row keeps.
    pub(crate) fn bounded(mut self) -> Self {
        match &mut self {
            Self::Received(receipt) | Self::Replayed(receipt) => receipt.bound(),
            Self::NotStarted { why }
            | Self::Retry { why, .. }
            | Self::Waits { why, .. }
            | Self::PutOff { why, .. } => cut(why),
            Self::Ended { why, taken, .. } => {
                why.iter_mut().for_each(cut);
                taken.truncate(SEQS_LIMIT);
            }
            Self::Pulled {
                ended,
                said,
                refused,
                ..
            } => {
                for seqs in [ended, said, refused] {
                    seqs.truncate(SEQS_LIMIT);
                }
            }
            Self::Held { .. }
            | Self::Released { .. }
            | Self::Starting { .. }
            | Self::Fired { .. }
            | Self::TakenOver { .. }
            | Self::SentAgain
            | Self::Host { .. }
            | Self::SetBack { .. } => {}
        }
        self
    }
}

impl Receipt {
    fn bound(&mut self) {
        self.more += self.decisions.len().saturating_sub(DECISIONS_LIMIT);
        self.decisions.truncate(DECISIONS_LIMIT);
        for decided in &mut self.decisions {
            cut(&mut decided.rule);
        }
        self.by_host.iter_mut().for_each(cut);
        self.declined.iter_mut().for_each(cut);
    }
}

impl Store {
    /// Puts on record what no other row would tell of, off the path of messages.
    pub async fn note(&self, about: About<'_>, event: Event, now: Timestamp) -> Result<(), Error> {
        let failed = |source| Error::Note { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        add(&mut conn, about, event, now).await.map_err(failed)
    }

    /// Forgets what happened before `before`, at most `limit` rows; returns how many.
    pub async fn forget_trace(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET, before, limit).await
    }
}

/// Adds an event, as part of whatever transaction the connection is in.
pub(crate) async fn add(
    conn: &mut SqliteConnection,
    about: About<'_>,
    event: Event,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (message, session, seq, delivery) = match about {
        About::Message(channel, chat, id) => (Some((channel, chat, id)), None, None, None),
        About::Session(session) => (None, Some(session), None, None),
        About::Row(session, seq) => (None, Some(session), Some(seq), None),
        About::Delivery(delivery) => (None, None, None, Some(delivery)),
        About::Host => (None, None, None, None),
    };
    let event = event.bounded();
    sqlx::query(INSERT)
        .bind(now.as_millisecond())
        .bind(event.name())
        .bind(message.map(|(channel, _, _)| channel.as_str()))
        .bind(message.map(|(_, chat, _)| chat.as_str()))
        .bind(message.map(|(_, _, id)| id.as_str()))
        .bind(opt_id(session))
        .bind(seq)
        .bind(opt_id(delivery))
        .bind(to_json(&event)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// What is put on record of a platform's message that is taken on.
pub(crate) fn received(event: &EventRecord) -> Event {
    let mut receipt = Receipt::clone(&event.receipt);
    let reason = event
        .declined
        .filter(|_| event.outcome == EventOutcome::Declined);
    receipt.declined = reason.map(|reason| reason.sentence().to_owned());
    Event::Received(receipt).bounded()
}

/// What waits for an approval is about to go, and is not decided about anew.
pub(crate) async fn released(
    conn: &mut SqliteConnection,
    approval: QuestionId,
    how: Released,
    now: Timestamp,
) -> sqlx::Result<()> {
    let event = Event::Released { approval, how };
    sqlx::query(RELEASE)
        .bind(approval.to_string())
        .bind(now.as_millisecond())
        .bind(event.name())
        .bind(to_json(&event)?)
        .execute(conn)
        .await?;
    Ok(())
}

fn cut(text: &mut String) {
    let end = text.floor_char_boundary(WHY_LIMIT_BYTES);
    text.truncate(end);
}

#[cfg(test)]
mod tests;
