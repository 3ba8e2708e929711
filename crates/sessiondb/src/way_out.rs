//! The socket of the way out, in `in/`: the host listens, what runs inside connects.

use std::{
    fs,
    os::{
        fd::AsRawFd,
        unix::{fs::PermissionsExt, net::UnixListener},
    },
};

use anchorhold_core::way_out::SOCKET;
use camino::Utf8Path;

use crate::{Error, layout::open_dir};

/// Binds the socket in the session's `in/`, replacing one that a predecessor left; non-blocking.
pub fn bind(in_dir: &Utf8Path) -> Result<UnixListener, Error> {
    let path = in_dir.join(SOCKET);
    // Through a handle, because a socket's path may be only 108 bytes long.
    let handle = open_dir(in_dir)?;
    let short = format!("/proc/self/fd/{}/{SOCKET}", handle.as_raw_fd());
    match fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io(&path, "replace")(error)),
    }
    let listener = UnixListener::bind(short).map_err(Error::io(&path, "bind"))?;
    listener
        .set_nonblocking(true)
        .map_err(Error::io(&path, "set up"))?;
    // The other side is another user; the folder above decides who can reach it.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))
        .map_err(Error::io(&path, "set the mode of"))?;
    Ok(listener)
}
