//! `cargo xtask harnesses`: agents that others wrote, as they are, between our agent-runner and a
//! stand-in for their model.
//!
//! They come from npm, and the tests that run them have no network: a program that calls home shows
//! that by failing, and reaches nobody.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::{
    binaries::{self, Profile},
    debian,
    output::{self, Console},
    workspace::Workspace,
};

/// The tests of providers.
const SUITE: &str = "turn_loop::tests::models";
/// The cases of the whole path.
const CASES: &str = "harness_";
/// Claude Code.
const CLAUDE_CODE: Harness = Harness {
    package: "@anthropic-ai/claude-code",
    version: "2.1.197",
    program: "claude",
};
/// Codex, over the Agent Client Protocol.
const CODEX_ACP: Harness = Harness {
    package: "@zed-industries/codex-acp",
    version: "0.16.0",
    program: "bin/codex-acp",
};

/// A program without needs, in a package of npm for each kind of machine.
struct Harness {
    package: &'static str,
    version: &'static str,
    program: &'static str,
}

/// Where the programs are, by the variables in which tests look for them.
type Programs = Vec<(&'static str, PathBuf)>;

/// `cargo xtask harnesses`
pub(crate) fn run(workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    output::say(&step(workspace, console)?);
    Ok(ExitCode::SUCCESS)
}

/// The step of `cargo xtask ci`.
pub(crate) fn step(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    debian::ensure(&sh, console, debian::TO_TRY_CLIENTS)?;
    let found = |harness| program(workspace, &sh, console, harness);
    let programs = vec![
        ("ANCHORHOLD_CLAUDE_CODE", found(&CLAUDE_CODE)?),
        ("ANCHORHOLD_CODEX_ACP", found(&CODEX_ACP)?),
    ];
    suite(&sh, console, &programs)?;
    whole_path(workspace, &sh, console, &programs)?;
    Ok(format!("{} harnesses of others", programs.len()))
}

/// Where the program is; gets its package, once.
fn program(
    workspace: &Workspace,
    sh: &Shell,
    console: &Console,
    harness: &Harness,
) -> Result<PathBuf> {
    let Harness {
        package,
        version,
        program,
    } = harness;
    let wanted = format!("{package}@{version}");
    let name = package.rsplit('/').next().unwrap_or(package);
    let place = workspace.target.join("xtask/harnesses").join(name);
    let done = place.join("has");
    if sh.read_file(&done).ok().as_ref() != Some(&wanted) {
        console.run(cmd!(
            sh,
            "npm install --silent --no-audit --no-fund --ignore-scripts --prefix {place} {wanted}"
        ))?;
        sh.write_file(&done, &wanted)?;
    }
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let folder = format!("node_modules/{package}-linux-{machine}");
    let program = place.join(folder).join(program);
    ensure!(program.is_file(), "there is no {}", program.display());
    Ok(program)
}

/// Runs the cases between a person and a stand-in for the model, behind bubblewrap: what is inside has no
/// network anyway.
fn whole_path(
    workspace: &Workspace,
    sh: &Shell,
    console: &Console,
    programs: &Programs,
) -> Result<()> {
    let runner = binaries::runner(workspace, console, Profile::Dev)?;
    let tests = "--locked --package anchorhold-host --features real-harnesses --test e2e_sandbox";
    let tests = tests.split(' ');
    let cases =
        cmd!(sh, "cargo test --quiet {tests...} -- {CASES}").env("ANCHORHOLD_RUNNER", runner);
    let cases = programs
        .iter()
        .fold(cases, |cases, (name, program)| cases.env(name, program));
    console
        .run(cases)
        .context("run the programs of others through the whole path")
}

/// Runs the suite of providers with the programs, without a network.
fn suite(sh: &Shell, console: &Console, programs: &Programs) -> Result<()> {
    let tests = "--locked --package anchorhold-agent-runner --features real-harnesses --lib";
    let tests = || tests.split(' ');
    let of_tests = tests();
    console.run(cmd!(sh, "cargo test {of_tests...} --no-run"))?;
    let (here, of_tests) = (sh.current_dir(), tests());
    let walled = cmd!(
        sh,
        "bwrap --dev-bind / / --unshare-net --die-with-parent --chdir {here}
         cargo test --offline --quiet {of_tests...} -- {SUITE}"
    );
    let walled = programs
        .iter()
        .fold(walled, |walled, (name, program)| walled.env(name, program));
    console
        .run(walled)
        .context("run the suite of providers with the programs of others")
}
