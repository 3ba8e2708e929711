//! What a sandbox finds around it that is no file of its session.

use std::{fs, io, os::unix::fs::chown};

use anchorhold_core::sandbox::{HARNESS_DIR, WORKSPACE_DIR};
use camino::Utf8Path;

const PATH: &str = "/anchorhold/bin:/usr/local/bin:/usr/bin:/bin";

/// Everything that is in the environment inside; `harness` says whether a program of others is mounted.
pub(super) fn environment(harness: bool) -> Vec<(String, String)> {
    let path = if harness {
        format!("{HARNESS_DIR}:{HARNESS_DIR}/bin:{PATH}")
    } else {
        PATH.to_owned()
    };
    [
        ("PATH", path.as_str()),
        ("HOME", WORKSPACE_DIR),
        ("LANG", "C.UTF-8"),
        ("TMPDIR", "/tmp"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Makes an agent's workspace, if it is not there; `owner` (uid, gid) gets it.
pub(super) fn make_workspace(workspace: &Utf8Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    if workspace.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(workspace)?;
    match owner {
        Some((uid, gid)) => chown(workspace, Some(uid), Some(gid)),
        None => Ok(()),
    }
}
