//! One host a data directory.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, Write},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Held while this host owns its data directory; the kernel lets go of it however the host ends.
#[derive(Debug)]
pub struct HostLock {
    _file: File,
}

/// The data directory can't be owned.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another host has it.
    #[error(
        "another host is running on this data directory (pid {pid}); stop it first, or use another --data-dir"
    )]
    Held {
        /// Its process id, as it wrote it.
        pid: String,
    },
    /// The lock file can't be used.
    #[error("can't use the lock file {path}")]
    Io {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl HostLock {
    /// Takes the lock and leaves our process id in the file; refuses at once if another has it.
    pub fn take(path: &Utf8Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let pid = read_pid(&mut file).unwrap_or_else(|| "unknown".to_owned());
                return Err(LockError::Held { pid });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn read_pid(file: &mut File) -> Option<String> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    let pid = text.trim();
    (!pid.is_empty() && pid.chars().all(|c| c.is_ascii_digit())).then(|| pid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_host_is_refused_with_the_pid_of_the_first() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("host.lock")).unwrap();
        let first = HostLock::take(&path).unwrap();
        let Err(LockError::Held { pid }) = HostLock::take(&path) else {
            panic!("taken twice")
        };
        assert_eq!(pid, std::process::id().to_string());
        drop(first);
        assert!(HostLock::take(&path).is_ok());
    }
}
