//! What of SQLite's files would be there after a loss of power: what was made durable, and of the
//! rest what chance has left.

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

/// One file: what is durable, and what was done since.
#[derive(Debug, Default)]
struct Image {
    durable: Option<Vec<u8>>,
    pending: Vec<Change>,
}

/// One change of a file that is not durable yet.
#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { len: usize },
    Delete,
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
        if synced {
            self.synced(path);
        }
    }

    /// All changes of the file are durable now, and with them every earlier removal of any file:
    /// the journal of a file system is written in order.
    pub fn synced(&mut self, path: &str) {
        for (name, image) in &mut self.files {
            let durable = if name == path {
                image.pending.len()
            } else {
                let removal = |change: &Change| matches!(change, Change::Delete);
                let last = image.pending.iter().rposition(removal);
                last.map_or(0, |index| index + 1)
            };
            for change in image.pending.drain(..durable).collect::<Vec<_>>() {
                image.apply(change);
            }
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
                whole @ (Change::Write { .. } | Change::Truncate { .. } | Change::Delete) => {
                    self.apply(whole);
                }
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
