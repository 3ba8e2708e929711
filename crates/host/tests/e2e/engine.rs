//! A container engine that is the test's own, and can be taken away from a running host.

use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::e2e::{
    harness::{Place, over_within, runner, signal_to, until},
    person::agent_quotes,
    wall::{Wall, docker},
};

const IMAGE: &str = "anchorhold-e2e:own";
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// An engine with everything it keeps in a folder of its own.
struct Engine {
    dir: TempDir,
    running: Option<Child>,
    starts: u32,
}

impl Engine {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("ah-eng-").tempdir();
        Self {
            dir: dir.unwrap(),
            running: None,
            starts: 0,
        }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn address(&self) -> String {
        format!("unix://{}", self.at("docker.sock"))
    }

    /// Starts it, and waits until it answers.
    async fn start(&mut self) {
        assert!(self.running.is_none(), "the engine runs already");
        self.starts += 1;
        let log = self.at(&format!("engine-{}.log", self.starts));
        // Should the machine have a containerd, ours must not meet what other engines keep there.
        let namespace = self.dir.path().file_name().unwrap().to_str().unwrap();
        let engine = Command::new("dockerd")
            .arg(format!("--host={}", self.address()))
            .arg(format!("--data-root={}", self.at("data")))
            .arg(format!("--exec-root={}", self.at("exec")))
            .arg(format!("--pidfile={}", self.at("docker.pid")))
            .arg(format!("--containerd-namespace={namespace}"))
            .arg(format!(
                "--containerd-plugins-namespace={namespace}-plugins"
            ))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .args(["--storage-driver=vfs"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let address = self.address();
        let running = self.running.insert(engine);
        until("the engine answers", async || {
            if let Some(status) = running.try_wait().unwrap() {
                panic!(
                    "the engine ended with {status}:\n{}",
                    fs::read_to_string(&log).unwrap()
                );
            }
            let found = docker(&address, &["version", "--format", "{{.Server.Version}}"]);
            (!found.trim().is_empty()).then_some(())
        })
        .await;
    }

    fn stop(&mut self) {
        let mut engine = self.running.take().unwrap();
        signal_to(engine.id(), Signal::TERM);
        assert!(over_within(&mut engine, STOP_LIMIT), "the engine ends");
    }

    /// Makes an image that has nothing but the libraries of the agent-runner, if it needs any.
    fn make_image(&self) {
        let root = self.at("root");
        let copy = "set -e; mkdir -p \"$1/tmp\"; \
                    for lib in $(ldd \"$2\" | grep -o '/[^ ]*'); do \
                    mkdir -p \"$1${lib%/*}\"; cp -L \"$lib\" \"$1$lib\"; done; \
                    tar -C \"$1\" -cf \"$1.tar\" .";
        let made = Command::new("sh")
            .args(["-c", copy, "sh", &root, runner().as_str()])
            .status();
        assert!(made.unwrap().success());
        let tar = format!("{root}.tar");
        assert!(Path::new(&tar).exists());
        let imported = docker(&self.address(), &["import", &tar, IMAGE]);
        assert!(imported.starts_with("sha256:"), "{imported}");
    }
}

pub(crate) async fn an_engine_that_goes_away_is_told_and_waited_for(wall: Wall) {
    let mut engine = Engine::new();
    engine.start().await;
    engine.make_image();
    let mut place = Place::new(wall, "");
    place.engine = engine.address();
    IMAGE.clone_into(&mut place.image);
    place.configure(&place.usual("idle = \"1s\""));
    place.start().await;
    let mut person = place.person("local").await;
    person.ask("hello").await;
    // A sandbox that runs could answer without its engine.
    until("the sandbox is idle and ends", async || {
        let status = place.status().await;
        (status["sandboxes"] == json!([])).then_some(())
    })
    .await;

    engine.stop();
    let said = person.say("is anybody there").await;
    let told = "host: The engine that runs the agent does not answer at the moment. Your message \
                is kept and will be answered when it is back.";
    let expected = [agent_quotes("hello"), told.to_owned()];
    assert_eq!(person.hears(2).await, expected);
    let status = place.status().await;
    let docker = &status["runtimes"][0];
    assert_eq!(
        (&docker["kind"], &docker["up"]),
        (&json!("docker"), &json!(false))
    );
    assert_eq!(status["work"]["messages_pending"], 1);
    let shown = place.cli(&["status"], "").await.out;
    assert!(shown.contains("runtime docker: DOES NOT ANSWER"), "{shown}");

    engine.start().await;
    person.answer_to(&said).await;
    person.ask("at last").await;
    let answers = ["is anybody there", "at last"].map(agent_quotes);
    assert_eq!(
        person.lines(),
        [expected.to_vec(), answers.to_vec()].concat()
    );
    assert_eq!(place.status().await["runtimes"][0]["up"], true);
    place.stop().await;
    engine.stop();
}

impl Drop for Engine {
    /// Containers that outlived a failed test end with the engine that is told to stop.
    fn drop(&mut self) {
        if let Some(mut engine) = self.running.take() {
            signal_to(engine.id(), Signal::TERM);
            if !over_within(&mut engine, STOP_LIMIT) {
                signal_to(engine.id(), Signal::KILL);
                over_within(&mut engine, STOP_LIMIT);
            }
        }
    }
}
