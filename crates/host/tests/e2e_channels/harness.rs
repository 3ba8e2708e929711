//! One installation with one agent, which every chat of every channel is wired to.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use camino::Utf8PathBuf;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time;

/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Waits until `is` holds.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let looking = async {
        while !is() {
            time::sleep(LOOK_AGAIN).await;
        }
    };
    let found = time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|elapsed| panic!("never came ({elapsed}): {what}"));
}

#[expect(clippy::disallowed_methods, reason = "how these tests are told")]
fn runner() -> Utf8PathBuf {
    let host = Utf8PathBuf::from(env!("CARGO_BIN_EXE_anchorhold"));
    match std::env::var("ANCHORHOLD_RUNNER") {
        Ok(path) if !path.is_empty() => path.into(),
        Ok(_) | Err(_) => host.with_file_name("agent-runner"),
    }
}

/// One installation, and the host that runs on it.
pub(crate) struct Place {
    dir: TempDir,
    secrets: Vec<(String, String)>,
    host: Option<Child>,
}

impl Place {
    /// An installation with one channel instance, `c`, whose table is `channel`.
    pub(crate) fn new(channel: &str, secrets: &[(&str, &str)]) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("ah-e2e-")
            .tempdir()
            .unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let nowhere = dir.path().join("no-engine.sock");
        let config = format!(
            "[host]\nruntime = \"sandbox\"\ndocker = \"unix://{}\"\nstop_grace = \"10s\"\n\n\
             [channels.c]\nunknown_senders = \"public\"\n{channel}\n\n\
             [agents.helper]\nprovider = \"offline\"\n[agents.helper.limits]\n\
             memory = \"256MiB\"\n\n\
             [[wirings]]\nchannel = \"c\"\nchat = \"*\"\nagent = \"helper\"\n",
            nowhere.display(),
        );
        fs::write(dir.path().join("channels.toml"), config).unwrap();
        let secret = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            dir,
            secrets: secrets.iter().map(secret).collect(),
            host: None,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_anchorhold"));
        command
            .arg("--data-dir")
            .arg(self.dir.path().join("data"))
            .arg("--config")
            .arg(self.dir.path().join("channels.toml"))
            .args(args)
            .envs(self.secrets.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn cli(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::from(self.command(args));
        command.kill_on_drop(true);
        let done = time::timeout(PATIENCE, command.output()).await;
        done.expect("the command ends").unwrap()
    }

    /// What the host has logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("host.log")).unwrap_or_default()
    }

    /// Starts a host.
    pub(crate) fn start(&mut self) {
        assert!(self.host.is_none(), "a host runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("host.log"))
            .unwrap();
        let host = self
            .command(&["run", "--runner", runner().as_str()])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.host = Some(host.unwrap());
    }

    /// Stops the host; it ends well.
    pub(crate) async fn stop(&mut self) {
        let mut host = self.host.take().expect("a host runs");
        kill_process(Pid::from_child(&host), Signal::TERM).unwrap();
        let mut status = None;
        until("the host ends", || {
            status = host.try_wait().unwrap();
            status.is_some()
        })
        .await;
        assert_eq!(status.unwrap().code(), Some(0), "{}", self.log());
    }
}

impl Drop for Place {
    /// A test that fails leaves no host behind.
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            // silent: it may be over, and the test has failed already
            let _over = kill_process(Pid::from_child(&host), Signal::TERM).is_err();
            drop(host.wait());
        }
    }
}
