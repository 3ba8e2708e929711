//! `inbound.db` as what is written from the host's journal: row by row, or wholly anew.
//!
//! The journal in the central database is what survives the loss of power. This file is only what
//! a sandbox can read of it, so nothing here is synced but people's files, which are nowhere else.

use std::{fmt, fs, io, os::unix::fs::PermissionsExt};

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, IdError, PlatformMessageId, ThreadId},
    inbound::Attachment,
    sandbox::Generation,
};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use crate::{
    Error, HostSide, Inbound, InboxFile, Seq, Settings,
    host::put_settings,
    inbox,
    layout::{INBOUND, Layout, sync_dir},
    open,
};

/// The name under which the file is made anew.
const MAKING: &str = "inbound.db.making";
/// What SQLite may have left beside a database.
const COMPANIONS: [&str; 2] = ["", "-journal"];

/// One row, as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    /// Its number.
    pub seq: Seq,
    /// Where it was said, and where its answer goes.
    pub address: Address,
    /// The platform's id of it, or the key of a word of the host's own.
    pub platform_id: PlatformMessageId,
    /// Does it wake the agent, or is it context?
    pub triggers: bool,
    /// How often it was tried.
    pub tries: u32,
    /// When it may be tried.
    pub due_at: Timestamp,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Only a sandbox of a later generation than this is offered it, so that it is seen by a fresh
    /// one. Until there is one it holds nothing else back.
    pub fresh_only: Option<Generation>,
    /// What it says.
    pub body: Body,
}

/// What a row says, encoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Body {
    /// Which kind of payload it is.
    pub kind: String,
    /// Which version of that kind.
    pub version: i64,
    /// The payload itself, in JSON.
    pub payload: String,
}

impl fmt::Debug for Body {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("kind", &self.kind)
            .field("version", &self.version)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

impl Body {
    /// The encoded form of a payload.
    pub fn of(payload: &Inbound) -> Result<Self, Error> {
        let encoded = payload
            .encode()
            .map_err(|source| Error::Encode { source })?;
        Ok(Self {
            kind: encoded.kind.to_owned(),
            version: encoded.version,
            payload: encoded.payload,
        })
    }
}

/// A row as the file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRow {
    /// The row.
    pub row: JournalRow,
    /// Is it still to be answered?
    pub open: bool,
}

impl HostSide {
    /// Writes rows, in the order of their numbers, and closes some, in one transaction. Rows that
    /// are there already stay as they are. Every lower number has to be there, or to have ended.
    ///
    /// [`Error::is_lost`] where there is no sound file to write to: see [`Rebuild`].
    pub fn feed(&self, rows: &[JournalRow], closed: &[Seq]) -> Result<(), Error> {
        let path = self.layout.inbound();
        let failed = Error::sql(&path, "feed");
        self.inbound(|connection| {
            let transaction = connection
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                .map_err(&failed)?;
            for row in rows {
                if !insert(&transaction, row).map_err(&failed)?
                    && !is_there(&transaction, row).map_err(&failed)?
                {
                    return Err(Error::Strange { path: path.clone() });
                }
            }
            for seq in closed {
                transaction
                    .execute(
                        "UPDATE messages SET status = 'closed' WHERE seq = ?1",
                        [seq.get()],
                    )
                    .map_err(&failed)?;
            }
            transaction.commit().map_err(&failed)
        })
    }

    /// The highest number of the host's in the file: everything up to it was written.
    pub fn highest_inbound(&self) -> Result<i64, Error> {
        let path = self.layout.inbound();
        self.inbound(|connection| {
            connection
                .query_row("SELECT coalesce(max(seq), 0) FROM messages", [], |row| {
                    row.get(0)
                })
                .map_err(Error::sql(&path, "read"))
        })
    }

    /// The rows after `seq`, in order, at most `limit`.
    pub fn rows_after(&self, seq: i64, limit: u32) -> Result<Vec<FileRow>, Error> {
        let path = self.layout.inbound();
        let failed = Error::sql(&path, "read");
        self.inbound(|connection| {
            let mut statement = connection
                .prepare(
                    "SELECT seq, channel, chat, thread, platform_id, triggers, tries, due_at,
                         created_at, fresh_only, kind, version, payload, status = 'open'
                     FROM messages WHERE seq > ?1 ORDER BY seq LIMIT ?2",
                )
                .map_err(&failed)?;
            statement
                .query_map(params![seq, limit], parse)
                .and_then(Iterator::collect)
                .map_err(&failed)
        })
    }

    /// Writes the files that come with message `seq`, durable with every folder above them when this
    /// returns; what the message says of them. `owner` is as for [`HostSide::create`].
    pub fn store_files(
        &self,
        seq: Seq,
        attachments: &[Attachment],
        owner: Option<(u32, u32)>,
    ) -> Result<Vec<InboxFile>, Error> {
        if attachments.is_empty() {
            return Ok(Vec::new());
        }
        self.layout.create(owner)?;
        let files = inbox::store_files(&self.layout, seq, attachments)?;
        self.sync_folders()?;
        Ok(files)
    }

    /// Makes the session's folders durable.
    pub fn sync_folders(&self) -> Result<(), Error> {
        let parent = self.root.parent();
        for dir in [Some(self.layout.in_dir.as_path()), Some(&self.root), parent] {
            dir.map_or(Ok(()), sync_dir)?;
        }
        Ok(())
    }
}

/// An `inbound.db` that is being made anew, beside the one that is there if there is one.
#[derive(Debug)]
pub struct Rebuild {
    side: HostSide,
    connection: Connection,
}

impl Rebuild {
    /// Begins with an empty file, in the session's folders, which are made if they are not there.
    /// What an earlier call left is gone.
    pub fn begin(side: HostSide, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        side.layout.create(owner)?;
        for companion in COMPANIONS {
            remove(&making(&side.layout, companion))?;
        }
        let connection = open::inbound_new(&making(&side.layout, ""))?;
        Ok(Self { side, connection })
    }

    /// Adds rows.
    pub fn add(&mut self, rows: &[JournalRow]) -> Result<(), Error> {
        let failed = Error::sql(&making(&self.side.layout, ""), "make anew");
        let transaction = self.connection.transaction().map_err(&failed)?;
        for row in rows {
            insert(&transaction, row).map_err(&failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// Puts the new file in the place of the old one. `replied` is the highest request of the
    /// sandbox's that was answered, and what is said to whoever still waits for that answer.
    pub fn finish(
        self,
        settings: Option<&Settings>,
        replied: Option<(i64, &str)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Self { side, connection } = self;
        let path = making(&side.layout, "");
        let failed = Error::sql(&path, "make anew");
        if let Some(settings) = settings {
            put_settings(&connection, &path, settings)?;
        }
        if let Some((id, reply)) = replied {
            connection
                .execute(
                    "INSERT INTO replies (request_id, reply, created_at) VALUES (?1, ?2, ?3)",
                    params![id, reply, now.as_millisecond()],
                )
                .map_err(&failed)?;
        }
        connection.close().map_err(|(_, source)| failed(source))?;
        // Whatever the umask: the sandbox's user has to read it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))
            .map_err(Error::io(&path, "set the mode of"))?;
        // An old file's journal would be rolled back into the new one.
        remove(&side.layout.in_dir.join(format!("{INBOUND}-journal")))?;
        fs::rename(&path, side.layout.inbound()).map_err(Error::io(&path, "put in place"))
    }
}

fn making(layout: &Layout, companion: &str) -> Utf8PathBuf {
    layout.in_dir.join(format!("{MAKING}{companion}"))
}

fn remove(path: &camino::Utf8Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(path, "remove")(failure))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Inserts a row; `false` if something with its number or its platform id is there.
fn insert(transaction: &Transaction<'_>, row: &JournalRow) -> Result<bool, rusqlite::Error> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO messages (seq, channel, chat, thread, platform_id, triggers, status, tries,
             due_at, kind, version, payload, created_at, fresh_only)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT DO NOTHING",
    )?;
    let inserted = statement.execute(params![
        row.seq.get(),
        row.address.channel.as_str(),
        row.address.chat.as_str(),
        row.address.thread.as_ref().map(ThreadId::as_str),
        row.platform_id.as_str(),
        row.triggers,
        row.tries,
        row.due_at.as_millisecond(),
        row.body.kind,
        row.body.version,
        row.body.payload,
        row.created_at.as_millisecond(),
        row.fresh_only.map(|generation| generation.0),
    ])?;
    Ok(inserted > 0)
}

/// Is it this very row that is there?
fn is_there(transaction: &Transaction<'_>, row: &JournalRow) -> Result<bool, rusqlite::Error> {
    transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM messages
         WHERE seq = ?1 AND channel = ?2 AND chat = ?3 AND platform_id = ?4)",
        params![
            row.seq.get(),
            row.address.channel.as_str(),
            row.address.chat.as_str(),
            row.platform_id.as_str(),
        ],
        |found| found.get(0),
    )
}

fn parse(row: &Row<'_>) -> Result<FileRow, rusqlite::Error> {
    let text = |index: usize| row.get::<_, String>(index);
    let raw: i64 = row.get(0)?;
    let time = |index: usize| {
        let ms: i64 = row.get(index)?;
        Timestamp::from_millisecond(ms)
            .map_err(|_out_of_range| rusqlite::Error::IntegralValueOutOfRange(index, ms))
    };
    Ok(FileRow {
        row: JournalRow {
            seq: Seq::new(raw).ok_or(rusqlite::Error::IntegralValueOutOfRange(0, raw))?,
            address: Address {
                channel: ChannelName::parse(&text(1)?).map_err(bad(1))?,
                chat: ChatId::parse(&text(2)?).map_err(bad(2))?,
                thread: row
                    .get::<_, Option<String>>(3)?
                    .map(|thread| ThreadId::parse(&thread).map_err(bad(3)))
                    .transpose()?,
            },
            platform_id: PlatformMessageId::parse(&text(4)?).map_err(bad(4))?,
            triggers: row.get(5)?,
            tries: row.get(6)?,
            due_at: time(7)?,
            created_at: time(8)?,
            fresh_only: row.get::<_, Option<u32>>(9)?.map(Generation),
            body: Body {
                kind: text(10)?,
                version: row.get(11)?,
                payload: text(12)?,
            },
        },
        open: row.get(13)?,
    })
}

fn bad(index: usize) -> impl Fn(IdError) -> rusqlite::Error {
    move |source| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(index, kind, Box::new(source))
    }
}
