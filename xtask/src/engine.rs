//! The container engine: the one that answers, or one of our own for the tests.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use xshell::{Cmd, Shell, cmd};

use crate::{
    debian,
    machine::{self, Daemon},
    output::{self, Console},
};

/// Where an engine usually listens.
const USUAL: &str = "unix:///var/run/docker.sock";
/// How long an engine of ours may take to answer.
const START_LIMIT: Duration = Duration::from_mins(1);
/// How long an engine of ours may take to stop its containers and itself.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// How long an address is given to answer, in `timeout`'s words.
const ANSWER_LIMIT: &str = "10s";

/// A container engine that answered.
#[derive(Debug)]
pub(crate) struct Engine {
    address: String,
    own: Option<Own>,
}

/// An engine that this process started, and stops when it is dropped.
#[derive(Debug)]
struct Own {
    // Dropped in this order: the folder is in use as long as the engine runs.
    daemon: Daemon,
    folder: TempDir,
}

impl Engine {
    /// The engine at `address`, else the one the environment names, else the usual one;
    /// nothing if there is no client, or no answer.
    pub(crate) fn find(sh: &Shell, address: Option<&str>) -> Option<Self> {
        machine::which("docker")?;
        let address = pick(address, machine::variable("DOCKER_HOST").as_deref());
        let engine = Self { address, own: None };
        engine.answers(sh).then_some(engine)
    }

    /// The engine that answers, else one of our own, which ends with this value.
    ///
    /// Call it from the main thread, see [`Daemon::start`].
    pub(crate) fn find_or_start(sh: &Shell, console: &Console) -> Result<Self> {
        if let Some(engine) = Self::find(sh, None) {
            console.say(&format!("the engine at {} answers", engine.address));
            return Ok(engine);
        }
        debian::ensure(sh, console, debian::TO_START_AN_ENGINE)?;
        // On some machines the package starts one.
        if let Some(engine) = Self::find(sh, None) {
            console.say(&format!("the engine at {} answers now", engine.address));
            return Ok(engine);
        }
        Self::start(sh, console)
    }

    fn start(sh: &Shell, console: &Console) -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "no container engine answers, and only root can start one"
        );
        // Short, because the path of a socket has a small limit.
        let folder = tempfile::Builder::new()
            .prefix("anchorhold-engine-")
            .tempdir()
            .context("make a folder for the engine")?;
        let log = log_in(folder.path());
        let args = arguments(folder.path());
        let program = machine::which("dockerd").context("dockerd is not installed")?;
        let daemon = Daemon::start(&program, &args, &log, STOP_LIMIT)?;
        let mut engine = Self {
            address: address_in(folder.path()),
            own: Some(Own { daemon, folder }),
        };
        let ready = machine::wait_until(START_LIMIT, || {
            engine.check_alive()?;
            Ok(engine.answers(sh))
        })?;
        if !ready {
            bail!(
                "the engine did not answer within {} s\n{}",
                START_LIMIT.as_secs(),
                output::tail(&log)
            );
        }
        console.say(&format!("started an engine at {}", engine.address));
        Ok(engine)
    }

    /// What `DOCKER_HOST` has to be for this engine.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The network that a build on this engine can fetch packages through.
    pub(crate) fn build_network(&self) -> &'static str {
        // Ours has no bridge, so its builds can only share the machine's network.
        match self.own {
            Some(_) => "host",
            None => "default",
        }
    }

    /// A call of the engine's client.
    pub(crate) fn client<'a>(&self, sh: &'a Shell) -> Cmd<'a> {
        sh.cmd("docker").env("DOCKER_HOST", &self.address)
    }

    fn answers(&self, sh: &Shell) -> bool {
        let address = &self.address;
        output::succeeds(
            cmd!(sh, "timeout {ANSWER_LIMIT} docker version").env("DOCKER_HOST", address),
        )
    }

    fn check_alive(&mut self) -> Result<()> {
        if let Some(own) = &mut self.own
            && let Some(status) = own.daemon.ended()?
        {
            let log = log_in(own.folder.path());
            bail!("the engine ended with {status}\n{}", output::tail(&log));
        }
        Ok(())
    }
}

fn pick(asked: Option<&str>, environment: Option<&str>) -> String {
    asked.or(environment).unwrap_or(USUAL).to_owned()
}

fn address_in(folder: &Path) -> String {
    format!("unix://{}/docker.sock", folder.display())
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("dockerd.log")
}

/// Everything the engine writes is in `folder`, and it changes nothing of the machine's network.
fn arguments(folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).display().to_string();
    // Should the machine have a containerd, ours must not meet what other engines keep there.
    let namespace = folder
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    vec![
        format!("--host={}", address_in(folder)),
        format!("--data-root={}", at("data")),
        format!("--exec-root={}", at("exec")),
        format!("--pidfile={}", at("docker.pid")),
        format!("--containerd-namespace={namespace}"),
        format!("--containerd-plugins-namespace={namespace}-plugins"),
        "--bridge=none".to_owned(),
        "--iptables=false".to_owned(),
        "--ip6tables=false".to_owned(),
    ]
}

#[cfg(test)]
mod tests;
