//! What agents may ask for. The numbers are those of the reference's list of behaviours (§13.5).

use super::*;
use crate::{catalog::CATALOG, request::Usage};

const OWN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const OTHER: &str = "01890a5d-ac96-774b-bcce-b302099a8058";

/// What is expected of a request: the arguments it is carried out with, or why it is not.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passes(Vec<(String, String)>),
    Forbidden(String),
    NotOne(String),
}

fn own() -> GroupRef {
    GroupRef {
        id: AgentGroupId::parse(OWN).unwrap(),
        folder: FolderName::parse("mine").unwrap(),
    }
}

fn request(command: &str, args: &[(&str, &str)]) -> Request {
    let (resource, verb) = command.split_once(' ').unwrap_or((command, ""));
    Request {
        resource: resource.to_owned(),
        verb: verb.to_owned(),
        args: pairs(args).into_iter().collect(),
    }
}

fn pairs(args: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = args.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn outcome(scope: AdminScope, request: &Request) -> Outcome {
    match agent_scope(scope, &own(), request) {
        Ok(checked) => Outcome::Passes(checked.request().args.into_iter().collect()),
        Err(refusal) if refusal.code() == FailCode::Forbidden => {
            Outcome::Forbidden(refusal.to_string())
        }
        Err(refusal) => Outcome::NotOne(refusal.to_string()),
    }
}

#[track_caller]
fn passes(scope: AdminScope, command: &str, args: &[(&str, &str)], with: &[(&str, &str)]) {
    let outcome = outcome(scope, &request(command, args));
    assert_eq!(outcome, Outcome::Passes(pairs(with)), "{command} {args:?}");
}

#[track_caller]
fn forbidden(scope: AdminScope, command: &str, args: &[(&str, &str)], why: &str) {
    let outcome = outcome(scope, &request(command, args));
    assert_eq!(
        outcome,
        Outcome::Forbidden(why.to_owned()),
        "{command} {args:?}"
    );
}

/// A request for each command of the catalog that lacks nothing.
fn every_command() -> Vec<Request> {
    crate::tests::EVERY_COMMAND
        .iter()
        .map(|line| crate::tests::parsed(line))
        .collect()
}

#[test]
fn a_disabled_scope_forbids_everything() {
    // 1
    for request in every_command() {
        let (_, verb) = request.find().unwrap();
        if matches!(verb.agents, Agents::Own(_)) {
            continue;
        }
        let why = "agents of this group may not administer anything";
        assert_eq!(
            outcome(AdminScope::Disabled, &request),
            Outcome::Forbidden(why.to_owned())
        );
    }
    let nonsense = request("nonsense", &[]);
    assert!(matches!(
        outcome(AdminScope::Disabled, &nonsense),
        Outcome::Forbidden(_)
    ));
}

#[test]
fn the_own_group_is_filled_in() {
    use AdminScope::Group;
    // 2
    passes(Group, "groups get", &[], &[("id", OWN)]);
    passes(Group, "groups delete", &[], &[("id", OWN)]);
    passes(Group, "groups restart", &[], &[("id", OWN)]);
    passes(
        Group,
        "groups update",
        &[("name", "Me")],
        &[("id", OWN), ("name", "Me")],
    );
    // 9: the session's id is not the group's.
    passes(Group, "sessions list", &[], &[("group", OWN)]);
    passes(
        Group,
        "sessions get",
        &[("id", "7")],
        &[("group", OWN), ("id", "7")],
    );
    passes(
        Group,
        "sessions close",
        &[("id", "7")],
        &[("group", OWN), ("id", "7")],
    );
    // 10, but by the name of the group's field.
    passes(Group, "destinations list", &[], &[("group", OWN)]);
    passes(
        Group,
        "destinations remove",
        &[("name", "team")],
        &[("group", OWN), ("name", "team")],
    );
    // 11
    passes(Group, "members list", &[], &[("group", OWN)]);
    passes(
        Group,
        "members add",
        &[("user", "1")],
        &[("group", OWN), ("user", "1")],
    );
    // Ours, too: what an agent may see of its wirings and of what it asked for.
    passes(Group, "wirings list", &[], &[("group", OWN)]);
    passes(
        Group,
        "wirings get",
        &[("id", "7")],
        &[("group", OWN), ("id", "7")],
    );
    passes(Group, "approvals list", &[], &[("group", OWN)]);
}

#[test]
fn the_own_group_may_be_named_by_id_or_folder_and_goes_on_as_its_id() {
    // 4
    for name in [OWN, "mine", &OWN.to_uppercase()] {
        passes(
            AdminScope::Group,
            "groups get",
            &[("id", name)],
            &[("id", OWN)],
        );
        passes(
            AdminScope::Group,
            "members list",
            &[("group", name)],
            &[("group", OWN)],
        );
    }
}

#[test]
fn another_group_is_forbidden_whether_it_exists_or_not() {
    // 3, 13, 14, 21
    for name in [OTHER, "other", "Mine", "mine ", "", "*", "%", "mine\0"] {
        for (command, field) in [
            ("groups list", "group"),
            ("groups get", "id"),
            ("groups update", "id"),
            ("groups delete", "id"),
            ("groups restart", "id"),
            ("sessions list", "group"),
            ("sessions get", "group"),
            ("destinations add", "group"),
            ("members remove", "group"),
            ("wirings explain", "group"),
            ("approvals list", "group"),
        ] {
            let why = format!("`{command}` may name only the agent's own group");
            forbidden(AdminScope::Group, command, &[(field, name)], &why);
        }
    }
}

#[test]
fn a_second_spelling_of_the_group_is_no_way_around() {
    // 13, and the reference's bypass of it.
    for name in [
        "agent_group_id",
        "agent-group-id",
        "GROUP",
        "group_id",
        "id",
    ] {
        for named in [OWN, OTHER] {
            let args = [("group", OWN), (name, named)];
            let outcome = outcome(AdminScope::Group, &request("destinations list", &args));
            assert!(matches!(outcome, Outcome::NotOne(_)), "{name} {outcome:?}");
        }
    }
}

#[test]
fn no_agent_sets_how_far_agents_reach() {
    // 5, 6: with a dash it is forbidden, with an underscore there is no such field.
    for scope in [AdminScope::Group, AdminScope::Global] {
        for (command, field) in [("groups create", "folder"), ("groups update", "id")] {
            let args = [(field, "mine"), ("name", "Me"), ("admin-scope", "global")];
            let outcome = outcome(scope, &request(command, &args));
            assert_eq!(
                outcome,
                Outcome::Forbidden(format!(
                    "only people may do that, on the host: `{command} --admin-scope`"
                ))
            );
        }
        for name in ["admin_scope", "cli_scope", "cli-scope"] {
            let args = [("id", "mine"), (name, "global")];
            let outcome = outcome(scope, &request("groups update", &args));
            assert!(matches!(outcome, Outcome::NotOne(_)), "{name} {outcome:?}");
        }
    }
}

#[test]
fn what_is_not_the_groups_own_is_forbidden() {
    // 7, 12, 28
    for command in [
        "groups create",
        "wirings create",
        "wirings update",
        "wirings delete",
        "users list",
        "users get",
        "users create",
        "roles list",
        "roles grant",
        "roles revoke",
        "conversations list",
        "conversations update",
        "dms list",
        "dropped list",
        "audit list",
        "undo list",
        "approvals get",
    ] {
        let why = format!("`{command}` is not open to agents that administer only their own group");
        forbidden(AdminScope::Group, command, &[], &why);
    }
}

#[test]
fn what_only_people_may_do_is_forbidden_in_every_scope() {
    // 8: help is printed without asking; the one command of one word is for people.
    for scope in [AdminScope::Group, AdminScope::Global] {
        for command in [
            "pair",
            "approvals approve",
            "approvals reject",
            "undo restore",
        ] {
            let why = format!("only people may do that, on the host: `{command}`");
            forbidden(scope, command, &[], &why);
        }
    }
}

#[test]
fn a_global_scope_reaches_all_groups_and_fills_nothing_in() {
    use AdminScope::Global;
    // 15, 16, 17, 23
    passes(Global, "groups get", &[("id", OTHER)], &[("id", OTHER)]);
    passes(Global, "groups list", &[], &[]);
    passes(Global, "sessions list", &[], &[]);
    passes(Global, "users list", &[], &[]);
    passes(Global, "audit list", &[], &[]);
    passes(
        Global,
        "members list",
        &[("group", "other")],
        &[("group", "other")],
    );
    let lacking = outcome(Global, &request("groups get", &[]));
    assert_eq!(
        lacking,
        Outcome::NotOne("`groups get` needs GROUP".to_owned())
    );
    for request in every_command() {
        let passed = matches!(outcome(Global, &request), Outcome::Passes(_));
        let (_, verb) = request.find().unwrap();
        let named = request.args.keys();
        let mut named = named.filter_map(|name| verb.field(name));
        let people = verb.agents == Agents::Never || named.any(|field| field.host_only);
        assert_eq!(passed, !people, "{request:?}");
    }
}

#[test]
fn a_list_or_a_look_that_passes_names_the_own_group() {
    // 20, 21, 22, 24, 25, 26, 27: the request says which rows may be shown, of lists before their
    // limit counts; a foreign id meets a request for things of the own group, as an unknown one does.
    for asked in every_command() {
        let Ok(checked) = agent_scope(AdminScope::Group, &own(), &asked) else {
            continue;
        };
        let (Agents::Group(field) | Agents::Own(field)) = checked.agents() else {
            panic!("{checked:?}");
        };
        assert_eq!(checked.text(field), Some(OWN), "{checked:?}");
    }
    let list = agent_scope(AdminScope::Group, &own(), &request("groups list", &[])).unwrap();
    assert_eq!(list.text("group"), Some(OWN));
}

#[test]
fn people_on_the_host_are_not_judged() {
    // 19; 18 has no counterpart, as every group has a scope.
    for request in every_command() {
        assert!(request.check().is_ok(), "{request:?}");
    }
}

#[test]
fn every_verb_is_refused_or_bound_in_the_group_scope() {
    for resource in CATALOG {
        for verb in resource.verbs {
            let asked = request(&resource.command(verb), &[]);
            match (verb.agents, agent_scope(AdminScope::Group, &own(), &asked)) {
                (Agents::Never | Agents::Global, outcome) => {
                    assert_eq!(outcome.unwrap_err().code(), FailCode::Forbidden);
                }
                (Agents::Group(field) | Agents::Own(field), Ok(checked)) => {
                    assert_eq!(checked.text(field), Some(OWN));
                }
                (Agents::Group(_) | Agents::Own(_), Err(refusal)) => {
                    let lacks = matches!(refusal, Refusal::Usage(Usage::Missing { .. }));
                    assert!(lacks, "{refusal}");
                }
            }
        }
    }
}

/// The tasks of an agent are its own, and those of others are not, whatever its scope.
#[test]
fn what_is_an_agents_own_is_open_in_every_scope_and_bound_in_each() {
    for scope in [AdminScope::Disabled, AdminScope::Group, AdminScope::Global] {
        let list = agent_scope(scope, &own(), &request("tasks list", &[])).unwrap();
        assert_eq!(list.text("group"), Some(OWN), "{scope:?}");
        let foreign = request("tasks list", &[("group", "another")]);
        let refusal = agent_scope(scope, &own(), &foreign).unwrap_err();
        assert!(matches!(refusal, Refusal::OtherGroup { .. }), "{scope:?}");
        let people = agent_scope(scope, &own(), &request("tasks run-now", &[("id", "x")]));
        assert_eq!(people.unwrap_err().code(), FailCode::Forbidden, "{scope:?}");
    }
}

#[test]
fn a_refusal_is_a_reply() {
    let refusal = Refusal::Disabled;
    let reply = Reply::Failed {
        code: FailCode::Forbidden,
        what: "agents of this group may not administer anything".to_owned(),
    };
    assert!(Reply::from(&refusal) == reply);
}
