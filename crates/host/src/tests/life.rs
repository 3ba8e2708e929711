//! The life of sandboxes, as the host judges it.

use anchorhold_core::{
    entity::MessageStatus,
    ids::InstallId,
    sandbox::{ExitStatus, Exited},
};
use anchorhold_runner::{
    error::RuntimeError,
    runtime::{InstanceStatus, Runtime, RuntimeInfo},
    spec::SandboxSpec,
};
use async_trait::async_trait;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::watch,
};

use super::*;
use crate::control::{self, Request};

/// A runtime whose starts wait until a test lets them through.
pub(super) struct Gate {
    inner: Arc<FakeRuntime>,
    open_tx: watch::Sender<bool>,
}

impl Gate {
    pub(super) fn before(inner: Arc<FakeRuntime>) -> Arc<Self> {
        let open_tx = watch::Sender::new(false);
        Arc::new(Self { inner, open_tx })
    }

    pub(super) fn open(&self) {
        self.open_tx.send_replace(true);
    }

    /// Waits until a start is under way.
    pub(super) async fn until_waiting(&self) {
        until("a start is under way", async || {
            (self.open_tx.receiver_count() > 0).then_some(())
        })
        .await;
    }
}

#[async_trait]
impl Runtime for Gate {
    fn kind(&self) -> RuntimeKind {
        self.inner.kind()
    }

    async fn ping(&self) -> Result<RuntimeInfo, RuntimeError> {
        self.inner.ping().await
    }

    async fn start(&self, spec: &SandboxSpec) -> Result<InstanceId, RuntimeError> {
        let mut open_rx = self.open_tx.subscribe();
        open_rx.wait_for(|open| *open).await.unwrap();
        self.inner.start(spec).await
    }

    async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<(), RuntimeError> {
        self.inner.stop(id, grace).await
    }

    async fn wait(&self, id: &InstanceId) -> Result<Exited, RuntimeError> {
        self.inner.wait(id).await
    }

    async fn list(&self, install: InstallId) -> Result<Vec<InstanceStatus>, RuntimeError> {
        self.inner.list(install).await
    }
}

impl Host {
    /// Waits until the host has seen the sandbox make progress.
    async fn until_alive(&self, inside: &Inside) {
        let session = inside.id.session;
        until("its progress is seen", async || {
            let seen = self
                .graph
                .base
                .live
                .observe(session, self.graph.base.mono())?;
            seen.since_progress.filter(Duration::is_zero)
        })
        .await;
    }

    async fn until_claim_seen(&self, inside: &Inside) {
        let (live, session) = (&self.graph.base.live, inside.id.session);
        until("its claim is seen", async || {
            live.observe(session, self.graph.base.mono())?.since_claim
        })
        .await;
    }

    async fn until_replaced(&self, inside: &Inside) {
        until("the sandbox is gone", async || {
            self.nudge();
            (!self.runtime().running().contains(&inside.id)).then_some(())
        })
        .await;
    }
}

/// A sandbox that was started and whose runner never came up is no running one.
#[tokio::test]
async fn defect_49_a_start_is_no_success_before_the_runner_shows_life() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    until("it is started", async || host.runtime().specs().pop()).await;
    host.advance(Duration::from_secs(59));
    host.stored("m2").await;
    assert_eq!(host.runtime().stops(), []);
    host.advance(Duration::from_secs(2));
    until("it is killed", async || {
        let stops = host.runtime().stops();
        stops
            .first()
            .is_some_and(|(_, grace)| grace.is_zero())
            .then_some(())
    })
    .await;
    host.until_held(host.session().await).await;
    assert_eq!(host.message(2).await.tries, 0);
    // And another one is started.
    host.advance(Duration::from_secs(1));
    until("it is started again", async || {
        (host.runtime().specs().len() == 2).then_some(())
    })
    .await;
}

/// The time of a slow start is not held against the sandbox.
#[tokio::test]
async fn a_start_that_takes_long_is_not_held_against_the_sandbox() {
    let mut bench = Bench::new(PLAIN);
    let gate = Gate::before(Arc::<FakeRuntime>::clone(&bench.runtime));
    let front: Arc<dyn Runtime> = Arc::<Gate>::clone(&gate);
    bench.before_runtime = Some(front);
    let mut host = bench.start().await;
    host.stored("m1").await;
    gate.until_waiting().await;
    host.advance(Duration::from_mins(3));
    // The sweep has looked at everything once it has told this one's sandbox of its work.
    let other = host.hand_over(event_in("d", "m1")).await.unwrap();
    assert_eq!(other, Accepted::Stored);
    gate.open();
    host.enter().await.answer();
    host.enter().await.answer();
    for to in ["c", "d"] {
        host.until_seen(&address(to), 1).await;
    }
    assert_eq!(host.runtime().stops(), []);
}

/// What a dead sandbox said about its tool is nothing that the next one can lean on.
#[tokio::test]
async fn defect_37_the_next_sandbox_inherits_no_tolerance() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    inside.beat(Some(7_200_000));
    host.until_alive(&inside).await;
    host.advance(Duration::from_mins(29));
    assert!(host.runtime().running().contains(&inside.id));
    inside.die(ExitStatus::Signal(9));
    host.until_tries(2, 1).await;
    host.advance(Duration::from_secs(1));

    // The file with the two hours is still there when the next one comes up and says nothing.
    let started = until("the next one", async || host.runtime().running().pop()).await;
    host.advance(Duration::from_secs(61));
    until("it is replaced", async || {
        host.nudge();
        (!host.runtime().running().contains(&started)).then_some(())
    })
    .await;
    host.until_held(started.session).await;
    host.bench.entered.insert(started);
    host.advance(Duration::from_secs(1));

    // One that comes up and declares nothing has the plain five minutes.
    let mut inside = host.enter().await;
    inside.claim();
    host.until_claim_seen(&inside).await;
    host.advance(Duration::from_secs(301));
    host.until_replaced(&inside).await;
    let message = host.until_status(2, MessageStatus::Failed).await;
    assert_eq!(
        message.last_error.as_deref(),
        Some("the agent made no progress")
    );
}

#[tokio::test]
async fn a_declared_time_is_waited_for() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.beat(Some(600_000));
    inside.claim();
    host.until_claim_seen(&inside).await;
    host.advance(Duration::from_mins(14));
    host.advance(Duration::from_mins(2));
    host.until_replaced(&inside).await;
    let message = host.until_tries(2, 1).await;
    assert_eq!(
        message.last_error.as_deref(),
        Some("the agent made no progress")
    );
}

#[tokio::test]
async fn defect_54_there_are_no_more_sandboxes_than_places_and_idle_ones_make_room() {
    let config = format!("[host]\nmax_sandboxes = 1\n{PLAIN}");
    let mut host = Host::new(&config).await;
    host.hand_over(event_in("a", "m1")).await.unwrap();
    let mut first = host.enter().await;
    host.hand_over(event_in("b", "m1")).await.unwrap();
    until("the second waits", async || {
        (host.graph.lifecycle.waiting() == 1).then_some(())
    })
    .await;
    assert_eq!(host.runtime().running(), [first.id]);
    first.answer();
    host.until_seen(&address("a"), 1).await;
    // Now the first is idle, and goes.
    let mut second = host.enter().await;
    assert_eq!(host.runtime().running(), [second.id]);
    second.answer();
    host.until_seen(&address("b"), 1).await;
}

#[tokio::test]
async fn defect_54_an_idle_sandbox_is_not_kept_for_ever() {
    let config = PLAIN.replace("tries = 2", "tries = 2\nidle = \"1m\"");
    let mut host = Host::new(&config).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.advance(Duration::from_mins(2));
    host.until_replaced(&inside).await;
    host.until_empty().await;
    // It comes back for the next message.
    host.stored("m2").await;
    until("it comes back", async || {
        host.advance(Duration::from_millis(20));
        host.runtime().running().pop()
    })
    .await;
    host.enter().await.answer();
    host.until_seen(&address("c"), 2).await;
}

#[tokio::test]
async fn defect_58_a_session_has_a_log_and_the_host_says_how_it_fares() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let inside = host.enter().await;
    let session = inside.id.session;
    let dirs = &host.graph.base.dirs;
    let spec = host.runtime().specs().remove(0);
    assert_eq!(spec.log, dirs.session_log(session));
    // Outside of what the sandbox can see, let alone write.
    for mount in &spec.mounts {
        assert!(!spec.log.starts_with(&mount.source), "{mount:?}");
    }

    let status = control::ask(&dirs.control(), Request::Status)
        .await
        .unwrap();
    let mut text = serde_json::to_value(&status).unwrap();
    // Whether the sandbox has rung by now is another story.
    let fields = text.as_object_mut().unwrap();
    let bell = fields.remove("doorbell").unwrap();
    assert!(!bell.as_str().unwrap().is_empty(), "{bell}");
    assert_eq!(
        text,
        serde_json::json!({
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "data_dir": dirs.root(),
            "started_at": "2026-01-01T00:00:00Z",
            "runtimes": [{"kind": "sandbox", "up": true, "detail": null}],
            "channels": [{
                "name": "one",
                "connection": "connected, nothing proven since 2026-01-01T00:00:00Z",
                "last_inbound": null,
                "last_outbound": null,
                "reconnects": 0,
                "restarts": 0,
            }],
            "sandboxes": [{
                "session": session.to_string(),
                "generation": 1,
                "runtime": "sandbox",
                "adopted": false,
                "stopping": false,
            }],
            "waiting": 0,
            "work": {
                "sessions": 1,
                "sessions_faulted": 0,
                "messages_pending": 1,
                "messages_failed": 0,
                "deliveries_pending": 0,
                "deliveries_parked": 0,
                "deliveries_dead": 0,
                "deliveries_unknown": 0,
                "oldest_message_at": "2026-01-01T00:00:00Z",
            },
        })
    );
}

/// Whoever asks nonsense is told so in one line, and the next one is answered.
#[tokio::test]
async fn an_operator_that_asks_nonsense_is_told_so_and_harms_nobody() {
    let host = Host::new(PLAIN).await;
    let path = host.graph.base.dirs.control();
    let long = "x".repeat(100_000);
    for question in ["nonsense\n", "{\"ask\":\"secrets\"}\n", "\n", &long] {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        // What is too long may be hung up on before it is all said.
        drop(stream.write_all(question.as_bytes()).await);
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        // Who says too much may be gone before it can be told.
        if question.len() < 10_000 {
            let told: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            assert!(told["error"].is_string(), "{question:?}: {told}");
        }
    }
    // Neither does one that says nothing keep others out.
    let silent = UnixStream::connect(&path).await.unwrap();
    assert!(control::ask(&path, Request::Status).await.is_some());
    drop(silent);
}

/// Who wished for a sandbox may have looked before the last one answered and went.
#[tokio::test]
async fn a_wish_that_comes_after_the_work_starts_nothing() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    let ended = inside.id.session;
    host.let_go(inside).await;
    until("it is known to have ended", async || {
        let running = host.graph.lifecycle.is_running(ended);
        running.is_none().then_some(())
    })
    .await;
    let row = host.store().session(ended).await.unwrap().unwrap();
    let group = row.session.key.agent_group;
    host.graph.lifecycle.want(group, ended);
    // What is wished for later starts later.
    host.hand_over(event_in("d", "m2")).await.unwrap();
    let fresh = host.enter().await;
    assert_ne!(fresh.id.session, ended);
    assert_eq!(host.runtime().specs().len(), 2);
}

/// One that never writes the file by which it is judged is not beyond judgement.
#[tokio::test]
async fn nc_pr_3252_a_sandbox_without_a_progress_file_has_a_start_limit() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let started = until("it is started", async || host.runtime().running().pop()).await;
    let out_dir = host.graph.base.files(started.session).out_dir().to_owned();
    assert!(!out_dir.join("progress").exists());
    host.advance(Duration::from_secs(61));
    until("it is killed", async || {
        host.nudge();
        (!host.runtime().running().contains(&started)).then_some(())
    })
    .await;
    host.until_held(started.session).await;
    assert_eq!(host.message(2).await.tries, 0);
}
