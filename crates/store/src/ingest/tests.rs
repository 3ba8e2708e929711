use anchorhold_core::{entity::MessageStatus, ids::Handle, route::Reason};

use crate::{
    Disposition,
    ingest::{EventOutcome, EventRecord, MessageRole, NewMessage, Recorded},
    tests::fixture::{Place, at, bytes, event, message, platform_id},
};

#[tokio::test]
async fn an_event_that_comes_twice_is_recorded_once() {
    let place = Place::new().await;
    let (a, b) = (place.session(1, "a").await, place.session(2, "b").await);
    let context = NewMessage {
        role: MessageRole::Context,
        ..message(b, 4)
    };
    let event = event(7, vec![message(a, 2), context]);
    let seen = async |place: &Place| {
        let address = &event.address;
        place
            .store
            .event_seen(&address.channel, &address.chat, &event.message_id)
            .await
            .unwrap()
    };
    assert!(!seen(&place).await);
    assert_eq!(
        place.store.record_event(&event).await.unwrap(),
        Recorded::New
    );
    // Handed over again, with numbers and ids as a new try would have them.
    let again = EventRecord {
        messages: vec![message(a, 6), message(b, 8)],
        ..event.clone()
    };
    let place = place.reopen().await;
    assert!(seen(&place).await);
    assert_eq!(
        place.store.record_event(&again).await.unwrap(),
        Recorded::Duplicate
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM messages").await, 2);
    let due = place.store.message(a, 2).await.unwrap().unwrap();
    assert_eq!(
        (due.status, due.next_at, due.due_since),
        (MessageStatus::Pending, Some(at(2)), Some(at(2)))
    );
    let kept = place.store.message(b, 4).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.next_at), (MessageStatus::Context, None));
    assert_eq!(place.store.session(b).await.unwrap().unwrap().in_seq, 4);
}

#[tokio::test]
async fn a_crash_between_the_session_file_and_the_record_ends_in_one_message() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    // The host died after the append: its start finds the row in the file.
    let place = place.reopen().await;
    let found = message(session, 2);
    assert_eq!(
        place
            .store
            .adopt_messages(std::slice::from_ref(&found))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        place
            .store
            .adopt_messages(std::slice::from_ref(&found))
            .await
            .unwrap(),
        0
    );
    // The platform was never told that we have it and hands it over again; the session file
    // answers with the number that it has.
    let again = NewMessage {
        id: anchorhold_core::ids::MessageId::mint(at(9), bytes("again")),
        ..found.clone()
    };
    let event = event(2, vec![again, message(session, 4)]);
    assert_eq!(
        place.store.record_event(&event).await.unwrap(),
        Recorded::New
    );
    assert_eq!(
        place.store.message(session, 2).await.unwrap().unwrap().id,
        found.id
    );
    assert_eq!(place.store.session_work(session).await.unwrap().pending, 2);
}

#[tokio::test]
async fn a_number_that_stands_for_something_else_is_refused_and_nothing_is_kept() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    place
        .store
        .adopt_messages(&[message(session, 2)])
        .await
        .unwrap();
    let other = NewMessage {
        id: message(session, 99).id,
        platform_message_id: Some(platform_id(5)),
        ..message(session, 2)
    };
    let event = event(5, vec![message(session, 4), other]);
    let error = place.store.record_event(&event).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Refused);
    assert_eq!(place.store.message(session, 4).await.unwrap(), None);
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 0);
}

#[tokio::test]
async fn messages_of_the_host_itself_have_no_platform_id() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let own = |seq| NewMessage {
        platform_message_id: None,
        ..message(session, seq)
    };
    let both = [own(2), own(4)];
    assert_eq!(place.store.adopt_messages(&both).await.unwrap(), 2);
    assert_eq!(place.store.adopt_messages(&both).await.unwrap(), 0);
}

#[tokio::test]
async fn defect_40_a_dropped_event_counts_once_with_its_first_reason() {
    let place = Place::new().await;
    let declined = |n, handle: &str, reason: Reason| EventRecord {
        sender: Handle::parse(handle).unwrap(),
        outcome: EventOutcome::Declined,
        declined: Some(reason),
        ..event(n, Vec::new())
    };
    let unknown = Reason::UnknownSender;
    let heard = EventRecord {
        outcome: EventOutcome::Stored,
        ..declined(4, "bob", unknown)
    };
    for event in [
        declined(1, "ann", unknown),
        declined(2, "ann", unknown),
        // Handed over again: neither counted twice nor given another reason.
        declined(2, "ann", Reason::NotEngaged),
        declined(3, "bob", Reason::NotEngaged),
        // One agent did not take it, another one did: it is not dropped.
        heard,
    ] {
        place.store.record_event(&event).await.unwrap();
    }
    let listed = place.store.dropped(10).await.unwrap();
    let mut shown: Vec<_> = listed
        .iter()
        .map(|d| {
            (
                d.handle.as_str(),
                d.reason.as_str(),
                d.count,
                d.first_at,
                d.last_at,
            )
        })
        .collect();
    shown.sort_unstable();
    assert_eq!(
        shown,
        [
            ("ann", "unknown_sender", 2, at(1), at(2)),
            ("bob", "not_engaged", 1, at(3), at(3)),
        ]
    );
    assert_eq!(place.store.dropped(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn old_events_are_forgotten_oldest_first() {
    let place = Place::new().await;
    for n in 1..=5 {
        place
            .store
            .record_event(&event(n, Vec::new()))
            .await
            .unwrap();
    }
    assert_eq!(place.store.prune_events(at(5), 3).await.unwrap(), 3);
    assert_eq!(place.store.prune_events(at(5), 3).await.unwrap(), 1);
    assert_eq!(place.store.prune_events(at(5), 3).await.unwrap(), 0);
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 1);
}

#[tokio::test]
async fn a_message_that_was_declined_can_be_heard_after_all() {
    let place = Place::new().await;
    let store = &place.store;
    let (here, there) = (place.group(1).await, place.group(2).await);
    let session = place.session(1, "chat").await;
    let declined = EventRecord {
        outcome: EventOutcome::Declined,
        declined: Some(Reason::AwaitsApproval),
        ..event(2, Vec::new())
    };
    store.record_event(&declined).await.unwrap();
    let (channel, chat) = (&declined.address.channel, &declined.address.chat);
    let heard = async |group| {
        let id = &declined.message_id;
        store.heard_by(group, channel, chat, id).await.unwrap()
    };
    assert!(!heard(here).await);
    store.adopt_messages(&[message(session, 2)]).await.unwrap();
    assert!(heard(here).await && !heard(there).await);
    let replayed = async || {
        let id = &declined.message_id;
        store.replayed(channel, chat, id).await.unwrap()
    };
    assert!(replayed().await);
    assert!(!replayed().await);
    let stored = "SELECT COUNT(*) FROM events WHERE outcome = 'stored'";
    assert_eq!(place.number(stored).await, 1);
}
