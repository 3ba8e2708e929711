//! `cargo xtask up`: from a clone to a chat with an agent.

use std::{
    fs::DirBuilder,
    io::{self, IsTerminal},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use xshell::{Shell, cmd};

use crate::{
    binaries::{self, Profile},
    debian,
    engine::Engine,
    image,
    machine::{self, Daemon, Interrupts, Stopwatch},
    output::{self, Console},
    workspace::Workspace,
};

/// How long the host may take until it answers.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How long the host may take to stop: it lets running turns end first.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// How long one question after the host's state may take, in `timeout`'s words.
const STATUS_LIMIT: &str = "5s";

/// What `cargo xtask up` can be told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The configuration, relative to the workspace.
    #[arg(long, default_value = "channels.toml")]
    config: PathBuf,
    /// Where the host keeps everything it knows, relative to the workspace.
    #[arg(long, default_value = "data")]
    data_dir: PathBuf,
}

/// The programs of one build, and what they are run with.
#[derive(Debug)]
struct System {
    host: PathBuf,
    runner: PathBuf,
    config: PathBuf,
    data_dir: PathBuf,
}

/// `cargo xtask up`
pub(crate) fn run(workspace: &Workspace, console: &Console, options: &Options) -> Result<ExitCode> {
    let watch = Stopwatch::start();
    let interrupts = Interrupts::catch()?;
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    let system = build(workspace, console, options)?;
    interrupts.check()?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&system.data_dir)
        .with_context(|| format!("make {}", system.data_dir.display()))?;
    let mut host = if system.answers(&sh) {
        console.say("a host runs on this data directory already");
        None
    } else {
        Some(system.start(&sh, console, &interrupts)?)
    };
    console.say(&format!("ready after {} s", watch.elapsed().as_secs()));
    let status = system.chat()?;
    if let Some(host) = &mut host {
        host.stop().context("stop the host")?;
        console.say("the host has stopped");
    }
    Ok(exit_code(status))
}

/// Builds both programs, and makes the agents' image if an engine answers, all at the same time:
/// each alone would leave a core idle for much of its time.
fn build(workspace: &Workspace, console: &Console, options: &Options) -> Result<System> {
    let sh = workspace.shell()?;
    let engine = Engine::find(&sh, None);
    let logs = workspace.target.join("xtask");
    let image_log = logs.join("image.log");
    let runner_log = logs.join("runner.log");
    thread::scope(|scope| {
        let image = if let Some(engine) = &engine {
            console.say("an engine answers: seeing to the agents' image beside the build");
            let quiet = Console::log(&image_log)?;
            Some(scope.spawn(move || image::make_default(workspace, &quiet, engine)))
        } else {
            console.say("no container engine answers: the embedded sandbox is all there is");
            None
        };
        let quiet = Console::log(&runner_log)?;
        let runner = scope.spawn(move || binaries::runner(workspace, &quiet, Profile::Release));
        let host = binaries::host(workspace, console, Profile::Release);
        console.say("waiting for the agent-runner and the image");
        let runner = finish(runner, "build the agent-runner", &runner_log);
        if let Some(image) = image {
            finish(image, "make the agents' image", &image_log)?;
        }
        Ok(System {
            host: host?,
            runner: runner?,
            config: workspace.root.join(&options.config),
            data_dir: workspace.root.join(&options.data_dir),
        })
    })
}

/// Waits for what went on beside; shows its log if it failed.
fn finish<T>(job: ScopedJoinHandle<'_, Result<T>>, what: &'static str, log: &Path) -> Result<T> {
    let outcome = job
        .join()
        .map_err(|_panic| anyhow!("{what}: it panicked, see above"))?;
    if outcome.is_err() {
        output::complain(&output::tail(log));
    }
    outcome.context(what)
}

impl System {
    /// Whether a host runs on the data directory and says how it is.
    fn answers(&self, sh: &Shell) -> bool {
        let Self { host, data_dir, .. } = self;
        output::succeeds(cmd!(
            sh,
            "timeout {STATUS_LIMIT} {host} status --json --data-dir {data_dir}"
        ))
    }

    fn start(&self, sh: &Shell, console: &Console, interrupts: &Interrupts) -> Result<Daemon> {
        let log = self.data_dir.join("host.log");
        console.say(&format!("starting the host; its log is {}", log.display()));
        let mut host = Daemon::start(&self.host, self.arguments(), &log, STOP_LIMIT)?;
        let ready = machine::wait_until(READY_LIMIT, || {
            interrupts.check()?;
            if let Some(status) = host.ended()? {
                bail!("the host ended with {status}\n{}", output::tail(&log));
            }
            Ok(self.answers(sh))
        })?;
        if !ready {
            bail!(
                "the host was not ready within {} s\n{}",
                READY_LIMIT.as_secs(),
                output::tail(&log)
            );
        }
        Ok(host)
    }

    fn arguments(&self) -> Vec<&Path> {
        vec![
            Path::new("run"),
            Path::new("--config"),
            &self.config,
            Path::new("--data-dir"),
            &self.data_dir,
            Path::new("--runner"),
            &self.runner,
        ]
    }

    /// Gives the terminal, or whatever standard input is, to the chat until it ends.
    fn chat(&self) -> Result<ExitStatus> {
        if io::stdin().is_terminal() {
            output::complain("Type a message; Ctrl-D ends the chat and stops the host.");
        }
        Command::new(&self.host)
            .arg("chat")
            .arg("--data-dir")
            .arg(&self.data_dir)
            .status()
            .context("start the chat")
    }
}

/// The same exit code, or a failure if a signal ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code().map(u8::try_from) {
        Some(Ok(code)) => ExitCode::from(code),
        Some(Err(_)) | None => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests;
