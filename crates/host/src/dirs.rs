//! Where things are below the data directory.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
};

use anchorhold_core::ids::{FolderName, SessionId};
use camino::{Utf8Path, Utf8PathBuf};

/// The data directory of one installation.
#[derive(Clone, Debug)]
pub struct Dirs {
    root: Utf8PathBuf,
}

/// The absolute form of a path that need not be there yet.
pub fn absolute(path: &Utf8Path) -> io::Result<Utf8PathBuf> {
    camino::absolute_utf8(path)
}

impl Dirs {
    /// Opens the data directory, and makes it if it is not there: private to the host's user.
    ///
    /// The path is made free of links, since a session's file is opened only where none is.
    pub fn open(root: &Utf8Path) -> io::Result<Self> {
        for dir in [
            root,
            &root.join("sessions"),
            &root.join("groups"),
            &root.join("sandboxes"),
        ] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)?;
        }
        Ok(Self {
            root: root.canonicalize_utf8()?,
        })
    }

    /// The data directory as it is, there or not; nothing is made.
    pub fn look(root: &Utf8Path) -> io::Result<Self> {
        let root = root.canonicalize_utf8().or_else(|_absent| absolute(root))?;
        Ok(Self { root })
    }

    /// Makes an empty file that only the host's user can read, unless it is there.
    pub fn make_private_file(&self, path: &Utf8Path) -> io::Result<()> {
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(_) => Ok(()),
            Err(failure) if failure.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// The directory itself.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The central database.
    pub fn database(&self) -> Utf8PathBuf {
        self.root.join("anchorhold.db")
    }

    /// The lock that keeps a second host out.
    pub fn lock(&self) -> Utf8PathBuf {
        self.root.join("host.lock")
    }

    /// The socket where a running host answers its operator.
    pub fn control(&self) -> Utf8PathBuf {
        self.root.join("control.sock")
    }

    /// What the sandbox runtime keeps of its instances.
    pub fn sandboxes(&self) -> Utf8PathBuf {
        self.root.join("sandboxes")
    }

    /// One session's files.
    pub fn session(&self, session: SessionId) -> Utf8PathBuf {
        self.root.join("sessions").join(session.to_string())
    }

    /// What one session's sandboxes wrote to their standard output and error.
    pub fn session_log(&self, session: SessionId) -> Utf8PathBuf {
        self.session(session).join("sandbox.log")
    }

    /// The workspace of an agent group.
    pub fn workspace(&self, folder: &FolderName) -> Utf8PathBuf {
        self.root.join("groups").join(folder.as_str())
    }
}

#[cfg(test)]
mod tests;
