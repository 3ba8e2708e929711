//! The journal: what a session's inbound file is made of, and which files have to be made anew.
//!
//! A row is here from [`Store::enter`] until its message has ended, whoever ends it: a trigger sees to
//! that. The files are not synced, so after another start of the machine none of them is believed.

use anchorhold_core::{
    address::Address,
    entity::MessageStatus,
    ids::{PlatformMessageId, SessionId},
    sandbox::Generation,
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    ingest::Body,
    rows::Fields,
    store::{Durability, begin},
};

pub(crate) const ROWS: &str =
    "SELECT j.*, m.channel, m.chat, m.thread, m.status, m.tries, m.next_at,
         m.created_at, COALESCE(m.platform_message_id, m.word) AS name
     FROM journal j JOIN messages m ON m.session_id = j.session_id AND m.seq = j.seq
     WHERE j.session_id = ?1 AND j.seq > ?2 ORDER BY j.seq LIMIT ?3";

// One step down the index for each session, not one for each row.
pub(crate) const NEXT_SESSION: &str =
    "SELECT session_id FROM journal WHERE session_id > ?1 ORDER BY session_id LIMIT 1";

pub(crate) const TO_REBUILD: &str = "SELECT id FROM sessions WHERE rebuild = 1";

pub(crate) const NOT_JOURNALED: &str = "SELECT id FROM sessions WHERE journaled = 0 LIMIT ?1";

/// A row of a session's inbound file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journaled {
    /// Its number.
    pub seq: i64,
    /// Where it was said, and where the answer goes.
    pub address: Address,
    /// The platform's id of it, or the key of a word of the host's own.
    pub name: PlatformMessageId,
    /// Does it wake the agent, or is it context?
    pub triggers: bool,
    /// How often it was tried.
    pub tries: u32,
    /// When it may be tried.
    pub due_at: Timestamp,
    /// When it was stored.
    pub created_at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// A row of the file of a session that is older than the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Its number.
    pub seq: i64,
    /// The key of it, where it is a word of the host's own.
    pub word: Option<PlatformMessageId>,
    /// What it says, if it is open.
    pub body: Option<Body>,
}

impl Store {
    /// What is to be in a session's file after number `seq`, in order, at most `limit`.
    pub async fn journal(
        &self,
        session: SessionId,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<Journaled>, Error> {
        let failed = |source| Error::Journal { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(ROWS)
            .bind(session.to_string())
            .bind(seq)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse).collect())
            .map_err(failed)
    }

    /// The sessions for which something is in the journal.
    pub async fn journal_sessions(&self) -> Result<Vec<SessionId>, Error> {
        let failed = |source| Error::Journals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let mut found = Vec::new();
        let mut last = String::new();
        loop {
            let row = sqlx::query(NEXT_SESSION)
                .bind(&last)
                .fetch_optional(&mut *conn)
                .await
                .map_err(failed)?;
            let Some(row) = row else { return Ok(found) };
            let fields = Fields::new("journal", &row);
            found.push(
                fields
                    .parsed("session_id", SessionId::parse)
                    .map_err(failed)?,
            );
            last = fields.get("session_id").map_err(failed)?;
        }
    }

    /// Notes in which start of the machine this is. If it is another one than before, or not known,
    /// the power may have been lost, and every session's file is to be made anew; tells whether so.
    pub async fn note_boot(&self, boot: Option<&str>) -> Result<bool, Error> {
        let failed = |source| Error::NoteBoot { source };
        let mut conn = self.writer(Durability::Power).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let same = sqlx::query_scalar("SELECT COALESCE(boot_id = ?1, 0) FROM install")
            .bind(boot)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
        if same {
            return Ok(false);
        }
        sqlx::query("UPDATE sessions SET rebuild = 1 WHERE rebuild = 0")
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        sqlx::query("UPDATE install SET boot_id = ?1")
            .bind(boot)
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(true)
    }

    /// The sessions whose files are to be made anew.
    pub async fn sessions_to_rebuild(&self) -> Result<Vec<SessionId>, Error> {
        let failed = |source| Error::Journals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(TO_REBUILD)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_id).collect())
            .map_err(failed)
    }

    /// A session's file was made anew.
    pub async fn rebuilt(&self, session: SessionId) -> Result<(), Error> {
        let failed = |source| Error::Journal { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("UPDATE sessions SET rebuild = 0 WHERE id = ?1 AND rebuild = 1")
            .bind(session.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// A request from inside was answered, and is not carried out again, not even after the loss of
    /// power.
    pub async fn note_reply(&self, session: SessionId, request: i64) -> Result<(), Error> {
        let failed = |source| Error::NoteReply { session, source };
        let mut conn = self.writer(Durability::Power).await.map_err(failed)?;
        sqlx::query("UPDATE sessions SET replied = MAX(replied, ?2) WHERE id = ?1")
            .bind(session.to_string())
            .bind(request)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Sessions that are older than the journal, at most `limit`.
    pub async fn older_sessions(&self, limit: u32) -> Result<Vec<SessionId>, Error> {
        let failed = |source| Error::Journals { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(NOT_JOURNALED)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_id).collect())
            .map_err(failed)
    }

    /// Takes rows of the file of an older session over, those that are on record.
    pub async fn take_older(&self, session: SessionId, rows: &[Older]) -> Result<(), Error> {
        self.take_older_inner(session, rows)
            .await
            .map_err(|source| Error::Journal { session, source })
    }

    async fn take_older_inner(&self, session: SessionId, rows: &[Older]) -> sqlx::Result<()> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        for row in rows {
            if let Some(word) = &row.word {
                sqlx::query(
                    "UPDATE OR IGNORE messages SET word = ?3
                     WHERE session_id = ?1 AND seq = ?2 AND platform_message_id IS NULL",
                )
                .bind(session.to_string())
                .bind(row.seq)
                .bind(word.as_str())
                .execute(&mut *tx)
                .await?;
            }
            let Some(body) = &row.body else { continue };
            sqlx::query(
                "INSERT INTO journal (session_id, seq, kind, version, payload, fresh_only)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM messages
                     WHERE session_id = ?1 AND seq = ?2 AND status IN ('pending', 'context'))
                 ON CONFLICT DO NOTHING",
            )
            .bind(session.to_string())
            .bind(row.seq)
            .bind(&body.kind)
            .bind(body.version)
            .bind(&body.payload)
            .bind(body.fresh_only.map(|generation| generation.0))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await
    }

    /// All of an older session's file is taken over, and it is to be made anew. `replied` is the
    /// highest request that was answered in it. To be made safe with [`Store::make_durable`] before
    /// anything is written to the file.
    pub async fn older_taken(&self, session: SessionId, replied: i64) -> Result<(), Error> {
        let failed = |source| Error::Journal { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "UPDATE sessions SET journaled = 1, rebuild = 1, replied = MAX(replied, ?2)
             WHERE id = ?1",
        )
        .bind(session.to_string())
        .bind(replied)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }
}

impl Store {
    /// Everything that is committed survives the loss of power when this returns.
    pub async fn make_durable(&self) -> Result<(), Error> {
        let failed = |source| Error::Journals { source };
        let mut conn = self.writer(Durability::Power).await.map_err(failed)?;
        // A commit that changes a row, if only to what it is.
        sqlx::query("UPDATE install SET boot_id = boot_id")
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

fn parse_id(row: &SqliteRow) -> sqlx::Result<SessionId> {
    Fields::new("sessions", row).parsed("id", SessionId::parse)
}

fn parse(row: &SqliteRow) -> sqlx::Result<Journaled> {
    let fields = Fields::new("journal", row);
    let created_at = fields.time("created_at")?;
    let fresh_only: Option<i64> = fields.get("fresh_only")?;
    let fresh_only = match fresh_only {
        Some(_) => Some(Generation(fields.number("fresh_only")?)),
        None => None,
    };
    let status = fields.value("status", MessageStatus::parse)?;
    Ok(Journaled {
        seq: fields.get("seq")?,
        address: fields.address()?,
        name: fields.parsed("name", PlatformMessageId::parse)?,
        triggers: status == MessageStatus::Pending,
        tries: fields.number("tries")?,
        due_at: fields.opt_time("next_at")?.unwrap_or(created_at),
        created_at,
        body: Body {
            kind: fields.get("kind")?,
            version: fields.get("version")?,
            payload: fields.get("payload")?,
            fresh_only,
        },
    })
}

#[cfg(test)]
mod tests;
