use anchorhold_core::{
    access::{Role, RoleHolder, Standing},
    ids::{ThreadId, UserId},
};

use crate::{
    people::{NewUser, Subscription, User},
    tests::fixture::{Place, at, bytes, channel, user},
};

#[tokio::test]
async fn defect_10_a_handle_with_a_colon_is_one_handle_of_one_channel() {
    let place = Place::new().await;
    let mut ids = Vec::new();
    for (channel, handle) in [
        ("cli", "work:U1"),
        ("work", "U1"),
        ("cli", "U1"),
        ("work", "work:U1"),
        ("cli", "29:a:b"),
    ] {
        let person = user(channel, handle);
        let id = place.store.ensure_user(&person, at(0)).await.unwrap();
        assert_eq!(id, person.id, "{channel} {handle}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
    let whole = "SELECT COUNT(*) FROM users WHERE channel = 'cli' AND handle = '29:a:b'";
    assert_eq!(place.number(whole).await, 1);
}

#[tokio::test]
async fn a_user_keeps_id_and_name_until_a_new_name_comes() {
    let place = Place::new().await;
    let named = |n: u32, name: Option<&str>| NewUser {
        id: user("cli", &format!("fresh {n}")).id,
        display_name: name.map(str::to_owned),
        ..user("cli", "ann")
    };
    let first = named(0, Some("Ann"));
    for (n, (name, expect)) in [
        (Some("Ann"), "Ann"),
        (None, "Ann"),
        (Some("Anna"), "Anna"),
        (None, "Anna"),
    ]
    .into_iter()
    .enumerate()
    {
        let person = named(u32::try_from(n).unwrap(), name);
        assert_eq!(
            place.store.ensure_user(&person, at(1)).await.unwrap(),
            first.id
        );
        let kept = format!("SELECT COUNT(*) FROM users WHERE display_name = '{expect}'");
        assert_eq!(place.number(&kept).await, 1);
    }
}

#[tokio::test]
async fn who_has_a_role_or_membership_is_known() {
    let place = Place::new().await;
    let store = &place.store;
    let (here, there) = (place.group(1).await, place.group(2).await);
    let check = async |handle: &str, expect: (bool, bool)| {
        let id = place.user(handle).await;
        let known = (
            store.sender_known(id, here).await.unwrap(),
            store.sender_known(id, there).await.unwrap(),
        );
        assert_eq!(known, expect, "{handle}");
    };
    for (handle, role) in [
        ("owner", Role::Owner),
        ("admin", Role::Admin),
        ("group admin", Role::GroupAdmin(here)),
    ] {
        let id = place.user(handle).await;
        // Twice is once, for global roles too.
        store.grant_role(id, role, None, at(0)).await.unwrap();
        store.grant_role(id, role, Some(id), at(1)).await.unwrap();
    }
    assert_eq!(place.number("SELECT COUNT(*) FROM roles").await, 3);
    let member = place.user("member").await;
    store.add_member(member, here, None, at(0)).await.unwrap();
    store.add_member(member, here, None, at(1)).await.unwrap();
    check("owner", (true, true)).await;
    check("admin", (true, true)).await;
    check("group admin", (true, false)).await;
    check("member", (true, false)).await;
    check("stranger", (false, false)).await;
    assert!(store.remove_member(member, here).await.unwrap());
    check("member", (false, false)).await;
    let owner = place.user("owner").await;
    assert!(store.revoke_role(owner, Role::Owner).await.unwrap());
    assert!(!store.revoke_role(owner, Role::Owner).await.unwrap());
    check("owner", (false, false)).await;
}

#[tokio::test]
async fn a_subscription_is_of_one_thread() {
    let place = Place::new().await;
    let outside = Subscription {
        agent_group: place.group(1).await,
        conversation: place.conversation("chat").await,
        thread: None,
    };
    let inside = Subscription {
        thread: Some(ThreadId::parse("t").unwrap()),
        ..outside.clone()
    };
    let store = &place.store;
    store.subscribe(&inside, "mention", at(0)).await.unwrap();
    store.subscribe(&inside, "mention", at(1)).await.unwrap();
    assert!(store.is_subscribed(&inside).await.unwrap());
    assert!(!store.is_subscribed(&outside).await.unwrap());
    assert!(store.unsubscribe(&inside).await.unwrap());
    assert!(!store.unsubscribe(&inside).await.unwrap());
    assert!(!store.is_subscribed(&inside).await.unwrap());
}

#[tokio::test]
async fn a_standing_has_every_role_and_membership() {
    let place = Place::new().await;
    let store = &place.store;
    let (here, there) = (place.group(1).await, place.group(2).await);
    let user = place.user("ann").await;
    assert_eq!(store.standing(user).await.unwrap(), Standing::default());
    for role in [Role::Admin, Role::GroupAdmin(here), Role::Owner] {
        store.grant_role(user, role, None, at(0)).await.unwrap();
    }
    store.add_member(user, there, None, at(0)).await.unwrap();
    let standing = store.standing(user).await.unwrap();
    assert!(standing.owns() && standing.roles.contains(&Role::Admin));
    assert!(standing.roles.contains(&Role::GroupAdmin(here)));
    assert_eq!((standing.roles.len(), standing.member_of), (3, vec![there]));
    let stranger = place.user("bob").await;
    assert_eq!(store.standing(stranger).await.unwrap(), Standing::default());
}

#[tokio::test]
async fn role_holders_are_listed_with_their_channel_the_longest_standing_first() {
    let place = Place::new().await;
    let store = &place.store;
    let group = place.group(1).await;
    assert!(!store.has_owner().await.unwrap());
    let (ann, bob) = (place.user("ann").await, place.user("bob").await);
    for (user, role, when) in [
        (ann, Role::GroupAdmin(group), 2),
        (bob, Role::Owner, 1),
        (bob, Role::Owner, 5),
    ] {
        store.grant_role(user, role, None, at(when)).await.unwrap();
    }
    let holder = |user, role, when| RoleHolder {
        user,
        channel: channel(),
        role,
        granted_at: at(when),
    };
    assert_eq!(
        store.role_holders().await.unwrap(),
        [
            holder(bob, Role::Owner, 1),
            holder(ann, Role::GroupAdmin(group), 2)
        ]
    );
    assert!(store.has_owner().await.unwrap());
    store.revoke_role(bob, Role::Owner).await.unwrap();
    assert!(!store.has_owner().await.unwrap());
}

#[tokio::test]
async fn people_are_found_by_id_and_by_handle_and_can_be_renamed() {
    let place = Place::new().await;
    let store = &place.store;
    let id = place.user("a:b").await;
    let expect = User {
        id,
        channel: channel(),
        handle: user("cli", "a:b").handle,
        display_name: Some("Ann".to_owned()),
    };
    assert!(store.rename_user(id, "Ann").await.unwrap());
    assert_eq!(store.user(id).await.unwrap(), Some(expect.clone()));
    let found = store.find_user(&expect.channel, &expect.handle).await;
    assert_eq!(found.unwrap(), Some(expect.clone()));
    let elsewhere = user("work", "a:b");
    let found = store.find_user(&elsewhere.channel, &elsewhere.handle).await;
    assert_eq!(found.unwrap(), None);
    let nobody = UserId::mint(at(0), bytes("nobody"));
    assert_eq!(store.user(nobody).await.unwrap(), None);
    assert!(!store.rename_user(nobody, "x").await.unwrap());
}
