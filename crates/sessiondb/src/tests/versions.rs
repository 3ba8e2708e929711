//! Files of earlier versions, and what becomes of them.
#![expect(clippy::disallowed_methods, reason = "plays earlier versions")]

use std::fs;

use rusqlite::Connection;

use super::*;
use crate::{Claim, Error, Handled, HandledState, Requests, schema};

/// A file as version 1 made it.
fn first_version(path: &camino::Utf8Path, steps: &[&[&str]]) -> Connection {
    fs::remove_file(path).unwrap_or_default();
    let connection = Connection::open(path).unwrap();
    for statement in steps[0] {
        connection.execute_batch(statement).unwrap();
    }
    connection.pragma_update(None, "user_version", 1).unwrap();
    connection
}

/// A session as version 1 left it: message 2 answered, message 4 claimed, message 6 waits.
fn old_session() -> Bench {
    let bench = Bench::new();
    let inbound = first_version(&bench.host.in_dir().join("inbound.db"), schema::INBOUND);
    for seq in [2, 4, 6] {
        let payload = Inbound::Chat(chat("hello")).encode().unwrap().payload;
        inbound
            .execute(
                "INSERT INTO messages VALUES (?1, 'cli', 'local', NULL, 'm' || ?1, 1, 'open', 0,
                 1000, 'chat', 1, ?2, 1000)",
                rusqlite::params![seq, payload],
            )
            .unwrap();
    }
    let body = serde_json::to_string(&settings(0)).unwrap();
    inbound
        .execute("INSERT INTO settings VALUES (1, ?1)", [body])
        .unwrap();
    let outbound = first_version(&bench.outbound_path(), schema::OUTBOUND);
    outbound
        .execute_batch(
            "INSERT INTO messages VALUES (3, 2, 'post', 1, '{\"text\":\"re 2\"}', 1);
             INSERT INTO handled VALUES (2, 1, 'done', NULL, 1, 1), (4, 1, 'claimed', NULL, NULL, 1);
             INSERT INTO state VALUES ('continuation', 'abc', 1);",
        )
        .unwrap();
    bench
}

fn seq(raw: i64) -> Seq {
    Seq::new(raw).unwrap()
}

#[test]
fn the_tables_that_are_expected_are_those_that_are_made() {
    assert_eq!(schema::OUTBOUND.len(), schema::OUTBOUND_TABLES.len());
    assert_eq!(schema::OUTBOUND.len(), schema::INBOUND.len());
    assert_eq!(usize::try_from(schema::VERSION), Ok(schema::OUTBOUND.len()));
    let mut connection = Connection::open_in_memory().unwrap();
    for (made, expected) in (1..).zip(schema::OUTBOUND_TABLES) {
        schema::migrate(&mut connection, &schema::OUTBOUND[..made])
            .unwrap()
            .unwrap();
        let mut present: Vec<String> = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let mut expected = expected.to_vec();
        present.sort_unstable();
        expected.sort_unstable();
        assert_eq!(present, expected, "version {made}");
    }
}

#[test]
fn a_session_of_the_first_version_goes_on() {
    let bench = old_session();
    // A sandbox that outlived the update still writes its version, and is understood.
    let claim = Claim {
        seq: seq(4),
        generation: Generation(1),
    };
    let pulled = bench.pull();
    assert_eq!((pulled.rows.len(), pulled.claims), (1, vec![claim]));
    assert_eq!(bench.host.last_reply().unwrap(), 0);
    assert_eq!(bench.host.requests_after(0, 10).unwrap(), vec![]);
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    assert_eq!((recovered.claims, recovered.put_aside), (vec![claim], None));

    // The next one brings its file up to date, and nothing in it is lost.
    let mut runner = bench.runner(2);
    assert_eq!(
        runner.state("continuation").unwrap().as_deref(),
        Some("abc")
    );
    let offer = runner.offer(20, at(2_000)).unwrap();
    let offered: Vec<i64> = offer.rows.iter().map(|row| row.seq.get()).collect();
    assert_eq!(offered, [4, 6]);
    runner.claim(&[seq(4), seq(6)]).unwrap();
    let finish = Finish {
        handled: vec![(seq(4), Handled::Stopped), (seq(6), Handled::Done)],
        ..Finish::default()
    };
    runner.finish(&finish, at(3_000)).unwrap();
    let states: Vec<_> = bench
        .pull()
        .handled
        .into_iter()
        .map(|row| (row.seq.get(), row.state))
        .collect();
    assert_eq!(
        states,
        [
            (2, HandledState::Done),
            (4, HandledState::Stopped),
            (6, HandledState::Done)
        ]
    );
    let mut requests = Requests::open(bench.host.in_dir(), bench.host.out_dir()).unwrap();
    assert_eq!(requests.ask("{}", at(1)).unwrap(), 1);
    assert_eq!(bench.host.requests_after(0, 10).unwrap().len(), 1);
    assert_eq!(bench.say("m7", "more").get(), 8);
}

/// A sandbox that outlived the update to version 3 still writes version 2.
#[test]
fn a_file_of_the_second_version_is_read_and_brought_up_to_date() {
    let bench = Bench::new();
    let waits = bench.say("m1", "a");
    let path = bench.outbound_path();
    fs::remove_file(&path).unwrap_or_default();
    let mut outbound = Connection::open(&path).unwrap();
    schema::migrate(&mut outbound, &schema::OUTBOUND[..2])
        .unwrap()
        .unwrap();
    outbound
        .execute_batch("INSERT INTO handled VALUES (2, 1, 'failed', 'no', 1, 1)")
        .unwrap();
    drop(outbound);
    let failed = vec![HandledState::Failed("no".to_owned())];
    let states = |bench: &Bench| -> Vec<HandledState> {
        let pulled = bench.pull();
        pulled.handled.into_iter().map(|row| row.state).collect()
    };
    assert_eq!(states(&bench), failed);
    let mut runner = bench.runner(2);
    assert_eq!(states(&bench), failed);
    runner.finish(&answers(&[waits]), at(2_000)).unwrap();
    assert_eq!(states(&bench), [HandledState::Done]);
}

#[test]
fn a_file_of_the_future_is_left_alone() {
    let bench = Bench::new();
    let path = bench.host.in_dir().join("inbound.db");
    let inbound = Connection::open(&path).unwrap();
    inbound.pragma_update(None, "user_version", 99).unwrap();
    let refused = HostSide::at(&bench.host.root).last_reply();
    assert!(
        matches!(refused, Err(Error::TooNew { found: 99, .. })),
        "{refused:?}"
    );
}
