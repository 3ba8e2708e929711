//! Sources that the sandbox's user can't reach, made reachable in a mount namespace of their own.
//!
//! bubblewrap runs as the sandbox's user and looks every source up by its path. Where the host is
//! root, a folder on the way may be closed to that user, and opening it would show more than the
//! sandbox is to see. So the sources alone are bound, by root and seen by nobody else, to a place
//! that everybody can reach.

use std::{fs, io, os::unix::fs::MetadataExt as _};

use camino::{Utf8Path, Utf8PathBuf};

use crate::spec::{Root, SandboxSpec, SandboxUser};

/// The place: an empty folder on the host, covered only in the namespace of each start.
const PLACE: &str = "/run/anchorhold";

/// Binds `$2` sources, which follow, below `$1` and becomes the program after them.
///
/// Every value is a positional argument; none is ever part of the script.
const SCRIPT: &str = r#"
place=$1 count=$2 number=0
shift 2
mount -t tmpfs -o mode=0755,nosuid,nodev,size=64k anchorhold "$place" || exit 125
while [ "$number" -lt "$count" ]; do
    mkdir "$place/$number" && mount --bind "$1" "$place/$number" || exit 125
    shift
    number=$((number + 1))
done
exec "$@"
"#;

/// The first directory on the way to `path` that `user` may not pass through.
///
/// bubblewrap runs as that user and would only say that the path is not there.
pub(super) fn closed_to(user: SandboxUser, path: &Utf8Path) -> Option<&Utf8Path> {
    let mut way: Vec<_> = path.ancestors().collect();
    way.reverse();
    way.into_iter().find(|step| {
        // silent: a step that can't be looked at is left for bubblewrap to complain about.
        fs::metadata(step).is_ok_and(|meta| {
            let bit = match (meta.uid() == user.uid, meta.gid() == user.gid) {
                (true, _) => 0o100,
                (false, true) => 0o010,
                (false, false) => 0o001,
            };
            meta.mode() & bit == 0
        })
    })
}

/// The directories of the host that bubblewrap will look up.
pub(super) fn sources(spec: &SandboxSpec) -> Vec<Utf8PathBuf> {
    let mut sources: Vec<Utf8PathBuf> = spec
        .mounts
        .iter()
        .map(|mount| mount.source.clone())
        .collect();
    if let Root::Directory(path) = &spec.root {
        sources.push(path.clone());
    }
    sources
}

/// Where a source of `spec` is closed to its user: the command that comes before, and the spec
/// with the sources where that command binds them. Otherwise nothing has to be done.
pub(super) fn stage(spec: &SandboxSpec) -> io::Result<Option<(Vec<String>, SandboxSpec)>> {
    let sources = sources(spec);
    if !sources
        .iter()
        .any(|source| closed_to(spec.user, source).is_some())
    {
        return Ok(None);
    }
    fs::create_dir_all(PLACE)?;
    let mut staged = spec.clone();
    let mut places = (0..sources.len()).map(|number| format!("{PLACE}/{number}").into());
    for (mount, place) in staged.mounts.iter_mut().zip(&mut places) {
        mount.source = place;
    }
    if let (Root::Directory(path), Some(place)) = (&mut staged.root, places.next()) {
        *path = place;
    }
    let mut command: Vec<String> = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "--",
        "/bin/sh",
        "-c",
        SCRIPT,
    ]
    .map(str::to_owned)
    .into();
    command.extend([
        "anchorhold".to_owned(),
        PLACE.to_owned(),
        sources.len().to_string(),
    ]);
    command.extend(sources.into_iter().map(String::from));
    Ok(Some((command, staged)))
}
