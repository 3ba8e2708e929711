//! The central database as an older program has left it.
#![expect(
    clippy::disallowed_methods,
    reason = "it is what no present program would write"
)]

use std::fs;

use anchorhold_store::Store;
use camino::Utf8Path;
use rusqlite::{Connection, params};

use crate::plan::EARLIER;

/// The file of a database that lacks the last `missing` migrations and has [`EARLIER`] on record.
pub(super) fn database(missing: u32) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (new, old) = (dir.path().join("new.db"), dir.path().join("old.db"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { Store::open(&new).await.unwrap().close().await });
    let old_one = Connection::open(&old).unwrap();
    old_one
        .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .unwrap();
    let scripts = scripts();
    for script in &scripts[..scripts.len() - usize::try_from(missing).unwrap()] {
        old_one.execute_batch(script).unwrap();
    }
    take_over_versions(&old_one, new.to_str().unwrap(), missing);
    old_one
        .execute(
            "INSERT INTO events (channel, chat, message_id, received_at, outcome)
             VALUES ('keyed', 'left', ?1, 1800000000000, 'stored')",
            [EARLIER],
        )
        .unwrap();
    old_one.close().unwrap();
    fs::read(old).unwrap()
}

/// The migrations in their order.
fn scripts() -> Vec<String> {
    let dir = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// What a program notes of the migrations that it has made.
fn take_over_versions(old: &Connection, new: &str, missing: u32) {
    old.execute("ATTACH ?1 AS new", [new]).unwrap();
    let table: String = old
        .query_row(
            "SELECT sql FROM new.sqlite_schema WHERE name = '_sqlx_migrations'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    old.execute_batch(&table).unwrap();
    old.execute(
        "INSERT INTO main._sqlx_migrations SELECT * FROM new._sqlx_migrations
         ORDER BY version LIMIT (SELECT COUNT(*) FROM new._sqlx_migrations) - ?1",
        params![missing],
    )
    .unwrap();
    old.execute_batch("DETACH new").unwrap();
}
