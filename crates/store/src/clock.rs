//! The wall clock is set back: what was planned by it waits no longer for that.
//!
//! Plans are on record as wall time, since they outlive the host. A clock that was wrong and is put
//! right would hold them back for as long as it was wrong.

use anchorhold_core::ids::SessionId;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    rows::Fields,
    store::{Durability, begin},
    trace::{self, About, Event},
};

// Before the last time the clock was set back it may have been any time.
pub(crate) const LATEST: &str =
    "WITH newest AS MATERIALIZED (SELECT id, at, what FROM trace ORDER BY id DESC LIMIT 1000)
     SELECT MAX(at) AS at FROM newest
     WHERE id >= COALESCE((SELECT MAX(id) FROM newest WHERE what = 'set_back'), 0)";

// The files of sessions name the time of the next try, too.
pub(crate) const DISTRUST: &str = "UPDATE sessions SET rebuild = 1
     WHERE id IN (SELECT session_id FROM messages WHERE status = 'pending' AND next_at > ?1)
     RETURNING id";

/// What is planned keeps the wait that it had left; what is bounded by its age keeps that.
const PLANS: &[&str] = &[
    "UPDATE messages SET next_at = MAX(?1, next_at - ?2), due_since = MAX(?1, next_at - ?2)
     WHERE status = 'pending' AND next_at > ?1",
    "UPDATE messages SET failing_since = MIN(?1, failing_since - ?2)
     WHERE status = 'pending' AND failing_since > ?1",
    "UPDATE deliveries SET next_at = MAX(?1, next_at - ?2)
     WHERE status = 'pending' AND next_at > ?1",
    "UPDATE deliveries SET ended_at = ?1
     WHERE status IN ('dead', 'unknown') AND told_at IS NULL AND ended_at > ?1",
    "UPDATE parked_channels SET parked_until = MAX(?1, parked_until - ?2) WHERE parked_until > ?1",
    "UPDATE questions SET expires_at = MAX(?1, expires_at - ?2)
     WHERE status = 'open' AND expires_at > ?1",
    "UPDATE approvals SET expires_at = MAX(?1, expires_at - ?2)
     WHERE status = 'pending' AND expires_at > ?1",
    "UPDATE pairings SET expires_at = MAX(?1, expires_at - ?2) WHERE expires_at > ?1",
    // Its next time is one of a calendar.
    "UPDATE tasks SET replan = 1 WHERE state = 'active' AND cron IS NOT NULL AND next_at > ?1",
    "UPDATE sessions SET tend_at = MAX(?1, tend_at - ?2) WHERE tend_at > ?1",
];

impl Store {
    /// The latest time that is on record since the clock was last known to be set back. It may be
    /// later than what the clock says; then the clock was set back since.
    pub async fn latest_noted(&self) -> Result<Option<Timestamp>, Error> {
        let failed = |source| Error::SetBack { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(LATEST)
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| Fields::new("trace", &row).opt_time("at"))
            .map_err(failed)
    }

    /// The clock was set back to `now`, from `was`. What is planned for later is due so much earlier,
    /// in one transaction with the record of it; gives the sessions whose files have to be made anew
    /// for that, which is on record, too.
    pub async fn set_back(&self, was: Timestamp, now: Timestamp) -> Result<Vec<SessionId>, Error> {
        self.set_back_inner(was, now)
            .await
            .map_err(|source| Error::SetBack { source })
    }

    async fn set_back_inner(&self, was: Timestamp, now: Timestamp) -> sqlx::Result<Vec<SessionId>> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let by = was.as_millisecond() - now.as_millisecond();
        let distrusted = sqlx::query(DISTRUST)
            .bind(now.as_millisecond())
            .fetch_all(&mut *tx)
            .await?;
        for plan in PLANS {
            sqlx::query(*plan)
                .bind(now.as_millisecond())
                .bind(by)
                .execute(&mut *tx)
                .await?;
        }
        trace::add(&mut tx, About::Host, Event::SetBack { was }, now).await?;
        tx.commit().await?;
        distrusted.iter().map(parse_id).collect()
    }
}

fn parse_id(row: &SqliteRow) -> sqlx::Result<SessionId> {
    Fields::new("sessions", row).parsed("id", SessionId::parse)
}

#[cfg(test)]
mod tests;
