//! A running adapter with a fake host, on the fake server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelContext, ChannelError, Cursor, CursorStore, FactoryContext, Inbox,
    Intake, SecretSource, Sent,
    conformance::STOP_LIMIT,
    fake::{FakeClock, FakeCursorStore, FakeEntropy, FakeIntake, part_key},
    health::{self, HealthView},
};
use anchorhold_channel_kit::{pace::Pace, webhook::Listen};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, ThreadId},
    inbound::InboundEvent,
    outbound::{OutboundOp, Voice},
};
use tokio::task::JoinHandle;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::PATIENCE;
use crate::{
    TelegramAdapter,
    config::{Waits, Webhook, read},
    fake::{FakeTelegram, TOKEN},
};

/// Short enough that no test waits for what a person would.
const WAITS: Waits = Waits {
    poll: Duration::from_secs(25),
    album: Duration::from_millis(5),
    pace: Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(10),
        tries: 40,
    },
};

pub(super) fn channel() -> ChannelName {
    ChannelName::parse("tg").unwrap()
}

pub(crate) fn context() -> FactoryContext {
    let variables = BTreeMap::from([
        ("TOKEN".to_owned(), TOKEN.to_owned()),
        ("TELEGRAM_TOKEN".to_owned(), TOKEN.to_owned()),
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

/// An adapter of the fake server's bot.
pub(super) fn adapter(fake: &FakeTelegram, webhook: Option<Webhook>) -> Arc<TelegramAdapter> {
    let table = format!("token = \"env:TOKEN\"\napi = \"{}\"", fake.base());
    let mut settings = read(&context(), table.parse().unwrap()).unwrap();
    settings.waits = WAITS;
    settings.webhook = webhook;
    Arc::new(TelegramAdapter::new(&context(), settings).unwrap())
}

/// A webhook on a port that is free.
pub(super) fn webhook() -> Webhook {
    Webhook {
        url: "https://bot.example/tg".to_owned(),
        listen: Listen {
            address: "127.0.0.1:0".parse().unwrap(),
            path: "/tg".to_owned(),
        },
    }
}

pub(super) fn address(chat: i64, topic: Option<i64>) -> Address {
    Address {
        channel: channel(),
        chat: ChatId::parse(&chat.to_string()).unwrap(),
        thread: topic.map(|topic| ThreadId::parse(&topic.to_string()).unwrap()),
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
    pub(super) fake: FakeTelegram,
    pub(super) adapter: Arc<TelegramAdapter>,
    pub(super) intake: Arc<FakeIntake>,
    pub(super) cursors: Arc<FakeCursorStore>,
    pub(super) view: HealthView,
    stop: CancellationToken,
    _guard: DropGuard,
    running: JoinHandle<Result<(), ChannelError>>,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let fake = FakeTelegram::start().await.unwrap();
        Self::on(fake, FakeCursorStore::new(), None)
    }

    pub(super) fn on(
        fake: FakeTelegram,
        cursors: Arc<FakeCursorStore>,
        webhook: Option<Webhook>,
    ) -> Self {
        let adapter = adapter(&fake, webhook);
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

    /// The one event that follows from what was just done.
    pub(super) async fn event(&self, number: usize) -> InboundEvent {
        self.events(number).await.pop().unwrap()
    }

    pub(super) async fn send(
        &self,
        chat: i64,
        topic: Option<i64>,
        op: &OutboundOp,
    ) -> Result<Sent, ChannelError> {
        self.adapter
            .send(&address(chat, topic), op, part_key(1))
            .await
    }

    /// Says something at an address, as it has to be taken.
    pub(super) async fn adapter_send(&self, to: &Address, text: &str) {
        let sent = self.adapter.send(to, &post(text), part_key(1)).await;
        sent.unwrap();
    }

    /// What people read from the bot in a chat or in a topic of it.
    pub(super) fn texts(&self, chat: i64, topic: Option<i64>) -> Vec<String> {
        let shown = self.fake.seen(chat, topic);
        shown.into_iter().map(|shown| shown.text).collect()
    }

    /// Ends the run well; gives the server for the next one.
    pub(super) async fn stop(self) -> (FakeTelegram, Arc<FakeCursorStore>) {
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
