//! How each side opens each file. Nothing else in the project opens a session file.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that opens session files"
)]

use std::{
    fs,
    io::{self, Read},
    sync::LazyLock,
    time::Duration,
};

use camino::Utf8Path;
use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};

use crate::{
    Error,
    kept::{FileId, Looked},
    layout::{Found, Layout, OUTBOUND, open_dir, open_plain},
    schema,
};

/// The largest `outbound.db` that the host reads.
const OUTBOUND_LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// How long a side waits for the other's lock before it says "later".
const BUSY: Duration = Duration::from_millis(250);
/// Work that one reading of a hostile file may cost, in units of 1,000 SQLite instructions.
const WORK_LIMIT: u32 = 20_000;

/// The host makes a new `inbound.db`.
pub(crate) fn inbound_new(path: &Utf8Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    writable(path, flags, ("DELETE", "OFF"), schema::INBOUND)
}

/// Which file the host's `inbound.db` is. One that is not there, or has nothing in it, is
/// [`Error::Absent`]: it has to be made anew from the journal.
pub(crate) fn inbound_look(path: &Utf8Path) -> Result<Looked, Error> {
    let absent = || Error::Absent {
        path: path.to_owned(),
    };
    match fs::symlink_metadata(path) {
        Ok(found) if found.len() > 0 => Ok(Looked::There(FileId::from(&found))),
        Ok(_empty) => Err(absent()),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Err(absent()),
        Err(failure) => Err(Error::io(path, "look at")(failure)),
    }
}

/// The host writes `inbound.db`, and migrates it. [`inbound_look`] comes first.
pub(crate) fn inbound_rw(path: &Utf8Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    // A journal that stays costs less than one that is made anew; what was in it does not stay.
    writable(path, flags, ("TRUNCATE", "OFF"), schema::INBOUND)
}

/// The runner writes `outbound.db`; makes and migrates it.
pub(crate) fn outbound_rw(path: &Utf8Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    writable(path, flags, ("DELETE", "NORMAL"), schema::OUTBOUND)
}

/// The runner reads `inbound.db` through its read-only mount. Opened anew for each reading: over
/// some mounts an open file does not see what the host wrote since.
pub(crate) fn inbound_ro(path: &Utf8Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found = schema::version(&connection).map_err(Error::sql(path, "read the version"))?;
    if found == schema::VERSION {
        return Ok(connection);
    }
    Err(Error::TooNew {
        path: path.to_owned(),
        found,
        known: schema::VERSION,
    })
}

/// A backup reads `inbound.db`, of whichever version it is.
pub(crate) fn any_ro(path: &Utf8Path) -> Result<Connection, Error> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// The host reads the hostile `outbound.db`. [`outbound_look`] comes first.
pub(crate) fn outbound_hostile_ro(path: &Utf8Path) -> Result<Connection, Error> {
    outbound_hostile(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// The host repairs the hostile `outbound.db` of a sandbox that is proven gone; `None` if there is
/// none.
pub(crate) fn outbound_hostile_rw(layout: &Layout) -> Result<Option<Connection>, Error> {
    refuse_super_journal(layout)?;
    match outbound_look(layout)? {
        Looked::Absent => Ok(None),
        Looked::There(_file) => {
            outbound_hostile(&layout.outbound(), OpenFlags::SQLITE_OPEN_READ_WRITE).map(Some)
        }
    }
}

/// Which file the hostile `outbound.db` is; absent if nothing was committed to it yet. Refuses what
/// SQLite must not be given.
pub(crate) fn outbound_look(layout: &Layout) -> Result<Looked, Error> {
    let path = layout.outbound();
    let dir = open_dir(&layout.out_dir)?;
    let mut file = match open_plain(&dir, &layout.out_dir, OUTBOUND, OUTBOUND_LIMIT_BYTES)? {
        Found::Absent => return Ok(Looked::Absent),
        Found::Plain(file) => file,
    };
    for companion in ["outbound.db-journal", "outbound.db-wal", "outbound.db-shm"] {
        // Refuses what is no plain file: SQLite would open it, and a pipe would block it.
        open_plain(&dir, &layout.out_dir, companion, OUTBOUND_LIMIT_BYTES)?;
    }
    let found = file.metadata().map_err(Error::io(&path, "look at"))?;
    if found.len() == 0 {
        // Its writer has not committed yet.
        return Ok(Looked::Absent);
    }
    // What is shorter than a header keeps its zeros, and is refused below.
    let mut header = [0_u8; 20];
    if found.len() >= 20 {
        file.read_exact(&mut header)
            .map_err(Error::io(&path, "read"))?;
    }
    // Bytes 18 and 19 say 2 for a WAL file (<https://sqlite.org/fileformat.html#the_database_header>).
    if header.get(18..20) != Some(&[1, 1]) {
        return Err(Error::hostile(
            &path,
            "it is no SQLite file with a rollback journal",
        ));
    }
    Ok(Looked::There(FileId::from(&found)))
}

fn outbound_hostile(path: &Utf8Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = open(path, flags)?;
    harden(&connection).map_err(Error::sql(path, "guard"))?;
    check_hostile(&connection, path)?;
    Ok(connection)
}

/// What a hostile file has to pass each time that it is read, over whichever connection.
pub(crate) fn check_hostile(connection: &Connection, path: &Utf8Path) -> Result<(), Error> {
    bound_work(connection).map_err(Error::sql(path, "guard"))?;
    check_schema(connection, path)
}

/// A rollback journal can name a second journal that SQLite then opens, and deletes, wherever it is.
/// Ours never does, so one that does was forged (<https://sqlite.org/fileformat.html#the_rollback_journal>).
fn refuse_super_journal(layout: &Layout) -> Result<(), Error> {
    const MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let path = layout.out_dir.join("outbound.db-journal");
    let dir = open_dir(&layout.out_dir)?;
    let found = open_plain(
        &dir,
        &layout.out_dir,
        "outbound.db-journal",
        OUTBOUND_LIMIT_BYTES,
    )?;
    let Found::Plain(file) = found else {
        return Ok(());
    };
    let len = file.metadata().map_err(Error::io(&path, "look at"))?.len();
    let Some(tail_at) = len.checked_sub(8) else {
        return Ok(());
    };
    let mut tail = [0_u8; 8];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut tail, tail_at)
        .map_err(Error::io(&path, "read"))?;
    if tail == MAGIC && tail_at > 0 {
        return Err(Error::hostile(&path, "it names another journal"));
    }
    Ok(())
}

/// Opens for writing, with what becomes of its journal and when it is synced: with `OFF` never, since
/// it can be made anew; it still survives the death of the process.
fn writable(
    path: &Utf8Path,
    flags: OpenFlags,
    (journal, synchronous): (&str, &str),
    steps: &[&[&str]],
) -> Result<Connection, Error> {
    let mut connection = open(path, flags)?;
    connection
        .pragma_update_and_check(None, "journal_mode", journal, |_| Ok(()))
        .and_then(|()| connection.pragma_update(None, "synchronous", synchronous))
        .map_err(Error::sql(path, "set up"))?;
    match schema::migrate(&mut connection, steps).map_err(Error::sql(path, "migrate"))? {
        Ok(()) => Ok(connection),
        Err(found) => Err(Error::TooNew {
            path: path.to_owned(),
            found,
            known: schema::VERSION,
        }),
    }
}

fn open(path: &Utf8Path, flags: OpenFlags) -> Result<Connection, Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags).map_err(Error::sql(path, "open"))?;
    connection
        .busy_timeout(BUSY)
        .and_then(|()| connection.pragma_update(None, "mmap_size", 0))
        // Else a statement with a bound LIMIT is compiled anew each time.
        .and_then(|()| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true))
        .map_err(Error::sql(path, "set up"))?;
    Ok(connection)
}

/// Takes from a connection everything that a forged file could use against its reader.
fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, 4 * 1024 * 1024),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 * 1024),
        (Limit::SQLITE_LIMIT_COLUMN, 32),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 64),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 4),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "cache_size", -256)
}

/// Bounds the work of one reading, counted from here.
fn bound_work(connection: &Connection) -> Result<(), rusqlite::Error> {
    let mut work = 0_u32;
    connection.progress_handler(
        1_000,
        Some(move || {
            work = work.saturating_add(1);
            work > WORK_LIMIT
        }),
    )
}

/// The file must have exactly the tables that an agent-runner makes, letter for letter: then no
/// view, trigger, generated column or missing key can stand where a plain table is expected.
fn check_schema(connection: &Connection, path: &Utf8Path) -> Result<(), Error> {
    let found = schema::version(connection).map_err(Error::sql(path, "read the version"))?;
    // A sandbox that outlived an update of the host still writes the version it began with.
    let expected = usize::try_from(found)
        .ok()
        .and_then(|version| version.checked_sub(1))
        .and_then(|at| EXPECTED.get(at));
    let Some(expected) = expected else {
        return Err(Error::hostile(
            path,
            format!("it has schema version {found}"),
        ));
    };
    let mut statement = connection
        .prepare_cached("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL LIMIT 64")
        .map_err(Error::sql(path, "read the schema"))?;
    let mut present = statement
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(Error::sql(path, "read the schema"))?;
    for sql in &mut present {
        *sql = normal(sql);
    }
    present.sort();
    if present == *expected {
        return Ok(());
    }
    Err(Error::hostile(
        path,
        "its tables are not those of an agent-runner",
    ))
}

/// What an `outbound.db` of each version consists of, as it is compared.
static EXPECTED: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let versions = schema::OUTBOUND_TABLES.iter();
    let sorted = versions.map(|tables| {
        let mut tables: Vec<String> = tables.iter().map(|sql| normal(sql)).collect();
        tables.sort();
        tables
    });
    sorted.collect()
});

fn normal(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
