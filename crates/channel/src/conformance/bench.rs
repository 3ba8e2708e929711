//! What the cases share: an adapter that runs against a fake host.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anchorhold_core::{
    ids::{Handle, PlatformMessageId},
    inbound::InboundAnswer,
    outbound::{OPTIONS_LIMIT, OutboundOp, Question, Voice},
};
use tokio::{task::JoinHandle, time};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::{Chat, ConformanceHarness, Failure, PATIENCE, STOP_LIMIT, Told};
use crate::{
    adapter::{ChannelAdapter, ChannelContext, Sent},
    caps::{Questions, Reader},
    cursor::{Cursor, CursorStore},
    error::{ChannelError, Disposition},
    fake::{Arrived, FakeClock, FakeCursorStore, FakeIntake, part_key, question_id},
    health::{self, Connection, Health, HealthView},
    inbox::{Inbox, Intake},
};

/// How often a condition that nobody announces is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How often a lost connection is brought back before the case fails.
const RUNS_LIMIT: u32 = 5;

/// The host's memory, which outlives adapters.
pub(super) struct Memory {
    pub(super) intake: Arc<FakeIntake>,
    cursors: Arc<FakeCursorStore>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            intake: FakeIntake::new(),
            cursors: FakeCursorStore::new(),
        }
    }
}

/// A running adapter with its fake host.
pub(super) struct Bench<'h> {
    harness: &'h dyn ConformanceHarness,
    pub(super) adapter: Arc<dyn ChannelAdapter>,
    pub(super) intake: Arc<FakeIntake>,
    view: HealthView,
    shutdown: CancellationToken,
    /// A case that fails early still ends its adapter.
    _guard: DropGuard,
    runs: Arc<AtomicU32>,
    running: JoinHandle<Result<(), ChannelError>>,
}

impl<'h> Bench<'h> {
    /// Builds an adapter, starts it, and waits until it is connected.
    pub(super) async fn start(harness: &'h dyn ConformanceHarness) -> Result<Self, Failure> {
        Self::start_with(harness, &Memory::new()).await
    }

    /// The same with the memory of an earlier host.
    pub(super) async fn start_with(
        harness: &'h dyn ConformanceHarness,
        memory: &Memory,
    ) -> Result<Self, Failure> {
        let adapter = harness.adapter().await?;
        let clock = FakeClock::new();
        let (reporter, view) = health::pair(clock);
        let shutdown = CancellationToken::new();
        let intake: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&memory.intake);
        let cursors: Arc<dyn CursorStore> = Arc::<FakeCursorStore>::clone(&memory.cursors);
        let channel = harness.channel();
        let context = {
            let shutdown = shutdown.clone();
            move || ChannelContext {
                inbox: Inbox::new(channel.clone(), Arc::clone(&intake)),
                cursor: Cursor::new(channel.clone(), Arc::clone(&cursors)),
                health: reporter.clone(),
                shutdown: shutdown.clone(),
            }
        };
        let runs = Arc::new(AtomicU32::new(0));
        // The tracker is not waited for: the handle is, in `stop` and `abort`.
        let running =
            TaskTracker::new().spawn(supervise(Arc::clone(&adapter), context, Arc::clone(&runs)));
        let intake = Arc::clone(&memory.intake);
        let mut bench = Self {
            harness,
            adapter,
            intake,
            view,
            _guard: shutdown.clone().drop_guard(),
            shutdown,
            runs,
            running,
        };
        bench.connected().await?;
        Ok(bench)
    }

    async fn connected(&mut self) -> Result<(), Failure> {
        let is = |health: &Health| health.connection == Connection::Connected;
        match time::timeout(PATIENCE, self.view.until(is)).await {
            Ok(Some(_connected)) => Ok(()),
            Ok(None) => Err(Failure::new("`run` ended before it was connected")),
            Err(_elapsed) => Err(Failure::new("`run` never reported to be connected")),
        }
    }

    /// The person opens the chat and can be written to.
    pub(super) async fn arrive(&self, chat: Chat) -> Result<(), Failure> {
        let before = self.present(chat);
        self.harness.arrive(chat).await?;
        if self.adapter.caps().reader == Reader::ScrollsBack {
            return Ok(());
        }
        let address = self.harness.address(chat);
        let count = |arrived: &Arrived| arrived.present.iter().filter(|at| **at == address).count();
        let came = self.intake.until(PATIENCE, |now| count(now) > before);
        check(came.await, "a reader came, `present` was not called")
    }

    fn present(&self, chat: Chat) -> usize {
        let address = self.harness.address(chat);
        let arrived = self.intake.arrived();
        arrived.present.iter().filter(|at| **at == address).count()
    }

    /// Waits until so many events are stored.
    pub(super) async fn stored(&self, count: usize) -> Result<(), Failure> {
        let enough = self.intake.until(PATIENCE, |now| now.events.len() >= count);
        check(
            enough.await,
            format!("{count} stored events were expected in time"),
        )
    }

    /// Waits until so many events were offered, stored or not.
    pub(super) async fn offered(&self, count: usize) -> Result<(), Failure> {
        let enough = self.intake.until(PATIENCE, |now| now.offered >= count);
        check(
            enough.await,
            format!("{count} offered events were expected in time"),
        )
    }

    /// Sends text once.
    pub(super) async fn post(
        &self,
        chat: Chat,
        text: &str,
        key: u32,
    ) -> Result<Sent, ChannelError> {
        self.send(chat, &post(text), key).await
    }

    /// Tries an operation once.
    pub(super) async fn send(
        &self,
        chat: Chat,
        op: &OutboundOp,
        key: u32,
    ) -> Result<Sent, ChannelError> {
        let to = self.harness.address(chat);
        let sending = self.adapter.send(&to, op, part_key(key));
        // One that never ends is `Transient` to no case that expects another outcome.
        time::timeout(PATIENCE, sending)
            .await
            .unwrap_or_else(|elapsed| {
                Err(ChannelError::Transient {
                    doing: "a send that has to end",
                    source: Box::new(elapsed),
                })
            })
    }

    /// Sends text that has to be taken.
    pub(super) async fn post_well(
        &self,
        chat: Chat,
        text: &str,
        key: u32,
    ) -> Result<Option<PlatformMessageId>, Failure> {
        self.send_well(chat, &post(text), key).await
    }

    /// Sends what has to be taken.
    pub(super) async fn send_well(
        &self,
        chat: Chat,
        op: &OutboundOp,
        key: u32,
    ) -> Result<Option<PlatformMessageId>, Failure> {
        match self.send(chat, op, key).await {
            Ok(sent) => Ok(sent.message_id),
            Err(error) => Err(Failure::new(format!("a good send failed: {error}"))),
        }
    }

    /// The question with this number, with as many options as the platform has room for; `None`
    /// where it asks as text.
    pub(super) fn question(&self, number: u32) -> Option<Question> {
        let count = match self.adapter.caps().questions {
            Questions::Native { max_options } => max_options.min(OPTIONS_LIMIT),
            Questions::Text => return None,
        };
        Some(any_question(number, count))
    }

    /// Asks a question that has to be taken, and waits until the person sees exactly these.
    pub(super) async fn ask_well(
        &self,
        chat: Chat,
        questions: &[&Question],
    ) -> Result<(), Failure> {
        for (key, question) in (1_000..).zip(questions) {
            let op = OutboundOp::Ask((*question).clone());
            self.send_well(chat, &op, key).await?;
        }
        let expect: Vec<Vec<String>> = questions
            .iter()
            .map(|asked| asked.options.clone())
            .collect();
        let seen = last_look(|| self.harness.asked(chat), |seen| *seen == expect).await?;
        check(
            seen == expect,
            format!("questions with these options were expected: {expect:?}, seen: {seen:?}"),
        )
    }

    /// The handle of the person, as a message of theirs has it.
    pub(super) async fn handle(&self, chat: Chat) -> Result<Handle, Failure> {
        self.harness.say(chat, "who", "it is me").await?;
        let address = self.harness.address(chat);
        let mut handle = None;
        let came = self.intake.until(PATIENCE, |now| {
            let mut events = now.events.iter();
            let said = events.find(|event| event.address == address);
            handle = said.map(|event| event.sender.handle.clone());
            handle.is_some()
        });
        check(came.await, "a message did not arrive")?;
        handle.ok_or_else(|| Failure::new("a message did not arrive"))
    }

    /// Waits until so many clicks were judged, and gives them all.
    pub(super) async fn answered(&self, count: usize) -> Result<Vec<InboundAnswer>, Failure> {
        let enough = self
            .intake
            .until(PATIENCE, |now| now.answers.len() >= count);
        check(
            enough.await,
            format!("{count} clicks were expected in time"),
        )?;
        Ok(self.intake.answers())
    }

    /// Waits until the person sees exactly these texts.
    pub(super) async fn sees(&self, chat: Chat, expect: &[&str]) -> Result<(), Failure> {
        let seen = last_look(|| self.harness.seen(chat), |seen| seen == expect).await?;
        check(
            seen == expect,
            format!("{expect:?} expected, seen: {seen:?}"),
        )
    }

    /// Waits until the person sees exactly these reactions of the bot.
    pub(super) async fn sees_reactions(&self, chat: Chat, expect: &[&str]) -> Result<(), Failure> {
        let seen = last_look(|| self.harness.reactions(chat), |seen| seen == expect).await?;
        check(
            seen == expect,
            format!("reactions {expect:?} expected, seen: {seen:?}"),
        )
    }

    /// Waits until `is` holds for what is known about a message; `false` after `limit`.
    pub(super) async fn told(
        &self,
        (chat, id): (Chat, &str),
        limit: Duration,
        is: impl Fn(Told) -> bool,
    ) -> Result<bool, Failure> {
        let look = async {
            loop {
                if is(self.harness.told(chat, id).await?) {
                    return Ok(true);
                }
                time::sleep(LOOK_AGAIN).await;
            }
        };
        time::timeout(limit, look).await.unwrap_or(Ok(false))
    }

    /// Waits until a message is stored, or somebody was told that it was not taken.
    pub(super) async fn settled(
        &self,
        message: (Chat, &str),
        stored: usize,
    ) -> Result<Told, Failure> {
        let enough = async {
            let enough = self
                .intake
                .until(PATIENCE, |now| now.events.len() >= stored);
            enough.await
        };
        let told = self.told(message, PATIENCE, |told| told == Told::NotAccepted);
        tokio::select! {
            true = enough => Ok(Told::Accepted),
            Ok(true) = told => Ok(Told::NotAccepted),
            else => Err(Failure::new("a message got lost without a word")),
        }
    }

    /// How often `run` was started.
    pub(super) fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Is `run` still running?
    pub(super) fn is_running(&self) -> bool {
        !self.running.is_finished()
    }

    /// Lets `run` end, and checks that it does, well and promptly.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        self.shutdown.cancel();
        match time::timeout(STOP_LIMIT, self.running).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(Failure::new(format!("`run` ended badly: {error}"))),
            Ok(Err(error)) if error.is_panic() => Err(Failure::new("`run` panicked")),
            Ok(Err(_cancelled)) => Err(Failure::new("`run` was cancelled")),
            Err(_elapsed) => Err(Failure::new("`run` did not end after its token fired")),
        }
    }

    /// Waits until `run` ends by itself, as it has to, and gives the reason.
    pub(super) async fn ended(self) -> Result<ChannelError, Failure> {
        match time::timeout(PATIENCE, self.running).await {
            Ok(Ok(Err(error))) => Ok(error),
            Ok(Ok(Ok(()))) => Err(Failure::new("`run` ended as if it had been told to")),
            Ok(Err(_panicked)) => Err(Failure::new("`run` panicked")),
            Err(_elapsed) => Err(Failure::new("`run` goes on in spite of everything")),
        }
    }

    /// Asks `run` to end without waiting for it.
    pub(super) fn ask_to_stop(&self) {
        self.shutdown.cancel();
    }

    /// Drops the future of `run` where it stands.
    pub(super) async fn abort(self) {
        self.running.abort();
        // silent: an aborted task always ends in an error
        drop(self.running.await);
    }
}

/// Runs the adapter as a host does: a connection that got lost is brought back.
async fn supervise(
    adapter: Arc<dyn ChannelAdapter>,
    context: impl Fn() -> ChannelContext,
    runs: Arc<AtomicU32>,
) -> Result<(), ChannelError> {
    loop {
        let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
        let Err(error) = adapter.run(context()).await else {
            return Ok(());
        };
        match error.disposition() {
            Disposition::Backoff | Disposition::RetryAfter { .. } if run < RUNS_LIMIT => {
                time::sleep(LOOK_AGAIN).await;
            }
            Disposition::Backoff
            | Disposition::RetryAfter { .. }
            | Disposition::SettleUnknownOrResend
            | Disposition::Dead
            | Disposition::ParkInstance
            | Disposition::ParkUntilPresent => return Err(error),
        }
    }
}

/// Looks until `is` holds, or for as long as the suite is patient; gives what was seen last.
async fn last_look<T, F>(look: impl Fn() -> F, is: impl Fn(&T) -> bool) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let mut seen = look().await?;
    let wait = async {
        while !is(&seen) {
            time::sleep(LOOK_AGAIN).await;
            seen = look().await?;
        }
        Ok(())
    };
    match time::timeout(PATIENCE, wait).await {
        Ok(Err(failure)) => Err(failure),
        Ok(Ok(())) | Err(_) => Ok(seen),
    }
}

/// The question with this number and so many options.
pub(super) fn any_question(number: u32, count: usize) -> Question {
    let option = |option| format!("choice {number}.{option}");
    Question {
        id: question_id(number),
        title: format!("Question {number}"),
        text: "Which one is it?".to_owned(),
        options: (1..=count).map(option).collect(),
    }
}

/// The operation that says `text`.
pub(super) fn post(text: &str) -> OutboundOp {
    OutboundOp::Post {
        text: text.to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Agent,
    }
}

/// The same in answer to a message.
pub(super) fn reply(text: &str, to: &PlatformMessageId) -> OutboundOp {
    OutboundOp::Post {
        text: text.to_owned(),
        files: Vec::new(),
        reply_to: Some(to.clone()),
        voice: Voice::Agent,
    }
}

/// Fails with `what` where `holds` does not.
pub(super) fn check(holds: bool, what: impl Into<String>) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(what))
    }
}
