//! The table keeps its own promises.

use anchorhold_core::entity::{
    AdminScope, EngageMode, IgnoredPolicy, RuntimeChoice, SenderScope, SessionMode,
    UnknownSenderPolicy,
};

use super::*;

fn commands() -> impl Iterator<Item = (String, &'static Verb)> {
    CATALOG.iter().flat_map(|resource| {
        let verbs = resource.verbs.iter();
        verbs.map(|verb| (resource.command(verb), verb))
    })
}

fn open_to(agents: impl Fn(Agents) -> bool) -> Vec<String> {
    commands()
        .filter(|(_, verb)| agents(verb.agents))
        .map(|(command, _)| command)
        .collect()
}

#[test]
fn each_name_is_plain_and_there_once() {
    let plain =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    for (at, resource) in CATALOG.iter().enumerate() {
        assert!(plain(resource.name), "{}", resource.name);
        assert!(!resource.about.is_empty(), "{}", resource.name);
        let before = CATALOG.iter().take(at);
        assert!(before.clone().all(|other| other.name != resource.name));
        for verb in resource.verbs {
            let alone = resource.verbs.len() == 1;
            assert!(plain(verb.name) || (verb.name.is_empty() && alone));
            let named = |other: &&Verb| other.name == verb.name;
            assert_eq!(resource.verbs.iter().filter(named).count(), 1);
        }
    }
    for (command, verb) in commands() {
        assert!(!verb.about.is_empty(), "{command}");
        for field in verb.fields {
            assert!(plain(field.name), "{command} {}", field.name);
            // The programs have options of these names.
            assert!(!["json", "help", "data-dir", "config"].contains(&field.name));
            let named = |other: &&Field| other.name == field.name;
            assert_eq!(verb.fields.iter().filter(named).count(), 1, "{command}");
        }
    }
}

#[test]
fn what_stands_by_its_place_stands_first_and_is_needed() {
    for (command, verb) in commands() {
        for (at, field) in verb.fields.iter().enumerate() {
            assert!(
                !field.positional || (at == 0 && field.required),
                "{command}"
            );
        }
    }
}

#[test]
fn rules_and_agents_name_fields_that_are_there() {
    for (command, verb) in commands() {
        if let Agents::Group(field) | Agents::Own(field) = verb.agents {
            let field = verb.field(field).expect(&command);
            assert_eq!(field.kind, Kind::Name, "{command}");
        }
        let mut named = vec![];
        for rule in verb.rules {
            match rule {
                Rule::One(sets) | Rule::AtMostOne(sets) => {
                    named.extend(sets.iter().copied().flatten());
                }
                Rule::Change => {}
                Rule::When {
                    field,
                    value,
                    needs,
                    excludes,
                } => {
                    let kind = verb.field(field).expect(&command).kind;
                    assert_eq!(kind.check(value), Ok(()), "{command}");
                    named.extend(needs.iter().chain(*excludes));
                }
            }
        }
        for name in named {
            assert!(verb.field(name).is_some(), "{command} {name}");
        }
    }
}

#[test]
fn every_list_has_a_limit_and_only_looking_is_reading() {
    for (command, verb) in commands() {
        let looks = matches!(verb.name, "list" | "get" | "show" | "explain")
            || matches!(command.as_str(), "trace" | "spend");
        assert_eq!(verb.access == Access::Read, looks, "{command}");
        assert_eq!(
            verb.field("limit").is_some(),
            verb.name == "list" || command == "spend",
            "{command}"
        );
    }
}

#[test]
fn choices_are_spelled_as_everywhere() {
    fn check(command: (&str, &str), field: &str, values: &[&str]) {
        let verb = resource(command.0).and_then(|resource| resource.verb(command.1));
        let field = verb.and_then(|verb| verb.field(field)).expect(field);
        assert!(
            matches!(field.kind, Kind::Choice(choices) if choices == values),
            "{field:?} {values:?}"
        );
    }
    macro_rules! spellings {
        ($type:ty) => {
            <$type>::ALL
                .iter()
                .map(|value| value.as_str())
                .collect::<Vec<_>>()
        };
    }
    for verb in ["create", "update"] {
        check(("groups", verb), "runtime", &spellings!(RuntimeChoice));
        check(("groups", verb), "admin-scope", &spellings!(AdminScope));
        // `always` is `pattern` with the pattern that matches everything.
        let engage = [vec!["always"], spellings!(EngageMode)].concat();
        check(("wirings", verb), "engage", &engage);
        check(("wirings", verb), "senders", &spellings!(SenderScope));
        check(("wirings", verb), "ignored", &spellings!(IgnoredPolicy));
        check(("wirings", verb), "session", &spellings!(SessionMode));
    }
    let policies = spellings!(UnknownSenderPolicy);
    check(("conversations", "update"), "unknown-senders", &policies);
}

#[test]
fn what_agents_may_ask_for_is_this_and_no_more() {
    assert_eq!(
        open_to(|agents| matches!(agents, Agents::Group(_))),
        [
            "groups list",
            "groups get",
            "groups update",
            "groups delete",
            "groups restart",
            "wirings list",
            "wirings get",
            "wirings explain",
            "members list",
            "members add",
            "members remove",
            "destinations list",
            "destinations add",
            "destinations remove",
            "sessions list",
            "sessions get",
            "sessions close",
            "approvals list",
            "spend",
            "requests list",
            "trace",
        ]
    );
    assert_eq!(
        open_to(|agents| matches!(agents, Agents::Own(_))),
        [
            "tasks list",
            "tasks show",
            "tasks add",
            "tasks update",
            "tasks pause",
            "tasks resume",
            "tasks cancel",
        ]
    );
    assert_eq!(
        open_to(|agents| agents == Agents::Never),
        [
            "approvals approve",
            "approvals reject",
            "undo restore",
            "deadletters list",
            "deadletters show",
            "deadletters retry",
            "deadletters discard",
            "tasks run-now",
            "pair"
        ]
    );
    for (command, verb) in commands() {
        for field in verb.fields {
            let place = ["channel", "conversation", "thread"].contains(&field.name);
            let people = field.name == "admin-scope" || (command == "tasks add" && place);
            assert_eq!(field.host_only, people, "{command}");
        }
    }
}

#[test]
fn values_are_bounded_and_of_their_kind() {
    fn check(kind: Kind, good: &[&str], bad: &[(&str, &str)]) {
        for text in good {
            assert_eq!(kind.check(text), Ok(()), "{text:?}");
        }
        for (text, why) in bad {
            assert_eq!(kind.check(text), Err((*why).to_owned()), "{text:?}");
        }
    }
    let long = "x".repeat(VALUE_LIMIT_BYTES + 1);
    let too_long = "is 4097 bytes long; at most 4096 are accepted";
    check(
        Kind::Text,
        &["", "two\nlines", &"x".repeat(VALUE_LIMIT_BYTES)],
        &[(&long, too_long), ("a\0", "has a zero character")],
    );
    check(
        Kind::Line,
        &["Helper", " ü "],
        &[
            ("", "is empty"),
            ("  ", "is empty"),
            ("\u{1b}[2J", "has a control character"),
        ],
    );
    check(
        Kind::Clearable,
        &["", "big"],
        &[("a\nb", "has a control character")],
    );
    let name = "must be up to 64 of a-z, A-Z, 0-9, `-` and `_`";
    check(
        Kind::Name,
        &["helper", "01890a5d-ac96-774b-bcce-b302099a8057"],
        &[("", name), ("../x", name), ("-x", name), ("a b", name)],
    );
    let platform = "must be 1 to 512 bytes without control characters";
    check(
        Kind::PlatformId,
        &["-100", "*", "@anna:example.org"],
        &[
            ("", platform),
            ("a\n", platform),
            (&"x".repeat(513), platform),
        ],
    );
    let number = "must be a whole number from 1 to 20";
    check(
        Kind::Integer { min: 1, max: 20 },
        &["1", "20"],
        &[("0", number), ("21", number), ("1.5", number), ("", number)],
    );
    check(
        Kind::Bool,
        &["true", "false"],
        &[("yes", "must be true or false")],
    );
    check(Kind::Flag, &["true"], &[("", "must be true or false")]);
    check(
        Kind::Choice(&["all", "known"]),
        &["all"],
        &[("All", "must be one of all, known")],
    );
}
