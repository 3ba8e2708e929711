//! The real program, between real session files.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use std::{
    cell::Cell,
    os::unix::{net::UnixDatagram, process::CommandExt},
    process::{Child, Command, ExitStatus, Output, Stdio},
    time::Duration,
};

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, PlatformMessageId},
    order,
    sandbox::Generation,
};
use anchorhold_sessiondb::{
    Body, Chat, Cursors, HostSide, Inbound, JournalRow, ModelOptions, Outbound, Pulled, Seq,
    Settings, bell,
};
use camino::Utf8Path;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};

/// No test waits for longer than this for one thing.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    host: HostSide,
    bell: UnixDatagram,
    said: Cell<u32>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = HostSide::create(Utf8Path::from_path(dir.path()).unwrap(), None).unwrap();
        let bell = bell::bind(host.in_dir()).unwrap();
        bell.set_nonblocking(false).unwrap();
        bell.set_read_timeout(Some(PATIENCE)).unwrap();
        std::fs::create_dir(dir.path().join("workspace")).unwrap();
        let settings = Settings {
            agent_name: "Ada".to_owned(),
            provider: "offline".to_owned(),
            model: None,
            model_options: ModelOptions::default(),
            time_zone: None,
            prompt_messages: 20,
            floor: Cursors::default(),
        };
        host.write_settings(&settings).unwrap();
        let said = Cell::new(0);
        Self {
            host,
            bell,
            said,
            dir,
        }
    }

    fn hear(&self, text: &str) {
        self.said.set(self.said.get() + 1);
        let chat = Chat {
            channel: "cli".to_owned(),
            sender: "u1".to_owned(),
            sender_name: None,
            about: None,
            text: text.to_owned(),
            sent_at: Timestamp::UNIX_EPOCH,
            reply_to: None,
            files: Vec::new(),
        };
        let address = Address {
            channel: ChannelName::parse("cli").unwrap(),
            chat: ChatId::parse("c1").unwrap(),
            thread: None,
        };
        let highest = self.host.highest_inbound().unwrap();
        let next = order::next_of_host(highest, self.host.highest_outbound());
        let row = JournalRow {
            seq: Seq::new(next).unwrap(),
            address,
            platform_id: PlatformMessageId::parse(&self.said.get().to_string()).unwrap(),
            triggers: true,
            tries: 0,
            due_at: Timestamp::UNIX_EPOCH,
            created_at: Timestamp::UNIX_EPOCH,
            fresh_only: None,
            body: Body::of(&Inbound::Chat(chat)).unwrap(),
        };
        self.host.feed(&[row], &[]).unwrap();
        bell::ring(self.host.out_dir());
    }

    fn start(&self) -> Runner {
        let child = Command::new(env!("CARGO_BIN_EXE_agent-runner"))
            .args(["--generation", "5"])
            .args(["--in", self.host.in_dir().as_str()])
            .args(["--out", self.host.out_dir().as_str()])
            .arg("--workspace")
            .arg(self.dir.path().join("workspace"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Runner { child: Some(child) }
    }

    fn pulled(&self) -> Pulled {
        self.host.pull(Cursors::default(), 1_000).unwrap()
    }

    /// Waits until `count` messages have ended.
    fn ended(&self, count: usize) -> Pulled {
        loop {
            let pulled = self.pulled();
            if pulled.handled.len() >= count {
                return pulled;
            }
            self.bell.recv(&mut [0]).unwrap();
        }
    }

    /// Waits until `ready`, by looking: not everything rings.
    fn wait_for(&self, what: &str, ready: impl Fn() -> bool) {
        self.bell
            .set_read_timeout(Some(Duration::from_millis(5)))
            .unwrap();
        let tries = PATIENCE.as_millis() / 5;
        let met = (0..tries).any(|_| {
            // Rung or not: look again.
            drop(self.bell.recv(&mut [0]));
            ready()
        });
        assert!(met, "waited in vain: {what}");
        self.bell.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

/// A running program, killed at the latest when the test ends.
struct Runner {
    child: Option<Child>,
}

impl Runner {
    fn tell(&self, signal: Signal) {
        let pid = self.child.as_ref().map(Pid::from_child).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn output(mut self) -> Output {
        self.child.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn texts(pulled: &Pulled) -> Vec<&str> {
    pulled
        .rows
        .iter()
        .filter_map(|row| match &row.op {
            Outbound::Post { text, .. } => Some(text.as_str()),
            Outbound::Edit { .. }
            | Outbound::Delete { .. }
            | Outbound::React { .. }
            | Outbound::Ask { .. } => None,
        })
        .collect()
}

fn code(output: &Output) -> (Option<i32>, &[u8]) {
    let status: ExitStatus = output.status;
    (status.code(), &output.stdout)
}

#[test]
fn it_answers_and_stops_when_told() {
    let bench = Bench::new();
    bench.hear("!sh pwd > where; echo secret-word");
    let runner = bench.start();
    let pulled = bench.ended(1);
    assert_eq!(texts(&pulled), ["secret-word\nexit status 0"]);
    bench.hear("!env");
    let pulled = bench.ended(2);
    let environment = texts(&pulled).last().copied().unwrap();
    let lines: Vec<&str> = environment.lines().collect();
    let (path, proxies) = lines.split_first().unwrap();
    assert_eq!(*path, "PATH=/usr/local/bin:/usr/bin:/bin");
    let to = |line: &&str| line.contains("_PROXY=") || line.contains("_proxy=");
    assert!(proxies.iter().all(to), "{proxies:?}");
    runner.tell(Signal::TERM);
    let output = runner.output();
    assert_eq!(code(&output), (Some(0), &b""[..]));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("turn ended"), "{log}");
    assert!(!log.contains("secret-word"), "{log}");
    let workspace = bench.dir.path().join("workspace").canonicalize().unwrap();
    let shown = std::fs::read_to_string(workspace.join("where")).unwrap();
    assert_eq!(shown.trim_end(), workspace.to_str().unwrap());
}

#[test]
fn told_to_stop_during_a_turn_it_finishes_it() {
    let bench = Bench::new();
    let runner = bench.start();
    let generation = Generation(5);
    bench.wait_for("a sign of life", || {
        bench.host.progress(generation).unwrap().is_some()
    });
    bench.hear("!sh while [ ! -e go ]; do sleep 0.01; done; echo finished");
    bench.wait_for("the claim", || !bench.pulled().claims.is_empty());
    runner.tell(Signal::TERM);
    runner.tell(Signal::INT);
    bench.hear("too late");
    std::fs::write(bench.dir.path().join("workspace/go"), "").unwrap();
    assert_eq!(code(&runner.output()), (Some(0), &b""[..]));
    let pulled = bench.pulled();
    assert_eq!(texts(&pulled), ["finished\nexit status 0"]);
    assert_eq!((pulled.handled.len(), pulled.claims.len()), (1, 0));
}

#[test]
fn it_dies_in_mid_turn_with_the_status_that_was_asked_for() {
    let bench = Bench::new();
    bench.hear("!exit 42");
    assert_eq!(code(&bench.start().output()), (Some(42), &b""[..]));
    let pulled = bench.pulled();
    assert_eq!((texts(&pulled).len(), pulled.handled.len()), (0, 0));
    assert_eq!(pulled.claims.len(), 1);
}

#[test]
fn killed_in_mid_turn_it_leaves_the_claim_and_no_answer() {
    let bench = Bench::new();
    bench.hear("!hang");
    let runner = bench.start();
    bench.wait_for("the claim", || !bench.pulled().claims.is_empty());
    runner.tell(Signal::KILL);
    assert_eq!(code(&runner.output()), (None, &b""[..]));
    let pulled = bench.pulled();
    assert_eq!((pulled.rows.len(), pulled.claims.len()), (0, 1));
}

#[test]
fn wrong_arguments_are_an_error_with_a_reason() {
    let output = Command::new(env!("CARGO_BIN_EXE_agent-runner"))
        .output()
        .unwrap();
    assert_eq!(code(&output), (Some(1), &b""[..]));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("--generation N is missing"), "{log}");
}

#[test]
fn under_its_other_name_it_is_the_administration_command() {
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_agent-runner"))
            .arg0("/some/where/anchorhold")
            .args(args)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    };
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for command in ["groups", "wirings", "destinations", "sessions"] {
        assert!(help.contains(command), "{help}");
    }
    // What only people may do on the host is not offered.
    assert!(!help.contains("pair"), "{help}");
    let (code, out, wrong) = run(&["groups", "lst"]);
    assert_eq!((code, out.as_str()), (64, ""));
    assert!(wrong.contains("lst"), "{wrong}");
    // There is no host's file here to ask through.
    let (code, out, failed) = run(&["groups", "list"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(failed.contains("session's files"), "{failed}");
}
