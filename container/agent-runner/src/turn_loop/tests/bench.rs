//! One session on disk with a host at its other end, and providers that do as they are told.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use anchorhold_core::{
    address::Address,
    clock::Clock,
    ids::{ChannelName, ChatId, PlatformMessageId},
    order,
    sandbox::Generation,
};
use anchorhold_sessiondb::{
    Body, Chat, Control, Cursors, DestinationLine, Emit, HandledRow, HandledState, HostSide,
    Inbound, InboundRow, JournalRow, ModelOptions, Outbound, Outcome, Pulled, RunnerSide, Seq,
    Settings, WishReply, bell, progress::Beats,
};
use async_trait::async_trait;
use camino::Utf8Path;
use jiff::Timestamp;
use tokio::{net::UnixDatagram, sync::Notify, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    children::Children,
    mcp::CurrentTurn,
    provider::{
        AgentProvider, ProviderCaps, Providers, Turn, TurnError, TurnIo, TurnOutcome,
        offline::Offline,
    },
    tools::Tools,
    turn_loop::{Ended, Parts, TurnLoop},
};

/// No test waits for longer than this: less than the poll, so that a bell not heard shows. The programs
/// of others are given more.
const PATIENCE: Duration = Duration::from_secs(if cfg!(feature = "real-harnesses") {
    60
} else {
    4
});

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        now()
    }

    #[expect(clippy::disallowed_methods, reason = "nothing here measures")]
    fn mono(&self) -> Instant {
        Instant::now()
    }
}

/// Stands still until a second has passed at once.
#[derive(Default)]
pub(super) struct StepClock {
    pub(super) later: AtomicBool,
}

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        if self.later.load(Ordering::Relaxed) {
            now() + jiff::SignedDuration::from_secs(1)
        } else {
            now()
        }
    }

    fn mono(&self) -> Instant {
        FixedClock.mono()
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// One session on disk, seen from the host.
pub(super) struct Bench {
    pub(super) host: HostSide,
    bell: UnixDatagram,
    said: Cell<u32>,
    /// What becomes of what is said during a turn.
    pub(super) outcome: RefCell<Outcome>,
    told: RefCell<BTreeSet<Seq>>,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let host = HostSide::create(Utf8Path::from_path(dir.path()).unwrap(), None).unwrap();
        let bell = UnixDatagram::from_std(bell::bind(host.in_dir()).unwrap()).unwrap();
        let bench = Self {
            host,
            bell,
            said: Cell::new(0),
            outcome: RefCell::new(Outcome::Sent),
            told: RefCell::default(),
            _dir: dir,
        };
        bench.settings("offline");
        bench
    }

    pub(super) fn settings(&self, provider: &str) {
        self.settings_with(provider, 20);
    }

    pub(super) fn settings_with(&self, provider: &str, prompt_messages: u32) {
        let settings = Settings {
            agent_name: "Ada".to_owned(),
            provider: provider.to_owned(),
            model: None,
            model_options: ModelOptions::default(),
            time_zone: None,
            prompt_messages,
            floor: Cursors::default(),
        };
        self.host.write_settings(&settings).unwrap();
    }

    pub(super) fn hear(&self, text: &str, triggers: bool) -> Seq {
        self.tell(&chat(text), triggers)
    }

    /// A person tells the runner what to do.
    pub(super) fn command(&self, command: Control) -> Seq {
        self.tell(&Inbound::Control(command), true)
    }

    /// A message in another chat than all others.
    pub(super) fn hear_in(&self, chat: &str, text: &str) -> Seq {
        self.tell_in(chat, &self::chat(text), true)
    }

    pub(super) fn tell(&self, payload: &Inbound, triggers: bool) -> Seq {
        self.tell_in("c1", payload, triggers)
    }

    fn tell_in(&self, chat: &str, payload: &Inbound, triggers: bool) -> Seq {
        self.said.set(self.said.get() + 1);
        let address = Address {
            channel: ChannelName::parse("cli").unwrap(),
            chat: ChatId::parse(chat).unwrap(),
            thread: None,
        };
        let highest = self.host.highest_inbound().unwrap();
        let next = order::next_of_host(highest, self.host.highest_outbound());
        let row = JournalRow {
            seq: Seq::new(next).unwrap(),
            address,
            platform_id: PlatformMessageId::parse(&self.said.get().to_string()).unwrap(),
            triggers,
            tries: 0,
            due_at: now(),
            created_at: now(),
            fresh_only: None,
            body: Body::of(payload).unwrap(),
        };
        self.host.feed(std::slice::from_ref(&row), &[]).unwrap();
        bell::ring(self.host.out_dir());
        row.seq
    }

    pub(super) fn runner(&self, generation: u32) -> TurnLoop {
        self.runner_of(generation, vec![Arc::new(Offline)])
    }

    pub(super) fn runner_of(
        &self,
        generation: u32,
        providers: Vec<Arc<dyn AgentProvider>>,
    ) -> TurnLoop {
        let (in_dir, out_dir) = (self.host.in_dir(), self.host.out_dir());
        let generation = Generation(generation);
        let children = Arc::new(Children::default());
        let beats = Arc::new(Beats::new(out_dir, generation));
        TurnLoop::new(Parts {
            side: RunnerSide::open(in_dir, &beats).unwrap(),
            in_dir: in_dir.to_owned(),
            bell: Some(UnixDatagram::from_std(bell::bind(out_dir).unwrap()).unwrap()),
            beats,
            clock: Arc::new(FixedClock),
            providers: Providers::of(providers),
            tools: Arc::new(Tools::new(
                out_dir.to_owned(),
                vec![],
                Arc::clone(&children),
            )),
            turn: CurrentTurn::default(),
            children,
            orphans: None,
        })
    }

    /// Everything that the sandbox wrote.
    pub(super) fn pulled(&self) -> Pulled {
        let mut all = self.host.pull(Cursors::default(), 1_000).unwrap();
        while all.more {
            let next = self.host.pull(all.cursors, 1_000).unwrap();
            all.rows.extend(next.rows);
            all.handled.extend(next.handled);
            (all.cursors, all.claims, all.more) = (next.cursors, next.claims, next.more);
        }
        assert_eq!(all.rejected, vec![]);
        self.reply();
        for row in all.rows.iter().filter(|row| row.awaited) {
            let told = self.told.borrow_mut().insert(row.seq);
            if told {
                let outcome = self.outcome.borrow().clone();
                self.host.tell_outcome(row.seq, &outcome, now()).unwrap();
                bell::ring(self.host.out_dir());
            }
        }
        all
    }

    /// Answers whatever tools ask with the one destination that there is.
    fn reply(&self) {
        let last = self.host.last_reply().unwrap();
        for request in self.host.requests_after(last, 16).unwrap() {
            let ops = DestinationLine {
                name: "ops".to_owned(),
                what: "cli/ops".to_owned(),
                agent: false,
            };
            let reply = WishReply::Destinations(vec![ops]);
            let reply = serde_json::to_string(&reply).unwrap();
            self.host.reply(request.id, &reply, now()).unwrap();
            bell::ring(self.host.out_dir());
        }
    }

    /// Waits until `count` messages are claimed: nothing rings for that.
    pub(super) async fn claimed(&self, count: usize) -> Vec<i64> {
        let wait = async {
            loop {
                let claims = self.pulled().claims;
                if claims.len() >= count {
                    return claims.iter().map(|claim| claim.seq.get()).collect();
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap()
    }

    /// Waits until `count` messages have ended.
    pub(super) async fn ended(&self, count: usize) -> Pulled {
        let wait = async {
            loop {
                let pulled = self.pulled();
                if pulled.handled.len() >= count {
                    return pulled;
                }
                self.bell.recv(&mut [0]).await.unwrap();
            }
        };
        timeout(PATIENCE, wait).await.unwrap()
    }

    /// Runs until `count` messages have ended, then tells the runner to stop.
    pub(super) async fn run(&self, mut runner: TurnLoop, count: usize) -> Pulled {
        let stop = CancellationToken::new();
        let host = async {
            let pulled = self.ended(count).await;
            stop.cancel();
            pulled
        };
        let (ended, pulled) = tokio::join!(Box::pin(runner.run(&stop)), host);
        assert_eq!(ended.unwrap(), Ended::Told);
        pulled
    }
}

fn chat(text: &str) -> Inbound {
    Inbound::Chat(Chat {
        channel: "cli".to_owned(),
        sender: "u1".to_owned(),
        sender_name: None,
        about: None,
        text: text.to_owned(),
        sent_at: now(),
        reply_to: None,
        files: Vec::new(),
    })
}

pub(super) fn posts(pulled: &Pulled) -> Vec<(Option<i64>, &str)> {
    pulled
        .rows
        .iter()
        .map(|row| match &row.op {
            Outbound::Post { text, .. } => (row.in_reply_to.map(Seq::get), text.as_str()),
            Outbound::Edit { .. }
            | Outbound::Delete { .. }
            | Outbound::React { .. }
            | Outbound::Ask { .. } => panic!("no post: {row:?}"),
        })
        .collect()
}

pub(super) fn states(pulled: &Pulled) -> Vec<(i64, HandledState)> {
    let state = |row: &HandledRow| (row.seq.get(), row.state.clone());
    pulled.handled.iter().map(state).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test does what neither side would do"
)]
pub(super) fn raw(path: &Utf8Path) -> rusqlite::Connection {
    rusqlite::Connection::open(path).unwrap()
}

/// Answers when it is let.
#[derive(Default)]
pub(super) struct Held {
    pub(super) begun: Notify,
    pub(super) release: Notify,
    pub(super) turns: Mutex<Vec<BTreeMap<String, String>>>,
}

#[async_trait]
impl AgentProvider for Held {
    fn caps(&self) -> &ProviderCaps {
        &ProviderCaps {
            name: "held",
            state_keys: &["note"],
            follow_ups: false,
        }
    }

    async fn run_turn(&self, turn: Turn, _io: TurnIo) -> Result<TurnOutcome, TurnError> {
        self.turns.lock().unwrap().push(turn.state);
        self.begun.notify_one();
        self.release.notified().await;
        let emit = Emit {
            to: None,
            in_reply_to: turn.messages.first().map(|message| message.seq),
            op: Outbound::Post {
                text: "held".to_owned(),
                files: Vec::new(),
            },
            files: Vec::new(),
        };
        Ok(TurnOutcome {
            emit: vec![emit],
            state: vec![("note".to_owned(), Some("kept".to_owned()))],
        })
    }

    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        self.turns.lock().unwrap().push(state);
        self.begun.notify_one();
        self.release.notified().await;
        Ok(TurnOutcome {
            emit: Vec::new(),
            state: vec![("note".to_owned(), None)],
        })
    }
}

pub(super) struct Failing;

#[async_trait]
impl AgentProvider for Failing {
    fn caps(&self) -> &ProviderCaps {
        &ProviderCaps {
            name: "failing",
            state_keys: &[],
            follow_ups: false,
        }
    }

    async fn run_turn(&self, _turn: Turn, _io: TurnIo) -> Result<TurnOutcome, TurnError> {
        Err(TurnError::Failed {
            why: "no reason".to_owned(),
        })
    }

    async fn compact(
        &self,
        _state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        Err(TurnError::Failed {
            why: "no room".to_owned(),
        })
    }
}

/// Asks for follow-ups when it is told to, and ends when it is told to.
pub(super) struct Asking {
    takes: bool,
    picks_up: bool,
    /// A turn has begun, or has done what it was told.
    pub(super) did: Notify,
    pub(super) ask: Notify,
    pub(super) end: Notify,
    /// All messages of its turns, in order.
    pub(super) seen: Mutex<Vec<i64>>,
}

impl Asking {
    /// One that can take follow-ups, or says that it can't.
    pub(super) fn new(takes: bool) -> Self {
        Self {
            takes,
            picks_up: true,
            did: Notify::new(),
            ask: Notify::new(),
            end: Notify::new(),
            seen: Mutex::default(),
        }
    }

    /// One that asks and never looks at the answer.
    pub(super) fn that_looks_away() -> Self {
        Self {
            picks_up: false,
            ..Self::new(true)
        }
    }

    /// Has it ask, and waits until it has.
    pub(super) async fn asked(&self) {
        self.ask.notify_one();
        self.did.notified().await;
    }

    pub(super) fn seen(&self) -> Vec<i64> {
        self.seen.lock().unwrap().clone()
    }

    fn see(&self, rows: &[InboundRow]) {
        let seqs = rows.iter().map(|row| row.seq.get());
        self.seen.lock().unwrap().extend(seqs);
    }
}

#[async_trait]
impl AgentProvider for Asking {
    fn caps(&self) -> &ProviderCaps {
        const fn caps(follow_ups: bool) -> ProviderCaps {
            ProviderCaps {
                name: "asking",
                state_keys: &[],
                follow_ups,
            }
        }
        if self.takes {
            &const { caps(true) }
        } else {
            &const { caps(false) }
        }
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        self.see(&turn.messages);
        self.did.notify_one();
        loop {
            tokio::select! {
                () = self.ask.notified() => {}
                () = self.end.notified() => return Ok(TurnOutcome::default()),
            }
            if self.picks_up {
                self.see(&io.follow_ups(Duration::ZERO).await);
                self.did.notify_one();
            } else {
                // Polled once, so that it has asked; what comes then is not looked at.
                let mut asking = pin!(io.follow_ups(PATIENCE));
                assert!(poll_once(asking.as_mut()).await.is_none());
                self.did.notify_one();
                self.end.notified().await;
                return Ok(TurnOutcome::default());
            }
        }
    }

    async fn compact(
        &self,
        _state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        Ok(TurnOutcome::default())
    }
}

async fn poll_once<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
