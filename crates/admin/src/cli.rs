//! The catalog as a command line.

use std::io;

use clap::{
    Arg, ArgAction, ArgMatches, Command,
    builder::{PossibleValuesParser, ValueParser},
};
use clap_complete::Shell;

use crate::{
    catalog::{self, Agents, CATALOG, Field, Kind, Resource, Rule, Verb},
    request::{Request, Usage},
};

/// Who writes the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// People on the host.
    People,
    /// Agents in a sandbox: without what they may never do, and free to leave their own group out.
    Agents,
}

/// A subcommand for each resource, to be put into a program's command.
///
/// Their own arguments are never named `json`, `help`, `data-dir` or `config`.
pub fn commands(audience: Audience) -> Vec<Command> {
    CATALOG
        .iter()
        .filter_map(|resource| resource_command(audience, resource))
        .collect()
}

/// The request that a subcommand of [`commands`] means; `resource` and `matches` are what
/// [`ArgMatches::subcommand`] says.
///
/// `None` for a subcommand that is not of the catalog. What fields must be together is checked
/// here, because the command line's parser doesn't know.
pub fn parse(
    audience: Audience,
    resource: &str,
    matches: &ArgMatches,
) -> Option<Result<Request, Usage>> {
    let resource = catalog::resource(resource)?;
    let (verb, matches) = match matches.subcommand() {
        Some((verb, matches)) => (resource.verb(verb)?, matches),
        None => (resource.verb("")?, matches),
    };
    let mut request = Request {
        resource: resource.name.to_owned(),
        verb: verb.name.to_owned(),
        args: [].into(),
    };
    for field in verb.fields {
        if let Some(value) = value(field, matches) {
            request.args.insert(field.name.to_owned(), value);
        }
    }
    let may_lack = (audience == Audience::Agents)
        .then(|| own_group(verb))
        .flatten();
    let checked = request.check_but(may_lack);
    Some(checked.map(|_checked| request))
}

/// Writes the completions of `command` for a shell.
pub fn completions(shell: Shell, command: &mut Command, out: &mut dyn io::Write) -> io::Result<()> {
    // The generator panics where it can't write; memory always takes it.
    let mut script = vec![];
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, command, name, &mut script);
    out.write_all(&script)
}

fn resource_command(audience: Audience, resource: &'static Resource) -> Option<Command> {
    let command = Command::new(resource.name).about(resource.about);
    let verbs = resource.verbs.iter();
    let mut verbs = verbs
        .filter(|verb| audience == Audience::People || verb.agents != Agents::Never)
        .peekable();
    verbs.peek()?;
    if let Some(only) = resource.verb("") {
        return Some(with_fields(audience, command.about(only.about), only));
    }
    let verbs = verbs.map(|verb| {
        let command = Command::new(verb.name).about(verb.about);
        with_fields(audience, command, verb)
    });
    Some(command.subcommand_required(true).subcommands(verbs))
}

fn with_fields(audience: Audience, command: Command, verb: &'static Verb) -> Command {
    let fields = verb.fields.iter();
    let args = fields
        .filter(|field| audience == Audience::People || !field.host_only)
        .map(|field| {
            let left_out = audience == Audience::Agents && own_group(verb) == Some(field.name);
            arg(field).required(field.required && !left_out)
        });
    let command = command.args(args);
    match notes(verb) {
        notes if notes.is_empty() => command,
        notes => command.after_help(notes),
    }
}

fn arg(field: &'static Field) -> Arg {
    let arg = Arg::new(field.name)
        .help(field.about)
        .value_name(field.value);
    let arg = if field.positional {
        arg
    } else {
        arg.long(field.name)
    };
    if field.kind == Kind::Flag {
        return arg.action(ArgAction::SetTrue);
    }
    // Platforms have ids like `-100`; anything else that begins so is written `--name=--value`.
    arg.allow_negative_numbers(true)
        .value_parser(accepted(field.kind))
}

fn accepted(kind: Kind) -> ValueParser {
    match kind {
        Kind::Choice(values) => PossibleValuesParser::new(values).into(),
        Kind::Bool | Kind::Flag => PossibleValuesParser::new(["true", "false"]).into(),
        Kind::Text
        | Kind::Line
        | Kind::Clearable
        | Kind::Name
        | Kind::PlatformId
        | Kind::Integer { .. } => {
            ValueParser::new(move |text: &str| kind.check(text).map(|()| text.to_owned()))
        }
    }
}

fn value(field: &Field, matches: &ArgMatches) -> Option<String> {
    // silent: an argument that this audience's command doesn't have is absent.
    if field.kind == Kind::Flag {
        let given = matches.try_get_one::<bool>(field.name).ok().flatten()?;
        return given.then(|| "true".to_owned());
    }
    let given = matches.try_get_one::<String>(field.name).ok().flatten()?;
    Some(given.clone())
}

fn own_group(verb: &Verb) -> Option<&'static str> {
    match verb.agents {
        Agents::Group(field) | Agents::Own(field) => Some(field),
        Agents::Never | Agents::Global => None,
    }
}

/// What a help text says about fields that go together.
fn notes(verb: &Verb) -> String {
    let notes = verb.rules.iter().filter_map(|rule| match rule {
        Rule::One(sets) => Some(format!("Give {}.", catalog::either(sets))),
        Rule::AtMostOne(_) | Rule::Change | Rule::When { .. } => None,
    });
    notes.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
