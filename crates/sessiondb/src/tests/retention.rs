//! What has outlived its time goes, and nothing else.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use super::*;

fn photo() -> [Attachment; 1] {
    [Attachment {
        name: "photo.png".to_owned(),
        media_type: None,
        content: b"content".to_vec(),
    }]
}

impl Bench {
    fn outbox(&self) -> Utf8PathBuf {
        self.host.out_dir().join("outbox")
    }

    fn numbers(&self) -> Vec<i64> {
        let rows = self.host.rows_after(0, 100).unwrap();
        rows.iter().map(|kept| kept.row.seq.get()).collect()
    }
}

#[test]
fn files_of_people_go_and_their_messages_stay() {
    let bench = Bench::new();
    let first = bench.say_with("m1", "look", true, &photo());
    let second = bench.say_with("m2", "look", true, &photo());
    assert_eq!(bench.host.inbox().unwrap(), [first, second]);
    for _again in 0..2 {
        bench.host.drop_inbox(&[first]).unwrap();
        assert_eq!(bench.host.inbox().unwrap(), [second]);
    }
    assert_eq!(bench.numbers(), [2, 4]);
}

#[test]
fn defect_51_old_rows_go_and_numbers_go_on_above_them() {
    let bench = Bench::new();
    let first = bench.say_with("m1", "a", true, &photo());
    let second = bench.say("m2", "b");
    bench.host.close(&[first, second]).unwrap();
    for _again in 0..2 {
        bench.host.forget(&[first, second]).unwrap();
        assert_eq!(bench.numbers(), [4]);
        assert_eq!(bench.host.inbox().unwrap(), []);
    }
    // The newest is still known, and the next has a number of its own.
    assert_eq!(bench.say("m3", "c").get(), 6);
}

#[test]
fn files_of_the_agent_go_and_what_else_it_keeps_there_stays() {
    let bench = Bench::new();
    for name in ["3", "5", "4", "07", "notes"] {
        fs::create_dir_all(bench.outbox().join(name)).unwrap();
        fs::write(bench.outbox().join(name).join("a.txt"), "a").unwrap();
    }
    let rows = bench.host.outbox().unwrap();
    let numbers: Vec<i64> = rows.iter().map(|seq| seq.get()).collect();
    assert_eq!(numbers, [3, 5]);
    for _again in 0..2 {
        assert!(bench.host.drop_outbox(&rows[..1]).unwrap());
        assert_eq!(bench.host.outbox().unwrap(), rows[1..]);
    }
    assert!(bench.outbox().join("notes/a.txt").exists());
}

#[test]
fn a_link_is_removed_and_not_followed() {
    let bench = Bench::new();
    let outside = bench.host.in_dir().to_owned();
    symlink(&outside, bench.outbox().join("3")).unwrap();
    fs::create_dir(bench.outbox().join("5")).unwrap();
    symlink(&outside, bench.outbox().join("5/in")).unwrap();
    let rows = bench.host.outbox().unwrap();
    assert!(bench.host.drop_outbox(&rows).unwrap());
    assert_eq!(bench.host.outbox().unwrap(), []);
    assert!(outside.join("inbound.db").exists());

    // An outbox that is itself a link is refused.
    fs::remove_dir(bench.outbox()).unwrap();
    symlink(&outside, bench.outbox()).unwrap();
    bench.host.outbox().unwrap_err();
    bench.host.drop_outbox(&rows).unwrap_err();
    assert!(outside.join("inbox").exists());
}

#[test]
fn folders_of_any_depth_and_rights_are_removed_in_bounded_steps() {
    let bench = Bench::new();
    let mut deep = bench.outbox().join("3");
    for n in 0..300 {
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("f"), "x").unwrap();
        fs::create_dir(deep.join(".gone-7")).unwrap();
        deep = deep.join(format!("d{}", n % 3));
    }
    let shut = bench.outbox().join("3/shut/in");
    fs::create_dir_all(&shut).unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    let rows = bench.host.outbox().unwrap();
    let mut calls = 1;
    while !bench.host.drop_outbox(&rows).unwrap() {
        calls += 1;
        assert!(calls < 20);
    }
    assert!(calls > 1);
    assert_eq!(bench.host.outbox().unwrap(), []);
}

#[test]
fn a_folder_that_nobody_comes_back_to_goes_step_by_step() {
    let bench = Bench::new();
    bench.say_with("m1", "a", true, &photo());
    let root = bench.host.in_dir().parent().unwrap().to_owned();
    assert!(!bench.host.discard(2).unwrap());
    assert!(root.exists());
    assert!(bench.host.discard(100).unwrap());
    assert!(!root.exists());
    assert!(bench.host.discard(100).unwrap());
}
