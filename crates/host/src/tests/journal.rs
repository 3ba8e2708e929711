//! The journal carries what came in: through deaths of the host, the loss of power, and files that
//! can't be written.

use anchorhold_core::{entity::MessageStatus, ids::MessageId};
use anchorhold_sessiondb::{Body, Chat, Inbound};
use anchorhold_store::ingest::{
    self, Entered, Entry, EventOutcome, EventRecord, Key, MessageRole, NewMessage,
};
use rusqlite::TransactionBehavior;

use super::*;
use crate::{
    base::{Base, mint},
    tests::restarts::{files, store},
};

/// What the way in makes of an event for one session.
pub(super) fn message(base: &Base, session: SessionId, event: &InboundEvent) -> NewMessage {
    let chat = Chat {
        channel: "one".to_owned(),
        sender: event.sender.handle.as_str().to_owned(),
        sender_name: None,
        about: None,
        text: event.text.clone(),
        sent_at: event.sent_at,
        reply_to: None,
        files: Vec::new(),
    };
    let body = Body::of(&Inbound::Chat(chat)).unwrap();
    NewMessage {
        id: mint!(base, MessageId),
        session,
        reserved: None,
        said: 0,
        conversation: None,
        address: event.address.clone(),
        key: Key::Platform(event.message_id.clone()),
        sender: None,
        role: MessageRole::Due(base.now()),
        created_at: base.now(),
        body: ingest::Body {
            kind: body.kind,
            version: body.version,
            payload: body.payload,
            fresh_only: None,
        },
    }
}

/// A host that died after it had made `m2` durable and before it did anything else, and whose first
/// message was answered.
async fn died_before_the_file() -> Bench {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let session = host.session().await;
    host.enter().await.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.until_seen(&address("c"), 1).await;
    let event = event("m2");
    let said = message(&host.graph.base, session, &event);
    let bench = host.stop().await;
    let central = store(&bench).await;
    let record = EventRecord {
        address: event.address.clone(),
        message_id: event.message_id.clone(),
        sender: event.sender.handle.clone(),
        received_at: bench.clock.now(),
        outcome: EventOutcome::Stored,
        messages: vec![said],
        declined: None,
        receipt: Box::default(),
    };
    let entered = central.enter(&[Entry::Event(record)]).await.unwrap();
    assert!(matches!(entered[..], [Entered::Now(_)]), "{entered:?}");
    central.close().await;
    bench
}

/// The next host answers `m2` once, and `m1` not again.
async fn check_answered_once(bench: Bench) {
    let before = bench.platform.sends().len();
    let mut host = bench.start().await;
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m2"]);
    // The platform, which may not have heard that we have it, offers it again.
    let again = host.hand_over(event("m2")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    inside.answer();
    host.until_status(4, MessageStatus::Done).await;
    assert_eq!(inside.texts(), Vec::<String>::new());
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen, ["agent: re text of m1", "agent: re text of m2"]);
    assert_eq!(host.platform().sends().len(), before + 1);
    let session = host.session().await;
    assert_eq!(host.store().journal(session, 0, 10).await.unwrap(), []);
}

#[tokio::test]
async fn defect_22_a_host_that_dies_between_the_commit_and_the_file_loses_nothing() {
    check_answered_once(died_before_the_file().await).await;
}

/// The power fails then, and `harm` is what it leaves of the session's file.
async fn check_power_loss(harm: impl FnOnce(&Utf8Path)) {
    let mut bench = died_before_the_file().await;
    let sessions = fs::read_dir(bench.path("data").join("sessions")).unwrap();
    let session = sessions.last().unwrap().unwrap().path();
    let session = Utf8PathBuf::from_path_buf(session).unwrap();
    harm(&session);
    bench.boot = Some("second".to_owned());
    check_answered_once(bench).await;
}

#[tokio::test]
async fn after_a_loss_of_power_a_sessions_file_is_made_anew_whatever_is_left_of_it() {
    check_power_loss(|_whole| {}).await;
    check_power_loss(|session| fs::remove_file(session.join("in/inbound.db")).unwrap()).await;
    check_power_loss(|session| fs::remove_dir_all(session.join("in")).unwrap()).await;
    check_power_loss(|session| {
        let path = session.join("in/inbound.db");
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 3]).unwrap();
    })
    .await;
    check_power_loss(|session| {
        // Sound as a file and of another time: nothing in it tells.
        let raw = sql(&session.join("in/inbound.db"));
        raw.execute_batch(
            "UPDATE messages SET status = 'open', seq = 44;
             INSERT INTO messages SELECT seq - 2, channel, chat, thread, 'other', triggers, status,
                 tries, due_at, kind, version, payload, created_at, fresh_only FROM messages",
        )
        .unwrap();
    })
    .await;
    check_power_loss(|session| {
        fs::write(session.join("in/inbound.db"), vec![0x5a; 20_000]).unwrap();
        fs::write(session.join("in/inbound.db-journal"), [0x5a; 5_000]).unwrap();
    })
    .await;
}

#[tokio::test]
async fn files_are_made_anew_once_for_each_start_of_the_machine_and_when_it_is_not_known() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let session = host.session().await;
    let mut bench = host.stop().await;
    let inode = {
        use std::os::unix::fs::MetadataExt;
        move |bench: &Bench| {
            let path = files(bench, session).in_dir().join("inbound.db");
            fs::metadata(path).unwrap().ino()
        }
    };
    for (boot, anew) in [
        (Some("first"), false),
        (Some("second"), true),
        (Some("second"), false),
        (None, true),
        (None, true),
    ] {
        let before = inode(&bench);
        bench.boot = boot.map(str::to_owned);
        let mut host = bench.start().await;
        assert_eq!(host.enter().await.texts(), ["text of m1"], "{boot:?}");
        host.until_fed().await;
        bench = host.stop().await;
        assert_eq!(inode(&bench) != before, anew, "{boot:?}");
    }
}

#[tokio::test]
async fn a_file_that_is_damaged_while_the_host_runs_is_made_anew() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    fs::write(inside.in_dir.join("inbound.db"), "no database").unwrap();
    host.stored("m2").await;
    assert_eq!(inside.texts(), ["text of m1", "text of m2"]);
    fs::remove_file(inside.in_dir.join("inbound.db")).unwrap();
    host.stored("m3").await;
    assert_eq!(inside.texts(), ["text of m1", "text of m2", "text of m3"]);
    inside.answer();
    let seen = host.until_seen(&address("c"), 3).await;
    assert_eq!(seen.len(), 3);
    assert_eq!(host.store().faulted_sessions(10).await.unwrap(), []);
}

#[tokio::test]
async fn oc_91670_a_session_that_can_not_be_written_holds_up_no_other() {
    let mut host = Host::new(PLAIN).await;
    host.hand_over(event_in("stuck", "m1")).await.unwrap();
    let stuck = host.session().await;
    let first = host.enter().await;
    let path = first.in_dir.join("inbound.db");
    fs::remove_file(&path).unwrap();
    fs::create_dir_all(path.join("in the way")).unwrap();
    for id in ["m2", "m3"] {
        let taken = host.hand_over(event_in("stuck", id)).await.unwrap();
        assert_eq!(taken, Accepted::Stored, "{id}");
        host.hand_over(event_in("free", id)).await.unwrap();
    }
    let mut free = host.enter().await;
    assert_eq!(free.texts(), ["text of m2", "text of m3"]);
    free.answer();
    host.until_seen(&address("free"), 2).await;
    let row = host.store().session(stuck).await.unwrap().unwrap();
    assert!(row.fault.unwrap().what.contains("inbound.db"));
    let waiting = host.store().pending_messages(stuck, 10).await.unwrap();
    assert_eq!(waiting.len(), 3);

    fs::remove_dir_all(&path).unwrap();
    host.nudge();
    until("the fault is over", async || {
        let row = host.store().session(stuck).await.unwrap().unwrap();
        row.fault.is_none().then_some(())
    })
    .await;
    assert_eq!(host.in_file(stuck).await, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn oc_91670_a_file_that_is_locked_is_written_when_it_is_free() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    // Its file is written while somebody reads it.
    let _inside = host.enter().await;
    let session = host.session().await;
    let path = host.graph.base.files(session).in_dir().join("inbound.db");
    let mut raw = sql(&path);
    let locked = raw
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .unwrap();
    // It is durable all the same.
    for id in ["m2", "m3"] {
        let taken = host.graph.ingest.deliver(event(id)).await.unwrap();
        assert_eq!(taken, Accepted::Stored, "{id}");
    }
    assert!(!host.graph.feed.is_settled());
    locked.rollback().unwrap();
    host.until_fed().await;
    assert_eq!(host.in_file(session).await, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn oc_42157_nothing_is_acknowledged_that_is_not_durable() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    for (change, table) in [
        ("INSERT", "events"),
        ("INSERT", "messages"),
        ("INSERT", "journal"),
        ("UPDATE", "sessions"),
    ] {
        host.break_table(change, table).await;
        let taken = host.hand_over(event("m2")).await;
        assert!(
            matches!(taken, Err(IntakeError::Unavailable(_))),
            "{table}: {taken:?}"
        );
        host.mend_table().await;
        assert_eq!(host.count("SELECT count(*) FROM events"), 1, "{table}");
        assert_eq!(host.count("SELECT count(*) FROM journal"), 1, "{table}");
    }
    host.stored("m2").await;
    assert_eq!(host.in_file(host.session().await).await, ["m1", "m2"]);
}

#[tokio::test]
async fn what_can_not_be_entered_keeps_nothing_else_from_it() {
    let host = Host::new(PLAIN).await;
    host.change_schema(
        "CREATE TRIGGER broken BEFORE INSERT ON events WHEN NEW.message_id = 'bad'
         BEGIN SELECT RAISE(ABORT, 'broken by the test'); END",
    )
    .await;
    let ingest = &host.graph.ingest;
    let (first, bad, second) = tokio::join!(
        ingest.deliver(event("m1")),
        ingest.deliver(event("bad")),
        ingest.deliver(event("m2")),
    );
    assert_eq!(first.unwrap(), Accepted::Stored);
    assert!(matches!(bad, Err(IntakeError::Unavailable(_))), "{bad:?}");
    assert_eq!(second.unwrap(), Accepted::Stored);
}

#[tokio::test]
async fn he_68502_the_same_event_twice_makes_one_turn() {
    let mut host = Host::new(PLAIN).await;
    let ingest = &host.graph.ingest;
    let (first, second) = tokio::join!(ingest.deliver(event("m1")), ingest.deliver(event("m1")));
    let mut taken = [first.unwrap(), second.unwrap()].map(|taken| format!("{taken:?}"));
    taken.sort();
    assert_eq!(taken, ["Duplicate", "Stored"]);
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m1"]);
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.until_seen(&address("c"), 1).await;
    let again = host.hand_over(event("m1")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    assert_eq!(inside.texts(), Vec::<String>::new());
    assert_eq!(host.platform().sends().len(), 1);
}

fn with_file(id: &str) -> InboundEvent {
    InboundEvent {
        attachments: vec![anchorhold_core::inbound::Attachment {
            name: "photo.png".to_owned(),
            media_type: None,
            content: b"content".to_vec(),
        }],
        ..event(id)
    }
}

#[tokio::test]
async fn files_are_there_before_their_message_and_go_where_it_does_not_come() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let inbox = host.graph.base.files(host.session().await);
    let inbox = || -> Vec<i64> {
        let kept = inbox.inbox().unwrap();
        kept.into_iter()
            .map(anchorhold_sessiondb::Seq::get)
            .collect()
    };
    assert_eq!(
        host.hand_over(with_file("m2")).await.unwrap(),
        Accepted::Stored
    );
    assert_eq!(inbox(), [4]);
    host.break_table("INSERT", "journal").await;
    assert!(host.hand_over(with_file("m3")).await.is_err());
    assert_eq!(inbox(), [4]);
    host.mend_table().await;
    // A number that was reserved in vain is left out.
    assert_eq!(
        host.hand_over(with_file("m3")).await.unwrap(),
        Accepted::Stored
    );
    assert_eq!(inbox(), [4, 8]);
    let again = host.hand_over(with_file("m3")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    let ingest = &host.graph.ingest;
    let all = tokio::join!(
        ingest.deliver(with_file("m4")),
        ingest.deliver(event("m5")),
        ingest.deliver(with_file("m6")),
    );
    for taken in <[_; 3]>::from(all) {
        assert_eq!(taken.unwrap(), Accepted::Stored);
    }
    host.until_fed().await;
    let mut kept = host.in_file(host.session().await).await;
    kept.sort();
    assert_eq!(kept, ["m1", "m2", "m3", "m4", "m5", "m6"]);
    assert_eq!(inbox().len(), 4);
}

/// A session as a host of before the journal left it: open rows in its file alone.
#[tokio::test]
async fn the_file_of_an_older_host_is_taken_over() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    host.stored("m2").await;
    let mut bench = host.stop().await;
    let central = sql(&bench.path("data").join("anchorhold.db"));
    central
        .execute_batch("DELETE FROM journal; UPDATE sessions SET journaled = 0")
        .unwrap();
    drop(central);
    bench.boot = Some("second".to_owned());
    let mut host = bench.start().await;
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m1", "text of m2"]);
    host.stored("m3").await;
    inside.answer();
    let seen = host.until_seen(&address("c"), 3).await;
    assert_eq!(seen.len(), 3);
}
