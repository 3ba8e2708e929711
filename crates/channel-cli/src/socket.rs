//! The socket as a file: made without a moment of wider access, never taken from a live host.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{Mode, OFlags};
use tokio::{
    net::{UnixListener, UnixStream},
    time,
};

use crate::error::Error;

/// How long a socket that is there is given to answer.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// A socket that this process serves. Dropping it takes the file away.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) listener: UnixListener,
    path: Utf8PathBuf,
    file: (u64, u64),
    /// Held for as long as the socket is served; the file itself stays, removing it would race.
    _lock: File,
}

impl Listening {
    /// Starts to serve `path`. `random` names the folder in which the socket is made.
    ///
    /// The few file operations here are local and happen once a run, so they are made in place.
    pub(crate) async fn open(path: &Utf8Path, random: [u8; 10]) -> Result<Self, Error> {
        let lock = lock(path)?;
        check_replaceable(path).await?;
        let folder = path.parent().unwrap_or(Utf8Path::new("/"));
        let private = Private::make(folder, random)?;
        let made = private.folder.join("s");
        let failed = |doing, path: &Utf8Path| {
            let path = path.to_owned();
            move |source| Error::Open {
                doing,
                path,
                source,
            }
        };
        let listener = UnixListener::bind(&made).map_err(failed("make", &made))?;
        // Nobody else can reach into the folder, so the socket is narrowed before it can be seen.
        let mode = Permissions::from_mode(0o600);
        fs::set_permissions(&made, mode).map_err(failed("protect", &made))?;
        let metadata = fs::symlink_metadata(&made).map_err(failed("look at", &made))?;
        let file = (metadata.dev(), metadata.ino());
        fs::rename(&made, path).map_err(failed("put in place", path))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            file,
            _lock: lock,
        })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.file);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(error = %error, "socket not removed");
        }
    }
}

/// Takes the lock that says which process serves the socket. The kernel gives it back when the
/// process ends, however it ends.
fn lock(path: &Utf8Path) -> Result<File, Error> {
    let path = path.to_owned();
    let lock_path = Utf8PathBuf::from(format!("{path}.lock"));
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = rustix::fs::open(lock_path.as_std_path(), flags, Mode::RUSR | Mode::WUSR);
    let failed = |source| Error::Open {
        doing: "lock",
        path: lock_path,
        source,
    };
    let file = match opened {
        Ok(file) => File::from(file),
        Err(error) => return Err(failed(error.into())),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A dead host's socket can be replaced; anything that answers, or is no socket, can't.
async fn check_replaceable(path: &Utf8Path) -> Result<(), Error> {
    let failed = |source| Error::Open {
        doing: "look at",
        path: path.to_owned(),
        source,
    };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let used = path.to_owned();
    if !metadata.file_type().is_socket() {
        return Err(Error::NotSocket { path: used });
    }
    let refused =
        |kind| kind == io::ErrorKind::ConnectionRefused || kind == io::ErrorKind::NotFound;
    match time::timeout(PROBE_LIMIT, UnixStream::connect(&used)).await {
        Ok(Err(error)) if refused(error.kind()) => Ok(()),
        // A full queue of connections is a sign of life.
        Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Err(failed(error)),
        Ok(Ok(_) | Err(_)) | Err(_) => Err(Error::InUse { path: used }),
    }
}

/// A folder that only we can enter, gone with what is in it when dropped.
struct Private {
    folder: Utf8PathBuf,
}

impl Private {
    fn make(parent: &Utf8Path, random: [u8; 10]) -> Result<Self, Error> {
        let [a, b, c, d, ..] = random;
        let folder = parent.join(format!(".{a:02x}{b:02x}{c:02x}{d:02x}"));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => Ok(Self { folder }),
            Err(source) => Err(Error::Open {
                doing: "make",
                path: folder,
                source,
            }),
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // silent: the socket is there only if it was not put in place
        drop(fs::remove_file(self.folder.join("s")));
        if let Err(error) = fs::remove_dir(&self.folder) {
            tracing::warn!(error = %error, "private folder not removed");
        }
    }
}

#[cfg(test)]
mod tests;
