//! A session's two files as a backup takes them, and as it finds them again.
//!
//! To be called from a process of its own, never from the host's: closing a file that SQLite also
//! has open lets go of SQLite's locks on it
//! (<https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>).

use std::{fs::File, io};

use camino::Utf8Path;
use rusqlite::Connection;

use crate::{
    Disposition, Error, HostSide,
    kept::Looked,
    layout::{Found, INBOUND, OUTBOUND, open_dir, open_plain},
    open,
};

/// The largest file of either kind that is taken.
const LIMIT_BYTES: u64 = 256 * 1024 * 1024;
/// So much that is wrong with a file is told.
const PROBLEMS_LIMIT: usize = 5;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// `inbound.db`, the host's.
    In,
    /// `outbound.db`, the sandbox's.
    Out,
}

/// What is done with each file: its name, the file and how many bytes of it count.
pub type Take<'a> = dyn FnMut(&str, &File, u64) -> io::Result<()> + 'a;

impl HostSide {
    /// Hands one of the files to `take`, as one moment has it, while its writer can't change it.
    ///
    /// An error that [`Error::is_later`] means that its writer holds it, or was killed in the middle
    /// of a change: worth another try, and after some [`HostSide::unlocked`].
    pub fn locked(&self, half: Half, take: &mut Take<'_>) -> Result<(), Error> {
        let (dir_path, name) = self.place(half);
        let path = dir_path.join(name);
        let dir = open_dir(dir_path)?;
        let Found::Plain(file) = open_plain(&dir, dir_path, name, LIMIT_BYTES)? else {
            return Ok(());
        };
        let connection = match half {
            Half::In => open::any_ro(&path)?,
            Half::Out => match open::outbound_look(&self.layout)? {
                // It is empty: its first writer has not committed yet.
                Looked::Absent => return Ok(()),
                Looked::There(_file) => open::outbound_hostile_ro(&path)?,
            },
        };
        // Whoever reads keeps writers from changing the file.
        connection
            .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema;")
            .map_err(Error::sql(&path, "read"))?;
        let taken = hand_over(&path, name, &file, take);
        // Before the file is closed: with it the lock goes.
        drop(connection);
        taken
    }

    /// As [`HostSide::locked`] without a lock, with the journal of a change that was not brought to
    /// its end: for a file whose writer is dead, or does not let go of it.
    pub fn unlocked(&self, half: Half, take: &mut Take<'_>) -> Result<(), Error> {
        let (dir_path, name) = self.place(half);
        let dir = open_dir(dir_path)?;
        for name in [name.to_owned(), format!("{name}-journal")] {
            if let Found::Plain(file) = open_plain(&dir, dir_path, &name, LIMIT_BYTES)? {
                hand_over(&dir_path.join(&name), &name, &file, take)?;
            }
        }
        Ok(())
    }

    /// Has SQLite check both files; gives what is wrong with the sandbox's, which the host would put
    /// aside. What is wrong with the host's own is an error.
    pub fn verify(&self) -> Result<Option<String>, Error> {
        let path = self.layout.inbound();
        let problems =
            self.inbound(|connection| problems(connection).map_err(Error::sql(&path, "check")))?;
        if !problems.is_empty() {
            return Err(Error::hostile(&path, problems.join("; ")));
        }
        let path = self.layout.outbound();
        let checked = self
            .outbound(|connection| self::problems(connection).map_err(Error::sql(&path, "check")));
        match checked.map(Option::unwrap_or_default) {
            Ok(problems) if problems.is_empty() => Ok(None),
            Ok(problems) => Ok(Some(problems.join("; "))),
            Err(error) => match error.disposition() {
                Disposition::Quarantine => Ok(Some(error.to_string())),
                // Its writer was killed in a change, which the next one takes back.
                Disposition::Later => Ok(None),
                Disposition::Fault => Err(error),
            },
        }
    }

    fn place(&self, half: Half) -> (&Utf8Path, &'static str) {
        match half {
            Half::In => (&self.layout.in_dir, INBOUND),
            Half::Out => (&self.layout.out_dir, OUTBOUND),
        }
    }
}

fn hand_over(path: &Utf8Path, name: &str, file: &File, take: &mut Take<'_>) -> Result<(), Error> {
    let meta = file.metadata().map_err(Error::io(path, "look at"))?;
    take(name, file, meta.len()).map_err(Error::io(path, "copy"))
}

fn problems(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare("PRAGMA integrity_check(5)")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = rows.take(PROBLEMS_LIMIT).collect::<Result<Vec<_>, _>>()?;
    found.retain(|line| line != "ok");
    Ok(found)
}
