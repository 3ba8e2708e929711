//! The host's connections to one session's files: opened when they are first needed, and good for as
//! long as they are to the file of that name.
//!
//! To open a file, read its schema and compile statements costs several times what a message's row
//! does. Nothing is locked while nothing is done.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    sync::{Mutex, PoisonError},
};

use rusqlite::Connection;

use crate::Error;

/// What is open of one session.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) inbound: Slot,
    pub(crate) outbound: Slot,
}

/// A place for a connection.
#[derive(Debug, Default)]
pub(crate) struct Slot(Mutex<Option<Open>>);

#[derive(Debug)]
struct Open {
    file: FileId,
    connection: Connection,
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        }
    }
}

/// What follows from a look at a file.
pub(crate) enum Looked {
    /// There is nothing to open.
    Absent,
    /// This file.
    There(FileId),
}

impl Slot {
    /// Does `job` with the connection to the file that `look` finds; `None` if it finds none. One that
    /// is open already goes through `check` first, another one comes from `open`. A connection is kept
    /// if all went well and nothing that was begun is left.
    ///
    /// Nobody else uses it meanwhile, from the look on: who closes a file, if only after a look at it,
    /// takes the locks of the whole process with it.
    pub(crate) fn with<T>(
        &self,
        look: impl FnOnce() -> Result<Looked, Error>,
        check: impl FnOnce(&Connection) -> Result<(), Error>,
        open: impl FnOnce() -> Result<Connection, Error>,
        job: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slot.take();
        let Looked::There(file) = look()? else {
            return Ok(None);
        };
        let mut connection = match known {
            Some(known) if known.file == file => {
                check(&known.connection)?;
                known.connection
            }
            Some(_) | None => open()?,
        };
        let done = job(&mut connection)?;
        if connection.is_autocommit() {
            *slot = Some(Open { file, connection });
        }
        Ok(Some(done))
    }
}
