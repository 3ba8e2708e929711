//! Brings an archive back to an empty place. The archive may be damaged, and what is in it was once
//! written by a sandbox: nothing is made but below the new folder, through no link, and nothing
//! counts before all of it agrees with the manifest.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::{Component, Path, PathBuf},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Uid, chownat, fchmod, fchown, mkdirat, openat, symlinkat},
    io::Errno,
};
use sha2::{Digest, Sha256};
use tar::{Archive, Entry};

use crate::backup::{
    BackupError, damaged, io_at,
    manifest::{self, ABOUT, About, FORMAT, Kind, LEFT_OUT, MANIFEST},
    private_file,
    tree::open_folder,
};

/// So many entries an archive may have.
const ENTRIES_LIMIT: u64 = 50_000_000;
/// So deep an entry may lie, and so long its path may be in bytes.
const DEPTH_LIMIT: usize = 160;
const PATH_LIMIT_BYTES: usize = 64 * 1024;
/// So long the entries may be that are read into memory.
const TEXT_LIMIT_BYTES: u64 = 1024 * 1024;
/// A line of the manifest.
const LINE_LIMIT_BYTES: u64 = 512 * 1024;
/// What an archive may have at its top.
const TOP: &[&str] = &["anchorhold.db", "runtime", "sessions", "groups"];

/// Unpacks `archive` to the folder `to`, which must not be there, and checks it against its manifest.
/// Blocks.
pub(super) fn unpack(archive: &Utf8Path, to: &Utf8Path) -> Result<(), BackupError> {
    let file = File::open(archive).map_err(io_at("open", archive))?;
    fs::DirBuilder::new()
        .mode(0o700)
        .create(to)
        .map_err(io_at("make", to))?;
    let lines = Utf8PathBuf::from(format!("{to}.manifest"));
    // silent: it is there only if an earlier try was cut off.
    drop(fs::remove_file(&lines));
    let unpacking = Unpacking {
        root: File::open(to).map_err(io_at("open", to))?,
        to: to.to_owned(),
        seen: BufWriter::new(private_file(&lines)?),
        folders: Vec::new(),
        is_root: rustix::process::geteuid().is_root(),
    };
    let done = unpacking.run(file);
    // silent: a file that is left over here says nothing wrong.
    drop(fs::remove_file(&lines));
    done
}

struct Unpacking {
    root: File,
    to: Utf8PathBuf,
    /// What the manifest has to say.
    seen: BufWriter<File>,
    /// They get their modes at the end: one that nobody may write to is filled first.
    folders: Vec<(PathBuf, Owner)>,
    is_root: bool,
}

struct Owner {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Unpacking {
    fn run(mut self, file: File) -> Result<(), BackupError> {
        let mut archive = Archive::new(BufReader::new(file));
        let broken = |failure: io::Error| damaged("a header", failure.to_string());
        let mut place = ABOUT.to_owned();
        let mut count = 0_u64;
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry
                .map_err(|failure| damaged(format!("what follows {place}"), failure.to_string()))?;
            let path = entry.path().map_err(broken)?.into_owned();
            place = path.as_os_str().as_bytes().escape_ascii().to_string();
            count += 1;
            if count == 1 {
                self.about(&mut entry, &path)?;
                continue;
            }
            if count > ENTRIES_LIMIT {
                return Err(damaged(place, "there is too much in it"));
            }
            if path == Path::new(MANIFEST) {
                self.compare(&mut entry)?;
                return self.finish();
            }
            if path == Path::new(LEFT_OUT) {
                let (len, hash) = drain(&mut entry).map_err(|error| broken_at(&place, &error))?;
                self.note(Kind::File, len, &hash, &path)?;
                continue;
            }
            self.entry(&mut entry, &path, &place)?;
        }
        Err(damaged(
            format!("what follows {place}"),
            "the archive ends before its manifest",
        ))
    }

    fn about(&mut self, entry: &mut Entry<'_, impl Read>, path: &Path) -> Result<(), BackupError> {
        let mut text = Vec::new();
        let read = entry.take(TEXT_LIMIT_BYTES).read_to_end(&mut text);
        read.map_err(|error| broken_at(ABOUT, &error))?;
        let about: Result<About, _> = serde_json::from_slice(&text);
        let about = about.ok().filter(|_| path == Path::new(ABOUT));
        let Some(about) = about else {
            return Err(damaged(ABOUT, "this is no backup of anchorhold"));
        };
        if about.format != FORMAT {
            let format = about.format;
            let what = format!("it has format {format}, this program reads {FORMAT}");
            return Err(damaged(ABOUT, what));
        }
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.note(Kind::File, len, &manifest::hash(&text), path)
    }

    fn entry(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        place: &str,
    ) -> Result<(), BackupError> {
        let refused = |what: &str| damaged(place, what);
        let parts = parts(path).map_err(refused)?;
        let Some((name, folders)) = parts.split_last() else {
            return Err(refused("it has no name"));
        };
        let header = entry.header();
        let number = |found: io::Result<u64>| {
            let found = found.map_err(|error| broken_at(place, &error))?;
            u32::try_from(found).map_err(|_too_large| refused("a number is too large"))
        };
        let owner = Owner {
            mode: header.mode().map_err(|error| broken_at(place, &error))? & 0o777,
            uid: number(header.uid())?,
            gid: number(header.gid())?,
        };
        let failed = io_at("make", &self.to.join(place));
        let dir = self.folder(folders).map_err(&failed)?;
        let kind = header.entry_type();
        if kind.is_dir() {
            match mkdirat(&dir, *name, Mode::from_raw_mode(0o700)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
            self.folders.push((path.to_owned(), owner));
            return self.note(Kind::Folder, 0, &[], path);
        }
        if kind.is_symlink() {
            let target = entry.link_name_bytes().map(Cow::into_owned);
            let target = target.ok_or_else(|| refused("it points nowhere"))?;
            symlinkat(OsStr::from_bytes(&target), &dir, *name)
                .and_then(|()| self.own_link(&dir, name, &owner))
                .map_err(|errno| failed(errno.into()))?;
            return self.note(Kind::Link, 0, &manifest::hash(&target), path);
        }
        if !kind.is_file() {
            return Err(refused("it is no file, folder or link"));
        }
        let (len, hash) = self
            .file(entry, (&dir, name), &owner)
            .map_err(|error| io_at("write", &self.to.join(place))(error))?;
        self.note(Kind::File, len, &hash, path)
    }

    /// The folder in which something is made; those on the way are made, too.
    fn folder(&self, parts: &[&OsStr]) -> io::Result<File> {
        let mut at = self.root.try_clone()?;
        for part in parts {
            at = match open_folder(&at, part) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => {
                    mkdirat(&at, *part, Mode::from_raw_mode(0o700))?;
                    open_folder(&at, part)?
                }
                Err(errno) => return Err(errno.into()),
            };
        }
        Ok(at)
    }

    fn file(
        &self,
        content: &mut impl Read,
        (dir, name): (&File, &OsStr),
        owner: &Owner,
    ) -> io::Result<(u64, Vec<u8>)> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(openat(dir, name, flags, Mode::from_raw_mode(0o600))?);
        let copied = copy(content, &mut &file)?;
        self.own(&file, owner)?;
        Ok(copied)
    }

    fn own(&self, file: &File, owner: &Owner) -> io::Result<()> {
        if self.is_root {
            fchown(
                file,
                Some(Uid::from_raw(owner.uid)),
                Some(Gid::from_raw(owner.gid)),
            )?;
        }
        fchmod(file, Mode::from_raw_mode(owner.mode))?;
        Ok(())
    }

    fn own_link(&self, dir: &File, name: &OsStr, owner: &Owner) -> Result<(), Errno> {
        if !self.is_root {
            return Ok(());
        }
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
    }

    fn note(&mut self, kind: Kind, len: u64, hash: &[u8], path: &Path) -> Result<(), BackupError> {
        let line = manifest::line(kind, len, hash, path);
        writeln!(self.seen, "{line}").map_err(io_at("write", &self.to))
    }

    /// Compares what was unpacked with what the archive says it had, line by line.
    fn compare(&mut self, manifest: &mut impl Read) -> Result<(), BackupError> {
        let failed = io_at("read", &self.to);
        self.seen.flush().map_err(&failed)?;
        let mut seen = self.seen.get_ref();
        seen.rewind().map_err(&failed)?;
        let mut seen = BufReader::new(seen);
        let mut manifest = BufReader::new(manifest);
        loop {
            let found = next_line(&mut seen).map_err(&failed)?;
            let wanted = next_line(&mut manifest).map_err(|error| broken_at(MANIFEST, &error))?;
            if found == wanted {
                match found {
                    Some(_) => continue,
                    None => return Ok(()),
                }
            }
            let name = |line: &str| line.splitn(4, ' ').nth(3).unwrap_or(MANIFEST).to_owned();
            return Err(match (found, wanted) {
                (Some(found), Some(wanted)) if name(&found) == name(&wanted) => {
                    damaged(name(&found), "its content is not what was written")
                }
                (Some(found), _) => damaged(name(&found), "the manifest does not have it there"),
                (None, Some(wanted)) => damaged(name(&wanted), "it is missing"),
                (None, None) => damaged(MANIFEST, "it can't be compared"),
            });
        }
    }

    /// Folders get their owners and modes, and all of it becomes durable.
    fn finish(self) -> Result<(), BackupError> {
        // From the deepest up, so that none is closed before what is in it.
        for (path, owner) in self.folders.iter().rev() {
            let place = self.to.join(path.to_string_lossy().as_ref());
            let owned = parts(path)
                .map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))
                .and_then(|parts| self.folder(&parts))
                .and_then(|folder| self.own(&folder, owner));
            owned.map_err(io_at("set the mode of", &place))?;
        }
        rustix::fs::syncfs(&self.root)
            .map_err(|errno| io_at("make durable", &self.to)(errno.into()))
    }
}

/// The names that a path is made of, if it stays below where it begins.
fn parts(path: &Path) -> Result<Vec<&OsStr>, &'static str> {
    if path.as_os_str().len() > PATH_LIMIT_BYTES {
        return Err("its path is too long");
    }
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) if parts.len() < DEPTH_LIMIT => parts.push(name),
            Component::Normal(_) => return Err("it lies too deep"),
            Component::Prefix(_)
            | Component::RootDir
            | Component::CurDir
            | Component::ParentDir => return Err("its path leads elsewhere"),
        }
    }
    let top = parts.first().and_then(|name| name.to_str());
    match top {
        Some(top) if TOP.contains(&top) => Ok(parts),
        Some(_) | None => Err("no backup has this"),
    }
}

fn next_line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = from.take(LINE_LIMIT_BYTES).read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end_matches('\n').to_owned()))
}

/// How much there is, and its hash.
fn drain(from: &mut impl Read) -> io::Result<(u64, Vec<u8>)> {
    copy(from, &mut io::sink())
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, Vec<u8>)> {
    let mut buf = vec![0; 64 * 1024];
    let (mut len, mut hash) = (0_u64, Sha256::new());
    loop {
        let read = from.read(&mut buf)?;
        let Some(part) = buf.get(..read).filter(|part| !part.is_empty()) else {
            return Ok((len, hash.finalize().to_vec()));
        };
        hash.update(part);
        to.write_all(part)?;
        len += u64::try_from(read).unwrap_or(u64::MAX);
    }
}

fn broken_at(place: &str, error: &io::Error) -> BackupError {
    damaged(place, error.to_string())
}

/// A name that nothing has yet, for what is unpacked before it is known to be good.
pub(super) fn unfinished(to: &Utf8Path) -> Utf8PathBuf {
    let mut name = OsString::from(to.as_str().trim_end_matches('/'));
    name.push(".restoring");
    Utf8PathBuf::from(name.to_string_lossy().into_owned())
}
