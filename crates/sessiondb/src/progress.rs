//! The progress file: how the runner shows that it works, what it has taken up, and for how long a
//! tool may be quiet.
//!
//! It carries a counter, not a time: the host measures with its own clock when the counter moved,
//! so a sandbox can't claim to have worked in the future.
//!
//! What is taken stands here and not in `outbound.db`, where it would cost a durable commit for each
//! turn: a claim has to outlive its sandbox, not the machine. After a power loss nobody is to blame.

use std::{
    fs,
    io::Read,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_core::sandbox::Generation;
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Seq,
    layout::{Found, open_dir, open_plain},
};

const NAME: &str = "progress";
const LIMIT_BYTES: u64 = 32 * 1024;
/// The most messages that are believed to be taken; a turn has fewer than half as many.
const TAKEN_LIMIT: usize = 1_024;

/// One sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Whose it is.
    pub generation: Generation,
    /// Counts up with every event of a turn.
    pub beat: u64,
    /// How long the tool that runs now said it may take, in milliseconds.
    pub declared_ms: Option<u64>,
    /// The numbers of what was taken up and had not ended when this was written.
    #[serde(default)]
    pub taken: Vec<i64>,
    /// How many ends there were when the last of them was taken: an end with a higher number came
    /// after it.
    #[serde(default)]
    pub ends: i64,
}

impl Progress {
    /// How long the tool that runs now said it may take.
    pub fn declared(&self) -> Option<Duration> {
        self.declared_ms.map(Duration::from_millis)
    }

    /// What was taken, as far as it can be: messages of the host's.
    pub(crate) fn taken(&self) -> impl Iterator<Item = Seq> {
        let numbers = self.taken.iter().take(TAKEN_LIMIT);
        let seqs = numbers.filter_map(|number| Seq::new(*number));
        seqs.filter(|seq| seq.is_host())
    }
}

/// Writes the progress file of one sandbox, and remembers what is in it.
#[derive(Debug)]
pub struct Beats {
    out_dir: Utf8PathBuf,
    last: Mutex<Progress>,
}

impl Beats {
    /// Of the sandbox that is this generation. Nothing is written yet.
    pub fn new(out_dir: &Utf8Path, generation: Generation) -> Self {
        let last = Progress {
            generation,
            beat: 0,
            declared_ms: None,
            taken: Vec::new(),
            ends: 0,
        };
        Self {
            out_dir: out_dir.to_owned(),
            last: Mutex::new(last),
        }
    }

    /// Shows that something happened, and for how long it may be quiet now.
    ///
    /// Not made durable: after a power loss the sandbox is gone anyway. Where it fails the next beat
    /// may do; a sandbox whose beats stay away is restarted by the host, which is what a full or
    /// broken disk calls for.
    pub fn beat(&self, declared: Option<Duration>) -> Result<(), Error> {
        let mut last = self.last();
        last.declared_ms = declared.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        self.write(&mut last)
    }

    /// Shows that these were taken, after `ends` ends. A tool that runs keeps its time.
    pub(crate) fn take(&self, seqs: &[Seq], ends: i64) -> Result<(), Error> {
        let mut last = self.last();
        let before = last.clone();
        last.taken.extend(seqs.iter().map(|seq| seq.get()));
        last.taken.sort_unstable();
        last.taken.dedup();
        last.ends = ends;
        let written = self.write(&mut last);
        if written.is_err() {
            // A later beat must not show what nobody works on.
            (last.taken, last.ends) = (before.taken, before.ends);
        }
        written
    }

    /// These have ended: the next beat shows it.
    pub(crate) fn ended(&self, seqs: impl Iterator<Item = Seq>) {
        let mut last = self.last();
        for seq in seqs {
            last.taken.retain(|taken| *taken != seq.get());
        }
    }

    /// Has this sandbox taken the message, and not ended it?
    pub(crate) fn has_taken(&self, seq: Seq) -> bool {
        self.last().taken.contains(&seq.get())
    }

    pub(crate) fn out_dir(&self) -> &Utf8Path {
        &self.out_dir
    }

    pub(crate) fn generation(&self) -> Generation {
        self.last().generation
    }

    fn write(&self, last: &mut Progress) -> Result<(), Error> {
        last.beat += 1;
        write(&self.out_dir, last)
    }

    fn last(&self) -> MutexGuard<'_, Progress> {
        // A panic elsewhere leaves at most a claim too many.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Removes the progress file: what it says was taken was taken back.
pub(crate) fn remove(out_dir: &Utf8Path) -> Result<(), Error> {
    let dir = open_dir(out_dir)?;
    match rustix::fs::unlinkat(&dir, NAME, rustix::fs::AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
        Err(errno) => Err(Error::io(&out_dir.join(NAME), "remove")(errno.into())),
    }
}
