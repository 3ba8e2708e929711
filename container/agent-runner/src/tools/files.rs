//! Files as tools handle them. The sandbox is the wall: inside it an agent may reach every path that
//! its commands may, too.

use std::{
    fs::{self, File},
    io::{self, Read},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{Mode, OFlags};
use tokio::task::yield_now;

use crate::tools::{ToolError, Tools};

/// Folders that are not looked into.
const SKIPPED: &[&str] = &[".git", "node_modules"];
/// The most entries that are looked at.
const ENTRIES_LIMIT: usize = 200_000;
const DEPTH_LIMIT: usize = 64;

/// A path as the agent named it, from the workspace on.
pub(super) fn full(tools: &Tools, path: &str) -> Utf8PathBuf {
    tools.workspace().join(path)
}

/// The content of a plain file of at most `limit` bytes.
pub(super) fn content(tools: &Tools, path: &str, limit: u64) -> Result<Vec<u8>, ToolError> {
    let failed = |source| ToolError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    read(&full(tools, path), limit).map_err(failed)
}

/// As [`content`], of a full path.
pub(super) fn read(path: &Utf8Path, limit: u64) -> io::Result<Vec<u8>> {
    // Never waits for the other end of a pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(path.as_str(), flags, Mode::empty()).map(File::from)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut content = Vec::new();
    // One byte more than the limit tells that there is more.
    file.take(limit + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|len| len <= limit) {
        return Ok(content);
    }
    Err(io::Error::other(format!("it has more than {limit} bytes")))
}

/// Is this something that people can't read?
pub(super) fn is_binary(content: &[u8]) -> bool {
    content.iter().take(8192).any(|byte| *byte == 0)
}

/// Every plain file below `root`, by name, with its path from there; and whether there are more than
/// were looked at. No link is followed.
pub(super) async fn below(root: &Utf8Path) -> (Vec<Utf8PathBuf>, bool) {
    let (mut found, mut looked) = (Vec::new(), 0);
    let mut folders = vec![(Utf8PathBuf::new(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        // Others have their turn: a folder may be large.
        yield_now().await;
        // silent: what can't be read has nothing to show.
        let Ok(entries) = fs::read_dir(root.join(&folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            looked += 1;
            if looked > ENTRIES_LIMIT {
                found.sort_unstable();
                return (found, true);
            }
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let path = folder.join(&name);
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() && depth < DEPTH_LIMIT && !SKIPPED.contains(&name.as_str()) {
                folders.push((path, depth + 1));
            }
        }
    }
    found.sort_unstable();
    (found, false)
}
