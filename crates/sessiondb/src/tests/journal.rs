//! The file is what the journal says, however often it is said and whatever became of the file.

use std::fs;

use super::*;
use crate::{Error, Rebuild};

impl Bench {
    fn rows(&self, numbers: std::ops::RangeInclusive<i64>) -> Vec<JournalRow> {
        numbers
            .step_by(2)
            .map(|number| {
                let payload = Inbound::Chat(chat(&format!("text of {number}")));
                let seq = Seq::new(number).unwrap();
                self.row(&format!("m{number}"), seq, &payload)
            })
            .collect()
    }

    fn numbers_in_file(&self) -> Vec<i64> {
        let rows = self.host.rows_after(0, 100).unwrap();
        rows.iter().map(|kept| kept.row.seq.get()).collect()
    }

    fn rebuild(&self, rows: &[JournalRow]) {
        let mut rebuild = Rebuild::begin(self.host.clone(), None).unwrap();
        for row in rows {
            rebuild.add(std::slice::from_ref(row)).unwrap();
        }
        let replied = Some((7, "lost"));
        rebuild.finish(Some(&settings(9)), replied, at(1)).unwrap();
    }
}

#[test]
fn rows_that_are_fed_twice_are_there_once() {
    let bench = Bench::new();
    let rows = bench.rows(2..=8);
    bench.host.feed(&rows[..2], &[]).unwrap();
    bench.host.close(&[rows[0].seq]).unwrap();
    bench.host.feed(&rows, &[rows[2].seq]).unwrap();
    let kept = bench.host.rows_after(0, 100).unwrap();
    let open: Vec<bool> = kept.iter().map(|kept| kept.open).collect();
    assert_eq!(open, [false, true, false, true]);
    let kept: Vec<JournalRow> = kept.into_iter().map(|kept| kept.row).collect();
    assert_eq!(kept, rows);
    assert_eq!(bench.host.highest_inbound().unwrap(), 8);
    let after = bench.host.rows_after(4, 1).unwrap();
    assert_eq!(after[0].row.seq.get(), 6);
}

#[test]
fn a_row_that_is_something_else_makes_the_file_a_lost_one() {
    let bench = Bench::new();
    bench.host.feed(&bench.rows(2..=2), &[]).unwrap();
    let other = bench.row("other", Seq::new(2).unwrap(), &Inbound::Chat(chat("x")));
    let refused = bench.host.feed(&[other], &[]).unwrap_err();
    assert!(refused.is_lost(), "{refused}");
    let moved = bench.row("m2", Seq::new(4).unwrap(), &Inbound::Chat(chat("x")));
    let refused = bench.host.feed(&[moved], &[]).unwrap_err();
    assert!(refused.is_lost(), "{refused}");
    assert_eq!(bench.numbers_in_file(), [2]);
}

/// Does something to the file after which it has to be made anew, and makes it anew.
fn check_rebuilt(harm: impl FnOnce(&camino::Utf8Path)) {
    let bench = Bench::new();
    let rows = bench.rows(2..=6);
    bench.host.feed(&rows, &[]).unwrap();
    let path = bench.host.in_dir().join("inbound.db");
    harm(&path);
    let refused = bench.host.feed(&bench.rows(8..=8), &[]).unwrap_err();
    assert!(refused.is_lost(), "{refused:?}");
    // What has ended is not in the journal any more.
    for _again in 0..2 {
        bench.rebuild(&rows[1..]);
        assert_eq!(bench.numbers_in_file(), [4, 6]);
    }
    bench.host.feed(&bench.rows(8..=8), &[]).unwrap();
    assert_eq!(bench.numbers_in_file(), [4, 6, 8]);
    let mut runner = bench.runner(1);
    assert_eq!(runner.settings().unwrap(), settings(9));
    let offered = runner.offer(20, at(2_000)).unwrap().rows;
    assert_eq!(offered.len(), 3);
    assert_eq!(bench.host.last_reply().unwrap(), 7);
    let names = fs::read_dir(bench.host.in_dir()).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // The journal of the host's changes stays, and is worth nothing between two of them.
    assert_eq!(names, ["inbound.db", "inbound.db-journal", "inbox"]);
}

#[test]
fn a_file_that_is_gone_torn_or_garbage_is_made_anew() {
    check_rebuilt(|path| fs::remove_file(path).unwrap());
    check_rebuilt(|path| fs::write(path, "").unwrap());
    check_rebuilt(|path| fs::write(path, "no database").unwrap());
    check_rebuilt(|path| {
        let whole = fs::read(path).unwrap();
        fs::write(path, &whole[..whole.len() / 2]).unwrap();
    });
    // A journal that belongs to another state of the file goes with it.
    check_rebuilt(|path| {
        fs::write(path.with_extension("db-journal"), [0xff; 4096]).unwrap();
        fs::write(path, [0x20; 8192]).unwrap();
    });
}

#[test]
fn nothing_is_written_to_a_file_that_is_not_there() {
    let bench = Bench::new();
    let path = bench.host.in_dir().join("inbound.db");
    fs::remove_file(&path).unwrap();
    for refused in [
        bench.host.close(&[Seq::new(2).unwrap()]),
        bench.host.write_settings(&settings(0)),
        bench.host.reply(1, "yes", at(1)),
        bench.host.highest_inbound().map(drop),
    ] {
        assert!(matches!(refused, Err(Error::Absent { .. })), "{refused:?}");
    }
    assert!(!path.exists());
}

#[test]
fn a_death_in_the_making_leaves_the_old_file() {
    let bench = Bench::new();
    let rows = bench.rows(2..=4);
    bench.host.feed(&rows, &[]).unwrap();
    let mut rebuild = Rebuild::begin(bench.host.clone(), None).unwrap();
    rebuild.add(&rows).unwrap();
    drop(rebuild);
    assert_eq!(bench.numbers_in_file(), [2, 4]);
    bench.rebuild(&rows);
    assert_eq!(bench.numbers_in_file(), [2, 4]);
}

/// Defect 52 of the reference: each message cost several syncs of its session's file. The journal's
/// commit is the one there is, and only people's files are synced here.
#[test]
fn defect_52_the_hosts_file_is_never_synced_and_the_agents_is() {
    let bench = Bench::new();
    bench.say("m1", "hello");
    let runner = bench.runner(1);
    let synchronous = |connection: &rusqlite::Connection| -> i64 {
        connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap()
    };
    let inbound = bench.host.inbound(|inbound| Ok(synchronous(inbound)));
    assert_eq!((inbound.unwrap(), synchronous(&runner.outbound)), (0, 1));
}
