//! One installation: a data directory, a configuration, and the real program run on them.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{io::AsyncWriteExt as _, time};

use crate::e2e::{person::Person, wall::Wall};

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// In the environment of every host, so that it can be looked for inside.
pub(crate) const HOST_SECRET: (&str, &str) = ("ANCHORHOLD_E2E_SECRET", "of the host alone");

/// Waits until `look` finds something.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            time::sleep(LOOK_AGAIN).await;
        }
    };
    let found = time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|elapsed| panic!("never came ({elapsed}): {what}"))
}

/// What a command printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// One installation, and the host that runs on it.
pub(crate) struct Place {
    pub(crate) wall: Wall,
    pub(crate) dir: TempDir,
    /// The engine's address, and the image that it runs.
    pub(crate) engine: String,
    pub(crate) image: String,
    host: Option<Child>,
    starts: u32,
}

#[expect(clippy::disallowed_methods, reason = "how these tests are told")]
pub(crate) fn told(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The host's program.
pub(crate) fn program() -> Utf8PathBuf {
    let built = env!("CARGO_BIN_EXE_anchorhold");
    told("ANCHORHOLD_BIN")
        .unwrap_or_else(|| built.to_owned())
        .into()
}

/// The agent-runner that hosts are told to use.
pub(crate) fn runner() -> Utf8PathBuf {
    match told("ANCHORHOLD_RUNNER") {
        Some(path) => path.into(),
        None => program().with_file_name("agent-runner"),
    }
}

impl Place {
    /// An installation with one agent, whose limits are the defaults but for `limits`.
    pub(crate) fn new(wall: Wall, limits: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("ah-e2e-")
            .tempdir()
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let nowhere = format!("unix://{}/no-engine.sock", dir.path().display());
        let engine = match wall {
            Wall::Docker => {
                told("DOCKER_HOST").unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
            }
            Wall::Sandbox => nowhere,
        };
        let place = Self {
            wall,
            dir,
            engine,
            image: told("ANCHORHOLD_IMAGE").unwrap_or_else(|| "anchorhold-agent:latest".to_owned()),
            host: None,
            starts: 0,
        };
        place.configure(&place.usual(limits));
        place
    }

    /// The same, with a host that runs on it.
    pub(crate) async fn running(wall: Wall, limits: &str) -> Self {
        let mut place = Self::new(wall, limits);
        place.start().await;
        place
    }

    /// The first part of every configuration: the host and its channel.
    pub(crate) fn head(&self) -> String {
        format!(
            "[host]\nruntime = \"{}\"\ndocker = \"{}\"\nimage = \"{}\"\nmax_sandboxes = 8\n\
             stop_grace = \"10s\"\n\n[channels.cli]\ntype = \"cli\"\n",
            self.wall.name(),
            self.engine,
            self.image,
        )
    }

    /// The configuration of one agent that hears everything.
    pub(crate) fn usual(&self, limits: &str) -> String {
        format!(
            "{}\n[agents.helper]\nprovider = \"offline\"\n[agents.helper.limits]\n\
             memory = \"256MiB\"\n{limits}\n\n\
             [[wirings]]\nchannel = \"cli\"\nchat = \"*\"\nagent = \"helper\"\n",
            self.head(),
        )
    }

    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.config(), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.dir.path().join(name)).unwrap()
    }

    pub(crate) fn config(&self) -> Utf8PathBuf {
        self.path("channels.toml")
    }

    pub(crate) fn data(&self) -> Utf8PathBuf {
        self.path("data")
    }

    /// A file of the agent's workspace, as the host sees it.
    pub(crate) fn workspace(&self, name: &str) -> Utf8PathBuf {
        self.data().join("groups/helper").join(name)
    }

    fn log_of(&self, start: u32) -> Utf8PathBuf {
        self.path(&format!("host-{start}.log"))
    }

    /// What the hosts have logged so far.
    pub(crate) fn log(&self) -> String {
        let starts = 1..=self.starts;
        starts
            .map(|start| fs::read_to_string(self.log_of(start)).unwrap())
            .collect()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(["--data-dir", self.data().as_str()])
            .args(["--config", self.config().as_str()])
            .args(args)
            .env(HOST_SECRET.0, HOST_SECRET.1)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Starts a host and waits until it answers.
    pub(crate) async fn start(&mut self) {
        assert!(self.host.is_none(), "a host runs already");
        self.starts += 1;
        let log = File::create(self.log_of(self.starts)).unwrap();
        let host = self
            .command(&["run", "--runner", runner().as_str()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = host.id();
        self.host = Some(host);
        until("the host answers", async || {
            if let Some(status) = self.host.as_mut()?.try_wait().unwrap() {
                panic!("the host ended with {status}:\n{}", self.log());
            }
            let status = self.try_status().await?;
            (status["pid"] == pid).then_some(())
        })
        .await;
    }

    /// Runs a command of the program to its end, with `input`.
    pub(crate) async fn cli(&self, args: &[&str], input: &str) -> Printed {
        let mut command = tokio::process::Command::from(self.command(args));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A program may end without reading, and says by itself why.
        if let Err(failure) = stdin.write_all(input.as_bytes()).await {
            assert_eq!(failure.kind(), io::ErrorKind::BrokenPipe);
        }
        drop(stdin);
        let done = time::timeout(PATIENCE, child.wait_with_output()).await;
        let done = done.expect("the command ends").unwrap();
        Printed {
            code: done.status.code(),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    async fn try_status(&self) -> Option<Value> {
        let printed = self.cli(&["status", "--json"], "").await;
        (printed.code == Some(0)).then(|| serde_json::from_str(&printed.out).unwrap())
    }

    /// What `status --json` prints.
    pub(crate) async fn status(&self) -> Value {
        self.try_status().await.expect("the host answers")
    }

    /// Waits until the `work` of the status is as it should be.
    pub(crate) async fn until_work(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let work = self.status().await["work"].clone();
            holds(&work).then_some(work)
        })
        .await
    }

    /// What `sessions list --json` prints, the latest active first.
    pub(crate) async fn sessions(&self) -> Vec<Value> {
        self.rows(&["sessions", "list"]).await
    }

    /// What a command that must succeed prints with `--json`, one value a line.
    pub(crate) async fn rows(&self, args: &[&str]) -> Vec<Value> {
        let printed = self.cli(&[args, &["--json"]].concat(), "").await;
        assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
        let lines = printed.out.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The ids of all sessions, in order of their making.
    pub(crate) fn session_ids(&self) -> Vec<String> {
        session_ids(&self.data())
    }

    /// The id of the one session.
    pub(crate) fn session_id(&self) -> String {
        let ids = self.session_ids();
        assert_eq!(ids.len(), 1, "one session: {ids:?}");
        ids[0].clone()
    }

    /// Somebody on the conversation `name`.
    pub(crate) async fn person(&self, name: &str) -> Person {
        Person::connect(&self.data().join("cli.sock"), name).await
    }

    pub(crate) fn pid(&self) -> u32 {
        self.host.as_ref().expect("a host runs").id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        signal_to(self.pid(), signal);
    }

    /// Waits for the end of the host.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let mut host = self.host.take().expect("a host runs");
        until("the host ends", async || host.try_wait().unwrap()).await
    }

    /// Ends the host at once, without a word.
    pub(crate) async fn kill_host(&mut self) {
        self.signal(Signal::KILL);
        self.ended().await;
    }

    /// Stops the host; it ends well and leaves no sandbox.
    pub(crate) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended().await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
        let left: Vec<String> = self
            .session_ids()
            .iter()
            .flat_map(|session| self.wall.sandboxes(&self.engine, session))
            .collect();
        let log = self.log();
        assert_eq!(left, Vec::<String>::new(), "sandboxes that are left: {log}");
    }
}

/// Signals a process, which may be over already.
pub(crate) fn signal_to(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let sent = kill_process(pid, signal);
    assert!(matches!(sent, Ok(()) | Err(Errno::SRCH)), "{sent:?}");
}

/// Waits, for at most `limit`, for the end of a process, where nothing can be awaited.
pub(crate) fn over_within(child: &mut Child, limit: Duration) -> bool {
    let pid = Pid::from_child(child);
    let Ok(watched) = pidfd_open(pid, PidfdFlags::empty()) else {
        return matches!(child.try_wait(), Ok(Some(_)));
    };
    let limit = Timespec::try_from(limit).unwrap();
    let ready = poll(&mut [PollFd::new(&watched, PollFlags::IN)], Some(&limit));
    ready == Ok(1) && child.wait().is_ok()
}

fn session_ids(data: &Utf8Path) -> Vec<String> {
    let Ok(entries) = data.join("sessions").read_dir_utf8() else {
        return Vec::new();
    };
    let mut ids: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_owned())
        .collect();
    ids.sort();
    ids
}

impl Drop for Place {
    /// After a test that failed half-way: nothing of it stays.
    #[expect(clippy::print_stdout, reason = "shown with the failure of a test")]
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            if std::thread::panicking() {
                println!("the host's log:\n{}", self.log());
            }
            signal_to(host.id(), Signal::TERM);
            if !over_within(&mut host, Duration::from_secs(20)) {
                signal_to(host.id(), Signal::KILL);
                over_within(&mut host, Duration::from_secs(5));
            }
        }
        for session in self.session_ids() {
            self.wall.remove(&self.engine, &session);
        }
    }
}
