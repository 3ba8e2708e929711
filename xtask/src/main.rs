//! The project's own commands: `cargo xtask <command>`, the same on a laptop and in CI.
//!
//! **For**: everything that is more than one call of cargo: start the system (`up`), check it
//! (`ci`, `e2e`, `crash`, `tidy`), measure it (`bench`), make the agents' image (`image`).
//!
//! **Deliberately not**: anything that runs where the system is deployed. The host and the
//! agent-runner never call it, and it links none of their crates.
//!
//! **Must stay true**: what it started it stops, by process id, also after a failure or Ctrl-C;
//! what it did not start it leaves alone. It installs packages only as root or with a `sudo` that
//! asks for no password, and says what and why.
//!
//! **Start at** [`up`] and [`ci`].

mod bench;
mod binaries;
mod channels;
mod ci;
mod crash;
mod debian;
mod e2e;
mod engine;
mod image;
mod machine;
mod nextest;
mod output;
mod python;
mod synapse;
mod tidy;
mod up;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{output::Console, workspace::Workspace};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build all, start the host, and open a chat on this terminal.
    Up(up::Options),
    /// Check everything that must hold before a change is merged.
    Ci,
    /// Run the tests that start the built programs, on both runtimes or on one.
    E2e(e2e::Options),
    /// Kill host, sandboxes and engine at random while messages flow, and count what came of it.
    Crash(crash::Options),
    /// Measure the built programs against their targets.
    Bench(bench::Options),
    /// Hold the channels to their promises, and write down what came of it.
    Channels(channels::Options),
    /// Make the image that agents run in.
    Image(image::Options),
    /// Install the homeserver that tests talk to.
    Synapse,
    /// Check the rules that no compiler knows.
    Tidy,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(err) => {
            output::complain(&format!("error: {err:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let workspace = Workspace::load()?;
    let console = Console::terminal();
    match command {
        Command::Up(options) => up::run(&workspace, &console, &options),
        Command::Ci => ci::run(&workspace),
        Command::Channels(options) => channels::run(&workspace, &console, &options),
        Command::E2e(options) => e2e::run(&workspace, &console, &options),
        Command::Crash(options) => crash::run(&workspace, &console, &options),
        Command::Bench(options) => bench::run(&workspace, &console, &options),
        Command::Image(options) => image::run(&workspace, &console, &options),
        Command::Synapse => synapse::run(&workspace, &console),
        Command::Tidy => tidy::run(&workspace, &console),
    }
}
