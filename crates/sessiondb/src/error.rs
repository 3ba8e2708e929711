//! What can go wrong, by what the caller does next.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use rusqlite::ErrorCode;

/// A failed operation on a session's files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else holds the file just now, or its writer was killed in mid-commit.
    #[error("{path} is in use")]
    Later {
        /// The file.
        path: Utf8PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file in `out/` is not what an agent-runner writes.
    #[error("{path} can't be trusted: {what}")]
    Hostile {
        /// The file.
        path: Utf8PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A database is damaged, or is none.
    #[error("{path} is damaged, at: {doing}")]
    Damaged {
        /// The file.
        path: Utf8PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The host's own file is not there, or has nothing in it.
    #[error("{path} is not there")]
    Absent {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The host's own file has something else where a row of the journal belongs.
    #[error("{path} is not what the journal says")]
    Strange {
        /// The file.
        path: Utf8PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error("{path} has schema version {found}, this program knows up to {known}; update it")]
    TooNew {
        /// The file.
        path: Utf8PathBuf,
        /// Its version.
        found: i32,
        /// The newest known one.
        known: i32,
    },
    /// SQLite failed for a reason outside of the file: no space, no permission, an I/O error.
    #[error("can't {doing} in {path}")]
    Database {
        /// The file.
        path: Utf8PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A file operation failed.
    #[error("can't {doing} {path}")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A value could not be written as JSON.
    #[error("can't encode a payload")]
    Encode {
        /// What serde said.
        #[source]
        source: serde_json::Error,
    },
    /// A request or a reply is longer than the files carry.
    #[error("the {what} has {len} bytes, at most {limit} are taken")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length, in bytes.
        len: usize,
        /// The longest that is taken, in bytes.
        limit: usize,
    },
    /// Proof of one session's end was shown for another session's files.
    #[error("the sandbox that ended was not of the session in {path}")]
    WrongSession {
        /// The session's folder.
        path: Utf8PathBuf,
    },
}

/// What the caller does about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Do the same again in a moment.
    Later,
    /// The sandbox's file is bad: stop the sandbox, then `recover` puts the file aside.
    Quarantine,
    /// The host's own side failed: an operator must look.
    Fault,
}

impl Error {
    /// What to do next.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::Later { .. } => Disposition::Later,
            Self::Hostile { .. } | Self::Damaged { .. } => Disposition::Quarantine,
            Self::Absent { .. }
            | Self::Strange { .. }
            | Self::TooNew { .. }
            | Self::Database { .. }
            | Self::Io { .. }
            | Self::Encode { .. }
            | Self::TooLong { .. }
            | Self::WrongSession { .. } => Disposition::Fault,
        }
    }

    /// Is it worth doing the same again in a moment?
    pub fn is_later(&self) -> bool {
        self.disposition() == Disposition::Later
    }

    /// Said of `inbound.db`: is there no sound file, so that it is to be made anew?
    pub fn is_lost(&self) -> bool {
        matches!(
            self,
            Self::Absent { .. } | Self::Strange { .. } | Self::Damaged { .. }
        )
    }

    pub(crate) fn hostile(path: &Utf8Path, what: impl Into<String>) -> Self {
        Self::Hostile {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    /// Sorts what SQLite says by what it means for the caller.
    pub(crate) fn sql(
        path: &Utf8Path,
        doing: &'static str,
    ) -> impl Fn(rusqlite::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| {
            let path = path.clone();
            match classify(&source) {
                Class::Later => Self::Later { path, source },
                Class::File => Self::Damaged {
                    path,
                    doing,
                    source,
                },
                Class::Outside => Self::Database {
                    path,
                    doing,
                    source,
                },
            }
        }
    }

    pub(crate) fn io(path: &Utf8Path, doing: &'static str) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            path: path.clone(),
            doing,
            source,
        }
    }
}

enum Class {
    Later,
    File,
    Outside,
}

/// `SQLITE_READONLY_ROLLBACK` and its siblings: <https://sqlite.org/rescode.html>
const READONLY_ROLLBACK: i32 = 776;
const READONLY_CANTLOCK: i32 = 520;
const READONLY_RECOVERY: i32 = 264;

fn classify(error: &rusqlite::Error) -> Class {
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        // Wrong types, missing columns, text that is no UTF-8: the content of the file.
        return Class::File;
    };
    match (failure.code, failure.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Class::Later,
        (_, READONLY_ROLLBACK | READONLY_CANTLOCK | READONLY_RECOVERY) => Class::Later,
        (
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen,
            _,
        ) => Class::Outside,
        _ => Class::File,
    }
}
