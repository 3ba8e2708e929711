//! The bells: datagram sockets that say "look now" and carry no data.
//!
//! Both are optimisations. A bell that is not heard costs time, never a message.

use std::{
    fs,
    os::{
        fd::AsRawFd,
        unix::{fs::PermissionsExt, net::UnixDatagram},
    },
};

use camino::Utf8Path;
use rustix::fs::{FileType, Mode, OFlags};

use crate::{Error, layout::open_dir};

const NAME: &str = "bell";

/// Binds the bell in `dir`, replacing one that a predecessor left; non-blocking.
///
/// The host binds the one in `in/`, the runner the one in `out/`.
pub fn bind(dir: &Utf8Path) -> Result<UnixDatagram, Error> {
    let path = dir.join(NAME);
    // Through a handle, because a socket's path may be only 108 bytes long.
    let handle = open_dir(dir)?;
    let short = format!("/proc/self/fd/{}/{NAME}", handle.as_raw_fd());
    match fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(&path, "replace")(error)),
    }
    let bell = UnixDatagram::bind(short).map_err(Error::io(&path, "bind"))?;
    bell.set_nonblocking(true)
        .map_err(Error::io(&path, "set up"))?;
    // The other side is another user; the folder above decides who can reach it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))
        .map_err(Error::io(&path, "set the mode of"))?;
    Ok(bell)
}

/// Rings the bell in `dir`; tells whether somebody listens. Never blocks, follows no link.
pub fn ring(dir: &Utf8Path) -> bool {
    try_ring(dir).is_some()
}

fn try_ring(dir: &Utf8Path) -> Option<()> {
    let handle = open_dir(dir).ok()?;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let socket = rustix::fs::openat(&handle, NAME, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&socket).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Socket {
        return None;
    }
    let sender = UnixDatagram::unbound().ok()?;
    sender.set_nonblocking(true).ok()?;
    match sender.send_to(&[1], format!("/proc/self/fd/{}", socket.as_raw_fd())) {
        Ok(_) => Some(()),
        // A full queue: it rings already.
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Some(()),
        Err(_) => None,
    }
}
