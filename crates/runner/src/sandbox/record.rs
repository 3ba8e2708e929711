//! What is kept on disk about one sandbox, so that a host that did not start it can adopt it.

use std::{fs, io, io::Read as _, io::Write as _, os::unix::fs::DirBuilderExt as _};

use anchorhold_core::sandbox::ExitStatus;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::process::ProcessRef;
use crate::spec::InstanceId;

const RECORD: &str = "record.json";
const STATUS: &str = "status.json";
/// bubblewrap writes two short lines; more than this is not its doing.
const STATUS_LIMIT_BYTES: u64 = 64 * 1024;
const RECORD_LIMIT_BYTES: u64 = 64 * 1024;

/// One sandbox's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The instance's name; says whose record it is without trusting the folder's name.
    pub(super) name: String,
    /// The boot that its process ids belong to.
    pub(super) boot: String,
    /// Where its output goes.
    pub(super) log: Utf8PathBuf,
    /// Its control groups.
    pub(super) cgroups: Vec<Utf8PathBuf>,
    /// The bubblewrap outside the namespace, which knows the exit status. Without it the sandbox
    /// was never let go.
    pub(super) monitor: Option<ProcessRef>,
    /// The first process inside the namespace, as seen by the host.
    pub(super) init: Option<ProcessRef>,
    /// How it ended; written before anything that tells so is removed.
    pub(super) ended: Option<ExitStatus>,
}

/// What bubblewrap wrote down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// The host's id of the first process inside.
    pub(super) init: Option<i32>,
    /// The command's exit status.
    pub(super) exit_code: Option<i32>,
}

/// The folder of one instance.
#[derive(Clone, Debug)]
pub(super) struct Folder(Utf8PathBuf);

impl Folder {
    pub(super) fn of(state_dir: &Utf8Path, id: &InstanceId) -> Self {
        Self(state_dir.join(id.to_string()))
    }

    pub(super) fn exists(&self) -> io::Result<bool> {
        fs::exists(&self.0)
    }

    /// Makes the folder; readable for the host only.
    pub(super) fn create(&self) -> io::Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
    }

    pub(super) fn file(&self, name: &str) -> Utf8PathBuf {
        self.0.join(name)
    }

    pub(super) fn status_file(&self) -> Utf8PathBuf {
        self.file(STATUS)
    }

    /// Removes the folder and what is in it; one that is gone already is fine.
    pub(super) fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The record; `None` if there is none or it can't be one of ours.
    pub(super) fn read(&self) -> io::Result<Option<Record>> {
        let text = match read_limited(&self.file(RECORD), RECORD_LIMIT_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match serde_json::from_str::<Record>(&text) {
            Ok(record) if self.0.file_name() == Some(&record.name) => Ok(Some(record)),
            Ok(_) => Ok(None),
            Err(error) => {
                tracing::warn!(path = %self.0, %error, "record of a sandbox is not readable");
                Ok(None)
            }
        }
    }

    /// Replaces the record: after a crash there is either the old one or the new one.
    pub(super) fn write(&self, record: &Record) -> io::Result<()> {
        let text = serde_json::to_vec(record).map_err(io::Error::other)?;
        let next = self.file("record.next");
        let mut file = fs::File::create(&next)?;
        file.write_all(&text)?;
        file.sync_data()?;
        fs::rename(&next, self.file(RECORD))
    }

    /// What bubblewrap wrote so far.
    pub(super) fn status(&self) -> io::Result<Status> {
        match read_limited(&self.status_file(), STATUS_LIMIT_BYTES) {
            Ok(text) => Ok(parse_status(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Status::default()),
            Err(error) => Err(error),
        }
    }
}

/// The boot this kernel is in: process ids of another boot mean nothing.
pub(super) fn this_boot() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct StatusLine {
    child_pid: Option<i32>,
    exit_code: Option<i32>,
}

fn parse_status(text: &str) -> Status {
    let lines = serde_json::Deserializer::from_str(text).into_iter::<StatusLine>();
    let mut status = Status::default();
    // A line that is only half written ends the stream; the next look reads it whole.
    for line in lines.map_while(Result::ok) {
        status.init = status.init.or(line.child_pid);
        status.exit_code = status.exit_code.or(line.exit_code);
    }
    status
}

fn read_limited(path: &Utf8Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?
        .take(limit)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
