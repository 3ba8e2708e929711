//! Steps of several lanes in one transaction: an attempt ends, and the lane's next one begins.

use std::collections::HashMap;

use anchorhold_core::ids::{OutboundId, PlatformMessageId};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    attempts::{AttemptId, Refusal, Settled, refusal, settle_in},
    rows::{Fields, to_json},
    store::Durability,
};

/// What most steps are, for all lanes in one call: parts that were sent are settled, and attempts
/// begin. Each attempt that ends or begins gives a row.
pub(crate) const STEP: &str = "UPDATE deliveries SET parts_sent = a.part + 1, tries = 0,
         next_at = ?1 ->> 'now',
         platform_message_id = COALESCE(deliveries.platform_message_id, value ->> 1),
         status = CASE WHEN value ->> 2 THEN 'sent' ELSE status END,
         ended_at = CASE WHEN value ->> 2 THEN ?1 ->> 'now' ELSE deliveries.ended_at END
     FROM json_each(?1, '$.sent') JOIN attempts a ON a.id = value ->> 0 AND a.ended_at IS NULL
     WHERE deliveries.id = a.delivery_id AND status = 'pending';
     UPDATE attempts SET ended_at = ?1 ->> 'now', outcome = 'sent', platform_message_id = value ->> 1
     FROM json_each(?1, '$.sent') WHERE attempts.id = value ->> 0 AND ended_at IS NULL
     RETURNING 'ends' AS what, delivery_id, attempts.id;
     INSERT INTO attempts (delivery_id, number, part, began_at)
     SELECT d.id, (SELECT COALESCE(MAX(number), 0) + 1 FROM attempts WHERE delivery_id = d.id),
         d.parts_sent, ?1 ->> 'now'
     FROM json_each(?1, '$.begin') JOIN deliveries d ON d.id = value ->> 0
     WHERE d.status = 'pending' AND d.parts_sent = value ->> 1
       AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.delivery_id = d.id AND a.ended_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM parked_channels p
           WHERE p.channel = d.channel AND p.parked_until > ?1 ->> 'now')
     RETURNING 'begins' AS what, delivery_id, id";

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
        let begun = step_all(&mut tx, steps, now).await?;
        tx.commit().await?;
        Ok(begun)
    }
}

/// What [`STEP`] takes: attempts with the platform's id of their part, and whether it is the last;
/// deliveries with the part to begin.
#[derive(Default, Serialize)]
struct Taken<'a> {
    now: i64,
    sent: Vec<(i64, Option<&'a str>, bool)>,
    begin: Vec<(String, u32)>,
}

/// What [`STEP`] has done.
#[derive(Default)]
struct Done {
    ended: u64,
    began: HashMap<OutboundId, AttemptId>,
}

/// A part was sent; `false`, and nothing changed, if that was settled before.
pub(super) async fn sent(
    conn: &mut SqliteConnection,
    attempt: AttemptId,
    (platform_id, last): (Option<&PlatformMessageId>, bool),
    now: Timestamp,
) -> sqlx::Result<bool> {
    let taken = Taken {
        now: now.as_millisecond(),
        sent: vec![(attempt.0, platform_id.map(PlatformMessageId::as_str), last)],
        begin: Vec::new(),
    };
    Ok(take(conn, &taken).await?.ended > 0)
}

/// Takes the steps; no two are of one delivery.
pub(super) async fn step_all(
    conn: &mut SqliteConnection,
    steps: &[Step],
    now: Timestamp,
) -> sqlx::Result<Vec<Option<Begun>>> {
    let mut taken = Taken {
        now: now.as_millisecond(),
        ..Taken::default()
    };
    for step in steps {
        if let Some(next) = step.begin {
            taken.begin.push((next.delivery.to_string(), next.part));
        }
        match &step.settle {
            Some((attempt, Settled::PartSent { platform_id, last })) => {
                let platform_id = platform_id.as_ref().map(PlatformMessageId::as_str);
                taken.sent.push((attempt.0, platform_id, *last));
            }
            Some((attempt, settled)) => {
                settle_in(conn, *attempt, settled, now).await?;
            }
            None => {}
        }
    }
    let began = take(conn, &taken).await?.began;
    let mut begun = Vec::with_capacity(steps.len());
    for step in steps {
        begun.push(match step.begin {
            Some(next) => Some(match began.get(&next.delivery) {
                Some(attempt) => Ok(*attempt),
                None => Err(refusal(conn, next.delivery, next.part).await?),
            }),
            None => None,
        });
    }
    Ok(begun)
}

async fn take(conn: &mut SqliteConnection, taken: &Taken<'_>) -> sqlx::Result<Done> {
    let mut done = Done::default();
    if taken.sent.is_empty() && taken.begin.is_empty() {
        return Ok(done);
    }
    let rows = sqlx::query(STEP)
        .bind(to_json(taken)?)
        .fetch_all(conn)
        .await?;
    for row in &rows {
        let fields = Fields::new("attempts", row);
        let what: String = fields.get("what")?;
        if what == "ends" {
            done.ended += 1;
        } else {
            let delivery = fields.parsed("delivery_id", OutboundId::parse)?;
            done.began.insert(delivery, AttemptId(fields.get("id")?));
        }
    }
    Ok(done)
}

#[cfg(test)]
mod tests;
