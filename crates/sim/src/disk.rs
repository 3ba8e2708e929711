//! What of SQLite's files would be there after a loss of power: what was made durable, and of the
//! rest what chance has left.
//!
//! It is a disk under a file system with a journal: what is in files reaches it in any order, torn in
//! sectors; names of files (made, moved, removed) reach it in order, with the next sync that has a
//! name or a length to write.

use std::{collections::BTreeMap, fs, io};

use crate::random::Rng;

/// What a disk writes as a whole or not at all, in bytes.
const SECTOR: usize = 512;

/// The files of one simulation, as the disk under them has them.
#[derive(Debug, Default)]
pub struct Disk {
    watched: bool,
    files: BTreeMap<String, Image>,
}

/// One name: what is durable of its file, and what was done since.
#[derive(Debug, Default)]
struct Image {
    durable: Option<Vec<u8>>,
    pending: Vec<Change>,
    /// Which file the name stands for, as the real disk numbers it.
    file: Option<u64>,
}

/// One change of a file that is not durable yet.
#[derive(Debug)]
enum Change {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        len: usize,
    },
    /// The name is gone.
    Delete,
    /// The name stands for another file now, of which this was durable.
    Moved {
        durable: Option<Vec<u8>>,
    },
}

impl Change {
    /// Does it change what the name stands for, rather than what is in the file?
    fn is_of_name(&self) -> bool {
        matches!(self, Self::Delete | Self::Moved { .. })
    }
}

impl Disk {
    /// A disk without files; remembers nothing unless `watched`.
    pub fn new(watched: bool) -> Self {
        Self {
            watched,
            files: BTreeMap::new(),
        }
    }

    /// `bytes` were written at `at`.
    pub fn wrote(&mut self, path: &str, at: usize, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.change(path, Change::Write { at, bytes });
    }

    /// The file was cut, or grew.
    pub fn truncated(&mut self, path: &str, len: usize) {
        self.change(path, Change::Truncate { len });
    }

    /// The file was removed; with `synced`, for good.
    pub fn deleted(&mut self, path: &str, synced: bool) {
        self.change(path, Change::Delete);
        if let Some(image) = self.files.get_mut(path) {
            image.file = None;
        }
        if synced {
            self.synced(path);
        }
    }

    /// The name was opened, and stands for the file of this number. If that is one which had another
    /// name before, it was moved.
    pub fn opened(&mut self, path: &str, file: u64) {
        if !self.watched || self.files.get(path).and_then(|image| image.file) == Some(file) {
            return;
        }
        let before = self
            .files
            .iter()
            .find(|(name, image)| *name != path && image.file == Some(file));
        let before = before.map(|(name, _)| name.clone());
        let moved = before.and_then(|name| self.files.remove(&name));
        let image = self.files.entry(path.to_owned()).or_default();
        image.file = Some(file);
        if let Some(moved) = moved {
            // Without anything in it, where none of that was durable.
            let durable = Some(moved.durable.unwrap_or_default());
            image.pending.push(Change::Moved { durable });
            image.pending.extend(moved.pending);
        }
    }

    /// All changes of the file are durable now. If that takes a change of a name or of a length, then
    /// every earlier change of any name is durable, too.
    pub fn synced(&mut self, path: &str) {
        if let Some(image) = self.files.get_mut(path)
            && !image.sync_all()
        {
            return;
        }
        for image in self.files.values_mut() {
            let last = image.pending.iter().rposition(Change::is_of_name);
            image.sync(last.map_or(0, |index| index + 1));
        }
    }

    fn change(&mut self, path: &str, change: Change) {
        if self.watched {
            let image = self.files.entry(path.to_owned()).or_default();
            image.pending.push(change);
        }
    }

    /// The power is lost: puts every file into a state in which it may be found afterwards. Tells
    /// of each file that had changes how many bytes were durable, and how many are there now.
    pub fn cut(&mut self, rng: &mut Rng) -> io::Result<Vec<(String, String)>> {
        let mut lost = Vec::new();
        let len = |durable: &Option<Vec<u8>>| durable.as_ref().map(Vec::len);
        for (path, image) in &mut self.files {
            let (before, pending) = (len(&image.durable), image.pending.len());
            image.settle(rng);
            if pending > 0 {
                let now = len(&image.durable);
                let what = format!("{pending} changes, {before:?} bytes durable, {now:?} now");
                lost.push((path.clone(), what));
            }
            match &image.durable {
                Some(bytes) => fs::write(path, bytes)?,
                None => remove(path)?,
            }
            if !path.ends_with("-wal") && !path.ends_with("-journal") {
                remove(&format!("{path}-shm"))?;
            }
        }
        Ok(lost)
    }
}

impl Image {
    /// Makes all changes durable; tells whether the file system had to write more than content.
    fn sync_all(&mut self) -> bool {
        let len = self.durable.as_ref().map(Vec::len);
        let names = self.pending.iter().any(Change::is_of_name);
        self.sync(self.pending.len());
        names || len != self.durable.as_ref().map(Vec::len)
    }

    /// Makes the first `count` changes durable.
    fn sync(&mut self, count: usize) {
        for change in self.pending.drain(..count).collect::<Vec<_>>() {
            self.apply(change);
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Write { at, bytes } => {
                let content = self.durable.get_or_insert_default();
                let end = at + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[at..end].copy_from_slice(&bytes);
            }
            Change::Truncate { len } => self.durable.get_or_insert_default().resize(len, 0),
            Change::Delete => self.durable = None,
            Change::Moved { durable } => self.durable = durable,
        }
    }

    /// Some of what is pending has reached the disk, in whatever order, whole or torn.
    fn settle(&mut self, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let mode = rng.below(4);
        let kept = rng.below(u64::try_from(pending.len()).unwrap_or(0) + 1);
        for (index, change) in (0..).zip(pending) {
            let survives = match mode {
                0 => false,
                1 => true,
                2 => index < kept,
                _ => rng.chance(500),
            };
            if !survives {
                if change.is_of_name() {
                    // What comes after it was done to a file that has no name then.
                    break;
                }
                continue;
            }
            match change {
                Change::Write { at, bytes } if mode == 3 => {
                    for (part, sector) in bytes.chunks(SECTOR).enumerate() {
                        if rng.chance(700) {
                            self.apply(Change::Write {
                                at: at + part * SECTOR,
                                bytes: sector.to_vec(),
                            });
                        }
                    }
                }
                whole @ (Change::Write { .. }
                | Change::Truncate { .. }
                | Change::Delete
                | Change::Moved { .. }) => self.apply(whole),
            }
        }
    }
}

fn remove(path: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => Err(failure),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
