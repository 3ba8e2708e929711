use camino::Utf8PathBuf;

use super::*;

fn dir() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(dir.path().join("log")).unwrap();
    (dir, path)
}

#[test]
fn the_tail_is_kept_and_the_rest_goes() {
    let (_dir, path) = dir();
    let mut file = open_append(&path).unwrap();
    file.write_all(&vec![b'a'; 300 * 1024]).unwrap();
    file.write_all(b"end").unwrap();
    keep_tail(&path).unwrap();
    let kept = std::fs::read(&path).unwrap();
    assert_eq!(u64::try_from(kept.len()).unwrap(), KEPT_BYTES);
    assert!(kept.ends_with(b"aend"));
    assert_eq!(tail_text(&path, 4), "aend");
}

#[test]
fn a_large_log_of_a_running_sandbox_is_emptied_and_goes_on() {
    let (_dir, path) = dir();
    let mut file = open_append(&path).unwrap();
    file.write_all(b"small").unwrap();
    empty_if_large(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"small");
    file.write_all(&vec![b'a'; 5 * 1024 * 1024]).unwrap();
    empty_if_large(&path).unwrap();
    file.write_all(b"on").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"on");
}

#[test]
fn a_link_is_not_followed() {
    let (dir, path) = dir();
    let target = dir.path().join("target");
    std::fs::write(&target, "kept").unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    open_append(&path).unwrap_err();
    keep_tail(&path).unwrap_err();
    assert_eq!(tail_text(&path, 10), "");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
}
