use anchorhold_core::{
    access::Role,
    entity::{AdminScope, AgentGroup, ManagedBy},
    guard::act::GroupChange,
};

use crate::{
    Disposition, Durability,
    groups::GroupConfig,
    people::Subscription,
    pull::Pulled,
    tests::fixture::{Place, address, at, event, group, message, pulled, wiring},
};

#[tokio::test]
async fn groups_read_back_as_they_were_written() {
    let place = Place::new().await;
    let wanted = AgentGroup {
        model: None,
        ..group(2)
    };
    place.store.add_group(&group(1), at(0)).await.unwrap();
    place.store.add_group(&wanted, at(0)).await.unwrap();
    assert_eq!(
        place.store.groups().await.unwrap(),
        [group(1), wanted.clone()]
    );
    assert_eq!(
        place.store.group(wanted.id).await.unwrap(),
        Some(wanted.clone())
    );
    let found = place.store.group_by_folder(&wanted.folder).await.unwrap();
    assert_eq!(found, Some(wanted));
    let again = place.store.add_group(&group(1), at(0)).await.unwrap_err();
    assert_eq!(again.disposition(), Disposition::Refused);
}

#[tokio::test]
async fn defect_38_a_new_group_is_configured_and_can_start() {
    let place = Place::new().await;
    let id = place.group(1).await;
    let config = place.store.group_config(id).await.unwrap().unwrap();
    assert_eq!(
        (config.skills.as_str(), config.admin_scope),
        ("\"all\"", AdminScope::Group)
    );
    let wanted = GroupConfig {
        effort: Some("high".to_owned()),
        skills: "[\"a\"]".to_owned(),
        admin_scope: AdminScope::Disabled,
        ..config
    };
    place
        .store
        .set_group_config(id, &wanted, at(1))
        .await
        .unwrap();
    assert_eq!(
        place.store.group_config(id).await.unwrap(),
        Some(wanted.clone())
    );
    let bad = GroupConfig {
        mcp_servers: "{".to_owned(),
        ..wanted
    };
    let error = place
        .store
        .set_group_config(id, &bad, at(1))
        .await
        .unwrap_err();
    assert_eq!(error.disposition(), Disposition::Refused);
}

#[tokio::test]
async fn defect_38_deleting_a_group_deletes_what_depends_on_it() {
    let place = Place::new().await;
    let store = &place.store;
    let session = place.session(1, "chat").await;
    let other = place.session(2, "chat").await;
    let (id, user) = (group(1).id, place.user("ann").await);
    store
        .add_wiring(&wiring(1, None, id), 0, at(0))
        .await
        .unwrap();
    store.add_member(user, id, None, at(0)).await.unwrap();
    store
        .grant_role(user, Role::GroupAdmin(id), None, at(0))
        .await
        .unwrap();
    let follows = Subscription {
        agent_group: id,
        conversation: place.conversation("chat").await,
        thread: None,
    };
    store.subscribe(&follows, "mention", at(0)).await.unwrap();
    store
        .record_event(&event(2, vec![message(session, 2), message(other, 2)]))
        .await
        .unwrap();
    let answer = Pulled {
        deliveries: vec![pulled(3, address("chat", None))],
        ..Pulled::default()
    };
    store.accept(session, &answer, at(3)).await.unwrap();
    store
        .begin_attempt(
            answer.deliveries[0].delivery.id,
            0,
            Durability::Power,
            at(4),
        )
        .await
        .unwrap();
    assert!(store.delete_group(id).await.unwrap());
    assert!(!store.delete_group(id).await.unwrap());
    let left = "SELECT (SELECT COUNT(*) FROM wirings) + (SELECT COUNT(*) FROM members)
        + (SELECT COUNT(*) FROM roles) + (SELECT COUNT(*) FROM subscriptions)
        + (SELECT COUNT(*) FROM deliveries) + (SELECT COUNT(*) FROM attempts)";
    assert_eq!(place.number(left).await, 0);
    // The other group has lost nothing, and the ledger still knows the message.
    assert_eq!(place.number("SELECT COUNT(*) FROM sessions").await, 1);
    assert!(store.message(other, 2).await.unwrap().is_some());
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 1);
    assert_eq!(store.health().await.unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn a_group_changes_in_parts_and_one_of_the_file_in_the_file() {
    let place = Place::new().await;
    let store = &place.store;
    let id = place.group(1).await;
    let change = GroupChange {
        name: Some("Other".to_owned()),
        tries: Some(9),
        admin_scope: Some(AdminScope::Global),
        assistant_name: Some("Ann".to_owned()),
        ..GroupChange::default()
    };
    assert!(store.update_group(id, &change, at(1)).await.unwrap());
    let nothing = GroupChange::default();
    assert!(store.update_group(id, &nothing, at(2)).await.unwrap());
    let mut expect = group(1);
    expect.name = "Other".to_owned();
    expect.limits.tries = 9;
    assert_eq!(store.group(id).await.unwrap(), Some(expect));
    let config = store.group_config(id).await.unwrap().unwrap();
    assert_eq!(config.assistant_name.as_deref(), Some("Ann"));
    let taken_away = GroupChange {
        assistant_name: Some(String::new()),
        model: Some(String::new()),
        ..GroupChange::default()
    };
    assert!(store.update_group(id, &taken_away, at(3)).await.unwrap());
    let config = store.group_config(id).await.unwrap().unwrap();
    assert_eq!(config.assistant_name, None);
    assert_eq!(store.group(id).await.unwrap().unwrap().model, None);
    assert_eq!(store.admin_scope(id).await.unwrap(), AdminScope::Global);
    let of_file = AgentGroup {
        managed_by: ManagedBy::File,
        ..group(2)
    };
    store.add_group(&of_file, at(0)).await.unwrap();
    assert!(
        !store
            .update_group(of_file.id, &change, at(1))
            .await
            .unwrap()
    );
    assert_eq!(store.group(of_file.id).await.unwrap(), Some(of_file));
}

#[tokio::test]
async fn without_a_configuration_an_agent_may_ask_for_nothing() {
    let place = Place::new().await;
    let (id, disabled) = (place.group(1).await, AdminScope::Disabled);
    let scope = async |group| place.store.admin_scope(group).await.unwrap();
    assert_eq!(scope(id).await, AdminScope::Group);
    assert_eq!(scope(group(9).id).await, disabled);
    let retire = "UPDATE agent_groups SET retired_at = 1";
    place.sql(retire).await.unwrap();
    assert_eq!(scope(id).await, disabled);
    place
        .sql("UPDATE agent_groups SET retired_at = NULL")
        .await
        .unwrap();
    place.sql("DELETE FROM group_config").await.unwrap();
    assert_eq!(scope(id).await, disabled);
}
