use anchorhold_core::ids::ChannelName;

use crate::{
    Durability,
    attempts::{AttemptOutcome, Settled, Unattempted},
    deliveries::NewDelivery,
    tests::fixture::{Place, address, at, channel, delivery, oldest},
};

/// Puts these on their way, in this order.
async fn say(place: &Place, notices: &[NewDelivery]) {
    for notice in notices {
        assert!(place.store.new_delivery(None, notice, at(0)).await.unwrap());
    }
}

async fn settle(place: &Place, notice: &NewDelivery, settled: Settled) {
    let attempt = place
        .store
        .begin_attempt(notice.id, 0, Durability::Power, at(1))
        .await
        .unwrap();
    assert!(
        place
            .store
            .settle_attempt(attempt, &settled, at(1))
            .await
            .unwrap()
    );
}

fn sent() -> Settled {
    Settled::PartSent {
        platform_id: None,
        last: true,
    }
}

fn retry(ms: i64) -> Settled {
    Settled::Retry {
        next_at: at(ms),
        why: "no route".to_owned(),
        outcome: AttemptOutcome::Transient,
    }
}

#[tokio::test]
async fn a_lane_that_fails_holds_back_only_itself() {
    let place = Place::new().await;
    let store = &place.store;
    let (lane, thread) = (address("a", None), address("a", Some("t")));
    let other = address("b", None);
    let first = delivery("first", lane.clone());
    let second = delivery("second", lane.clone());
    say(
        &place,
        &[
            first.clone(),
            second.clone(),
            delivery("in thread", thread.clone()),
            delivery("other", other.clone()),
        ],
    )
    .await;
    let all = [lane.clone(), thread.clone(), other.clone()];
    assert_eq!(store.due_lanes(at(1), 10).await.unwrap(), all);
    assert_eq!(store.due_lanes(at(1), 2).await.unwrap(), all[..2]);
    settle(&place, &first, retry(50)).await;
    assert_eq!(
        store.due_lanes(at(49), 10).await.unwrap(),
        [thread.clone(), other.clone()]
    );
    assert_eq!(store.next_delivery_at(at(1)).await.unwrap(), Some(at(50)));
    assert_eq!(oldest(store, &lane).await.unwrap().id, first.id);
    assert_eq!(
        store.due_lanes(at(50), 10).await.unwrap(),
        [thread, other, lane.clone()]
    );
    // Only when the first has ended, well or not, does the second follow.
    settle(&place, &first, sent()).await;
    assert_eq!(oldest(store, &lane).await.unwrap().id, second.id);
    assert!(store.due_lanes(at(2), 10).await.unwrap().contains(&lane));
    let dead = Settled::Dead {
        why: "refused".to_owned(),
        outcome: AttemptOutcome::Permanent,
    };
    settle(&place, &second, dead).await;
    assert_eq!(oldest(store, &lane).await, None);
    let failed = store.failed_deliveries(10).await.unwrap();
    assert_eq!(failed.iter().map(|d| d.id).collect::<Vec<_>>(), [second.id]);
}

#[tokio::test]
async fn a_parked_lane_waits_until_somebody_is_there() {
    let place = Place::new().await;
    let store = &place.store;
    let lane = address("a", None);
    let first = delivery("first", lane.clone());
    let elsewhere = delivery("elsewhere", address("b", None));
    say(
        &place,
        &[
            first.clone(),
            delivery("second", lane.clone()),
            elsewhere.clone(),
        ],
    )
    .await;
    settle(&place, &first, Settled::Park).await;
    store
        .settle_unattempted(elsewhere.id, &Unattempted::Park, at(1))
        .await
        .unwrap();
    assert_eq!(store.due_lanes(at(1_000_000), 10).await.unwrap(), []);
    assert_eq!(store.next_delivery_at(at(1)).await.unwrap(), None);
    let place = place.reopen().await;
    let parked = oldest(&place.store, &lane).await.unwrap();
    assert!((parked.id, parked.parked, parked.tries) == (first.id, true, 0));
    assert_eq!(
        place
            .store
            .unpark(&channel(), &lane.chat, at(70))
            .await
            .unwrap(),
        1
    );
    assert_eq!(
        place
            .store
            .unpark(&channel(), &lane.chat, at(71))
            .await
            .unwrap(),
        0
    );
    assert_eq!(place.store.due_lanes(at(70), 10).await.unwrap(), [lane]);
}

#[tokio::test]
async fn a_parked_channel_holds_back_what_is_there_and_what_comes() {
    let place = Place::new().await;
    let store = &place.store;
    let lane = address("a", None);
    let mut elsewhere = delivery("elsewhere", lane.clone());
    elsewhere.address.channel = ChannelName::parse("other").unwrap();
    say(
        &place,
        &[delivery("first", lane.clone()), elsewhere.clone()],
    )
    .await;
    store.park_channel_until(&channel(), at(100)).await.unwrap();
    store.park_channel_until(&channel(), at(60)).await.unwrap();
    let late = delivery("late", address("late", None));
    say(&place, std::slice::from_ref(&late)).await;
    assert_eq!(
        store.due_lanes(at(99), 10).await.unwrap(),
        [elsewhere.address.clone()]
    );
    assert_eq!(store.next_delivery_at(at(1)).await.unwrap(), Some(at(100)));
    assert_eq!(store.due_lanes(at(100), 10).await.unwrap().len(), 3);
    store.park_channel_until(&channel(), at(200)).await.unwrap();
    store.unpark_channel(&channel()).await.unwrap();
    assert_eq!(store.due_lanes(at(101), 10).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_chat_is_put_off_with_all_its_lanes_and_no_other() {
    let place = Place::new().await;
    let store = &place.store;
    let lanes = [
        address("a", None),
        address("a", Some("t")),
        address("b", None),
    ];
    let said: Vec<_> = (lanes.iter().enumerate())
        .map(|(n, lane)| delivery(&n.to_string(), lane.clone()))
        .collect();
    say(&place, &said).await;
    let chat = &lanes[0].chat;
    store.put_off_chat(&channel(), chat, at(100)).await.unwrap();
    store.put_off_chat(&channel(), chat, at(60)).await.unwrap();
    let due = |ms| async move { store.due_lanes(at(ms), 10).await.unwrap() };
    assert_eq!(due(99).await, [lanes[2].clone()]);
    assert_eq!(due(100).await.len(), 3);
}

#[tokio::test]
async fn a_notice_goes_out_once() {
    let place = Place::new().await;
    let notice = delivery("notice", address("a", None));
    assert!(
        place
            .store
            .new_delivery(None, &notice, at(0))
            .await
            .unwrap()
    );
    assert!(
        !place
            .store
            .new_delivery(None, &notice, at(1))
            .await
            .unwrap()
    );
    let stored = place.store.delivery(notice.id).await.unwrap().unwrap();
    assert_eq!((stored.payload, stored.created_at), (notice.payload, at(0)));
}
