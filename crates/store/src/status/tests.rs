use crate::{
    attempts::Unattempted,
    status::Counts,
    tests::fixture::{Place, address, at, delivery, message},
};

#[tokio::test]
async fn the_figures_are_those_of_what_is_there() {
    let place = Place::new().await;
    let store = &place.store;
    let nothing = store.counts().await.unwrap();
    assert_eq!(
        (nothing.sessions_open, nothing.oldest_message_at),
        (0, None)
    );
    let (a, b) = (place.session(1, "a").await, place.session(1, "b").await);
    store.set_fault(b, "damaged", at(1)).await.unwrap();
    store
        .put_messages(&[message(a, 2), message(a, 4), message(b, 6)])
        .await
        .unwrap();
    let failed = store.message(a, 2).await.unwrap().unwrap();
    store
        .fail_message(&failed, "why", None, at(9))
        .await
        .unwrap();
    for (n, settled) in [
        (1, None),
        (2, Some(Unattempted::Park)),
        (3, Some(Unattempted::Dead { why: String::new() })),
    ] {
        let notice = delivery(&n.to_string(), address("a", None));
        store.new_delivery(None, &notice, at(n)).await.unwrap();
        if let Some(settled) = settled {
            store
                .settle_unattempted(notice.id, &settled, at(9))
                .await
                .unwrap();
        }
    }
    let expect = Counts {
        sessions_open: 2,
        sessions_faulted: 1,
        messages_pending: 2,
        messages_failed: 1,
        deliveries_pending: 2,
        deliveries_parked: 1,
        deliveries_dead: 1,
        deliveries_unknown: 0,
        oldest_message_at: Some(at(4)),
        oldest_delivery_at: Some(at(1)),
    };
    assert_eq!(store.counts().await.unwrap(), expect);
}
