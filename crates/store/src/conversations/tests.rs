use anchorhold_core::{
    entity::{ManagedBy, UnknownSenderPolicy, Wiring},
    guard::act::ConversationChange,
    ids::{ChatId, ConversationId},
    inbound::ChatKind,
};

use crate::{
    Disposition,
    conversations::NewConversation,
    tests::fixture::{Place, at, bytes, channel, wiring},
};

#[tokio::test]
async fn a_known_conversation_stays_as_it_is() {
    let place = Place::new().await;
    let chat = ChatId::parse("chat").unwrap();
    assert_eq!(
        place.store.conversation(&channel(), &chat).await.unwrap(),
        None
    );
    let id = place.conversation("chat").await;
    let other = NewConversation {
        id: ConversationId::mint(at(1), bytes("other")),
        channel: channel(),
        chat: chat.clone(),
        kind: ChatKind::Direct,
        name: Some("New".to_owned()),
        unknown_senders: UnknownSenderPolicy::Public,
    };
    let found = place
        .store
        .ensure_conversation(&other, at(1))
        .await
        .unwrap();
    assert_eq!((found.id, found.kind), (id, ChatKind::Group));
    assert_eq!(found.unknown_senders, UnknownSenderPolicy::Strict);
    let public = UnknownSenderPolicy::Public;
    assert!(place.store.set_unknown_senders(id, public).await.unwrap());
    assert!(
        !place
            .store
            .set_unknown_senders(other.id, public)
            .await
            .unwrap()
    );
    let found = place.store.conversation(&channel(), &chat).await.unwrap();
    assert_eq!(found.map(|c| c.unknown_senders), Some(public));
}

#[tokio::test]
async fn a_chat_gets_its_own_and_the_instance_wide_wirings_by_priority() {
    let place = Place::new().await;
    let (one, two) = (place.group(1).await, place.group(2).await);
    let own = wiring(1, Some("chat"), one);
    let wide = wiring(2, None, two);
    for (wiring, priority) in [(&own, 0), (&wide, 5), (&wiring(3, Some("other"), one), 9)] {
        place
            .store
            .add_wiring(wiring, priority, at(0))
            .await
            .unwrap();
    }
    let chat = ChatId::parse("chat").unwrap();
    let found = place.store.wirings_for(&channel(), &chat).await.unwrap();
    assert_eq!(found, [wide, own.clone()]);
    place
        .sql("UPDATE agent_groups SET retired_at = 1 WHERE folder = 'g2'")
        .await
        .unwrap();
    let found = place.store.wirings_for(&channel(), &chat).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&own));
    assert!(place.store.remove_wiring(own.id).await.unwrap());
    assert!(!place.store.remove_wiring(own.id).await.unwrap());
}

#[tokio::test]
async fn a_wiring_is_there_once_also_without_a_chat() {
    let place = Place::new().await;
    let group = place.group(1).await;
    for chat in [None, Some("chat")] {
        let first = wiring(1, chat, group);
        place.store.add_wiring(&first, 0, at(0)).await.unwrap();
        let again = place
            .store
            .add_wiring(&wiring(2, chat, group), 0, at(0))
            .await;
        assert_eq!(
            again.unwrap_err().disposition(),
            Disposition::Refused,
            "{chat:?}"
        );
        place.store.remove_wiring(first.id).await.unwrap();
    }
    // One of the file is not removed at run time.
    let of_file = Wiring {
        managed_by: ManagedBy::File,
        ..wiring(3, None, group)
    };
    place.store.add_wiring(&of_file, 0, at(0)).await.unwrap();
    assert!(!place.store.remove_wiring(of_file.id).await.unwrap());
}

#[tokio::test]
async fn defect_63_a_refusal_can_be_taken_back() {
    let place = Place::new().await;
    let store = &place.store;
    let id = place.conversation("chat").await;
    for (declined, when, expect) in [
        (None, 1, None),
        (Some(true), 2, Some(at(2))),
        // A refusal keeps its time, whatever else changes.
        (Some(true), 3, Some(at(2))),
        (None, 4, Some(at(2))),
        (Some(false), 5, None),
        (Some(false), 6, None),
    ] {
        let change = ConversationChange {
            declined,
            ..ConversationChange::default()
        };
        let changed = store.change_conversation(id, &change, at(when)).await;
        assert!(changed.unwrap());
        let row = store.conversation_by_id(id).await.unwrap().unwrap();
        assert_eq!(row.declined_at, expect, "{when}");
    }
}

#[tokio::test]
async fn each_part_of_a_conversation_changes_alone() {
    let place = Place::new().await;
    let store = &place.store;
    let id = place.conversation("chat").await;
    let managed = "SELECT policy_managed_by = 'runtime' FROM conversations";
    let name = ConversationChange {
        name: Some("Gen".to_owned()),
        ..ConversationChange::default()
    };
    assert!(store.change_conversation(id, &name, at(1)).await.unwrap());
    assert_eq!(place.number(managed).await, 0);
    let policy = ConversationChange {
        unknown_senders: Some(UnknownSenderPolicy::Public),
        ..ConversationChange::default()
    };
    assert!(store.change_conversation(id, &policy, at(2)).await.unwrap());
    assert_eq!(place.number(managed).await, 1);
    let chat = ChatId::parse("chat").unwrap();
    let row = store.conversation_row(&channel(), &chat).await.unwrap();
    let row = row.unwrap();
    assert_eq!(row.name.as_deref(), Some("Gen"));
    let public = UnknownSenderPolicy::Public;
    assert_eq!(row.conversation.unknown_senders, public);
    let taken_away = ConversationChange {
        name: Some(String::new()),
        ..ConversationChange::default()
    };
    let changed = store.change_conversation(id, &taken_away, at(3)).await;
    assert!(changed.unwrap());
    let row = store.conversation_by_id(id).await.unwrap().unwrap();
    assert_eq!(row.name, None);
    let nothing = ConversationId::mint(at(1), bytes("nothing"));
    assert!(
        !store
            .change_conversation(nothing, &name, at(1))
            .await
            .unwrap()
    );
    assert_eq!(store.conversation_by_id(nothing).await.unwrap(), None);
}
