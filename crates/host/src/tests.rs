//! The whole path in one process: the real host over a fake platform and a fake runtime.
//!
//! The host's own clock stands still until a test moves it; its stages look without being told
//! once a second of real time. What runs inside a sandbox is the test itself, through [`Inside`].

mod inside;
mod people;

mod administration;

mod access;
mod approving;
mod asking;
mod commanding;
mod deaths;
mod ends;
mod fanning;
mod forgetting;
mod incoming;
mod journal;
mod life;
mod liveness;
mod outages;
mod pairing;
mod reloading;
mod restarting;
mod restarts;
mod saying;
mod scheduling;
mod sending;
mod showing;
mod tools;
mod tracing;
mod troubles;
mod way_out;

use std::{collections::BTreeSet, fs, io, sync::Arc, time::Duration};

use anchorhold_channel::{
    Accepted, ChannelAdapter, ChannelCaps, Intake as _, IntakeError, SecretSource, Support,
    fake::{FakeClock, FakeEntropy, FakePlatform, all_caps, direct_event},
    health,
};
use anchorhold_core::{
    address::Address,
    clock::{Clock, Entropy},
    entity::MessageStatus,
    ids::{ChannelName, ChatId, Handle, PlatformMessageId, SessionId},
    inbound::InboundEvent,
    outbound::{OutboundOp, Voice},
};
use anchorhold_runner::{
    fake::FakeRuntime,
    runtime::{Runtime, RuntimeKind},
    spec::InstanceId,
};
use anchorhold_store::{Store, deliveries::Delivery, work::Message};
use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{
        World,
        graph::{Graph, Outside},
        runtimes::Runtimes,
    },
    dirs::Dirs,
    registry::Instance,
    settings,
    tests::inside::Inside,
};

/// Nothing here takes this long.
const LIMIT: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(3);

/// One channel `one`, one agent `helper` that hears every chat of it and tries twice.
const PLAIN: &str = r#"
[channels.one]
type = "cli"
[agents.helper]
provider = "offline"
[agents.helper.limits]
tries = 2
[[wirings]]
channel = "one"
chat = "*"
agent = "helper"
"#;

/// As [`PLAIN`], and a second agent that hears the same.
const FAN_OUT: &str = r#"
[channels.one]
type = "cli"
[agents.helper]
provider = "offline"
[agents.second]
provider = "offline"
[[wirings]]
channel = "one"
chat = "*"
agent = "helper"
[[wirings]]
channel = "one"
chat = "*"
agent = "second"
"#;

/// Waits until `is` gives something, at most [`LIMIT`].
async fn until<T>(what: &str, mut is: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = is().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let found = tokio::time::timeout(LIMIT, looking).await;
    found.unwrap_or_else(|_elapsed| panic!("waited in vain: {what}"))
}

/// All that outlives a host.
struct Bench {
    dir: TempDir,
    config: Utf8PathBuf,
    clock: Arc<FakeClock>,
    entropy: Arc<Spread>,
    platform: Arc<FakePlatform>,
    runtime: Arc<FakeRuntime>,
    /// Put in place of the platform's adapter, if any.
    adapter: Option<Arc<dyn ChannelAdapter>>,
    /// Put in front of the runtime, if any.
    before_runtime: Option<Arc<dyn Runtime>>,
    /// Which start of the machine it is.
    boot: Option<String>,
    /// The sandboxes that a test has in hand or had.
    entered: BTreeSet<InstanceId>,
    /// Does the clock go on with each look at it?
    ticking: bool,
}

/// Bytes that never repeat, with room below: the ids of rows are made of a session's by changing the
/// lowest bits, and must be no other's.
#[derive(Debug)]
struct Spread(Arc<FakeEntropy>);

impl Entropy for Spread {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = self.0.bytes();
        bytes.rotate_left(2);
        bytes
    }
}

/// A running host and what it runs on.
struct Host {
    bench: Bench,
    graph: Box<Graph>,
}

impl Bench {
    fn new(config: &str) -> Self {
        Self::with_caps(config, quiet_caps())
    }

    fn with_caps(text: &str, caps: ChannelCaps) -> Self {
        let dir = TempDir::new().unwrap();
        let path = |name: &str| Utf8PathBuf::from_path_buf(dir.path().join(name)).unwrap();
        let config = path("channels.toml");
        fs::write(&config, text).unwrap();
        fs::write(path("agent-runner"), "no program").unwrap();
        Self {
            config,
            clock: FakeClock::new(),
            entropy: Arc::new(Spread(FakeEntropy::new())),
            platform: FakePlatform::new(caps),
            runtime: Arc::new(FakeRuntime::new(RuntimeKind::Sandbox)),
            adapter: None,
            before_runtime: None,
            boot: Some("first".to_owned()),
            entered: BTreeSet::new(),
            ticking: false,
            dir,
        }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.dir.path().join(name)).unwrap()
    }

    /// Starts a host, as `app::run` does but for the channels, the runtime and the signals.
    async fn start(self) -> Host {
        let standing = Arc::clone(&self.clock);
        let clock: Arc<dyn Clock> = if self.ticking {
            Arc::new(tracing::Ticking(standing))
        } else {
            standing
        };
        let entropy: Arc<dyn Entropy> = Arc::<Spread>::clone(&self.entropy);
        let world = World {
            clock: Arc::clone(&clock),
            entropy,
            secrets: Arc::new(SecretSource {
                env: Box::new(way_out::variable),
                file: Box::new(|_path| Err(io::ErrorKind::NotFound.into())),
            }),
            boot: self.boot.clone(),
        };
        let (config, _text) = settings::read(&self.config).unwrap();
        let dirs = Dirs::open(&self.path("data")).unwrap();
        let channels = config.channels.iter().map(|channel| {
            let (reporter, health) = health::pair(Arc::clone(&clock));
            let fake: Arc<dyn ChannelAdapter> = self.platform.adapter(channel.name.clone());
            let instance = Instance {
                adapter: self.adapter.clone().unwrap_or(fake),
                health,
                reporter,
                unknown_senders: channel.unknown_senders,
                kind: channel.kind.clone(),
                table: channel.settings.clone(),
                shutdown: CancellationToken::new(),
            };
            (channel.name.clone(), instance)
        });
        let fake: Arc<dyn Runtime> = Arc::<FakeRuntime>::clone(&self.runtime);
        let runtime = self.before_runtime.clone().unwrap_or(fake);
        let outside = Outside {
            runner: self.path("agent-runner"),
            runtimes: Runtimes {
                all: vec![runtime],
                default: RuntimeKind::Sandbox,
            },
            channels: channels.collect(),
            pace: None,
        };
        let building = Box::pin(Graph::build(&world, &config, dirs, outside));
        let graph = Box::new(building.await.unwrap());
        Host { bench: self, graph }
    }
}

/// A connection to a session's file, to damage it.
fn sql(path: &Utf8Path) -> rusqlite::Connection {
    open(path, LIMIT)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the tests put things into the files that no program of ours would"
)]
fn open(path: &Utf8Path, patience: Duration) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(patience).unwrap();
    connection
}

impl Host {
    async fn new(config: &str) -> Self {
        Bench::new(config).start().await
    }

    /// Ends the host in an orderly way.
    async fn stop(self) -> Bench {
        self.graph.stop(Duration::from_secs(1)).await;
        self.bench
    }

    fn store(&self) -> &Store {
        &self.graph.base.store
    }

    fn platform(&self) -> &FakePlatform {
        &self.bench.platform
    }

    fn runtime(&self) -> &FakeRuntime {
        &self.bench.runtime
    }

    /// Moves the clock and lets the stages look.
    fn advance(&self, span: Duration) {
        self.bench.clock.advance(span);
        self.nudge();
    }

    fn nudge(&self) {
        self.graph.deliver.nudge();
        self.graph.sweep_nudge.notify_one();
        self.graph.lifecycle.look();
    }

    /// Makes each such change (`INSERT`, `UPDATE`) of a table of the central database fail.
    async fn break_table(&self, change: &str, table: &str) {
        self.change_schema(&format!(
            "CREATE TRIGGER broken BEFORE {change} ON {table}
             BEGIN SELECT RAISE(ABORT, 'broken by the test'); END"
        ))
        .await;
    }

    /// Takes [`Self::break_table`] back.
    async fn mend_table(&self) {
        self.change_schema("DROP TRIGGER broken").await;
    }

    async fn change_schema(&self, change: &str) {
        // Who holds the lock needs this thread to let go of it: so it is never waited for in place.
        let central = open(&self.graph.base.dirs.database(), Duration::ZERO);
        until("the schema is changed", async || {
            central.execute_batch(change).ok()
        })
        .await;
    }

    /// Hands a message over as an adapter would, and waits for the sessions' files.
    async fn hand_over(&self, event: InboundEvent) -> Result<Accepted, IntakeError> {
        let taken = self.graph.ingest.deliver(event).await;
        self.until_fed().await;
        taken
    }

    /// Waits until all files are written that can be.
    async fn until_fed(&self) {
        until("the files are written", async || {
            self.graph.feed.attend_all();
            self.graph.feed.is_settled().then_some(())
        })
        .await;
    }

    /// The platform's ids of what is in a session's file.
    async fn in_file(&self, session: SessionId) -> Vec<String> {
        self.until_fed().await;
        let rows = self.graph.base.files(session).rows_after(0, 100).unwrap();
        let ids = rows.iter().map(|kept| kept.row.platform_id.to_string());
        ids.collect()
    }

    /// Hands over a message that has to be stored.
    async fn stored(&self, id: &str) {
        let taken = self.hand_over(event(id)).await.unwrap();
        assert_eq!(taken, Accepted::Stored, "{id}");
    }

    /// The sessions, in the order in which they were made.
    async fn sessions(&self) -> Vec<SessionId> {
        let all = self.store().sessions(u32::MAX).await.unwrap();
        let mut ids: Vec<_> = all.into_iter().map(|one| one.row.session.id).collect();
        ids.sort();
        ids
    }

    async fn session(&self) -> SessionId {
        let sessions = self.sessions().await;
        assert_eq!(sessions.len(), 1);
        sessions[0]
    }

    /// The message `seq` of the only session, once it is on record.
    async fn message(&self, seq: i64) -> Message {
        let session = self.session().await;
        until("the message is on record", async || {
            self.store().message(session, seq).await.unwrap()
        })
        .await
    }

    /// Waits until message `seq` of the only session has this status.
    async fn until_status(&self, seq: i64, status: MessageStatus) -> Message {
        until(&format!("message {seq} is {status:?}"), async || {
            Some(self.message(seq).await).filter(|message| message.status == status)
        })
        .await
    }

    /// Waits until message `seq` of the only session was tried so often in vain.
    async fn until_tries(&self, seq: i64, tries: u32) -> Message {
        until(&format!("message {seq} has {tries} tries"), async || {
            Some(self.message(seq).await).filter(|message| message.tries == tries)
        })
        .await
    }

    /// Waits for the delivery of the agent's row `seq` to be as `is` says.
    async fn until_delivery(&self, seq: i64, is: impl Fn(&Delivery) -> bool) -> Delivery {
        let session = self.session().await;
        until(&format!("delivery {seq} is as expected"), async || {
            let found = self.store().delivery_by_seq(session, seq).await.unwrap();
            found.filter(|delivery| is(delivery))
        })
        .await
    }

    /// Waits until people at `address` see so many operations, and gives them as plain lines.
    async fn until_seen(&self, address: &Address, count: usize) -> Vec<String> {
        until(&format!("{count} operations are seen"), async || {
            Some(self.seen(address)).filter(|seen| seen.len() >= count)
        })
        .await
    }

    fn seen(&self, address: &Address) -> Vec<String> {
        self.platform().seen(address).iter().map(line).collect()
    }

    /// Goes into the next sandbox that starts, or that nobody has been in yet.
    async fn enter(&mut self) -> Inside {
        let id = until("a sandbox runs", async || {
            let running = self.bench.runtime.running().into_iter();
            let mut fresh = running.filter(|id| !self.bench.entered.contains(id));
            fresh.next()
        })
        .await;
        self.bench.entered.insert(id);
        let files = self.graph.base.files(id.session);
        let runtime = Arc::clone(&self.bench.runtime);
        Inside::open(id, &files, runtime, Arc::clone(&self.bench.clock))
    }

    /// Waits until the next start of the session's sandbox has to wait.
    async fn until_held(&self, session: SessionId) {
        until("the next start has to wait", async || {
            let live = &self.graph.base.live;
            live.is_held(session, self.graph.base.mono()).then_some(())
        })
        .await;
    }

    /// Waits until the host knows that no sandbox runs.
    async fn until_empty(&self) {
        until("no sandbox runs", async || {
            let live = self.graph.base.live.sessions().is_empty();
            (live && self.graph.lifecycle.running().is_empty()).then_some(())
        })
        .await;
    }
}

/// Abilities of a platform that shows nothing of turns that run: what people see is what was said.
fn quiet_caps() -> ChannelCaps {
    ChannelCaps {
        typing: Support::No,
        ..all_caps()
    }
}

/// Abilities of a platform where a send that is repeated is seen twice.
fn no_dedupe() -> ChannelCaps {
    ChannelCaps {
        dedupes_by_key: Support::No,
        ..quiet_caps()
    }
}

fn event(id: &str) -> InboundEvent {
    event_in("c", id)
}

fn event_in(chat: &str, id: &str) -> InboundEvent {
    direct_event("one", chat, id, &format!("text of {id}")).unwrap()
}

fn address(chat: &str) -> Address {
    event_in(chat, "x").address
}

fn chat(chat: &str) -> ChatId {
    ChatId::parse(chat).unwrap()
}

fn platform_id(id: &str) -> PlatformMessageId {
    PlatformMessageId::parse(id).unwrap()
}

fn one() -> ChannelName {
    ChannelName::parse("one").unwrap()
}

/// What people see, in one line: who says what.
fn line(op: &OutboundOp) -> String {
    match op {
        OutboundOp::Post { text, voice, .. } => match voice {
            Voice::Agent => format!("agent: {text}"),
            Voice::Host => format!("host: {text}"),
        },
        OutboundOp::Edit { text, .. } => format!("edit: {text}"),
        OutboundOp::Delete { .. } => "delete".to_owned(),
        OutboundOp::React { emoji, .. } => format!("react: {emoji}"),
        OutboundOp::Ask(question) => format!("ask: {}", question.title),
        OutboundOp::Typing => "typing".to_owned(),
    }
}
