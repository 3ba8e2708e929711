//! Requests of the administration command inside the sandbox, and the host's replies.
//!
//! A request is a row of `outbound.db`, its reply the row of `inbound.db` with the same number. The
//! host keeps no place of its own: what is above its last reply is open.

use anchorhold_core::order::JUMP_LIMIT;
use camino::Utf8Path;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{
    Error, HostSide, Seq, bell,
    layout::{INBOUND, Layout},
    open,
    pull::BEYOND,
    schema,
};

/// The longest request that is taken from a sandbox, in bytes.
pub const REQUEST_LIMIT_BYTES: usize = 64 * 1024;
/// The longest reply, in bytes.
pub const REPLY_LIMIT_BYTES: usize = 1024 * 1024;
/// So many replies are kept, the newest.
const REPLIES_LIMIT: u32 = 100;

/// One session's files, as the administration command in the sandbox handles them. It can work
/// beside the agent-runner, in a process of its own. Every call blocks on the disk.
#[derive(Debug)]
pub struct Requests {
    layout: Layout,
    outbound: Connection,
}

impl Requests {
    /// Opens the files of the sandbox that this process is in.
    pub fn open(in_dir: &Utf8Path, out_dir: &Utf8Path) -> Result<Self, Error> {
        let layout = Layout {
            in_dir: in_dir.to_owned(),
            out_dir: out_dir.to_owned(),
        };
        let outbound = open::outbound_rw(&layout.outbound())?;
        Ok(Self { layout, outbound })
    }

    /// Asks the host for something, in JSON of at most [`REQUEST_LIMIT_BYTES`], and gives the number
    /// that its reply will have. Not idempotent: each call is a request of its own.
    pub fn ask(&mut self, request: &str, now: Timestamp) -> Result<i64, Error> {
        ask(&self.layout, &mut self.outbound, request, now)
    }

    /// The host's reply to request `id`; `None` as long as there is none, or it can't be read yet.
    pub fn reply(&self, id: i64) -> Result<Option<String>, Error> {
        reply(&self.layout, id)
    }
}

/// Writes a request; see [`Requests::ask`].
pub(crate) fn ask(
    layout: &Layout,
    outbound: &mut Connection,
    request: &str,
    now: Timestamp,
) -> Result<i64, Error> {
    check_len("request", request, REQUEST_LIMIT_BYTES)?;
    let path = layout.outbound();
    let failed = Error::sql(&path, "ask the host");
    let inbound_path = layout.in_dir.join(INBOUND);
    let inbound = open::inbound_ro(&inbound_path)?;
    let transaction = outbound
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    // Above the replies too: a file that was made anew must not use their numbers again.
    let replied = last_reply(&inbound).map_err(Error::sql(&inbound_path, "read"))?;
    transaction
        .execute("DELETE FROM requests WHERE id <= ?1", [replied])
        .map_err(&failed)?;
    let own: i64 = transaction
        .query_row("SELECT coalesce(max(id), 0) FROM requests", [], |row| {
            row.get(0)
        })
        .map_err(&failed)?;
    let id = own.max(replied).saturating_add(1);
    transaction
        .execute(
            "INSERT INTO requests (id, request, created_at) VALUES (?1, ?2, ?3)",
            params![id, request, now.as_millisecond()],
        )
        .map_err(&failed)?;
    transaction.commit().map_err(&failed)?;
    // silent: a host that does not listen looks by itself
    bell::ring(&layout.in_dir);
    Ok(id)
}

/// Reads a reply; see [`Requests::reply`].
pub(crate) fn reply(layout: &Layout, id: i64) -> Result<Option<String>, Error> {
    let path = layout.in_dir.join(INBOUND);
    let found = open::inbound_ro(&path).and_then(|inbound| {
        inbound
            .query_row(
                "SELECT reply FROM replies WHERE request_id = ?1",
                [id],
                |row| row.get(0),
            )
            .optional()
            .map_err(Error::sql(&path, "read"))
    });
    match found {
        Err(error) if error.is_later() => Ok(None),
        found => found,
    }
}

/// One request from a sandbox. What it says is as hostile as the rest of the file.
#[derive(Clone, PartialEq, Eq)]
pub struct AdminRequestRow {
    /// Its number, which its reply carries.
    pub id: i64,
    /// What is asked for: text of at most [`REQUEST_LIMIT_BYTES`], not checked to be JSON.
    pub request: String,
}

impl std::fmt::Debug for AdminRequestRow {
    /// What a request says never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdminRequestRow")
            .field("id", &self.id)
            .field("request_bytes", &self.request.len())
            .finish()
    }
}

impl HostSide {
    /// What was asked after request `cursor`, in order, at most `limit`. An absent file, and one of
    /// an agent-runner that knows no requests, has none. `cursor` is [`HostSide::last_reply`].
    ///
    /// What is too long or no text is passed over: no administration command writes it. Numbers
    /// that no sandbox can have come to make the file hostile, once nothing good is before them.
    pub fn requests_after(&self, cursor: i64, limit: u32) -> Result<Vec<AdminRequestRow>, Error> {
        let path = self.layout.outbound();
        let failed = Error::sql(&path, "read the requests");
        let found = self.outbound(|connection| {
            if !has_requests(connection).map_err(&failed)? {
                return Ok(Vec::new());
            }
            let snapshot = connection.transaction().map_err(&failed)?;
            let found = read(&snapshot, cursor, limit).map_err(&failed)?;
            if found.is_empty() && beyond(&snapshot, cursor).map_err(&failed)? {
                return Err(Error::hostile(&path, BEYOND));
            }
            Ok(found)
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Replies to request `id`. The first reply to a request counts: another one changes nothing.
    /// Only the newest hundred are kept.
    pub fn reply(&self, id: i64, reply: &str, now: Timestamp) -> Result<(), Error> {
        check_len("reply", reply, REPLY_LIMIT_BYTES)?;
        self.write("reply", |transaction| {
            transaction.execute(
                "INSERT OR IGNORE INTO replies (request_id, reply, created_at) VALUES (?1, ?2, ?3)",
                params![id, reply, now.as_millisecond()],
            )?;
            transaction.execute(
                "DELETE FROM replies WHERE request_id <= (SELECT request_id FROM replies
                 ORDER BY request_id DESC LIMIT 1 OFFSET ?1)",
                [REPLIES_LIMIT],
            )?;
            Ok(())
        })
    }

    /// The highest request that has a reply, or 0: the ones above it are open.
    pub fn last_reply(&self) -> Result<i64, Error> {
        let path = self.layout.inbound();
        self.inbound(|connection| {
            last_reply(connection).map_err(Error::sql(&path, "read the replies"))
        })
    }
}

/// Has a hostile file requests with numbers above what can be reached from `cursor`?
pub(crate) fn exceeded(connection: &Connection, cursor: i64) -> Result<bool, rusqlite::Error> {
    Ok(has_requests(connection)? && beyond(connection, cursor)?)
}

fn has_requests(connection: &Connection) -> Result<bool, rusqlite::Error> {
    Ok(schema::version(connection)? >= schema::REQUESTS_SINCE)
}

fn ceiling(cursor: i64) -> i64 {
    cursor.saturating_add(JUMP_LIMIT).min(Seq::MAX)
}

fn beyond(connection: &Connection, cursor: i64) -> Result<bool, rusqlite::Error> {
    connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM requests WHERE id > ?1)",
        [ceiling(cursor)],
        |row| row.get(0),
    )
}

fn read(
    connection: &Connection,
    cursor: i64,
    limit: u32,
) -> Result<Vec<AdminRequestRow>, rusqlite::Error> {
    let mut statement = connection.prepare(
        "SELECT id, request FROM requests WHERE id > ?1 AND id <= ?2
         AND typeof(request) = 'text' AND octet_length(request) <= ?3 ORDER BY id",
    )?;
    let mut rows = statement.query(params![
        cursor.max(0),
        ceiling(cursor),
        i64::try_from(REQUEST_LIMIT_BYTES).unwrap_or(i64::MAX)
    ])?;
    let mut found: Vec<AdminRequestRow> = Vec::new();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    // Passing over costs work too, of which a hostile file has a limited amount.
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let id: i64 = row.get(0)?;
        // A forged tree can give numbers out of order, or one twice.
        let is_next = found.last().map_or(cursor, |last| last.id) < id;
        if is_next && let Ok(request) = row.get_ref(1)?.as_str() {
            let request = request.to_owned();
            found.push(AdminRequestRow { id, request });
        }
    }
    Ok(found)
}

fn last_reply(inbound: &Connection) -> Result<i64, rusqlite::Error> {
    inbound.query_row(
        "SELECT coalesce(max(request_id), 0) FROM replies",
        [],
        |row| row.get(0),
    )
}

fn check_len(what: &'static str, text: &str, limit: usize) -> Result<(), Error> {
    if text.len() <= limit {
        return Ok(());
    }
    Err(Error::TooLong {
        what,
        len: text.len(),
        limit,
    })
}
