//! Databases as a hostile agent would write them.

use std::fs;

use camino::Utf8Path;
use rusqlite::{Connection, params};
use tempfile::NamedTempFile;

/// A copy of a session's `outbound.db`, to be changed at will.
pub(crate) struct Forged {
    file: NamedTempFile,
}

impl Forged {
    /// Begins with what is in the session's `out/`.
    pub(crate) fn from(out: &Utf8Path) -> Self {
        let file = NamedTempFile::new().unwrap();
        fs::copy(out.join("outbound.db"), file.path()).unwrap();
        Self { file }
    }

    #[expect(clippy::disallowed_methods, reason = "a file of the test's own")]
    fn open(&self) -> Connection {
        let connection = Connection::open(self.file.path()).unwrap();
        connection
            .pragma_update(None, "ignore_check_constraints", true)
            .unwrap();
        connection
    }

    /// Adds an answer to the first message of the session; gives its number.
    pub(crate) fn post(&self, text: &str, files: &[&str]) -> i64 {
        let connection = self.open();
        let last: i64 = connection
            .query_row("SELECT max(seq) FROM messages", [], |row| row.get(0))
            .unwrap();
        let payload = serde_json::json!({ "text": text, "files": files });
        connection
            .execute(
                "INSERT INTO messages VALUES (?1, 2, 'post', 1, ?2, 1)",
                params![last + 2, payload.to_string()],
            )
            .unwrap();
        last + 2
    }

    /// Changes whatever it says.
    pub(crate) fn run(&self, sql: &str) {
        self.open().execute_batch(sql).unwrap();
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        fs::read(self.file.path()).unwrap()
    }
}
