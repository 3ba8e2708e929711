//! The host's side: what it writes into `inbound.db`.

use std::sync::Arc;

use anchorhold_core::sandbox::Generation;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Rebuild, Seq,
    kept::Kept,
    layout::Layout,
    open,
    progress::{self, Progress},
    pull::Cursors,
};

/// One session's files, as the host handles them. What it has opened stays open as long as it lives;
/// clones share it.
///
/// Every call blocks on the disk: make it on a thread that may.
#[derive(Clone, Debug)]
pub struct HostSide {
    pub(crate) root: Utf8PathBuf,
    pub(crate) layout: Layout,
    kept: Arc<Kept>,
}

/// What the host tells the agent-runner about its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The name the agent goes by.
    pub agent_name: String,
    /// Which provider runs the turns.
    pub provider: String,
    /// What the provider of its model calls that model; it is called over the way out.
    pub model: Option<String>,
    /// How the model is called. Absent in files of before there were such options.
    #[serde(default)]
    pub model_options: ModelOptions,
    /// The IANA name of the zone in whose time the agent is told of times; UTC without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The most messages of one turn.
    pub prompt_messages: u32,
    /// How far the host has read: the agent's numbers, of what it says and of what it ends, go on
    /// above these even if `outbound.db` had to be made anew.
    pub floor: Cursors,
}

/// How a model is called, where the operator says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOptions {
    /// The most tokens of one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// How many tokens it can read at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u32>,
    /// How hard it thinks, in the provider's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
    /// Is it spoken to over Responses instead of Chat Completions?
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub responses: bool,
}

impl HostSide {
    /// The files of the session in `root`; nothing is touched.
    pub fn at(root: &Utf8Path) -> Self {
        Self {
            root: root.to_owned(),
            layout: Layout::in_session(root),
            kept: Arc::default(),
        }
    }

    /// Makes the folders and an empty `inbound.db`, if they are not there.
    ///
    /// `owner` (uid, gid) gets what the sandbox writes, where that is not the host's own user.
    pub fn create(root: &Utf8Path, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let side = Self::at(root);
        if !side.layout.inbound().exists() {
            Rebuild::begin(side.clone(), owner)?.finish(None, None, Timestamp::UNIX_EPOCH)?;
        }
        Ok(side)
    }

    /// The folder that is mounted read-only.
    pub fn in_dir(&self) -> &Utf8Path {
        &self.layout.in_dir
    }

    /// The folder that the sandbox writes.
    pub fn out_dir(&self) -> &Utf8Path {
        &self.layout.out_dir
    }

    /// Sets when a message may be tried again, and how often it was tried.
    pub fn reschedule(&self, messages: &[(Seq, u32, Timestamp)]) -> Result<(), Error> {
        self.write("reschedule", |transaction| {
            for (seq, tries, due) in messages {
                transaction.execute(
                    "UPDATE messages SET tries = ?2, due_at = ?3 WHERE seq = ?1 AND status = 'open'",
                    params![seq.get(), tries, due.as_millisecond()],
                )?;
            }
            Ok(())
        })
    }

    /// Marks messages as ended, answered or given up: they are not offered again.
    pub fn close(&self, messages: &[Seq]) -> Result<(), Error> {
        self.write("close", |transaction| {
            for seq in messages {
                transaction.execute(
                    "UPDATE messages SET status = 'closed' WHERE seq = ?1",
                    [seq.get()],
                )?;
            }
            Ok(())
        })
    }

    /// Tells the agent-runner about its group; read when it starts.
    pub fn write_settings(&self, settings: &Settings) -> Result<(), Error> {
        let path = self.layout.inbound();
        self.inbound(|connection| put_settings(connection, &path, settings))
    }

    /// The oldest messages that are not closed, at most `limit`.
    pub fn open_messages(&self, limit: u32) -> Result<Vec<Seq>, Error> {
        let path = self.layout.inbound();
        let found = self.inbound(|connection| {
            connection
                .prepare("SELECT seq FROM messages WHERE status = 'open' ORDER BY seq LIMIT ?1")
                .and_then(|mut statement| {
                    let rows = statement.query_map([limit], |row| row.get::<_, i64>(0))?;
                    rows.collect::<Result<Vec<_>, _>>()
                })
                .map_err(Error::sql(&path, "read"))
        })?;
        Ok(found.into_iter().filter_map(Seq::new).collect())
    }

    /// What the runner last said of its progress; `None` if this generation said nothing yet.
    pub fn progress(&self, generation: Generation) -> Result<Option<Progress>, Error> {
        let progress = progress::read(&self.layout.out_dir)?;
        Ok(progress.filter(|progress| progress.generation == generation))
    }

    /// Does something with `inbound.db`.
    pub(crate) fn inbound<T>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let path = self.layout.inbound();
        let look = || open::inbound_look(&path);
        let done =
            self.kept
                .inbound
                .with(look, |_sound| Ok(()), || open::inbound_rw(&path), job)?;
        done.ok_or(Error::Absent { path })
    }

    /// Reads `outbound.db`; `None` if there is none yet.
    pub(crate) fn outbound<T>(
        &self,
        job: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let path = self.layout.outbound();
        self.kept.outbound.with(
            || open::outbound_look(&self.layout),
            |known| open::check_hostile(known, &path),
            || open::outbound_hostile_ro(&path),
            job,
        )
    }

    pub(crate) fn write(
        &self,
        doing: &'static str,
        change: impl FnOnce(&Transaction<'_>) -> Result<(), rusqlite::Error>,
    ) -> Result<(), Error> {
        let path = self.layout.inbound();
        self.inbound(|connection| {
            connection
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                .and_then(|transaction| {
                    change(&transaction)?;
                    transaction.commit()
                })
                .map_err(Error::sql(&path, doing))
        })
    }

    /// The agent's highest number, so that ours is above it. An unreadable file is no reason to
    /// refuse a person's message: its rows are then judged, and refused, where they are read.
    pub fn highest_outbound(&self) -> i64 {
        let path = self.layout.outbound();
        let highest = self.outbound(|connection| {
            connection
                .prepare_cached("SELECT coalesce(max(seq), 0) FROM messages")
                .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
                .map_err(Error::sql(&path, "read"))
        });
        highest.ok().flatten().unwrap_or(0)
    }
}

/// Writes the settings over a connection to `inbound.db`.
pub(crate) fn put_settings(
    connection: &Connection,
    path: &Utf8Path,
    settings: &Settings,
) -> Result<(), Error> {
    let body = serde_json::to_string(settings).map_err(|source| Error::Encode { source })?;
    connection
        .execute(
            "INSERT OR REPLACE INTO settings (id, body) VALUES (1, ?1)",
            [&body],
        )
        .map(drop)
        .map_err(Error::sql(path, "write the settings"))
}
