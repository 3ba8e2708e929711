use anchorhold_core::{entity::DeliveryStatus, ids::OutboundId};

use crate::{
    Durability,
    attempts::{AttemptOutcome, Settled},
    ends::{Retried, Told},
    pull::Pulled,
    tests::fixture::{Place, address, at, channel, delivery, event, message, oldest, pulled},
};

/// An agent's delivery in the chat `chat` that ended at 5 as `settled` says, in its second attempt.
async fn ended(settled: Settled) -> (Place, OutboundId) {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let heard = event(2, vec![message(session, 2)]);
    store.record_event(&heard).await.unwrap();
    let mut said = pulled(3, address("chat", None));
    said.delivery.in_reply_to = Some(heard.messages[0].id);
    let id = said.delivery.id;
    let pulled = Pulled {
        deliveries: vec![said],
        ..Pulled::default()
    };
    store.accept(session, &pulled, at(3)).await.unwrap();
    let retry = Settled::Retry {
        next_at: at(4),
        why: "no route".to_owned(),
        outcome: AttemptOutcome::Transient,
    };
    try_once(&place, id, &retry).await;
    try_once(&place, id, &settled).await;
    (place, id)
}

async fn try_once(place: &Place, id: OutboundId, settled: &Settled) {
    let store = &place.store;
    let begun = store.begin_attempt(id, 0, Durability::Process, at(4)).await;
    let settled = store.settle_attempt(begun.unwrap(), settled, at(5)).await;
    assert!(settled.unwrap());
}

fn dead() -> Settled {
    Settled::Dead {
        why: "gone".to_owned(),
        outcome: AttemptOutcome::Permanent,
    }
}

fn unknown() -> Settled {
    Settled::Unknown {
        why: "no answer".to_owned(),
        outcome: AttemptOutcome::Ambiguous,
    }
}

#[tokio::test]
async fn an_end_is_found_until_it_is_told_also_by_the_next_host() {
    let (place, id) = ended(dead()).await;
    let place = place.reopen().await;
    let store = &place.store;
    let untold = store.untold_ends(at(0), 10).await.unwrap();
    assert_eq!(untold.len(), 1);
    let end = &untold[0];
    assert_eq!((end.delivery.id, end.failed), (id, 2));
    assert_eq!(end.last, Some(AttemptOutcome::Permanent));
    assert_eq!((end.answers_note, end.notes), (false, 0));
    let line = delivery("line", address("chat", None));
    let told = Told {
        note_seq: Some(4),
        notices: vec![line.clone()],
        owners: false,
    };
    assert!(store.end_told(id, &told, at(6)).await.unwrap());
    assert!(!store.end_told(id, &told, at(7)).await.unwrap());
    assert_eq!(store.untold_ends(at(0), 10).await.unwrap(), []);
    let line = store.delivery(line.id).await.unwrap().unwrap();
    assert_eq!(line.session, end.delivery.session);
    assert_eq!(place.number("SELECT COUNT(*) FROM deliveries").await, 2);
}

#[tokio::test]
async fn what_is_said_in_answer_to_a_word_about_an_end_is_known_for_it() {
    let (place, id) = ended(unknown()).await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let told = Told {
        note_seq: Some(4),
        ..Told::default()
    };
    store.end_told(id, &told, at(6)).await.unwrap();
    let note = message(session, 4);
    let asked = note.id;
    store.put_messages(&[note]).await.unwrap();
    let mut said = pulled(5, address("chat", None));
    said.delivery.in_reply_to = Some(asked);
    let answer = said.delivery.id;
    let pulled = Pulled {
        deliveries: vec![said],
        ..Pulled::default()
    };
    store.accept(session, &pulled, at(7)).await.unwrap();
    try_once(&place, answer, &dead()).await;
    for (since, notes) in [(5, 1), (6, 0)] {
        let untold = store.untold_ends(at(since), 10).await.unwrap();
        assert_eq!(untold.len(), 1);
        assert_eq!((untold[0].answers_note, untold[0].notes), (true, notes));
    }
}

#[tokio::test]
async fn owners_are_told_of_a_chat_for_a_time() {
    let (place, id) = ended(dead()).await;
    let (store, channel, here) = (&place.store, channel(), address("chat", None));
    let told = Told {
        owners: true,
        ..Told::default()
    };
    store.end_told(id, &told, at(6)).await.unwrap();
    let elsewhere = address("other", None).chat;
    for (chat, since, expect) in [
        (&here.chat, 5, true),
        (&here.chat, 6, false),
        (&elsewhere, 5, false),
    ] {
        let told = store.owners_told_since((&channel, chat), at(since)).await;
        assert_eq!(told.unwrap(), expect, "{chat} {since}");
    }
}

#[tokio::test]
async fn what_is_sent_again_is_the_first_of_its_lane_and_told_of_once() {
    let (place, id) = ended(dead()).await;
    let store = &place.store;
    let lane = address("chat", None);
    store.end_told(id, &Told::default(), at(6)).await.unwrap();
    let later = delivery("later", lane.clone());
    store.new_delivery(None, &later, at(7)).await.unwrap();
    store.discard_delivery(id, at(8)).await.unwrap();
    let retried = store.retry_delivery(id, false, at(9)).await.unwrap();
    assert_eq!(retried, Retried::Due);
    let first = oldest(store, &lane).await.unwrap();
    assert_eq!((first.id, first.tries), (id, 0));
    assert_eq!((first.next_at, first.ended_at), (at(9), None));
    let again = store.retry_delivery(id, true, at(9)).await.unwrap();
    assert_eq!(again, Retried::NotFailed);
    try_once(&place, id, &dead()).await;
    assert_eq!(store.untold_ends(at(0), 10).await.unwrap(), []);
    // It is new on the operator's list.
    let listed = store.failed_deliveries(10).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
    let attempts = store.attempts_of(id, 2).await.unwrap();
    let numbers: Vec<u32> = attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [2, 3]);
    assert_eq!(attempts[1].outcome, Some(AttemptOutcome::Permanent));
    assert_eq!(attempts[1].detail.as_deref(), Some("gone"));
}

#[tokio::test]
async fn what_may_have_arrived_is_sent_again_only_on_a_second_word() {
    let (place, id) = ended(unknown()).await;
    let store = &place.store;
    let retried = store.retry_delivery(id, false, at(9)).await.unwrap();
    assert_eq!(retried, Retried::MayHaveArrived);
    let found = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(found.status, DeliveryStatus::Unknown);
    let retried = store.retry_delivery(id, true, at(9)).await.unwrap();
    assert_eq!(retried, Retried::Due);
    let other = delivery("none", address("chat", None)).id;
    let retried = store.retry_delivery(other, true, at(9)).await.unwrap();
    assert_eq!(retried, Retried::Missing);
}

#[tokio::test]
async fn what_is_discarded_is_counted_no_more() {
    let (place, id) = ended(dead()).await;
    let store = &place.store;
    assert_eq!(store.counts().await.unwrap().deliveries_dead, 1);
    assert!(store.discard_delivery(id, at(6)).await.unwrap());
    assert!(!store.discard_delivery(id, at(7)).await.unwrap());
    assert_eq!(store.counts().await.unwrap().deliveries_dead, 0);
    assert_eq!(store.failed_deliveries(10).await.unwrap(), []);
    let found = store.delivery(id).await.unwrap().unwrap();
    assert_eq!(found.status, DeliveryStatus::Dead);
}
