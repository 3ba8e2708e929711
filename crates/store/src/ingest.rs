//! A message comes in: the ledger against repetition, and who owes it an answer.
//!
//! The order is: append to the session's `inbound.db`, then [`Store::record_event`]. A crash in
//! between leaves a row in the file that is not here; the platform hands the message over again,
//! or the host finds the row at its start ([`Store::adopt_messages`]). Both end in one message.

use anchorhold_core::{
    address::Address,
    entity::MessageStatus,
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, Handle, MessageId, PlatformMessageId,
        SessionId, UserId,
    },
    route::Reason,
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, opt_id, opt_thread, text_enum},
    store::{Durability, begin},
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
    /// One for each session that has it in its `inbound.db`.
    pub messages: Vec<NewMessage>,
    /// Why nobody heard it: the weightiest reason of all agents'. It counts once, and only if the
    /// outcome is [`EventOutcome::Declined`].
    pub declined: Option<Reason>,
}

/// One row of a session's `inbound.db`, to be tracked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Its id here.
    pub id: MessageId,
    /// Whose it is.
    pub session: SessionId,
    /// Its sequence number in the session.
    pub seq: i64,
    /// The conversation it was said in, where there is one.
    pub conversation: Option<ConversationId>,
    /// Where it was said, and where the answer goes.
    pub address: Address,
    /// The platform's id of it; `None` if the host itself is the author.
    pub platform_message_id: Option<PlatformMessageId>,
    /// Who said it, where a person did.
    pub sender: Option<UserId>,
    /// Is it to be answered, or context only?
    pub role: MessageRole,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// What a new message asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRole {
    /// An answer, from this time on.
    Due(Timestamp),
    /// Nothing: it waits for a message that engages.
    Context,
}

/// Was an event recorded by this call?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Yes.
    New,
    /// It was recorded before, and nothing has changed.
    Duplicate,
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

    /// Records an event with everything that follows from it, in one transaction.
    ///
    /// Repeating it changes nothing. Messages that were adopted meanwhile stay as they are.
    pub async fn record_event(&self, event: &EventRecord) -> Result<Recorded, Error> {
        self.record_event_inner(event)
            .await
            .map_err(|source| Error::RecordEvent {
                channel: event.address.channel.clone(),
                message: event.message_id.clone(),
                source,
            })
    }

    async fn record_event_inner(&self, event: &EventRecord) -> sqlx::Result<Recorded> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let inserted = sqlx::query(
            "INSERT INTO events (channel, chat, message_id, received_at, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (channel, chat, message_id) DO NOTHING",
        )
        .bind(event.address.channel.as_str())
        .bind(event.address.chat.as_str())
        .bind(event.message_id.as_str())
        .bind(event.received_at.as_millisecond())
        .bind(event.outcome.as_str())
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Recorded::Duplicate);
        }
        for message in &event.messages {
            track(&mut tx, message).await?;
        }
        if let (EventOutcome::Declined, Some(reason)) = (event.outcome, event.declined) {
            count_dropped(&mut tx, event, reason).await?;
        }
        tx.commit().await?;
        Ok(Recorded::New)
    }

    /// Tracks rows that are in a session's `inbound.db` but not here, in one transaction.
    /// Returns how many were not here. Those that are stay as they are.
    pub async fn adopt_messages(&self, messages: &[NewMessage]) -> Result<u64, Error> {
        let failed = |source| Error::AdoptMessages {
            sessions: messages.iter().map(|message| message.session).collect(),
            source,
        };
        self.adopt_inner(messages).await.map_err(failed)
    }

    async fn adopt_inner(&self, messages: &[NewMessage]) -> sqlx::Result<u64> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let mut adopted = 0;
        for message in messages {
            adopted += track(&mut tx, message).await?;
        }
        tx.commit().await?;
        Ok(adopted)
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
    /// counted as dropped stays counted: it did happen. `false` if the event was not declined, or
    /// is forgotten.
    pub async fn replayed(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
        message_id: &PlatformMessageId,
    ) -> Result<bool, Error> {
        let failed = |source| Error::Replayed {
            channel: channel.clone(),
            message: message_id.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE events SET outcome = 'stored'
             WHERE channel = ?1 AND chat = ?2 AND message_id = ?3 AND outcome = 'declined'",
        )
        .bind(channel.as_str())
        .bind(chat.as_str())
        .bind(message_id.as_str())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
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

/// Inserts the message if it is not tracked yet, and moves its session on. Returns how many rows
/// are new.
///
/// Only the very same row (session, number and platform id) counts as tracked: a number that
/// stands for something else violates the unique index, and the caller hears of it.
async fn track(conn: &mut SqliteConnection, message: &NewMessage) -> sqlx::Result<u64> {
    let (status, due) = match message.role {
        MessageRole::Due(due) => (MessageStatus::Pending, Some(due)),
        MessageRole::Context => (MessageStatus::Context, None),
    };
    let platform_message_id = message
        .platform_message_id
        .as_ref()
        .map(PlatformMessageId::as_str);
    let inserted = sqlx::query(
        "INSERT INTO messages (id, session_id, seq, conversation_id, channel, chat, thread,
             platform_message_id, sender_user_id, status, next_at, due_since, created_at)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11, ?12
         WHERE NOT EXISTS (SELECT 1 FROM messages
             WHERE session_id = ?2 AND seq = ?3 AND platform_message_id IS ?8)",
    )
    .bind(message.id.to_string())
    .bind(message.session.to_string())
    .bind(message.seq)
    .bind(opt_id(message.conversation))
    .bind(message.address.channel.as_str())
    .bind(message.address.chat.as_str())
    .bind(opt_thread(message.address.thread.as_ref()))
    .bind(platform_message_id)
    .bind(opt_id(message.sender))
    .bind(status.as_str())
    .bind(due.map(Timestamp::as_millisecond))
    .bind(message.created_at.as_millisecond())
    .execute(&mut *conn)
    .await?;
    if inserted.rows_affected() > 0 {
        sqlx::query(
            "UPDATE sessions SET in_seq = MAX(in_seq, ?2), dormant_at = NULL,
                 last_active_at = MAX(last_active_at, ?3) WHERE id = ?1",
        )
        .bind(message.session.to_string())
        .bind(message.seq)
        .bind(message.created_at.as_millisecond())
        .execute(conn)
        .await?;
    }
    Ok(inserted.rows_affected())
}

async fn count_dropped(
    conn: &mut SqliteConnection,
    event: &EventRecord,
    reason: Reason,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO dropped (channel, chat, handle, reason, count, first_at, last_at)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5)
         ON CONFLICT (channel, chat, handle, reason)
         DO UPDATE SET count = count + 1, last_at = excluded.last_at",
    )
    .bind(event.address.channel.as_str())
    .bind(event.address.chat.as_str())
    .bind(event.sender.as_str())
    .bind(reason.as_str())
    .bind(event.received_at.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
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
