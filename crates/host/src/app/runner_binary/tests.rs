//! The agent-runner is found, and copied alone into a folder of its own.

use std::os::unix::fs::MetadataExt;

use tempfile::TempDir;

use super::*;

#[test]
fn it_is_where_it_was_said_to_be_or_beside_the_host() {
    assert_eq!(find(Some(Utf8Path::new("/some/where"))), "/some/where");
    let beside = std::env::current_exe().unwrap();
    assert_eq!(
        find(None).as_std_path(),
        beside.with_file_name("agent-runner")
    );
}

#[test]
fn the_copy_is_alone_and_follows_the_original() {
    let dir = TempDir::new().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let (binary, bin) = (root.join("built"), root.join("data").join("bin"));
    let copy = bin.join("agent-runner");
    let check = |content: &str| {
        fs::write(&binary, content).unwrap();
        install(&binary, &bin).unwrap();
        let mut names: Vec<_> = fs::read_dir(&bin)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["agent-runner", "anchorhold"]);
        assert_eq!(fs::read_to_string(&copy).unwrap(), content);
        // The second name leads to the first wherever the folder is mounted.
        let second = bin.join("anchorhold");
        assert_eq!(fs::read_link(&second).unwrap().as_os_str(), "agent-runner");
        assert_eq!(fs::read_to_string(&second).unwrap(), content);
        let meta = fs::metadata(&copy).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, 0o755);
        meta.ino()
    };
    let first = check("version 1");
    // What is the same stays the same file: sandboxes that run have it open.
    assert_eq!(check("version 1"), first);
    // Of the same length and other content, and of another length.
    let second = check("version 2");
    assert_ne!(second, first);
    assert_ne!(check("version 10"), second);
}

#[test]
fn something_else_in_the_place_of_the_second_name_goes() {
    let dir = TempDir::new().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let (binary, bin) = (root.join("built"), root.join("bin"));
    fs::write(&binary, "version 1").unwrap();
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("anchorhold"), "something else").unwrap();
    fs::write(bin.join("anchorhold.next"), "left by one that died").unwrap();
    install(&binary, &bin).unwrap();
    let second = fs::read_to_string(bin.join("anchorhold")).unwrap();
    assert_eq!(second, "version 1");
    assert!(!bin.join("anchorhold.next").exists());
}

#[test]
fn a_binary_that_is_not_there_is_an_error_and_leaves_the_old_copy() {
    let dir = TempDir::new().unwrap();
    let root = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    fs::write(root.join("built"), "version 1").unwrap();
    let bin = root.join("bin");
    install(&root.join("built"), &bin).unwrap();
    let failed = install(&root.join("gone"), &bin).unwrap_err();
    assert_eq!(failed.kind(), io::ErrorKind::NotFound);
    assert_eq!(
        fs::read_to_string(bin.join("agent-runner")).unwrap(),
        "version 1"
    );
}
