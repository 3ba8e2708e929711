//! What is on record, read past all layers: the simulator's own thread is nobody's.

use camino::Utf8PathBuf;
use rusqlite::{Connection, OpenFlags, Row};

use crate::{time::VirtualClock, world::World};

/// The central database, open for reading.
#[derive(Debug)]
pub(crate) struct Records {
    connection: Connection,
}

/// A message on record.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) seq: i64,
    pub(super) platform_id: Option<String>,
    pub(super) status: String,
}

/// A delivery on record.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) id: String,
    pub(super) position: i64,
    pub(super) origin: String,
    pub(super) in_reply_to: Option<String>,
    pub(super) status: String,
    pub(super) told: bool,
}

impl Records {
    /// Where the central database is.
    pub(crate) fn path(world: &World) -> Utf8PathBuf {
        world.dir.join("data/anchorhold.db")
    }

    /// `None` if there are none yet.
    pub(super) fn open(world: &World) -> Option<Self> {
        let connection = open(world, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Some(Self { connection })
    }

    /// Takes back what should have been written down before a send: a stage that is broken.
    pub(super) fn forget_open_attempts(world: &World) {
        let forgotten = open(world, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map(|db| db.execute("DELETE FROM attempts WHERE ended_at IS NULL", []));
        world.note(format_args!("attempts forgotten: {forgotten:?}"));
    }

    /// How many messages and deliveries have not ended, or ended and were not told of.
    pub(super) fn open_work(&self) -> i64 {
        let sql = "SELECT (SELECT COUNT(*) FROM messages WHERE status = 'pending')
            + (SELECT COUNT(*) FROM deliveries WHERE status = 'pending')
            + (SELECT COUNT(*) FROM deliveries
               WHERE status IN ('dead', 'unknown') AND told_at IS NULL)";
        // What can't be read now is not over.
        self.connection
            .query_row(sql, [], |row| row.get(0))
            .unwrap_or(i64::MAX)
    }

    /// The sessions with messages that are due.
    pub(super) fn due_sessions(&self, world: &World) -> Vec<String> {
        let now = VirtualClock::wall(world).as_millisecond();
        self.all(
            &format!(
                "SELECT DISTINCT session_id FROM messages
                 WHERE status = 'pending' AND next_at <= {now} ORDER BY session_id"
            ),
            |row| row.get(0),
        )
    }

    pub(super) fn messages(&self) -> Vec<Message> {
        self.all(
            "SELECT id, seq, platform_message_id, status FROM messages ORDER BY seq",
            |row| {
                Ok(Message {
                    id: row.get(0)?,
                    seq: row.get(1)?,
                    platform_id: row.get(2)?,
                    status: row.get(3)?,
                })
            },
        )
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        self.all(
            "SELECT id, position, origin, in_reply_to, status, told_at IS NOT NULL
             FROM deliveries ORDER BY position",
            |row| {
                Ok(Delivery {
                    id: row.get(0)?,
                    position: row.get(1)?,
                    origin: row.get(2)?,
                    in_reply_to: row.get(3)?,
                    status: row.get(4)?,
                    told: row.get(5)?,
                })
            },
        )
    }

    /// Was the platform's message taken, whatever became of it?
    pub(super) fn has_event(&self, platform_id: &str) -> bool {
        let sql = "SELECT EXISTS (SELECT 1 FROM events WHERE message_id = ?1)";
        let found = self
            .connection
            .query_row(sql, [platform_id], |row| row.get(0));
        found.unwrap_or(false)
    }

    fn all<T>(
        &self,
        sql: &str,
        read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Vec<T> {
        let rows = self.connection.prepare(sql).and_then(|mut statement| {
            statement
                .query_map([], read)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        });
        rows.unwrap_or_default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the judge reads the central database, and past the stages that it judges"
)]
fn open(world: &World, flags: OpenFlags) -> Option<Connection> {
    Connection::open_with_flags(Records::path(world), flags).ok()
}
