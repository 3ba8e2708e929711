use anchorhold_core::{entity::DeliveryStatus, ids::PlatformMessageId};

use crate::{
    Disposition, Durability, Error,
    attempts::{AttemptOutcome, InterruptedAttempt, Refusal, Settled, Unattempted},
    deliveries::NewDelivery,
    tests::fixture::{Place, address, at, delivery},
};

async fn with_notice() -> (Place, NewDelivery) {
    let place = Place::new().await;
    let notice = delivery("notice", address("a", None));
    place
        .store
        .new_delivery(None, &notice, at(0))
        .await
        .unwrap();
    (place, notice)
}

fn part_sent(id: &str, last: bool) -> Settled {
    Settled::PartSent {
        platform_id: Some(PlatformMessageId::parse(id).unwrap()),
        last,
    }
}

fn retry(ms: i64, outcome: AttemptOutcome) -> Settled {
    Settled::Retry {
        next_at: at(ms),
        why: "why".to_owned(),
        outcome,
    }
}

#[tokio::test]
async fn an_attempt_survives_and_shows_as_interrupted() {
    let (place, notice) = with_notice().await;
    let attempt = place
        .store
        .begin_attempt(notice.id, 0, Durability::Power, at(5))
        .await
        .unwrap();
    let place = place.reopen().await;
    let store = &place.store;
    let interrupted = InterruptedAttempt {
        attempt,
        delivery: notice.id,
        number: 1,
        part: 0,
        began_at: at(5),
    };
    assert_eq!(store.interrupted_attempts(10).await.unwrap(), [interrupted]);
    // Nobody knows what came of it, so the lane stands still until that is decided.
    assert_eq!(store.due_lanes(at(99), 10).await.unwrap(), []);
    let later = Unattempted::Dead {
        why: "why".to_owned(),
    };
    assert!(
        !store
            .settle_unattempted(notice.id, &later, at(6))
            .await
            .unwrap()
    );
    let unknown = Settled::Unknown {
        why: "the host died during it".to_owned(),
        outcome: AttemptOutcome::Interrupted,
    };
    assert!(
        store
            .settle_attempt(attempt, &unknown, at(7))
            .await
            .unwrap()
    );
    assert!(
        !store
            .settle_attempt(attempt, &part_sent("p", true), at(8))
            .await
            .unwrap()
    );
    assert_eq!(store.interrupted_attempts(10).await.unwrap(), []);
    let ended = store.delivery(notice.id).await.unwrap().unwrap();
    assert_eq!(
        (ended.status, ended.ended_at),
        (DeliveryStatus::Unknown, Some(at(7)))
    );
}

#[tokio::test]
async fn parts_are_sent_in_order_and_the_last_ends_it() {
    let (place, notice) = with_notice().await;
    let store = &place.store;
    for (part, settled) in [
        (0, part_sent("p0", false)),
        (1, retry(10, AttemptOutcome::Transient)),
        (1, retry(20, AttemptOutcome::RateLimited)),
        (1, retry(30, AttemptOutcome::Ambiguous)),
    ] {
        let attempt = store
            .begin_attempt(notice.id, part, Durability::Power, at(5))
            .await
            .unwrap();
        assert!(
            store
                .settle_attempt(attempt, &settled, at(6))
                .await
                .unwrap()
        );
    }
    let half = store.delivery(notice.id).await.unwrap().unwrap();
    // Being asked to wait is no failure.
    assert_eq!((half.parts_sent, half.tries, half.next_at), (1, 2, at(30)));
    let attempt = store
        .begin_attempt(notice.id, 1, Durability::Power, at(30))
        .await
        .unwrap();
    store
        .settle_attempt(attempt, &part_sent("p1", true), at(31))
        .await
        .unwrap();
    let whole = store.delivery(notice.id).await.unwrap().unwrap();
    assert_eq!(
        (whole.status, whole.parts_sent, whole.tries),
        (DeliveryStatus::Sent, 2, 0)
    );
    assert_eq!(whole.platform_message_id.unwrap().as_str(), "p0");
    let kept = "SELECT COUNT(DISTINCT number) FROM attempts WHERE ended_at IS NOT NULL";
    assert_eq!(place.number(kept).await, 5);
}

#[tokio::test]
async fn an_attempt_that_must_not_be_made_is_refused() {
    let (place, notice) = with_notice().await;
    let store = &place.store;
    let check = async |part, expect: Refusal| {
        let error = store
            .begin_attempt(notice.id, part, Durability::Power, at(5))
            .await
            .unwrap_err();
        assert_eq!(error.disposition(), Disposition::Refused);
        let Error::AttemptRefused { why, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(why, expect);
    };
    check(1, Refusal::Part).await;
    let attempt = store
        .begin_attempt(notice.id, 0, Durability::Power, at(5))
        .await
        .unwrap();
    check(0, Refusal::Open).await;
    store
        .settle_attempt(attempt, &part_sent("p", true), at(6))
        .await
        .unwrap();
    check(1, Refusal::Ended).await;
    let missing = delivery("missing", address("a", None)).id;
    let error = store
        .begin_attempt(missing, 0, Durability::Power, at(5))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::AttemptRefused {
                why: Refusal::Missing,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn what_needs_no_attempt_counts_as_none() {
    let (place, notice) = with_notice().await;
    let store = &place.store;
    let later = Unattempted::Later {
        next_at: at(50),
        why: "the channel is not up yet".to_owned(),
    };
    assert!(
        store
            .settle_unattempted(notice.id, &later, at(1))
            .await
            .unwrap()
    );
    let waiting = store.delivery(notice.id).await.unwrap().unwrap();
    assert_eq!((waiting.tries, waiting.next_at), (0, at(50)));
    let dead = Unattempted::Dead {
        why: "the channel is gone".to_owned(),
    };
    assert!(
        store
            .settle_unattempted(notice.id, &dead, at(2))
            .await
            .unwrap()
    );
    assert!(
        !store
            .settle_unattempted(notice.id, &dead, at(3))
            .await
            .unwrap()
    );
    let ended = store.delivery(notice.id).await.unwrap().unwrap();
    assert_eq!(
        (ended.status, ended.ended_at),
        (DeliveryStatus::Dead, Some(at(2)))
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM attempts").await, 0);
}
