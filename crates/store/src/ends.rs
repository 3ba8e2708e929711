//! How deliveries end that were not sent: who is told, and what the operator does about it.
//!
//! An end is on record before anybody hears of it. Whoever dies in between finds it as untold
//! ([`Store::untold_ends`]) and tells it; [`Store::end_told`] closes that in one transaction with what
//! is said to people. It is told once, also where the operator has it sent again.

use anchorhold_core::{
    entity::DeliveryStatus,
    ids::{ChannelName, ChatId, OutboundId, SessionId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    attempts::AttemptOutcome,
    deliveries::{Delivery, NewDelivery, insert_notice, parse_delivery},
    rows::Fields,
    store::{Durability, begin},
    trace::{self, About, Event},
};

pub(crate) const UNTOLD: &str = "SELECT d.*,
         (SELECT COUNT(*) FROM attempts a
          WHERE a.delivery_id = d.id AND a.outcome <> 'sent') AS failed,
         (SELECT a.outcome FROM attempts a WHERE a.delivery_id = d.id
          ORDER BY a.number DESC LIMIT 1) AS last_outcome,
         EXISTS (SELECT 1 FROM messages m JOIN deliveries n
                 ON n.session_id = m.session_id AND n.note_seq = m.seq AND n.note_seq IS NOT NULL
                 WHERE m.id = d.in_reply_to) AS answers_note,
         (SELECT COUNT(*) FROM deliveries n WHERE n.session_id = d.session_id
              AND n.note_seq IS NOT NULL AND n.told_at > ?1) AS notes
     FROM deliveries d
     WHERE d.status IN ('dead', 'unknown') AND d.told_at IS NULL
     ORDER BY d.ended_at, d.position LIMIT ?2";

pub(crate) const OWNERS_TOLD: &str = "SELECT EXISTS (SELECT 1 FROM deliveries
     WHERE channel = ?1 AND chat = ?2 AND owners_told_at > ?3 AND owners_told_at IS NOT NULL)";

pub(crate) const ATTEMPTS: &str = "SELECT number, part, began_at, ended_at, outcome, detail
     FROM attempts WHERE delivery_id = ?1 ORDER BY number DESC LIMIT ?2";

/// A delivery that ended dead or unknown, of which nobody has been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntoldEnd {
    /// Which.
    pub delivery: Delivery,
    /// How often sending any part of it failed.
    pub failed: u32,
    /// How the last attempt ended; `None` if there was none.
    pub last: Option<AttemptOutcome>,
    /// Does it answer the host's word about the end of another delivery?
    pub answers_note: bool,
    /// How many such words its session was told since the time that was asked for.
    pub notes: u32,
}

/// What was done to tell of an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The number of the word to the agent, if it was told.
    pub note_seq: Option<i64>,
    /// What is put on its way to people; one whose id is on its way already is left as it is.
    pub notices: Vec<NewDelivery>,
    /// Do these go to the owners?
    pub owners: bool,
}

/// What became of the wish to send a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is due, and the first of its lane unless an older one waits there.
    Due,
    /// Nobody can say whether it arrived, and it was not asked for all the same.
    MayHaveArrived,
    /// It has not failed: it is sent, or on its way.
    NotFailed,
    /// There is no such delivery.
    Missing,
}

/// One try to send, as it is on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The how-manieth of its delivery, counted from 1.
    pub number: u32,
    /// Which part it sent, counted from 0.
    pub part: u32,
    /// When it was begun.
    pub began_at: Timestamp,
    /// When it was settled, if it is.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<AttemptOutcome>,
    /// What went wrong, for people.
    pub detail: Option<String>,
}

impl Store {
    /// Deliveries whose end nobody was told of, the earliest first, at most `limit`; words to agents
    /// are counted from `since` on.
    pub async fn untold_ends(&self, since: Timestamp, limit: u32) -> Result<Vec<UntoldEnd>, Error> {
        let failed = |source| Error::UntoldEnds { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(UNTOLD)
            .bind(since.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_untold).collect())
            .map_err(failed)
    }

    /// Records that the end of a delivery was told, and puts what people are told on its way, in one
    /// transaction. `false`, and nothing changed, if it was told before or has not ended so.
    pub async fn end_told(
        &self,
        delivery: OutboundId,
        told: &Told,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::EndTold { delivery, source };
        let mut conn = self.writer(Durability::Power).await.map_err(failed)?;
        told_inner(&mut conn, delivery, told, now)
            .await
            .map_err(failed)
    }

    /// Were the owners told after `since` of anything that could not be said in this chat?
    pub async fn owners_told_since(
        &self,
        (channel, chat): (&ChannelName, &ChatId),
        since: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::OwnersTold {
            channel: channel.clone(),
            chat: chat.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(OWNERS_TOLD)
            .bind(channel.as_str())
            .bind(chat.as_str())
            .bind(since.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Has a dead delivery sent again from the part that failed, at once and in its old place; one of
    /// which nobody knows whether it arrived only if `even_if_it_arrived`.
    pub async fn retry_delivery(
        &self,
        delivery: OutboundId,
        even_if_it_arrived: bool,
        now: Timestamp,
    ) -> Result<Retried, Error> {
        let failed = |source| Error::RetryDelivery { delivery, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        retry_inner(&mut conn, delivery, even_if_it_arrived, now)
            .await
            .map_err(failed)
    }

    /// Takes a delivery that ended dead or unknown off the operator's list; it stays on record.
    /// `false`, and nothing changed, if it is not on the list.
    pub async fn discard_delivery(
        &self,
        delivery: OutboundId,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::DiscardDelivery { delivery, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE deliveries SET discarded_at = ?2
             WHERE id = ?1 AND status IN ('dead', 'unknown') AND discarded_at IS NULL",
        )
        .bind(delivery.to_string())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// The latest tries to send a delivery, at most `limit`, in the order in which they were made.
    pub async fn attempts_of(
        &self,
        delivery: OutboundId,
        limit: u32,
    ) -> Result<Vec<Attempt>, Error> {
        let failed = |source| Error::AttemptsOf { delivery, source };
        let mut conn = self.reader().await.map_err(failed)?;
        attempts_in(&mut conn, delivery, limit)
            .await
            .map_err(failed)
    }
}

/// As [`Store::attempts_of`], over this connection.
pub(crate) async fn attempts_in(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    limit: u32,
) -> sqlx::Result<Vec<Attempt>> {
    let rows = sqlx::query(ATTEMPTS)
        .bind(delivery.to_string())
        .bind(limit)
        .fetch_all(conn)
        .await?;
    rows.iter().rev().map(parse_attempt).collect()
}

async fn told_inner(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    told: &Told,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let mut tx = begin(conn).await?;
    let owners_told_at = told.owners.then(|| now.as_millisecond());
    let ended = sqlx::query(
        "UPDATE deliveries SET told_at = ?2, note_seq = ?3, owners_told_at = ?4
         WHERE id = ?1 AND status IN ('dead', 'unknown') AND told_at IS NULL
         RETURNING session_id",
    )
    .bind(delivery.to_string())
    .bind(now.as_millisecond())
    .bind(told.note_seq)
    .bind(owners_told_at)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = ended else {
        return Ok(false);
    };
    let about = Fields::new("deliveries", &row).opt_parsed("session_id", SessionId::parse)?;
    for notice in &told.notices {
        insert_notice(&mut tx, about, notice, now).await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn retry_inner(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    even_if_it_arrived: bool,
    now: Timestamp,
) -> sqlx::Result<Retried> {
    let mut tx = begin(conn).await?;
    let status: Option<String> = sqlx::query_scalar("SELECT status FROM deliveries WHERE id = ?1")
        .bind(delivery.to_string())
        .fetch_optional(&mut *tx)
        .await?;
    match status.as_deref().map(DeliveryStatus::parse) {
        None => return Ok(Retried::Missing),
        Some(Some(DeliveryStatus::Unknown)) if !even_if_it_arrived => {
            return Ok(Retried::MayHaveArrived);
        }
        Some(Some(DeliveryStatus::Dead | DeliveryStatus::Unknown)) => {}
        Some(Some(DeliveryStatus::Pending | DeliveryStatus::Sent) | None) => {
            return Ok(Retried::NotFailed);
        }
    }
    sqlx::query(
        "UPDATE deliveries SET status = 'pending', tries = 0, parked = 0, next_at = ?2,
             ended_at = NULL, discarded_at = NULL
         WHERE id = ?1",
    )
    .bind(delivery.to_string())
    .bind(now.as_millisecond())
    .execute(&mut *tx)
    .await?;
    trace::add(&mut tx, About::Delivery(delivery), Event::SentAgain, now).await?;
    tx.commit().await?;
    Ok(Retried::Due)
}

fn parse_untold(row: &SqliteRow) -> sqlx::Result<UntoldEnd> {
    let fields = Fields::new("deliveries", row);
    let last: Option<String> = fields.get("last_outcome")?;
    Ok(UntoldEnd {
        delivery: parse_delivery(row)?,
        failed: fields.number("failed")?,
        last: last.as_deref().and_then(AttemptOutcome::parse),
        answers_note: fields.get("answers_note")?,
        notes: fields.number("notes")?,
    })
}

fn parse_attempt(row: &SqliteRow) -> sqlx::Result<Attempt> {
    let fields = Fields::new("attempts", row);
    let outcome: Option<String> = fields.get("outcome")?;
    Ok(Attempt {
        number: fields.number("number")?,
        part: fields.number("part")?,
        began_at: fields.time("began_at")?,
        ended_at: fields.opt_time("ended_at")?,
        outcome: outcome.as_deref().and_then(AttemptOutcome::parse),
        detail: fields.get("detail")?,
    })
}

#[cfg(test)]
mod tests;
