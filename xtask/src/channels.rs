//! `cargo xtask channels`: what the channels promise, tried out and written down.
//!
//! Three things: the conformance suite of each channel, whose outcome is a table in the
//! documentation; clients that others wrote, run against our fakes of the platforms; and the whole
//! program between a fake platform and a sandbox.

mod clients;
mod table;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, ensure};
use clap::Args;
use xshell::cmd;

use self::table::{Column, Table};
use crate::{
    binaries::{self, Profile},
    debian,
    output::{self, Console},
    synapse,
    workspace::{Package, Workspace},
};

/// What channels' packages are called.
const PREFIX: &str = "anchorhold-channel-";
/// What channels share, and which is none.
const KIT: &str = "anchorhold-channel-kit";
/// The test that runs the suite and prints its report.
const SUITE: &str = "tests::the_adapter_conforms";
/// Where the table stands.
const PAGE: &str = "docs/channels/README.md";

/// What `cargo xtask channels` can be told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Change nothing: a table that is not what it would be is a failure.
    #[arg(long)]
    check: bool,
    /// Only the table.
    #[arg(long)]
    table: bool,
}

/// `cargo xtask channels`
pub(crate) fn run(workspace: &Workspace, console: &Console, options: &Options) -> Result<ExitCode> {
    let mut said = write_table(workspace, console, options.check)?;
    if !options.table {
        said = format!("{said}; {}", try_out(workspace, console)?);
    }
    output::say(&said);
    Ok(ExitCode::SUCCESS)
}

/// The step of `cargo xtask ci`: nothing is written, everything is tried.
pub(crate) fn step(workspace: &Workspace, console: &Console) -> Result<String> {
    let table = write_table(workspace, console, true)?;
    Ok(format!("{table}; {}", try_out(workspace, console)?))
}

/// The channels' packages.
fn channels(workspace: &Workspace) -> Vec<&Package> {
    let packages = workspace.packages.iter();
    packages
        .filter(|package| package.name.starts_with(PREFIX) && package.name != KIT)
        .collect()
}

fn write_table(workspace: &Workspace, console: &Console, check: bool) -> Result<String> {
    let sh = workspace.shell()?;
    synapse::ensure(workspace, console)?;
    let mut columns = Vec::new();
    for package in channels(workspace) {
        let name = &package.name;
        console.say(&format!("the conformance suite of {name}"));
        let text = output::read(cmd!(
            sh,
            "cargo test --locked --quiet --package {name} --lib -- --exact {SUITE} --nocapture"
        ))
        .with_context(|| format!("run the conformance suite of {name}"))?;
        let short = name.strip_prefix(PREFIX).unwrap_or(name);
        columns.push(Column::read(short, &text)?);
    }
    let table = Table::of(columns)?;
    let path = workspace.root.join(PAGE);
    let before = fs::read_to_string(&path).with_context(|| format!("read {PAGE}"))?;
    let after = table.put_into(&before)?;
    if check {
        ensure!(
            before == after,
            "the table in {PAGE} is not what the suites say: run `cargo xtask channels --table`"
        );
    } else if before != after {
        fs::write(&path, after).with_context(|| format!("write {PAGE}"))?;
    }
    Ok(table.summary())
}

/// Runs others' clients against our fakes, and the whole program with all channels.
fn try_out(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    debian::ensure(&sh, console, debian::TO_TRY_CLIENTS)?;
    let mut clients = Vec::new();
    for package in channels(workspace) {
        clients.extend(clients::run(
            workspace,
            console,
            &package.name,
            &folder(workspace, package),
        )?);
    }
    let runner = binaries::runner(workspace, console, Profile::Dev)?;
    let features: Vec<&str> = channels(workspace)
        .into_iter()
        .filter_map(|package| package.name.strip_prefix(PREFIX))
        .filter(|name| *name != "cli")
        .collect();
    let features = features.join(",");
    console.run(
        cmd!(
            sh,
            "cargo test --locked --package anchorhold-host --features {features} --test e2e_channels"
        )
        .env("ANCHORHOLD_RUNNER", runner),
    )?;
    Ok(format!(
        "{} clients of others; the whole path",
        clients.len()
    ))
}

fn folder(workspace: &Workspace, package: &Package) -> PathBuf {
    let short = package.name.trim_start_matches("anchorhold-");
    workspace.root.join("crates").join(short)
}
