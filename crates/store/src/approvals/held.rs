//! Messages that wait for an approval: replayed when it is given, gone with it otherwise.

use std::fmt;

use anchorhold_core::{
    address::Address,
    ids::{PlatformMessageId, QuestionId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, opt_thread},
    store::{Durability, begin},
    trace::{self, About, Event, Released},
};

pub(crate) const HELD: &str =
    "SELECT * FROM held_events WHERE approval_id = ?1 ORDER BY id LIMIT ?2";

/// One message that waits.
#[derive(Clone, PartialEq, Eq)]
pub struct HeldEvent {
    /// Where it was said.
    pub address: Address,
    /// The platform's id of it.
    pub message_id: PlatformMessageId,
    /// The message as JSON; only its writer and its reader know what is in it.
    pub event: String,
}

/// What became of a message that is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It waits.
    Kept,
    /// It waited already.
    Known,
    /// As many as may wait do so already; this one is not kept.
    Full,
    /// The approval is over, so that nobody would replay it; the caller decides about the message
    /// again, now that somebody has decided about its sender or chat.
    Late,
}

impl fmt::Debug for HeldEvent {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldEvent")
            .field("address", &self.address)
            .field("message_id", &self.message_id)
            .field("event_bytes", &self.event.len())
            .finish()
    }
}

impl Store {
    /// Lets a message wait for an approval that waits itself or is yet to be carried out, at most
    /// `limit_per_approval` of them.
    pub async fn hold_event(
        &self,
        approval: QuestionId,
        event: &HeldEvent,
        limit_per_approval: u32,
        now: Timestamp,
    ) -> Result<Held, Error> {
        self.hold_inner(approval, event, limit_per_approval, now)
            .await
            .map_err(|source| Error::HoldEvent { approval, source })
    }

    async fn hold_inner(
        &self,
        approval: QuestionId,
        event: &HeldEvent,
        limit: u32,
        now: Timestamp,
    ) -> sqlx::Result<Held> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM approvals WHERE id = ?1 AND (status = 'pending'
                 OR status = 'approved' AND carried_out_at IS NULL))",
        )
        .bind(approval.to_string())
        .fetch_one(&mut *tx)
        .await?;
        if !open {
            return Ok(Held::Late);
        }
        let known: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM held_events
                 WHERE approval_id = ?1 AND channel = ?2 AND chat = ?3 AND message_id = ?4)",
        )
        .bind(approval.to_string())
        .bind(event.address.channel.as_str())
        .bind(event.address.chat.as_str())
        .bind(event.message_id.as_str())
        .fetch_one(&mut *tx)
        .await?;
        if known {
            return Ok(Held::Known);
        }
        let done = sqlx::query(
            "INSERT INTO held_events (approval_id, channel, chat, thread, message_id, event, held_at)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE (SELECT COUNT(*) FROM held_events WHERE approval_id = ?1) < ?8",
        )
        .bind(approval.to_string())
        .bind(event.address.channel.as_str())
        .bind(event.address.chat.as_str())
        .bind(opt_thread(event.address.thread.as_ref()))
        .bind(event.message_id.as_str())
        .bind(&event.event)
        .bind(now.as_millisecond())
        .bind(limit)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(Held::Full);
        }
        let Address { channel, chat, .. } = &event.address;
        let about = About::Message(channel, chat, &event.message_id);
        trace::add(&mut tx, about, Event::Held { approval }, now).await?;
        tx.commit().await?;
        Ok(Held::Kept)
    }

    /// The messages that wait for an approval, the oldest first, at most `limit`.
    pub async fn held_events(
        &self,
        approval: QuestionId,
        limit: u32,
    ) -> Result<Vec<HeldEvent>, Error> {
        let failed = |source| Error::HeldEvents { approval, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(HELD)
            .bind(approval.to_string())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_held).collect())
            .map_err(failed)
    }

    /// A message does not wait any more: it was replayed. `false` if it did not wait.
    pub async fn drop_held_event(
        &self,
        approval: QuestionId,
        event: &HeldEvent,
    ) -> Result<bool, Error> {
        let failed = |source| Error::DropHeld { approval, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "DELETE FROM held_events
             WHERE approval_id = ?1 AND channel = ?2 AND chat = ?3 AND message_id = ?4",
        )
        .bind(approval.to_string())
        .bind(event.address.channel.as_str())
        .bind(event.address.chat.as_str())
        .bind(event.message_id.as_str())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// No message waits for this approval any more, since it could not be carried out; returns how
    /// many did.
    ///
    /// After a replay, use [`Self::drop_held_event`] for each that was replayed: another one may
    /// have come meanwhile.
    pub async fn drop_held(&self, approval: QuestionId, now: Timestamp) -> Result<u64, Error> {
        let failed = |source| Error::DropHeld { approval, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let how = Released::NotCarriedOut;
        let dropped = delete_held(&mut tx, approval, how, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(dropped)
    }
}

pub(crate) async fn delete_held(
    conn: &mut SqliteConnection,
    approval: QuestionId,
    how: Released,
    now: Timestamp,
) -> sqlx::Result<u64> {
    trace::released(conn, approval, how, now).await?;
    let done = sqlx::query("DELETE FROM held_events WHERE approval_id = ?1")
        .bind(approval.to_string())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

fn parse_held(row: &SqliteRow) -> sqlx::Result<HeldEvent> {
    let fields = Fields::new("held_events", row);
    Ok(HeldEvent {
        address: fields.address()?,
        message_id: fields.parsed("message_id", PlatformMessageId::parse)?,
        event: fields.get("event")?,
    })
}

#[cfg(test)]
mod tests;
