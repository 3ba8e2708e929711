use anchorhold_core::{
    access::Role,
    entity::{ManagedBy, MessageStatus, UnknownSenderPolicy, Wiring},
    guard::act::{ConversationChange, Target},
    ids::{ChatId, FolderName, Handle, UserId},
};

use crate::{
    Disposition, Error,
    people::{NewUser, Subscription},
    tests::fixture::{
        Place, add_member, approval_id as id, asked, at, bytes, channel, event, group, message,
        user, wiring,
    },
    undo::{Deleted, Restored, What},
};

async fn delete(place: &Place, what: What) -> Deleted {
    let preview = place.store.preview(what).await.unwrap().unwrap();
    let deleted = place.store.delete_with_copy(what, at(50)).await;
    let deleted = deleted.unwrap().unwrap();
    assert_eq!(deleted.goes_with, preview);
    assert_eq!(place.store.health().await.unwrap().problems, [""; 0]);
    deleted
}

fn goes_with(deleted: &Deleted) -> Vec<(&str, u64)> {
    let rows = deleted.goes_with.iter();
    rows.map(|(table, count)| (table.as_str(), *count))
        .collect()
}

fn done(what: What) -> Restored {
    Restored::Done { what, left_out: 0 }
}

/// A group with one of everything, its session and its person.
async fn busy() -> (Place, UserId) {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let (one, two, ann) = (group(1).id, place.group(2).await, place.user("ann").await);
    store
        .add_wiring(&wiring(1, Some("chat"), one), 3, at(1))
        .await
        .unwrap();
    store.add_member(ann, one, Some(ann), at(1)).await.unwrap();
    store
        .grant_role(ann, Role::GroupAdmin(one), None, at(1))
        .await
        .unwrap();
    let name = FolderName::parse("peer").unwrap();
    store
        .add_destination(two, &name, &Target::Agent(one), at(1))
        .await
        .unwrap();
    let chat = place.conversation("chat").await;
    let follows = Subscription {
        agent_group: one,
        conversation: chat,
        thread: None,
    };
    store.subscribe(&follows, "mention", at(1)).await.unwrap();
    store.set_direct_chat(ann, chat, at(1)).await.unwrap();
    store
        .record_event(&event(2, vec![message(session, 2)]))
        .await
        .unwrap();
    (place, ann)
}

/// All of the configuration, in the database's own words.
async fn dump(place: &Place) -> Vec<String> {
    let mut conn = place.store.reader().await.unwrap();
    sqlx::query_scalar(
        "SELECT concat_ws(' ', 'group', id, folder, retired_at) FROM agent_groups
         UNION ALL SELECT concat_ws(' ', 'wiring', id, chat, priority, created_at) FROM wirings
         UNION ALL SELECT concat_ws(' ', 'role', user_id, agent_group_id, granted_at) FROM roles
         UNION ALL SELECT concat_ws(' ', 'member', user_id, agent_group_id, added_by) FROM members
         UNION ALL SELECT concat_ws(' ', 'to', agent_group_id, name, wiring_id) FROM destinations
         UNION ALL SELECT concat_ws(' ', 'sub', agent_group_id, why, began_at) FROM subscriptions
         UNION ALL SELECT concat_ws(' ', 'dm', user_id, conversation_id) FROM direct_chats
         UNION ALL SELECT concat_ws(' ', 'conversation', id, name, unknown_senders,
             policy_managed_by, declined_at) FROM conversations
         UNION ALL SELECT concat_ws(' ', 'user', id, handle) FROM users ORDER BY 1",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn defect_38_a_group_goes_with_all_it_has_and_can_be_had_back() {
    let (place, _ann) = busy().await;
    let store = &place.store;
    let what = What::Group(group(1).id);
    let session = place.session(1, "chat").await;
    let before = dump(&place).await;
    let deleted = delete(&place, what).await;
    assert_eq!(
        goes_with(&deleted),
        [
            ("wirings", 1),
            ("roles", 1),
            ("members", 1),
            ("destinations", 2),
            ("subscriptions", 1),
            ("sessions", 1),
        ]
    );
    // Nothing of its history is gone, and nothing is owed any more.
    let row = store.session(session).await.unwrap().unwrap();
    assert_eq!(row.closed_at, Some(at(50)));
    let ended = store.message(session, 2).await.unwrap().unwrap();
    assert_eq!(ended.status, MessageStatus::Done);
    assert!(store.group(group(1).id).await.unwrap().is_some());
    assert!(
        store
            .delete_with_copy(what, at(51))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(store.preview(what).await.unwrap(), None);
    assert_eq!(
        store.restore(deleted.undo, at(52)).await.unwrap(),
        done(what)
    );
    assert_eq!(dump(&place).await, before);
    let again = store.restore(deleted.undo, at(53)).await.unwrap();
    assert_eq!(again, Restored::Already);
    assert_eq!(store.restore(99, at(53)).await.unwrap(), Restored::Gone);
}

#[tokio::test]
async fn the_folder_of_a_deleted_group_is_free_and_in_the_way_once_it_is_taken() {
    let place = Place::new().await;
    let store = &place.store;
    let what = What::Group(place.group(1).await);
    let deleted = delete(&place, what).await;
    let mut other = group(3);
    other.folder = group(1).folder;
    store.add_group(&other, at(51)).await.unwrap();
    assert_eq!(store.groups().await.unwrap(), std::slice::from_ref(&other));
    let restored = store.restore(deleted.undo, at(52)).await.unwrap();
    let Restored::Conflict(why) = restored else {
        panic!("{restored:?}");
    };
    assert!(why.contains("g1") && why.contains(&other.id.to_string()));
    // When the place is free again, it can be had back after all, with its configuration.
    store.delete_group(other.id).await.unwrap();
    store.delete_group(group(1).id).await.unwrap();
    assert_eq!(
        store.restore(deleted.undo, at(53)).await.unwrap(),
        done(what)
    );
    assert_eq!(store.groups().await.unwrap(), [group(1)]);
    assert!(store.group_config(group(1).id).await.unwrap().is_some());
}

#[tokio::test]
async fn requests_about_a_deleted_group_are_over() {
    let place = Place::new().await;
    let store = &place.store;
    let one = place.group(1).await;
    let act = add_member(1);
    let mut fresh = asked(1, &act);
    fresh.requesting_group = Some(one);
    store.open_approval(&fresh, at(1)).await.unwrap();
    delete(&place, What::Group(one)).await;
    assert_eq!(store.pending_approvals(9).await.unwrap(), []);
    assert!(!store.withdraw_approval(id(1), at(0)).await.unwrap());
}

#[tokio::test]
async fn a_person_goes_with_their_roles_and_gets_them_back_under_a_new_id() {
    let (place, ann) = busy().await;
    let store = &place.store;
    let before = dump(&place).await;
    for seen_again in [false, true] {
        let what = What::User(user_id(&place, "ann").await);
        let deleted = delete(&place, what).await;
        let expect = [("roles", 1), ("members", 1), ("direct_chats", 1)];
        assert_eq!(goes_with(&deleted), expect);
        if seen_again {
            let fresh = NewUser {
                id: UserId::mint(at(60), bytes("again")),
                ..user("cli", "ann")
            };
            store.ensure_user(&fresh, at(60)).await.unwrap();
        }
        assert_eq!(
            store.restore(deleted.undo, at(61)).await.unwrap(),
            done(what)
        );
        let id = user_id(&place, "ann").await;
        assert_eq!(id == ann, !seen_again);
        let standing = store.standing(id).await.unwrap();
        assert_eq!(standing.roles, [Role::GroupAdmin(group(1).id)]);
        assert_eq!(standing.member_of, [group(1).id]);
        let mut renamed: Vec<String> = before
            .iter()
            .map(|line| line.replace(&ann.to_string(), &id.to_string()))
            .collect();
        renamed.sort();
        assert_eq!(dump(&place).await, renamed);
    }
}

async fn user_id(place: &Place, handle: &str) -> UserId {
    let handle = Handle::parse(handle).unwrap();
    let found = place.store.find_user(&channel(), &handle).await.unwrap();
    found.unwrap().id
}

#[tokio::test]
async fn what_points_to_something_that_is_gone_is_left_out() {
    let (place, _ann) = busy().await;
    let store = &place.store;
    let what = What::User(place.user("ann").await);
    let deleted = delete(&place, what).await;
    store.delete_group(group(1).id).await.unwrap();
    let restored = store.restore(deleted.undo, at(61)).await.unwrap();
    assert_eq!(restored, Restored::Done { what, left_out: 2 });
}

#[tokio::test]
async fn a_conversation_is_forgotten_and_remembered() {
    let (place, _ann) = busy().await;
    let store = &place.store;
    let chat = place.conversation("chat").await;
    let change = ConversationChange {
        name: Some("Gen".to_owned()),
        unknown_senders: Some(UnknownSenderPolicy::Public),
        declined: Some(true),
    };
    store
        .change_conversation(chat, &change, at(2))
        .await
        .unwrap();
    let before = dump(&place).await;
    let what = What::Conversation(chat);
    let deleted = delete(&place, what).await;
    assert_eq!(
        goes_with(&deleted),
        [
            ("wirings", 1),
            ("destinations", 1),
            ("direct_chats", 1),
            ("subscriptions", 1),
            ("sessions", 1),
        ]
    );
    // Its history points to it, so the row stays, with nothing in it.
    let row = store.conversation_by_id(chat).await.unwrap().unwrap();
    assert_eq!((row.name, row.declined_at), (None, None));
    assert_eq!(
        store.restore(deleted.undo, at(52)).await.unwrap(),
        done(what)
    );
    assert_eq!(dump(&place).await, before);
}

#[tokio::test]
async fn a_conversation_that_nothing_points_to_is_deleted() {
    let place = Place::new().await;
    let store = &place.store;
    let what = What::Conversation(place.conversation("chat").await);
    let before = dump(&place).await;
    let deleted = delete(&place, what).await;
    let chat = ChatId::parse("chat").unwrap();
    let found = store.conversation(&channel(), &chat).await.unwrap();
    assert_eq!(found, None);
    assert_eq!(
        store.restore(deleted.undo, at(52)).await.unwrap(),
        done(what)
    );
    assert_eq!(dump(&place).await, before);
}

#[tokio::test]
async fn a_wiring_comes_back_with_its_destination_unless_it_was_made_again() {
    let (place, _ann) = busy().await;
    let store = &place.store;
    let old = wiring(1, Some("chat"), group(1).id);
    let what = What::Wiring(old.id);
    let before = dump(&place).await;
    let deleted = delete(&place, what).await;
    assert_eq!(goes_with(&deleted), [("destinations", 1)]);
    assert_eq!(
        store.restore(deleted.undo, at(52)).await.unwrap(),
        done(what)
    );
    assert_eq!(dump(&place).await, before);
    let deleted = delete(&place, what).await;
    let new = wiring(2, Some("chat"), group(1).id);
    store.add_wiring(&new, 0, at(53)).await.unwrap();
    let restored = store.restore(deleted.undo, at(54)).await.unwrap();
    assert!(matches!(restored, Restored::Conflict(_)));
    assert_eq!(store.wiring(old.id).await.unwrap(), None);
}

#[tokio::test]
async fn what_the_file_has_is_removed_in_the_file() {
    let place = Place::new().await;
    let store = &place.store;
    let mut of_file = group(1);
    of_file.managed_by = ManagedBy::File;
    store.add_group(&of_file, at(0)).await.unwrap();
    let two = place.group(2).await;
    let wired = Wiring {
        managed_by: ManagedBy::File,
        ..wiring(1, Some("chat"), two)
    };
    store.add_wiring(&wired, 0, at(0)).await.unwrap();
    let chat = place.conversation("chat").await;
    for what in [
        What::Group(of_file.id),
        What::Group(two),
        What::Wiring(wired.id),
    ] {
        let error = store.delete_with_copy(what, at(1)).await.unwrap_err();
        assert!(matches!(error, Error::OwnedByFile { what: w } if w == what));
        assert_eq!(error.disposition(), Disposition::Refused);
    }
    // A conversation can be forgotten; the file's wiring to it stays, and so does its row.
    let deleted = delete(&place, What::Conversation(chat)).await;
    assert_eq!(goes_with(&deleted), []);
    assert_eq!(store.destinations(two).await.unwrap().len(), 1);
}
