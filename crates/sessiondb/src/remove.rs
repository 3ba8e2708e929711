//! Removal of folders that a sandbox may have filled with anything.

use std::{ffi::CStr, fs::File};

use camino::Utf8Path;
use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags},
    io::Errno,
};

use crate::{Error, layout::open_subdir};

/// Removes `name` in the folder `dir`, whatever it is, by at most `left` steps, which are counted
/// down. `true` once it is gone; `false` if the steps did not suffice, and a later call goes on.
///
/// No link is followed. A folder in a folder is moved up before it is emptied, so that neither the
/// depth of what is there nor its number takes more than two open folders.
pub(crate) fn remove_tree(
    dir: &File,
    dir_path: &Utf8Path,
    name: &str,
    left: &mut u32,
) -> Result<bool, Error> {
    let path = dir_path.join(name);
    let failed = |errno: Errno| Error::io(&path, "remove")(errno.into());
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let top = open_own(dir, dir_path, name)?;
    while *left > 0 {
        if empty_once(&top, left).map_err(failed)? {
            return match rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => Ok(true),
                Err(errno) => Err(failed(errno)),
            };
        }
    }
    Ok(false)
}

/// Opens a folder for being emptied, also one that forbids it.
fn open_own(dir: &File, dir_path: &Utf8Path, name: &str) -> Result<File, Error> {
    let opened = open_subdir(dir, dir_path, name);
    let folder = match opened {
        Ok(folder) => folder,
        Err(failure) => {
            // silent: if it does not help, the failure of before says more.
            let _helped = rustix::fs::chmodat(dir, name, Mode::RWXU, AtFlags::empty());
            open_subdir(dir, dir_path, name).map_err(|_again| failure)?
        }
    };
    // silent: whether it was needed shows when something is removed.
    let _helped = rustix::fs::fchmod(&folder, Mode::RWXU);
    Ok(folder)
}

/// Goes over what is in `top` once; `true` if nothing was.
fn empty_once(top: &File, left: &mut u32) -> Result<bool, Errno> {
    let mut was_empty = true;
    for entry in Dir::read_from(top)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        was_empty = false;
        if !spend(left) {
            return Ok(false);
        }
        match rustix::fs::unlinkat(top, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
        match rustix::fs::unlinkat(top, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) => lift(top, name, left)?,
            Err(errno) => return Err(errno),
        }
    }
    Ok(was_empty)
}

/// Removes the files in the folder `name` of `top` and moves the folders in it up to `top`.
fn lift(top: &File, name: &CStr, left: &mut u32) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(top, name, flags, Mode::empty());
    let sub = match open() {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(top, name, Mode::RWXU, AtFlags::empty())?;
            open()?
        }
        opened => opened?,
    };
    // silent: whether it was needed shows when something is removed.
    let _helped = rustix::fs::fchmod(&sub, Mode::RWXU);
    for entry in Dir::read_from(&sub)? {
        let entry = entry?;
        let inner = entry.file_name();
        if matches!(inner.to_bytes(), b"." | b"..") {
            continue;
        }
        if !spend(left) {
            return Ok(());
        }
        match rustix::fs::unlinkat(&sub, inner, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => continue,
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(errno) => return Err(errno),
        }
        // The steps left never repeat within one call; a name of an earlier one makes the next
        // pass try another.
        let lifted = format!(".gone-{left}");
        match rustix::fs::renameat(&sub, inner, top, &lifted) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            Err(Errno::ACCESS) => {
                // A folder that may not be written to can't change its parent.
                rustix::fs::chmodat(&sub, inner, Mode::RWXU, AtFlags::empty())?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Takes one step, if there is one left.
fn spend(left: &mut u32) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}
