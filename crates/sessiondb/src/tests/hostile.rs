//! What a hostile sandbox can plant in `out/`, and what the host makes of it.
#![expect(clippy::disallowed_methods, reason = "plays the sandbox")]

use std::{fs, os::unix::fs::symlink};

use rusqlite::Connection;
use rustix::fs::{FileType, Mode};

use super::*;
use crate::{
    Disposition, Error,
    progress::{self, Progress},
};

fn refusal(bench: &Bench) -> String {
    let error = bench.host.pull(Cursors::default(), 1_000).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Quarantine, "{error:?}");
    let Error::Hostile { what, .. } = error else {
        return "damaged".to_owned();
    };
    what
}

/// A session that has answered one message, and whose file can now be spoiled.
fn answered() -> Bench {
    let bench = Bench::new();
    let seq = bench.say("m1", "hello");
    bench.runner(1).finish(&answers(&[seq]), at(1)).unwrap();
    bench
}

fn spoil(bench: &Bench, sql: &str) {
    Connection::open(bench.outbound_path())
        .unwrap()
        .execute_batch(sql)
        .unwrap();
}

/// The host takes the session back from a proven end, and it works again.
fn heals(bench: &Bench) {
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    assert!(recovered.put_aside.is_some());
    let seq = bench.say("after", "still there?");
    bench.runner(2).finish(&answers(&[seq]), at(9)).unwrap();
    assert_eq!(bench.pull().rows.len(), 1);
}

/// Defect 3 of the reference: a link in place of a database was opened, and written, by the host.
#[test]
fn defect_03_a_link_in_place_of_the_database_is_not_followed() {
    let bench = answered();
    let elsewhere = Bench::new();
    let victim = elsewhere.host.in_dir().join("inbound.db");
    let before = fs::read(&victim).unwrap();
    fs::remove_file(bench.outbound_path()).unwrap();
    symlink(&victim, bench.outbound_path()).unwrap();
    assert_eq!(refusal(&bench), "it is a symbolic link");
    heals(&bench);
    assert_eq!(fs::read(&victim).unwrap(), before);
}

/// Defect 2 of the reference: with `outbox` a link to a home folder, its keys were sent to the chat
/// and the folder was removed.
#[test]
fn defect_02_a_link_in_place_of_the_outbox_is_not_followed() {
    let bench = answered();
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("3")).unwrap();
    fs::write(home.path().join("3/id_rsa"), "secret").unwrap();
    let outbox = bench.host.out_dir().join("outbox");
    fs::remove_dir(&outbox).unwrap();
    symlink(home.path(), &outbox).unwrap();
    let read = bench
        .host
        .read_outbox(Seq::new(3).unwrap(), &["id_rsa".to_owned()]);
    assert!(matches!(read, Err(Error::Hostile { .. })), "{read:?}");
    assert!(home.path().join("3/id_rsa").exists());
}

/// Defect 1 of the reference: a link to any file of the host was read and sent.
#[test]
fn defect_01_a_link_or_a_foreign_name_in_the_outbox_is_not_read() {
    let bench = answered();
    let dir = bench.host.out_dir().join("outbox/3");
    fs::create_dir(&dir).unwrap();
    fs::write(bench.host.out_dir().join("beside"), "not yours").unwrap();
    symlink("/etc/passwd", dir.join("link")).unwrap();
    symlink("/etc", dir.join("folder")).unwrap();
    fs::hard_link(bench.host.out_dir().join("beside"), dir.join("second-name")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        dir.join("pipe").as_str(),
        FileType::Fifo,
        Mode::RWXU,
        0,
    )
    .unwrap();
    fs::File::create(dir.join("huge"))
        .unwrap()
        .set_len(10 * 1024 * 1024 * 1024)
        .unwrap();
    let names = [
        "link",
        "folder",
        "folder/passwd",
        "second-name",
        "pipe",
        "huge",
        "../../beside",
    ];
    for name in names.into_iter().chain(["..", ".", "", "absent", "nul\0"]) {
        let read = bench
            .host
            .read_outbox(Seq::new(3).unwrap(), &[name.to_owned()]);
        assert!(
            matches!(read, Err(Error::Hostile { .. })),
            "{name:?}: {read:?}"
        );
    }
}

#[test]
fn a_file_that_is_gone_is_told_from_one_that_never_was() {
    let bench = Bench::new();
    assert_eq!(
        bench
            .host
            .recover(&bench.exited(1), Cursors::default(), 0)
            .unwrap()
            .put_aside,
        None
    );
    let bench = answered();
    let beat = Progress {
        generation: Generation(1),
        beat: 1,
        declared_ms: None,
    };
    progress::write(bench.host.out_dir(), &beat).unwrap();
    fs::remove_file(bench.outbound_path()).unwrap();
    heals(&bench);
}

#[test]
fn what_is_no_plain_file_never_blocks_and_is_refused() {
    type Plant = fn(&Bench);
    let plant: [(&str, Plant); 4] = [
        ("it is no plain file", |bench| {
            let path = bench.outbound_path();
            let fifo = FileType::Fifo;
            rustix::fs::mknodat(rustix::fs::CWD, path.as_str(), fifo, Mode::RWXU, 0).unwrap();
        }),
        ("it is no plain file", |bench| {
            fs::create_dir(bench.outbound_path()).unwrap();
        }),
        ("it is a socket or a device", |bench| {
            std::os::unix::net::UnixListener::bind(bench.outbound_path()).unwrap();
        }),
        (
            "it is 10737418240 bytes long, at most 268435456 are read",
            |bench| {
                let file = fs::File::create(bench.outbound_path()).unwrap();
                file.set_len(10 * 1024 * 1024 * 1024).unwrap();
            },
        ),
    ];
    for (what, plant) in plant {
        let bench = answered();
        fs::remove_file(bench.outbound_path()).unwrap();
        plant(&bench);
        assert_eq!(refusal(&bench), what);
        heals(&bench);
    }
}

#[test]
fn a_pipe_in_place_of_the_journal_does_not_block_the_reader() {
    let bench = answered();
    let journal = format!("{}-journal", bench.outbound_path());
    rustix::fs::mknodat(rustix::fs::CWD, &journal, FileType::Fifo, Mode::RWXU, 0).unwrap();
    assert_eq!(refusal(&bench), "it is no plain file");
    heals(&bench);
}

#[test]
fn a_damaged_or_truncated_file_is_noticed_and_put_aside() {
    let bench = answered();
    let mut bytes = fs::read(bench.outbound_path()).unwrap();
    for byte in bytes.iter_mut().skip(100) {
        *byte = 0x5a;
    }
    fs::write(bench.outbound_path(), &bytes).unwrap();
    assert_eq!(refusal(&bench), "damaged");
    heals(&bench);

    let bench = answered();
    let bytes = fs::read(bench.outbound_path()).unwrap();
    fs::write(bench.outbound_path(), &bytes[..4096]).unwrap();
    assert_eq!(refusal(&bench), "damaged");
    heals(&bench);

    for text in [
        "this is no database at all, just text",
        "x",
        "SQLite format 3",
    ] {
        let bench = answered();
        fs::write(bench.outbound_path(), text).unwrap();
        assert_eq!(
            refusal(&bench),
            "it is no SQLite file with a rollback journal"
        );
        heals(&bench);
    }
}

#[test]
fn tables_that_a_runner_does_not_make_are_refused() {
    let bad = "its tables are not those of an agent-runner";
    for sql in [
        "DROP TABLE messages",
        "ALTER TABLE messages ADD COLUMN extra TEXT",
        "CREATE VIEW trap AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c",
        "CREATE TRIGGER t AFTER INSERT ON state BEGIN DELETE FROM messages; END",
        "DROP TABLE messages; CREATE VIEW messages AS SELECT 1 AS seq, 2 AS in_reply_to, 'post' AS kind, 1 AS version, randomblob(900000000) AS payload, 1 AS created_at",
    ] {
        let bench = answered();
        spoil(&bench, sql);
        assert_eq!(refusal(&bench), bad, "{sql}");
        heals(&bench);
    }
    let bench = answered();
    spoil(&bench, "PRAGMA journal_mode = WAL");
    assert_eq!(
        refusal(&bench),
        "it is no SQLite file with a rollback journal"
    );
    heals(&bench);
    let bench = answered();
    spoil(&bench, "PRAGMA user_version = 99");
    assert_eq!(refusal(&bench), "it has schema version 99");
    heals(&bench);
}

#[test]
fn rows_are_judged_one_by_one() {
    let bench = answered();
    spoil(
        &bench,
        "PRAGMA ignore_check_constraints = ON;
         INSERT INTO messages VALUES
            (-7, 2, 'post', 1, '{\"text\":\"negative\"}', 1),
            (0, 2, 'post', 1, '{\"text\":\"zero\"}', 1),
            (4, 2, 'post', 1, '{\"text\":\"even\"}', 1),
            (5, 2, 'karaoke', 7, '{}', 1),
            (7, 2, 'post', 1, 'no json', 1),
            (9, 2, 'post', 1, '{\"text\":\"\"}', 1),
            (11, -2, 'post', 1, '{\"text\":\"answers nothing\"}', 1),
            (13, 2, 'post', 1, '{\"text\":\"good\"}', 1),
            (15, 2, 'post', 3, '{\"text\":\"of the future\"}', 1),
            (9223372036854775807, 2, 'post', 1, '{\"text\":\"last\"}', 1);
         INSERT INTO handled (seq, generation, state, number, at, class, until_at) VALUES
            (-2, 1, 'done', 7, 1, NULL, NULL), (3, 1, 'done', 8, 1, NULL, NULL),
            (8, 1, 'odd state', 9, 1, NULL, NULL), (10, 1, 'later', 10, 1, NULL, 1),
            (12, 1, 'later', 11, 1, 'odd class', 1), (14, 1, 'later', 12, 1, 'transient', NULL),
            (16, 1, 'later', 13, 1, 'transient', 9223372036854775807);",
    );
    let pulled = bench.pull();
    let good: Vec<i64> = pulled.rows.iter().map(|row| row.seq.get()).collect();
    assert_eq!(good, [3, 13]);
    let refused: Vec<(i64, &str)> = pulled
        .rejected
        .iter()
        .map(|row| (row.seq, row.why.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            (4, "not a number of an agent"),
            (5, "unknown kind \"karaoke\" version 7"),
            (7, "bad payload of kind \"post\": not the JSON of this kind"),
            (9, "bad payload of kind \"post\": neither text nor files"),
            (11, "answers an impossible number"),
            (15, "unknown kind \"post\" version 3"),
            (-2, "not the end of a message"),
            (3, "not the end of a message"),
            (8, "not the end of a message"),
            (10, "not the end of a message"),
            (12, "not the end of a message"),
            (14, "not the end of a message"),
            (16, "not the end of a message"),
        ]
    );
    // The highest number is not believed: the host's own go on from the last credible one, and
    // once the good rows are taken, the file is refused for it.
    assert_eq!(pulled.cursors.out, 15);
    assert_eq!(bench.say("m2", "more").get(), 4);
    let error = bench.host.pull(pulled.cursors, 4).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Quarantine, "{error:?}");
    heals(&bench);
}

#[test]
fn numbers_beyond_belief_never_keep_the_reader_busy() {
    let bench = answered();
    let taken = bench.pull().cursors;
    spoil(
        &bench,
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 100)
         INSERT INTO messages SELECT 9007199254740993 + 2 * i, 2, 'post', 1, '{}', 1 FROM n",
    );
    let error = bench.host.pull(taken, 2).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Quarantine, "{error:?}");
    heals(&bench);
}

#[test]
fn ends_are_seen_also_after_the_file_was_made_anew() {
    let bench = answered();
    let taken = bench.pull().cursors;
    fs::write(bench.outbound_path(), vec![7_u8; 8192]).unwrap();
    assert!(
        bench
            .host
            .recover(&bench.exited(1), Cursors::default(), 1_000)
            .unwrap()
            .put_aside
            .is_some()
    );
    bench
        .host
        .write_settings(&Settings {
            floor: taken,
            ..settings(0)
        })
        .unwrap();
    let seq = bench.say("m2", "two");
    bench.runner(2).finish(&answers(&[seq]), at(4)).unwrap();
    let pulled = bench.host.pull(taken, seq.get()).unwrap();
    assert_eq!((pulled.rows.len(), pulled.handled.len()), (1, 1));
}

#[test]
fn numbers_that_come_twice_are_taken_once() {
    let bench = answered();
    // A second table of the same shape without a key, under the first one's root page and schema.
    spoil(
        &bench,
        "CREATE TABLE twice (seq INTEGER, in_reply_to INTEGER, kind TEXT, version INTEGER,
            payload TEXT, created_at INTEGER);
         INSERT INTO twice VALUES (3, 2, 'post', 1, '{\"text\":\"a\"}', 1),
            (3, 2, 'post', 1, '{\"text\":\"b\"}', 1);
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'twice')
            WHERE name = 'messages';
         DELETE FROM sqlite_schema WHERE name = 'twice';",
    );
    // The row ids of that tree are 1 and 2: at most one of them is an agent's number.
    let pulled = bench.pull();
    let mut seen: Vec<i64> = pulled.rows.iter().map(|row| row.seq.get()).collect();
    seen.dedup();
    assert_eq!(seen.len(), pulled.rows.len());
    assert!(pulled.rows.len() + pulled.rejected.len() <= 2);
}

#[test]
fn a_payload_that_is_too_long_is_refused_without_reading_it_all() {
    let bench = answered();
    spoil(
        &bench,
        "INSERT INTO messages VALUES (5, 2, 'post', 1, '{\"text\":\"' || hex(zeroblob(1000000)) || '\"}', 1)",
    );
    let pulled = bench.pull();
    assert_eq!(
        pulled.rejected[0].why,
        "bad payload of kind \"post\": text too long"
    );
    spoil(
        &bench,
        "UPDATE messages SET payload = hex(zeroblob(5000000)) WHERE seq = 5",
    );
    assert_eq!(refusal(&bench), "damaged");
}

/// Copies what a writer killed in mid-commit leaves: changed pages and a journal to undo them.
fn killed_in_mid_commit(bench: &Bench) {
    let connection = Connection::open(bench.outbound_path()).unwrap();
    connection
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN IMMEDIATE;
             INSERT INTO state SELECT 'k' || value, hex(zeroblob(2000)), 1
             FROM (WITH RECURSIVE c(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM c LIMIT 200)
                   SELECT value FROM c);",
        )
        .unwrap();
    let journal = format!("{}-journal", bench.outbound_path());
    let kept = (
        fs::read(bench.outbound_path()).unwrap(),
        fs::read(&journal).unwrap(),
    );
    connection.execute_batch("ROLLBACK").unwrap();
    drop(connection);
    fs::write(bench.outbound_path(), kept.0).unwrap();
    fs::write(&journal, kept.1).unwrap();
}

#[test]
fn a_writer_killed_in_mid_commit_means_later_until_it_is_proven_gone() {
    let bench = answered();
    killed_in_mid_commit(&bench);
    let error = bench.host.pull(Cursors::default(), 1_000).unwrap_err();
    assert!(error.is_later(), "{error:?}");
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    assert_eq!(recovered.put_aside, None);
    assert_eq!(bench.pull().rows.len(), 1);
}

/// A journal may name a second one that SQLite then deletes, wherever it is.
#[test]
fn a_forged_journal_can_not_make_the_host_delete_a_file() {
    let bench = answered();
    killed_in_mid_commit(&bench);
    let dir = TempDir::new().unwrap();
    let victim = dir.path().join("precious");
    fs::write(&victim, "keep me").unwrap();
    let path = format!("{}-journal", bench.outbound_path());
    let mut journal = fs::read(&path).unwrap();
    let name = victim.to_str().unwrap().as_bytes();
    journal.extend(0_u32.to_be_bytes());
    journal.extend(name);
    journal.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
    let sum = name.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    journal.extend(sum.to_be_bytes());
    journal.extend([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    fs::write(&path, journal).unwrap();
    let recovered = bench
        .host
        .recover(&bench.exited(1), Cursors::default(), 1_000)
        .unwrap();
    assert!(
        recovered
            .put_aside
            .unwrap()
            .contains("it names another journal")
    );
    assert_eq!(fs::read_to_string(&victim).unwrap(), "keep me");
}

/// Defect 44 of the reference: the host wrote the sandbox's file on the word of a stop command.
/// Here it takes a value that only a proven end makes, and the one of this very session.
#[test]
fn defect_44_the_end_of_another_session_opens_nothing() {
    let bench = answered();
    let other = SessionId::mint(at(1), [8; 10]);
    let exited = Exited::observed(other, Generation(1), ExitStatus::Code(0));
    let refused = bench.host.recover(&exited, Cursors::default(), 0);
    assert!(
        matches!(refused, Err(Error::WrongSession { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_planted_progress_file_is_refused_or_ignored() {
    let bench = Bench::new();
    let path = bench.host.out_dir().join("progress");
    for body in ["", "nonsense", "{\"generation\":-1}", "[[[["] {
        fs::write(&path, body).unwrap();
        assert_eq!(bench.host.progress(Generation(1)).unwrap(), None);
    }
    fs::File::create(&path)
        .unwrap()
        .set_len(10 * 1024 * 1024 * 1024)
        .unwrap();
    assert!(bench.host.progress(Generation(1)).is_err());
    fs::remove_file(&path).unwrap();
    symlink("/proc/self/environ", &path).unwrap();
    assert!(bench.host.progress(Generation(1)).is_err());
}
