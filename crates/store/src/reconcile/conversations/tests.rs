use anchorhold_core::{
    entity::UnknownSenderPolicy,
    ids::{ChatId, ConversationId},
    inbound::ChatKind,
};

use crate::{
    reconcile::{
        Reconciled,
        desired::{DesiredConversation, DesiredPolicy, FileConfig},
    },
    tests::fixture::{Place, at, bytes, channel},
};

pub(crate) fn conversation(chat: &str) -> DesiredConversation {
    DesiredConversation {
        fresh: ConversationId::mint(at(0), bytes(&format!("file {chat}"))),
        channel: channel(),
        chat: ChatId::parse(chat).unwrap(),
        kind: ChatKind::Direct,
        name: None,
        unknown_senders: None,
        declined: false,
    }
}

fn file(conversations: Vec<DesiredConversation>) -> FileConfig {
    FileConfig {
        conversations,
        policies: vec![DesiredPolicy {
            channel: channel(),
            unknown_senders: UnknownSenderPolicy::RequestApproval,
        }],
        ..FileConfig::default()
    }
}

/// The row of a chat: kind, name, policy, and whether it is declined.
async fn row(place: &Place, chat: &str) -> String {
    let mut conn = place.store.reader().await.unwrap();
    sqlx::query_scalar(
        "SELECT kind || ' ' || COALESCE(name, '-') || ' ' || unknown_senders || ' '
             || policy_managed_by || ' ' || COALESCE(declined_at, '-')
         FROM conversations WHERE chat = ?1",
    )
    .bind(chat)
    .fetch_one(&mut *conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_conversation_has_its_channels_policy_or_one_of_its_own() {
    let place = Place::new().await;
    let store = &place.store;
    let mut wanted = file(vec![conversation("a"), conversation("b")]);
    wanted.conversations[1].unknown_senders = Some(UnknownSenderPolicy::Public);
    wanted.conversations[1].name = Some("B \"b\"\n".to_owned());
    let done = store.reconcile_file(&wanted, at(0)).await.unwrap();
    assert_eq!((done.conversations, done.policies), (2, 0));
    assert_eq!(row(&place, "a").await, "direct - request_approval file -");
    assert_eq!(row(&place, "b").await, "direct B \"b\"\n public file -");
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    // Its own goes with the entry, the conversation stays.
    wanted.conversations[0].unknown_senders = Some(UnknownSenderPolicy::Strict);
    wanted.conversations.pop();
    let done = store.reconcile_file(&wanted, at(2)).await.unwrap();
    assert_eq!((done.conversations, done.policies), (0, 2));
    assert_eq!(row(&place, "a").await, "direct - strict file -");
    assert!(row(&place, "b").await.ends_with("request_approval file -"));
}

#[tokio::test]
async fn what_is_known_of_a_conversation_stays() {
    let place = Place::new().await;
    let store = &place.store;
    let id = place.conversation("a").await;
    place
        .sql("UPDATE conversations SET name = 'Known'")
        .await
        .unwrap();
    store
        .set_unknown_senders(id, UnknownSenderPolicy::Strict)
        .await
        .unwrap();
    let mut wanted = file(vec![conversation("a")]);
    wanted.conversations[0].name = Some("Other".to_owned());
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    wanted.conversations[0].unknown_senders = Some(UnknownSenderPolicy::Public);
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    let overruled = Reconciled {
        overruled: 1,
        ..Reconciled::default()
    };
    assert_eq!(done, overruled);
    assert_eq!(row(&place, "a").await, "group Known strict runtime -");
}

#[tokio::test]
async fn the_file_declines_and_does_not_take_it_back() {
    let place = Place::new().await;
    let store = &place.store;
    place.conversation("a").await;
    let mut wanted = file(vec![conversation("a")]);
    wanted.conversations[0].declined = true;
    let since = format!("group - request_approval file {}", at(1).as_millisecond());
    for ms in [1, 2] {
        store.reconcile_file(&wanted, at(ms)).await.unwrap();
        assert_eq!(row(&place, "a").await, since);
    }
    wanted.conversations[0].declined = false;
    store.reconcile_file(&wanted, at(3)).await.unwrap();
    assert_eq!(row(&place, "a").await, since);
}
