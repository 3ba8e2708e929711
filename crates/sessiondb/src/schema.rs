//! The tables of both files, and how an older file becomes a current one.

use rusqlite::Connection;

/// The version that this program writes, in `PRAGMA user_version`.
pub(crate) const VERSION: i32 = 1;

/// What each version adds to `inbound.db`, oldest first.
pub(crate) const INBOUND: &[&str] = &["
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY CHECK (seq > 0 AND seq % 2 = 0),
    channel TEXT NOT NULL,
    chat TEXT NOT NULL,
    thread TEXT,
    platform_id TEXT NOT NULL,
    triggers INTEGER NOT NULL CHECK (triggers IN (0, 1)),
    status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
    tries INTEGER NOT NULL CHECK (tries >= 0),
    due_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (channel, chat, platform_id)
) STRICT;
CREATE INDEX messages_open ON messages (seq) WHERE status = 'open';
CREATE TABLE settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL) STRICT;
"];

/// What each version adds to `outbound.db`, oldest first.
pub(crate) const OUTBOUND: &[&str] = &["
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY CHECK (seq > 0 AND seq % 2 = 1),
    in_reply_to INTEGER,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE handled (
    seq INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'done', 'failed', 'unknown')),
    detail TEXT,
    number INTEGER UNIQUE,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX handled_claimed ON handled (seq) WHERE state = 'claimed';
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;
"];

/// Brings a file up to [`VERSION`], each step with its version in one transaction.
pub(crate) fn migrate(
    connection: &mut Connection,
    steps: &[&str],
) -> Result<Result<(), i32>, rusqlite::Error> {
    let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Ok(done) = usize::try_from(found) else {
        return Ok(Err(found));
    };
    if done > steps.len() {
        return Ok(Err(found));
    }
    for (step, version) in steps.iter().zip(1..).skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(Ok(()))
}
