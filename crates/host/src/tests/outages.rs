//! What starts sandboxes fails, and the people who wait are told the truth.

use std::sync::atomic::{AtomicU32, Ordering};

use anchorhold_channel::{
    BotIdentity, ChannelContext, ChannelError, PartKey, Sent, fake::FakeAdapter,
};
use anchorhold_runner::fake::FakeFailure;
use async_trait::async_trait;

use super::*;

const DOWN: &str = "host: The engine that runs the agent does not answer at the moment. Your \
                    message is kept and will be answered when it is back.";
const CAN_NOT_START: &str = "host: The agent can't be started at the moment. Your message is kept, \
                             and its operator is told what to mend.";

#[tokio::test]
async fn an_engine_that_is_down_is_told_once_and_the_message_answered_when_it_is_back() {
    let bench = Bench::new(PLAIN);
    bench.runtime.set_available(false);
    let mut host = bench.start().await;
    host.stored("m1").await;
    host.until_seen(&address("c"), 1).await;
    host.stored("m2").await;
    host.nudge();
    host.runtime().set_available(true);
    host.enter().await.answer();
    let seen = host.until_seen(&address("c"), 3).await;
    assert_eq!(seen, [DOWN, "agent: re text of m1", "agent: re text of m2"]);
}

/// The engine goes away between the preparation of a sandbox and its start, and stays away.
#[tokio::test]
async fn an_engine_that_goes_down_in_mid_start_loses_no_message() {
    let mut bench = Bench::new(PLAIN);
    let gate = life::Gate::before(Arc::<FakeRuntime>::clone(&bench.runtime));
    let front: Arc<dyn Runtime> = Arc::<life::Gate>::clone(&gate);
    bench.before_runtime = Some(front);
    let mut host = bench.start().await;
    host.stored("m1").await;
    gate.until_waiting().await;
    host.runtime().set_available(false);
    gate.open();
    until("the start has to wait", async || {
        (host.graph.lifecycle.waiting() == 1).then_some(())
    })
    .await;
    // For longer than a runner may take to come up.
    for _ in 0..5 {
        host.advance(Duration::from_mins(1));
        host.until_seen(&address("c"), 1).await;
    }
    host.runtime().set_available(true);
    let mut inside = host.enter().await;
    inside.answer();
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen, [DOWN, "agent: re text of m1"]);
    host.until_status(2, MessageStatus::Done).await;
    // Nothing of the start that failed is left.
    let began = host.bench.clock.mono();
    assert_eq!(host.graph.base.live.sessions().len(), 1);
    let stopped = tokio::time::timeout(Duration::from_secs(5), host.stop()).await;
    assert_eq!(stopped.unwrap().clock.mono(), began);
}

/// Starts fail so; after so many failures the person has been told once.
async fn check_failing_starts(failure: FakeFailure, told_after: u32) {
    let bench = Bench::new(PLAIN);
    bench.runtime.fail_starts(Some(failure));
    let mut host = bench.start().await;
    host.stored("m1").await;
    let session = host.session().await;
    let generation = async || host.store().generation(session).await.unwrap().0;
    for failed in 1..=5 {
        until("a start has failed", async || {
            let held = host
                .graph
                .base
                .live
                .is_held(session, host.graph.base.mono());
            (held && generation().await == failed).then_some(())
        })
        .await;
        let notices = host.store().failed_deliveries(10).await.unwrap();
        assert_eq!(notices.len(), 0);
        if failed >= told_after {
            let seen = host.until_seen(&address("c"), 1).await;
            assert_eq!(seen, [CAN_NOT_START], "{failure:?} {failed}");
        } else {
            assert_eq!(
                host.seen(&address("c")),
                Vec::<String>::new(),
                "{failure:?} {failed}"
            );
        }
        // The wait is over only now: 1, 2, 4, 8 seconds.
        host.advance(Duration::from_secs(1 << (failed - 1)));
    }
    host.runtime().fail_starts(None);
    host.advance(Duration::from_mins(2));
    let mut inside = host.enter().await;
    assert_eq!(inside.offer()[0].tries, 0, "{failure:?}");
    inside.answer();
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen, [CAN_NOT_START, "agent: re text of m1"], "{failure:?}");
}

#[tokio::test]
async fn starts_that_fail_are_told_once_and_cost_no_try() {
    check_failing_starts(FakeFailure::Refused, 1).await;
    check_failing_starts(FakeFailure::Failed, 3).await;
}

#[tokio::test]
async fn a_sandbox_that_can_not_be_prepared_is_told_once_and_prepared_later() {
    let bench = Bench::new(PLAIN);
    // The workspace can't be made: something else is in its place.
    let groups = bench.path("data").join("groups");
    fs::create_dir_all(&groups).unwrap();
    fs::write(groups.join("helper"), "no folder").unwrap();
    let mut host = bench.start().await;
    host.stored("m1").await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, [CAN_NOT_START]);
    fs::remove_file(groups.join("helper")).unwrap();
    host.advance(Duration::from_secs(1));
    host.enter().await.answer();
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen[1], "agent: re text of m1");
}

/// An adapter with a fault: its first run panics.
struct Panics {
    inner: Arc<FakeAdapter>,
    runs: AtomicU32,
}

#[async_trait]
impl ChannelAdapter for Panics {
    fn caps(&self) -> &ChannelCaps {
        self.inner.caps()
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        self.inner.probe().await
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        assert_ne!(self.runs.fetch_add(1, Ordering::SeqCst), 0, "scripted");
        self.inner.run(cx).await
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        self.inner.send(to, op, key).await
    }

    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        self.inner.open_direct(person).await
    }
}

#[tokio::test]
async fn an_adapter_that_panics_is_one_that_failed() {
    let mut bench = Bench::new(PLAIN);
    let panics = Arc::new(Panics {
        inner: bench.platform.adapter(ChannelName::parse("one").unwrap()),
        runs: AtomicU32::new(0),
    });
    let adapter: Arc<dyn ChannelAdapter> = Arc::<Panics>::clone(&panics);
    bench.adapter = Some(adapter);
    let mut host = bench.start().await;
    until("the adapter runs again", async || {
        (panics.runs.load(Ordering::SeqCst) == 2).then_some(())
    })
    .await;
    host.stored("m1").await;
    host.enter().await.answer();
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}
