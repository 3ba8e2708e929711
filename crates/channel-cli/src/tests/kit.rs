//! A running adapter with a fake host, and a client that knows nothing of the protocol.

use std::{
    borrow::Borrow,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anchorhold_channel::{
    ChannelAdapter, ChannelContext, ChannelError, Connection, Cursor, CursorStore, FactoryContext,
    HealthView, Inbox, Intake, SecretSource, Sent,
    fake::{FakeClock, FakeCursorStore, FakeEntropy, FakeIntake, part_key},
    health,
};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, Handle},
    outbound::{OutboundOp, Voice},
};
use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinHandle,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::FACTORY,
    lines::{Line, LineReader},
};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn post(text: &str) -> OutboundOp {
    OutboundOp::Post {
        text: text.to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Agent,
    }
}

pub(crate) fn address(chat: &str) -> Address {
    Address {
        channel: ChannelName::parse("cli").unwrap(),
        chat: ChatId::parse(chat).unwrap(),
        thread: None,
    }
}

/// A folder for the socket, and what a factory gets.
pub(crate) fn context() -> (TempDir, FactoryContext) {
    let folder = tempfile::tempdir().unwrap();
    let cx = FactoryContext {
        name: ChannelName::parse("cli").unwrap(),
        data_dir: Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap(),
        clock: FakeClock::new(),
        entropy: FakeEntropy::new(),
        secrets: Arc::new(SecretSource {
            env: Box::new(|_name| None),
            file: Box::new(|_path| Err(std::io::ErrorKind::NotFound.into())),
        }),
    };
    (folder, cx)
}

pub(crate) fn adapter(cx: &FactoryContext) -> Arc<dyn ChannelAdapter> {
    (FACTORY.build)(cx, toml::Table::new()).unwrap()
}

/// A running adapter.
pub(crate) struct Host {
    _folder: TempDir,
    cx: FactoryContext,
    pub(crate) socket: Utf8PathBuf,
    pub(crate) intake: Arc<FakeIntake>,
    pub(crate) view: HealthView,
    adapter: Arc<dyn ChannelAdapter>,
    pending: AtomicUsize,
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), ChannelError>>,
}

impl Host {
    pub(crate) async fn start() -> Self {
        let (folder, cx) = context();
        let adapter = adapter(&cx);
        let intake = FakeIntake::new();
        let shutdown = CancellationToken::new();
        let (channel_cx, mut view) = channel_context(&cx, &intake, &shutdown);
        let running = {
            let adapter = Arc::clone(&adapter);
            TaskTracker::new().spawn(async move { adapter.run(channel_cx).await })
        };
        view.until(|health| health.connection == Connection::Connected)
            .await
            .unwrap();
        let socket = cx.data_dir.join("cli.sock");
        let mode = socket.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        Self {
            _folder: folder,
            cx,
            socket,
            intake,
            view,
            adapter,
            pending: AtomicUsize::new(0),
            shutdown,
            running,
        }
    }

    /// What comes of a second adapter on the same socket.
    pub(crate) async fn run_another(&self) -> Result<(), ChannelError> {
        let shutdown = CancellationToken::new();
        let (channel_cx, _view) = channel_context(&self.cx, &self.intake, &shutdown);
        adapter(&self.cx).run(channel_cx).await
    }

    pub(crate) async fn send(
        &self,
        chat: &str,
        op: impl Borrow<OutboundOp>,
        key: u32,
    ) -> Result<Sent, ChannelError> {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let sent = self
            .adapter
            .send(&address(chat), op.borrow(), part_key(key))
            .await;
        self.pending.fetch_sub(1, Ordering::Relaxed);
        sent
    }

    pub(crate) async fn open_direct(&self, person: &str) -> Result<ChatId, ChannelError> {
        let person = Handle::parse(person).unwrap();
        self.adapter.open_direct(&person).await
    }

    pub(crate) fn sends_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > 0
    }

    /// A client that has its place on `name`.
    pub(crate) async fn hello(&self, name: &str, acks: bool) -> Raw {
        let before = self.present_count(name);
        let mut client = Raw::connect(&self.socket).await;
        client
            .say(&json!({"type": "hello", "name": name, "acks": acks}))
            .await;
        let welcome = client.next().await;
        assert_eq!(welcome, json!({"type": "welcome", "name": name}));
        self.present(name, before + 1).await;
        client
    }

    /// The same, tried until the host has a place free.
    pub(crate) async fn hello_patiently(&self, name: &str) -> Raw {
        let welcomed = async {
            loop {
                let mut client = Raw::connect(&self.socket).await;
                client
                    .try_bytes(format!("{}\n", json!({"type": "hello", "name": name})).as_bytes())
                    .await;
                if let Some(line) = client.try_next().await
                    && line["type"] == "welcome"
                {
                    return client;
                }
            }
        };
        time::timeout(PATIENCE, welcomed).await.expect("welcomed")
    }

    fn present_count(&self, name: &str) -> usize {
        let arrived = self.intake.arrived();
        let there = arrived.present.iter().filter(|at| **at == address(name));
        there.count()
    }

    /// Waits until the host was told so often that somebody is present.
    pub(crate) async fn present(&self, name: &str, count: usize) {
        let at = address(name);
        let told = self.intake.until(PATIENCE, |now| {
            now.present.iter().filter(|present| **present == at).count() >= count
        });
        assert!(told.await, "{name} was not reported present");
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        let ended = time::timeout(PATIENCE, self.running).await;
        ended
            .expect("run ends")
            .expect("no panic")
            .expect("ends well");
    }
}

fn channel_context(
    cx: &FactoryContext,
    intake: &Arc<FakeIntake>,
    shutdown: &CancellationToken,
) -> (ChannelContext, HealthView) {
    let (reporter, view) = health::pair(Arc::clone(&cx.clock));
    let intake: Arc<dyn Intake> = Arc::<FakeIntake>::clone(intake);
    let cursors: Arc<dyn CursorStore> = FakeCursorStore::new();
    let channel_cx = ChannelContext {
        inbox: Inbox::new(cx.name.clone(), intake),
        cursor: Cursor::new(cx.name.clone(), cursors),
        health: reporter,
        shutdown: shutdown.clone(),
    };
    (channel_cx, view)
}

/// A client of bytes.
pub(crate) struct Raw {
    lines: LineReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

impl Raw {
    pub(crate) async fn connect(socket: &Utf8Path) -> Self {
        let (read, write) = UnixStream::connect(socket).await.unwrap().into_split();
        let lines = LineReader::new(read);
        Self { lines, write }
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.write.write_all(bytes).await.unwrap();
    }

    /// The same where the host may have closed the connection.
    pub(crate) async fn try_bytes(&mut self, bytes: &[u8]) {
        drop(self.write.write_all(bytes).await);
    }

    pub(crate) async fn say(&mut self, line: &Value) {
        self.bytes(format!("{line}\n").as_bytes()).await;
    }

    /// Says that nothing more comes.
    pub(crate) async fn end(&mut self) {
        self.write.shutdown().await.unwrap();
    }

    pub(crate) async fn try_next(&mut self) -> Option<Value> {
        match time::timeout(PATIENCE, self.lines.next()).await {
            Ok(Ok(Line::Whole(line))) => Some(serde_json::from_slice(&line).unwrap()),
            Ok(Ok(Line::End { .. }) | Err(_)) => None,
            other => panic!("no line: {other:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.try_next().await.expect("one more line")
    }

    /// The next line of this type.
    pub(crate) async fn until(&mut self, kind: &str) -> Value {
        loop {
            let line = self.next().await;
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// Every line up to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.try_next().await {
            lines.push(line);
        }
        lines
    }

    /// How many lines there are up to the end.
    pub(crate) async fn count_to_end(&mut self) -> usize {
        self.rest().await.len()
    }
}
