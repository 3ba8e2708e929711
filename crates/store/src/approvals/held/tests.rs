use anchorhold_core::ids::{PlatformMessageId, ThreadId};

use crate::{
    Store,
    approvals::{
        Pick,
        held::{Held, HeldEvent},
    },
    tests::fixture::{Place, add_member, address, approval_id as id, asked, at},
};

fn waiting(n: u32) -> HeldEvent {
    let mut address = address("chat", None);
    address.thread = (n == 2).then(|| ThreadId::parse("t").unwrap());
    HeldEvent {
        address,
        message_id: PlatformMessageId::parse(&format!("m{n}")).unwrap(),
        event: format!("{{\"text\":\"secret {n}\"}}"),
    }
}

async fn open(place: &Place) {
    let act = add_member(1);
    let opened = place.store.open_approval(&asked(1, &act), at(1)).await;
    opened.unwrap();
}

async fn hold(store: &Store, n: u32) -> Held {
    let event = waiting(n);
    let held = store.hold_event(id(1), &event, 2, at(i64::from(n)));
    held.await.unwrap()
}

#[tokio::test]
async fn so_many_messages_wait_and_each_of_them_once() {
    let place = Place::new().await;
    let store = &place.store;
    assert_eq!(hold(store, 1).await, Held::Late);
    open(&place).await;
    for (n, expect) in [
        (2, Held::Kept),
        (1, Held::Kept),
        (1, Held::Known),
        (3, Held::Full),
    ] {
        assert_eq!(hold(store, n).await, expect, "{n}");
    }
    let held = store.held_events(id(1), 9).await.unwrap();
    assert_eq!(held, [waiting(2), waiting(1)]);
    assert_eq!(store.held_events(id(1), 1).await.unwrap().len(), 1);
    assert!(!format!("{held:?}").contains("secret"));
    assert_eq!(store.drop_held(id(1), at(0)).await.unwrap(), 2);
    assert_eq!(store.drop_held(id(1), at(0)).await.unwrap(), 0);
}

#[tokio::test]
async fn no_message_is_lost_that_came_while_the_others_were_replayed() {
    let place = Place::new().await;
    let store = &place.store;
    open(&place).await;
    hold(store, 1).await;
    store
        .decide_approval(id(1), &Pick::Approve, None, at(2))
        .await
        .unwrap();
    let replayed = store.held_events(id(1), 9).await.unwrap();
    assert_eq!(hold(store, 2).await, Held::Kept);
    for event in &replayed {
        assert!(store.drop_held_event(id(1), event).await.unwrap());
    }
    assert!(!store.carried_out(id(1), at(3)).await.unwrap());
    let left = store.held_events(id(1), 9).await.unwrap();
    assert_eq!(left, [waiting(2)]);
    store.drop_held_event(id(1), &left[0]).await.unwrap();
    assert!(store.carried_out(id(1), at(3)).await.unwrap());
    assert_eq!(hold(store, 3).await, Held::Late);
}

#[tokio::test]
async fn messages_go_with_an_approval_that_is_not_given() {
    for ending in 0..3 {
        let place = Place::new().await;
        let store = &place.store;
        open(&place).await;
        hold(store, 1).await;
        match ending {
            0 => {
                let no = Pick::Reject;
                store
                    .decide_approval(id(1), &no, None, at(2))
                    .await
                    .unwrap();
            }
            1 => {
                store.expire_approvals(at(100), 9).await.unwrap();
            }
            _ => {
                store.withdraw_approval(id(1), at(0)).await.unwrap();
            }
        }
        assert_eq!(place.number("SELECT COUNT(*) FROM held_events").await, 0);
        assert_eq!(hold(store, 1).await, Held::Late);
    }
}
