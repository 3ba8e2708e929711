//! What an archive says of itself: what it is, first, and what is in it, last.

use std::{os::unix::ffi::OsStrExt, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first entry.
pub(super) const ABOUT: &str = "BACKUP";
/// What was left out, a line each.
pub(super) const LEFT_OUT: &str = "LEFT_OUT";
/// The last entry: a line for each entry before it.
pub(super) const MANIFEST: &str = "MANIFEST";
/// The form of the archive that this program writes and reads.
pub(super) const FORMAT: u32 = 1;

/// What an archive is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    /// The form of the archive.
    pub(super) format: u32,
    /// The version of the program that made it.
    pub(super) version: String,
    /// When.
    pub(super) made_at: Timestamp,
    /// The schema of the central database.
    pub(super) schema: i64,
}

impl About {
    pub(super) fn new(made_at: Timestamp, schema: i64) -> Self {
        Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at,
            schema,
        }
    }
}

/// What kind of entry it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
}

/// A line of the manifest, without its end: what it is, how long, the hash of its content (of a link:
/// of where it points), and its name with everything unprintable escaped.
pub(super) fn line(kind: Kind, len: u64, hash: &[u8], path: &Path) -> String {
    let kind = match kind {
        Kind::File => "file",
        Kind::Folder => "folder",
        Kind::Link => "link",
    };
    let hash: String = hash.iter().flat_map(|byte| digits(*byte)).collect();
    let path = path.as_os_str().as_bytes().escape_ascii();
    format!("{kind} {len} {hash} {path}")
}

/// A byte in hexadecimal.
fn digits(byte: u8) -> [char; 2] {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or('0');
    [digit(byte >> 4), digit(byte & 15)]
}

/// The hash of something that is in memory.
pub(super) fn hash(content: &[u8]) -> Vec<u8> {
    Sha256::digest(content).to_vec()
}
