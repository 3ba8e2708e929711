//! Where a session's files are, and how a file in the hostile half is opened.

use std::{
    fs::{self, File},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use crate::Error;

pub(crate) const INBOUND: &str = "inbound.db";
pub(crate) const OUTBOUND: &str = "outbound.db";
pub(crate) const INBOX: &str = "inbox";
pub(crate) const OUTBOX: &str = "outbox";

/// The two halves of one session's folder.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// Written by the host; read-only inside.
    pub(crate) in_dir: Utf8PathBuf,
    /// Written by the sandbox; hostile to the host.
    pub(crate) out_dir: Utf8PathBuf,
}

impl Layout {
    pub(crate) fn in_session(root: &Utf8Path) -> Self {
        Self {
            in_dir: root.join("in"),
            out_dir: root.join("out"),
        }
    }

    pub(crate) fn inbound(&self) -> Utf8PathBuf {
        self.in_dir.join(INBOUND)
    }

    pub(crate) fn outbound(&self) -> Utf8PathBuf {
        self.out_dir.join(OUTBOUND)
    }

    /// Makes the folders; those the sandbox writes are given to `owner` (uid, gid) where it is not us.
    /// Not durable yet.
    pub(crate) fn create(&self, owner: Option<(u32, u32)>) -> Result<(), Error> {
        // Readable for everybody below a private parent: the sandbox's user is not the host's.
        for dir in [&self.in_dir, &self.in_dir.join(INBOX)] {
            make_dir(dir, 0o755)?;
        }
        for dir in [&self.out_dir, &self.out_dir.join(OUTBOX)] {
            if make_dir(dir, 0o700)?
                && let Some((uid, gid)) = owner
            {
                chown(dir, Some(uid), Some(gid)).map_err(Error::io(dir, "give away"))?;
            }
        }
        Ok(())
    }
}

/// Makes `dir` unless it is there; tells whether it was made.
fn make_dir(dir: &Utf8Path, mode: u32) -> Result<bool, Error> {
    match fs::symlink_metadata(dir) {
        Ok(found) if found.is_dir() => Ok(false),
        Ok(_) => Err(Error::hostile(dir, "it is no folder")),
        Err(_absent) => {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(dir)
                .map_err(Error::io(dir, "make"))?;
            // The mode above is cut by the umask, this one is not.
            fs::set_permissions(dir, fs::Permissions::from_mode(mode))
                .map_err(Error::io(dir, "set the mode of"))?;
            Ok(true)
        }
    }
}

/// Opens a folder as a handle, so that what is below is found relative to it.
pub(crate) fn open_dir(path: &Utf8Path) -> Result<File, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(path.as_str(), flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(Error::hostile(path, "it is no folder")),
        Err(errno) => Err(Error::io(path, "open")(errno.into())),
    }
}

/// Makes what was made, renamed or removed in a folder durable.
pub(crate) fn sync_dir(path: &Utf8Path) -> Result<(), Error> {
    open_dir(path)?
        .sync_all()
        .map_err(Error::io(path, "make durable"))
}

/// How often a file may be replaced under the host's hands before that counts as an attack.
const REPLACED_LIMIT: u32 = 256;

/// What was found under a name in a hostile folder.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Absent,
    /// A plain file of acceptable size, open for reading.
    Plain(File),
}

/// Opens `name` in the folder `dir` if it is a plain file of at most `limit_bytes`.
///
/// Links are not followed; a pipe, a device or a socket never blocks and is refused; so is a file
/// with a second name, since that could be anybody's. One that lost its name between the open and
/// the look (the runner replaces its progress file and SQLite deletes its journal all the time) is
/// looked for anew.
pub(crate) fn open_plain(
    dir: &File,
    dir_path: &Utf8Path,
    name: &str,
    limit_bytes: u64,
) -> Result<Found, Error> {
    for _ in 0..REPLACED_LIMIT {
        if let Some(found) = try_open_plain(dir, dir_path, name, limit_bytes)? {
            return Ok(found);
        }
    }
    Err(Error::hostile(
        &dir_path.join(name),
        "it is replaced faster than it can be opened",
    ))
}

/// One look of [`open_plain`]; `None` if the file lost its name meanwhile.
fn try_open_plain(
    dir: &File,
    dir_path: &Utf8Path,
    name: &str,
    limit_bytes: u64,
) -> Result<Option<Found>, Error> {
    let path = dir_path.join(name);
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT) => return Ok(Some(Found::Absent)),
        Err(Errno::LOOP) => return Err(Error::hostile(&path, "it is a symbolic link")),
        Err(Errno::NXIO) => return Err(Error::hostile(&path, "it is a socket or a device")),
        Err(errno) => return Err(Error::io(&path, "open")(errno.into())),
    };
    let meta = file.metadata().map_err(Error::io(&path, "look at"))?;
    if !meta.is_file() {
        return Err(Error::hostile(&path, "it is no plain file"));
    }
    match meta.nlink() {
        0 => return Ok(None),
        1 => {}
        _ => return Err(Error::hostile(&path, "it has a second name")),
    }
    if meta.len() > limit_bytes {
        let what = format!(
            "it is {} bytes long, at most {limit_bytes} are read",
            meta.len()
        );
        return Err(Error::hostile(&path, what));
    }
    Ok(Some(Found::Plain(file)))
}

/// Opens the folder `name` in `dir` without following a link.
pub(crate) fn open_subdir(dir: &File, dir_path: &Utf8Path, name: &str) -> Result<File, Error> {
    let path = dir_path.join(name);
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(dir, name, flags, Mode::empty()) {
        Ok(fd) => Ok(File::from(fd)),
        Err(Errno::LOOP | Errno::NOTDIR) => Err(Error::hostile(&path, "it is no folder")),
        Err(Errno::NOENT) => Err(Error::hostile(&path, "it is not there")),
        Err(errno) => Err(Error::io(&path, "open")(errno.into())),
    }
}
