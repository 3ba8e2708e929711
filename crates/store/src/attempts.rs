//! Each try to send, written down before it is made and settled after.
//!
//! An attempt that was begun and never settled was under way when the host died: nobody knows
//! whether the platform took it. Its lane stands still until the host has decided
//! ([`Store::interrupted_attempts`], then [`Store::settle_attempt`]).

pub mod steps;

use std::fmt;

use anchorhold_core::{
    entity::DeliveryStatus,
    ids::{OutboundId, PlatformMessageId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    attempts::steps::{Begin, Step, step_all},
    rows::{Fields, text_enum},
    store::{Durability, begin},
    trace::{self, About, Event},
};

pub(crate) const INTERRUPTED: &str = "SELECT id, delivery_id, number, part, began_at FROM attempts
     WHERE ended_at IS NULL ORDER BY began_at, id LIMIT ?1";

pub(crate) const REFUSED: &str = "SELECT status, parts_sent,
         EXISTS (SELECT 1 FROM attempts WHERE delivery_id = ?1 AND ended_at IS NULL) AS open
     FROM deliveries WHERE id = ?1";

pub(crate) const END: &str = "UPDATE attempts
     SET ended_at = ?2, outcome = ?3, detail = ?4
     WHERE id = ?1 AND ended_at IS NULL RETURNING delivery_id";

text_enum! {
    /// How one attempt ended.
    AttemptOutcome {
        /// The platform took it.
        Sent = "sent",
        /// The platform asked us to wait.
        RateLimited = "rate_limited",
        /// It failed in a way that may pass.
        Transient = "transient",
        /// Nobody can say whether the platform took it.
        Ambiguous = "ambiguous",
        /// The platform will never take it.
        Permanent = "permanent",
        /// The platform does not accept our credentials.
        Unauthorized = "unauthorized",
        /// Nobody was there to take it.
        Absent = "absent",
        /// The host died during it.
        Interrupted = "interrupted",
    }
}

/// One attempt; ids grow in the order in which attempts were begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(i64);

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An attempt that was begun and never settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterruptedAttempt {
    /// Which.
    pub attempt: AttemptId,
    /// Of which delivery.
    pub delivery: OutboundId,
    /// The how-manieth of its delivery it is, counted from 1.
    pub number: u32,
    /// Which part it sent, counted from 0.
    pub part: u32,
    /// When it was begun.
    pub began_at: Timestamp,
}

/// What came of an attempt, and what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The platform took the part.
    PartSent {
        /// The platform's id of it, where it tells.
        platform_id: Option<PlatformMessageId>,
        /// Was it the last part?
        last: bool,
    },
    /// The part is tried again. Counts as a try in vain, unless the platform only asked to wait.
    Retry {
        /// When.
        next_at: Timestamp,
        /// What went wrong, for people.
        why: String,
        /// How the attempt ended.
        outcome: AttemptOutcome,
    },
    /// Nobody was there: the delivery waits for [`Store::unpark`]. Somebody who came between the
    /// attempt and this call was not told, so look once more whether anybody is there after it.
    Park,
    /// The delivery is given up.
    Dead {
        /// Why, for people.
        why: String,
        /// How the attempt ended.
        outcome: AttemptOutcome,
    },
    /// Nobody can say whether the platform took it, and it must not be sent twice.
    Unknown {
        /// Why, for people.
        why: String,
        /// How the attempt ended.
        outcome: AttemptOutcome,
    },
}

/// What is decided about a delivery without an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unattempted {
    /// It is looked at again later; this does not count as a try.
    Later {
        /// When.
        next_at: Timestamp,
        /// Why, for people.
        why: String,
    },
    /// Nobody is there: it waits for [`Store::unpark`].
    Park,
    /// It can't be sent at all.
    Dead {
        /// Why, for people.
        why: String,
    },
}

/// Why an attempt may not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such delivery.
    Missing,
    /// It has ended.
    Ended,
    /// Another attempt at it is not settled.
    Open,
    /// The part is not the next one.
    Part,
    /// Its channel instance is parked.
    Parked,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "there is no such delivery",
            Self::Ended => "it has ended",
            Self::Open => "an attempt at it is not settled",
            Self::Part => "the part is not the next one",
            Self::Parked => "its channel instance has to wait",
        })
    }
}

impl Store {
    /// Writes down that `part` of the delivery (counted from 0) is about to be sent.
    ///
    /// Only when this returns may the platform be called. With [`Durability::Power`] the record
    /// then survives the loss of power, too; without, an attempt that is lost so is made again, which
    /// is right only where a second send with the same key is not a second message. Refused with [`Error::AttemptRefused`] if this attempt must not be made.
    pub async fn begin_attempt(
        &self,
        delivery: OutboundId,
        part: u32,
        durability: Durability,
        now: Timestamp,
    ) -> Result<AttemptId, Error> {
        let failed = |source| Error::BeginAttempt { delivery, source };
        let mut conn = self.writer(durability).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let next = Begin {
            delivery,
            part,
            durability,
        };
        let step = Step {
            settle: None,
            begin: Some(next),
        };
        let begun = step_all(&mut tx, &[step], now).await.map_err(failed)?;
        let begun = begun.into_iter().flatten().next();
        let id = begun
            .unwrap_or(Err(Refusal::Missing))
            .map_err(|why| Error::AttemptRefused { delivery, why })?;
        tx.commit().await.map_err(failed)?;
        Ok(id)
    }

    /// Records what came of an attempt and what follows for its delivery, in one transaction.
    /// `false`, and nothing changed, if the attempt was settled before.
    pub async fn settle_attempt(
        &self,
        attempt: AttemptId,
        settled: &Settled,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.settle_inner(attempt, settled, now)
            .await
            .map_err(|source| Error::SettleAttempt { attempt, source })
    }

    async fn settle_inner(
        &self,
        attempt: AttemptId,
        settled: &Settled,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let changed = settle_in(&mut tx, attempt, settled, now).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Decides about a delivery without an attempt, as when its channel is not configured any
    /// more. `false`, and nothing changed, if it has ended or an attempt at it is not settled.
    pub async fn settle_unattempted(
        &self,
        delivery: OutboundId,
        settled: &Unattempted,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.unattempted_inner(delivery, settled, now)
            .await
            .map_err(|source| Error::SettleUnattempted { delivery, source })
    }

    async fn unattempted_inner(
        &self,
        delivery: OutboundId,
        settled: &Unattempted,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM attempts WHERE delivery_id = ?1 AND ended_at IS NULL)",
        )
        .bind(delivery.to_string())
        .fetch_one(&mut *tx)
        .await?;
        if open {
            return Ok(false);
        }
        let put_off = put_off(&mut tx, delivery, settled).await?;
        let changed = match settled {
            Unattempted::Later { next_at, why } => {
                later(&mut tx, delivery, (*next_at, why), false).await?
            }
            Unattempted::Park => park(&mut tx, delivery).await?,
            Unattempted::Dead { why } => {
                end(&mut tx, delivery, (DeliveryStatus::Dead, why), now).await?
            }
        };
        if let Some(event) = put_off {
            trace::add(&mut tx, About::Delivery(delivery), event, now).await?;
        }
        tx.commit().await?;
        Ok(changed > 0)
    }

    /// Attempts that were begun and never settled, in that order, at most `limit`: to be asked
    /// once, when the host starts and nothing is under way.
    pub async fn interrupted_attempts(&self, limit: u32) -> Result<Vec<InterruptedAttempt>, Error> {
        let failed = |source| Error::InterruptedAttempts { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(INTERRUPTED)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_interrupted).collect())
            .map_err(failed)
    }
}

/// Why no attempt could begin.
async fn refusal(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    part: u32,
) -> sqlx::Result<Refusal> {
    let row = sqlx::query(REFUSED)
        .bind(delivery.to_string())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else {
        return Ok(Refusal::Missing);
    };
    let fields = Fields::new("deliveries", &row);
    if fields.value("status", DeliveryStatus::parse)? != DeliveryStatus::Pending {
        return Ok(Refusal::Ended);
    }
    if fields.get("open")? {
        return Ok(Refusal::Open);
    }
    let next: u32 = fields.number("parts_sent")?;
    Ok(if part == next {
        Refusal::Parked
    } else {
        Refusal::Part
    })
}

/// Records what came of an attempt and what follows; `false`, and nothing changed, if that was done
/// before.
async fn settle_in(
    conn: &mut SqliteConnection,
    attempt: AttemptId,
    settled: &Settled,
    now: Timestamp,
) -> sqlx::Result<bool> {
    if let Settled::PartSent { platform_id, last } = settled {
        return steps::sent(conn, attempt, (platform_id.as_ref(), *last), now).await;
    }
    let Some(delivery) = end_attempt(conn, attempt, settled, now).await? else {
        return Ok(false);
    };
    match settled {
        // Settled above, with what follows from it.
        Settled::PartSent { .. } => {}
        Settled::Retry {
            next_at,
            why,
            outcome,
        } => {
            let counts = *outcome != AttemptOutcome::RateLimited;
            later(conn, delivery, (*next_at, why), counts).await?;
        }
        Settled::Park => {
            park(conn, delivery).await?;
        }
        Settled::Dead { why, .. } => {
            end(conn, delivery, (DeliveryStatus::Dead, why), now).await?;
        }
        Settled::Unknown { why, .. } => {
            end(conn, delivery, (DeliveryStatus::Unknown, why), now).await?;
        }
    }
    Ok(true)
}

/// Ends an attempt that has not ended, and gives its delivery.
async fn end_attempt(
    conn: &mut SqliteConnection,
    attempt: AttemptId,
    settled: &Settled,
    now: Timestamp,
) -> sqlx::Result<Option<OutboundId>> {
    let (outcome, detail) = match settled {
        Settled::PartSent { .. } => (AttemptOutcome::Sent, None),
        Settled::Retry { why, outcome, .. }
        | Settled::Dead { why, outcome }
        | Settled::Unknown { why, outcome } => (*outcome, Some(why.as_str())),
        Settled::Park => (AttemptOutcome::Absent, None),
    };
    let row = sqlx::query(END)
        .bind(attempt.0)
        .bind(now.as_millisecond())
        .bind(outcome.as_str())
        .bind(detail)
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Fields::new("attempts", &row)
        .parsed("delivery_id", OutboundId::parse)
        .map(Some)
}

async fn later(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    (next_at, why): (Timestamp, &str),
    counts: bool,
) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE deliveries SET tries = tries + ?2, next_at = ?3, last_error = ?4
         WHERE id = ?1 AND status = 'pending'",
    )
    .bind(delivery.to_string())
    .bind(i64::from(counts))
    .bind(next_at.as_millisecond())
    .bind(why)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// What to tell of a delivery that waits from now on; nothing if it waited for the same before.
async fn put_off(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    settled: &Unattempted,
) -> sqlx::Result<Option<Event>> {
    let row = sqlx::query(
        "SELECT parked, last_error FROM deliveries WHERE id = ?1 AND status = 'pending'",
    )
    .bind(delivery.to_string())
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let fields = Fields::new("deliveries", &row);
    let (parked, last): (bool, Option<String>) = (fields.get("parked")?, fields.get("last_error")?);
    Ok(match settled {
        Unattempted::Later { next_at, why } if last.as_ref() != Some(why) => Some(Event::PutOff {
            next_at: Some(*next_at),
            why: why.clone(),
        }),
        Unattempted::Park if !parked => Some(Event::PutOff {
            next_at: None,
            why: "nobody is there to read it".to_owned(),
        }),
        Unattempted::Later { .. } | Unattempted::Park | Unattempted::Dead { .. } => None,
    })
}

async fn park(conn: &mut SqliteConnection, delivery: OutboundId) -> sqlx::Result<u64> {
    let done = sqlx::query("UPDATE deliveries SET parked = 1 WHERE id = ?1 AND status = 'pending'")
        .bind(delivery.to_string())
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

async fn end(
    conn: &mut SqliteConnection,
    delivery: OutboundId,
    (status, why): (DeliveryStatus, &str),
    now: Timestamp,
) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE deliveries SET status = ?2, last_error = ?3, ended_at = ?4, parked = 0
         WHERE id = ?1 AND status = 'pending'",
    )
    .bind(delivery.to_string())
    .bind(status.as_str())
    .bind(why)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

fn parse_interrupted(row: &SqliteRow) -> sqlx::Result<InterruptedAttempt> {
    let fields = Fields::new("attempts", row);
    Ok(InterruptedAttempt {
        attempt: AttemptId(fields.get("id")?),
        delivery: fields.parsed("delivery_id", OutboundId::parse)?,
        number: fields.number("number")?,
        part: fields.number("part")?,
        began_at: fields.time("began_at")?,
    })
}

#[cfg(test)]
mod tests;
