//! Deleting on request, with a copy to have it back by.
//!
//! What goes are rows of configuration. Sessions and their messages are never deleted: those of a
//! group or a conversation are closed, and what they still had to answer ends. So a group with
//! sessions is retired, and its folder is free for another one; a conversation is forgotten, which
//! leaves its row if anything still points to it.
//!
//! A workspace on disk stays where it is, under the folder that the group had.

mod copy;
mod plan;

use std::fmt;

use anchorhold_core::ids::{AgentGroupId, ConversationId, UserId, WiringId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    rows::{Fields, to_json},
    store::{Durability, begin},
    undo::copy::Copy,
};

/// So many of the newest copies are kept.
const KEPT: i64 = 1000;

/// What is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// An agent group.
    Group(AgentGroupId),
    /// What is known of a conversation.
    Conversation(ConversationId),
    /// A wiring.
    Wiring(WiringId),
    /// A person.
    User(UserId),
}

impl What {
    fn id(self) -> String {
        match self {
            Self::Group(id) => id.to_string(),
            Self::Conversation(id) => id.to_string(),
            Self::Wiring(id) => id.to_string(),
            Self::User(id) => id.to_string(),
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id) => write!(f, "group {id}"),
            Self::Conversation(id) => write!(f, "conversation {id}"),
            Self::Wiring(id) => write!(f, "wiring {id}"),
            Self::User(id) => write!(f, "user {id}"),
        }
    }
}

/// What was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The number of the copy.
    pub undo: i64,
    /// The kinds of rows that went with it, by the names of their tables, and how many of each.
    /// `sessions` were closed, not deleted. What there was none of is left out.
    pub goes_with: Vec<(String, u64)>,
}

/// What became of a restoration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is back.
    Done {
        /// What.
        what: What,
        /// How many rows are not back, because what they point to is gone, or the same was made
        /// again meanwhile.
        left_out: u64,
    },
    /// Nothing changed: something is in its place. This says what, for people.
    Conflict(String),
    /// There is no such copy.
    Gone,
    /// It was restored before.
    Already,
}

/// What came of a deletion.
enum Deletion {
    Done(Deleted),
    Gone,
    OfFile,
}

impl Store {
    /// Deletes something with what depends on it, and keeps a copy. `None` if it is not there.
    ///
    /// [`Error::OwnedByFile`] for what the configuration file has, or depends on. Rows of the file
    /// that concern a conversation stay when the conversation is forgotten. The sandboxes of the
    /// sessions that were closed are the caller's to stop.
    pub async fn delete_with_copy(
        &self,
        what: What,
        now: Timestamp,
    ) -> Result<Option<Deleted>, Error> {
        let failed = |source| Error::DeleteWithCopy { what, source };
        match self.delete_inner(what, now).await.map_err(failed)? {
            Deletion::Done(deleted) => Ok(Some(deleted)),
            Deletion::Gone => Ok(None),
            Deletion::OfFile => Err(Error::OwnedByFile { what }),
        }
    }

    async fn delete_inner(&self, what: What, now: Timestamp) -> sqlx::Result<Deletion> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        if !plan::is_there(&mut tx, what).await? {
            return Ok(Deletion::Gone);
        }
        if plan::is_of_file(&mut tx, what).await? {
            return Ok(Deletion::OfFile);
        }
        let goes_with = plan::goes_with(&mut tx, what).await?;
        let copy = copy::take(&mut tx, what).await?;
        plan::delete(&mut tx, what, now).await?;
        let undo = keep(&mut tx, &copy, now).await?;
        tx.commit().await?;
        Ok(Deletion::Done(Deleted { undo, goes_with }))
    }

    /// What would go with it, without deleting it; see [`Deleted::goes_with`]. `None` if it is not
    /// there.
    pub async fn preview(&self, what: What) -> Result<Option<Vec<(String, u64)>>, Error> {
        let failed = |source| Error::Preview { what, source };
        let mut conn = self.reader().await.map_err(failed)?;
        if !plan::is_there(&mut conn, what).await.map_err(failed)? {
            return Ok(None);
        }
        let goes_with = plan::goes_with(&mut conn, what).await.map_err(failed)?;
        Ok(Some(goes_with))
    }

    /// Has back what was deleted, wholly in one transaction. Sessions that were closed stay closed:
    /// the next message begins a fresh one.
    ///
    /// A person or conversation that was seen again meanwhile has a new id, and gets back what the
    /// old one had.
    pub async fn restore(&self, undo: i64, now: Timestamp) -> Result<Restored, Error> {
        self.restore_inner(undo, now)
            .await
            .map_err(|source| Error::Restore { undo, source })
    }

    async fn restore_inner(&self, undo: i64, now: Timestamp) -> sqlx::Result<Restored> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let row = sqlx::query("SELECT body, restored_at FROM undo WHERE id = ?1")
            .bind(undo)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else {
            return Ok(Restored::Gone);
        };
        let fields = Fields::new("undo", &row);
        if fields.opt_time("restored_at")?.is_some() {
            return Ok(Restored::Already);
        }
        let copy: Copy = fields.json("body")?;
        let restored = copy::put_back(&mut tx, copy).await?;
        if !matches!(restored, Restored::Done { .. }) {
            return Ok(restored);
        }
        sqlx::query("UPDATE undo SET restored_at = ?2 WHERE id = ?1")
            .bind(undo)
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(restored)
    }
}

async fn keep(conn: &mut SqliteConnection, copy: &Copy, now: Timestamp) -> sqlx::Result<i64> {
    let done = sqlx::query("INSERT INTO undo (what, body, deleted_at) VALUES (?1, ?2, ?3)")
        .bind(copy.label())
        .bind(to_json(copy)?)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    let undo = done.last_insert_rowid();
    sqlx::query("DELETE FROM undo WHERE id <= ?1")
        .bind(undo.saturating_sub(KEPT))
        .execute(conn)
        .await?;
    Ok(undo)
}

#[cfg(test)]
mod tests;
