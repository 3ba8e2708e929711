//! The image that agents run in: `container/Dockerfile`, on a base from a registry or from apt.

mod root;

use std::{fs, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use xshell::{Shell, cmd};

use crate::{
    engine::Engine,
    output::{self, Console},
    workspace::Workspace,
};

/// The name the image has unless another is asked for.
pub(crate) const TAG: &str = "anchorhold-agent:latest";
/// The label that says what an image was made from.
const LABEL: &str = "anchorhold.image";
/// How long a registry may take to hand out the base, in `timeout`'s words.
const PULL_LIMIT: &str = "300s";

/// What `cargo xtask image` can be told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The image to build on; without it the one that the Dockerfile names.
    #[arg(long)]
    base: Option<String>,
    /// The name of the image.
    #[arg(long, default_value = TAG)]
    tag: String,
    /// The engine's address, as in `DOCKER_HOST`.
    #[arg(long)]
    engine: Option<String>,
}

/// `cargo xtask image`
pub(crate) fn run(workspace: &Workspace, console: &Console, options: &Options) -> Result<ExitCode> {
    let sh = workspace.shell()?;
    let engine = Engine::find(&sh, options.engine.as_deref())
        .context("no container engine answers (is `docker` installed, is DOCKER_HOST right?)")?;
    make(
        workspace,
        console,
        &engine,
        options.base.as_deref(),
        &options.tag,
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the image with its usual name and base, unless the engine has it.
pub(crate) fn make_default(
    workspace: &Workspace,
    console: &Console,
    engine: &Engine,
) -> Result<()> {
    make(workspace, console, engine, None, TAG)
}

fn make(
    workspace: &Workspace,
    console: &Console,
    engine: &Engine,
    base: Option<&str>,
    tag: &str,
) -> Result<()> {
    let sh = workspace.shell()?;
    let path = workspace.root.join("container/Dockerfile");
    let recipe = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let base = match base {
        Some(base) => base,
        None => argument(&recipe, "BASE").context("container/Dockerfile names no BASE")?,
    };
    let key = key(&[&recipe, base]);
    if label(&sh, engine, tag).as_deref() == Some(key.as_str()) {
        console.say(&format!("{tag} is up to date"));
        return Ok(());
    }
    let mut build = Build {
        base: base.to_owned(),
        network: engine.build_network(),
        label: format!("{LABEL}={key}"),
        tag,
    };
    if !obtainable(&sh, console, engine, base) {
        console.say(&format!(
            "no registry hands out {base}; making a base from Debian packages"
        ));
        let packages =
            argument(&recipe, "PACKAGES").context("container/Dockerfile lists no PACKAGES")?;
        build.base = root::import(&sh, console, engine, packages)?;
        // All packages are in it, so the build has nothing to fetch.
        build.network = "none";
    }
    build.run(&sh, console, engine)
}

/// One build of the Dockerfile.
#[derive(Debug)]
struct Build<'a> {
    base: String,
    network: &'a str,
    label: String,
    tag: &'a str,
}

impl Build<'_> {
    fn run(&self, sh: &Shell, console: &Console, engine: &Engine) -> Result<()> {
        let Self {
            base,
            network,
            label,
            tag,
        } = self;
        let base = format!("BASE={base}");
        console.run(
            engine
                .client(sh)
                .args(["build", "--network", network])
                .args(["--build-arg", &base, "--label", label, "--tag", tag])
                .arg("container"),
        )
    }
}

/// Whether the engine has the base, or gets it from a registry.
fn obtainable(sh: &Shell, console: &Console, engine: &Engine, base: &str) -> bool {
    if output::succeeds(engine.client(sh).args(["image", "inspect", base])) {
        return true;
    }
    let pull = cmd!(sh, "timeout {PULL_LIMIT} docker pull --quiet {base}")
        .env("DOCKER_HOST", engine.address());
    match console.run(pull) {
        Ok(()) => true,
        Err(err) => {
            console.say(&format!("{err:#}"));
            false
        }
    }
}

/// What the image called `tag` was made from, if there is one and it says so.
fn label(sh: &Shell, engine: &Engine, tag: &str) -> Option<String> {
    let format = format!(r#"{{{{index .Config.Labels "{LABEL}"}}}}"#);
    let inspect = engine
        .client(sh)
        .args(["image", "inspect", "--format", &format, tag]);
    // silent: an engine that knows no such image says so with an error
    output::read(inspect).ok()
}

/// The default of one `ARG` in a Dockerfile.
fn argument<'a>(recipe: &'a str, name: &str) -> Option<&'a str> {
    recipe.lines().find_map(|line| {
        let value = line.strip_prefix("ARG ")?.trim_start();
        let value = value.strip_prefix(name)?.strip_prefix('=')?;
        Some(value.trim().trim_matches('"'))
    })
}

/// A short name for everything that goes into an image: the 64-bit FNV-1a hash of the parts.
///
/// It tells changes apart, it does not defend against anyone.
fn key(parts: &[&str]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        // No text holds the byte 0xff, so it keeps the parts apart.
        for byte in part.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests;
