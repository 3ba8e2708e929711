//! `cargo xtask ci`: everything that must hold before a change is merged.

mod checks;
mod ledger;

use std::process::ExitCode;

use anyhow::{Context, Result};

use self::ledger::Ledger;
use crate::{
    binaries::{self, Profile},
    channels,
    crash::{self, Scene},
    debian,
    e2e::{self, Runtime, Stage},
    engine::Engine,
    image,
    machine::Interrupts,
    nextest::{self, Counts, Outcome},
    output::Console,
    synapse, tidy,
    workspace::Workspace,
};

/// The tests that `cargo xtask e2e` leaves to others.
const NOT_E2E: &str = "not binary(/^e2e_/)";

/// `cargo xtask ci`
pub(crate) fn run(workspace: &Workspace) -> Result<ExitCode> {
    let interrupts = Interrupts::catch()?;
    let mut ledger = Ledger::open(workspace.target.join("xtask"), interrupts.clone());
    let mut counts = Counts::default();
    // Lives to the end of this function: an engine of our own stops with it.
    let mut engine = None;
    let mut stage = Stage::default();
    let mut programs = None;

    ledger.step("machine", |console| machine(workspace, console))?;
    ledger.step("fmt", |console| checks::fmt(workspace, console))?;
    ledger.step("clippy", |console| checks::clippy(workspace, console))?;
    ledger.step("tidy", |_console| tidy::all(workspace))?;
    ledger.step("build", |console| {
        e2e::build_all(workspace, console)?;
        Ok(String::new())
    })?;
    ledger.step("runner", |console| {
        let runner = binaries::runner(workspace, console, Profile::Dev)?;
        stage.programs(workspace, runner.clone().into());
        programs = Some(runner);
        Ok(String::new())
    })?;
    ledger.step("engine", |console| {
        let sh = workspace.shell()?;
        let found = engine.insert(Engine::find_or_start(&sh, console)?);
        Ok(found.address().to_owned())
    })?;
    ledger.step("image", |console| {
        let engine = engine.as_ref().context("there is no engine to build it")?;
        image::make_default(workspace, console, engine)?;
        stage.engine(engine);
        Ok(image::TAG.to_owned())
    })?;
    ledger.step("tests", |console| {
        let outcome = nextest::run(workspace, console, NOT_E2E, stage.variables())?;
        settle(&mut counts, outcome)
    })?;
    ledger.step("sim", |console| checks::sim(workspace, console))?;
    ledger.step("features", |console| checks::features(workspace, console))?;
    ledger.step("doc", |console| checks::doc(workspace, console))?;
    ledger.step("packages", |_console| checks::packages(workspace))?;
    ledger.step("deny", |console| checks::deny(workspace, console))?;
    for (name, runtime) in [
        ("e2e docker", Runtime::Docker),
        ("e2e sandbox", Runtime::Sandbox),
    ] {
        ledger.step(name, |console| {
            let outcome = e2e::test(workspace, console, &stage, runtime)?;
            settle(&mut counts, outcome)
        })?;
    }
    for (name, runtime) in [
        ("crash docker", Runtime::Docker),
        ("crash sandbox", Runtime::Sandbox),
    ] {
        ledger.step(name, |console| {
            let scene = Scene {
                workspace,
                console,
                interrupts: &interrupts,
                runner: programs.clone().context("there is no agent-runner")?,
            };
            crash::few(&scene, runtime, engine.as_mut())
        })?;
    }
    // Last, because the host that it builds has other channels than that of the steps before.
    ledger.step("channels", |console| channels::step(workspace, console))?;
    Ok(ledger.close(&counts))
}

/// Installs what the later steps call.
fn machine(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    nextest::ensure(&sh, console)?;
    checks::ensure_deny(&sh, console)?;
    synapse::ensure(workspace, console)?;
    Ok(String::new())
}

/// Adds the tests of a step to the sum; the step ends as its tests did.
fn settle(counts: &mut Counts, outcome: Outcome) -> Result<String> {
    *counts = *counts + outcome.counts;
    match outcome.failure {
        Some(err) => Err(err.context(outcome.counts.to_string())),
        None => Ok(outcome.counts.to_string()),
    }
}
