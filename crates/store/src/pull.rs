//! Answers come out: what was read from a session's `outbound.db`, taken over in one transaction.
//!
//! The rows stay in the file, so a pull that is lost is made again from the cursor that is
//! recorded here, and one that is repeated changes nothing.

use anchorhold_core::{entity::MessageStatus, ids::SessionId, sandbox::Generation};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    deliveries::{NewDelivery, insert_pulled},
    rows::Fields,
    store::Durability,
    trace::{self, About, Event},
};

pub(crate) const END_MESSAGE: &str = "UPDATE messages SET status = ?3, last_error = ?4,
         next_at = NULL, due_since = NULL, ended_at = ?5
     WHERE session_id = ?1 AND seq = ?2 AND status IN ('pending', 'context')";

pub(crate) const WAIT: &str = "UPDATE messages SET next_at = ?3, due_since = ?3, last_error = ?4,
         failures = failures + 1, failing_since = coalesce(failing_since, ?5)
     WHERE session_id = ?1 AND seq = ?2 AND status = 'pending'";

pub(crate) const REJECTED: &str = "SELECT * FROM rejected_rows ORDER BY rejected_at DESC LIMIT ?1";

/// What one reading of a session's `outbound.db` has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// Up to which sequence number its messages were read. The cursor never goes back.
    pub out_cursor: i64,
    /// Up to which number what it has handled was read. The cursor never goes back.
    pub handled_cursor: i64,
    /// Its messages, to be sent in the order of their numbers.
    pub deliveries: Vec<PulledDelivery>,
    /// Inbound messages that have ended.
    pub ended: Vec<EndedMessage>,
    /// Inbound messages that wait for their provider.
    pub waiting: Vec<WaitingMessage>,
    /// Rows that can't be used.
    pub rejected: Vec<RejectedRow>,
    /// Does it have to survive the loss of power before anything of it is sent? What is sent again
    /// after that has to be the same, and not what the agent says when it is asked anew. Where an
    /// attempt begins with [`Durability::Power`], that is enough.
    pub durable: bool,
}

/// One outbound row that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledDelivery {
    /// Its sequence number in the session.
    pub seq: i64,
    /// What is sent, and where to.
    pub delivery: NewDelivery,
}

/// One inbound message that the agent-runner is through with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedMessage {
    /// Its sequence number in the session.
    pub seq: i64,
    /// How it ended.
    pub end: MessageEnd,
}

/// One inbound message whose turn is tried again, since its provider failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingMessage {
    /// Its sequence number in the session.
    pub seq: i64,
    /// When it is tried again; only then it is due again.
    pub next_at: Timestamp,
    /// What went wrong, for the operator.
    pub why: String,
}

/// How an inbound message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageEnd {
    /// A turn that saw it has ended well.
    Done,
    /// A person stopped the turn that saw it.
    Stopped,
    /// It was given up.
    Failed {
        /// Why, for people.
        why: String,
    },
}

/// One outbound row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its number, as the file says.
    pub seq: i64,
    /// Why, for people.
    pub why: String,
}

/// A refused row as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Whose it is.
    pub session: SessionId,
    /// The row.
    pub row: RejectedRow,
    /// When it was refused.
    pub rejected_at: Timestamp,
}

/// What of a [`Pulled`] was new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Deliveries that were not here.
    pub deliveries: u64,
    /// Messages that ended by this.
    pub ended: u64,
    /// Refused rows that were not here.
    pub rejected: u64,
}

impl Store {
    /// Takes over what was pulled, in one transaction. Repeating it changes nothing.
    pub async fn accept(
        &self,
        session: SessionId,
        pulled: &Pulled,
        now: Timestamp,
    ) -> Result<Accepted, Error> {
        self.accept_inner(session, pulled, now)
            .await
            .map_err(|source| Error::Accept { session, source })
    }

    async fn accept_inner(
        &self,
        session: SessionId,
        pulled: &Pulled,
        now: Timestamp,
    ) -> sqlx::Result<Accepted> {
        let durability = if pulled.durable {
            Durability::Power
        } else {
            Durability::Process
        };
        let mut custody = self.custody(durability).await?;
        let mut tx = custody.begin().await?;
        let mut accepted = Accepted::default();
        let mut deliveries: Vec<&PulledDelivery> = pulled.deliveries.iter().collect();
        deliveries.sort_by_key(|row| row.seq);
        for row in deliveries {
            accepted.deliveries +=
                insert_pulled(&mut tx, (session, row.seq), &row.delivery, now).await?;
        }
        for ended in &pulled.ended {
            accepted.ended += end_message(&mut tx, session, ended, now).await?;
        }
        for waiting in &pulled.waiting {
            sqlx::query(WAIT)
                .bind(session.to_string())
                .bind(waiting.seq)
                .bind(waiting.next_at.as_millisecond())
                .bind(&waiting.why)
                .bind(now.as_millisecond())
                .execute(&mut *tx)
                .await?;
        }
        for row in &pulled.rejected {
            accepted.rejected += insert_rejected(&mut tx, session, row, now).await?;
        }
        move_cursors(&mut tx, session, pulled).await?;
        if accepted != Accepted::default() {
            let generation: i64 = sqlx::query_scalar(
                "UPDATE sessions SET last_active_at = MAX(last_active_at, ?2) WHERE id = ?1
                 RETURNING generation",
            )
            .bind(session.to_string())
            .bind(now.as_millisecond())
            .fetch_one(&mut *tx)
            .await?;
            let event = Event::Pulled {
                generation: Generation(u32::try_from(generation).unwrap_or(u32::MAX)),
                ended: pulled.ended.iter().map(|row| row.seq).collect(),
                said: pulled.deliveries.iter().map(|row| row.seq).collect(),
                refused: pulled.rejected.iter().map(|row| row.seq).collect(),
            };
            trace::add(&mut tx, About::Session(session), event, now).await?;
        }
        tx.commit().await?;
        Ok(accepted)
    }

    /// Outbound rows that were refused, the latest first, at most `limit`.
    pub async fn rejected(&self, limit: u32) -> Result<Vec<Rejected>, Error> {
        let failed = |source| Error::Rejected { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(REJECTED)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_rejected).collect())
            .map_err(failed)
    }
}

/// A message that has ended stays as it ended.
async fn end_message(
    conn: &mut SqliteConnection,
    session: SessionId,
    ended: &EndedMessage,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let (status, why) = match &ended.end {
        MessageEnd::Done => (MessageStatus::Done, None),
        MessageEnd::Stopped => (MessageStatus::Done, Some("a person stopped it")),
        MessageEnd::Failed { why } => (MessageStatus::Failed, Some(why.as_str())),
    };
    let done = sqlx::query(END_MESSAGE)
        .bind(session.to_string())
        .bind(ended.seq)
        .bind(status.as_str())
        .bind(why)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

async fn insert_rejected(
    conn: &mut SqliteConnection,
    session: SessionId,
    row: &RejectedRow,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "INSERT INTO rejected_rows (session_id, seq, why, rejected_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (session_id, seq) DO NOTHING",
    )
    .bind(session.to_string())
    .bind(row.seq)
    .bind(&row.why)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

async fn move_cursors(
    conn: &mut SqliteConnection,
    session: SessionId,
    pulled: &Pulled,
) -> sqlx::Result<()> {
    let done = sqlx::query(
        "UPDATE sessions SET out_cursor = MAX(out_cursor, ?2),
             handled_cursor = MAX(handled_cursor, ?3) WHERE id = ?1",
    )
    .bind(session.to_string())
    .bind(pulled.out_cursor)
    .bind(pulled.handled_cursor)
    .execute(conn)
    .await?;
    // Rows of a session that was deleted meanwhile have no place to go, and the caller must know.
    if done.rows_affected() == 0 {
        return Err(sqlx::Error::RowNotFound);
    }
    Ok(())
}

fn parse_rejected(row: &SqliteRow) -> sqlx::Result<Rejected> {
    let fields = Fields::new("rejected_rows", row);
    Ok(Rejected {
        session: fields.parsed("session_id", SessionId::parse)?,
        row: RejectedRow {
            seq: fields.get("seq")?,
            why: fields.get("why")?,
        },
        rejected_at: fields.time("rejected_at")?,
    })
}

#[cfg(test)]
mod tests;
