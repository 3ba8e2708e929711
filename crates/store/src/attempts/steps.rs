//! Steps of several lanes in one transaction: an attempt ends, and the lane's next one begins.

use anchorhold_core::ids::OutboundId;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    attempts::{AttemptId, Refusal, Settled, refusal, settle_in},
    store::Durability,
};

pub(crate) const BEGIN: &str = "INSERT INTO attempts (delivery_id, number, part, began_at)
     SELECT d.id, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempts WHERE delivery_id = d.id), ?2, ?3
     FROM deliveries d WHERE d.id = ?1 AND d.status = 'pending' AND d.parts_sent = ?2
       AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = d.id AND a.ended_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM parked_channels p
           WHERE p.channel = d.channel AND p.parked_until > ?3)
     RETURNING id";

/// What one lane has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What came of its last attempt, if that is not on record yet.
    pub settle: Option<(AttemptId, Settled)>,
    /// Its next attempt, if there is one.
    pub begin: Option<Begin>,
}

/// One attempt that is about to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Of which delivery.
    pub delivery: OutboundId,
    /// Which part it sends, counted from 0.
    pub part: u32,
    /// What the record has to survive; without [`Durability::Power`] an attempt that is lost with the
    /// power is made again, which is right only where a second send with the same key is not a second
    /// message.
    pub durability: Durability,
}

/// What became of a [`Begin`].
pub type Begun = Result<AttemptId, Refusal>;

impl Store {
    /// Takes the steps of several lanes, in one transaction: all of them or none. Gives what became
    /// of each [`Step::begin`], in the same order.
    ///
    /// Only when this returns an id may the platform be called. What is settled already stays as it
    /// is, so a step can be taken again.
    pub async fn advance(
        &self,
        steps: &[Step],
        now: Timestamp,
    ) -> Result<Vec<Option<Begun>>, Error> {
        self.advance_inner(steps, now)
            .await
            .map_err(|source| Error::Advance {
                lanes: steps.len(),
                source,
            })
    }

    async fn advance_inner(
        &self,
        steps: &[Step],
        now: Timestamp,
    ) -> sqlx::Result<Vec<Option<Begun>>> {
        let begins = || steps.iter().filter_map(|step| step.begin);
        let power = begins().any(|begin| begin.durability == Durability::Power);
        let durability = if power {
            Durability::Power
        } else {
            Durability::Process
        };
        let mut custody = self.custody(durability).await?;
        let mut tx = custody.begin().await?;
        let mut begun = Vec::with_capacity(steps.len());
        for step in steps {
            if let Some((attempt, settled)) = &step.settle {
                settle_in(&mut tx, *attempt, settled, now).await?;
            }
            begun.push(match &step.begin {
                Some(next) => Some(begin_in(&mut tx, next, now).await?),
                None => None,
            });
        }
        tx.commit().await?;
        Ok(begun)
    }
}

pub(crate) async fn begin_in(
    conn: &mut SqliteConnection,
    Begin { delivery, part, .. }: &Begin,
    now: Timestamp,
) -> sqlx::Result<Begun> {
    let id = sqlx::query_scalar(BEGIN)
        .bind(delivery.to_string())
        .bind(part)
        .bind(now.as_millisecond())
        .fetch_optional(&mut *conn)
        .await?;
    match id {
        Some(id) => Ok(Ok(AttemptId(id))),
        None => Ok(Err(refusal(conn, *delivery, *part).await?)),
    }
}

#[cfg(test)]
mod tests;
