//! The checks that are a call of cargo each.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::{
    output::{self, Console},
    workspace::{Package, Workspace},
};

/// The version installed where there is none, and the one `deny.toml` is written for.
const DENY_VERSION: &str = "0.20.2";
/// The package with the channels' features.
const HOST: &str = "anchorhold-host";
/// The seeds that are always simulated.
const SIM_SEEDS: &str = "0..300";
/// How many are simulated that nobody has chosen; they are printed.
const SIM_FRESH: &str = "20";
/// Each so-manieth step is the last one of its process, or of all, in the scenario with a death or a
/// power cut at each: all of them take several times as long on two cores as all seeds together.
const SIM_STRIDE: &str = "6";
/// What the features of channels are built from.
const CHANNEL_PREFIX: &str = "anchorhold-channel-";
/// The product is built from fewer packages than this, all platforms counted.
const PACKAGE_LIMIT: usize = 350;

pub(super) fn fmt(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    console.run(cmd!(sh, "cargo fmt --all --check"))?;
    Ok(String::new())
}

pub(super) fn clippy(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    console.run(cmd!(
        sh,
        "cargo clippy --locked --workspace --all-targets -- -D warnings"
    ))?;
    Ok(String::new())
}

/// Each channel alone must compile, and so must a host without any.
pub(super) fn features(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    let host = workspace
        .packages
        .iter()
        .find(|package| package.name == HOST)
        .with_context(|| format!("the workspace has no {HOST}"))?;
    let features = channel_features(host);
    console.run(cmd!(
        sh,
        "cargo check --locked --package {HOST} --no-default-features"
    ))?;
    for feature in &features {
        console.run(cmd!(
            sh,
            "cargo check --locked --package {HOST} --no-default-features --features {feature}"
        ))?;
    }
    Ok(format!("none, and {} alone", features.len()))
}

/// The features that turn a channel's crate on.
fn channel_features(host: &Package) -> Vec<&str> {
    host.features
        .iter()
        .filter(|(_, turns_on)| {
            turns_on.iter().any(|what| {
                let name = what.strip_prefix("dep:").unwrap_or(what);
                name.starts_with(CHANNEL_PREFIX) && !name.contains('/')
            })
        })
        .map(|(name, _)| name.as_str())
        .collect()
}

/// The simulator: fixed seeds, some that nobody has chosen, a death and a power cut at each step in
/// turn.
pub(super) fn sim(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    let (seeds, fresh, stride) = (SIM_SEEDS, SIM_FRESH, SIM_STRIDE);
    console.run(cmd!(
        sh,
        "cargo run --locked --package anchorhold-sim -- --seeds {seeds} --fresh {fresh} --steps --power --stride {stride}"
    ))?;
    Ok(format!(
        "seeds {seeds}, {fresh} fresh, a death and a power cut at one step of {stride}"
    ))
}

pub(super) fn doc(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    console.run(
        cmd!(sh, "cargo doc --locked --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"),
    )?;
    Ok(String::new())
}

/// The product stays small enough to be read: a budget for the packages it is built from.
pub(super) fn packages(workspace: &Workspace) -> Result<String> {
    let sh = workspace.shell()?;
    // In a virtual workspace this starts at the default members: the two programs.
    let tree = output::read(cmd!(
        sh,
        "cargo tree --locked --edges normal,build --target all --prefix none"
    ))?;
    within_budget(count(&tree))
}

fn within_budget(packages: usize) -> Result<String> {
    ensure!(packages > 0, "`cargo tree` names no package");
    ensure!(
        packages < PACKAGE_LIMIT,
        "{packages} packages, and the budget ends below {PACKAGE_LIMIT}"
    );
    Ok(format!("{packages} of fewer than {PACKAGE_LIMIT}"))
}

/// Counts names with versions; a package built in two ways is one.
fn count(tree: &str) -> usize {
    let packages: BTreeSet<_> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    packages.len()
}

pub(super) fn ensure_deny(sh: &Shell, console: &Console) -> Result<()> {
    if output::succeeds(cmd!(sh, "cargo deny --version")) {
        return Ok(());
    }
    console.run(cmd!(sh, "cargo install --locked cargo-deny@{DENY_VERSION}"))
}

/// Licences, sources and double versions; advisories would need a database from the internet.
pub(super) fn deny(workspace: &Workspace, console: &Console) -> Result<String> {
    let sh = workspace.shell()?;
    console.run(cmd!(
        sh,
        "cargo deny --locked check --hide-inclusion-graph bans licenses sources"
    ))?;
    Ok(String::new())
}

#[cfg(test)]
mod tests;
