use jiff::Timestamp;

use super::*;
use crate::{
    entity::{EngageMode, IgnoredPolicy, SenderScope, SessionMode},
    guard::act::{ConversationChange, GroupChange, NewGroup, NewWiring, Target, WiringRules},
    ids::{ChannelName, ConversationId, FolderName, Handle, SessionId, WiringId},
};

fn group(random: u8) -> AgentGroupId {
    AgentGroupId::mint(Timestamp::UNIX_EPOCH, [random; 10])
}

fn user() -> UserId {
    UserId::mint(Timestamp::UNIX_EPOCH, [9; 10])
}

fn conversation() -> ConversationId {
    ConversationId::mint(Timestamp::UNIX_EPOCH, [8; 10])
}

fn rules() -> WiringRules {
    WiringRules {
        engage: EngageMode::Mention,
        pattern: None,
        sender_scope: SenderScope::All,
        ignored: IgnoredPolicy::Drop,
        session_mode: SessionMode::Shared,
        priority: 0,
    }
}

fn change(admin_scope: Option<AdminScope>) -> Act {
    Act::UpdateGroup {
        group: group(1),
        change: GroupChange {
            admin_scope,
            ..GroupChange::default()
        },
    }
}

/// One act of each kind, all about group 1.
fn acts() -> Vec<Act> {
    let mut acts = acts_on_everything();
    acts.extend(acts_on_a_group());
    for role in [Role::Owner, Role::Admin, Role::GroupAdmin(group(1))] {
        acts.push(Act::GrantRole { user: user(), role });
        acts.push(Act::RevokeRole { user: user(), role });
    }
    acts
}

fn new_group(admin_scope: Option<AdminScope>) -> Act {
    Act::CreateGroup(NewGroup {
        folder: FolderName::parse("fresh").unwrap(),
        name: None,
        provider: None,
        model: None,
        runtime: None,
        admin_scope,
    })
}

fn acts_on_everything() -> Vec<Act> {
    let (channel, handle) = ("room", "h");
    vec![
        new_group(None),
        new_group(Some(AdminScope::Global)),
        change(Some(AdminScope::Global)),
        Act::DeleteGroup { group: group(1) },
        Act::UpdateConversation {
            conversation: conversation(),
            change: ConversationChange::default(),
        },
        Act::DeleteConversation {
            conversation: conversation(),
        },
        Act::CreateUser {
            channel: ChannelName::parse(channel).unwrap(),
            handle: Handle::parse(handle).unwrap(),
            name: None,
        },
        Act::RenameUser {
            user: user(),
            name: "n".to_owned(),
        },
        Act::DeleteUser { user: user() },
        Act::Restore { undo: 1 },
        Act::WireConversation {
            conversation: conversation(),
            offered: vec![group(1)],
            asked_by: user(),
        },
    ]
}

fn acts_on_a_group() -> Vec<Act> {
    let (one, user) = (group(1), user());
    let name = FolderName::parse("somewhere").unwrap();
    let wiring = WiringId::mint(Timestamp::UNIX_EPOCH, [7; 10]);
    let (session, message) = (SessionId::mint(Timestamp::UNIX_EPOCH, [6; 10]), None);
    let target = Target::Agent(group(2));
    let new_wiring = NewWiring {
        channel: ChannelName::parse("room").unwrap(),
        chat: None,
        group: one,
        rules: rules(),
    };
    let changed = Act::UpdateWiring {
        wiring,
        group: one,
        rules: rules(),
    };
    let add = Act::AddDestination {
        group: one,
        name: name.clone(),
        target,
    };
    let admit = Act::AdmitSender {
        conversation: conversation(),
        user,
        groups: vec![one],
    };
    vec![
        change(None),
        Act::RestartGroup {
            group: one,
            message,
        },
        Act::CreateWiring(new_wiring),
        changed,
        Act::DeleteWiring { wiring, group: one },
        Act::AddMember { user, group: one },
        Act::RemoveMember { user, group: one },
        add,
        Act::RemoveDestination { group: one, name },
        Act::CloseSession {
            session,
            group: one,
        },
        admit,
    ]
}

fn person(roles: &[Role]) -> Actor {
    Actor::Person {
        user: user(),
        standing: Standing {
            roles: roles.to_vec(),
            member_of: vec![group(1)],
        },
    }
}

fn agent(scope: AdminScope) -> Actor {
    Actor::Agent {
        group: group(1),
        scope,
    }
}

fn names(actor: &Actor, ruling: Ruling) -> Vec<&'static str> {
    let of = acts()
        .into_iter()
        .filter(|act| decide(actor, act) == ruling);
    let mut names: Vec<_> = of.map(|act| act.name()).collect();
    names.dedup();
    names
}

#[test]
fn the_operator_and_an_owner_may_everything() {
    for actor in [Actor::Operator, person(&[Role::Owner])] {
        for act in acts() {
            assert_eq!(decide(&actor, &act), Ruling::Allow, "{actor:?} {act:?}");
        }
    }
}

#[test]
fn a_global_admin_makes_no_owners_and_no_global_admins() {
    let admin = person(&[Role::Admin]);
    let denied = names(&admin, Ruling::Deny(Denial::NotEntitled));
    assert_eq!(
        denied,
        ["grant_role", "revoke_role", "grant_role", "revoke_role"]
    );
    let group_admin = Act::GrantRole {
        user: user(),
        role: Role::GroupAdmin(group(1)),
    };
    assert_eq!(decide(&admin, &group_admin), Ruling::Allow);
}

#[test]
fn a_group_admin_decides_over_that_group_only() {
    let own = names(&person(&[Role::GroupAdmin(group(1))]), Ruling::Allow);
    assert_eq!(
        own,
        [
            "update_group",
            "restart_group",
            "create_wiring",
            "update_wiring",
            "delete_wiring",
            "add_member",
            "remove_member",
            "add_destination",
            "remove_destination",
            "close_session",
            "admit_sender",
        ]
    );
    let other = names(&person(&[Role::GroupAdmin(group(2))]), Ruling::Allow);
    assert!(other.is_empty(), "{other:?}");
}

#[test]
fn a_member_may_nothing() {
    assert!(names(&person(&[]), Ruling::Allow).is_empty());
}

#[test]
fn what_agents_ask_for_is_held_or_denied_and_never_allowed() {
    for scope in AdminScope::ALL {
        assert!(names(&agent(*scope), Ruling::Allow).is_empty(), "{scope:?}");
    }
    assert!(names(&agent(AdminScope::Disabled), Ruling::Hold).is_empty());
    let own = names(&agent(AdminScope::Group), Ruling::Hold);
    assert_eq!(
        own,
        [
            "update_group",
            "restart_group",
            "add_member",
            "remove_member",
            "add_destination",
            "remove_destination",
            "close_session",
        ]
    );
    for act in acts() {
        let foreign = Actor::Agent {
            group: group(2),
            scope: AdminScope::Group,
        };
        assert!(matches!(decide(&foreign, &act), Ruling::Deny(_)), "{act:?}");
    }
}

#[test]
fn no_agent_widens_what_agents_may() {
    for scope in [AdminScope::Group, AdminScope::Global] {
        let ruling = decide(&agent(scope), &change(Some(AdminScope::Disabled)));
        assert_eq!(ruling, Ruling::Deny(Denial::NeverAgents));
    }
}

#[test]
fn a_stranger_is_let_in_by_who_administers_every_agent_they_would_reach() {
    let act = Act::AdmitSender {
        conversation: conversation(),
        user: user(),
        groups: vec![group(1), group(2)],
    };
    let one = person(&[Role::GroupAdmin(group(1))]);
    assert_eq!(decide(&one, &act), Ruling::Deny(Denial::NotEntitled));
    let both = person(&[Role::GroupAdmin(group(1)), Role::GroupAdmin(group(2))]);
    assert_eq!(decide(&both, &act), Ruling::Allow);
    let nowhere = Act::AdmitSender {
        conversation: conversation(),
        user: user(),
        groups: Vec::new(),
    };
    assert_eq!(decide(&both, &nowhere), Ruling::Deny(Denial::NotEntitled));
}

#[test]
fn a_hash_is_of_one_act() {
    let acts = acts();
    for (at, act) in acts.iter().enumerate() {
        assert_eq!(hash(act), hash(&act.clone()));
        let same = acts.iter().filter(|other| hash(other) == hash(act)).count();
        assert_eq!(same, 1, "{at}");
        let text = serde_json::to_string(act).unwrap();
        assert_eq!(&serde_json::from_str::<Act>(&text).unwrap(), act);
    }
    assert_eq!(hash(&acts[0]).len(), 64);
}

#[test]
fn a_code_hashes_with_its_salt() {
    assert_ne!(code_hash("a", "123456"), code_hash("b", "123456"));
    assert_ne!(code_hash("a", "1b"), code_hash("a1", "b"));
    assert_eq!(code_hash("a", "123456"), code_hash("a", "123456"));
}

#[test]
fn what_an_agent_is_told_is_not_on_record() {
    let act = Act::RestartGroup {
        group: group(1),
        message: Some("the secret plan".to_owned()),
    };
    let recorded = record(&act);
    assert!(!recorded.contains("secret"), "{recorded}");
    assert!(recorded.contains("15 bytes"), "{recorded}");
    assert!(record(&new_group(None)).contains("fresh"));
}
