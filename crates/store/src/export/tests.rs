use anchorhold_core::entity::EngageMode;

use super::*;
use crate::tests::fixture::{Place, at, channel, group, wiring};

fn strict() -> BTreeMap<ChannelName, UnknownSenderPolicy> {
    BTreeMap::from([(channel(), UnknownSenderPolicy::Strict)])
}

async fn chats(place: &Place, policies: &BTreeMap<ChannelName, UnknownSenderPolicy>) -> String {
    let entities = place.store.entities(policies).await.unwrap();
    let chats = entities.conversations.iter().map(|c| c.chat.as_str());
    chats.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn only_conversations_with_something_to_say_are_listed() {
    let place = Place::new().await;
    for chat in [
        "plain", "named", "set", "off", "differs", "wired", "reached", "asleep",
    ] {
        place.conversation(chat).await;
    }
    let (one, two) = (place.group(1).await, place.group(2).await);
    for wiring in [
        wiring(1, Some("wired"), one),
        wiring(2, Some("asleep"), two),
    ] {
        place.store.add_wiring(&wiring, 0, at(0)).await.unwrap();
    }
    for sql in [
        "UPDATE conversations SET name = 'Named' WHERE chat = 'named'",
        "UPDATE conversations SET policy_managed_by = 'runtime' WHERE chat = 'set'",
        "UPDATE conversations SET declined_at = 1 WHERE chat = 'off'",
        "UPDATE conversations SET unknown_senders = 'public' WHERE chat = 'differs'",
        "INSERT INTO destinations (agent_group_id, name, target_type, target_conversation_id,
             created_at) SELECT g.id, 'r', 'channel', c.id, 1 FROM agent_groups g, conversations c
             WHERE g.folder = 'g1' AND c.chat = 'reached'",
        "UPDATE agent_groups SET retired_at = 1 WHERE folder = 'g2'",
    ] {
        place.sql(sql).await.unwrap();
    }
    assert_eq!(
        chats(&place, &strict()).await,
        "differs named off reached set wired"
    );
    let public = BTreeMap::from([(channel(), UnknownSenderPolicy::Public)]);
    assert_eq!(
        chats(&place, &public).await,
        "asleep named off plain reached set wired"
    );
}

#[tokio::test]
async fn what_belongs_to_a_retired_group_is_left_out() {
    let place = Place::new().await;
    let (one, two) = (place.group(1).await, place.group(2).await);
    let ann = place.user("ann").await;
    let pattern = Wiring {
        engage: EngageMode::Mention,
        pattern: None,
        ..wiring(1, None, one)
    };
    place.store.add_wiring(&pattern, 5, at(0)).await.unwrap();
    let other = wiring(2, None, two);
    place.store.add_wiring(&other, 0, at(0)).await.unwrap();
    for group in [one, two] {
        for sql in [
            format!(
                "INSERT INTO roles (user_id, role, agent_group_id, granted_at)
                 VALUES ('{ann}', 'admin', '{group}', 1)"
            ),
            format!(
                "INSERT INTO members (user_id, agent_group_id, added_at)
                 VALUES ('{ann}', '{group}', 1)"
            ),
            format!(
                "INSERT INTO destinations (agent_group_id, name, target_type,
                     target_agent_group_id, created_at) VALUES ('{group}', 'x', 'agent', '{two}', 1)"
            ),
        ] {
            place.sql(&sql).await.unwrap();
        }
    }
    let sql = "UPDATE agent_groups SET retired_at = 1 WHERE folder = 'g2'";
    place.sql(sql).await.unwrap();
    let found = place.store.entities(&strict()).await.unwrap();
    let folder = group(1).folder;
    let expect = Entities {
        groups: vec![Group {
            group: group(1),
            assistant_name: None,
            admin_scope: AdminScope::Group,
        }],
        wirings: vec![HeldWiring {
            wiring: pattern,
            folder: folder.clone(),
            priority: 5,
        }],
        conversations: Vec::new(),
        people: vec![Person {
            channel: channel(),
            handle: Handle::parse("ann").unwrap(),
            name: None,
            roles: vec![HeldRole {
                role: Role::GroupAdmin(one),
                folder: Some(folder.clone()),
            }],
            member_of: vec![folder],
        }],
        destinations: Vec::new(),
    };
    assert_eq!(found, expect);
}
