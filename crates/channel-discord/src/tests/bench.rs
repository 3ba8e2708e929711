//! A running adapter with a fake host, on the fake server.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anchorhold_channel::{
    ChannelAdapter, ChannelContext, ChannelError, Connection, Cursor, CursorStore, FactoryContext,
    Inbox, Intake, SecretSource, Sent,
    conformance::STOP_LIMIT,
    fake::{FakeClock, FakeCursorStore, FakeEntropy, FakeIntake, part_key},
    health::{self, HealthView},
};
use anchorhold_channel_kit::pace::Pace;
use anchorhold_core::{
    address::Address,
    clock::Clock,
    ids::{ChannelName, ChatId, ThreadId},
    inbound::InboundEvent,
    outbound::{OutboundOp, Voice},
};
use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::PATIENCE;
use crate::{
    DiscordAdapter,
    config::{Settings, Waits, read},
    fake::{FakeDiscord, TOKEN},
};

/// Short enough that no test waits for what a person would.
const WAITS: Waits = Waits {
    pace: Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(10),
        tries: 40,
    },
    click: Duration::from_millis(100),
};

pub(super) fn channel() -> ChannelName {
    ChannelName::parse("dc").unwrap()
}

pub(crate) fn context() -> FactoryContext {
    let variables = BTreeMap::from([
        ("TOKEN".to_owned(), TOKEN.to_owned()),
        ("DISCORD_TOKEN".to_owned(), TOKEN.to_owned()),
        ("WRONG".to_owned(), "my secret".to_owned()),
    ]);
    FactoryContext {
        name: channel(),
        data_dir: "/nowhere".into(),
        clock: FakeClock::new(),
        entropy: FakeEntropy::new(),
        secrets: Arc::new(SecretSource {
            env: Box::new(move |name| variables.get(name).cloned()),
            file: Box::new(|_path| Err(std::io::ErrorKind::NotFound.into())),
        }),
    }
}

pub(super) fn settings(fake: &FakeDiscord) -> Settings {
    let table = format!("token = \"env:TOKEN\"\napi = \"{}\"", fake.base());
    let mut settings = read(&context(), table.parse().unwrap()).unwrap();
    settings.waits = WAITS;
    settings
}

/// An adapter of the fake server's bot, for which everything is sent as soon as it is meant to be: the
/// keys of tests were made when this clock begins.
pub(super) fn adapter(fake: &FakeDiscord) -> Arc<DiscordAdapter> {
    let cx = FactoryContext {
        clock: Arc::new(AtOnce(FakeClock::new())),
        ..context()
    };
    Arc::new(DiscordAdapter::new(&cx, &settings(fake)).unwrap())
}

/// An adapter that comes to send long after it was meant to.
pub(super) fn late_adapter(fake: &FakeDiscord) -> Arc<DiscordAdapter> {
    Arc::new(DiscordAdapter::new(&context(), &settings(fake)).unwrap())
}

/// A clock that stands at the beginning of time.
struct AtOnce(Arc<FakeClock>);

impl Clock for AtOnce {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn mono(&self) -> Instant {
        self.0.mono()
    }
}

pub(super) fn address(chat: u64, thread: Option<u64>) -> Address {
    Address {
        channel: channel(),
        chat: ChatId::parse(&chat.to_string()).unwrap(),
        thread: thread.map(|thread| ThreadId::parse(&thread.to_string()).unwrap()),
    }
}

pub(super) fn post(text: &str) -> OutboundOp {
    OutboundOp::Post {
        text: text.to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Agent,
    }
}

pub(super) struct Bench {
    pub(super) fake: FakeDiscord,
    pub(super) adapter: Arc<DiscordAdapter>,
    pub(super) intake: Arc<FakeIntake>,
    pub(super) cursors: Arc<FakeCursorStore>,
    pub(super) view: HealthView,
    stop: CancellationToken,
    _guard: DropGuard,
    running: JoinHandle<Result<(), ChannelError>>,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let fake = FakeDiscord::start().await.unwrap();
        Self::on(fake, FakeCursorStore::new()).await
    }

    /// Starts a run that gets a connection.
    pub(super) async fn on(fake: FakeDiscord, cursors: Arc<FakeCursorStore>) -> Self {
        let adapter = adapter(&fake);
        let mut bench = Self::with(fake, cursors, adapter);
        let up = |health: &anchorhold_channel::Health| health.connection == Connection::Connected;
        let up = tokio::time::timeout(PATIENCE, bench.view.until(up)).await;
        assert!(up.unwrap().is_some());
        bench
    }

    pub(super) fn with(
        fake: FakeDiscord,
        cursors: Arc<FakeCursorStore>,
        adapter: Arc<DiscordAdapter>,
    ) -> Self {
        let intake = FakeIntake::new();
        let (reporter, view) = health::pair(FakeClock::new());
        let stop = CancellationToken::new();
        let host: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&intake);
        let store: Arc<dyn CursorStore> = Arc::<FakeCursorStore>::clone(&cursors);
        let cx = ChannelContext {
            inbox: Inbox::new(channel(), host),
            cursor: Cursor::new(channel(), store),
            health: reporter,
            shutdown: stop.clone(),
        };
        let running = Arc::clone(&adapter);
        let running = TaskTracker::new().spawn(async move { running.run(cx).await });
        Self {
            fake,
            adapter,
            intake,
            cursors,
            view,
            _guard: stop.clone().drop_guard(),
            stop,
            running,
        }
    }

    /// Waits until so many events are stored, and gives them.
    pub(super) async fn events(&self, count: usize) -> Vec<InboundEvent> {
        let enough = self.intake.until(PATIENCE, |now| now.events.len() >= count);
        assert!(enough.await, "{:?}", self.intake.arrived());
        self.intake.events()
    }

    /// The texts of so many events.
    pub(super) async fn texts(&self, count: usize) -> Vec<String> {
        let events = self.events(count).await.into_iter();
        events.map(|event| event.text).collect()
    }

    /// The one event that follows from what was just done.
    pub(super) async fn event(&self, number: usize) -> InboundEvent {
        self.events(number).await.pop().unwrap()
    }

    pub(super) async fn send(
        &self,
        chat: u64,
        op: &OutboundOp,
        key: u32,
    ) -> Result<Sent, ChannelError> {
        self.adapter
            .send(&address(chat, None), op, part_key(key))
            .await
    }

    /// Waits until something shows at the platform.
    pub(super) async fn until(&self, is: impl FnMut(&FakeDiscord) -> bool) {
        assert!(self.fake.until(PATIENCE, is).await);
    }

    /// Ends the run well; gives the server for the next one.
    pub(super) async fn stop(self) -> (FakeDiscord, Arc<FakeCursorStore>) {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP_LIMIT, self.running).await;
        ended.unwrap().unwrap().unwrap();
        (self.fake, self.cursors)
    }

    /// Waits for the run to end by itself.
    pub(super) async fn ended(self) -> ChannelError {
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        ended.unwrap().unwrap().unwrap_err()
    }
}
