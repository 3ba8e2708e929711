//! A running adapter with a fake host, in the fake workspace.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelContext, ChannelError, Connection, Cursor, CursorStore, FactoryContext,
    Inbox, Intake, SecretRef, SecretSource, Sent,
    conformance::STOP_LIMIT,
    fake::{FakeClock, FakeCursorStore, FakeEntropy, FakeIntake, part_key},
    health::{self, HealthView},
};
use anchorhold_channel_kit::{pace::Pace, webhook::Listen};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, PlatformMessageId, ThreadId},
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
    SlackAdapter,
    config::{Waits, Way, Webhook, read},
    fake::{APP_TOKEN, BOT_TOKEN, FakeSlack, SIGNING_SECRET, Shown},
};

/// People, by their ids.
pub(super) const ANN: &str = "U0ANN";
pub(super) const BOB: &str = "U0BOB";
/// Their direct messages.
pub(super) const ANNS: &str = "D0ANN";
pub(super) const BOBS: &str = "D0BOB";

/// Short enough that no test waits for what a person would.
const WAITS: Waits = Waits {
    silence: Duration::from_secs(30),
    sign: Duration::from_secs(10),
    name: Duration::from_secs(5),
    pace: Pace {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(10),
        tries: 40,
    },
};

pub(super) fn channel() -> ChannelName {
    ChannelName::parse("sl").unwrap()
}

pub(crate) fn context() -> FactoryContext {
    let variables = BTreeMap::from([
        ("BOT".to_owned(), BOT_TOKEN.to_owned()),
        ("APP".to_owned(), APP_TOKEN.to_owned()),
        ("SIGNING".to_owned(), SIGNING_SECRET.to_owned()),
        ("SLACK_BOT_TOKEN".to_owned(), BOT_TOKEN.to_owned()),
        ("SLACK_APP_TOKEN".to_owned(), APP_TOKEN.to_owned()),
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

/// How the app hears.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hears {
    Socket,
    Calls,
}

/// An adapter of the fake workspace's app.
pub(super) fn adapter(fake: &FakeSlack, hears: Hears) -> Arc<SlackAdapter> {
    adapter_with(fake, hears, WAITS)
}

fn adapter_with(fake: &FakeSlack, hears: Hears, waits: Waits) -> Arc<SlackAdapter> {
    let table = format!(
        "bot_token = \"env:BOT\"\napp_token = \"env:APP\"\napi = \"{}\"",
        fake.base()
    );
    let mut settings = read(&context(), table.parse().unwrap()).unwrap();
    settings.waits = waits;
    if hears == Hears::Calls {
        let secret = SecretRef::parse("env:SIGNING").unwrap();
        settings.way = Way::Webhook(Webhook {
            signing_secret: secret.resolve(&context().secrets).unwrap(),
            listen: Listen {
                address: "127.0.0.1:0".parse().unwrap(),
                path: "/sl".to_owned(),
            },
        });
    }
    Arc::new(SlackAdapter::new(&context(), settings).unwrap())
}

/// Where a called adapter is called.
pub(super) fn url(adapter: &SlackAdapter) -> Option<String> {
    Some(format!("http://{}/sl", adapter.listening()?))
}

pub(super) fn address(chat: &str, thread: Option<&str>) -> Address {
    Address {
        channel: channel(),
        chat: ChatId::parse(chat).unwrap(),
        thread: thread.map(|thread| ThreadId::parse(thread).unwrap()),
    }
}

pub(super) fn id(text: &str) -> PlatformMessageId {
    PlatformMessageId::parse(text).unwrap()
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
    pub(super) fake: Arc<FakeSlack>,
    pub(super) adapter: Arc<SlackAdapter>,
    pub(super) intake: Arc<FakeIntake>,
    pub(super) cursors: Arc<FakeCursorStore>,
    pub(super) view: HealthView,
    stop: CancellationToken,
    _guard: DropGuard,
    running: JoinHandle<Result<(), ChannelError>>,
}

impl Bench {
    pub(super) async fn start() -> Self {
        let fake = Arc::new(FakeSlack::start().await.unwrap());
        Self::on(fake, Hears::Socket, WAITS).await
    }

    /// An app that soon doubts that somebody is there.
    pub(super) async fn impatient() -> Self {
        let fake = Arc::new(FakeSlack::start().await.unwrap());
        let waits = Waits {
            silence: Duration::from_millis(20),
            sign: Duration::from_secs(2),
            ..WAITS
        };
        Self::on(fake, Hears::Socket, waits).await
    }

    /// An app that is called, and by nobody yet.
    pub(super) async fn called() -> Self {
        let fake = Arc::new(FakeSlack::start().await.unwrap());
        Self::on(fake, Hears::Calls, WAITS).await
    }

    /// The same workspace with an app that has just been started.
    pub(super) async fn anew(fake: Arc<FakeSlack>) -> Self {
        Self::on(fake, Hears::Socket, WAITS).await
    }

    async fn on(fake: Arc<FakeSlack>, hears: Hears, waits: Waits) -> Self {
        Self::with(fake, FakeCursorStore::new(), (hears, waits)).await
    }

    async fn with(
        fake: Arc<FakeSlack>,
        cursors: Arc<FakeCursorStore>,
        (hears, waits): (Hears, Waits),
    ) -> Self {
        let adapter = adapter_with(&fake, hears, waits);
        let intake = FakeIntake::new();
        let (reporter, mut view) = health::pair(FakeClock::new());
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
        let up = view.until(|health| health.connection == Connection::Connected);
        let up = tokio::time::timeout(PATIENCE, up).await;
        assert!(up.unwrap().is_some());
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

    /// The same host again, after it was stopped and `meanwhile` happened.
    pub(super) async fn restart(self, meanwhile: impl FnOnce(&FakeSlack)) -> Self {
        let cursors = Arc::clone(&self.cursors);
        let fake = self.stop().await;
        meanwhile(&fake);
        Self::with(fake, cursors, (Hears::Socket, WAITS)).await
    }

    /// Waits until so many events are stored, and gives them.
    pub(super) async fn events(&self, count: usize) -> Vec<InboundEvent> {
        let enough = self.intake.until(PATIENCE, |now| now.events.len() >= count);
        assert!(enough.await, "{:?}", self.intake.arrived());
        self.intake.events()
    }

    /// The newest of so many events.
    pub(super) async fn event(&self, number: usize) -> InboundEvent {
        self.events(number).await.pop().unwrap()
    }

    pub(super) async fn send(
        &self,
        (chat, thread): (&str, Option<&str>),
        op: &OutboundOp,
        key: u32,
    ) -> Result<Sent, ChannelError> {
        let to = address(chat, thread);
        self.adapter.send(&to, op, part_key(key)).await
    }

    /// Says something, as it has to be taken; gives what people see.
    pub(super) async fn shows(&self, text: &str) -> Shown {
        let sent = self.send((ANNS, None), &post(text), 1).await.unwrap();
        let id = sent.message_id.unwrap();
        let seen = self.fake.seen(ANNS, None);
        let shown = seen.into_iter().find(|shown| shown.ts == id.as_str());
        shown.unwrap()
    }

    /// What people read from the bot at a place.
    pub(super) fn texts(&self, chat: &str, thread: Option<&str>) -> Vec<String> {
        let seen = self.fake.seen(chat, thread).into_iter();
        seen.map(|shown| shown.text).collect()
    }

    /// Ends the run well; gives the workspace for the next one.
    pub(super) async fn stop(self) -> Arc<FakeSlack> {
        self.stop.cancel();
        let ended = tokio::time::timeout(STOP_LIMIT, self.running).await;
        ended.unwrap().unwrap().unwrap();
        self.fake
    }

    /// Waits for the run to end by itself.
    pub(super) async fn ended(self) -> ChannelError {
        let ended = tokio::time::timeout(PATIENCE, self.running).await;
        ended.unwrap().unwrap().unwrap_err()
    }
}
