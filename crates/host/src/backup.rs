//! Backups: an archive of everything that can't be made again, taken while a host runs or not.
//!
//! `docs/adr/0025-the-central-database-is-copied-first.md` says why the order is right.

pub mod check;
mod manifest;
pub mod restore;
mod tree;
mod write;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::OpenOptionsExt,
    time::Duration,
};

use anchorhold_core::ids::SessionId;
use anchorhold_sessiondb::{
    self as sessiondb, HostSide,
    backup::{Half, Take},
};
use anchorhold_store::Store;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use tokio::time::sleep;

use crate::{
    backup::{manifest::About, write::Writer},
    blocking::{Lost, blocking},
    dirs::Dirs,
};

/// How often, and how long apart, a session's file is tried that is in use.
const LOCK_TRIES: u32 = 40;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no installation.
    #[error("there is no database at {path}")]
    NoDatabase {
        /// Where it would be.
        path: Utf8PathBuf,
    },
    /// Nothing is ever overwritten.
    #[error("{path} is there already")]
    Exists {
        /// What is there.
        path: Utf8PathBuf,
    },
    /// A file could not be read or written.
    #[error("can't {doing} {path}")]
    Io {
        /// What was to be done.
        doing: &'static str,
        /// With what.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The archive is not what was once written.
    #[error("the archive is damaged at {place}: {what}")]
    Damaged {
        /// The entry, or where in the archive.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// What was restored does not run.
    #[error("what was restored does not run: {what}")]
    DoesNotRun {
        /// What is wrong.
        what: String,
    },
    /// The central database.
    #[error(transparent)]
    Store(#[from] anchorhold_store::Error),
    /// A session's files.
    #[error(transparent)]
    Files(#[from] sessiondb::Error),
    /// The work was cut off.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// What was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The archive.
    pub path: Utf8PathBuf,
    /// How many sessions are in it.
    pub sessions: usize,
    /// How many files and folders.
    pub entries: u64,
    /// What was left out and why, at most the first hundred; the archive has all.
    pub left_out: Vec<String>,
}

/// Takes a backup of the installation in `dirs` to the new file `to`.
///
/// It can be dropped at any time; then a file with another name may be left over.
pub async fn make(
    dirs: &Dirs,
    to: &Utf8Path,
    workspaces: bool,
    now: Timestamp,
) -> Result<Made, BackupError> {
    let database = dirs.database();
    if !database.exists() {
        return Err(BackupError::NoDatabase { path: database });
    }
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::Exists {
            path: to.to_owned(),
        });
    }
    let central = Scratch(Utf8PathBuf::from(format!("{to}.db.partial")));
    central.clear()?;
    let store = Store::open_reading(database.as_std_path()).await?;
    let copied = store.copy_to(central.0.as_std_path()).await;
    store.close().await;
    copied?;
    // What is taken besides is what the copy knows of: a session that began after it is of another
    // moment.
    let (sessions, schema) = known(&central.0).await?;

    let partial = Scratch(Utf8PathBuf::from(format!("{to}.partial")));
    partial.clear()?;
    let lines = Scratch(Utf8PathBuf::from(format!("{to}.manifest.partial")));
    let left = Scratch(Utf8PathBuf::from(format!("{to}.left.partial")));
    lines.clear()?;
    left.clear()?;
    let mut writer = Writer::new([
        private_file(&partial.0)?,
        private_file(&lines.0)?,
        private_file(&left.0)?,
    ]);
    let about = About::new(now, schema);
    let (root, copy) = (dirs.root().to_owned(), central.0.clone());
    writer = blocking(move || {
        writer.about(&about)?;
        writer.file("anchorhold.db", &copy)?;
        writer.file_if_there("runtime", &root.join("runtime"))?;
        Ok::<_, BackupError>(writer)
    })
    .await??;
    for session in &sessions {
        writer = add_session(writer, dirs, *session).await?;
    }
    if workspaces {
        let root = dirs.root().to_owned();
        writer = blocking(move || {
            writer.tree(&root, "groups")?;
            Ok::<_, BackupError>(writer)
        })
        .await??;
    }
    let (entries, left_out) = blocking(move || writer.finish()).await??;
    let failed = io_at("put into place", to);
    // Unlike a rename, this never takes the place of a file that came meanwhile.
    fs::hard_link(&partial.0, to).map_err(failed)?;
    sync_folder(to)?;
    Ok(Made {
        path: to.to_owned(),
        sessions: sessions.len(),
        entries,
        left_out,
    })
}

/// The sessions in a copy of the central database, and its schema.
async fn known(copy: &Utf8Path) -> Result<(Vec<SessionId>, i64), BackupError> {
    let store = Store::open_reading(copy.as_std_path()).await?;
    let read = async {
        let rows = store.sessions(u32::MAX).await?;
        let ids = rows.into_iter().map(|one| one.row.session.id).collect();
        let health = store.health().await?;
        Ok((ids, health.schema_version))
    };
    let read = read.await;
    store.close().await;
    read
}

/// Adds the two files of a session and what came and goes with its messages.
async fn add_session(
    mut writer: Writer,
    dirs: &Dirs,
    session: SessionId,
) -> Result<Writer, BackupError> {
    let root = dirs.session(session);
    if !root.join("in").exists() {
        writer.left_out(&format!("sessions/{session}"), "its folder is not there");
        return Ok(writer);
    }
    let data = dirs.root().to_owned();
    writer = blocking(move || {
        // Who is walled in has to be let in again.
        for half in ["", "/in", "/out"] {
            writer.folder(&data, &format!("sessions/{session}{half}"))?;
        }
        Ok::<_, BackupError>(writer)
    })
    .await??;
    // The sandbox's file first: what it has of an answer, the host's file has of the question.
    for half in [Half::Out, Half::In] {
        let mut tries = 0;
        loop {
            tries += 1;
            let files = HostSide::at(&root);
            let unlocked = tries > LOCK_TRIES;
            let (back, done) = blocking(move || {
                let folder = match half {
                    Half::In => format!("sessions/{session}/in"),
                    Half::Out => format!("sessions/{session}/out"),
                };
                let take: &mut Take<'_> =
                    &mut |name, file, len| writer.opened(&format!("{folder}/{name}"), file, len);
                let done = if unlocked {
                    files.unlocked(half, take)
                } else {
                    files.locked(half, take)
                };
                (writer, done)
            })
            .await?;
            writer = back;
            match done {
                Ok(()) => break,
                Err(failure) if failure.is_later() && !unlocked => sleep(LOCK_WAIT).await,
                // What is wrong inside the wall stops no backup.
                Err(failure) if half == Half::Out => {
                    let name = format!("sessions/{session}/out/outbound.db");
                    writer.left_out(&name, &failure.to_string());
                    break;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }
    let data = dirs.root().to_owned();
    blocking(move || {
        writer.tree(&data, &format!("sessions/{session}/in/inbox"))?;
        writer.tree(&data, &format!("sessions/{session}/out/outbox"))?;
        Ok(writer)
    })
    .await?
}

/// A file that is removed again, whatever becomes of the work.
struct Scratch(Utf8PathBuf);

impl Scratch {
    /// Removes what an earlier work left over.
    fn clear(&self) -> Result<(), BackupError> {
        match fs::remove_file(&self.0) {
            Err(failure) if failure.kind() != io::ErrorKind::NotFound => {
                Err(io_at("remove", &self.0)(failure))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // silent: what is left over is removed the next time.
        drop(fs::remove_file(&self.0));
    }
}

fn private_file(path: &Utf8Path) -> Result<File, BackupError> {
    fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io_at("make", path))
}

fn sync_folder(path: &Utf8Path) -> Result<(), BackupError> {
    let folder = match path.parent() {
        Some(folder) if folder != "" => folder,
        _ => Utf8Path::new("."),
    };
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(io_at("make durable", folder))
}

fn io_at(doing: &'static str, path: &Utf8Path) -> impl Fn(io::Error) -> BackupError + use<> {
    let path = path.to_owned();
    move |source| BackupError::Io {
        doing,
        path: path.clone(),
        source,
    }
}

fn damaged(place: impl Into<String>, what: impl Into<String>) -> BackupError {
    BackupError::Damaged {
        place: place.into(),
        what: what.into(),
    }
}

#[cfg(test)]
mod tests;
