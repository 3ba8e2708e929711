//! The one file a sandbox's output ends up in, kept small.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

use camino::Utf8Path;
use rustix::fs::OFlags;

/// What of a sandbox's output is kept once it is over.
pub(crate) const KEPT_BYTES: u64 = 256 * 1024;
/// Above this, the file of a running sandbox is emptied.
pub(crate) const LIVE_LIMIT_BYTES: u64 = 4 * 1024 * 1024;

/// Opens `path` to append to it, made if it is not there, never through a link.
pub(crate) fn open_append(path: &Utf8Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(path)
}

/// Empties `path` if its sandbox wrote too much; its writer appends, so it goes on from the start.
pub(crate) fn empty_if_large(path: &Utf8Path) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .custom_flags(no_follow())
        .open(path)?;
    if file.metadata()?.len() > LIVE_LIMIT_BYTES {
        file.set_len(0)?;
    }
    Ok(())
}

/// Cuts `path` down to its last [`KEPT_BYTES`].
pub(crate) fn keep_tail(path: &Utf8Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(no_follow())
        .open(path)?;
    if file.metadata()?.len() <= KEPT_BYTES {
        return Ok(());
    }
    let tail = read_tail(&mut file, KEPT_BYTES)?;
    file.rewind()?;
    file.write_all(&tail)?;
    file.set_len(KEPT_BYTES.min(u64::try_from(tail.len()).unwrap_or(KEPT_BYTES)))
}

/// The last `limit` bytes of `path`, for an error's text.
pub(crate) fn tail_text(path: &Utf8Path, limit: u64) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(no_follow())
            .open(path)?;
        read_tail(&mut file, limit)
    };
    // silent: the text only explains an error that is reported anyway.
    let bytes = read().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn read_tail(file: &mut File, limit: u64) -> io::Result<Vec<u8>> {
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(limit)))?;
    let mut tail = Vec::new();
    file.take(limit).read_to_end(&mut tail)?;
    Ok(tail)
}

fn no_follow() -> i32 {
    i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
