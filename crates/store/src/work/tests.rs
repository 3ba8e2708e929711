use anchorhold_core::entity::MessageStatus;

use crate::{
    ingest::{Key, MessageRole, NewMessage},
    pull::{Pulled, WaitingMessage},
    tests::fixture::{Place, address, at, delivery, group, message, oldest, platform_id},
    work::{DueSession, MessageRetry, SessionWork},
};

#[tokio::test]
async fn sessions_are_due_when_a_message_of_theirs_is() {
    let place = Place::new().await;
    let store = &place.store;
    let (a, b) = (place.session(1, "a").await, place.session(1, "b").await);
    store
        .put_messages(&[message(a, 20), message(a, 30), message(b, 10)])
        .await
        .unwrap();
    let due = |session, ms| DueSession {
        session,
        agent_group: group(1).id,
        due_at: at(ms),
    };
    assert_eq!(store.due_sessions(at(9), 10).await.unwrap(), []);
    assert_eq!(store.due_sessions(at(10), 10).await.unwrap(), [due(b, 10)]);
    assert_eq!(
        store.due_sessions(at(99), 10).await.unwrap(),
        [due(b, 10), due(a, 20)]
    );
    assert_eq!(store.due_sessions(at(99), 1).await.unwrap(), [due(b, 10)]);
    for (now, expect) in [(0, Some(10)), (10, Some(20)), (20, Some(30)), (30, None)] {
        assert_eq!(
            store.next_due_at(at(now)).await.unwrap(),
            expect.map(at),
            "{now}"
        );
    }
    // One that has a fault takes nobody's place.
    store.set_fault(b, "damaged", at(50)).await.unwrap();
    assert_eq!(store.due_sessions(at(99), 1).await.unwrap(), [due(a, 20)]);
    store.clear_fault(b).await.unwrap();
    assert_eq!(store.due_sessions(at(99), 1).await.unwrap(), [due(b, 10)]);
}

#[tokio::test]
async fn a_retry_is_due_only_when_its_time_comes() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    store.put_messages(&[message(session, 2)]).await.unwrap();
    let retry = MessageRetry {
        tries: 1,
        next_at: at(100),
        why: "the sandbox stalled".to_owned(),
    };
    assert!(store.set_tries(session, 2, &retry, at(0)).await.unwrap());
    assert_eq!(store.due_sessions(at(99), 10).await.unwrap(), []);
    let work = SessionWork {
        pending: 1,
        due_since: Some(at(100)),
        next_at: Some(at(100)),
        oldest_at: Some(at(100)),
    };
    assert_eq!(store.session_work(session).await.unwrap(), work);
    let pending = store.pending_messages(session, 10).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(
        (pending[0].tries, pending[0].last_error.as_deref()),
        (1, Some("the sandbox stalled"))
    );
}

#[tokio::test]
async fn giving_up_tells_the_person_once() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    store.put_messages(&[message(session, 2)]).await.unwrap();
    let pending = store.message(session, 2).await.unwrap().unwrap();
    let notice = delivery("sorry", address("chat", None));
    let second = delivery("sorry again", address("chat", None));
    let why = "five tries";
    assert!(
        store
            .fail_message(&pending, why, Some(&notice), at(5))
            .await
            .unwrap()
    );
    assert!(
        !store
            .fail_message(&pending, why, Some(&second), at(6))
            .await
            .unwrap()
    );
    let failed = store.message(session, 2).await.unwrap().unwrap();
    assert_eq!(
        (
            failed.status,
            failed.last_error.as_deref(),
            failed.ended_at,
            failed.next_at
        ),
        (MessageStatus::Failed, Some(why), Some(at(5)), None)
    );
    let sent = oldest(store, &notice.address).await.unwrap();
    assert_eq!(
        (sent.id, sent.session, sent.seq),
        (notice.id, Some(session), None)
    );
    assert_eq!(store.delivery(second.id).await.unwrap(), None);
    assert_eq!(store.session_work(session).await.unwrap().pending, 0);
    let late = MessageRetry {
        tries: 1,
        next_at: at(9),
        why: String::new(),
    };
    assert!(!store.set_tries(session, 2, &late, at(0)).await.unwrap());
}

#[tokio::test]
async fn giving_up_and_telling_is_one_thing() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    place
        .store
        .put_messages(&[message(session, 2)])
        .await
        .unwrap();
    let pending = place.store.message(session, 2).await.unwrap().unwrap();
    let mut bad = delivery("sorry", address("chat", None));
    bad.payload = "{".to_owned();
    place
        .store
        .fail_message(&pending, "why", Some(&bad), at(5))
        .await
        .unwrap_err();
    assert_eq!(
        place.store.message(session, 2).await.unwrap(),
        Some(pending)
    );
}

#[tokio::test]
async fn a_message_tells_its_platform_id_while_it_is_here() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let (said, own) = (message(session, 2), message(session, 4));
    let own = NewMessage {
        key: Key::Word(platform_id(4)),
        ..own
    };
    let gone = message(session, 6).id;
    place
        .store
        .put_messages(&[said.clone(), own.clone()])
        .await
        .unwrap();
    for (id, expect) in [
        (said.id, Some(platform_id(2))),
        (own.id, None),
        (gone, None),
    ] {
        assert_eq!(place.store.platform_message_id(id).await.unwrap(), expect);
    }
}

#[tokio::test]
async fn a_session_that_is_being_closed_owes_nothing() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let context = |seq| NewMessage {
        role: MessageRole::Context,
        ..message(session, seq)
    };
    store
        .put_messages(&[message(session, 2), context(4), context(6)])
        .await
        .unwrap();
    // Only what is context ends as context; what is due is not.
    let ended = store.mark_context_done(session, &[2, 4, 99], at(7)).await;
    assert_eq!(ended.unwrap(), 1);
    let stands = async |seq| store.message(session, seq).await.unwrap().unwrap().status;
    assert_eq!(stands(2).await, MessageStatus::Pending);
    assert_eq!(stands(4).await, MessageStatus::Done);
    assert!(!store.close_session(session, at(8)).await.unwrap());
    assert_eq!(
        store.end_pending(session, "asked to", at(8)).await.unwrap(),
        2
    );
    assert_eq!(
        store.end_pending(session, "asked to", at(8)).await.unwrap(),
        0
    );
    let last = store.message(session, 6).await.unwrap().unwrap();
    assert_eq!(
        (last.status, last.last_error.as_deref(), last.ended_at),
        (MessageStatus::Done, Some("asked to"), Some(at(8)))
    );
    assert!(store.close_session(session, at(8)).await.unwrap());
}

/// What is due behind a message that waits is not due: nothing can be done about it before.
#[tokio::test]
async fn what_waits_holds_back_what_came_after_it() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    store
        .put_messages(&[message(session, 2), message(session, 4)])
        .await
        .unwrap();
    let pulled = Pulled {
        waiting: vec![WaitingMessage {
            seq: 2,
            next_at: at(500),
            why: "asked too often".to_owned(),
        }],
        ..Pulled::default()
    };
    store.accept(session, &pulled, at(50)).await.unwrap();
    assert_eq!(store.due_sessions(at(499), 10).await.unwrap(), []);
    assert_eq!(store.due_sessions(at(500), 10).await.unwrap().len(), 1);
    let work = store.session_work(session).await.unwrap();
    assert_eq!((work.is_due(at(499)), work.is_due(at(500))), (false, true));
    store.accept(session, &pulled, at(90)).await.unwrap();
    let waits = store.message(session, 2).await.unwrap().unwrap();
    assert_eq!(
        (waits.failures, waits.failing_since, waits.tries),
        (2, Some(at(50)), 0)
    );
    assert_eq!(waits.last_error.as_deref(), Some("asked too often"));
}
