use anchorhold_core::{
    address::Address,
    entity::{DeliveryStatus, MessageStatus},
    ids::MessageId,
};

use super::*;
use crate::{
    attempts::Settled,
    deliveries::NewDelivery,
    ingest::{Key, NewMessage},
    pull::{EndedMessage, MessageEnd, Pulled},
    tests::fixture::{Place, address, at, event, group, message, platform_id, pulled},
    trace::{find::Subject, story::Story},
    work::MessageRetry,
};

fn subject(n: i64) -> Subject {
    let Address { channel, chat, .. } = address("chat", None);
    let id = platform_id(n);
    Subject::Said { channel, chat, id }
}

fn decided(agent: u64, heard: HeardAs) -> Decided {
    Decided {
        agent: group(agent).id,
        heard,
        rule: "it is so".to_owned(),
        session: None,
    }
}

async fn story(place: &Place, n: i64, of: Option<u64>) -> Option<Story> {
    let group = of.map(|n| group(n).id);
    place
        .store
        .story(&subject(n), group, at(1000))
        .await
        .unwrap()
}

fn names(story: &Story) -> Vec<&'static str> {
    story.events.iter().map(|one| one.event.name()).collect()
}

/// Message 1, heard by two sessions; the first has answered it at its second try. Gives the first
/// session, our id of the message there, and the answer's.
async fn answered(place: &Place) -> (SessionId, MessageId, OutboundId) {
    let store = &place.store;
    let (a, b) = (
        place.session(1, "chat").await,
        place.session(2, "chat").await,
    );
    let heard = |session, seq| NewMessage {
        key: Key::Platform(platform_id(1)),
        ..message(session, seq)
    };
    let (first, second) = (heard(a, 2), heard(b, 4));
    let mut received = event(1, vec![first.clone(), second]);
    received.receipt.decisions = vec![decided(1, HeardAs::Answer), decided(2, HeardAs::Answer)];
    store.record_event(&received).await.unwrap();
    store.begin_generation(a, at(5)).await.unwrap();
    let retry = MessageRetry {
        tries: 1,
        next_at: at(50),
        why: "it died".to_owned(),
    };
    assert!(store.set_tries(a, 2, &retry, at(10)).await.unwrap());
    store.begin_generation(a, at(60)).await.unwrap();
    let mut answer = pulled(3, address("chat", None));
    answer.delivery = NewDelivery {
        in_reply_to: Some(first.id),
        ..answer.delivery
    };
    let out = answer.delivery.id;
    let brought = Pulled {
        out_cursor: 3,
        handled_cursor: 1,
        deliveries: vec![answer],
        ended: vec![EndedMessage {
            seq: 2,
            end: MessageEnd::Done,
        }],
        ..Pulled::default()
    };
    store.accept(a, &brought, at(70)).await.unwrap();
    let attempt = store
        .begin_attempt(out, 0, Durability::Process, at(71))
        .await
        .unwrap();
    let sent = Settled::PartSent {
        platform_id: Some(platform_id(9)),
        last: true,
    };
    store.settle_attempt(attempt, &sent, at(72)).await.unwrap();
    (a, first.id, out)
}

#[tokio::test]
async fn a_story_has_every_agent_try_and_answer() {
    let place = Place::new().await;
    answered(&place).await;
    let told = story(&place, 1, None).await.unwrap();
    assert_eq!(names(&told), ["received"]);
    let hearing = &told.hearings[0];
    let happened: Vec<_> = hearing
        .events
        .iter()
        .map(|one| (one.at, one.event.name()))
        .collect();
    assert_eq!(
        happened,
        [
            (at(5), "starting"),
            (at(10), "retry"),
            (at(60), "starting"),
            (at(70), "pulled")
        ]
    );
    assert_eq!(hearing.status, MessageStatus::Done);
    assert_eq!(hearing.said[0].status, DeliveryStatus::Sent);
    assert_eq!(hearing.said[0].attempts.len(), 1);
    assert_eq!(told.hearings[1].status, MessageStatus::Pending);
    assert_eq!(told.hearings[1].events, []);

    // One group's agents have to do with their own part alone.
    let own = story(&place, 1, Some(2)).await.unwrap();
    assert_eq!(own.hearings.len(), 1);
    assert!(matches!(&own.events[0].event, Event::Received(receipt)
        if receipt.decisions == [decided(2, HeardAs::Answer)]));
    assert_eq!(story(&place, 1, Some(3)).await, None);
}

#[tokio::test]
async fn everything_a_message_is_called_by_leads_to_it() {
    let place = Place::new().await;
    let store = &place.store;
    let (a, first, out) = answered(&place).await;
    for called in [
        "m1".to_owned(),
        first.to_string(),
        out.to_string(),
        format!("{a}:2"),
        format!("{a}:3"),
        "m9".to_owned(),
    ] {
        let found = store.find_traced(&called, true).await.unwrap();
        let subjects: Vec<_> = found.into_iter().map(|one| one.subject).collect();
        assert_eq!(subjects, [subject(1)], "{called}");
    }
    assert_eq!(store.find_traced("m9", false).await.unwrap(), []);
    assert_eq!(store.find_traced("nothing", true).await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_heard_has_a_story_too() {
    let place = Place::new().await;
    let store = &place.store;
    let mut declined = event(1, Vec::new());
    declined.outcome = EventOutcome::Declined;
    declined.declined = Some(anchorhold_core::route::Reason::NotEngaged);
    declined.receipt.decisions = vec![decided(1, HeardAs::Declined)];
    store.record_event(&declined).await.unwrap();
    let told = story(&place, 1, None).await.unwrap();
    assert!(matches!(&told.events[0].event, Event::Received(receipt)
        if receipt.declined.is_some() && receipt.decisions.len() == 1));
    let Address { channel, chat, .. } = address("chat", None);
    let last = store.last_traced((&channel, &chat), None).await.unwrap();
    assert_eq!(last.map(|last| last.subject), Some(subject(1)));
    let nobody = store.last_traced((&channel, &chat), Some(group(1).id));
    assert_eq!(nobody.await.unwrap(), None);
}

#[tokio::test]
async fn the_same_id_in_two_chats_is_two_candidates() {
    let place = Place::new().await;
    for chat in ["a", "b"] {
        let mut received = event(1, Vec::new());
        received.address = address(chat, None);
        place.store.record_event(&received).await.unwrap();
    }
    let found = place.store.find_traced("m1", false).await.unwrap();
    assert_eq!(found.len(), 2, "{found:?}");
}

#[tokio::test]
async fn what_a_row_keeps_is_bounded() {
    let place = Place::new().await;
    let mut received = event(1, Vec::new());
    received.receipt.decisions = (0..100)
        .map(|n| Decided {
            rule: "é".repeat(400),
            ..decided(n, HeardAs::Declined)
        })
        .collect();
    place.store.record_event(&received).await.unwrap();
    let told = story(&place, 1, None).await.unwrap();
    let Event::Received(receipt) = &told.events[0].event else {
        panic!("{told:?}");
    };
    assert_eq!(
        (receipt.decisions.len(), receipt.more),
        (DECISIONS_LIMIT, 36)
    );
    assert_eq!(receipt.decisions[0].rule.len(), WHY_LIMIT_BYTES);
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_nothing_else() {
    let place = Place::new().await;
    let store = &place.store;
    for n in [1, 2, 30] {
        store.record_event(&event(n, Vec::new())).await.unwrap();
    }
    assert_eq!(store.forget_trace(at(10), 1).await.unwrap(), 1);
    assert_eq!(store.forget_trace(at(10), 9).await.unwrap(), 1);
    assert_eq!(store.forget_trace(at(10), 9).await.unwrap(), 0);
    assert_eq!(place.number("SELECT COUNT(*) FROM trace").await, 1);
}

#[tokio::test]
async fn every_event_is_read_back_as_it_was_written() {
    let approval = crate::tests::fixture::approval_id(1);
    let generation = Generation(3);
    let why = || "because".to_owned();
    for event in [
        Event::Received(Receipt::default()),
        Event::Held { approval },
        Event::Released {
            approval,
            how: Released::Refused,
        },
        Event::Replayed(Receipt::default()),
        Event::Starting { generation },
        Event::TakenOver { generation },
        Event::NotStarted { why: why() },
        Event::Ended {
            generation,
            status: ExitStatus::Signal(9),
            why: Some(why()),
            taken: vec![2, 4],
        },
        Event::Pulled {
            generation,
            ended: vec![2],
            said: vec![3],
            refused: vec![5],
        },
        Event::Retry {
            tries: 2,
            next_at: at(5),
            why: why(),
        },
        Event::Waits {
            next_at: at(6),
            why: why(),
        },
        Event::PutOff {
            next_at: None,
            why: why(),
        },
        Event::SentAgain,
        Event::Host { version: why() },
        Event::SetBack { was: at(7) },
    ] {
        let text = to_json(&event).unwrap();
        assert!(
            text.contains(&format!("\"what\":\"{}\"", event.name())),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
