//! The tables of both files, and how an older file becomes a current one.

use rusqlite::Connection;

/// The version that this program writes, in `PRAGMA user_version`.
pub(crate) const VERSION: i32 = 4;

/// The first version of `outbound.db` with [`REQUESTS`].
pub(crate) const REQUESTS_SINCE: i32 = 2;

/// The first version of `outbound.db` that knows messages to be tried again later.
pub(crate) const LATER_SINCE: i32 = 3;

/// What each version adds to `inbound.db`, oldest first.
pub(crate) const INBOUND: &[&[&str]] = &[
    &[
        "CREATE TABLE messages (
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
) STRICT",
        "CREATE INDEX messages_open ON messages (seq) WHERE status = 'open'",
        "CREATE TABLE settings (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL) STRICT",
    ],
    &[
        "ALTER TABLE messages ADD COLUMN fresh_only INTEGER CHECK (fresh_only >= 0)",
        "CREATE TABLE replies (
    request_id INTEGER PRIMARY KEY CHECK (request_id > 0),
    reply TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT",
    ],
    &[],
    &["CREATE TABLE outcomes (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    outcome TEXT NOT NULL,
    told_at INTEGER NOT NULL
) STRICT"],
];

const MESSAGES: &str = "CREATE TABLE messages (
    seq INTEGER PRIMARY KEY CHECK (seq > 0 AND seq % 2 = 1),
    in_reply_to INTEGER,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT";
const HANDLED_1: &str = "CREATE TABLE handled (
    seq INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'done', 'failed', 'unknown')),
    detail TEXT,
    number INTEGER UNIQUE,
    at INTEGER NOT NULL
) STRICT";
const HANDLED_2: &str = "CREATE TABLE handled (
    seq INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'done', 'failed', 'unknown', 'stopped')),
    detail TEXT,
    number INTEGER UNIQUE,
    at INTEGER NOT NULL
) STRICT";
const HANDLED_3: &str = "CREATE TABLE handled (
    seq INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('claimed', 'done', 'failed', 'unknown', 'stopped', 'later')),
    detail TEXT,
    number INTEGER UNIQUE,
    at INTEGER NOT NULL,
    class TEXT,
    until_at INTEGER,
    failures INTEGER
) STRICT";
const CLAIMED: &str = "CREATE INDEX handled_claimed ON handled (seq) WHERE state = 'claimed'";
const STATE: &str = "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT";
const REQUESTS: &str = "CREATE TABLE requests (
    id INTEGER PRIMARY KEY CHECK (id > 0),
    request TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT";

/// What each version changes in `outbound.db`, oldest first.
pub(crate) const OUTBOUND: &[&[&str]] = &[
    &[MESSAGES, HANDLED_1, CLAIMED, STATE],
    &[
        "ALTER TABLE handled RENAME TO handled_1",
        HANDLED_2,
        "INSERT INTO handled SELECT seq, generation, state, detail, number, at FROM handled_1",
        // The index of the old table goes with it.
        "DROP TABLE handled_1",
        CLAIMED,
        REQUESTS,
    ],
    &[
        "ALTER TABLE handled RENAME TO handled_2",
        HANDLED_3,
        "INSERT INTO handled (seq, generation, state, detail, number, at)
         SELECT seq, generation, state, detail, number, at FROM handled_2",
        "DROP TABLE handled_2",
        CLAIMED,
    ],
    &[],
];

/// What an `outbound.db` of each version consists of, letter for letter.
pub(crate) const OUTBOUND_TABLES: &[&[&str]] = &[
    &[MESSAGES, HANDLED_1, CLAIMED, STATE],
    &[MESSAGES, HANDLED_2, CLAIMED, STATE, REQUESTS],
    &[MESSAGES, HANDLED_3, CLAIMED, STATE, REQUESTS],
    &[MESSAGES, HANDLED_3, CLAIMED, STATE, REQUESTS],
];

/// Brings a file up to the last of `steps` in one transaction; a file of an unknown version is told by it.
pub(crate) fn migrate(
    connection: &mut Connection,
    steps: &[&[&str]],
) -> Result<Result<(), i32>, rusqlite::Error> {
    let found = version(connection)?;
    let Ok(done) = usize::try_from(found) else {
        return Ok(Err(found));
    };
    let Some(missing) = steps.get(done..) else {
        return Ok(Err(found));
    };
    if missing.is_empty() {
        return Ok(Ok(()));
    }
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Somebody else may have been faster.
    if version(&transaction)? == found {
        for statement in missing.iter().copied().flatten() {
            transaction.execute_batch(statement)?;
        }
        let version = i32::try_from(steps.len()).unwrap_or(i32::MAX);
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.commit()?;
    Ok(Ok(()))
}

/// The version of a file.
pub(crate) fn version(connection: &Connection) -> Result<i32, rusqlite::Error> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
