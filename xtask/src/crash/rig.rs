//! The host that is killed, on a data directory that is not.

use std::{
    ffi::OsString,
    fs,
    io::{Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    binaries::{self, Profile},
    crash::{Scene, dice::Dice, processes, tally::OnRecord},
    e2e::Runtime,
    engine::Engine,
    image,
    machine::{self, Daemon},
    output,
};

/// How long the host may take to stop, with its sandboxes.
const STOP_LIMIT: Duration = Duration::from_mins(2);
/// How long it may take to answer its operator, from its start on.
const ANSWER_LIMIT: Duration = Duration::from_mins(1);
/// The longest answer that is read.
const ANSWER_LIMIT_BYTES: u64 = 1024 * 1024;
/// An engine that can't be there: agents behind bubblewrap need none.
const NO_ENGINE: &str = "unix:///dev/null/docker.sock";

/// A data directory, and the host on it.
#[derive(Debug)]
pub(super) struct Rig {
    // Dropped in this order: the folder is in use as long as the host runs.
    host: Option<Daemon>,
    folder: TempDir,
    program: PathBuf,
    runner: PathBuf,
    /// How many hosts there were.
    started: u32,
}

#[derive(Debug, Deserialize)]
struct Status {
    work: OnRecord,
}

impl Rig {
    /// A fresh one, without a host yet.
    pub(super) fn new(
        scene: &Scene<'_>,
        runtime: Runtime,
        engine: Option<&Engine>,
    ) -> Result<Self> {
        // Short, because the path of a socket has a small limit.
        let folder = tempfile::Builder::new()
            .prefix("anchorhold-crash-")
            .tempdir()
            .context("make a folder for a host")?;
        let rig = Self {
            host: None,
            folder,
            program: binaries::host_path(scene.workspace, Profile::Dev),
            runner: scene.runner.clone(),
            started: 0,
        };
        let (runtime, tag) = (runtime.name(), image::TAG);
        let engine = engine.map_or(NO_ENGINE, Engine::address);
        let config = format!(
            "[host]\nruntime = \"{runtime}\"\ndocker = \"{engine}\"\nimage = \"{tag}\"\n\
             max_sandboxes = 4\n[channels.cli]\ntype = \"cli\"\n\
             [agents.crash]\nprovider = \"offline\"\n\
             [agents.crash.limits]\ntries = 20\n\
             [[wirings]]\nchannel = \"cli\"\nchat = \"*\"\nagent = \"crash\"\n"
        );
        fs::write(rig.path("channels.toml"), config).context("write a configuration")?;
        Ok(rig)
    }

    /// The socket of the channel.
    pub(super) fn channel(&self) -> PathBuf {
        self.path("data/cli.sock")
    }

    /// Starts a host; it need not be ready when this returns.
    pub(super) fn start(&mut self) -> Result<()> {
        self.started += 1;
        let log = self.log(self.started);
        let path = |name: &str| OsString::from(self.path(name));
        let args: [OsString; 7] = [
            "run".into(),
            "--config".into(),
            path("channels.toml"),
            "--data-dir".into(),
            path("data"),
            "--runner".into(),
            self.runner.clone().into(),
        ];
        self.host = Some(Daemon::start(&self.program, args, &log, STOP_LIMIT)?);
        Ok(())
    }

    /// Kills the host, and starts the next one at once.
    pub(super) fn kill_host(&mut self) -> Result<bool> {
        let host = self.host.as_mut().context("there is no host")?;
        if let Some(status) = host.ended()? {
            let log = output::tail(&self.log(self.started));
            anyhow::bail!("the host ended by itself with {status}\n{log}");
        }
        host.kill()?;
        self.start()?;
        Ok(true)
    }

    /// Kills what works in one of the sandboxes; false if there is none.
    pub(super) fn kill_sandbox(&self, dice: &mut Dice) -> Result<bool> {
        let name = self.folder.path().file_name().unwrap_or_default();
        let runners = processes::runners(&name.to_string_lossy())?;
        let Some(last) = runners.len().checked_sub(1) else {
            return Ok(false);
        };
        let at = dice.between(0, u64::try_from(last)?);
        let chosen = runners.get(usize::try_from(at)?).copied();
        Ok(chosen.is_some_and(processes::kill))
    }

    /// What the host has on record, once it answers.
    pub(super) fn counts(&self) -> Result<OnRecord> {
        let mut found = None;
        let mut last = None;
        machine::wait_until(ANSWER_LIMIT, || {
            match self.ask() {
                Ok(status) => found = Some(status.work),
                Err(failure) => last = Some(failure),
            }
            Ok(found.is_some())
        })?;
        match (found, last) {
            (Some(found), _) => Ok(found),
            (None, Some(failure)) => Err(failure),
            (None, None) => anyhow::bail!("the host was not asked"),
        }
    }

    /// Ends the host and its sandboxes.
    pub(super) fn stop(&mut self) -> Result<()> {
        if let Some(mut host) = self.host.take() {
            let status = host.stop()?;
            ensure!(status.success(), "the host ended with {status}");
        }
        Ok(())
    }

    /// Keeps what was on record and the logs of a run that failed, one for each runtime.
    pub(super) fn keep_log(&self, scene: &Scene<'_>, runtime: Runtime) {
        let name = format!("xtask/crash-{}", runtime.name());
        let kept = scene.workspace.target.join(name);
        // silent: it is there only if an earlier run failed.
        drop(fs::remove_dir_all(&kept));
        let copied = fs::create_dir_all(&kept).and_then(|()| {
            for n in 1..=self.started {
                fs::copy(self.log(n), kept.join(format!("host-{n}.log")))?;
            }
            for name in ["anchorhold.db", "anchorhold.db-wal"] {
                fs::copy(self.path("data").join(name), kept.join(name))?;
            }
            Ok(())
        });
        match copied {
            Ok(()) => scene.console.say(&format!("kept in {}", kept.display())),
            Err(err) => scene.console.say(&format!(
                "logs are kept in {} in part: {err}",
                kept.display()
            )),
        }
    }

    fn ask(&self) -> Result<Status> {
        let mut stream = UnixStream::connect(self.path("data/control.sock"))?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        stream.write_all(b"{\"ask\":\"status\"}\n")?;
        let mut answer = Vec::new();
        stream.take(ANSWER_LIMIT_BYTES).read_to_end(&mut answer)?;
        serde_json::from_slice(&answer).context("read how the host fares")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self, n: u32) -> PathBuf {
        Path::new(self.folder.path()).join(format!("host-{n}.log"))
    }
}
