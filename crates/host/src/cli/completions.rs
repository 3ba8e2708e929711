//! `anchorhold completions`

use std::process::ExitCode;

use anchorhold_admin::{Shell as Known, cli};
use clap::{CommandFactory, ValueEnum};

use crate::{cli::Cli, output};

/// The shells that are known well enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// The Bourne-again shell
    Bash,
    /// The Z shell
    Zsh,
    /// The friendly interactive shell
    Fish,
}

/// Prints the shell's completions of all commands.
pub fn run(shell: Shell) -> anyhow::Result<ExitCode> {
    output::data(script(shell)?.trim_end_matches('\n'));
    Ok(ExitCode::SUCCESS)
}

/// What the shell is to be told.
pub(super) fn script(shell: Shell) -> anyhow::Result<String> {
    let known = match shell {
        Shell::Bash => Known::Bash,
        Shell::Zsh => Known::Zsh,
        Shell::Fish => Known::Fish,
    };
    let mut script = Vec::new();
    cli::completions(known, &mut Cli::command(), &mut script)?;
    Ok(String::from_utf8(script)?)
}
