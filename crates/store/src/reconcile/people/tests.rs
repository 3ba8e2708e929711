use anchorhold_core::ids::{ChannelName, Handle, UserId};

use crate::{
    Error,
    reconcile::{
        Reconciled,
        conflict::Conflict,
        desired::{DesiredPerson, DesiredRole, FileConfig},
        tests::{changes, desired_group, file, folder},
    },
    tests::fixture::{Place, at, bytes, channel},
};

fn person(handle: &str, roles: &[DesiredRole], member_of: &[u64]) -> DesiredPerson {
    DesiredPerson {
        fresh: UserId::mint(at(0), bytes(handle)),
        channel: channel(),
        handle: Handle::parse(handle).unwrap(),
        name: Some(format!("The \"{handle}\"")),
        roles: roles.to_vec(),
        member_of: member_of.iter().map(|n| folder(*n)).collect(),
    }
}

fn with(people: Vec<DesiredPerson>) -> FileConfig {
    FileConfig {
        people,
        ..file(&[1, 2])
    }
}

async fn count(place: &Place, table: &str, managed_by: &str) -> i64 {
    place
        .number(&format!(
            "SELECT COUNT(*) FROM {table} WHERE managed_by = '{managed_by}'"
        ))
        .await
}

#[tokio::test]
async fn people_get_what_the_file_gives_and_lose_it_with_their_entry() {
    let place = Place::new().await;
    let store = &place.store;
    let odd = "a:b\"c' é";
    let admin = DesiredRole::AdminOf(folder(1));
    let wanted = with(vec![
        person(odd, &[DesiredRole::Owner, admin], &[2]),
        person("bob", &[DesiredRole::Admin], &[1, 2]),
    ]);
    let done = store.reconcile_file(&wanted, at(0)).await.unwrap();
    assert_eq!(
        (done.users, done.roles, done.members),
        (2, changes(3, 0, 0), changes(3, 0, 0))
    );
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    let fewer = with(vec![person(odd, &[DesiredRole::Owner], &[2, 1])]);
    let done = store.reconcile_file(&fewer, at(2)).await.unwrap();
    assert_eq!(
        (done.users, done.roles, done.members),
        (0, changes(0, 0, 2), changes(1, 0, 2))
    );
    let done = store
        .reconcile_file(&with(Vec::new()), at(3))
        .await
        .unwrap();
    assert_eq!(
        (done.roles, done.members),
        (changes(0, 0, 1), changes(0, 0, 2))
    );
    assert_eq!(place.number("SELECT COUNT(*) FROM users").await, 2);
}

#[tokio::test]
async fn what_was_given_at_run_time_stays() {
    let place = Place::new().await;
    let store = &place.store;
    store.reconcile_file(&file(&[1, 2]), at(0)).await.unwrap();
    let ann = place.user("ann").await;
    let sql = format!(
        "INSERT INTO roles (user_id, role, granted_at) VALUES ('{ann}', 'owner', 7);
         INSERT INTO members (user_id, agent_group_id, added_at) VALUES ('{ann}', '{}', 7);",
        desired_group(1).fresh
    );
    for sql in sql.split_inclusive(';') {
        place.sql(sql).await.unwrap();
    }
    let mut wanted = with(vec![person("ann", &[DesiredRole::Owner], &[1, 2])]);
    wanted.people[0].name = None;
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(
        (done.users, done.roles, done.members),
        (0, changes(0, 0, 0), changes(1, 0, 0))
    );
    assert_eq!(count(&place, "roles", "runtime").await, 1);
    let done = store
        .reconcile_file(&with(Vec::new()), at(2))
        .await
        .unwrap();
    assert_eq!(
        (done.roles, done.members),
        (changes(0, 0, 0), changes(0, 0, 1))
    );
    assert_eq!(count(&place, "roles", "runtime").await, 1);
    assert_eq!(count(&place, "members", "runtime").await, 1);
}

#[tokio::test]
async fn a_name_counts_where_nobody_has_told_one() {
    let place = Place::new().await;
    let store = &place.store;
    place.user("ann").await;
    let mut wanted = with(vec![person("ann", &[], &[])]);
    store.reconcile_file(&wanted, at(0)).await.unwrap();
    wanted.people[0].name = Some("Another".to_owned());
    store.reconcile_file(&wanted, at(1)).await.unwrap();
    let named = "SELECT COUNT(*) FROM users WHERE display_name = 'The \"ann\"'";
    assert_eq!(place.number(named).await, 1);
}

#[tokio::test]
async fn a_group_that_goes_takes_what_the_file_gave_for_it() {
    let place = Place::new().await;
    let store = &place.store;
    let admin = DesiredRole::AdminOf(folder(1));
    let wanted = with(vec![person("ann", &[admin], &[1])]);
    store.reconcile_file(&wanted, at(0)).await.unwrap();
    let done = store.reconcile_file(&file(&[2]), at(1)).await.unwrap();
    assert_eq!(done.groups, changes(0, 0, 1));
    assert_eq!(
        (done.roles, done.members, done.groups_retired),
        (changes(0, 0, 1), changes(0, 0, 1), 0)
    );
}

#[tokio::test]
async fn what_a_group_has_that_was_retired_at_run_time_stays_for_its_return() {
    let place = Place::new().await;
    let store = &place.store;
    let admin = DesiredRole::AdminOf(folder(1));
    let wanted = with(vec![person("ann", &[admin], &[1])]);
    store.reconcile_file(&wanted, at(0)).await.unwrap();
    let sql = "UPDATE agent_groups SET retired_at = 1 WHERE folder = 'g1'";
    place.sql(sql).await.unwrap();
    let done = store.reconcile_file(&file(&[2]), at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    let back = file(&[1, 2]);
    let done = store.reconcile_file(&back, at(2)).await.unwrap();
    assert_eq!(done.groups, changes(1, 0, 0));
    assert_eq!(
        (done.roles, done.members),
        (changes(0, 0, 1), changes(0, 0, 1))
    );
}

#[tokio::test]
async fn people_of_no_group_and_people_twice_are_conflicts() {
    let place = Place::new().await;
    let admin = DesiredRole::AdminOf(folder(8));
    let twice = person("ann", &[], &[9]);
    let wanted = with(vec![person("ann", &[admin], &[]), twice]);
    let error = place.store.reconcile_file(&wanted, at(0)).await;
    let Err(Error::Conflicts { conflicts }) = error else {
        panic!("{error:?}");
    };
    let expect = [
        Conflict::UnknownFolder {
            folder: folder(8),
            what: "a role",
        },
        Conflict::RepeatedPerson {
            channel: ChannelName::parse("cli").unwrap(),
            handle: Handle::parse("ann").unwrap(),
        },
        Conflict::UnknownFolder {
            folder: folder(9),
            what: "a membership",
        },
    ];
    assert_eq!(conflicts, expect);
    assert_eq!(place.number("SELECT COUNT(*) FROM agent_groups").await, 0);
}
