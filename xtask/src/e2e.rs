//! `cargo xtask e2e`: the tests that start the built programs and talk to them from outside.

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use xshell::cmd;

use crate::{
    binaries::{self, Profile},
    crash::{self, Scene},
    debian,
    engine::Engine,
    image,
    machine::Interrupts,
    nextest::{self, Counts},
    output::{self, Console},
    workspace::Workspace,
};

/// What walls agents in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// A container engine.
    Docker,
    /// bubblewrap.
    Sandbox,
}

impl Runtime {
    /// Its name, as the configuration has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Sandbox => "sandbox",
        }
    }
}

/// What `cargo xtask e2e` can be told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only the tests on this runtime; without it, on both.
    #[arg(long)]
    runtime: Option<Runtime>,
}

/// What tests find in their environment.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    variables: Vec<(&'static str, OsString)>,
}

impl Stage {
    /// Tells tests where the two programs are.
    pub(crate) fn programs(&mut self, workspace: &Workspace, runner: OsString) {
        let host = binaries::host_path(workspace, Profile::Dev);
        self.variables.push(("ANCHORHOLD_BIN", host.into()));
        self.variables.push(("ANCHORHOLD_RUNNER", runner));
    }

    /// Tells tests which engine to use, and which image is on it.
    pub(crate) fn engine(&mut self, engine: &Engine) {
        self.variables
            .push(("DOCKER_HOST", engine.address().into()));
        self.variables.push(("ANCHORHOLD_IMAGE", image::TAG.into()));
    }

    /// All of it, by name.
    pub(crate) fn variables(&self) -> &[(&'static str, OsString)] {
        &self.variables
    }
}

/// `cargo xtask e2e`
pub(crate) fn run(workspace: &Workspace, console: &Console, options: &Options) -> Result<ExitCode> {
    let interrupts = Interrupts::catch()?;
    let runtimes = match options.runtime {
        Some(runtime) => vec![runtime],
        None => vec![Runtime::Docker, Runtime::Sandbox],
    };
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    nextest::ensure(&sh, console)?;
    let mut stage = Stage::default();
    build_all(workspace, console)?;
    let runner = binaries::runner(workspace, console, Profile::Dev)?;
    stage.programs(workspace, runner.clone().into());
    interrupts.check()?;
    // Lives to the end of this function: an engine of our own stops with it.
    let mut engine = if runtimes.contains(&Runtime::Docker) {
        Some(Engine::find_or_start(&sh, console)?)
    } else {
        None
    };
    if let Some(engine) = &engine {
        image::make_default(workspace, console, engine)?;
        stage.engine(engine);
    }
    interrupts.check()?;
    let mut counts = Counts::default();
    let mut failed = false;
    for runtime in runtimes.iter().copied() {
        let outcome = test(workspace, console, &stage, runtime)?;
        counts = counts + outcome.counts;
        if let Some(err) = outcome.failure {
            output::complain(&format!("{err:#}"));
            failed = true;
        }
    }
    let scene = Scene {
        workspace,
        console,
        interrupts: &interrupts,
        runner,
    };
    for runtime in runtimes {
        match crash::few(&scene, runtime, engine.as_mut()) {
            Ok(line) => output::say(&format!("crash on {}: {line}", runtime.name())),
            Err(err) => {
                output::complain(&format!("{err:#}"));
                failed = true;
            }
        }
    }
    output::say(&counts.to_string());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Builds all programs and tests in one go: chosen one by one, packages would get other features
/// of the same dependencies, and those would be built again.
pub(crate) fn build_all(workspace: &Workspace, console: &Console) -> Result<()> {
    let sh = workspace.shell()?;
    console.run(cmd!(sh, "cargo build --locked --workspace --all-targets"))?;
    binaries::exists(&binaries::host_path(workspace, Profile::Dev))
}

/// Runs the tests of one runtime.
pub(crate) fn test(
    workspace: &Workspace,
    console: &Console,
    stage: &Stage,
    runtime: Runtime,
) -> Result<nextest::Outcome> {
    nextest::run(workspace, console, filter(runtime), stage.variables())
        .context("run the tests that start the programs")
}

fn filter(runtime: Runtime) -> &'static str {
    match runtime {
        Runtime::Docker => "package(=anchorhold-host) & binary(=e2e_docker)",
        Runtime::Sandbox => "package(=anchorhold-host) & binary(=e2e_sandbox)",
    }
}

#[cfg(test)]
mod tests;
