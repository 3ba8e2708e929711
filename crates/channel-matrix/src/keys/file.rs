//! The file that keys last in: rows of a kind, a key and a value, written in one transaction each.
//!
//! One connection has the file for itself, so a second process is refused instead of letting two of
//! them count the same ratchets.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use camino::Utf8Path;
use rusqlite::{Connection, ErrorCode};

use crate::blocking;

/// How long an earlier run of this process may take to let go of the file.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// Why the file can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The folder or the file can't be made.
    #[error("the keys' file can't be made")]
    Make(#[source] io::Error),
    /// Somebody else has it open.
    #[error("another process uses the keys")]
    InUse,
    /// SQLite says no.
    #[error("the keys' file failed")]
    Sqlite(#[source] rusqlite::Error),
    /// The task that does the work ended.
    #[error("the work on the keys' file was cut off")]
    CutOff,
}

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            Some(_) | None => Self::Sqlite(error),
        }
    }
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: String,
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
}

/// What becomes of rows.
#[derive(Debug)]
pub(crate) enum Write {
    /// It is there from now on.
    Put(Row),
    /// It is gone, if it was there.
    Remove { kind: &'static str, key: String },
    /// All of a kind whose key begins so are gone.
    Clear { kind: &'static str, begin: String },
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    connection: Arc<Mutex<Connection>>,
}

impl File {
    /// Opens the file, made if need be, for its owner alone.
    pub(crate) async fn open(path: &Utf8Path) -> Result<Self, FileError> {
        let path = path.to_owned();
        let connection = blocking(move || open(&path)).await?;
        let connection = Arc::new(Mutex::new(connection));
        Ok(Self { connection })
    }

    /// All rows.
    pub(crate) async fn all(&self) -> Result<Vec<Row>, FileError> {
        self.with(|connection| {
            let mut statement = connection.prepare("SELECT kind, key, value FROM kept")?;
            let rows = statement.query_map([], |row| {
                Ok(Row {
                    kind: row.get(0)?,
                    key: row.get(1)?,
                    value: row.get(2)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// Writes all of it or none, and returns once it lasts.
    pub(crate) async fn write(&self, writes: Vec<Write>) -> Result<(), FileError> {
        if writes.is_empty() {
            return Ok(());
        }
        self.with(move |connection| {
            let transaction = connection.transaction()?;
            for write in writes {
                match write {
                    Write::Put(Row { kind, key, value }) => transaction.execute(
                        "INSERT OR REPLACE INTO kept (kind, key, value) VALUES (?1, ?2, ?3)",
                        (kind, key, value),
                    )?,
                    Write::Remove { kind, key } => transaction
                        .execute("DELETE FROM kept WHERE kind = ?1 AND key = ?2", (kind, key))?,
                    Write::Clear { kind, begin } => transaction.execute(
                        "DELETE FROM kept WHERE kind = ?1 AND substr(key, 1, length(?2)) = ?2",
                        (kind, begin),
                    )?,
                };
            }
            transaction.commit()
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, FileError> {
        let connection = Arc::clone(&self.connection);
        blocking(move || {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut connection).map_err(FileError::from)
        })
        .await
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this file is no session's, and only this crate opens it"
)]
fn open(path: &Utf8Path) -> Result<Connection, FileError> {
    if let Some(folder) = path.parent() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(folder).map_err(FileError::Make)?;
    }
    // Made before SQLite does, whose log takes over who may read it.
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    drop(options.open(path).map_err(FileError::Make)?);
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // A ratchet that was used and is forgotten would be used again.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(
        "BEGIN EXCLUSIVE;
         CREATE TABLE IF NOT EXISTS kept (
             kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
         ) STRICT, WITHOUT ROWID;
         COMMIT;",
    )?;
    Ok(connection)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    blocking::run(work).await.unwrap_or(Err(FileError::CutOff))
}
