//! A message comes in: the ledger against repetition, the journal, and who owes it an answer.
//!
//! All of it is one transaction, [`Store::enter`], which survives the loss of power: what was said is
//! safe when that returns, and only then the platform may be told so. The session's file is written
//! after it, from what it tells and from [`crate::journal`].

pub(crate) mod batch;
pub(crate) mod numbers;

use anchorhold_core::{
    address::Address,
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, Handle, MessageId, PlatformMessageId,
        SessionId, UserId,
    },
    route::Reason,
    sandbox::Generation,
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    ingest::numbers::Numbers,
    rows::{Fields, text_enum},
    store::{Durability, begin},
    tasks::runs::NewRun,
    trace::{self, About, Event, Receipt},
};

pub(crate) const SEEN: &str = "SELECT EXISTS (SELECT 1 FROM events
     WHERE channel = ?1 AND chat = ?2 AND message_id = ?3)";

pub(crate) const HEARD_BY: &str = "SELECT EXISTS (SELECT 1 FROM messages m
     JOIN sessions s ON s.id = m.session_id AND s.agent_group_id = ?1
     WHERE m.platform_message_id = ?4 AND m.chat = ?3 AND m.channel = ?2)";

pub(crate) const DROPPED: &str = "SELECT * FROM dropped ORDER BY last_at DESC LIMIT ?1";

pub(crate) const PRUNE_EVENTS: &str = "DELETE FROM events WHERE (channel, chat, message_id) IN (
     SELECT channel, chat, message_id FROM events WHERE received_at < ?1
     ORDER BY received_at LIMIT ?2)";

text_enum! {
    /// What became of one event.
    EventOutcome {
        /// At least one session has it.
        Stored = "stored",
        /// No session has it.
        Declined = "declined",
    }
}

/// One message as the platform handed it over, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Where it was said.
    pub address: Address,
    /// The platform's id of it.
    pub message_id: PlatformMessageId,
    /// Who said it.
    pub sender: Handle,
    /// When it was received.
    pub received_at: Timestamp,
    /// What became of it.
    pub outcome: EventOutcome,
    /// One for each session that hears it.
    pub messages: Vec<NewMessage>,
    /// Why nobody heard it: the weightiest reason of all agents'. It counts once, and only if the
    /// outcome is [`EventOutcome::Declined`].
    pub declined: Option<Reason>,
    /// What was decided, for whoever asks later.
    pub receipt: Box<Receipt>,
}

/// One message for one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id here.
    pub id: MessageId,
    /// Whose it is.
    pub session: SessionId,
    /// The number that [`Store::reserve`] gave for it. Without one it gets the session's next.
    pub reserved: Option<i64>,
    /// The highest number in the agent's own file, so that the new one is above it; 0 if unknown.
    pub said: i64,
    /// The conversation it was said in, where there is one.
    pub conversation: Option<ConversationId>,
    /// Where it was said, and where the answer goes.
    pub address: Address,
    /// What makes it the same message when it comes again.
    pub key: Key,
    /// Who said it, where a person did.
    pub sender: Option<UserId>,
    /// Is it to be answered, or context only?
    pub role: MessageRole,
    /// When it was stored.
    pub created_at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// What makes a message the same one when it comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The platform's id of it.
    Platform(PlatformMessageId),
    /// The host itself is the author, and this names what it says.
    Word(PlatformMessageId),
}

/// What a message says, as its session's file is to have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// Which kind of payload it is.
    pub kind: String,
    /// Which version of that kind.
    pub version: i64,
    /// The payload itself.
    pub payload: String,
    /// Only a sandbox after this one gets it.
    pub fresh_only: Option<Generation>,
}

impl std::fmt::Debug for Body {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("payload_bytes", &self.payload.len())
            .field("fresh_only", &self.fresh_only)
            .finish()
    }
}

/// What a new message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRole {
    /// An answer, from this time on.
    Due(Timestamp),
    /// Nothing: it waits for a message that engages.
    Context,
}

/// What is entered as a whole, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A platform's event with everything that follows from it.
    Event(EventRecord),
    /// Messages by themselves.
    Messages(Vec<NewMessage>),
    /// The run of a task, with its message.
    Run(Box<NewRun>),
}

impl Entry {
    /// Its messages.
    pub fn messages(&self) -> &[NewMessage] {
        match self {
            Self::Event(event) => &event.messages,
            Self::Messages(messages) => messages,
            Self::Run(run) => std::slice::from_ref(&run.message),
        }
    }

    /// Has any of its messages a number that was reserved for it?
    fn is_reserved(&self) -> bool {
        let mut messages = self.messages().iter();
        messages.any(|message| message.reserved.is_some())
    }

    /// Its messages, by value.
    pub fn into_messages(self) -> Vec<NewMessage> {
        match self {
            Self::Event(event) => event.messages,
            Self::Messages(messages) => messages,
            Self::Run(run) => vec![run.message],
        }
    }
}

/// What became of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entered {
    /// It is durable: what is known of its messages, in their order.
    Now(Vec<Tracked>),
    /// The event was recorded before, or the run claimed, and nothing has changed.
    Duplicate,
    /// Others have got higher numbers than one that was reserved, and nothing has changed: order
    /// comes first, so another number has to be reserved.
    Late,
}

/// A message that is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// Its number.
    pub seq: i64,
    /// Was it new? `false` if it was on record before, with this number, and stays as it was.
    pub fresh: bool,
    /// Context that there is no room for any more, ended with this, oldest first; also the message
    /// itself, if it is too large alone.
    pub surplus: Vec<i64>,
}

/// Messages of one sender that were declined for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat.
    pub chat: ChatId,
    /// The sender.
    pub handle: Handle,
    /// The reason's name; see [`Reason::as_str`].
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The first.
    pub first_at: Timestamp,
    /// The latest.
    pub last_at: Timestamp,
}

impl Store {
    /// Was this message recorded before?
    pub async fn event_seen(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
        message_id: &PlatformMessageId,
    ) -> Result<bool, Error> {
        let failed = |source| Error::EventSeen {
            channel: channel.clone(),
            message: message_id.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(SEEN)
            .bind(channel.as_str())
            .bind(chat.as_str())
            .bind(message_id.as_str())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Enters what came in together, in one transaction that survives the loss of power: all of it,
    /// or nothing where this fails. Repeating it changes nothing.
    pub async fn enter(&self, entries: &[Entry]) -> Result<Vec<Entered>, Error> {
        self.enter_inner(entries)
            .await
            .map_err(|source| Error::Enter {
                entries: entries.len(),
                source,
            })
    }

    async fn enter_inner(&self, entries: &[Entry]) -> sqlx::Result<Vec<Entered>> {
        let mut custody = self.custody(Durability::Power).await?;
        let mut tx = custody.begin().await?;
        let messages = entries.iter().flat_map(Entry::messages);
        let sessions = messages.map(|message| message.session);
        let mut numbers = Numbers::read(&mut tx, sessions).await?;
        let mut entered = Vec::with_capacity(entries.len());
        // A batch begins with each entry that has reserved numbers.
        for batch in entries.chunk_by(|_, next| !next.is_reserved()) {
            entered.extend(batch::enter(&mut tx, &mut numbers, batch).await?);
        }
        tx.commit().await?;
        Ok(entered)
    }

    /// Reserves a number for a message whose files have to be in their place first. One that is not
    /// used in the end is left out of the session's numbers.
    pub async fn reserve(&self, session: SessionId, said: i64) -> Result<i64, Error> {
        let failed = |source| Error::Reserve { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let mut numbers = Numbers::read(&mut tx, std::iter::once(session))
            .await
            .map_err(failed)?;
        let seq = numbers.next(session, said).map_err(failed)?;
        sqlx::query("UPDATE sessions SET in_seq = ?2 WHERE id = ?1")
            .bind(session.to_string())
            .bind(seq)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(seq)
    }

    /// Has any session of the group, a closed one included, this message on record?
    pub async fn heard_by(
        &self,
        group: AgentGroupId,
        channel: &ChannelName,
        chat: &ChatId,
        message_id: &PlatformMessageId,
    ) -> Result<bool, Error> {
        let failed = |source| Error::HeardBy {
            group,
            message: message_id.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(HEARD_BY)
            .bind(group.to_string())
            .bind(channel.as_str())
            .bind(chat.as_str())
            .bind(message_id.as_str())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// An event that was declined was heard after all, when somebody let its sender in. What was
    /// counted as dropped stays counted: it did happen; `receipt` says by which rules it is heard.
    /// `false` if the event was not declined, or is forgotten.
    pub async fn replayed(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
        message_id: &PlatformMessageId,
        (receipt, now): (Receipt, Timestamp),
    ) -> Result<bool, Error> {
        let failed = |source| Error::Replayed {
            channel: channel.clone(),
            message: message_id.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE events SET outcome = 'stored'
             WHERE channel = ?1 AND chat = ?2 AND message_id = ?3 AND outcome = 'declined'",
        )
        .bind(channel.as_str())
        .bind(chat.as_str())
        .bind(message_id.as_str())
        .execute(&mut *tx)
        .await
        .map_err(failed)?;
        let about = About::Message(channel, chat, message_id);
        trace::add(&mut tx, about, Event::Replayed(receipt), now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Who was declined and why, the latest first, at most `limit`.
    pub async fn dropped(&self, limit: u32) -> Result<Vec<Dropped>, Error> {
        let failed = |source| Error::Dropped { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(DROPPED)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_dropped).collect())
            .map_err(failed)
    }

    /// Forgets events received before `before`, at most `limit`; returns how many. A platform that
    /// hands one of them over again would be believed, so keep what it may repeat.
    pub async fn prune_events(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        let failed = |source| Error::PruneEvents { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(PRUNE_EVENTS)
            .bind(before.as_millisecond())
            .bind(limit)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }
}

fn parse_dropped(row: &SqliteRow) -> sqlx::Result<Dropped> {
    let fields = Fields::new("dropped", row);
    Ok(Dropped {
        channel: fields.parsed("channel", ChannelName::parse)?,
        chat: fields.parsed("chat", ChatId::parse)?,
        handle: fields.parsed("handle", Handle::parse)?,
        reason: fields.get("reason")?,
        count: fields.number("count")?,
        first_at: fields.time("first_at")?,
        last_at: fields.time("last_at")?,
    })
}

#[cfg(test)]
mod tests;
