//! Fakes for tests: a platform with its adapter, the host's side of the way in, a clock, entropy.
//!
//! They are part of the crate proper because the host, the simulator and every adapter test with them.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anchorhold_core::{
    address::Address,
    clock::{Clock, Entropy},
    ids::{ChannelName, ChatId, Handle, IdError, OutboundId, PlatformMessageId, QuestionId},
    inbound::{ChatKind, InboundAnswer, InboundEvent, Sender, What},
};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{sync::watch, time};

use crate::{
    adapter::PartKey,
    caps::{ChannelCaps, FilesOut, Markup, Questions, Reader, Support, TextLimit},
    cursor::CursorStore,
    error::{CursorError, IntakeError, Source},
    inbox::{Accepted, Answered, Intake},
};

mod platform;

pub use platform::{FakeAdapter, FakePlatform, Scripted, SendRecord};

/// A message of one person in a direct chat.
pub fn direct_event(
    channel: &str,
    chat: &str,
    id: &str,
    text: &str,
) -> Result<InboundEvent, IdError> {
    Ok(InboundEvent {
        address: Address {
            channel: ChannelName::parse(channel)?,
            chat: ChatId::parse(chat)?,
            thread: None,
        },
        message_id: PlatformMessageId::parse(id)?,
        what: What::Message,
        sender: Sender {
            handle: Handle::parse("person")?,
            name: None,
        },
        chat_kind: ChatKind::Direct,
        addressed: true,
        sent_at: Timestamp::UNIX_EPOCH,
        text: text.to_owned(),
        reply_to: None,
        attachments: Vec::new(),
    })
}

/// A click of the same person on an option, counted from 0, in a direct chat.
pub fn direct_answer(
    channel: &str,
    chat: &str,
    question: QuestionId,
    option: usize,
) -> Result<InboundAnswer, IdError> {
    Ok(InboundAnswer {
        address: Address {
            channel: ChannelName::parse(channel)?,
            chat: ChatId::parse(chat)?,
            thread: None,
        },
        question,
        option,
        sender: Sender {
            handle: Handle::parse("person")?,
            name: None,
        },
        at: Timestamp::UNIX_EPOCH,
    })
}

/// The abilities of a platform that can do all but threads and files, and whose readers come and go.
pub fn all_caps() -> ChannelCaps {
    ChannelCaps {
        text: TextLimit::Utf16(4096),
        markup: Markup::Plain,
        threads: Support::No,
        edits: Support::Yes,
        deletes: Support::Yes,
        reactions: Support::Yes,
        typing: Support::Yes,
        questions: Questions::Native { max_options: 10 },
        opens_directs: Support::Yes,
        files: FilesOut::None,
        dedupes_by_key: Support::Yes,
        reader: Reader::MayBeAbsent,
    }
}

/// A key of its own for each number.
pub fn part_key(number: u32) -> PartKey {
    PartKey {
        outbound: OutboundId::mint(Timestamp::UNIX_EPOCH, numbered(number)),
        part: 0,
    }
}

/// A question's id of its own for each number.
pub fn question_id(number: u32) -> QuestionId {
    QuestionId::mint(Timestamp::UNIX_EPOCH, numbered(number))
}

fn numbered(number: u32) -> [u8; 10] {
    let mut random = [7; 10];
    for (byte, from) in random.iter_mut().skip(4).zip(number.to_be_bytes()) {
        *byte = from;
    }
    random
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct FakeClock {
    base: Instant,
    passed: Mutex<Duration>,
    ahead: Mutex<Duration>,
}

impl FakeClock {
    /// A clock at the start of 2026.
    #[expect(
        clippy::disallowed_methods,
        reason = "an `Instant` can be had in no other way; only spans between two of them are seen"
    )]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            base: Instant::now(),
            passed: Mutex::new(Duration::ZERO),
            ahead: Mutex::new(Duration::ZERO),
        })
    }

    /// Moves the clock.
    pub fn advance(&self, span: Duration) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) += span;
    }

    /// Sets the wall clock ahead, while no time goes by.
    pub fn set_ahead(&self, span: Duration) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) += span;
    }

    fn passed(&self) -> Duration {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::constant(1_767_225_600, 0);
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.passed().saturating_add(ahead);
        start.checked_add(since).unwrap_or(Timestamp::MAX)
    }

    fn mono(&self) -> Instant {
        self.base + self.passed()
    }
}

/// Bytes that never repeat and are the same in each run.
#[derive(Debug, Default)]
pub struct FakeEntropy {
    counter: AtomicU64,
}

impl FakeEntropy {
    /// A source that starts at the beginning.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }
}

impl Entropy for FakeEntropy {
    fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        let count = self.counter.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        for (byte, from) in bytes.iter_mut().skip(2).zip(count) {
            *byte = from;
        }
        bytes
    }
}

/// How a [`FakeIntake`] answers one event or one click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IntakeAnswer {
    /// Heard and not stored; a click is refused.
    Decline(String),
    /// Not now.
    Unavailable,
    /// Never.
    Refuse(String),
    /// The host is stopping.
    Stopping,
}

/// What has come to a [`FakeIntake`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// How many events were offered, taken or not.
    pub offered: usize,
    /// The events that were stored, in order, each once.
    pub events: Vec<InboundEvent>,
    /// Each address that was reported present, in order, repeats included.
    pub present: Vec<Address>,
    /// How many clicks were offered, judged or not.
    pub clicks: usize,
    /// The clicks that were judged, taken or refused, in order, repeats included.
    pub answers: Vec<InboundAnswer>,
}

#[derive(Debug)]
struct IntakeState {
    blocked: bool,
    script: VecDeque<IntakeAnswer>,
    answered: Answered,
    arrived: Arrived,
}

/// The host's side of the way in, scripted: stores in memory and knows duplicates.
pub struct FakeIntake {
    state_tx: watch::Sender<IntakeState>,
}

impl FakeIntake {
    /// An intake that stores everything.
    pub fn new() -> Arc<Self> {
        let (state_tx, _state_rx) = watch::channel(IntakeState {
            blocked: false,
            script: VecDeque::new(),
            answered: Answered::Taken("taken".to_owned()),
            arrived: Arrived::default(),
        });
        Arc::new(Self { state_tx })
    }

    /// Lets every `deliver` and `answer` wait until [`Self::unblock`].
    pub fn block(&self) {
        self.state_tx.send_modify(|state| state.blocked = true);
    }

    /// Lets the waiting ones go on.
    pub fn unblock(&self) {
        self.state_tx.send_modify(|state| state.blocked = false);
    }

    /// What each click without a script gets from now on; at first `Taken`.
    pub fn set_answered(&self, answered: Answered) {
        self.state_tx.send_modify(|state| state.answered = answered);
    }

    /// Scripts the answer to the next event or click that has none yet; without a script an event is
    /// stored, and a click gets what [`Self::set_answered`] says.
    pub fn answer_next(&self, answer: IntakeAnswer) {
        self.state_tx
            .send_modify(|state| state.script.push_back(answer));
    }

    /// What has come so far.
    pub fn arrived(&self) -> Arrived {
        self.state_tx.borrow().arrived.clone()
    }

    /// The events stored so far.
    pub fn events(&self) -> Vec<InboundEvent> {
        self.arrived().events
    }

    /// The clicks judged so far.
    pub fn answers(&self) -> Vec<InboundAnswer> {
        self.arrived().answers
    }

    async fn unblocked(&self) {
        let mut state_rx = self.state_tx.subscribe();
        // silent: the sender lives as long as `self`, so waiting can't fail
        drop(state_rx.wait_for(|state| !state.blocked).await);
    }

    /// Waits until `is` holds, at most `limit`; says whether it does.
    pub async fn until(&self, limit: Duration, mut is: impl FnMut(&Arrived) -> bool) -> bool {
        let mut state_rx = self.state_tx.subscribe();
        let held = state_rx.wait_for(|state| is(&state.arrived));
        matches!(time::timeout(limit, held).await, Ok(Ok(_)))
    }
}

impl fmt::Debug for FakeIntake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeIntake")
            .field("arrived", &self.arrived())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Intake for FakeIntake {
    async fn deliver(&self, event: InboundEvent) -> Result<Accepted, IntakeError> {
        self.state_tx
            .send_modify(|state| state.arrived.offered += 1);
        self.unblocked().await;
        let mut answer = Ok(Accepted::Stored);
        self.state_tx.send_modify(|state| {
            let events = &mut state.arrived.events;
            answer = match state.script.pop_front().map(scripted) {
                Some(Ok(reason)) => Ok(Accepted::Declined(reason)),
                Some(Err(error)) => Err(error),
                None if events.iter().any(|stored| same(stored, &event)) => Ok(Accepted::Duplicate),
                None => {
                    events.push(event);
                    Ok(Accepted::Stored)
                }
            };
        });
        answer
    }

    async fn answer(&self, answer: InboundAnswer) -> Result<Answered, IntakeError> {
        self.state_tx.send_modify(|state| state.arrived.clicks += 1);
        self.unblocked().await;
        let mut judged = Err(IntakeError::Stopping);
        self.state_tx.send_modify(|state| {
            judged = match state.script.pop_front().map(scripted) {
                Some(Ok(reason)) => Ok(Answered::Refused(reason)),
                Some(Err(error)) => Err(error),
                None => Ok(state.answered.clone()),
            };
            if judged.is_ok() {
                state.arrived.answers.push(answer);
            }
        });
        judged
    }

    async fn present(&self, address: &Address) {
        self.state_tx
            .send_modify(|state| state.arrived.present.push(address.clone()));
    }
}

/// The reason to decline, or the failure.
fn scripted(answer: IntakeAnswer) -> Result<String, IntakeError> {
    match answer {
        IntakeAnswer::Decline(reason) => Ok(reason),
        IntakeAnswer::Unavailable => Err(IntakeError::Unavailable(Source::from("scripted"))),
        IntakeAnswer::Refuse(why) => Err(IntakeError::Refused { why }),
        IntakeAnswer::Stopping => Err(IntakeError::Stopping),
    }
}

fn same(a: &InboundEvent, b: &InboundEvent) -> bool {
    a.address.chat == b.address.chat && a.message_id == b.message_id
}

/// Cursors in memory.
#[derive(Debug, Default)]
pub struct FakeCursorStore {
    values: Mutex<HashMap<ChannelName, String>>,
    writes: AtomicU64,
}

impl FakeCursorStore {
    /// A store without any cursor.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// How often a cursor was moved.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl CursorStore for FakeCursorStore {
    async fn get(&self, channel: &ChannelName) -> Result<Option<String>, CursorError> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(values.get(channel).cloned())
    }

    async fn set(&self, channel: &ChannelName, value: &str) -> Result<(), CursorError> {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert(channel.clone(), value.to_owned());
        self.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
