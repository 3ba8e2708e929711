use super::Disk;
use crate::random::Rng;

/// What a file holds after `doing` and a loss of power, over many chances.
fn after_cut(doing: impl Fn(&mut Disk, &str)) -> Vec<Option<Vec<u8>>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let path = path.to_str().unwrap();
    let found = (0..200).map(|seed| {
        let mut disk = Disk::new(true);
        doing(&mut disk, path);
        disk.cut(&mut Rng::new(seed, 0)).unwrap();
        std::fs::read(path).ok()
    });
    let mut found: Vec<_> = found.collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn what_was_synced_is_there() {
    let found = after_cut(|disk, path| {
        disk.wrote(path, 0, b"abc");
        disk.truncated(path, 2);
        disk.synced(path);
    });
    assert_eq!(found, [Some(b"ab".to_vec())]);
}

#[test]
fn what_was_not_synced_may_be_there_or_not() {
    let found = after_cut(|disk, path| {
        disk.wrote(path, 0, b"old");
        disk.synced(path);
        disk.wrote(path, 0, b"new");
    });
    assert_eq!(found, [Some(b"new".to_vec()), Some(b"old".to_vec())]);
}

#[test]
fn a_write_can_be_torn() {
    let found = after_cut(|disk, path| {
        disk.wrote(path, 0, &[0; 1024]);
        disk.synced(path);
        disk.wrote(path, 0, &[1; 1024]);
    });
    let torn = [[0; 512], [1; 512]].concat();
    assert!(found.contains(&Some(torn)), "{} states", found.len());
}

#[test]
fn a_removal_may_not_have_happened() {
    let unsynced = after_cut(|disk, path| {
        disk.wrote(path, 0, b"a");
        disk.synced(path);
        disk.deleted(path, false);
    });
    assert_eq!(unsynced, [None, Some(b"a".to_vec())]);
    let synced = after_cut(|disk, path| {
        disk.wrote(path, 0, b"a");
        disk.synced(path);
        disk.deleted(path, true);
    });
    assert_eq!(synced, [None]);
}

#[test]
fn a_removal_is_durable_with_the_next_sync_of_any_file() {
    let found = after_cut(|disk, path| {
        disk.wrote(path, 0, b"a");
        disk.synced(path);
        disk.deleted(path, false);
        disk.synced("another");
    });
    assert_eq!(found, [None]);
}
