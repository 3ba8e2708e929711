//! A folder that a sandbox may be changing, read below a handle of it: no link is followed, nothing
//! blocks, and what is no file, folder or link is left out.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat},
    io::Errno,
};

/// Deeper folders are left out.
const DEPTH_LIMIT: usize = 128;
/// A file that is longer is left out.
const FILE_LIMIT_BYTES: u64 = 16 * 1024 * 1024 * 1024;
/// So long a file may be mostly holes.
const SPARSE_BYTES: u64 = 64 * 1024 * 1024;
/// So much longer than its blocks a file may be that is longer than that.
const SPARSE_FACTOR: u64 = 16;

/// What is found, in the order in which it is found.
pub(super) enum Entry<'a> {
    Folder(&'a Stat),
    File(&'a File, &'a Stat),
    Link(&'a OsStr, &'a Stat),
    /// Not to be had, and why.
    LeftOut(String),
}

/// Does with each entry below, and first the folder itself, what is to be done.
pub(super) type Visit<'a> = dyn FnMut(&Path, Entry<'_>) -> io::Result<()> + 'a;

/// Opens the folder `path` below `root`, following no link on the way; `None` if it is not there.
pub(super) fn open_below(root: &File, path: &Path) -> io::Result<Option<File>> {
    let mut at = root.try_clone()?;
    for part in path.components() {
        match open_folder(&at, part.as_os_str()) {
            Ok(folder) => at = folder,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(Some(at))
}

/// Opens one folder in another, if it is none reached by a link.
pub(super) fn open_folder(at: &File, name: &OsStr) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(at, name, flags, Mode::empty()).map(File::from)
}

/// Visits the folder `dir`, which is called `path`, and everything below it.
pub(super) fn walk(dir: &File, path: &Path, visit: &mut Visit<'_>) -> io::Result<()> {
    let stat = rustix::fs::fstat(dir)?;
    visit(path, Entry::Folder(&stat))?;
    walk_in(dir, path, 0, visit)
}

fn walk_in(dir: &File, path: &Path, depth: usize, visit: &mut Visit<'_>) -> io::Result<()> {
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let path = path.join(name);
        match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => walk_at((dir, name), &path, &stat, depth, visit)?,
            // It is gone again.
            Err(Errno::NOENT) => {}
            Err(errno) => visit(&path, Entry::LeftOut(errno.to_string()))?,
        }
    }
    Ok(())
}

fn walk_at(
    (dir, name): (&File, &OsStr),
    path: &Path,
    stat: &Stat,
    depth: usize,
    visit: &mut Visit<'_>,
) -> io::Result<()> {
    let kind = FileType::from_raw_mode(stat.st_mode);
    match kind {
        FileType::Directory if depth >= DEPTH_LIMIT => {
            visit(path, Entry::LeftOut("it lies too deep".to_owned()))
        }
        FileType::Directory => match open_folder(dir, name) {
            Ok(folder) => {
                visit(path, Entry::Folder(stat))?;
                walk_in(&folder, path, depth + 1, visit)
            }
            Err(errno) => visit(path, Entry::LeftOut(errno.to_string())),
        },
        FileType::RegularFile => match open_file(dir, name) {
            Ok(Ok((file, stat))) => visit(path, Entry::File(&file, &stat)),
            Ok(Err(why)) => visit(path, Entry::LeftOut(why.to_owned())),
            Err(errno) => visit(path, Entry::LeftOut(errno.to_string())),
        },
        FileType::Symlink => match readlinkat(dir, name, Vec::new()) {
            Ok(target) => {
                let target = OsString::from_vec(target.into_bytes());
                visit(path, Entry::Link(&target, stat))
            }
            Err(errno) => visit(path, Entry::LeftOut(errno.to_string())),
        },
        FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => visit(
            path,
            Entry::LeftOut("it is no file, folder or link".to_owned()),
        ),
    }
}

/// Opens a plain file; an inner error says why it is left out.
fn open_file(dir: &File, name: &OsStr) -> Result<Result<(File, Stat), &'static str>, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(openat(dir, name, flags, Mode::empty())?);
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Err("it is no file any more"));
    }
    let len = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    let held = u64::try_from(stat.st_blocks)
        .unwrap_or(0)
        .saturating_mul(512);
    if len > FILE_LIMIT_BYTES {
        return Ok(Err("it is longer than 16 GiB"));
    }
    if len > SPARSE_BYTES && len / SPARSE_FACTOR > held {
        return Ok(Err("it is mostly holes"));
    }
    Ok(Ok((file, stat)))
}
