use anchorhold_core::{ids::SessionId, sandbox::Generation};

use crate::{
    ingest::{Body, Key, MessageRole, NewMessage},
    journal::{Journaled, Older},
    pull::{EndedMessage, MessageEnd, Pulled},
    tests::fixture::{Place, address, at, body, message, platform_id},
    work::MessageRetry,
};

async fn numbers(place: &Place, session: SessionId) -> Vec<i64> {
    let rows = place.store.journal(session, 0, 100).await.unwrap();
    rows.iter().map(|row| row.seq).collect()
}

#[tokio::test]
async fn a_row_says_all_that_the_sessions_file_needs() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let word = NewMessage {
        key: Key::Word(platform_id(9)),
        address: address("chat", Some("t")),
        body: Body {
            fresh_only: Some(Generation(3)),
            ..body("word")
        },
        ..message(session, 4)
    };
    let aside = NewMessage {
        role: MessageRole::Context,
        ..message(session, 6)
    };
    let rows = [message(session, 2), word.clone(), aside];
    place.store.put_messages(&rows).await.unwrap();
    let retry = MessageRetry {
        tries: 2,
        next_at: at(50),
        why: "it died".to_owned(),
    };
    place
        .store
        .set_tries(session, 2, &retry, at(0))
        .await
        .unwrap();
    let row = |seq: i64| Journaled {
        seq,
        address: address("chat", None),
        name: platform_id(seq),
        triggers: true,
        tries: 0,
        due_at: at(seq),
        created_at: at(seq),
        body: body(&format!("text {seq}")),
    };
    let expect = [
        Journaled {
            tries: 2,
            due_at: at(50),
            ..row(2)
        },
        Journaled {
            address: word.address,
            name: platform_id(9),
            body: word.body,
            ..row(4)
        },
        Journaled {
            triggers: false,
            ..row(6)
        },
    ];
    let place = place.reopen().await;
    let store = &place.store;
    assert_eq!(store.journal(session, 0, 10).await.unwrap(), expect);
    assert_eq!(store.journal(session, 2, 1).await.unwrap(), expect[1..2]);
    assert!(!format!("{expect:?}").contains("text 2"));
}

#[tokio::test]
async fn whoever_ends_a_message_ends_what_is_kept_for_it() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let other = place.session(2, "chat").await;
    let rows = [2, 4, 6, 8, 10].map(|seq| message(session, seq));
    store.put_messages(&rows).await.unwrap();
    let context = NewMessage {
        role: MessageRole::Context,
        ..message(session, 12)
    };
    store.put_messages(&[context]).await.unwrap();
    store.put_messages(&[message(other, 2)]).await.unwrap();
    let end = |seq, end| EndedMessage { seq, end };
    let pulled = Pulled {
        ended: vec![end(2, MessageEnd::Done), end(4, MessageEnd::Stopped)],
        ..Pulled::default()
    };
    store.accept(session, &pulled, at(20)).await.unwrap();
    assert_eq!(numbers(&place, session).await, [6, 8, 10, 12]);
    let failing = store.message(session, 6).await.unwrap().unwrap();
    store
        .fail_message(&failing, "why", None, at(21))
        .await
        .unwrap();
    assert_eq!(numbers(&place, session).await, [8, 10, 12]);
    store
        .mark_context_done(session, &[8, 12], at(22))
        .await
        .unwrap();
    assert_eq!(numbers(&place, session).await, [8, 10]);
    store.end_pending(session, "stopped", at(23)).await.unwrap();
    assert_eq!(numbers(&place, session).await, Vec::<i64>::new());
    assert_eq!(numbers(&place, other).await, [2]);
    // A session takes its own along.
    place.sql("DELETE FROM agent_groups").await.unwrap();
    assert_eq!(place.number("SELECT COUNT(*) FROM journal").await, 0);
}

#[tokio::test]
async fn sessions_with_something_in_the_journal_are_found() {
    let place = Place::new().await;
    let mut expect = Vec::new();
    for n in 1..=3 {
        let session = place.session(n, "chat").await;
        if n != 2 {
            let rows = [message(session, 2), message(session, 4)];
            place.store.put_messages(&rows).await.unwrap();
            expect.push(session);
        }
    }
    expect.sort();
    assert_eq!(place.store.journal_sessions().await.unwrap(), expect);
}

#[tokio::test]
async fn after_another_start_of_the_machine_no_file_is_believed() {
    let place = Place::new().await;
    let id = anchorhold_core::ids::InstallId::mint(at(0), [1; 10]);
    place.store.install_id(id, at(0)).await.unwrap();
    let session = place.session(1, "chat").await;
    // Known or not, it is another one than what was known before: nothing.
    for (boot, changed) in [
        (Some("a"), true),
        (Some("a"), false),
        (Some("b"), true),
        (None, true),
        (None, true),
        (Some("b"), true),
        (Some("b"), false),
    ] {
        assert_eq!(
            place.store.note_boot(boot).await.unwrap(),
            changed,
            "{boot:?}"
        );
        let marked = place.store.sessions_to_rebuild().await.unwrap();
        assert_eq!(marked.len(), usize::from(changed), "{boot:?}");
        place.store.rebuilt(session).await.unwrap();
    }
    // One that was not made anew by then stays marked.
    place.store.note_boot(Some("c")).await.unwrap();
    place.store.note_boot(Some("c")).await.unwrap();
    assert_eq!(place.store.sessions_to_rebuild().await.unwrap(), [session]);
}

#[tokio::test]
async fn the_highest_reply_stays() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    for (id, highest) in [(3, 3), (2, 3), (7, 7)] {
        place.store.note_reply(session, id).await.unwrap();
        let row = place.store.session(session).await.unwrap().unwrap();
        assert_eq!(row.replied, highest);
    }
}

#[tokio::test]
async fn what_waits_in_the_file_of_an_older_session_is_taken_over_once() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    assert_eq!(store.older_sessions(10).await.unwrap(), []);
    let rows = [message(session, 2), message(session, 4)];
    store.put_messages(&rows).await.unwrap();
    // As an earlier version left it: all is in the file alone, and words have no key.
    let older =
        "INSERT INTO messages (id, session_id, seq, channel, chat, status, next_at, due_since,
             created_at) SELECT 'w', id, 6, 'cli', 'chat', 'pending', 1, 1, 1 FROM sessions";
    for sql in [
        "DELETE FROM journal",
        "UPDATE sessions SET journaled = 0",
        older,
        "UPDATE messages SET status = 'done' WHERE seq = 4",
    ] {
        place.sql(sql).await.unwrap();
    }
    assert_eq!(store.older_sessions(10).await.unwrap(), [session]);
    let row = |seq| Older {
        seq,
        word: None,
        body: Some(body(&format!("text {seq}"))),
    };
    let word = Older {
        word: Some(platform_id(99)),
        ..row(6)
    };
    // The last one was never recorded, so its platform was not told that we have it.
    for _again in 0..2 {
        let rows = [row(2), row(4), word.clone(), row(8)];
        store.take_older(session, &rows).await.unwrap();
    }
    store.older_taken(session, 5).await.unwrap();
    assert_eq!(numbers(&place, session).await, [2, 6]);
    let kept = store.journal(session, 2, 1).await.unwrap();
    assert_eq!(kept[0].name, platform_id(99));
    assert_eq!(store.older_sessions(10).await.unwrap(), []);
    assert_eq!(store.sessions_to_rebuild().await.unwrap(), [session]);
    let row = store.session(session).await.unwrap().unwrap();
    assert_eq!(row.replied, 5);
}
