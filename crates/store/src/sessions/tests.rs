use anchorhold_core::{entity::SessionKey, ids::SessionId, sandbox::Generation};
use tokio::task::JoinSet;

use crate::{
    pull::{EndedMessage, MessageEnd, Pulled},
    sessions::{Answered, Fault},
    tests::fixture::{Place, address, at, bytes, event, group, message, pulled},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn defect_47_one_session_however_many_ask_at_once() {
    let place = Place::new().await;
    let key = SessionKey {
        agent_group: place.group(1).await,
        conversation: None,
        thread: None,
    };
    let mut calls = JoinSet::new();
    for n in 0..50 {
        let (store, key) = (place.store.clone(), key.clone());
        let fresh = SessionId::mint(at(n), bytes(&n.to_string()));
        calls.spawn(async move { store.session_for(&key, fresh, at(n)).await.unwrap() });
    }
    let mut found = calls.join_all().await;
    found.dedup();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].key, key);
    assert_eq!(place.number("SELECT COUNT(*) FROM sessions").await, 1);
    // The index decides, also for who does not look first.
    let twice = place
        .sql(
            "INSERT INTO sessions (id, agent_group_id, last_active_at, created_at)
             SELECT 'other', agent_group_id, 0, 0 FROM sessions",
        )
        .await;
    let refused = twice.unwrap_err().into_database_error().unwrap();
    assert!(refused.is_unique_violation(), "{refused}");
}

#[tokio::test]
async fn each_key_has_its_own_session() {
    let place = Place::new().await;
    let agent_group = place.group(1).await;
    let conversation = Some(place.conversation("a").await);
    let thread = address("a", Some("t")).thread;
    let keys = [
        (None, None),
        (conversation, None),
        (conversation, thread),
        (Some(place.conversation("b").await), None),
    ];
    let mut ids = Vec::new();
    for (n, (conversation, thread)) in keys.into_iter().enumerate() {
        let key = SessionKey {
            agent_group,
            conversation,
            thread,
        };
        let fresh = SessionId::mint(at(0), bytes(&format!("key {n}")));
        let session = place.store.session_for(&key, fresh, at(0)).await.unwrap();
        assert_eq!((session.id, &session.key), (fresh, &key));
        ids.push(session.id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn generations_count_up_and_stay() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    assert_eq!(
        place.store.generation(session).await.unwrap(),
        Generation(0)
    );
    for n in 1..=3 {
        let begun = place.store.begin_generation(session, at(1)).await.unwrap();
        assert_eq!(begun, Generation(n));
    }
    let place = place.reopen().await;
    assert_eq!(
        place.store.generation(session).await.unwrap(),
        Generation(3)
    );
    let nobody = SessionId::mint(at(9), bytes("nobody"));
    assert!(place.store.begin_generation(nobody, at(1)).await.is_err());
}

#[tokio::test]
async fn the_list_shows_the_latest_with_their_work_and_fault() {
    let place = Place::new().await;
    let (a, b) = (place.session(1, "a").await, place.session(1, "b").await);
    let store = &place.store;
    store
        .record_event(&event(2, vec![message(a, 2), message(b, 4)]))
        .await
        .unwrap();
    store
        .set_fault(a, "outbound.db is damaged", at(5))
        .await
        .unwrap();
    store.set_fault(a, "it still is", at(6)).await.unwrap();
    let listed = store.sessions(10).await.unwrap();
    let shown: Vec<_> = listed
        .iter()
        .map(|s| {
            (
                s.row.session.id,
                s.pending,
                s.row.in_seq,
                s.row.fault.is_some(),
            )
        })
        .collect();
    assert_eq!(shown, [(b, 1, 4, false), (a, 1, 2, true)]);
    let fault = Fault {
        what: "it still is".to_owned(),
        since: at(5),
    };
    assert_eq!(listed[1].row.fault, Some(fault));
    assert_eq!(store.sessions(1).await.unwrap().len(), 1);
    assert_eq!(store.faulted_sessions(10).await.unwrap(), [a]);
    store.clear_fault(a).await.unwrap();
    assert_eq!(store.faulted_sessions(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_session_closes_only_when_it_owes_nothing() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    place
        .store
        .put_messages(&[message(session, 2)])
        .await
        .unwrap();
    assert!(!place.store.close_session(session, at(3)).await.unwrap());
    let pending = place.store.message(session, 2).await.unwrap().unwrap();
    place
        .store
        .fail_message(&pending, "why", None, at(4))
        .await
        .unwrap();
    assert!(place.store.close_session(session, at(5)).await.unwrap());
    let row = place.store.session(session).await.unwrap().unwrap();
    assert_eq!(row.closed_at, Some(at(5)));
    // The key is free again, and the next message begins anew.
    let fresh = SessionId::mint(at(6), bytes("next"));
    let next = place
        .store
        .session_for(&row.session.key, fresh, at(6))
        .await
        .unwrap();
    assert_eq!((next.id, next.key.agent_group), (fresh, group(1).id));
}

#[tokio::test]
async fn open_sessions_are_found_by_key_and_by_group() {
    let place = Place::new().await;
    let store = &place.store;
    let (a, b) = (place.session(1, "a").await, place.session(1, "b").await);
    place.session(2, "a").await;
    store
        .record_event(&event(5, vec![message(b, 5)]))
        .await
        .unwrap();
    let listed = async || {
        let rows = store.group_sessions(group(1).id).await.unwrap();
        rows.iter().map(|row| row.session.id).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, [b, a]);
    let key = SessionKey {
        agent_group: group(1).id,
        conversation: Some(place.conversation("a").await),
        thread: None,
    };
    let found = store.session_by_key(&key).await.unwrap().unwrap();
    assert_eq!(found.session.id, a);
    let shared = SessionKey {
        conversation: None,
        ..key.clone()
    };
    assert_eq!(store.session_by_key(&shared).await.unwrap(), None);
    assert!(store.close_session(a, at(6)).await.unwrap());
    assert_eq!(store.session_by_key(&key).await.unwrap(), None);
    assert_eq!(listed().await, [b]);
}

#[tokio::test]
async fn what_a_session_has_done_is_counted() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    assert_eq!(store.answered(session).await.unwrap(), Answered::default());
    let messages = [2, 4, 6].map(|seq| message(session, seq));
    store.put_messages(&messages).await.unwrap();
    let why = "five tries".to_owned();
    let ends = [(2, MessageEnd::Done), (4, MessageEnd::Failed { why })];
    let done = Pulled {
        deliveries: vec![pulled(3, address("chat", None))],
        ended: ends
            .map(|(seq, end)| EndedMessage { seq, end })
            .into_iter()
            .collect(),
        ..Pulled::default()
    };
    store.accept(session, &done, at(7)).await.unwrap();
    place
        .sql("UPDATE deliveries SET status = 'sent', ended_at = 1")
        .await
        .unwrap();
    let expect = Answered {
        done: 1,
        failed: 1,
        sent: 1,
    };
    assert_eq!(store.answered(session).await.unwrap(), expect);
}
