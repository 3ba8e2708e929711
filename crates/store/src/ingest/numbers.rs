//! The numbers of the sessions that one transaction gives messages to.

use std::collections::BTreeMap;

use anchorhold_core::{ids::SessionId, order};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::rows::{Fields, to_json};

pub(crate) const NUMBERS: &str = "SELECT id, in_seq, out_cursor FROM sessions
     WHERE id IN (SELECT value FROM json_each(?1))";

/// What was given, and what is about to be.
#[derive(Debug, Default)]
pub(super) struct Numbers(BTreeMap<SessionId, Given>);

#[derive(Clone, Copy, Debug)]
struct Given {
    /// The host's highest.
    highest: i64,
    /// The agent's, as far as it was read.
    read: i64,
    /// The highest that was tried: what it was for may be on record already, with another one.
    tried: i64,
    /// When something came in here last.
    active_at: Option<Timestamp>,
}

/// What is to be put on record of one session: its id, its highest number, when it was active.
pub(super) type Moved = (String, i64, i64);

impl Numbers {
    /// What is on record of these sessions; of one that is not there, nothing.
    pub(super) async fn read(
        conn: &mut SqliteConnection,
        sessions: impl Iterator<Item = SessionId>,
    ) -> sqlx::Result<Self> {
        let mut ids: Vec<String> = sessions.map(|session| session.to_string()).collect();
        if ids.is_empty() {
            return Ok(Self::default());
        }
        ids.sort_unstable();
        ids.dedup();
        let rows = sqlx::query(NUMBERS)
            .bind(to_json(&ids)?)
            .fetch_all(conn)
            .await?;
        let mut numbers = BTreeMap::new();
        for row in &rows {
            let fields = Fields::new("sessions", row);
            let highest = fields.get("in_seq")?;
            let given = Given {
                highest,
                read: fields.get("out_cursor")?,
                tried: highest,
                active_at: None,
            };
            numbers.insert(fields.parsed("id", SessionId::parse)?, given);
        }
        Ok(Self(numbers))
    }

    /// The session's next number, which nothing has yet. Fails where there is no such session.
    pub(super) fn next(&mut self, session: SessionId, said: i64) -> sqlx::Result<i64> {
        let given = self.of(session)?;
        let known = given.highest.max(given.tried).max(given.read);
        given.tried = order::next_of_host(known, said);
        Ok(given.tried)
    }

    /// Is this the highest number of the session?
    pub(super) fn is_latest(&mut self, session: SessionId, seq: i64) -> sqlx::Result<bool> {
        Ok(self.of(session)?.highest == seq)
    }

    /// Something that came at a time has this number from now on.
    pub(super) fn take(&mut self, session: SessionId, seq: i64, at: Timestamp) -> sqlx::Result<()> {
        let given = self.of(session)?;
        given.highest = given.highest.max(seq);
        given.active_at = given.active_at.max(Some(at));
        Ok(())
    }

    /// What is left of numbers that nothing has got is given again.
    pub(super) fn settle(&mut self) {
        for given in self.0.values_mut() {
            given.tried = given.highest;
        }
    }

    /// What has changed of the sessions' records.
    pub(super) fn moved(&self) -> Vec<Moved> {
        let moved = self.0.iter().filter_map(|(session, given)| {
            let active_at = given.active_at?.as_millisecond();
            Some((session.to_string(), given.highest, active_at))
        });
        moved.collect()
    }

    fn of(&mut self, session: SessionId) -> sqlx::Result<&mut Given> {
        self.0.get_mut(&session).ok_or(sqlx::Error::RowNotFound)
    }
}
