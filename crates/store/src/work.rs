//! Messages that wait for an answer: who is due, and what becomes of one that failed.

use anchorhold_core::{
    address::Address,
    entity::MessageStatus,
    ids::{AgentGroupId, ConversationId, MessageId, PlatformMessageId, SessionId, UserId},
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    deliveries::{NewDelivery, insert_notice},
    rows::{Fields, to_json},
    store::{Durability, begin},
    trace::{self, About, Event},
};

pub(crate) const DUE_SESSIONS: &str =
    "SELECT m.session_id, s.agent_group_id, MIN(m.next_at) AS due_at
     FROM messages m JOIN sessions s ON s.id = m.session_id AND s.faulted_at IS NULL
     WHERE m.status = 'pending' AND m.next_at <= ?1
         AND NOT EXISTS (SELECT 1 FROM messages earlier
             WHERE earlier.session_id = m.session_id AND earlier.status = 'pending'
                 AND earlier.seq < m.seq AND earlier.next_at > ?1)
     GROUP BY m.session_id ORDER BY due_at, m.session_id LIMIT ?2 + 0";

pub(crate) const NEXT_DUE: &str =
    "SELECT MIN(next_at) AS next_at FROM messages WHERE status = 'pending' AND next_at > ?1";

pub(crate) const SESSION_WORK: &str = "SELECT COUNT(*) AS pending, MIN(due_since) AS due_since,
         MIN(next_at) AS next_at,
         (SELECT oldest.next_at FROM messages oldest
             WHERE oldest.session_id = ?1 AND oldest.status = 'pending'
             ORDER BY oldest.seq LIMIT 1) AS oldest_at
     FROM messages WHERE session_id = ?1 AND status = 'pending'";

pub(crate) const MESSAGE: &str = "SELECT * FROM messages WHERE session_id = ?1 AND seq = ?2";

pub(crate) const BY_SEQS: &str = "SELECT * FROM messages
     WHERE session_id = ?1 AND seq IN (SELECT value FROM json_each(?2))";

pub(crate) const PENDING: &str = "SELECT * FROM messages
     WHERE session_id = ?1 AND status = 'pending' ORDER BY seq LIMIT ?2";

/// Messages of a session that have not ended, made to end well.
pub(crate) const END_ALL: &str = "UPDATE messages SET status = 'done', next_at = NULL,
         due_since = NULL, last_error = ?2, ended_at = ?3
     WHERE session_id = ?1 AND status IN ('pending', 'context')";

/// A session that has something to answer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueSession {
    /// Which.
    pub session: SessionId,
    /// Its agent group.
    pub agent_group: AgentGroupId,
    /// Since when.
    pub due_at: Timestamp,
}

/// How much one session has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWork {
    /// How many messages.
    pub pending: u64,
    /// Since when the oldest was there to be taken (or will be); `None` without work.
    pub due_since: Option<Timestamp>,
    /// When the earliest is to be tried; `None` without work.
    pub next_at: Option<Timestamp>,
    /// When the oldest is to be tried, which all others wait for; `None` without work.
    pub oldest_at: Option<Timestamp>,
}

impl SessionWork {
    /// Is there something to take now? What waits for its next try holds back what came after it.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.oldest_at.is_some_and(|oldest| oldest <= now)
    }
}

/// Where one message of one session stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id here.
    pub id: MessageId,
    /// Whose it is.
    pub session: SessionId,
    /// Its sequence number in the session.
    pub seq: i64,
    /// The conversation it was said in.
    pub conversation: Option<ConversationId>,
    /// Where the answer goes.
    pub address: Address,
    /// The platform's id of it.
    pub platform_message_id: Option<PlatformMessageId>,
    /// Who said it.
    pub sender: Option<UserId>,
    /// Where it stands.
    pub status: MessageStatus,
    /// How often it was tried in vain.
    pub tries: u32,
    /// When it is tried next; only of a pending one.
    pub next_at: Option<Timestamp>,
    /// Since when it is there to be taken; only of a pending one.
    pub due_since: Option<Timestamp>,
    /// How often a provider failed with it, which is no try.
    pub failures: u32,
    /// Since when.
    pub failing_since: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// What follows from a try that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRetry {
    /// How often it was tried by now.
    pub tries: u32,
    /// When it is tried again; only then it is due again.
    pub next_at: Timestamp,
    /// What went wrong.
    pub why: String,
}

impl Store {
    /// Sessions with messages that are due at `now`, the longest waiting first, at most `limit`.
    /// What is due behind a message that waits for its next try is not: order comes before speed.
    ///
    /// Sessions with a fault are left out, so that they take nobody's place; see
    /// [`Store::faulted_sessions`].
    pub async fn due_sessions(&self, now: Timestamp, limit: u32) -> Result<Vec<DueSession>, Error> {
        let failed = |source| Error::DueSessions { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(DUE_SESSIONS)
            .bind(now.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_due).collect())
            .map_err(failed)
    }

    /// When the next message becomes due, of those that are not due at `now`.
    pub async fn next_due_at(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let failed = |source| Error::NextDueAt { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(NEXT_DUE)
            .bind(now.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| Fields::new("messages", &row).opt_time("next_at"))
            .map_err(failed)
    }

    /// How much a session has to answer. One that does not exist has nothing.
    pub async fn session_work(&self, session: SessionId) -> Result<SessionWork, Error> {
        let failed = |source| Error::SessionWork { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(SESSION_WORK)
            .bind(session.to_string())
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| parse_work(&row))
            .map_err(failed)
    }

    /// One message of a session.
    pub async fn message(&self, session: SessionId, seq: i64) -> Result<Option<Message>, Error> {
        let failed = |source| Error::Message {
            session,
            seq,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(MESSAGE)
            .bind(session.to_string())
            .bind(seq)
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_message).transpose())
            .map_err(failed)
    }

    /// Those of these messages that the session has, in no order.
    pub async fn messages(&self, session: SessionId, seqs: &[i64]) -> Result<Vec<Message>, Error> {
        let failed = |source| Error::Message {
            session,
            seq: seqs.first().copied().unwrap_or_default(),
            source,
        };
        let numbers = to_json(&seqs).map_err(failed)?;
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(BY_SEQS)
            .bind(session.to_string())
            .bind(numbers)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_message).collect())
            .map_err(failed)
    }

    /// The platform's id of a message; `None` if it has none, or is not here any more.
    pub async fn platform_message_id(
        &self,
        message: MessageId,
    ) -> Result<Option<PlatformMessageId>, Error> {
        let failed = |source| Error::PlatformMessageId { message, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT platform_message_id FROM messages WHERE id = ?1")
            .bind(message.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| {
                let Some(row) = row else { return Ok(None) };
                Fields::new("messages", &row)
                    .opt_parsed("platform_message_id", PlatformMessageId::parse)
            })
            .map_err(failed)
    }

    /// The session's messages that wait for an answer, in order, at most `limit`.
    pub async fn pending_messages(
        &self,
        session: SessionId,
        limit: u32,
    ) -> Result<Vec<Message>, Error> {
        let failed = |source| Error::PendingMessages { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(PENDING)
            .bind(session.to_string())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_message).collect())
            .map_err(failed)
    }

    /// Plans the next try of a pending message. `false`, and nothing changed, if it has ended.
    pub async fn set_tries(
        &self,
        session: SessionId,
        seq: i64,
        retry: &MessageRetry,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::SetTries {
            session,
            seq,
            source,
        };
        self.set_tries_inner((session, seq), retry, now)
            .await
            .map_err(failed)
    }

    async fn set_tries_inner(
        &self,
        (session, seq): (SessionId, i64),
        retry: &MessageRetry,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let done = sqlx::query(
            "UPDATE messages SET tries = ?3, next_at = ?4, due_since = ?4, last_error = ?5
             WHERE session_id = ?1 AND seq = ?2 AND status = 'pending'",
        )
        .bind(session.to_string())
        .bind(seq)
        .bind(retry.tries)
        .bind(retry.next_at.as_millisecond())
        .bind(&retry.why)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        let event = Event::Retry {
            tries: retry.tries,
            next_at: retry.next_at,
            why: retry.why.clone(),
        };
        trace::add(&mut tx, About::Row(session, seq), event, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Gives a message up, and in the same transaction puts `notice` on its way to the person. It
    /// survives the loss of power: what people were told to be given up is not tried again.
    /// `false`, and nothing changed, if it has ended already: the person hears of it once.
    pub async fn fail_message(
        &self,
        message: &Message,
        why: &str,
        notice: Option<&NewDelivery>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.fail_inner(message, why, notice, now)
            .await
            .map_err(|source| Error::FailMessage {
                session: message.session,
                seq: message.seq,
                source,
            })
    }

    /// Ends all messages and context of a session that is being closed; `why` is for people.
    /// Returns how many there were.
    pub async fn end_pending(
        &self,
        session: SessionId,
        why: &str,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let failed = |source| Error::EndPending { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(END_ALL)
            .bind(session.to_string())
            .bind(why)
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }

    /// Ends those of these messages that are still context: a turn has seen them, or they are not
    /// kept any longer. Returns how many there were.
    pub async fn mark_context_done(
        &self,
        session: SessionId,
        seqs: &[i64],
        now: Timestamp,
    ) -> Result<u64, Error> {
        let failed = |source| Error::MarkContextDone { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let mut ended = 0;
        for seq in seqs {
            let done = sqlx::query(
                "UPDATE messages SET status = 'done', ended_at = ?3
                 WHERE session_id = ?1 AND seq = ?2 AND status = 'context'",
            )
            .bind(session.to_string())
            .bind(seq)
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
            ended += done.rows_affected();
        }
        tx.commit().await.map_err(failed)?;
        Ok(ended)
    }

    async fn fail_inner(
        &self,
        message: &Message,
        why: &str,
        notice: Option<&NewDelivery>,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let mut conn = self.writer(Durability::Power).await?;
        let mut tx = begin(&mut conn).await?;
        let done = sqlx::query(
            "UPDATE messages SET status = 'failed', next_at = NULL, due_since = NULL,
                 last_error = ?3, ended_at = ?4
             WHERE session_id = ?1 AND seq = ?2 AND status IN ('pending', 'context')",
        )
        .bind(message.session.to_string())
        .bind(message.seq)
        .bind(why)
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(notice) = notice {
            insert_notice(&mut tx, Some(message.session), notice, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }
}

fn parse_due(row: &SqliteRow) -> sqlx::Result<DueSession> {
    let fields = Fields::new("messages", row);
    Ok(DueSession {
        session: fields.parsed("session_id", SessionId::parse)?,
        agent_group: fields.parsed("agent_group_id", AgentGroupId::parse)?,
        due_at: fields.time("due_at")?,
    })
}

fn parse_work(row: &SqliteRow) -> sqlx::Result<SessionWork> {
    let fields = Fields::new("messages", row);
    Ok(SessionWork {
        pending: fields.number("pending")?,
        due_since: fields.opt_time("due_since")?,
        next_at: fields.opt_time("next_at")?,
        oldest_at: fields.opt_time("oldest_at")?,
    })
}

fn parse_message(row: &SqliteRow) -> sqlx::Result<Message> {
    let fields = Fields::new("messages", row);
    Ok(Message {
        id: fields.parsed("id", MessageId::parse)?,
        session: fields.parsed("session_id", SessionId::parse)?,
        seq: fields.get("seq")?,
        conversation: fields.opt_parsed("conversation_id", ConversationId::parse)?,
        address: fields.address()?,
        platform_message_id: fields.opt_parsed("platform_message_id", PlatformMessageId::parse)?,
        sender: fields.opt_parsed("sender_user_id", UserId::parse)?,
        status: fields.value("status", MessageStatus::parse)?,
        tries: fields.number("tries")?,
        next_at: fields.opt_time("next_at")?,
        due_since: fields.opt_time("due_since")?,
        failures: fields.number("failures")?,
        failing_since: fields.opt_time("failing_since")?,
        last_error: fields.get("last_error")?,
        created_at: fields.time("created_at")?,
        ended_at: fields.opt_time("ended_at")?,
    })
}

#[cfg(test)]
mod tests;
