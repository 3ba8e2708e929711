//! Where things are, and who can see them.

use std::os::unix::fs::{PermissionsExt, symlink};

use jiff::Timestamp;
use tempfile::TempDir;

use super::*;

fn root(dir: &TempDir) -> Utf8PathBuf {
    Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap()
}

fn mode(path: &Utf8Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn all_is_below_one_private_folder() {
    let dir = TempDir::new().unwrap();
    let data = root(&dir).join("new").join("data");
    let dirs = Dirs::open(&data).unwrap();
    let root = data.canonicalize_utf8().unwrap();
    assert_eq!(dirs.root(), root);
    let session = SessionId::mint(Timestamp::UNIX_EPOCH, [1; 10]);
    let folder = FolderName::parse("helper").unwrap();
    let check = |path: Utf8PathBuf, expect: &str| {
        assert_eq!(path.strip_prefix(&root).unwrap(), expect);
    };
    check(dirs.database(), "anchorhold.db");
    check(dirs.lock(), "host.lock");
    check(dirs.control(), "control.sock");
    check(dirs.sandboxes(), "sandboxes");
    check(dirs.session(session), &format!("sessions/{session}"));
    check(
        dirs.session_log(session),
        &format!("sessions/{session}/sandbox.log"),
    );
    check(dirs.workspace(&folder), "groups/helper");
    for made in ["", "sessions", "groups", "sandboxes"] {
        assert_eq!(mode(&root.join(made)), 0o700, "{made}");
    }
    // A second time finds what is there.
    assert_eq!(Dirs::open(&data).unwrap().root(), root);
}

#[test]
fn a_path_over_a_link_is_made_free_of_it() {
    let dir = TempDir::new().unwrap();
    let root = root(&dir).canonicalize_utf8().unwrap();
    fs::create_dir(root.join("real")).unwrap();
    symlink(root.join("real"), root.join("link")).unwrap();
    let dirs = Dirs::open(&root.join("link")).unwrap();
    assert_eq!(dirs.root(), root.join("real"));
}

#[test]
fn a_private_file_is_made_once_and_never_emptied() {
    let dir = TempDir::new().unwrap();
    let dirs = Dirs::open(&root(&dir)).unwrap();
    let path = dirs.database();
    dirs.make_private_file(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    fs::write(&path, "content").unwrap();
    dirs.make_private_file(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "content");
    let nowhere = dirs.root().join("no").join("file");
    assert!(dirs.make_private_file(&nowhere).is_err());
}
