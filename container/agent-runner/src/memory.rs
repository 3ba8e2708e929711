//! What the agent can search: its memory, which it keeps as Markdown, and past conversations.
//!
//! The index is a file of the agent's own in its workspace, beside what it is made from. It is brought
//! up to date by each search, and made anew where it is broken: nothing is in it that is not elsewhere.

mod index;
mod pieces;

use std::{fs, io};

use camino::{Utf8Path, Utf8PathBuf};

use crate::memory::index::Index;

/// What of the workspace is the system's: the index, and past conversations.
pub const OWN: &str = ".anchorhold";
/// Where past conversations are, a file a day.
pub const CONVERSATIONS: &str = ".anchorhold/conversations";
/// Where the agent keeps what it wants to remember.
pub const MEMORY: &str = "memory";

/// The most files that are searched.
const FILES_LIMIT: usize = 10_000;
/// The deepest folder of the memory that is looked into.
const DEPTH_LIMIT: usize = 8;

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// In which file, from the workspace on.
    pub path: String,
    /// From which line on.
    pub line: u64,
    /// The part of it that fits.
    pub text: String,
}

/// Why nothing can be searched.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The index could not be used.
    #[error("can't use the index")]
    Index {
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// The folder of the index could not be made, or a broken index not be removed.
    #[error("can't prepare {path}")]
    Folder {
        /// Which.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// The places that fit `words` best, the best first, at most `limit`. All words if some place has all
/// of them, else some. Blocks on the disk.
pub fn search(workspace: &Utf8Path, words: &str, limit: u32) -> Result<Vec<Hit>, MemoryError> {
    let own = workspace.join(OWN);
    let folder = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| MemoryError::Folder { path, source }
    };
    fs::create_dir_all(&own).map_err(folder(&own))?;
    let path = own.join("memory.db");
    let look = || Index::open(&path)?.search(workspace, words, limit);
    match look() {
        Err(source) if index::is_broken(&source) => {
            tracing::warn!("index of the memory is broken, and made anew");
            fs::remove_file(&path).map_err(folder(&path))?;
            look().map_err(|source| MemoryError::Index { source })
        }
        found => found.map_err(|source| MemoryError::Index { source }),
    }
}

/// The files to search, from the workspace on: the Markdown of the memory, of past conversations, and
/// of the workspace itself. No link is followed.
fn files(workspace: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![
        (Utf8PathBuf::new(), DEPTH_LIMIT),
        (MEMORY.into(), 0),
        (CONVERSATIONS.into(), 0),
    ];
    while let Some((folder, depth)) = folders.pop() {
        // silent: what can't be read has nothing to find
        let Ok(entries) = fs::read_dir(workspace.join(&folder)) else {
            continue;
        };
        for entry in entries.flatten() {
            let (Ok(name), Ok(kind)) = (entry.file_name().into_string(), entry.file_type()) else {
                continue;
            };
            let path = folder.join(name);
            if kind.is_dir() && depth < DEPTH_LIMIT {
                folders.push((path, depth + 1));
            } else if kind.is_file() && path.extension() == Some("md") {
                found.push(path);
            }
            if found.len() >= FILES_LIMIT {
                return found;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
