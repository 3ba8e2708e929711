use anchorhold_core::{
    entity::{AdminScope, AgentGroup, ManagedBy, UnknownSenderPolicy, Wiring},
    ids::{AgentGroupId, ChatId, FolderName, WiringId},
};

use crate::{
    Disposition, Error,
    reconcile::{
        Changes, Reconciled,
        conflict::{Conflict, WiringKey},
        desired::{DesiredGroup, DesiredPolicy, DesiredWiring, FileConfig},
    },
    tests::fixture::{Place, at, bytes, channel, group, wiring},
};

pub(crate) fn folder(n: u64) -> FolderName {
    group(n).folder
}

pub(crate) fn desired_group(n: u64) -> DesiredGroup {
    let AgentGroup {
        name,
        folder,
        provider,
        model,
        runtime,
        limits,
        ..
    } = group(n);
    DesiredGroup {
        fresh: AgentGroupId::mint(at(0), bytes(&format!("file {n}"))),
        name,
        folder,
        provider,
        model,
        runtime,
        limits,
        assistant_name: None,
        admin_scope: AdminScope::Group,
    }
}

pub(crate) fn desired_wiring(n: u64, chat: Option<&str>) -> DesiredWiring {
    let like = wiring(n, chat, group(n).id);
    DesiredWiring {
        fresh: WiringId::mint(at(0), bytes(&format!("file {n} {chat:?}"))),
        channel: like.channel,
        chat: like.chat,
        group: folder(n),
        engage: like.engage,
        pattern: like.pattern,
        sender_scope: like.sender_scope,
        ignored: like.ignored,
        session_mode: like.session_mode,
        priority: 0,
    }
}

pub(crate) fn file(groups: &[u64]) -> FileConfig {
    FileConfig {
        groups: groups.iter().map(|n| desired_group(*n)).collect(),
        wirings: groups.iter().map(|n| desired_wiring(*n, None)).collect(),
        ..FileConfig::default()
    }
}

pub(crate) fn changes(added: u64, changed: u64, removed: u64) -> Changes {
    Changes {
        added,
        changed,
        removed,
    }
}

/// Everything of a row's content, in the database's own words.
async fn dump(place: &Place) -> (Vec<AgentGroup>, Vec<Wiring>, i64) {
    let chat = ChatId::parse("chat").unwrap();
    (
        place.store.groups().await.unwrap(),
        place.store.wirings_for(&channel(), &chat).await.unwrap(),
        place.number("SELECT COUNT(*) FROM agent_groups").await,
    )
}

#[tokio::test]
async fn the_file_adds_changes_and_removes_its_own_rows() {
    let place = Place::new().await;
    let store = &place.store;
    let done = store.reconcile_file(&file(&[1, 2]), at(0)).await.unwrap();
    let added = Reconciled {
        groups: changes(2, 0, 0),
        wirings: changes(2, 0, 0),
        ..Reconciled::default()
    };
    assert_eq!(done, added);
    let first = store.group_by_folder(&folder(1)).await.unwrap().unwrap();
    assert_eq!(
        (first.id, first.managed_by),
        (desired_group(1).fresh, ManagedBy::File)
    );
    assert!(store.group_config(first.id).await.unwrap().is_some());
    // The next start has other fresh ids and changes nothing.
    let mut again = file(&[1, 2]);
    again.groups[0].fresh = AgentGroupId::mint(at(9), bytes("other"));
    again.wirings[0].fresh = WiringId::mint(at(9), bytes("other"));
    let done = store.reconcile_file(&again, at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    again.groups[0].limits.tries = 9;
    again.wirings[0].priority = 7;
    again.wirings.push(desired_wiring(1, Some("chat")));
    again.groups.pop();
    again.wirings.remove(1);
    let done = store.reconcile_file(&again, at(2)).await.unwrap();
    let expect = Reconciled {
        groups: changes(0, 1, 1),
        wirings: changes(1, 1, 1),
        ..Reconciled::default()
    };
    assert_eq!(done, expect);
    let changed = store.groups().await.unwrap();
    assert_eq!(
        (changed.len(), changed[0].id, changed[0].limits.tries),
        (1, first.id, 9)
    );
}

#[tokio::test]
async fn a_group_with_a_session_is_retired_and_can_come_back() {
    let place = Place::new().await;
    let store = &place.store;
    store.reconcile_file(&file(&[1]), at(0)).await.unwrap();
    let id = desired_group(1).fresh;
    let key = anchorhold_core::entity::SessionKey {
        agent_group: id,
        conversation: None,
        thread: None,
    };
    let fresh = anchorhold_core::ids::SessionId::mint(at(0), bytes("s"));
    store.session_for(&key, fresh, at(0)).await.unwrap();
    let done = store
        .reconcile_file(&FileConfig::default(), at(1))
        .await
        .unwrap();
    let retired = Reconciled {
        groups_retired: 1,
        wirings: changes(0, 0, 1),
        ..Reconciled::default()
    };
    assert_eq!(done, retired);
    assert_eq!(store.groups().await.unwrap(), []);
    assert!(store.group(id).await.unwrap().is_some());
    assert!(store.session(fresh).await.unwrap().is_some());
    let done = store
        .reconcile_file(&FileConfig::default(), at(2))
        .await
        .unwrap();
    assert_eq!(done, Reconciled::default());
    let done = store.reconcile_file(&file(&[1]), at(3)).await.unwrap();
    assert_eq!(
        (done.groups, done.wirings),
        (changes(1, 0, 0), changes(1, 0, 0))
    );
    assert_eq!(store.groups().await.unwrap()[0].id, id);
}

#[tokio::test]
async fn rows_of_run_time_are_never_touched() {
    let place = Place::new().await;
    let store = &place.store;
    let own = place.group(5).await;
    store
        .add_wiring(&wiring(5, Some("chat"), own), 3, at(0))
        .await
        .unwrap();
    store.reconcile_file(&file(&[1]), at(0)).await.unwrap();
    // Somebody wires a group of the file to one more chat, which keeps the group.
    let extra = wiring(6, Some("chat"), desired_group(1).fresh);
    store.add_wiring(&extra, 0, at(0)).await.unwrap();
    // The file may wire a group of run time.
    let mut wires = FileConfig::default();
    wires.wirings.push(desired_wiring(5, None));
    let done = store.reconcile_file(&wires, at(1)).await.unwrap();
    assert_eq!((done.groups_retired, done.wirings), (1, changes(1, 0, 1)));
    let done = store
        .reconcile_file(&FileConfig::default(), at(2))
        .await
        .unwrap();
    assert_eq!(
        (done.groups, done.wirings),
        (Changes::default(), changes(0, 0, 1))
    );
    let left = dump(&place).await;
    assert_eq!(
        left,
        (vec![group(5)], vec![wiring(5, Some("chat"), own)], 2)
    );
    assert!(store.remove_wiring(extra.id).await.unwrap());
}

#[tokio::test]
async fn what_was_made_at_run_time_is_what_the_file_wants() {
    let place = Place::new().await;
    let store = &place.store;
    let own = place.group(5).await;
    let runtime = wiring(5, None, own);
    store.add_wiring(&runtime, 3, at(0)).await.unwrap();
    let before = dump(&place).await;
    let mut wanted = file(&[5]);
    wanted.wirings[0].priority = 3;
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    // The file's other opinions are counted, and change nothing.
    wanted.groups[0].admin_scope = AdminScope::Global;
    wanted.wirings[0].priority = 4;
    let done = store.reconcile_file(&wanted, at(2)).await.unwrap();
    let expect = Reconciled {
        overruled: 2,
        ..Reconciled::default()
    };
    assert_eq!(done, expect);
    // Nor does their absence.
    let none = FileConfig::default();
    let done = store.reconcile_file(&none, at(3)).await.unwrap();
    assert_eq!(done, Reconciled::default());
    assert_eq!(dump(&place).await, before);
}

#[tokio::test]
async fn the_agents_own_name_and_scope_are_the_files() {
    let place = Place::new().await;
    let store = &place.store;
    let mut wanted = file(&[1]);
    wanted.groups[0].assistant_name = Some("Ann".to_owned());
    wanted.groups[0].admin_scope = AdminScope::Disabled;
    let config = "SELECT COUNT(*) FROM group_config WHERE assistant_name = 'Ann'
         AND admin_scope = 'disabled' AND effort = 'high'";
    store.reconcile_file(&wanted, at(0)).await.unwrap();
    // What the file can't say is left alone.
    place
        .sql("UPDATE group_config SET effort = 'high'")
        .await
        .unwrap();
    assert_eq!(place.number(config).await, 1);
    let sql = "UPDATE group_config SET admin_scope = 'global', assistant_name = NULL";
    place.sql(sql).await.unwrap();
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done.groups, changes(0, 1, 0));
    assert_eq!(place.number(config).await, 1);
    place.sql("DELETE FROM group_config").await.unwrap();
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done.groups, changes(0, 1, 0));
    let done = store.reconcile_file(&wanted, at(1)).await.unwrap();
    assert_eq!(done, Reconciled::default());
}

#[tokio::test]
async fn conflicts_are_told_together_and_then_nothing_changes() {
    let place = Place::new().await;
    let store = &place.store;
    store.reconcile_file(&file(&[1]), at(0)).await.unwrap();
    let own = place.group(5).await;
    place
        .sql("UPDATE agent_groups SET retired_at = 1 WHERE folder = 'g5'")
        .await
        .unwrap();
    let before = dump(&place).await;
    let mut wanted = file(&[2, 5, 2]);
    wanted.wirings.push(desired_wiring(7, Some("chat")));
    let error = store.reconcile_file(&wanted, at(1)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Refused);
    let Error::Conflicts { conflicts } = error else {
        panic!("{error}");
    };
    let key = |n, chat: Option<&str>| WiringKey {
        channel: channel(),
        chat: chat.map(|chat| ChatId::parse(chat).unwrap()),
        group: folder(n),
    };
    let expect = [
        Conflict::RetiredGroup {
            folder: folder(5),
            group: own,
        },
        Conflict::RepeatedGroup { folder: folder(2) },
        Conflict::UnknownGroup { key: key(5, None) },
        Conflict::RepeatedWiring { key: key(2, None) },
        Conflict::UnknownGroup {
            key: key(7, Some("chat")),
        },
    ];
    assert_eq!(conflicts, expect);
    assert_eq!(dump(&place).await, before);
}

#[tokio::test]
async fn policies_apply_where_no_person_has_decided() {
    let place = Place::new().await;
    let store = &place.store;
    place.conversation("a").await;
    let decided = place.conversation("b").await;
    let request = UnknownSenderPolicy::RequestApproval;
    store.set_unknown_senders(decided, request).await.unwrap();
    let config = FileConfig {
        policies: vec![DesiredPolicy {
            channel: channel(),
            unknown_senders: UnknownSenderPolicy::Public,
        }],
        ..FileConfig::default()
    };
    assert_eq!(
        store.reconcile_file(&config, at(0)).await.unwrap().policies,
        1
    );
    assert_eq!(
        store.reconcile_file(&config, at(0)).await.unwrap().policies,
        0
    );
    for (chat, expect) in [("a", UnknownSenderPolicy::Public), ("b", request)] {
        let chat = ChatId::parse(chat).unwrap();
        let found = store
            .conversation(&channel(), &chat)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(found.unknown_senders, expect, "{chat}");
    }
}
