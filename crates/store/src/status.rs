//! The figures of `status`.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{Error, Store, rows::Fields};

// Every figure comes from an index that holds only the rows it counts.
pub(crate) const COUNTS: &str = "SELECT
     (SELECT COUNT(*) FROM sessions WHERE closed_at IS NULL AND dormant_at IS NULL) AS sessions_open,
     (SELECT COUNT(*) FROM sessions WHERE faulted_at IS NOT NULL) AS sessions_faulted,
     (SELECT COUNT(*) FROM messages WHERE status = 'pending') AS messages_pending,
     (SELECT COUNT(*) FROM messages WHERE status = 'failed') AS messages_failed,
     (SELECT COUNT(*) FROM deliveries WHERE status = 'pending') AS deliveries_pending,
     (SELECT COUNT(*) FROM deliveries WHERE status = 'pending' AND parked = 1) AS deliveries_parked,
     (SELECT COALESCE(SUM(status = 'dead'), 0) FROM deliveries
      WHERE status IN ('dead', 'unknown') AND discarded_at IS NULL) AS deliveries_dead,
     (SELECT COALESCE(SUM(status = 'unknown'), 0) FROM deliveries
      WHERE status IN ('dead', 'unknown') AND discarded_at IS NULL) AS deliveries_unknown,
     (SELECT MIN(created_at) FROM messages WHERE status = 'pending') AS oldest_message_at,
     (SELECT MIN(created_at) FROM deliveries WHERE status = 'pending') AS oldest_delivery_at";

/// How much there is of everything that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that are not closed and do not sleep.
    pub sessions_open: u64,
    /// Sessions with a fault.
    pub sessions_faulted: u64,
    /// Messages that wait for an answer.
    pub messages_pending: u64,
    /// Messages that were given up.
    pub messages_failed: u64,
    /// Deliveries that are not finished, the parked ones included.
    pub deliveries_pending: u64,
    /// Deliveries that wait until somebody is there.
    pub deliveries_parked: u64,
    /// Deliveries that were given up and not discarded by the operator.
    pub deliveries_dead: u64,
    /// Deliveries of which nobody knows whether they arrived, without the discarded ones.
    pub deliveries_unknown: u64,
    /// When the oldest message that still waits was stored.
    pub oldest_message_at: Option<Timestamp>,
    /// When the oldest delivery that is not finished came here.
    pub oldest_delivery_at: Option<Timestamp>,
}

impl Store {
    /// The figures of `status`, all of one moment.
    pub async fn counts(&self) -> Result<Counts, Error> {
        let failed = |source| Error::Counts { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(COUNTS)
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| parse_counts(&row))
            .map_err(failed)
    }
}

fn parse_counts(row: &SqliteRow) -> sqlx::Result<Counts> {
    let fields = Fields::new("counts", row);
    Ok(Counts {
        sessions_open: fields.number("sessions_open")?,
        sessions_faulted: fields.number("sessions_faulted")?,
        messages_pending: fields.number("messages_pending")?,
        messages_failed: fields.number("messages_failed")?,
        deliveries_pending: fields.number("deliveries_pending")?,
        deliveries_parked: fields.number("deliveries_parked")?,
        deliveries_dead: fields.number("deliveries_dead")?,
        deliveries_unknown: fields.number("deliveries_unknown")?,
        oldest_message_at: fields.opt_time("oldest_message_at")?,
        oldest_delivery_at: fields.opt_time("oldest_delivery_at")?,
    })
}

#[cfg(test)]
mod tests;
