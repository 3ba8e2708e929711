//! Answers come out: what was read from a session's `outbound.db`, taken over in one transaction.
//!
//! The rows stay in the file, so a pull that is lost is made again from the cursor that is
//! recorded here, and one that is repeated changes nothing.

use anchorhold_core::{
    address::Address,
    entity::MessageStatus,
    ids::{SessionId, ThreadId},
    sandbox::Generation,
};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    deliveries::NewDelivery,
    rows::{Fields, to_json},
    store::Durability,
    trace::{self, About, Event},
};

pub(crate) const MOVE: &str = "UPDATE sessions SET out_cursor = MAX(out_cursor, ?2),
         handled_cursor = MAX(handled_cursor, ?3),
         last_active_at = CASE WHEN out_cursor < ?2 OR handled_cursor < ?3
             THEN MAX(last_active_at, ?4) ELSE last_active_at END
     WHERE id = ?1 RETURNING generation";

/// One statement for each table, all in one call, with the rows as one JSON text. Each gives a row
/// with the table's name for each one that is new.
pub(crate) const TAKE: &str =
    "INSERT INTO deliveries (id, channel, chat, thread, in_reply_to, kind,
         payload, next_at, created_at, session_id, seq, origin, status)
     SELECT value ->> 'id', value ->> 'channel', value ->> 'chat', value ->> 'thread',
         value ->> 'in_reply_to', value ->> 'kind', value ->> 'payload', ?1 ->> 'now',
         ?1 ->> 'now', ?1 ->> 'session', value ->> 'seq', 'agent', 'pending'
     FROM json_each(?1, '$.deliveries') WHERE NOT EXISTS (SELECT 1 FROM deliveries d
         WHERE d.session_id = ?1 ->> 'session' AND d.seq = value ->> 'seq')
     ORDER BY key RETURNING 'deliveries';
     UPDATE messages SET status = value ->> 1, last_error = value ->> 2,
         next_at = NULL, due_since = NULL, ended_at = ?1 ->> 'now'
     FROM json_each(?1, '$.ended') WHERE session_id = ?1 ->> 'session' AND seq = value ->> 0
         AND status IN ('pending', 'context') RETURNING 'messages';
     UPDATE messages SET next_at = value ->> 1, due_since = value ->> 1, last_error = value ->> 2,
         failures = failures + 1, failing_since = coalesce(failing_since, ?1 ->> 'now')
     FROM json_each(?1, '$.waiting') WHERE session_id = ?1 ->> 'session' AND seq = value ->> 0
         AND status = 'pending';
     INSERT INTO trace (at, what, session_id, seq, detail)
     SELECT ?1 ->> 'now', 'waits', ?1 ->> 'session', value ->> 0, value ->> 3
     FROM json_each(?1, '$.waiting') WHERE EXISTS (SELECT 1 FROM messages m
         WHERE m.session_id = ?1 ->> 'session' AND m.seq = value ->> 0 AND m.status = 'pending');
     INSERT INTO rejected_rows (session_id, seq, why, rejected_at)
     SELECT ?1 ->> 'session', value ->> 0, value ->> 1, ?1 ->> 'now'
     FROM json_each(?1, '$.rejected') WHERE TRUE
     ON CONFLICT (session_id, seq) DO NOTHING RETURNING 'rejected_rows'";

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
        let generation = move_cursors(&mut tx, session, pulled, now).await?;
        let accepted = take(&mut tx, session, pulled, now).await?;
        if accepted != Accepted::default() {
            let event = Event::Pulled {
                generation,
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

/// What [`TAKE`] takes.
#[derive(Serialize)]
struct Taken<'a> {
    session: String,
    now: i64,
    deliveries: Vec<DeliveryRow<'a>>,
    ended: Vec<(i64, &'static str, Option<&'a str>)>,
    waiting: Vec<WaitingRow<'a>>,
    rejected: Vec<(i64, &'a str)>,
}

/// A message that waits: until when, why, and what is put on record of that.
type WaitingRow<'a> = (i64, i64, &'a str, String);

/// A row of `deliveries`.
#[derive(Serialize)]
struct DeliveryRow<'a> {
    id: String,
    channel: &'a str,
    chat: &'a str,
    thread: Option<&'a str>,
    in_reply_to: Option<String>,
    kind: &'a str,
    payload: &'a str,
    seq: i64,
}

async fn take(
    conn: &mut SqliteConnection,
    session: SessionId,
    pulled: &Pulled,
    now: Timestamp,
) -> sqlx::Result<Accepted> {
    let mut accepted = Accepted::default();
    let waiting = pulled.waiting.iter();
    let rejected = pulled.rejected.iter();
    let mut taken = Taken {
        session: session.to_string(),
        now: now.as_millisecond(),
        deliveries: pulled.deliveries.iter().map(delivery_row).collect(),
        ended: pulled.ended.iter().map(ended_row).collect(),
        waiting: waiting.map(waiting_row).collect::<sqlx::Result<_>>()?,
        rejected: rejected.map(|row| (row.seq, row.why.as_str())).collect(),
    };
    taken.deliveries.sort_by_key(|row| row.seq);
    let rows = sqlx::query_scalar::<_, String>(TAKE)
        .bind(to_json(&taken)?)
        .fetch_all(conn)
        .await?;
    for table in rows {
        match table.as_str() {
            "deliveries" => accepted.deliveries += 1,
            "messages" => accepted.ended += 1,
            _ => accepted.rejected += 1,
        }
    }
    Ok(accepted)
}

fn delivery_row(PulledDelivery { seq, delivery }: &PulledDelivery) -> DeliveryRow<'_> {
    let Address {
        channel,
        chat,
        thread,
    } = &delivery.address;
    DeliveryRow {
        id: delivery.id.to_string(),
        channel: channel.as_str(),
        chat: chat.as_str(),
        thread: thread.as_ref().map(ThreadId::as_str),
        in_reply_to: delivery.in_reply_to.map(|id| id.to_string()),
        kind: &delivery.kind,
        payload: &delivery.payload,
        seq: *seq,
    }
}

fn waiting_row(
    WaitingMessage { seq, next_at, why }: &WaitingMessage,
) -> sqlx::Result<WaitingRow<'_>> {
    let event = Event::Waits {
        next_at: *next_at,
        why: why.clone(),
    };
    let detail = to_json(&event.bounded())?;
    Ok((*seq, next_at.as_millisecond(), why, detail))
}

/// A message that has ended stays as it ended.
fn ended_row(EndedMessage { seq, end }: &EndedMessage) -> (i64, &'static str, Option<&str>) {
    let (status, why) = match end {
        MessageEnd::Done => (MessageStatus::Done, None),
        MessageEnd::Stopped => (MessageStatus::Done, Some("a person stopped it")),
        MessageEnd::Failed { why } => (MessageStatus::Failed, Some(why.as_str())),
    };
    (*seq, status.as_str(), why)
}

/// Gives the session's generation. Rows of a session that was deleted meanwhile have no place to go,
/// and the caller must know: then nothing is found.
async fn move_cursors(
    conn: &mut SqliteConnection,
    session: SessionId,
    pulled: &Pulled,
    now: Timestamp,
) -> sqlx::Result<Generation> {
    let generation: i64 = sqlx::query_scalar(MOVE)
        .bind(session.to_string())
        .bind(pulled.out_cursor)
        .bind(pulled.handled_cursor)
        .bind(now.as_millisecond())
        .fetch_one(conn)
        .await?;
    Ok(Generation(u32::try_from(generation).unwrap_or(u32::MAX)))
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
