use std::collections::HashSet;

use anchorhold_core::{access::Role, entity::SessionKey, ids::SessionId, route::Reason};
use jiff::Timestamp;

use super::*;
use crate::{
    approvals::{Decided, Pick},
    ingest::{EventOutcome, EventRecord},
    people::Subscription,
    pull::{EndedMessage, MessageEnd, Pulled, RejectedRow},
    tests::fixture::{
        Place, add_member, address, approval_id, asked, at, bytes, delivery, event, group, message,
        pulled,
    },
};

/// Messages 2 and 4 of a session, ended at 10 and 20, and 6, which still waits.
async fn with_messages(place: &Place) -> SessionId {
    let session = place.session(1, "chat").await;
    for seq in [2, 4, 6] {
        let stored = event(seq, vec![message(session, seq)]);
        place.store.record_event(&stored).await.unwrap();
    }
    for (seq, ended_at) in [(2, 10), (4, 20)] {
        end(place, session, seq, at(ended_at)).await;
    }
    session
}

async fn end(place: &Place, session: SessionId, seq: i64, now: Timestamp) {
    let ended = Pulled {
        handled_cursor: seq,
        ended: vec![EndedMessage {
            seq,
            end: MessageEnd::Done,
        }],
        ..Pulled::default()
    };
    place.store.accept(session, &ended, now).await.unwrap();
}

async fn key(place: &Place) -> SessionKey {
    SessionKey {
        agent_group: group(1).id,
        conversation: Some(place.conversation("chat").await),
        thread: None,
    }
}

async fn dormant_at(place: &Place, session: SessionId) -> Option<Timestamp> {
    let row = place.store.session(session).await.unwrap();
    row.unwrap().dormant_at
}

fn fresh() -> SessionId {
    SessionId::mint(at(0), bytes("another"))
}

#[tokio::test]
async fn a_silent_session_sleeps_and_the_next_message_wakes_the_same_one() {
    let place = Place::new().await;
    let session = with_messages(&place).await;
    let store = &place.store;
    // It owes an answer.
    assert!(
        !store
            .rest_session(session, at(1000), at(1000))
            .await
            .unwrap()
    );
    end(&place, session, 6, at(30)).await;
    // It was active since.
    assert!(!store.rest_session(session, at(30), at(1000)).await.unwrap());
    assert!(store.rest_session(session, at(31), at(1000)).await.unwrap());
    assert!(!store.rest_session(session, at(31), at(1001)).await.unwrap());
    assert_eq!(dormant_at(&place, session).await, Some(at(1000)));
    assert_eq!(store.counts().await.unwrap().sessions_open, 0);

    let woken = store
        .session_for(&key(&place).await, fresh(), at(2000))
        .await;
    assert_eq!(woken.unwrap().id, session);
    assert_eq!(dormant_at(&place, session).await, None);
    let row = store.session(session).await.unwrap().unwrap();
    assert_eq!((row.last_active_at, row.closed_at), (at(2000), None));
    assert_eq!(store.counts().await.unwrap().sessions_open, 1);
}

#[tokio::test]
async fn whatever_comes_in_or_starts_wakes_a_session() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let store = &place.store;
    assert!(store.rest_session(session, at(9), at(9)).await.unwrap());
    store.put_messages(&[message(session, 2)]).await.unwrap();
    assert_eq!(dormant_at(&place, session).await, None);
    end(&place, session, 2, at(10)).await;
    assert!(store.rest_session(session, at(99), at(99)).await.unwrap());
    store.begin_generation(session, at(100)).await.unwrap();
    assert_eq!(dormant_at(&place, session).await, None);
}

#[tokio::test]
async fn what_a_person_ended_is_not_woken_even_if_it_slept() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let store = &place.store;
    assert!(store.rest_session(session, at(9), at(9)).await.unwrap());
    assert!(store.end_session(session, "afresh", at(10)).await.unwrap());
    let next = store.session_for(&key(&place).await, fresh(), at(11)).await;
    assert_eq!(next.unwrap().id, fresh());
}

#[tokio::test]
async fn a_session_with_something_on_its_way_out_does_not_sleep() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let said = Pulled {
        deliveries: vec![pulled(3, address("chat", None))],
        ..Pulled::default()
    };
    place.store.accept(session, &said, at(1)).await.unwrap();
    assert!(
        !place
            .store
            .rest_session(session, at(99), at(99))
            .await
            .unwrap()
    );
    place
        .sql("UPDATE deliveries SET status = 'sent', ended_at = 1")
        .await
        .unwrap();
    assert!(
        place
            .store
            .rest_session(session, at(99), at(99))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn sessions_are_looked_after_in_turn() {
    let place = Place::new().await;
    let (one, two) = (place.session(1, "a").await, place.session(1, "b").await);
    let store = &place.store;
    let day = Timestamp::from_millisecond(at(0).as_millisecond() + 86_400_000).unwrap();
    assert_eq!(store.sessions_to_tend(at(9), 9).await.unwrap(), []);
    store.tend_again(one, at(7)).await.unwrap();
    store.tend_again(two, at(5)).await.unwrap();
    assert_eq!(store.sessions_to_tend(at(9), 1).await.unwrap(), [two]);
    store.tend_again(two, at(10)).await.unwrap();
    assert_eq!(store.sessions_to_tend(at(9), 9).await.unwrap(), [one]);
    assert_eq!(store.sessions_to_tend(day, 9).await.unwrap(), [one, two]);
}

#[tokio::test]
async fn only_messages_that_have_ended_are_forgotten_and_the_newest_stays() {
    let place = Place::new().await;
    let session = with_messages(&place).await;
    let store = &place.store;
    let ended = async |before| store.ended_messages(session, at(before), 10).await.unwrap();
    assert_eq!(ended(10).await, Vec::<i64>::new());
    assert_eq!(ended(11).await, [2]);
    assert_eq!(ended(999).await, [2, 4]);
    assert_eq!(
        store.ended_messages(session, at(999), 1).await.unwrap(),
        [2]
    );
    assert_eq!(store.forget_messages(session, &[2, 6]).await.unwrap(), 1);
    assert_eq!(store.session_work(session).await.unwrap().pending, 1);
    end(&place, session, 6, at(30)).await;
    assert_eq!(ended(999).await, [4]);
    assert!(store.last_address(session).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_goes_row_by_row_once_its_time_is_over() {
    let place = Place::new().await;
    let session = with_messages(&place).await;
    let store = &place.store;
    let gone = async |before| store.delete_session(session, at(before), 2).await.unwrap();
    end(&place, session, 6, at(30)).await;
    assert!(!store.session_is_expired(session, at(9999)).await.unwrap());
    assert!(!gone(9999).await);
    assert!(store.rest_session(session, at(100), at(100)).await.unwrap());
    assert!(!store.retire_session(session, at(100)).await.unwrap());
    assert!(store.retire_session(session, at(101)).await.unwrap());
    assert!(!store.session_is_expired(session, at(100)).await.unwrap());
    assert!(store.session_is_expired(session, at(101)).await.unwrap());
    assert!(!gone(101).await);
    assert_eq!(place.number("SELECT COUNT(*) FROM messages").await, 1);
    assert!(store.session(session).await.unwrap().is_some());
    assert!(gone(101).await);
    assert_eq!(store.session(session).await.unwrap(), None);
    assert_eq!(store.health().await.unwrap().problems, Vec::<String>::new());
}

#[tokio::test]
async fn a_closed_session_that_still_says_something_is_kept() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let said = Pulled {
        deliveries: vec![pulled(3, address("chat", None))],
        ..Pulled::default()
    };
    place.store.accept(session, &said, at(1)).await.unwrap();
    place
        .store
        .end_session(session, "afresh", at(2))
        .await
        .unwrap();
    assert!(
        !place
            .store
            .session_is_expired(session, at(99))
            .await
            .unwrap()
    );
    assert!(
        !place
            .store
            .delete_session(session, at(99), 99)
            .await
            .unwrap()
    );
    assert!(place.store.session(session).await.unwrap().is_some());
}

#[tokio::test]
async fn deliveries_that_ended_go_with_their_attempts_and_pending_ones_stay() {
    let place = Place::new().await;
    let store = &place.store;
    for name in ["a", "b", "c"] {
        let new = delivery(name, address(name, None));
        store.new_delivery(None, &new, at(0)).await.unwrap();
        store
            .begin_attempt(new.id, 0, Durability::Power, at(1))
            .await
            .unwrap();
    }
    let ended = "UPDATE deliveries SET status = 'sent', ended_at = 7 WHERE chat <> 'c'";
    place.sql(ended).await.unwrap();
    assert_eq!(store.forget_deliveries(at(0), 1).await.unwrap(), 1);
    assert_eq!(store.forget_deliveries(at(0), 9).await.unwrap(), 1);
    assert_eq!(store.forget_deliveries(at(0), 9).await.unwrap(), 0);
    assert_eq!(
        place
            .number("SELECT COUNT(*) FROM deliveries WHERE chat = 'c'")
            .await,
        1
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM attempts").await, 1);
}

#[tokio::test]
async fn dropped_and_refused_records_have_their_time() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let store = &place.store;
    for n in [5, 8] {
        let declined = EventRecord {
            outcome: EventOutcome::Declined,
            declined: Some(Reason::UnknownSender),
            sender: Handle::parse(&format!("h{n}")).unwrap(),
            ..event(n, Vec::new())
        };
        store.record_event(&declined).await.unwrap();
    }
    assert_eq!(store.forget_dropped(at(6), 9).await.unwrap(), 1);
    assert_eq!(store.dropped(9).await.unwrap().len(), 1);
    let refused = Pulled {
        rejected: vec![RejectedRow {
            seq: 3,
            why: "why".to_owned(),
        }],
        ..Pulled::default()
    };
    store.accept(session, &refused, at(5)).await.unwrap();
    assert_eq!(store.forget_rejected(at(5), 9).await.unwrap(), 0);
    assert_eq!(store.forget_rejected(at(6), 9).await.unwrap(), 1);
}

#[tokio::test]
async fn defect_51_strangers_are_forgotten_and_nobody_with_a_tie_is() {
    let place = Place::new().await;
    let store = &place.store;
    let mut people = Vec::new();
    for name in ["ann", "bob", "cleo", "dan", "eve"] {
        people.push(place.user(name).await);
    }
    store
        .grant_role(people[0], Role::Admin, None, at(0))
        .await
        .unwrap();
    let team = place.group(2).await;
    store
        .add_member(people[1], team, None, at(0))
        .await
        .unwrap();
    let mut said = message(place.session(1, "chat").await, 2);
    said.sender = Some(people[2]);
    store.record_event(&event(2, vec![said])).await.unwrap();
    let named = HashSet::from([(
        ChannelName::parse("cli").unwrap(),
        Handle::parse("dan").unwrap(),
    )]);

    // Too young.
    let step = store.forget_people(None, at(0), 9, &named).await.unwrap();
    assert_eq!(
        step,
        PeopleStep {
            forgotten: 0,
            last: None
        }
    );
    // Two at a time, to the end of the round.
    let (mut last, mut forgotten, mut steps) = (None, 0, 0);
    loop {
        let step = store.forget_people(last, at(1), 2, &named).await.unwrap();
        (last, forgotten, steps) = (step.last, forgotten + step.forgotten, steps + 1);
        if last.is_none() {
            break;
        }
    }
    assert_eq!((forgotten, steps), (1, 3));
    assert_eq!(store.user(people[4]).await.unwrap(), None);
    for kept in &people[..4] {
        assert!(store.user(*kept).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn defect_51_decided_approvals_and_what_nobody_follows_are_forgotten() {
    let place = Place::new().await;
    let store = &place.store;
    for n in 1..=3 {
        store
            .open_approval(&asked(n, &add_member(n)), at(0))
            .await
            .unwrap();
    }
    let by = Some(place.user("olga").await);
    let decide = async |n, pick: Pick| {
        let decided = store
            .decide_approval(approval_id(n), &pick, by, at(10))
            .await;
        assert_eq!(decided.unwrap(), Decided::Now);
    };
    decide(1, Pick::Reject).await;
    // Given and not carried out yet: not over.
    decide(2, Pick::Approve).await;
    assert_eq!(store.forget_approvals(at(10), 9).await.unwrap(), 0);
    assert_eq!(store.forget_approvals(at(11), 9).await.unwrap(), 1);
    assert!(store.carried_out(approval_id(2), at(12)).await.unwrap());
    assert_eq!(store.forget_approvals(at(11), 9).await.unwrap(), 1);
    // What waits stays, however old.
    assert_eq!(store.forget_approvals(at(90), 9).await.unwrap(), 0);
    assert_eq!(place.number("SELECT COUNT(*) FROM approvals").await, 1);

    let session = place.session(1, "chat").await;
    let follows = Subscription {
        agent_group: group(1).id,
        conversation: place.conversation("chat").await,
        thread: None,
    };
    store.subscribe(&follows, "mentioned", at(0)).await.unwrap();
    assert_eq!(store.forget_old_subscriptions(at(5), 9).await.unwrap(), 0);
    assert!(store.close_session(session, at(1)).await.unwrap());
    assert_eq!(store.forget_old_subscriptions(at(0), 9).await.unwrap(), 0);
    assert_eq!(store.forget_old_subscriptions(at(5), 9).await.unwrap(), 1);
}

/// Every table and what bounds it: a new one has to be put here, with its lifetime.
#[tokio::test]
async fn defect_51_every_table_has_a_lifetime() {
    const SWEPT: &[&str] = &[
        "sessions",
        "messages",
        "rejected_rows",
        "deliveries",
        "attempts",
        "questions",
        "events",
        "dropped",
        "users",
        "direct_chats",
        // What came in, as long as the message it is of.
        "journal",
        "approvals",
        "held_events",
        "subscriptions",
        "trace",
        "requests_out",
        "tasks",
        "task_runs",
    ];
    const BOUNDED_BY_NUMBER: &[&str] = &["audit", "undo"];
    // One row a channel instance, or one in all.
    const FEW: &[&str] = &[
        "install",
        "parked_channels",
        "cursors",
        "pairings",
        "channel_health",
    ];
    // What people have set, and the chats that they have brought the bot into.
    const SET_BY_PEOPLE: &[&str] = &[
        "agent_groups",
        "group_config",
        "conversations",
        "wirings",
        "roles",
        "members",
        "destinations",
    ];
    let place = Place::new().await;
    let mut conn = place.store.reader().await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table'
         AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let bounded = [SWEPT, BOUNDED_BY_NUMBER, FEW, SET_BY_PEOPLE].concat();
    for table in &tables {
        assert!(bounded.contains(&table.as_str()), "{table} grows for ever");
    }
    for table in bounded {
        assert!(
            tables.iter().any(|one| one == table),
            "there is no table {table}"
        );
    }
}
