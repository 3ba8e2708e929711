use crate::{
    attempts::Unattempted,
    tests::fixture::{Place, address, at, channel, delivery, message, oldest},
    trace::{About, Event},
    work::MessageRetry,
};

#[tokio::test]
async fn what_is_planned_keeps_the_wait_it_had_left() {
    let place = Place::new().await;
    let store = &place.store;
    let (a, b) = (place.session(1, "a").await, place.session(1, "b").await);
    let (new, tried) = (message(a, 50_000), message(b, 40_000));
    store.put_messages(&[new, tried]).await.unwrap();
    let retry = MessageRetry {
        tries: 1,
        next_at: at(59_000),
        why: "the sandbox stalled".to_owned(),
    };
    assert!(
        store
            .set_tries(b, 40_000, &retry, at(50_000))
            .await
            .unwrap()
    );
    let lane = address("chat", None);
    let said = delivery("said", lane.clone());
    store.new_delivery(None, &said, at(50_000)).await.unwrap();
    let later = Unattempted::Later {
        next_at: at(57_000),
        why: "nobody answers".to_owned(),
    };
    store
        .settle_unattempted(said.id, &later, at(50_000))
        .await
        .unwrap();
    store
        .park_channel_until(&channel(), at(58_000))
        .await
        .unwrap();

    // By then it was 52.
    let mut distrusted = store.set_back(at(52_000), at(10)).await.unwrap();
    distrusted.sort_unstable();
    let mut both = [a, b];
    both.sort_unstable();
    assert_eq!(distrusted, both);
    let work = |session| async move {
        let work = store.session_work(session).await.unwrap();
        (work.next_at, work.due_since)
    };
    // What was due stays so.
    assert_eq!(work(a).await, (Some(at(10)), Some(at(10))));
    assert_eq!(work(b).await, (Some(at(7_010)), Some(at(7_010))));
    assert_eq!(oldest(store, &lane).await.unwrap().next_at, at(5_010));
    assert_eq!(store.due_lanes(at(6_009), 10).await.unwrap(), []);
    assert_eq!(store.due_lanes(at(6_010), 10).await.unwrap(), [lane]);
    // The files of both are made anew, also by another host.
    let mut lost = store.sessions_to_rebuild().await.unwrap();
    lost.sort_unstable();
    assert_eq!(lost, both);
    // Once is enough.
    assert_eq!(store.set_back(at(11), at(10)).await.unwrap(), [b]);
    assert_eq!(work(b).await.0, Some(at(7_009)));
}

#[tokio::test]
async fn the_latest_time_on_record_is_one_of_the_present_clock() {
    let place = Place::new().await;
    let store = &place.store;
    let latest = async || store.latest_noted().await.unwrap();
    assert_eq!(latest().await, None);
    let began = || Event::Host {
        version: "1".to_owned(),
    };
    for ms in [5_000, 9_000, 7_000] {
        store.note(About::Host, began(), at(ms)).await.unwrap();
    }
    assert_eq!(latest().await, Some(at(9_000)));
    store.set_back(at(9_000), at(100)).await.unwrap();
    assert_eq!(latest().await, Some(at(100)));
    store.note(About::Host, began(), at(200)).await.unwrap();
    assert_eq!(latest().await, Some(at(200)));
}
