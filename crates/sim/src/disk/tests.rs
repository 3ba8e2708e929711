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
fn a_removal_is_durable_with_the_next_sync_that_writes_a_name_or_a_length() {
    let after = |len: usize| {
        after_cut(|disk, path| {
            let other = format!("{path}-other");
            disk.wrote(&other, 0, b"b");
            disk.synced(&other);
            disk.wrote(path, 0, b"a");
            disk.synced(path);
            disk.deleted(path, false);
            disk.wrote(&other, 0, &b"bbb"[..len]);
            disk.synced(&other);
        })
    };
    assert_eq!(after(3), [None]);
    assert_eq!(after(1), [None, Some(b"a".to_vec())]);
}

#[test]
fn what_is_written_after_a_removal_is_not_in_the_old_file() {
    let found = after_cut(|disk, path| {
        disk.wrote(path, 0, b"old");
        disk.synced(path);
        disk.deleted(path, false);
        disk.wrote(path, 0, b"n");
    });
    assert_eq!(found, [None, Some(b"n".to_vec()), Some(b"old".to_vec())]);
}

#[test]
fn a_move_may_not_have_happened_and_takes_what_is_durable_along() {
    let moved = |synced: bool| {
        after_cut(|disk, path| {
            let before = format!("{path}-before");
            disk.opened(path, 1);
            disk.wrote(path, 0, b"old");
            disk.synced(path);
            disk.opened(&before, 2);
            disk.wrote(&before, 0, b"new");
            if synced {
                disk.synced(&before);
            }
            disk.opened(path, 2);
        })
    };
    let (old, new) = (Some(b"old".to_vec()), Some(b"new".to_vec()));
    assert_eq!(moved(true), [new.clone(), old.clone()]);
    assert_eq!(moved(false), [Some(Vec::new()), new, old]);
}
