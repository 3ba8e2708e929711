use anchorhold_core::{
    entity::{EngageMode, MessageStatus},
    guard::act::Act,
    ids::{ConversationId, SessionId, UserId},
    inbound::ChatKind,
};

use crate::{
    approvals::{Pick, held::HeldEvent},
    people::Subscription,
    tests::fixture::{
        Place, address, approval_id, asked, at, bytes, channel, delivery, event, group, message,
        platform_id, wiring,
    },
};

fn admit(user: &str) -> Act {
    Act::AdmitSender {
        conversation: ConversationId::mint(at(0), bytes("chat")),
        user: UserId::mint(at(0), bytes(user)),
        groups: vec![group(1).id],
    }
}

#[tokio::test]
async fn a_card_is_out_from_its_delivery_until_that_is_given_up() {
    let place = Place::new().await;
    let store = &place.store;
    let (act, id) = (admit("ann"), approval_id(1));
    store.open_approval(&asked(1, &act), at(1)).await.unwrap();
    assert!(!store.approval_card_is_out(id).await.unwrap());
    let card = delivery("card", address("dm", None));
    store.new_delivery(None, &card, at(1)).await.unwrap();
    let bob = place.user("bob").await;
    store.set_approvers(id, bob, card.id).await.unwrap();
    assert!(store.approval_card_is_out(id).await.unwrap());
    place
        .sql("UPDATE deliveries SET status = 'dead', ended_at = 2")
        .await
        .unwrap();
    assert!(!store.approval_card_is_out(id).await.unwrap());
}

#[tokio::test]
async fn what_was_refused_and_what_is_asked_is_known_by_its_subject() {
    let place = Place::new().await;
    let store = &place.store;
    let (ann, other) = (admit("ann"), admit("other"));
    store.open_approval(&asked(1, &ann), at(1)).await.unwrap();
    assert!(store.is_asked_for(&ann).await.unwrap());
    assert!(!store.is_asked_for(&other).await.unwrap());
    assert!(!store.was_rejected_since(&ann, at(0)).await.unwrap());
    let id = approval_id(1);
    store
        .decide_approval(id, &Pick::Reject, None, at(5))
        .await
        .unwrap();
    assert!(!store.is_asked_for(&ann).await.unwrap());
    assert!(store.was_rejected_since(&ann, at(5)).await.unwrap());
    assert!(!store.was_rejected_since(&ann, at(6)).await.unwrap());
    assert!(!store.was_rejected_since(&other, at(0)).await.unwrap());
}

#[tokio::test]
async fn only_what_nobody_decided_is_overdue() {
    let place = Place::new().await;
    let store = &place.store;
    let acts = [admit("a"), admit("b")];
    for (n, act) in (1..).zip(&acts) {
        store.open_approval(&asked(n, act), at(1)).await.unwrap();
    }
    let decided = approval_id(2);
    store
        .decide_approval(decided, &Pick::Approve, None, at(2))
        .await
        .unwrap();
    assert_eq!(store.overdue_approvals(at(99), 9).await.unwrap(), []);
    let overdue = store.overdue_approvals(at(100), 9).await.unwrap();
    assert_eq!(overdue, [approval_id(1)]);
}

/// Unlike the closing of an idle session, this is not put off by what waits.
#[tokio::test]
async fn a_session_that_is_ended_on_request_owes_nothing_any_more() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let waits = event(1, vec![message(session, 2)]);
    store.record_event(&waits).await.unwrap();
    let conversation = place.conversation("chat").await;
    let open = store.conversation_sessions(conversation).await.unwrap();
    assert_eq!(open, [session]);
    let last = store.last_address(session).await.unwrap();
    assert_eq!(last, Some(waits.address));
    assert!(
        store
            .end_session(session, "begun afresh", at(3))
            .await
            .unwrap()
    );
    assert!(!store.end_session(session, "again", at(4)).await.unwrap());
    let ended = store.message(session, 2).await.unwrap().unwrap();
    assert_eq!(ended.status, MessageStatus::Done);
    assert_eq!(ended.last_error.as_deref(), Some("begun afresh"));
    assert_eq!(store.session_work(session).await.unwrap().pending, 0);
    let open = store.conversation_sessions(conversation).await.unwrap();
    assert_eq!(open, []);
    let (key, fresh) = (
        store.session(session).await.unwrap().unwrap().session.key,
        SessionId::mint(at(5), bytes("fresh")),
    );
    let next = store.session_for(&key, fresh, at(5)).await.unwrap();
    assert_eq!(next.id, fresh);
}

#[tokio::test]
async fn a_wiring_that_goes_takes_its_subscriptions_along() {
    let place = Place::new().await;
    let store = &place.store;
    let (one, two) = (place.group(1).await, place.group(2).await);
    let mut sticky = wiring(1, Some("chat"), one);
    sticky.engage = EngageMode::MentionSticky;
    store.add_wiring(&sticky, 0, at(0)).await.unwrap();
    let conversation = place.conversation("chat").await;
    let follows = |agent_group| Subscription {
        agent_group,
        conversation,
        thread: None,
    };
    for agent in [one, two] {
        let subscription = follows(agent);
        store
            .subscribe(&subscription, "mentioned", at(1))
            .await
            .unwrap();
    }
    assert_eq!(store.forget_subscriptions(sticky.id).await.unwrap(), 1);
    assert!(!store.is_subscribed(&follows(one)).await.unwrap());
    assert!(store.is_subscribed(&follows(two)).await.unwrap());
}

#[tokio::test]
async fn the_platform_knows_best_what_kind_of_chat_it_is() {
    let place = Place::new().await;
    let id = place.conversation("chat").await;
    place
        .store
        .correct_kind(id, ChatKind::Direct)
        .await
        .unwrap();
    let chat = address("chat", None).chat;
    let known = place.store.conversation(&channel(), &chat).await.unwrap();
    assert_eq!(known.unwrap().kind, ChatKind::Direct);
}

#[tokio::test]
async fn what_is_given_and_not_carried_out_is_found_with_what_waits_for_it() {
    let place = Place::new().await;
    let store = &place.store;
    let (act, id) = (admit("ann"), approval_id(1));
    store.open_approval(&asked(1, &act), at(1)).await.unwrap();
    let waiting = HeldEvent {
        address: address("chat", None),
        message_id: platform_id(1),
        event: "{}".to_owned(),
    };
    store.hold_event(id, &waiting, 9, at(1)).await.unwrap();
    let (here, chat) = (channel(), waiting.address.chat.clone());
    assert_eq!(store.being_carried_out(&act).await.unwrap(), None);
    assert_eq!(store.replayed_at(&here, &chat).await.unwrap(), None);
    let approve = &Pick::Approve;
    store
        .decide_approval(id, approve, None, at(2))
        .await
        .unwrap();
    assert_eq!(store.being_carried_out(&act).await.unwrap(), Some(id));
    assert_eq!(store.replayed_at(&here, &chat).await.unwrap(), Some(id));
    let elsewhere = address("other", None).chat;
    assert_eq!(store.replayed_at(&here, &elsewhere).await.unwrap(), None);
    assert!(store.drop_held_event(id, &waiting).await.unwrap());
    assert_eq!(store.replayed_at(&here, &chat).await.unwrap(), None);
    assert!(store.carried_out(id, at(3)).await.unwrap());
    assert_eq!(store.being_carried_out(&act).await.unwrap(), None);
}
