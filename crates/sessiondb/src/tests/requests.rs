//! Requests of the administration command, and what a hostile sandbox makes of them.
#![expect(clippy::disallowed_methods, reason = "plays the sandbox")]

use std::fs;

use rusqlite::Connection;

use super::*;
use crate::{
    AdminRequestRow, Disposition, Error, REPLY_LIMIT_BYTES, REQUEST_LIMIT_BYTES, Requests, bell,
};

fn open(bench: &Bench) -> Requests {
    Requests::open(bench.host.in_dir(), bench.host.out_dir()).unwrap()
}

/// What the host finds to reply to.
fn found(bench: &Bench) -> Vec<(i64, String)> {
    let cursor = bench.host.last_reply().unwrap();
    let rows = bench.host.requests_after(cursor, 10).unwrap();
    rows.into_iter().map(|row| (row.id, row.request)).collect()
}

fn spoil(bench: &Bench, sql: &str) {
    let outbound = Connection::open(bench.outbound_path()).unwrap();
    outbound.execute_batch(sql).unwrap();
}

#[test]
fn a_request_is_replied_to_once() {
    let bench = Bench::new();
    assert_eq!(found(&bench), vec![]);
    let bell = bell::bind(bench.host.in_dir()).unwrap();
    let mut inside = open(&bench);
    let id = inside.ask("{\"list\":\"groups\"}", at(1)).unwrap();
    assert_eq!(id, 1);
    assert_eq!(bell.recv(&mut [0]).unwrap(), 1);
    assert_eq!(found(&bench), [(1, "{\"list\":\"groups\"}".to_owned())]);
    assert_eq!(inside.reply(id).unwrap(), None);
    bench.host.reply(id, "first", at(2)).unwrap();
    bench.host.reply(id, "second", at(3)).unwrap();
    assert_eq!(inside.reply(id).unwrap().as_deref(), Some("first"));
    assert_eq!(found(&bench), vec![]);
    assert_eq!(bench.host.last_reply().unwrap(), 1);
}

#[test]
fn it_works_beside_the_runner_and_in_several_processes_at_once() {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    let mut runner = bench.runner(1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut inside = open(&bench);
            scope.spawn(move || {
                while let Err(error) = inside.ask("{}", at(1)) {
                    assert!(error.is_later(), "{error:?}");
                }
            });
        }
        while let Err(error) = runner.finish(&answers(&[seq]), at(3_000)) {
            assert!(error.is_later(), "{error:?}");
        }
    });
    let ids: Vec<i64> = found(&bench).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
    assert_eq!(bench.pull().rows.len(), 1);
}

#[test]
fn numbers_are_not_used_again_when_the_agents_file_is_made_anew() {
    let bench = Bench::new();
    let id = open(&bench).ask("{}", at(1)).unwrap();
    bench.host.reply(id, "old", at(2)).unwrap();
    fs::remove_file(bench.outbound_path()).unwrap();
    let mut inside = open(&bench);
    let id = inside.ask("{}", at(3)).unwrap();
    assert_eq!((id, inside.reply(id).unwrap()), (2, None));
    assert_eq!(found(&bench), [(2, "{}".to_owned())]);
}

#[test]
fn what_was_replied_to_does_not_pile_up() {
    let bench = Bench::new();
    let mut inside = open(&bench);
    for n in 1..=105 {
        let id = inside.ask("{}", at(1)).unwrap();
        assert_eq!(id, n);
        bench.host.reply(id, "ok", at(2)).unwrap();
    }
    assert_eq!(inside.reply(5).unwrap(), None);
    assert_eq!(inside.reply(6).unwrap().as_deref(), Some("ok"));
    assert_eq!(inside.ask("{}", at(3)).unwrap(), 106);
    let outbound = Connection::open(bench.outbound_path()).unwrap();
    let kept: i64 = outbound
        .query_row("SELECT count(*) FROM requests", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn a_locked_file_means_that_there_is_no_reply_yet() {
    let bench = Bench::new();
    let mut inside = open(&bench);
    let id = inside.ask("{}", at(1)).unwrap();
    bench.host.reply(id, "ok", at(2)).unwrap();
    let locker = Connection::open(bench.host.in_dir().join("inbound.db")).unwrap();
    locker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert_eq!(inside.reply(id).unwrap(), None);
    assert!(inside.ask("{}", at(3)).unwrap_err().is_later());
    locker.execute_batch("COMMIT").unwrap();
    assert_eq!(inside.reply(id).unwrap().as_deref(), Some("ok"));
}

#[test]
fn what_is_too_long_is_refused_on_both_sides() {
    let bench = Bench::new();
    let mut inside = open(&bench);
    let longest = "x".repeat(REQUEST_LIMIT_BYTES);
    let id = inside.ask(&longest, at(1)).unwrap();
    let refused = inside.ask(&format!("{longest}x"), at(1));
    assert!(matches!(refused, Err(Error::TooLong { .. })), "{refused:?}");
    assert_eq!(found(&bench), [(1, longest)]);
    let refused = bench
        .host
        .reply(id, &"x".repeat(REPLY_LIMIT_BYTES + 1), at(2));
    assert!(matches!(refused, Err(Error::TooLong { .. })), "{refused:?}");
}

#[test]
fn forged_requests_are_passed_over_one_by_one() {
    let bench = Bench::new();
    let mut inside = open(&bench);
    inside.ask("good", at(1)).unwrap();
    spoil(
        &bench,
        "PRAGMA ignore_check_constraints = ON;
         INSERT INTO requests VALUES (-1, 'negative', 1), (0, 'zero', 1),
            (2, hex(zeroblob(40000)), 1), (3, CAST(x'ff' AS TEXT), 1), (4, 'also good', 1),
            (9223372036854775807, 'beyond belief', 1);",
    );
    let good = [(1, "good".to_owned()), (4, "also good".to_owned())];
    assert_eq!(found(&bench), good);
    // However few are read at a time, what is too long keeps nobody else back.
    let rows = bench.host.requests_after(1, 1).unwrap();
    let only = AdminRequestRow {
        id: 4,
        request: "also good".to_owned(),
    };
    assert_eq!(rows, [only]);
    // With nothing good left, numbers beyond belief make the file hostile, and it is put aside.
    bench.host.reply(4, "ok", at(2)).unwrap();
    let error = bench.host.requests_after(4, 10).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Quarantine, "{error:?}");
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    assert!(recovered.put_aside.is_some());
    assert_eq!(open(&bench).ask("{}", at(3)).unwrap(), 5);
}

#[test]
fn requests_whose_tree_was_forged_come_once_each_and_in_order() {
    let bench = Bench::new();
    open(&bench).ask("{}", at(1)).unwrap();
    spoil(
        &bench,
        "CREATE TABLE twice (id INTEGER, request TEXT, created_at INTEGER);
         INSERT INTO twice VALUES (7, 'a', 1), (7, 'b', 1), (3, 'c', 1);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'twice')
            WHERE name = 'requests';
         DELETE FROM sqlite_schema WHERE name = 'twice';",
    );
    let ids: Vec<i64> = found(&bench).into_iter().map(|(id, _)| id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
    assert!(ids.len() <= 3, "{ids:?}");
}

#[test]
fn a_request_is_not_shown_in_logs() {
    let row = AdminRequestRow {
        id: 1,
        request: "secret".to_owned(),
    };
    let shown = format!("{row:?}");
    assert_eq!(shown, "AdminRequestRow { id: 1, request_bytes: 6 }");
}
