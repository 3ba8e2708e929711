//! The commands of `anchorhold`.

pub mod chat;
pub mod config_check;
pub mod config_export;
pub mod doctor;
pub mod send;
pub mod sessions;
pub mod status;

use std::{io::IsTerminal, process::ExitCode};

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{
    app::{self, Options, RunError, World},
    settings::SettingsError,
};

/// The command was used wrongly, or the configuration is wrong.
const EXIT_USAGE: u8 = 64;
/// There is no host to talk to.
const EXIT_UNAVAILABLE: u8 = 69;

/// A messaging gateway for sandboxed AI agents.
#[derive(Debug, Parser)]
#[command(name = "anchorhold", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The data directory of the installation
    #[arg(long, global = true, default_value = "data", value_name = "DIR")]
    pub data_dir: Utf8PathBuf,
    /// The configuration file
    #[arg(
        long,
        global = true,
        default_value = "channels.toml",
        value_name = "FILE"
    )]
    pub config: Utf8PathBuf,
    /// Print data as JSON, one value a line; logs too
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host until it is told to stop
    Run {
        /// The agent-runner's binary; the default is the one beside this program
        #[arg(long, value_name = "FILE")]
        runner: Option<Utf8PathBuf>,
    },
    /// Talk to an agent; without a terminal, send each line and print each answer
    Chat(chat::Where),
    /// Send one message
    Send(send::Send),
    /// Show how the running host fares
    Status,
    /// Check this machine and the configuration, and show what is really enforced here
    Doctor {
        /// The agent-runner's binary; the default is the one beside this program
        #[arg(long, value_name = "FILE")]
        runner: Option<Utf8PathBuf>,
    },
    /// Look at sessions
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say everything that is wrong with the configuration file
    Check,
    /// Write what the database holds as a configuration file
    Export(config_export::Export),
}

/// What of the environment counts.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The container engine's address.
    pub docker_host: Option<String>,
    /// What is logged, e.g. `info,anchorhold_host=debug`.
    pub log: Option<String>,
}

/// There is no host to talk to.
#[derive(Debug, thiserror::Error)]
#[error("no host answers at {path}; start one with `anchorhold run`")]
pub struct NoHost {
    /// The socket.
    pub path: Utf8PathBuf,
}

impl Cli {
    /// Runs the command; the result is the process's exit status.
    pub async fn run(self, environment: Environment, world: World) -> anyhow::Result<ExitCode> {
        let common = self.common;
        match self.command {
            Command::Run { runner } => {
                start_logs(environment.log.as_deref(), common.json);
                let options = Options {
                    config: common.config,
                    data_dir: common.data_dir,
                    runner,
                    docker_host: environment.docker_host,
                };
                Box::pin(app::run(options, world)).await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Chat(place) => chat::run(&common, &place, &world).await,
            Command::Send(send) => send::run(&common, &send, &world).await,
            Command::Status => status::run(&common).await,
            Command::Doctor { runner } => doctor::run(&common, runner, &environment, &world).await,
            Command::Sessions(sessions) => sessions::run(&common, &sessions).await,
            Command::Config(ConfigCommand::Check) => config_check::run(&common, &world),
            Command::Config(ConfigCommand::Export(export)) => {
                config_export::run(&common, &export).await
            }
        }
    }
}

/// The exit status that tells what kind of failure it was.
pub fn code_of(failure: &anyhow::Error) -> ExitCode {
    let settings = failure.downcast_ref::<SettingsError>().is_some()
        || matches!(
            failure.downcast_ref::<RunError>(),
            Some(RunError::Settings(_))
        );
    if settings {
        return ExitCode::from(EXIT_USAGE);
    }
    if failure.downcast_ref::<NoHost>().is_some() {
        return ExitCode::from(EXIT_UNAVAILABLE);
    }
    ExitCode::FAILURE
}

/// Logs go to standard error: compact for people, JSON where it is asked for.
fn start_logs(filter: Option<&str>, json: bool) {
    let filter = EnvFilter::try_new(filter.unwrap_or("info"))
        .unwrap_or_else(|_not_a_filter| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    if json {
        logs.json().init();
    } else {
        logs.with_ansi(std::io::stderr().is_terminal())
            .compact()
            .init();
    }
}
