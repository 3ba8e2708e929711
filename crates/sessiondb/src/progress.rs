//! The progress file: how the runner shows that it works, and for how long a tool may be quiet.
//!
//! It carries a counter, not a time: the host measures with its own clock when the counter moved,
//! so a sandbox can't claim to have worked in the future.

use std::{fs, io::Read, time::Duration};

use anchorhold_core::sandbox::Generation;
use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    layout::{Found, open_dir, open_plain},
};

const NAME: &str = "progress";
const LIMIT_BYTES: u64 = 4096;

/// One sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whose it is.
    pub generation: Generation,
    /// Counts up with every event of a turn.
    pub beat: u64,
    /// How long the tool that runs now said it may take, in milliseconds.
    pub declared_ms: Option<u64>,
}

impl Progress {
    /// How long the tool that runs now said it may take.
    pub fn declared(&self) -> Option<Duration> {
        self.declared_ms.map(Duration::from_millis)
    }
}

/// Replaces the progress file. Not made durable: after a power loss the sandbox is gone anyway.
pub fn write(out_dir: &Utf8Path, progress: &Progress) -> Result<(), Error> {
    let path = out_dir.join(NAME);
    let fresh = out_dir.join("progress.next");
    let body = serde_json::to_vec(progress).map_err(|source| Error::Encode { source })?;
    fs::write(&fresh, body)
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(Error::io(&path, "write"))
}

/// Reads the hostile progress file; `None` if there is none or it makes no sense.
pub(crate) fn read(out_dir: &Utf8Path) -> Result<Option<Progress>, Error> {
    let dir = open_dir(out_dir)?;
    let Found::Plain(file) = open_plain(&dir, out_dir, NAME, LIMIT_BYTES)? else {
        return Ok(None);
    };
    let mut body = Vec::new();
    file.take(LIMIT_BYTES)
        .read_to_end(&mut body)
        .map_err(Error::io(&out_dir.join(NAME), "read"))?;
    Ok(serde_json::from_slice(&body).ok())
}
