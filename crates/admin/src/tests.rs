//! The whole way from a command line to a checked request, for all of the catalog.

use std::{collections::BTreeMap, ffi::OsString};

use anchorhold_core::{
    entity::AdminScope,
    ids::{AgentGroupId, FolderName},
};
use clap::Command;
use proptest::{collection, option, prelude::*, sample::select};

use crate::{
    catalog::{Agents, CATALOG, Field, Kind, Resource, Verb},
    cli::{self, Audience},
    request::{Request, Usage},
    scope::{GroupRef, agent_scope},
};

/// A command line for each command, with as many fields as go together.
pub(crate) const EVERY_COMMAND: &[&str] = &[
    "groups list --group=helper --limit=5",
    "groups get helper",
    "groups create --folder=helper --name=Helper --provider=offline --model=big --runtime=auto \
     --admin-scope=group",
    "groups create --folder=helper",
    "groups update helper --name=H --provider=offline --model= --runtime=docker --tries=3 \
     --prompt-messages=10 --assistant-name=Ann",
    "groups update helper --admin-scope=disabled",
    "groups delete 01890a5d-ac96-774b-bcce-b302099a8057",
    "groups restart helper --message=--hello",
    "conversations list --channel=work --limit=1",
    "conversations get 7-8",
    "conversations update 7 --name=Team --unknown-senders=request_approval --declined=false",
    "conversations delete 7",
    "wirings list --channel=work --group=helper --limit=2",
    "wirings get 7 --group=helper",
    "wirings create --channel=work --conversation=* --group=helper --engage=pattern --pattern=^a \
     --senders=known --ignored=accumulate --session=agent-shared --priority=-5",
    "wirings update 7 --engage mention-sticky --session per-thread --priority -5",
    "wirings update 7 --engage=pattern --pattern=. --senders=all --ignored=drop",
    "wirings delete 7",
    "wirings explain --channel=work --conversation -100 --text=hi --mention --from=anna \
     --thread=1 --direct --group=helper",
    "users list --channel=work --limit=3",
    "users get 7",
    "users create --channel=work --handle=@anna:example.org --name=Anna",
    "users update 7 --name=Anna",
    "users delete 7",
    "roles list --user=7 --group=helper --limit=4",
    "roles list --channel=work --handle=anna",
    "roles grant --user=7 --role=owner",
    "roles grant --channel=work --handle=anna --role=admin --group=helper",
    "roles revoke --user=7 --role=owner",
    "roles revoke --channel=work --handle=anna --role=admin --group=helper",
    "members list --group=helper --channel=work --handle=anna --limit=5",
    "members list --user=7",
    "members add --group=helper --user=7",
    "members add --group=helper --channel=work --handle=anna",
    "members remove --group=helper --user=7",
    "members remove --group=helper --channel=work --handle=anna",
    "destinations list --group=helper --limit=6",
    "destinations add --group=helper --name=team --channel=work --conversation=-100",
    "destinations add --group=helper --name=other --to-group=other",
    "destinations remove --group=helper --name=team",
    "sessions list --group=helper --all --limit=7",
    "sessions get 7 --group=helper",
    "sessions close 7 --group=helper",
    "dms list --limit=8",
    "dropped list --channel=work --limit=9",
    "approvals list --all --group=helper --limit=10",
    "approvals get ab12cd",
    "approvals approve ab12cd",
    "approvals approve ab12cd --connect=helper",
    "approvals approve ab12cd --new-agent",
    "approvals reject ab12cd",
    "audit list --limit=11",
    "undo list --all --limit=12",
    "undo restore 7",
    "deadletters list --group=helper --channel=work --all --limit=13",
    "spend --by=turn --days=7 --group=helper --limit=13",
    "requests list --group=helper --all --limit=13",
    "deadletters show 7",
    "deadletters retry 7",
    "deadletters retry 7 --even-if-it-arrived",
    "deadletters discard 7",
    "channels list --limit=14",
    "trace m1",
    "trace last --conversation=work:-100 --group=helper",
    "tasks list --group=mine --channel=work --all --limit=15",
    "tasks show report --group=mine",
    "tasks add --group=mine --prompt=report --at=2026-12-24T18:30 --zone=UTC --name=r --script=true --to=team \
     --in-conversation",
    "tasks add --group=mine --prompt=report --in=PT1H --message=4",
    "tasks add --group=mine --prompt=report --cron=@daily --channel=work --conversation=-100 --thread=1",
    "tasks update report --group=mine --name=r --prompt=p --at=2026-12-24T18:30 --zone=UTC --script=",
    "tasks update report --in=PT1H",
    "tasks update report --cron=@daily",
    "tasks pause report --group=mine",
    "tasks resume report --group=mine",
    "tasks run-now report --group=mine",
    "tasks cancel report --group=mine",
    "pair work",
];

/// The request of one of [`EVERY_COMMAND`].
pub(crate) fn parsed(line: &str) -> Request {
    let args = line.split_whitespace().map(OsString::from);
    parse(Audience::People, args).unwrap().unwrap()
}

fn parse(
    audience: Audience,
    args: impl IntoIterator<Item = OsString>,
) -> Result<Result<Request, Usage>, clap::Error> {
    let command = Command::new("anchorhold")
        .no_binary_name(true)
        .subcommand_required(true)
        .subcommands(cli::commands(audience));
    let matches = command.try_get_matches_from(args)?;
    let (resource, matches) = matches.subcommand().unwrap();
    Ok(cli::parse(audience, resource, matches).unwrap())
}

#[test]
fn every_command_and_field_of_the_catalog_parses_and_checks() {
    let requests: Vec<Request> = EVERY_COMMAND.iter().map(|line| parsed(line)).collect();
    for (line, request) in EVERY_COMMAND.iter().zip(&requests) {
        assert!(request.check().is_ok(), "{line}");
        let given = line
            .split_whitespace()
            .filter(|word| word.starts_with("--"));
        let (_, verb) = request.find().unwrap();
        let placed = verb.fields.iter().filter(|field| field.positional).count();
        assert_eq!(request.args.len(), given.count() + placed, "{line}");
    }
    for resource in CATALOG {
        for verb in resource.verbs {
            for field in verb.fields {
                let uses = |request: &&Request| {
                    request.resource == resource.name
                        && request.verb == verb.name
                        && request.args.contains_key(field.name)
                };
                let command = resource.command(verb);
                assert!(
                    requests.iter().any(|r| uses(&r)),
                    "{command} {}",
                    field.name
                );
            }
        }
    }
}

fn commands() -> Vec<(&'static Resource, &'static Verb)> {
    let resources = CATALOG.iter();
    resources
        .flat_map(|resource| resource.verbs.iter().map(move |verb| (resource, verb)))
        .collect()
}

fn accepted(kind: Kind) -> BoxedStrategy<String> {
    let text = match kind {
        Kind::Text => any::<String>().boxed(),
        Kind::Line | Kind::Clearable | Kind::PlatformId => "\\PC{0,40}".boxed(),
        Kind::Name => "[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}".boxed(),
        Kind::Integer { min, max } => (min..=max).prop_map(|n| n.to_string()).boxed(),
        Kind::Bool => any::<bool>().prop_map(|b| b.to_string()).boxed(),
        Kind::Flag => Just("true".to_owned()).boxed(),
        Kind::Choice(values) => select(values).prop_map(str::to_owned).boxed(),
    };
    text.prop_filter("not of its kind", move |text| kind.check(text).is_ok())
        .boxed()
}

/// A command with some of its fields, as words of a command line.
fn lines() -> impl Strategy<Value = (String, Vec<OsString>, BTreeMap<String, String>)> {
    select(commands()).prop_flat_map(|(resource, verb)| {
        let fields: Vec<_> = verb.fields.iter().map(given).collect();
        fields.prop_map(move |values| {
            let mut words = vec![resource.name.to_owned(), verb.name.to_owned()];
            words.retain(|word| !word.is_empty());
            let mut args = BTreeMap::new();
            for (field, value) in verb.fields.iter().zip(values) {
                let Some(value) = value else { continue };
                words.push(match (field.positional, field.kind) {
                    (true, _) => value.clone(),
                    (false, Kind::Flag) => format!("--{}", field.name),
                    (false, _) => format!("--{}={value}", field.name),
                });
                args.insert(field.name.to_owned(), value);
            }
            let words = words.into_iter().map(OsString::from).collect();
            (resource.command(verb), words, args)
        })
    })
}

fn given(field: &Field) -> BoxedStrategy<Option<String>> {
    let value = accepted(field.kind);
    if field.required {
        return value.prop_map(Some).boxed();
    }
    option::of(value).boxed()
}

/// Anything at all that has a request's form, often close to a real one.
fn requests() -> impl Strategy<Value = Request> {
    let words = || {
        let known = commands().into_iter().flat_map(|(resource, verb)| {
            let fields = verb.fields.iter().map(|field| field.name);
            [resource.name, verb.name].into_iter().chain(fields)
        });
        let known: Vec<_> = known.collect();
        prop_oneof![9 => select(known).prop_map(str::to_owned), 1 => any::<String>()]
    };
    let value = prop_oneof![
        Just("mine".to_owned()),
        Just("other".to_owned()),
        any::<String>(),
        words(),
    ];
    let command = prop_oneof![
        9 => select(commands()).prop_map(|(r, v)| (r.name.to_owned(), v.name.to_owned())),
        1 => (words(), words()),
    ];
    (command, collection::btree_map(words(), value, 0..4)).prop_map(|((resource, verb), args)| {
        Request {
            resource,
            verb,
            args,
        }
    })
}

fn mine() -> GroupRef {
    GroupRef {
        id: AgentGroupId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap(),
        folder: FolderName::parse("mine").unwrap(),
    }
}

proptest! {
    #[test]
    fn what_the_command_line_lets_through_passes_the_check_unchanged(
        (command, words, args) in lines()
    ) {
        // The parser knows each field; only what they are together can be wrong here.
        match parse(Audience::People, words).unwrap() {
            Ok(request) => {
                prop_assert_eq!(&request.args, &args);
                let checked = request.check().unwrap();
                prop_assert_eq!(checked.command(), command);
                prop_assert_eq!(checked.request(), request);
            }
            Err(Usage::Missing { .. } | Usage::Together { .. }) => {}
            Err(other) => prop_assert!(false, "{}", other),
        }
    }

    #[test]
    fn whoever_wrote_a_request_it_is_refused_or_bound(request in requests()) {
        let own = mine().id.to_string();
        if let Ok(checked) = agent_scope(AdminScope::Disabled, &mine(), &request) {
            let Agents::Own(field) = checked.agents() else {
                return Err(TestCaseError::fail("open to those who may nothing"));
            };
            prop_assert_eq!(checked.text(field), Some(own.as_str()));
        }
        if let Ok(checked) = agent_scope(AdminScope::Global, &mine(), &request) {
            prop_assert_ne!(checked.agents(), Agents::Never);
            prop_assert!(checked.text("admin-scope").is_none());
            if let Agents::Own(field) = checked.agents() {
                prop_assert_eq!(checked.text(field), Some(own.as_str()));
            } else {
                prop_assert_eq!(checked.request(), request.clone());
            }
        }
        if let Ok(checked) = agent_scope(AdminScope::Group, &mine(), &request) {
            let (Agents::Group(field) | Agents::Own(field)) = checked.agents() else {
                return Err(TestCaseError::fail("open to all groups"));
            };
            prop_assert_eq!(checked.text(field), Some(own.as_str()));
            prop_assert!(checked.text("admin-scope").is_none());
            prop_assert!(checked.request().check().is_ok());
        }
    }
}
