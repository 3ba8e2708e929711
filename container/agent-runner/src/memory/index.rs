//! The index: `SQLite` with full text search.

use std::{collections::HashMap, fs::File, io::Read, os::unix::fs::MetadataExt, time::Duration};

use camino::Utf8Path;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use crate::memory::{Hit, files, pieces::pieces};

/// The most of one file that is searched, in bytes.
const FILE_LIMIT_BYTES: u64 = 4 * 1024 * 1024;
/// How long other sandboxes of the same workspace may hold it.
const BUSY: Duration = Duration::from_secs(10);
/// The most words of one search.
const WORDS_LIMIT: usize = 32;
/// How much of a piece is shown, in words.
const SHOWN_WORDS: u32 = 60;
/// Which tables it has; another number means that it is made anew.
const VERSION: i32 = 1;

const TABLES: &str = "
    CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL) STRICT;
    CREATE VIRTUAL TABLE pieces USING fts5 (
        text, path UNINDEXED, line UNINDEXED, tokenize = 'unicode61 remove_diacritics 2');
    PRAGMA user_version = 1;";

pub(super) struct Index(Connection);

/// Is it the file that is wrong?
pub(super) fn is_broken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

impl Index {
    #[expect(
        clippy::disallowed_methods,
        reason = "it is a file of the agent's own, and none of a session"
    )]
    pub(super) fn open(path: &Utf8Path) -> Result<Self, rusqlite::Error> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        // What is lost is made anew.
        connection.pragma_update(None, "synchronous", "OFF")?;
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i32 = tx.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version != VERSION {
            tx.execute_batch("DROP TABLE IF EXISTS files; DROP TABLE IF EXISTS pieces;")?;
            tx.execute_batch(TABLES)?;
        }
        tx.commit()?;
        Ok(Self(connection))
    }

    pub(super) fn search(
        mut self,
        workspace: &Utf8Path,
        words: &str,
        limit: u32,
    ) -> Result<Vec<Hit>, rusqlite::Error> {
        let behavior = TransactionBehavior::Immediate;
        let tx = self.0.transaction_with_behavior(behavior)?;
        bring_up(&tx, workspace)?;
        tx.commit()?;
        let terms = terms(words);
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.find(&terms.join(" "), limit)?;
        if !all.is_empty() || terms.len() == 1 {
            return Ok(all);
        }
        self.find(&terms.join(" OR "), limit)
    }

    fn find(&self, query: &str, limit: u32) -> Result<Vec<Hit>, rusqlite::Error> {
        let mut statement = self.0.prepare(
            "SELECT path, line, snippet(pieces, 0, '', '', '…', ?3) FROM pieces
             WHERE pieces MATCH ?1 ORDER BY rank LIMIT ?2",
        )?;
        let found = statement.query_map(params![query, limit, SHOWN_WORDS], |row| {
            Ok(Hit {
                path: row.get(0)?,
                line: row.get::<_, i64>(1)?.unsigned_abs(),
                text: row.get(2)?,
            })
        })?;
        found.collect()
    }
}

/// The words as the index wants them: quoted, so that nothing in them is an operator; each also as
/// the beginning of a longer one.
fn terms(words: &str) -> Vec<String> {
    let words = words.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).take(WORDS_LIMIT);
    words.map(|word| format!("\"{word}\"*")).collect()
}

/// Takes what is new or changed, and forgets what is gone.
fn bring_up(tx: &Transaction<'_>, workspace: &Utf8Path) -> Result<(), rusqlite::Error> {
    let mut known: HashMap<String, String> = HashMap::new();
    let mut statement = tx.prepare("SELECT path, stamp FROM files")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        known.insert(row.get(0)?, row.get(1)?);
    }
    for path in files(workspace) {
        // silent: it went away since, and is gone with the next search
        let Ok(found) = workspace.join(&path).symlink_metadata() else {
            continue;
        };
        let (seconds, nanos, len) = (found.mtime(), found.mtime_nsec(), found.size());
        let stamp = format!("{seconds}.{nanos}/{len}");
        if known.remove(path.as_str()).as_ref() == Some(&stamp) {
            continue;
        }
        forget(tx, path.as_str())?;
        if let Some(text) = read(&workspace.join(&path)) {
            for (line, piece) in pieces(&text) {
                tx.prepare_cached("INSERT INTO pieces (text, path, line) VALUES (?1, ?2, ?3)")?
                    .execute(params![piece, path.as_str(), line.cast_signed()])?;
            }
        }
        tx.execute(
            "INSERT INTO files (path, stamp) VALUES (?1, ?2)",
            params![path.as_str(), stamp],
        )?;
    }
    for gone in known.keys() {
        forget(tx, gone)?;
    }
    Ok(())
}

fn forget(tx: &Transaction<'_>, path: &str) -> Result<(), rusqlite::Error> {
    tx.execute("DELETE FROM pieces WHERE path = ?1", [path])?;
    tx.execute("DELETE FROM files WHERE path = ?1", [path])?;
    Ok(())
}

/// The text of a file, its beginning if it is long; nothing where it can't be read.
fn read(path: &Utf8Path) -> Option<String> {
    let mut text = Vec::new();
    let file = File::open(path).ok()?;
    file.take(FILE_LIMIT_BYTES).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}
