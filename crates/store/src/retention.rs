//! Lifetimes: what is forgotten when, in small steps.
//!
//! Nothing that is pending is ever forgotten. Where a row here has something in a session's folder,
//! the folder comes first: who dies in between finds the row again and repeats the step.

use std::collections::HashSet;

use anchorhold_core::ids::{ChannelName, Handle, SessionId, UserId};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    rows::Fields,
    store::{Durability, begin},
};

pub(crate) const TO_TEND: &str =
    "SELECT id FROM sessions WHERE tend_at <= ?1 ORDER BY tend_at LIMIT ?2";

/// A session that owes nothing, as a condition on `s`.
macro_rules! owes_nothing {
    () => {
        "NOT EXISTS (SELECT 1 FROM messages m
             WHERE m.session_id = s.id AND m.status = 'pending')
         AND NOT EXISTS (SELECT 1 FROM deliveries d
             WHERE d.session_id = s.id AND d.status = 'pending')
         AND NOT EXISTS (SELECT 1 FROM questions q
             WHERE q.session_id = s.id AND q.status = 'open')
         AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.session_id = s.id
             AND (a.status = 'pending' OR (a.status = 'approved' AND a.carried_out_at IS NULL)))"
    };
}

pub(crate) const REST: &str = concat!(
    "UPDATE sessions AS s SET dormant_at = ?3
     WHERE s.id = ?1 AND s.last_active_at < ?2 AND s.closed_at IS NULL AND s.dormant_at IS NULL
         AND s.faulted_at IS NULL AND ",
    owes_nothing!()
);

pub(crate) const RETIRE: &str = concat!(
    "UPDATE sessions AS s SET closed_at = s.dormant_at
     WHERE s.id = ?1 AND s.dormant_at < ?2 AND s.closed_at IS NULL AND ",
    owes_nothing!()
);

pub(crate) const EXPIRED: &str = concat!(
    "SELECT EXISTS (SELECT 1 FROM sessions s WHERE s.id = ?1 AND s.closed_at < ?2 AND ",
    owes_nothing!(),
    ")"
);

/// The rows of a session, table by table, each as many as a step takes.
pub(crate) const ROWS_OF: [&str; 3] = [
    "DELETE FROM deliveries WHERE position IN (
         SELECT position FROM deliveries WHERE session_id = ?1 LIMIT ?2)",
    "DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE session_id = ?1 LIMIT ?2)",
    "DELETE FROM rejected_rows WHERE (session_id, seq) IN (
         SELECT session_id, seq FROM rejected_rows WHERE session_id = ?1 LIMIT ?2)",
];

// The newest one stays: it says where the session's agent is to be spoken to.
pub(crate) const ENDED: &str = "SELECT seq FROM messages
     WHERE session_id = ?1 AND ended_at < ?2 AND status IN ('done', 'failed')
         AND seq < (SELECT MAX(seq) FROM messages WHERE session_id = ?1)
     ORDER BY ended_at LIMIT ?3";

pub(crate) const FORGET_MESSAGE: &str = "DELETE FROM messages
     WHERE session_id = ?1 AND seq = ?2 AND status IN ('done', 'failed')";

pub(crate) const FORGET_DELIVERIES: &str = "DELETE FROM deliveries WHERE position IN (
     SELECT d.position FROM deliveries d WHERE d.ended_at < ?1
         AND NOT EXISTS (SELECT 1 FROM questions q WHERE q.delivery_id = d.id AND q.status = 'open')
         AND NOT EXISTS (SELECT 1 FROM approvals a
             WHERE a.delivery_id = d.id AND a.status = 'pending')
     ORDER BY d.ended_at LIMIT ?2)";

pub(crate) const FORGET_DROPPED: &str = "DELETE FROM dropped WHERE rowid IN (
     SELECT rowid FROM dropped WHERE last_at < ?1 ORDER BY last_at LIMIT ?2)";

pub(crate) const FORGET_REJECTED: &str = "DELETE FROM rejected_rows WHERE rowid IN (
     SELECT rowid FROM rejected_rows WHERE rejected_at < ?1 ORDER BY rejected_at LIMIT ?2)";

// One that was given and is not carried out yet is not over.
pub(crate) const FORGET_APPROVALS: &str = "DELETE FROM approvals WHERE id IN (
     SELECT id FROM approvals WHERE COALESCE(decided_at, expires_at) < ?1 AND status <> 'pending'
         AND (status <> 'approved' OR carried_out_at IS NOT NULL)
     ORDER BY COALESCE(decided_at, expires_at) LIMIT ?2)";

// Whoever is addressed again follows again.
pub(crate) const FORGET_SUBSCRIPTIONS: &str = "DELETE FROM subscriptions WHERE rowid IN (
     SELECT f.rowid FROM subscriptions f WHERE f.began_at < ?1
         AND NOT EXISTS (SELECT 1 FROM sessions s
             WHERE s.agent_group_id = f.agent_group_id AND s.closed_at IS NULL
                 AND COALESCE(s.conversation_id, '') IN ('', f.conversation_id)
                 AND (s.thread IS NULL OR s.thread = f.thread))
     ORDER BY f.began_at LIMIT ?2)";

// The ids of users count up with the time they were made.
pub(crate) const PEOPLE: &str = "SELECT id, channel, handle FROM users u
     WHERE u.id > ?1 AND u.created_at < ?2 ORDER BY u.id LIMIT ?3";

pub(crate) const FORGET_PERSON: &str = "DELETE FROM users WHERE id = ?1
     AND NOT EXISTS (SELECT 1 FROM roles WHERE user_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM members WHERE user_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM messages WHERE sender_user_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM approvals WHERE requested_by = ?1)
     AND NOT EXISTS (SELECT 1 FROM approvals WHERE approver_id = ?1)
     AND NOT EXISTS (SELECT 1 FROM approvals WHERE decided_by = ?1)
     AND NOT EXISTS (SELECT 1 FROM questions WHERE answered_by = ?1)";

/// What one step over the people has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeopleStep {
    /// How many are forgotten.
    pub forgotten: u64,
    /// The last one looked at, for the next step to begin after; `None` at the end of the round.
    pub last: Option<UserId>,
}

impl Store {
    /// Sessions that are to be looked after at `now`, the longest waiting first, at most `limit`.
    pub async fn sessions_to_tend(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<SessionId>, Error> {
        let failed = |source| Error::SessionsToTend { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(TO_TEND)
            .bind(now.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| {
                rows.iter()
                    .map(|row| Fields::new("sessions", row).parsed("id", SessionId::parse))
                    .collect()
            })
            .map_err(failed)
    }

    /// The session is to be looked after again at `at`.
    pub async fn tend_again(&self, session: SessionId, at: Timestamp) -> Result<(), Error> {
        let failed = |source| Error::TendSession { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("UPDATE sessions SET tend_at = ?2 WHERE id = ?1")
            .bind(session.to_string())
            .bind(at.as_millisecond())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Lets an open session sleep that owes nothing and was last active before `before`. It stays the
    /// session of its key: the next message wakes it. `false` if nothing changed.
    pub async fn rest_session(
        &self,
        session: SessionId,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::TendSession { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(REST)
            .bind(session.to_string())
            .bind(before.as_millisecond())
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Closes a session for good that fell asleep before `before`. `false` if nothing changed.
    pub async fn retire_session(
        &self,
        session: SessionId,
        before: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::TendSession { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(RETIRE)
            .bind(session.to_string())
            .bind(before.as_millisecond())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Was the session closed before `before`, and owes it nothing? Then its folder may go, and after
    /// that its rows.
    pub async fn session_is_expired(
        &self,
        session: SessionId,
        before: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::TendSession { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        is_expired(&mut conn, session, before).await.map_err(failed)
    }

    /// Deletes up to `limit` rows of a session that [`Store::session_is_expired`], and at last the
    /// session itself. `true` once it is gone; until then, or if it is not expired, `false`.
    pub async fn delete_session(
        &self,
        session: SessionId,
        before: Timestamp,
        limit: u32,
    ) -> Result<bool, Error> {
        self.delete_rows(session, before, limit)
            .await
            .map_err(|source| Error::TendSession { session, source })
    }

    async fn delete_rows(
        &self,
        session: SessionId,
        before: Timestamp,
        limit: u32,
    ) -> sqlx::Result<bool> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        if !is_expired(&mut tx, session, before).await? {
            return Ok(false);
        }
        let mut left = u64::from(limit);
        for sql in ROWS_OF {
            let done = sqlx::query(sql)
                .bind(session.to_string())
                .bind(i64::try_from(left).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
            left = left.saturating_sub(done.rows_affected());
        }
        let gone = left > 0;
        if gone {
            sqlx::query("DELETE FROM sessions WHERE id = ?1")
                .bind(session.to_string())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// The numbers of messages of a session that ended before `before`, but for its newest one, the
    /// longest ended first, at most `limit`.
    pub async fn ended_messages(
        &self,
        session: SessionId,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<i64>, Error> {
        let failed = |source| Error::TendSession { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(ENDED)
            .bind(session.to_string())
            .bind(before.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Forgets those of these messages that have ended; returns how many. The session's own file has
    /// to be without them before: an agent would be offered again what it does not know as ended.
    pub async fn forget_messages(&self, session: SessionId, seqs: &[i64]) -> Result<u64, Error> {
        self.forget_messages_inner(session, seqs)
            .await
            .map_err(|source| Error::TendSession { session, source })
    }

    async fn forget_messages_inner(&self, session: SessionId, seqs: &[i64]) -> sqlx::Result<u64> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let mut forgotten = 0;
        for seq in seqs {
            let done = sqlx::query(FORGET_MESSAGE)
                .bind(session.to_string())
                .bind(seq)
                .execute(&mut *tx)
                .await?;
            forgotten += done.rows_affected();
        }
        tx.commit().await?;
        Ok(forgotten)
    }

    /// Forgets deliveries that ended before `before`, with their attempts and answered questions, at
    /// most `limit`; returns how many. One whose card still waits for an answer stays.
    pub async fn forget_deliveries(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET_DELIVERIES, before, limit).await
    }

    /// Forgets who was declined last before `before`, at most `limit`; returns how many.
    pub async fn forget_dropped(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET_DROPPED, before, limit).await
    }

    /// Forgets outbound rows that were refused before `before`, at most `limit`; returns how many.
    pub async fn forget_rejected(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET_REJECTED, before, limit).await
    }

    /// Forgets requests for approval that were decided, or have expired, before `before`, at most
    /// `limit`; returns how many. One that was given and is not carried out yet stays.
    pub async fn forget_approvals(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET_APPROVALS, before, limit).await
    }

    /// Forgets that agents follow a conversation or thread since a mention before `before`, where they
    /// have no open session for it any more, at most `limit`; returns how many.
    pub async fn forget_old_subscriptions(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        self.forget(FORGET_SUBSCRIPTIONS, before, limit).await
    }

    pub(crate) async fn forget(
        &self,
        sql: &'static str,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, Error> {
        let failed = |source| Error::Forget { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(sql)
            .bind(before.as_millisecond())
            .bind(limit)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }

    /// Looks at up to `limit` people after `after` who were first seen before `before`, and forgets
    /// those without role, membership, messages, requests and answers that are not in `named`. They
    /// are made anew when they write again.
    pub async fn forget_people(
        &self,
        after: Option<UserId>,
        before: Timestamp,
        limit: u32,
        named: &HashSet<(ChannelName, Handle)>,
    ) -> Result<PeopleStep, Error> {
        self.forget_people_inner(after, before, limit, named)
            .await
            .map_err(|source| Error::Forget { source })
    }

    async fn forget_people_inner(
        &self,
        after: Option<UserId>,
        before: Timestamp,
        limit: u32,
        named: &HashSet<(ChannelName, Handle)>,
    ) -> sqlx::Result<PeopleStep> {
        let rows = {
            let mut conn = self.reader().await?;
            sqlx::query(PEOPLE)
                .bind(after.map(|user| user.to_string()).unwrap_or_default())
                .bind(before.as_millisecond())
                .bind(limit)
                .fetch_all(&mut *conn)
                .await?
        };
        let mut step = PeopleStep {
            forgotten: 0,
            last: None,
        };
        for row in &rows {
            let fields = Fields::new("users", row);
            let user = fields.parsed("id", UserId::parse)?;
            let known_as = (
                fields.parsed("channel", ChannelName::parse)?,
                fields.parsed("handle", Handle::parse)?,
            );
            step.last = Some(user);
            if named.contains(&known_as) {
                continue;
            }
            let mut conn = self.writer(Durability::Process).await?;
            let done = sqlx::query(FORGET_PERSON)
                .bind(user.to_string())
                .execute(&mut *conn)
                .await?;
            step.forgotten += done.rows_affected();
        }
        if u32::try_from(rows.len()).unwrap_or(u32::MAX) < limit {
            step.last = None;
        }
        Ok(step)
    }
}

async fn is_expired(
    conn: &mut SqliteConnection,
    session: SessionId,
    before: Timestamp,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(EXPIRED)
        .bind(session.to_string())
        .bind(before.as_millisecond())
        .fetch_one(conn)
        .await
}

#[cfg(test)]
mod tests;
