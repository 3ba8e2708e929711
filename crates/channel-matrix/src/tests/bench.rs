//! A running adapter with a fake host.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter as _, ChannelContext, ChannelError, Cursor, CursorStore, FactoryContext, Inbox,
    Intake, SecretSource, Sent,
    conformance::STOP_LIMIT,
    fake::{FakeClock, FakeCursorStore, FakeEntropy, FakeIntake, part_key},
    health::{self, HealthView},
};
use anchorhold_channel_kit::pace::Pace;
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, ThreadId},
    inbound::InboundEvent,
    outbound::{OutboundOp, Voice},
};
use camino::Utf8Path;
use tokio::task::JoinHandle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{PATIENCE, synapse::PASSWORD};
use crate::{
    MatrixAdapter,
    config::{Settings, Waits, read},
};

/// Short enough that no test waits for what a person would.
const WAITS: Waits = Waits {
    poll: Duration::from_secs(25),
    key: Duration::from_mins(5),
    pace: Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(10),
        tries: 100,
    },
};

pub(crate) fn channel() -> ChannelName {
    ChannelName::parse("mx").unwrap()
}

pub(crate) fn context(data_dir: &Utf8Path) -> FactoryContext {
    context_with(data_dir, FakeEntropy::new(), &[])
}

/// With more secrets than the bot's password.
fn context_with(
    data_dir: &Utf8Path,
    entropy: Arc<FakeEntropy>,
    secrets: &[(&str, &str)],
) -> FactoryContext {
    let known = [("PASSWORD", PASSWORD), ("TOKEN", "syt_secret")];
    let variables: BTreeMap<String, String> = known
        .iter()
        .chain(secrets)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    FactoryContext {
        name: channel(),
        data_dir: data_dir.to_owned(),
        clock: FakeClock::new(),
        entropy,
        secrets: Arc::new(SecretSource {
            env: Box::new(move |name| variables.get(name).cloned()),
            file: Box::new(|_path| Err(std::io::ErrorKind::NotFound.into())),
        }),
    }
}

/// The settings of a table.
pub(crate) fn settings(cx: &FactoryContext, table: &str) -> Settings {
    let mut settings = read(cx, table.parse().unwrap()).unwrap();
    settings.waits = WAITS;
    settings
}

/// The table of a bot with a password.
pub(crate) fn table(homeserver: &str, user: &str) -> String {
    format!(
        "homeserver = \"{homeserver}\"\nuser = \"{user}\"\npassword = \"env:PASSWORD\"\n\
         invites = [\"*\"]"
    )
}

pub(crate) fn address(room: &str, thread: Option<&str>) -> Address {
    Address {
        channel: channel(),
        chat: ChatId::parse(room).unwrap(),
        thread: thread.map(|thread| ThreadId::parse(thread).unwrap()),
    }
}

pub(crate) fn post(text: &str) -> OutboundOp {
    OutboundOp::Post {
        text: text.to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Agent,
    }
}

/// An adapter that runs.
pub(crate) struct Running {
    pub(crate) adapter: Arc<MatrixAdapter>,
    pub(crate) intake: Arc<FakeIntake>,
    pub(crate) clock: Arc<FakeClock>,
    view: HealthView,
    shutdown: CancellationToken,
    _guard: DropGuard,
    task: JoinHandle<Result<(), ChannelError>>,
}

/// What outlives adapters.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) intake: Arc<FakeIntake>,
    cursors: Arc<FakeCursorStore>,
    /// No two logins choose the same device.
    entropy: Arc<FakeEntropy>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            intake: FakeIntake::new(),
            cursors: FakeCursorStore::new(),
            entropy: FakeEntropy::new(),
        }
    }
}

impl Running {
    pub(crate) async fn start(dir: &Utf8Path, table: &str, memory: &Memory) -> Self {
        Self::start_with(dir, table, memory, &[]).await
    }

    pub(crate) async fn start_with(
        dir: &Utf8Path,
        table: &str,
        memory: &Memory,
        secrets: &[(&str, &str)],
    ) -> Self {
        let clock = FakeClock::new();
        let mut cx = context_with(dir, Arc::clone(&memory.entropy), secrets);
        cx.clock = Arc::<FakeClock>::clone(&clock);
        let adapter = Arc::new(MatrixAdapter::new(&cx, settings(&cx, table)).unwrap());
        let (reporter, view) = health::pair(Arc::<FakeClock>::clone(&clock));
        let shutdown = CancellationToken::new();
        let intake: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&memory.intake);
        let cursors: Arc<dyn CursorStore> = Arc::<FakeCursorStore>::clone(&memory.cursors);
        let context = ChannelContext {
            inbox: Inbox::new(channel(), intake),
            cursor: Cursor::new(channel(), cursors),
            health: reporter,
            shutdown: shutdown.clone(),
        };
        let task = {
            let adapter = Arc::clone(&adapter);
            TaskTracker::new().spawn(async move { adapter.run(context).await })
        };
        let mut running = Self {
            adapter,
            intake: Arc::clone(&memory.intake),
            clock,
            view,
            _guard: shutdown.clone().drop_guard(),
            shutdown,
            task,
        };
        let is = |health: &health::Health| health.connection == health::Connection::Connected;
        let up = tokio::time::timeout(PATIENCE, running.view.until(is)).await;
        up.expect("it connects").expect("it runs");
        running
    }

    /// Waits until so many events are stored, and gives them.
    pub(crate) async fn stored(&self, count: usize) -> Vec<InboundEvent> {
        let enough = self.intake.until(PATIENCE, |now| now.events.len() >= count);
        assert!(enough.await, "{count} events were expected");
        self.intake.events()
    }

    pub(crate) async fn send(&self, to: &Address, op: OutboundOp, key: u32) -> Sent {
        self.adapter.send(to, &op, part_key(key)).await.unwrap()
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Result<(), ChannelError> {
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it ends").unwrap()
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(STOP_LIMIT, self.task).await;
        ended.expect("it ends").unwrap().unwrap();
    }
}
