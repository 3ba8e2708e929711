//! A host on a fresh data directory, which ends when the measurement does.

use std::{
    ffi::OsString,
    fs,
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    bench::{Bench, client::Client, disk::Disk},
    e2e::Runtime,
    machine::{self, Daemon, Stopwatch},
    output,
};

/// How long the host may take until it is ready.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// How often it is looked whether the host is ready.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long the host may take to stop, with its sandboxes.
const STOP_LIMIT: Duration = Duration::from_mins(1);
/// How long the host may take to answer its operator.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_LIMIT_BYTES: u64 = 1024 * 1024;
/// How long all sandboxes may take to stop once they are idle.
const QUIET_LIMIT: Duration = Duration::from_mins(3);
/// What the path of a Unix socket may be long.
const SOCKET_PATH_BYTES: usize = 107;
/// An engine that cannot be there: a host on the sandbox runtime is measured without one.
const NO_ENGINE: &str = "unix:///dev/null/docker.sock";
/// The conversation that says when the host is ready.
const PROBE: &str = "ready";

/// How a host is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    /// What walls its agents in.
    pub(super) runtime: Runtime,
    /// How many sandboxes may run.
    pub(super) max_sandboxes: u32,
    /// How long an idle sandbox is kept, as the configuration has it.
    pub(super) idle: &'static str,
    /// How many instances of the channel there are.
    pub(super) channels: u32,
}

impl Setup {
    /// Sandboxes that stay.
    pub(super) fn warm(runtime: Runtime) -> Self {
        Self {
            runtime,
            max_sandboxes: 4,
            idle: "1h",
            channels: 1,
        }
    }

    /// Sandboxes that stop at once.
    pub(super) fn cold(runtime: Runtime) -> Self {
        Self {
            idle: "1s",
            ..Self::warm(runtime)
        }
    }

    fn config(self, engine: &str) -> String {
        let Self {
            runtime,
            max_sandboxes,
            idle,
            channels,
        } = self;
        let runtime = runtime.name();
        let config = format!(
            r#"[host]
runtime = "{runtime}"
docker = "{engine}"
max_sandboxes = {max_sandboxes}

[channels.cli]
type = "cli"

[agents.bench]
provider = "offline"

[agents.bench.limits]
idle = "{idle}"

[[wirings]]
channel = "cli"
chat = "*"
agent = "bench"
"#
        );
        let others = (1..channels).map(|number| {
            let name = channel(number);
            format!(
                r#"
[channels.{name}]
type = "cli"

[[wirings]]
channel = "{name}"
chat = "*"
agent = "bench"
"#
            )
        });
        config + &others.collect::<String>()
    }
}

/// The name of an instance of the channel, counted from 0.
fn channel(number: u32) -> String {
    match number {
        0 => "cli".to_owned(),
        _ => format!("cli{}", number.saturating_add(1)),
    }
}

/// A data directory with its configuration; it is removed with this value.
#[derive(Debug)]
pub(super) struct Home {
    folder: TempDir,
    runtime: Runtime,
}

/// A running host, which is ready.
#[derive(Debug)]
pub(super) struct Host<'a> {
    bench: &'a Bench<'a>,
    home: &'a Home,
    daemon: Daemon,
    /// How long it took to get ready.
    pub(super) ready_after: Duration,
}

/// How the host fares, as far as a measurement cares.
#[derive(Debug, Deserialize)]
struct Status {
    sandboxes: Vec<Sandbox>,
    waiting: u64,
    work: Work,
}

#[derive(Debug, Deserialize)]
struct Sandbox {
    session: String,
    runtime: String,
}

#[derive(Debug, Deserialize)]
struct Work {
    sessions: u64,
    messages_pending: u64,
    messages_failed: u64,
    deliveries_pending: u64,
}

impl Home {
    /// A fresh one on the disk that is measured on.
    pub(super) fn new(bench: &Bench<'_>, setup: Setup) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("run-")
            .tempdir_in(&bench.folder)
            .context("make a folder for a host")?;
        let home = Self {
            folder,
            runtime: setup.runtime,
        };
        let socket = home.socket("control");
        ensure!(
            socket.as_os_str().len() <= SOCKET_PATH_BYTES,
            "{} is too long for a socket: name a shorter folder with --dir",
            socket.display()
        );
        let engine = match setup.runtime {
            Runtime::Docker => bench.engine()?.address(),
            Runtime::Sandbox => NO_ENGINE,
        };
        fs::write(home.config(), setup.config(engine)).context("write a configuration")?;
        Ok(home)
    }

    /// The folder around it.
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a host and waits until it welcomes a client.
    pub(super) fn start<'a>(&'a self, bench: &'a Bench<'a>) -> Result<Host<'a>> {
        let log = self.log();
        let watch = Stopwatch::start();
        let mut daemon = Daemon::start(
            &bench.programs.host,
            self.arguments(bench),
            &log,
            STOP_LIMIT,
        )?;
        let socket = self.socket("cli");
        while UnixStream::connect(&socket).is_err() {
            bench.interrupts.check()?;
            if let Some(status) = daemon.ended()? {
                bail!("the host ended with {status}\n{}", output::tail(&log));
            }
            ensure!(
                watch.elapsed() < READY_LIMIT,
                "the host was not ready within {} s\n{}",
                READY_LIMIT.as_secs(),
                output::tail(&log)
            );
            machine::pause(LOOK_EVERY);
        }
        let probe = Client::connect(&socket, PROBE, &bench.interrupts)?;
        let ready_after = watch.elapsed();
        drop(probe);
        Ok(Host {
            bench,
            home: self,
            daemon,
            ready_after,
        })
    }

    /// Keeps the log of a host that failed.
    pub(super) fn keep_log(&self, bench: &Bench<'_>) {
        let folder = bench.workspace.target.join("xtask");
        let kept = folder.join("bench-host.log");
        match fs::create_dir_all(&folder).and_then(|()| fs::copy(self.log(), &kept)) {
            Ok(_) => bench
                .console
                .say(&format!("the host's log: {}", kept.display())),
            Err(err) => bench.console.say(&format!("the host's log is lost: {err}")),
        }
    }

    fn arguments(&self, bench: &Bench<'_>) -> Vec<OsString> {
        vec![
            "run".into(),
            "--config".into(),
            self.config().into(),
            "--data-dir".into(),
            self.data().into(),
            "--runner".into(),
            bench.programs.runner.as_os_str().to_owned(),
        ]
    }

    /// The central database.
    pub(super) fn database(&self) -> PathBuf {
        self.data().join("anchorhold.db")
    }

    fn config(&self) -> PathBuf {
        self.path().join("channels.toml")
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.path().join("host.log")
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.data().join(format!("{name}.sock"))
    }
}

impl Host<'_> {
    /// Its process id.
    pub(super) fn process(&self) -> u32 {
        self.daemon.id()
    }

    /// The disk under its data directory.
    pub(super) fn disk(&self) -> Result<Disk> {
        Disk::new(self.home.path())
    }

    /// A client of its on the conversation `name`.
    pub(super) fn client(&self, name: &str) -> Result<Client> {
        Client::connect(&self.home.socket("cli"), name, &self.bench.interrupts)
    }

    /// The same on one of several instances of the channel.
    pub(super) fn client_on(&self, number: u32, name: &str) -> Result<Client> {
        let socket = self.home.socket(&channel(number));
        // The first one answers when the host is ready; the others a moment later.
        machine::wait_until(READY_LIMIT, || Ok(UnixStream::connect(&socket).is_ok()))?;
        Client::connect(&socket, name, &self.bench.interrupts)
    }

    /// The one session that has a sandbox, which must be of the runtime that was asked for.
    pub(super) fn session(&self) -> Result<String> {
        let sandboxes = self.status()?.sandboxes;
        let [Sandbox { session, runtime }] = sandboxes.as_slice() else {
            bail!("there should be one sandbox, and there are: {sandboxes:?}");
        };
        let asked = self.home.runtime.name();
        ensure!(
            runtime == asked,
            "a sandbox is of {runtime}, not of {asked}"
        );
        Ok(session.clone())
    }

    /// How many sessions it has.
    pub(super) fn sessions(&self) -> Result<u64> {
        Ok(self.status()?.work.sessions)
    }

    /// Waits until no sandbox runs and nothing is to be done.
    pub(super) fn wait_until_quiet(&self) -> Result<()> {
        let quiet = machine::wait_until(QUIET_LIMIT, || {
            self.bench.interrupts.check()?;
            let Status {
                sandboxes,
                waiting,
                work,
            } = self.status()?;
            ensure!(work.messages_failed == 0, "the host gave a message up");
            Ok(sandboxes.is_empty()
                && waiting == 0
                && work.messages_pending == 0
                && work.deliveries_pending == 0)
        })?;
        ensure!(
            quiet,
            "sandboxes still ran after {} s",
            QUIET_LIMIT.as_secs()
        );
        Ok(())
    }

    /// Stops it and its sandboxes.
    pub(super) fn stop(mut self) -> Result<()> {
        let status = self.daemon.stop()?;
        ensure!(status.success(), "the host ended with {status}");
        Ok(())
    }

    fn status(&self) -> Result<Status> {
        let answer = self.ask(&json!({"ask": "status"}))?;
        serde_json::from_slice(&answer).context("read how the host fares")
    }

    /// Asks it for something of its administration; gives the reply as it came.
    pub(super) fn administer(&self, resource: &str, verb: &str, args: &Value) -> Result<Value> {
        let request = json!({"resource": resource, "verb": verb, "args": args});
        let answer = self.ask(&json!({"ask": "admin", "request": request}))?;
        serde_json::from_slice(&answer).context("read a reply of the host")
    }

    /// Asks it as its operator does.
    fn ask(&self, what: &Value) -> Result<Vec<u8>> {
        let line = format!("{what}\n");
        let ask = || -> std::io::Result<Vec<u8>> {
            let mut stream = UnixStream::connect(self.home.socket("control"))?;
            stream.set_read_timeout(Some(ANSWER_LIMIT))?;
            stream.set_write_timeout(Some(ANSWER_LIMIT))?;
            stream.write_all(line.as_bytes())?;
            let mut answer = Vec::new();
            stream.take(ANSWER_LIMIT_BYTES).read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer = match ask() {
            // A signal such as that of Ctrl-C may have cut it short.
            Err(err) if err.kind() == ErrorKind::Interrupted => ask(),
            other => other,
        };
        answer.context("ask the host")
    }
}

#[cfg(test)]
mod tests;
