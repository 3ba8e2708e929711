//! Opening, closing and checking the database file.

pub(crate) mod memo;
mod upgrade;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use anchorhold_core::ids::InstallId;
use jiff::Timestamp;
use sqlx::{
    Connection, Row, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::Migrator,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    error::Error,
    store::memo::{Changing, Memos},
};

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// How long a statement waits for another process, e.g. a backup, that holds the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a call waits for a connection: far longer than any queue of short transactions.
const ACQUIRE_TIMEOUT: Duration = Duration::from_mins(1);
/// Readers never wait for the writer, so two are enough for a listing beside the data path.
const READERS: u32 = 2;
/// A log of so many pages is folded in by the commit that meets it, at the cost of syncs on the path
/// of a message. [`Store::fold_log`] keeps it from coming to that.
const LOG_PAGES_LIMIT: &str = "10000";
/// The most problems that [`Store::health`] reports.
const PROBLEMS_LIMIT: usize = 20;

/// The open central database. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    path: PathBuf,
    pace: Option<Paced>,
    pub(crate) memos: Arc<Memos>,
}

/// Decides when a call may use a connection.
///
/// The threads that SQLite runs on here are nobody else's, so a process that lives in virtual time
/// has no other means to know that work is under way, and to let one thing happen after the other.
/// Programs that live in real time need none.
pub trait Pace: Send + Sync + 'static {
    /// Returns when the call may begin; it is over when what this returns is dropped.
    fn begin(&self) -> Turn;
}

/// A call's wait for its turn, and then the turn.
pub type Turn = Pin<Box<dyn Future<Output = Box<dyn Send + Sync>> + Send>>;

#[derive(Clone)]
struct Paced(Arc<dyn Pace>);

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").finish_non_exhaustive()
    }
}

/// A connection that one call uses.
pub(crate) struct Conn {
    pooled: PoolConnection<Sqlite>,
    /// Ends after the connection's last call.
    changing: Option<Changing>,
    /// Given back after the connection.
    _turn: Option<Box<dyn Send + Sync>>,
}

/// The writing connection for the custody of messages.
pub(crate) struct Custody {
    conn: Conn,
    durability: Durability,
}

impl Deref for Conn {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.pooled
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.pooled
    }
}

/// What `doctor` wants to know about the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The number of the latest migration that was applied.
    pub schema_version: i64,
    /// The version of SQLite that is linked in.
    pub sqlite_version: String,
    /// The journal mode that is in force; `wal` is right.
    pub journal_mode: String,
    /// What SQLite's own checks found, in its words; empty is right.
    pub problems: Vec<String>,
}

/// What a commit has to survive before it returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The death of this process.
    Process,
    /// The loss of power.
    Power,
}

impl Store {
    /// Opens the database at `path`, makes it if it is not there, and brings its schema up to date.
    ///
    /// The folder must exist. A database of an older schema is copied first, beside itself, and then
    /// migrated as a whole or not at all; one of a newer schema is refused and left alone. Two
    /// processes must not open a database that has to be migrated at the same time: the later one
    /// would fail, and changes nothing.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        Self::open_paced(path, None).await
    }

    /// The same, with calls that wait for their turn.
    pub async fn open_paced(path: &Path, pace: Option<Arc<dyn Pace>>) -> Result<Self, Error> {
        let pace = pace.map(Paced);
        let _turn = turn(pace.as_ref()).await;
        let failed = |source| Error::Open {
            path: path.to_owned(),
            source,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writing = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", LOG_PAGES_LIMIT)
            .synchronous(SqliteSynchronous::Normal);
        let writer = pool(1).connect_with(writing).await.map_err(failed)?;
        let mut conn = writer.acquire().await.map_err(failed)?;
        upgrade::bring_up_to_date(&mut conn, path, &MIGRATIONS).await?;
        drop(conn);
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(failed)?;
        Ok(Self {
            writer,
            readers,
            path: path.to_owned(),
            pace,
            memos: Arc::default(),
        })
    }

    /// Opens the database only to look at it, beside a host that may be running: makes, migrates and
    /// changes nothing. Calls that write fail.
    pub async fn open_reading(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(BUSY_TIMEOUT)
            .read_only(true);
        let readers = pool(READERS)
            .connect_with(options)
            .await
            .map_err(|source| Error::Open {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            writer: readers.clone(),
            readers,
            path: path.to_owned(),
            pace: None,
            memos: Arc::default(),
        })
    }

    /// Folds the write-ahead log into the file, as far as no reader needs it. To be called now and
    /// then, off the path of messages; costs nothing where nothing was written since.
    pub async fn fold_log(&self) -> Result<(), Error> {
        let failed = |source| Error::FoldLog { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Waits for the calls that run, then closes the file. Every clone is closed with it.
    pub async fn close(&self) {
        let _turn = turn(self.pace.as_ref()).await;
        // The writer goes last: the last connection to close folds the log into the file.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The id of this installation; `fresh` becomes it if there is none yet.
    pub async fn install_id(&self, fresh: InstallId, now: Timestamp) -> Result<InstallId, Error> {
        let failed = |source| Error::InstallId { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO install (single, id, created_at) VALUES (1, ?1, ?2)
             ON CONFLICT (single) DO NOTHING",
        )
        .bind(fresh.to_string())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        let row = sqlx::query("SELECT id FROM install WHERE single = 1")
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
        crate::rows::Fields::new("install", &row)
            .parsed("id", InstallId::parse)
            .map_err(failed)
    }

    /// Gives the installation another id, since a copy is not the one it was copied from; no file of a
    /// session counts as written by it.
    pub async fn renew_install_id(&self, id: InstallId) -> Result<(), Error> {
        let failed = |source| Error::InstallId { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("UPDATE install SET id = ?1, boot_id = NULL WHERE single = 1")
            .bind(id.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Writes a copy of the database as it is at one moment to `to`, which must not be there. Nobody
    /// who reads or writes waits for it.
    pub async fn copy_to(&self, to: &Path) -> Result<(), Error> {
        let failed = |source| Error::KeepCopy {
            path: to.to_owned(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        upgrade::copy(&mut conn, to).await.map_err(failed)
    }

    /// The schema that this program makes.
    pub fn newest_schema() -> i64 {
        let versions = MIGRATIONS.iter().map(|migration| migration.version);
        versions.max().unwrap_or_default()
    }

    /// Lets SQLite check the whole file. Reads all of it: for `doctor`, not for the data path.
    pub async fn health(&self) -> Result<Health, Error> {
        self.health_inner()
            .await
            .map_err(|source| Error::Health { source })
    }

    async fn health_inner(&self) -> sqlx::Result<Health> {
        let mut conn = self.reader().await?;
        let schema_version =
            sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
                .fetch_one(&mut *conn)
                .await?;
        let sqlite_version = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&mut *conn)
            .await?;
        let journal_mode = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&mut *conn)
            .await?;
        let mut problems: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&mut *conn)
            .await?;
        problems.retain(|line| line != "ok");
        let dangling = sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(&mut *conn)
            .await?;
        for row in dangling.iter().take(PROBLEMS_LIMIT) {
            let table: String = row.try_get(0)?;
            let parent: String = row.try_get(2)?;
            problems.push(format!("a row of {table} points to no row of {parent}"));
        }
        Ok(Health {
            schema_version,
            sqlite_version,
            journal_mode,
            problems,
        })
    }

    /// The writing connection, to be had by one call at a time, set to what its commits survive.
    pub(crate) async fn writer(&self, durability: Durability) -> sqlx::Result<Conn> {
        let mut conn = self.conn(&self.writer).await?;
        conn.changing = Some(self.memos.changes.begin());
        // Set each time rather than set back: a call that is cancelled leaves nothing behind.
        let pragma = match durability {
            Durability::Process => "PRAGMA synchronous = NORMAL",
            Durability::Power => "PRAGMA synchronous = FULL",
        };
        sqlx::query(pragma).execute(&mut *conn).await?;
        Ok(conn)
    }

    /// The same for the custody of messages alone: for a transaction that changes nothing of what
    /// is kept in [`Memos`]. It begins with [`Custody::begin`].
    pub(crate) async fn custody(&self, durability: Durability) -> sqlx::Result<Custody> {
        let conn = self.conn(&self.writer).await?;
        Ok(Custody { conn, durability })
    }

    /// A connection that only reads; it sees everything that is committed.
    pub(crate) async fn reader(&self) -> sqlx::Result<Conn> {
        self.conn(&self.readers).await
    }

    async fn conn(&self, pool: &SqlitePool) -> sqlx::Result<Conn> {
        let turn = turn(self.pace.as_ref()).await;
        let mut conn = pool.acquire().await?;
        // SQLite ends a transaction itself where the disk fails it. Then its rollback fails, too, and
        // sqlx takes the connection for one in mid-transaction for ever: no call could use it again.
        for _ in 0..=READERS {
            if !conn.is_in_transaction() {
                break;
            }
            conn.close().await?;
            conn = pool.acquire().await?;
        }
        Ok(Conn {
            pooled: conn,
            changing: None,
            _turn: turn,
        })
    }
}

impl Custody {
    /// Begins the transaction, as [`begin`] does, with what its commit survives: one call of SQLite's
    /// thread, since each costs more than what most of them do.
    pub(crate) async fn begin(&mut self) -> sqlx::Result<Transaction<'_, Sqlite>> {
        let statement = match self.durability {
            Durability::Process => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            Durability::Power => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        };
        self.conn.begin_with(statement).await
    }
}

async fn turn(pace: Option<&Paced>) -> Option<Box<dyn Send + Sync>> {
    match pace {
        Some(Paced(pace)) => Some(pace.begin().await),
        None => None,
    }
}

/// Begins a transaction that writes. It takes the lock at once: one that began as a reader could
/// be refused half way. Dropping it rolls it back.
pub(crate) async fn begin(conn: &mut SqliteConnection) -> sqlx::Result<Transaction<'_, Sqlite>> {
    conn.begin_with("BEGIN IMMEDIATE").await
}

/// A pool whose connections stay: an idle one costs nothing, a new one costs its settings.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

#[cfg(test)]
mod tests;
