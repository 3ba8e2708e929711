//! The container engine: the one that answers, or one of our own for the tests.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};
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

    /// One of our own where this machine lets us start one, since only that may be killed; else the
    /// one that answers.
    ///
    /// Call it from the main thread, see [`Daemon::start`].
    pub(crate) fn start_own_or_find(sh: &Shell, console: &Console) -> Result<Self> {
        if rustix::process::geteuid().is_root() {
            debian::ensure(sh, console, debian::TO_START_AN_ENGINE)?;
            match Self::start(sh, console) {
                Ok(engine) => return Ok(engine),
                Err(err) => console.say(&format!("no engine of our own: {err:#}")),
            }
        }
        Self::find(sh, None).context("no container engine answers")
    }

    /// Was it started by this process, which may then kill it?
    pub(crate) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Kills an engine of our own and starts it again where it was; returns when it answers.
    pub(crate) fn crash(&mut self, sh: &Shell) -> Result<()> {
        let own = self
            .own
            .as_mut()
            .context("the engine is not ours to kill")?;
        own.daemon.kill()?;
        let folder = own.folder.path();
        // The engine takes the number in a file that nobody removed for one of itself that runs.
        for stale in ["docker.pid", "exec/containerd/containerd.pid"] {
            stop_by_file(&folder.join(stale))?;
        }
        let (args, log) = (arguments(folder), log_in(folder));
        let program = machine::which("dockerd").context("dockerd is not installed")?;
        own.daemon = Daemon::start(&program, &args, &log, STOP_LIMIT)?;
        let ready = machine::wait_until(START_LIMIT, || {
            self.check_alive()?;
            Ok(self.answers(sh))
        })?;
        ensure!(ready, "the engine did not answer after it was killed");
        Ok(())
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

/// Kills the process that a file of a dead engine of ours names, if it still is a part of that
/// engine, and removes the file.
fn stop_by_file(path: &Path) -> Result<()> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    let folder = path.parent().unwrap_or(path).display().to_string();
    let line = fs::read(format!("/proc/{}/cmdline", text.trim())).unwrap_or_default();
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    if let Some(pid) = pid.filter(|_| String::from_utf8_lossy(&line).contains(&folder)) {
        match kill_process(pid, Signal::KILL) {
            // It may have ended meanwhile.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(errno) => return Err(errno).context("kill what is left of the engine"),
        }
    }
    fs::remove_file(path).with_context(|| format!("remove {}", path.display()))
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
