//! Restores, and sees that what was restored runs.

use std::{fs, io};

use anchorhold_core::ids::{InstallId, SessionId};
use anchorhold_sessiondb::HostSide;
use anchorhold_store::{Store, status::Counts};
use camino::Utf8Path;

use crate::{
    backup::{BackupError, io_at, restore, sync_folder},
    blocking::blocking,
    dirs::Dirs,
};

/// What was restored, and what waits in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The schema of the central database, after it was brought up to date.
    pub schema: i64,
    /// How many sessions there are.
    pub sessions: usize,
    /// What waits.
    pub counts: Counts,
    /// What is wrong with files of sandboxes: the host puts them aside.
    pub notes: Vec<String>,
}

/// Restores `archive` to the data directory `to`, which must not be there or be empty. `id` becomes
/// the id of the installation: what still runs for the one that was backed up is not its own.
///
/// What can't be restored whole is left beside `to`, under another name.
pub async fn restore(
    archive: &Utf8Path,
    to: &Utf8Path,
    id: InstallId,
) -> Result<Restored, BackupError> {
    let empty = match fs::read_dir(to) {
        Ok(mut entries) => entries.next().is_none(),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => true,
        Err(failure) => return Err(io_at("look into", to)(failure)),
    };
    if !empty {
        return Err(BackupError::Exists {
            path: to.to_owned(),
        });
    }
    let unfinished = restore::unfinished(to);
    if unfinished.symlink_metadata().is_ok() {
        return Err(BackupError::Exists { path: unfinished });
    }
    let (from, into) = (archive.to_owned(), unfinished.clone());
    blocking(move || restore::unpack(&from, &into)).await??;
    let restored = runs(&unfinished, id).await?;
    match fs::remove_dir(to) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => {
            return Err(io_at("replace", to)(failure));
        }
        Ok(()) | Err(_) => {}
    }
    fs::rename(&unfinished, to).map_err(io_at("put into place", to))?;
    sync_folder(to)?;
    Ok(restored)
}

/// Opens everything as a host would.
async fn runs(root: &Utf8Path, id: InstallId) -> Result<Restored, BackupError> {
    let dirs = Dirs::open(root).map_err(io_at("open", root))?;
    let database = dirs.database();
    if !database.exists() {
        return Err(BackupError::NoDatabase { path: database });
    }
    let store = Store::open(database.as_std_path()).await?;
    let looked = look(&store, &dirs, id).await;
    store.close().await;
    looked
}

async fn look(store: &Store, dirs: &Dirs, id: InstallId) -> Result<Restored, BackupError> {
    let health = store.health().await?;
    if !health.problems.is_empty() {
        return Err(BackupError::DoesNotRun {
            what: health.problems.join("; "),
        });
    }
    store.renew_install_id(id).await?;
    let mut notes = Vec::new();
    let sessions = store.sessions(u32::MAX).await?;
    for summary in &sessions {
        let session = summary.row.session.id;
        notes.extend(look_at(dirs, session).await?);
    }
    Ok(Restored {
        schema: health.schema_version,
        sessions: sessions.len(),
        counts: store.counts().await?,
        notes,
    })
}

/// One session: its files are checked, and the host's is left to be made anew.
async fn look_at(dirs: &Dirs, session: SessionId) -> Result<Option<String>, BackupError> {
    let root = dirs.session(session);
    if !root.join("in").join("inbound.db").exists() {
        return Ok(Some(format!("session {session} has no files")));
    }
    let wrong = blocking(move || {
        let files = HostSide::at(&root);
        let wrong = files.verify()?;
        // It is of a later moment than the journal, from which the host makes it anew.
        let file = files.in_dir().join("inbound.db");
        fs::remove_file(&file).map_err(io_at("remove", &file))?;
        Ok::<_, BackupError>(wrong)
    })
    .await??;
    Ok(wrong.map(|what| format!("session {session}: {what}")))
}
