use anchorhold_core::{
    entity::{
        EngageMode, IgnoredPolicy, ManagedBy, SenderScope, SessionMode, UnknownSenderPolicy, Wiring,
    },
    guard::act::{Target, WiringRules},
    ids::{AgentGroupId, ChatId, ConversationId},
    inbound::ChatKind,
};

use crate::{
    conversations::NewConversation,
    tests::fixture::{Place, at, bytes, channel, wiring},
};

fn named(chat: &str, name: Option<&str>) -> NewConversation {
    NewConversation {
        id: ConversationId::mint(at(0), bytes(chat)),
        channel: channel(),
        chat: ChatId::parse(chat).unwrap(),
        kind: ChatKind::Group,
        name: name.map(str::to_owned),
        unknown_senders: UnknownSenderPolicy::Strict,
    }
}

async fn names(place: &Place, group: AgentGroupId) -> Vec<String> {
    let known = place.store.destinations(group).await.unwrap();
    known.iter().map(|d| d.name.to_string()).collect()
}

#[tokio::test]
async fn defect_38_a_wiring_makes_the_destination_that_it_implies() {
    let place = Place::new().await;
    let store = &place.store;
    let group = place.group(1).await;
    // Two chats with one name, one without any.
    for (n, (chat, name)) in [("a", Some("Gen")), ("b", Some("Gen")), ("C 1", None)]
        .into_iter()
        .enumerate()
    {
        let wiring = wiring(u64::try_from(n).unwrap(), Some(chat), group);
        let conversation = named(chat, name);
        store
            .add_wiring_of_chat(&wiring, 0, &conversation, at(1))
            .await
            .unwrap();
        let known = store.destinations(group).await.unwrap();
        let own = known.iter().find(|d| d.wiring == Some(wiring.id)).unwrap();
        assert_eq!(own.target, Target::Conversation(conversation.id));
    }
    assert_eq!(names(&place, group).await, ["c-1", "gen", "gen-2"]);
    // A wiring of the whole instance implies none.
    let wide = wiring(9, None, group);
    store.add_wiring(&wide, 0, at(1)).await.unwrap();
    assert_eq!(names(&place, group).await.len(), 3);
}

#[tokio::test]
async fn a_wiring_that_is_made_again_leaves_one_destination() {
    let place = Place::new().await;
    let store = &place.store;
    let group = place.group(1).await;
    let (first, second) = (wiring(1, Some("a"), group), wiring(2, Some("a"), group));
    let conversation = named("a", Some("Gen"));
    store
        .add_wiring_of_chat(&first, 0, &conversation, at(1))
        .await
        .unwrap();
    assert!(store.remove_wiring(first.id).await.unwrap());
    assert_eq!(names(&place, group).await, [""; 0]);
    store.add_wiring(&second, 0, at(2)).await.unwrap();
    assert_eq!(names(&place, group).await, ["gen"]);
    // One that was there by another name is enough, and stays when the wiring goes.
    store.remove_wiring(second.id).await.unwrap();
    let target = Target::Conversation(conversation.id);
    let name = anchorhold_core::ids::FolderName::parse("mine").unwrap();
    store
        .add_destination(group, &name, &target, at(3))
        .await
        .unwrap();
    store.add_wiring(&first, 0, at(3)).await.unwrap();
    store.remove_wiring(first.id).await.unwrap();
    assert_eq!(names(&place, group).await, ["mine"]);
}

#[tokio::test]
async fn defect_38_a_wiring_of_the_file_implies_it_as_soon_as_the_chat_is_seen() {
    let place = Place::new().await;
    let store = &place.store;
    let group = place.group(1).await;
    let of_file = Wiring {
        managed_by: ManagedBy::File,
        ..wiring(1, Some("a"), group)
    };
    store.add_wiring(&of_file, 0, at(1)).await.unwrap();
    assert_eq!(names(&place, group).await, [""; 0]);
    let seen = named("a", Some("Gen"));
    for _ in 0..2 {
        store.ensure_conversation(&seen, at(2)).await.unwrap();
        assert_eq!(names(&place, group).await, ["gen"]);
    }
}

#[tokio::test]
async fn a_wiring_gets_other_rules_and_keeps_its_place() {
    let place = Place::new().await;
    let store = &place.store;
    let group = place.group(1).await;
    let (low, high) = (wiring(1, Some("a"), group), wiring(2, None, group));
    store.add_wiring(&low, -3, at(1)).await.unwrap();
    store.add_wiring(&high, 7, at(2)).await.unwrap();
    let listed = store.wirings_of_group(group).await.unwrap();
    let shown: Vec<_> = listed.iter().map(|w| (&w.wiring, w.priority)).collect();
    assert_eq!(shown, [(&high, 7), (&low, -3)]);
    let rules = WiringRules {
        engage: EngageMode::MentionSticky,
        pattern: None,
        sender_scope: SenderScope::Known,
        ignored: IgnoredPolicy::Accumulate,
        session_mode: SessionMode::PerThread,
        priority: i64::MAX,
    };
    assert!(store.update_wiring(low.id, &rules).await.unwrap());
    let now = store.wiring(low.id).await.unwrap().unwrap();
    let expect = Wiring {
        engage: rules.engage,
        pattern: None,
        sender_scope: rules.sender_scope,
        ignored: rules.ignored,
        session_mode: rules.session_mode,
        ..low
    };
    assert_eq!((now.wiring, now.created_at), (expect, at(1)));
    // The file must be able to say it.
    assert_eq!(now.priority, i64::from(i32::MAX));
    let of_file = Wiring {
        managed_by: ManagedBy::File,
        ..wiring(3, Some("b"), group)
    };
    store.add_wiring(&of_file, 0, at(1)).await.unwrap();
    assert!(!store.update_wiring(of_file.id, &rules).await.unwrap());
    let gone = wiring(4, None, group).id;
    assert_eq!(store.wiring(gone).await.unwrap(), None);
}
