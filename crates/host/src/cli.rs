//! The commands of `anchorhold`: its own, and those of the catalog of administration.

pub mod admin;
pub mod backup;
pub mod channels;
pub mod chat;
pub mod completions;
pub mod config_check;
pub mod config_export;
pub mod doctor;
pub mod pair;
pub mod send;
pub mod sessions;
pub mod status;
pub mod trace;

use std::{io::IsTerminal, process::ExitCode};

use anchorhold_admin::{cli as catalog, cli::Audience, render, request::Request};
use camino::Utf8PathBuf;
use clap::{
    ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind,
};
use tracing_subscriber::EnvFilter;

use crate::{
    app::{self, Options, RunError, World},
    control::AskError,
    settings::SettingsError,
};

/// The command was used wrongly, or the configuration is wrong.
const EXIT_USAGE: u8 = render::EXIT_USAGE;
/// There is no host to talk to.
const EXIT_UNAVAILABLE: u8 = render::EXIT_UNAVAILABLE;

/// What is logged where nobody says what. Libraries are silent: they speak in their own words, which may
/// be those of people.
const LOGGED: &str = "anchorhold=info";

/// One command line.
///
/// What is known when this is compiled is derived (`Own`); the catalog's commands stand beside it.
#[derive(Debug)]
pub struct Cli {
    common: Common,
    command: What,
}

/// A messaging gateway for sandboxed AI agents.
#[derive(Debug, Parser)]
#[command(name = "anchorhold", version, about, max_term_width = 100)]
struct Own {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug)]
enum What {
    Own(Command),
    Admin(Request),
    Sessions(sessions::Sessions),
    Probe(channels::Probe),
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
    /// Take a backup, also while the host runs
    Backup(backup::Backup),
    /// Restore a backup to a new data directory, and see that it runs
    Restore(backup::Restore),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print what makes a shell complete these commands
    Completions {
        /// The shell
        shell: completions::Shell,
    },
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
    /// What is logged, e.g. `anchorhold=info,anchorhold_host=debug`.
    pub log: Option<String>,
}

/// There is no host to talk to.
#[derive(Debug, thiserror::Error)]
#[error("no host answers at {path}; start one with `anchorhold run`")]
pub struct NoHost {
    /// The socket.
    pub path: Utf8PathBuf,
}

impl CommandFactory for Cli {
    fn command() -> clap::Command {
        Own::command().subcommands(in_catalog())
    }

    fn command_for_update() -> clap::Command {
        Own::command_for_update().subcommands(in_catalog())
    }
}

/// The catalog's commands, and what two of them have besides.
fn in_catalog() -> Vec<clap::Command> {
    let commands = catalog::commands(Audience::People).into_iter();
    commands
        .map(|command| match command.get_name() {
            "channels" => channels::augment(command),
            "sessions" => sessions::augment(command),
            _ => command,
        })
        .collect()
}

impl FromArgMatches for Cli {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let Some((name, inner)) = matches.subcommand() else {
            return Own::from_arg_matches(matches).map(Self::from);
        };
        if name == "sessions"
            && let Some(sessions) = sessions::parse(inner)
        {
            return Ok(Self {
                common: Common::from_arg_matches(matches)?,
                command: What::Sessions(sessions),
            });
        }
        if name == "channels"
            && let Some(probe) = channels::parse(inner)
        {
            return Ok(Self {
                common: Common::from_arg_matches(matches)?,
                command: What::Probe(probe),
            });
        }
        match catalog::parse(Audience::People, name, inner) {
            Some(Ok(request)) => Ok(Self {
                common: Common::from_arg_matches(matches)?,
                command: What::Admin(request),
            }),
            Some(Err(usage)) => {
                let said = format!("{usage}\n");
                Err(clap::Error::raw(ErrorKind::ArgumentConflict, said))
            }
            None => Own::from_arg_matches(matches).map(Self::from),
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl From<Own> for Cli {
    fn from(own: Own) -> Self {
        Self {
            common: own.common,
            command: What::Own(own.command),
        }
    }
}

impl Parser for Cli {
    /// The process's own command line. Ends the process where it is none, or asks for help.
    fn parse() -> Self {
        Self::try_parse().unwrap_or_else(|wrong| leave(&wrong))
    }
}

#[expect(
    clippy::exit,
    reason = "a command line that is none ends the process before anything has begun"
)]
fn leave(wrong: &clap::Error) -> ! {
    // silent: whoever reads it has gone.
    drop(wrong.print());
    std::process::exit(if wrong.use_stderr() {
        i32::from(EXIT_USAGE)
    } else {
        0
    })
}

impl Cli {
    /// Runs the command; the result is the process's exit status.
    pub async fn run(self, environment: Environment, world: World) -> anyhow::Result<ExitCode> {
        let common = self.common;
        match self.command {
            What::Own(command) => Box::pin(command.run(common, environment, world)).await,
            What::Admin(request) if request.resource == "pair" => pair::run(&common, request).await,
            What::Admin(request) if request.resource == "trace" => {
                trace::run(&common, &request, world.clock.now()).await
            }
            What::Admin(request) => admin::run(&common, request).await,
            What::Sessions(sessions) => sessions::run(&common, &sessions).await,
            What::Probe(probe) => channels::run(&common, &probe, &world).await,
        }
    }
}

impl Command {
    async fn run(
        self,
        common: Common,
        environment: Environment,
        world: World,
    ) -> anyhow::Result<ExitCode> {
        match self {
            Self::Run { runner } => {
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
            Self::Chat(place) => chat::run(&common, &place, &world).await,
            Self::Send(send) => send::run(&common, &send, &world).await,
            Self::Status => status::run(&common).await,
            Self::Doctor { runner } => doctor::run(&common, runner, &environment, &world).await,
            Self::Backup(what) => Box::pin(backup::backup(&common, &what, &world)).await,
            Self::Restore(what) => Box::pin(backup::restore(&common, &what, &world)).await,
            Self::Config(ConfigCommand::Check) => config_check::run(&common, &world),
            Self::Config(ConfigCommand::Export(export)) => {
                config_export::run(&common, &export).await
            }
            Self::Completions { shell } => completions::run(shell),
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
    let no_host = failure.downcast_ref::<NoHost>().is_some()
        || matches!(
            failure.downcast_ref::<AskError>(),
            Some(AskError::NoHost { .. })
        );
    if no_host {
        return ExitCode::from(EXIT_UNAVAILABLE);
    }
    ExitCode::FAILURE
}

/// Logs go to standard error: compact for people, JSON where it is asked for.
fn start_logs(filter: Option<&str>, json: bool) {
    let filter = EnvFilter::try_new(filter.unwrap_or(LOGGED))
        .unwrap_or_else(|_not_a_filter| EnvFilter::new(LOGGED));
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

#[cfg(test)]
mod tests;
