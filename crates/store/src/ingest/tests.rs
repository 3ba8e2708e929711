use anchorhold_core::{
    context::CONTEXT_ROWS_LIMIT,
    entity::MessageStatus,
    ids::{Handle, MessageId, SessionId},
    order::JUMP_LIMIT,
    route::Reason,
};

use crate::{
    Disposition,
    ingest::{
        Body, Entered, Entry, EventOutcome, EventRecord, Key, MessageRole, NewMessage, Tracked,
    },
    tests::fixture::{Place, at, body, bytes, event, message, platform_id},
    trace::Receipt,
};

/// A message that asks for no number; `n` tells it from others.
fn unnumbered(session: SessionId, n: i64) -> NewMessage {
    NewMessage {
        reserved: None,
        ..message(session, n)
    }
}

fn now(seq: i64) -> Tracked {
    Tracked {
        seq,
        fresh: true,
        surplus: Vec::new(),
    }
}

async fn enter(place: &Place, entry: Entry) -> Entered {
    place.store.enter(&[entry]).await.unwrap().remove(0)
}

#[tokio::test]
async fn he_68502_an_event_that_comes_twice_is_recorded_once() {
    let place = Place::new().await;
    let (a, b) = (place.session(1, "a").await, place.session(2, "b").await);
    let context = NewMessage {
        role: MessageRole::Context,
        ..unnumbered(b, 4)
    };
    let event = event(7, vec![unnumbered(a, 2), context]);
    let seen = async |place: &Place| {
        let address = &event.address;
        place
            .store
            .event_seen(&address.channel, &address.chat, &event.message_id)
            .await
            .unwrap()
    };
    assert!(!seen(&place).await);
    let entered = enter(&place, Entry::Event(event.clone())).await;
    assert_eq!(entered, Entered::Now(vec![now(2), now(2)]));
    // Handed over again, with ids as a new try would have them, also twice at once.
    let again = EventRecord {
        messages: vec![unnumbered(a, 6), unnumbered(b, 8)],
        ..event.clone()
    };
    let place = place.reopen().await;
    assert!(seen(&place).await);
    let again = [Entry::Event(again.clone()), Entry::Event(again)];
    assert_eq!(
        place.store.enter(&again).await.unwrap(),
        [Entered::Duplicate, Entered::Duplicate]
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM messages").await, 2);
    assert_eq!(place.number("SELECT COUNT(*) FROM journal").await, 2);
    let due = place.store.message(a, 2).await.unwrap().unwrap();
    assert_eq!(
        (due.status, due.next_at, due.due_since),
        (MessageStatus::Pending, Some(at(2)), Some(at(2)))
    );
    let kept = place.store.message(b, 2).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.next_at), (MessageStatus::Context, None));
    assert_eq!(place.store.session(b).await.unwrap().unwrap().in_seq, 2);
}

#[tokio::test]
async fn what_comes_together_is_entered_together_in_its_order() {
    let place = Place::new().await;
    let (a, b) = (place.session(1, "a").await, place.session(2, "b").await);
    let entries = [
        Entry::Event(event(1, vec![unnumbered(a, 1), unnumbered(b, 1)])),
        Entry::Messages(vec![unnumbered(a, 2)]),
        // The same event again, before the first one is durable.
        Entry::Event(event(1, vec![unnumbered(a, 3)])),
        Entry::Event(event(4, vec![unnumbered(a, 4)])),
    ];
    assert_eq!(
        place.store.enter(&entries).await.unwrap(),
        [
            Entered::Now(vec![now(2), now(2)]),
            Entered::Now(vec![now(4)]),
            Entered::Duplicate,
            Entered::Now(vec![now(6)]),
        ]
    );
    assert_eq!(place.store.session(a).await.unwrap().unwrap().in_seq, 6);
    // All of it or nothing.
    let nobody = SessionId::mint(at(1), bytes("nobody"));
    let entries = [
        Entry::Event(event(5, vec![unnumbered(a, 5)])),
        Entry::Event(event(6, vec![unnumbered(nobody, 6)])),
    ];
    let error = place.store.enter(&entries).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Refused);
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 2);
    assert_eq!(place.store.session(a).await.unwrap().unwrap().in_seq, 6);
}

#[tokio::test]
async fn a_message_that_a_session_knows_keeps_its_number() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let word = |n| NewMessage {
        key: Key::Word(platform_id(2)),
        ..unnumbered(session, n)
    };
    for (n, entry, seq, fresh) in [
        (1, unnumbered(session, 2), 2, true),
        // The ledger forgets earlier than the session does.
        (
            2,
            NewMessage {
                id: MessageId::mint(at(9), bytes("again")),
                ..unnumbered(session, 2)
            },
            2,
            false,
        ),
        // A word is no message of a platform, whatever its key is.
        (3, word(3), 4, true),
        (4, word(4), 4, false),
    ] {
        let entered = enter(&place, Entry::Event(event(n, vec![entry]))).await;
        let expect = Tracked { fresh, ..now(seq) };
        assert_eq!(entered, Entered::Now(vec![expect]), "{n}");
    }
    assert_eq!(place.number("SELECT COUNT(*) FROM journal").await, 2);
    assert_eq!(
        place.store.session(session).await.unwrap().unwrap().in_seq,
        4
    );
}

#[tokio::test]
async fn what_was_said_is_kept_to_the_letter() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let payload =
        serde_json::json!({ "text": "a\0b \u{1b} \" \\u0000 \u{2028} \u{1f600} 1e5" }).to_string();
    let said = NewMessage {
        body: Body {
            payload: payload.clone(),
            ..body("")
        },
        ..unnumbered(session, 1)
    };
    enter(&place, Entry::Event(event(1, vec![said]))).await;
    let kept = place.store.journal(session, 0, 10).await.unwrap();
    assert_eq!(kept[0].body.payload, payload);
}

#[tokio::test]
async fn numbers_are_above_what_the_agent_has_said() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let mut n = 0;
    for (said, seq) in [(0, 2), (5, 6), (3, 8), (8 + JUMP_LIMIT + 1, 10)] {
        n += 1;
        let message = NewMessage {
            said,
            ..unnumbered(session, n)
        };
        let entered = enter(&place, Entry::Messages(vec![message])).await;
        assert_eq!(entered, Entered::Now(vec![now(seq)]), "{said}");
    }
    place
        .sql("UPDATE sessions SET out_cursor = 21")
        .await
        .unwrap();
    let entered = enter(&place, Entry::Messages(vec![unnumbered(session, 9)])).await;
    assert_eq!(entered, Entered::Now(vec![now(22)]));
}

#[tokio::test]
async fn a_reserved_number_is_good_until_a_higher_one_is_given() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let with = |seq| NewMessage {
        reserved: Some(seq),
        ..unnumbered(session, seq)
    };
    let seq = place.store.reserve(session, 0).await.unwrap();
    assert_eq!(seq, 2);
    let entered = enter(&place, Entry::Event(event(2, vec![with(2)]))).await;
    assert_eq!(entered, Entered::Now(vec![now(2)]));
    let seq = place.store.reserve(session, 5).await.unwrap();
    assert_eq!(seq, 6);
    let entered = enter(&place, Entry::Messages(vec![unnumbered(session, 4)])).await;
    assert_eq!(entered, Entered::Now(vec![now(8)]));
    let late = Entry::Event(event(6, vec![with(6)]));
    assert_eq!(enter(&place, late).await, Entered::Late);
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 1);
    let seq = place.store.reserve(session, 0).await.unwrap();
    let entered = enter(&place, Entry::Event(event(6, vec![with(seq)]))).await;
    assert_eq!(entered, Entered::Now(vec![now(10)]));
}

fn overheard(session: SessionId, n: i64, bytes: usize) -> NewMessage {
    NewMessage {
        role: MessageRole::Context,
        body: body(&"x".repeat(bytes)),
        ..unnumbered(session, n)
    }
}

#[tokio::test]
async fn context_is_bounded_where_it_is_stored_and_the_newest_stays() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    enter(&place, Entry::Messages(vec![unnumbered(session, 1)])).await;
    let limit = i64::try_from(CONTEXT_ROWS_LIMIT).unwrap();
    for n in 0..limit + 5 {
        let entered = enter(&place, Entry::Messages(vec![overheard(session, n + 2, 1)])).await;
        let seq = n * 2 + 4;
        let surplus = if n < limit {
            Vec::new()
        } else {
            vec![seq - limit * 2]
        };
        let expect = Tracked {
            surplus,
            ..now(seq)
        };
        assert_eq!(entered, Entered::Now(vec![expect]), "{n}");
    }
    // What waits for an answer is no context.
    let waiting = place.store.message(session, 2).await.unwrap().unwrap();
    assert_eq!(waiting.status, MessageStatus::Pending);
    assert_eq!(
        place.number("SELECT COUNT(*) FROM journal").await,
        limit + 1
    );
    // One that is too large alone takes no place, nor does what is older than it keep one.
    let entered = enter(
        &place,
        Entry::Messages(vec![overheard(session, 900, 70_000)]),
    )
    .await;
    let Entered::Now(tracked) = entered else {
        panic!("{entered:?}")
    };
    assert_eq!(tracked[0].surplus.len(), CONTEXT_ROWS_LIMIT + 1);
    assert_eq!(tracked[0].surplus.last(), Some(&tracked[0].seq));
    assert_eq!(place.number("SELECT COUNT(*) FROM journal").await, 1);
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
    store.put_messages(&[message(session, 2)]).await.unwrap();
    assert!(heard(here).await && !heard(there).await);
    let replayed = async || {
        let id = &declined.message_id;
        store
            .replayed(channel, chat, id, (Receipt::default(), at(0)))
            .await
            .unwrap()
    };
    assert!(replayed().await);
    assert!(!replayed().await);
    let stored = "SELECT COUNT(*) FROM events WHERE outcome = 'stored'";
    assert_eq!(place.number(stored).await, 1);
}
