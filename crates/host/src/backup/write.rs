//! Writes an archive: entry by entry, with its manifest growing in a file beside it.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, Write},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use camino::Utf8Path;
use rustix::fs::Stat;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use crate::backup::{
    BackupError, io_at,
    manifest::{self, ABOUT, About, Kind, LEFT_OUT, MANIFEST},
    tree::{self, Entry},
};

/// So many of the things that were left out are told at once; the archive has all of them.
const TOLD_LIMIT: usize = 100;

/// An archive that is being written.
pub(super) struct Writer {
    tar: Builder<BufWriter<File>>,
    /// The manifest's lines and those of what was left out: too many for memory.
    lines: BufWriter<File>,
    left: BufWriter<File>,
    told: Vec<String>,
    entries: u64,
    failed: Option<io::Error>,
}

/// Who owns an entry and who may do what with it.
struct Owner {
    mode: u32,
    uid: u64,
    gid: u64,
    mtime: u64,
}

impl Owner {
    /// What is private to the host's user, whoever that will be.
    fn private() -> Self {
        Self {
            mode: 0o600,
            uid: u64::from(rustix::process::geteuid().as_raw()),
            gid: u64::from(rustix::process::getegid().as_raw()),
            mtime: 0,
        }
    }

    fn of(stat: &Stat) -> Self {
        Self {
            // No set-user-id bit is ever restored.
            mode: stat.st_mode & 0o777,
            uid: u64::from(stat.st_uid),
            gid: u64::from(stat.st_gid),
            mtime: u64::try_from(stat.st_mtime).unwrap_or_default(),
        }
    }

    fn header(&self, kind: EntryType, len: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(self.mode);
        header.set_uid(self.uid);
        header.set_gid(self.gid);
        header.set_mtime(self.mtime);
        header.set_size(len);
        header
    }
}

/// Gives exactly so many bytes, zeros where the file has become shorter, and hashes them.
struct Exact<R> {
    from: R,
    left: u64,
    hash: Sha256,
    short: bool,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let Some(buf) = buf.get_mut(..most) else {
            return Ok(0);
        };
        let mut read = if self.short { 0 } else { self.from.read(buf)? };
        if read == 0 && !buf.is_empty() {
            self.short = true;
            buf.fill(0);
            read = buf.len();
        }
        self.hash.update(buf.get(..read).unwrap_or_default());
        self.left -= u64::try_from(read).unwrap_or(self.left);
        Ok(read)
    }
}

impl Writer {
    /// Writes to `archive`, with two files for what grows meanwhile; all are empty.
    pub(super) fn new([archive, lines, left]: [File; 3]) -> Self {
        let mut tar = Builder::new(BufWriter::new(archive));
        tar.follow_symlinks(false);
        Self {
            tar,
            lines: BufWriter::new(lines),
            left: BufWriter::new(left),
            told: Vec::new(),
            entries: 0,
            failed: None,
        }
    }

    /// The entry that says what the archive is.
    pub(super) fn about(&mut self, about: &About) -> Result<(), BackupError> {
        let text = serde_json::to_vec(about).unwrap_or_default();
        self.content(Path::new(ABOUT), &text)
            .map_err(io_at("write", Utf8Path::new(ABOUT)))
    }

    /// Adds a file of the host's own under another name.
    pub(super) fn file(&mut self, name: &str, path: &Utf8Path) -> Result<(), BackupError> {
        let mut add = || {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            self.opened(name, &file, len)
        };
        add().map_err(io_at("copy", path))
    }

    /// The same, if it is there.
    pub(super) fn file_if_there(&mut self, name: &str, path: &Utf8Path) -> Result<(), BackupError> {
        match path.try_exists() {
            Ok(true) => self.file(name, path),
            Ok(false) => Ok(()),
            Err(failure) => Err(io_at("look at", path)(failure)),
        }
    }

    /// Adds an open file, from its beginning, with its owner and mode.
    pub(super) fn opened(&mut self, name: &str, file: &File, len: u64) -> io::Result<()> {
        let meta = file.metadata()?;
        let owner = Owner {
            mode: meta.mode() & 0o777,
            uid: u64::from(meta.uid()),
            gid: u64::from(meta.gid()),
            mtime: u64::try_from(meta.mtime()).unwrap_or_default(),
        };
        let short = self.stream(Path::new(name), file, len, &owner)?;
        if short {
            self.left_out(name, "its end, since it was changed while it was read");
        }
        Ok(())
    }

    /// Adds a folder as such, for whom it belongs to and who may enter it.
    pub(super) fn folder(&mut self, root: &Utf8Path, path: &str) -> Result<(), BackupError> {
        let Some(dir) = self.open(root, path) else {
            return Ok(());
        };
        rustix::fs::fstat(&dir)
            .map_err(io::Error::from)
            .and_then(|stat| self.add(Path::new(path), Entry::Folder(&stat)))
            .map_err(io_at("copy", &root.join(path)))
    }

    /// Adds the folder `path` below `root` with everything in it, if it is there.
    pub(super) fn tree(&mut self, root: &Utf8Path, path: &str) -> Result<(), BackupError> {
        let Some(dir) = self.open(root, path) else {
            return Ok(());
        };
        let visit = &mut |path: &Path, entry: Entry<'_>| self.add(path, entry);
        tree::walk(&dir, Path::new(path), visit).map_err(io_at("copy", &root.join(path)))
    }

    /// A folder below `root`, if it is there and one.
    fn open(&mut self, root: &Utf8Path, path: &str) -> Option<File> {
        let dir = File::open(root).and_then(|root| tree::open_below(&root, Path::new(path)));
        dir.unwrap_or_else(|failure| {
            // A sandbox may have put something else in a folder's place.
            self.left_out(path, &failure.to_string());
            None
        })
    }

    /// Notes that something is not in the archive.
    pub(super) fn left_out(&mut self, name: &str, why: &str) {
        let line = format!("{}: {why}", name.as_bytes().escape_ascii());
        if let Err(failure) = writeln!(self.left, "{line}") {
            self.failed.get_or_insert(failure);
        }
        if self.told.len() < TOLD_LIMIT {
            self.told.push(line);
        }
    }

    /// Ends the archive, durable; how many entries it has and what was left out.
    pub(super) fn finish(mut self) -> Result<(u64, Vec<String>), BackupError> {
        let mut end = || -> io::Result<()> {
            if let Some(failure) = self.failed.take() {
                return Err(failure);
            }
            let (left, len) = rewound(&mut self.left)?;
            self.stream(Path::new(LEFT_OUT), left, len, &Owner::private())?;
            let (lines, len) = rewound(&mut self.lines)?;
            self.stream(Path::new(MANIFEST), lines, len, &Owner::private())?;
            self.tar.finish()?;
            self.tar.get_mut().flush()?;
            self.tar.get_ref().get_ref().sync_all()
        };
        end().map_err(io_at("write", Utf8Path::new("the archive")))?;
        Ok((self.entries, self.told))
    }

    fn add(&mut self, path: &Path, entry: Entry<'_>) -> io::Result<()> {
        match entry {
            Entry::Folder(stat) => {
                let mut header = Owner::of(stat).header(EntryType::Directory, 0);
                self.tar.append_data(&mut header, path, io::empty())?;
                self.note(Kind::Folder, 0, &[], path)
            }
            Entry::File(file, stat) => {
                let len = u64::try_from(stat.st_size).unwrap_or_default();
                if self.stream(path, file, len, &Owner::of(stat))? {
                    self.left_out_at(path, "its end, since it was changed while it was read");
                }
                Ok(())
            }
            Entry::Link(target, stat) => self.link(path, target, stat),
            Entry::LeftOut(why) => {
                self.left_out_at(path, &why);
                Ok(())
            }
        }
    }

    fn left_out_at(&mut self, path: &Path, why: &str) {
        let name = path.as_os_str().to_string_lossy().into_owned();
        self.left_out(&name, why);
    }

    fn link(&mut self, path: &Path, target: &OsStr, stat: &Stat) -> io::Result<()> {
        let mut header = Owner::of(stat).header(EntryType::Symlink, 0);
        self.tar.append_link(&mut header, path, target)?;
        self.note(Kind::Link, 0, &manifest::hash(target.as_bytes()), path)
    }

    fn content(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        let len = u64::try_from(content.len()).unwrap_or(u64::MAX);
        self.stream(path, content, len, &Owner::private())?;
        Ok(())
    }

    /// Adds `len` bytes; tells whether there were fewer.
    fn stream(
        &mut self,
        path: &Path,
        from: impl Read,
        len: u64,
        owner: &Owner,
    ) -> io::Result<bool> {
        let mut exact = Exact {
            from,
            left: len,
            hash: Sha256::new(),
            short: false,
        };
        let mut header = owner.header(EntryType::Regular, len);
        self.tar.append_data(&mut header, path, &mut exact)?;
        let (short, hash) = (exact.short, exact.hash.finalize());
        self.note(Kind::File, len, &hash, path)?;
        Ok(short)
    }

    fn note(&mut self, kind: Kind, len: u64, hash: &[u8], path: &Path) -> io::Result<()> {
        self.entries += 1;
        writeln!(self.lines, "{}", manifest::line(kind, len, hash, path))
    }
}

/// From the beginning, and how long it is.
fn rewound(lines: &mut BufWriter<File>) -> io::Result<(BufReader<File>, u64)> {
    lines.flush()?;
    let mut file = lines.get_ref().try_clone()?;
    let len = file.stream_position()?;
    file.rewind()?;
    Ok((BufReader::new(file), len))
}
