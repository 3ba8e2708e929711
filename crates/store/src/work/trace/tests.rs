use anchorhold_core::entity::{DeliveryStatus, MessageStatus};

use crate::{
    deliveries::NewDelivery,
    ingest::{Key, NewMessage},
    pull::{EndedMessage, MessageEnd, Pulled},
    tests::fixture::{Place, address, at, event, message, platform_id, pulled},
};

#[tokio::test]
async fn the_last_message_is_traced_through_every_agent_that_heard_it() {
    let place = Place::new().await;
    let store = &place.store;
    let (a, b) = (
        place.session(1, "chat").await,
        place.session(2, "chat").await,
    );
    let user = place.user("ann").await;
    let conversation = place.conversation("chat").await;
    assert_eq!(store.last_message_of(user, conversation).await.unwrap(), []);
    let said = |session, seq, platform| NewMessage {
        conversation: Some(conversation),
        sender: Some(user),
        key: Key::Platform(platform_id(platform)),
        ..message(session, seq)
    };
    store
        .record_event(&event(1, vec![said(a, 2, 1)]))
        .await
        .unwrap();
    let last = said(a, 4, 2);
    store
        .record_event(&event(2, vec![last.clone(), said(b, 6, 2)]))
        .await
        .unwrap();
    let mut answer = pulled(5, address("chat", None));
    answer.delivery = NewDelivery {
        in_reply_to: Some(last.id),
        ..answer.delivery
    };
    let done = Pulled {
        deliveries: vec![answer],
        ended: vec![EndedMessage {
            seq: 4,
            end: MessageEnd::Done,
        }],
        ..Pulled::default()
    };
    store.accept(a, &done, at(9)).await.unwrap();
    let traces = store.last_message_of(user, conversation).await.unwrap();
    let shown: Vec<_> = traces
        .iter()
        .map(|t| {
            let answers: Vec<_> = t.deliveries.iter().map(|d| d.status).collect();
            (t.group.as_str(), t.session, t.seq, t.status, answers)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (
                "Group 1",
                a,
                4,
                MessageStatus::Done,
                vec![DeliveryStatus::Pending]
            ),
            ("Group 2", b, 6, MessageStatus::Pending, vec![]),
        ]
    );
    let elsewhere = place.conversation("other").await;
    assert_eq!(store.last_message_of(user, elsewhere).await.unwrap(), []);
}
