//! The command line client in a sandbox, whole but for printing and for asking.

use std::{ffi::OsString, iter};

use clap::{Arg, ArgAction, Command, error::ErrorKind};

use crate::{
    cli::{self, Audience},
    render::{self, EXIT_UNAVAILABLE, EXIT_USAGE, Output, Style},
    request::{FailCode, Reply, Request},
};

/// Why there is no reply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The request did not get to the host; nothing was done.
    #[error("the host can't be asked: {0}")]
    Unavailable(String),
    /// The request was handed over, and no reply came; it may yet be carried out.
    #[error("no reply came, and the request may yet be carried out: {0}")]
    Unanswered(String),
}

/// Runs one command: `args` are those after the program's `name`; `ask` is called at most once.
///
/// It prints nothing: the caller prints both texts as they are, and exits with the code. Help is
/// output; a wrong command line is an error with code 64, without anybody having been asked.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    name: &'static str,
    ask: impl FnOnce(&Request) -> Result<Reply, AskError>,
) -> Output {
    let words = iter::once(OsString::from(name)).chain(args);
    let matches = match command(name).try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => return refused(&error),
    };
    let style = if matches.get_flag("json") {
        Style::Json
    } else {
        Style::Text
    };
    let request = matches
        .subcommand()
        .and_then(|(resource, matches)| cli::parse(Audience::Agents, resource, matches));
    let reply = match request {
        Some(Ok(request)) => ask(&request),
        Some(Err(usage)) => Ok(Reply::from(&usage)),
        // The parser lets nothing else through.
        None => Ok(Reply::Failed {
            code: FailCode::Usage,
            what: "there is no such command".to_owned(),
        }),
    };
    match reply {
        Ok(reply) => render::output(&reply, style),
        Err(error) => unanswered(&error, style),
    }
}

/// The client's command, for help and completions.
pub fn command(name: &'static str) -> Command {
    let json = Arg::new("json")
        .long("json")
        .global(true)
        .action(ArgAction::SetTrue)
        .help("Print data as JSON, one object a line");
    Command::new(name)
        .about("Look at what the host knows, and ask it for changes")
        .after_help(
            "How far it reaches is set for each agent; what changes anything may wait until a \
             person approves it (exit status 75).",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100)
        .arg(json)
        .subcommands(cli::commands(Audience::Agents))
}

fn refused(error: &clap::Error) -> Output {
    let shown = error.render().to_string();
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        return Output {
            stdout: shown,
            stderr: String::new(),
            code: 0,
        };
    }
    Output {
        stdout: String::new(),
        stderr: shown,
        code: EXIT_USAGE,
    }
}

fn unanswered(error: &AskError, style: Style) -> Output {
    let (fail, code) = match error {
        AskError::Unavailable(_) => (FailCode::Unavailable, EXIT_UNAVAILABLE),
        AskError::Unanswered(_) => (FailCode::Internal, 1),
    };
    let reply = Reply::Failed {
        code: fail,
        what: error.to_string(),
    };
    Output {
        code,
        ..render::output(&reply, style)
    }
}

#[cfg(test)]
mod tests;
