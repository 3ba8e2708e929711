//! A platform in memory, and the adapter that speaks to it.

use std::{
    collections::{BTreeSet, HashSet, VecDeque},
    fmt,
    sync::Arc,
    time::Duration,
};

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, Handle, IdError, PlatformMessageId},
    inbound::{InboundAnswer, InboundEvent},
    outbound::{OutboundOp, Question},
};
use async_trait::async_trait;
use tokio::{sync::watch, time};

use crate::{
    adapter::{BotIdentity, ChannelAdapter, ChannelContext, PartKey, Sent},
    caps::{ChannelCaps, FilesOut, Questions, Support},
    error::{ChannelError, IntakeError, Source},
    inbox::Answered,
};

/// How long the adapter leaves a message or a click with the platform that the host could not store.
const OFFER_AGAIN: Duration = Duration::from_millis(20);

/// How the platform answers one send.
#[derive(Debug)]
pub enum Scripted {
    /// It takes it.
    Take,
    /// It takes it and the answer gets lost: `Ambiguous`, and people see it.
    TakeAndLoseAnswer,
    /// It fails with this error, and people see nothing.
    Fail(ChannelError),
}

/// One call of `send`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendRecord {
    /// Where to.
    pub to: Address,
    /// What.
    pub op: OutboundOp,
    /// Under which key.
    pub key: PartKey,
    /// How it ended: `sent`, `ambiguous`, `failed`, `absent` or `unsupported`.
    pub outcome: &'static str,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<InboundEvent>,
    clicks: VecDeque<InboundAnswer>,
    answered: Vec<(InboundAnswer, Answered)>,
    direct_script: VecDeque<ChannelError>,
    opened: Vec<Handle>,
    acknowledged: Vec<(ChatId, PlatformMessageId)>,
    refused: Vec<(ChatId, PlatformMessageId)>,
    script: VecDeque<Scripted>,
    sends: Vec<SendRecord>,
    seen: Vec<(Address, OutboundOp)>,
    keys: HashSet<PartKey>,
    absent: BTreeSet<Address>,
    returned: VecDeque<Address>,
    paused: bool,
    lost: Option<ChannelError>,
}

impl State {
    /// The first of what is kept until the adapter has handed it over.
    fn offered(&self) -> Option<Next> {
        let click = self.clicks.front().cloned().map(Box::new);
        let event = || self.waiting.front().cloned().map(Box::new);
        click.map(Next::Click).or_else(|| event().map(Next::Event))
    }
}

/// What the platform has for the adapter next.
enum Next {
    Lost(ChannelError),
    Returned(Address),
    Click(Box<InboundAnswer>),
    Event(Box<InboundEvent>),
}

/// A platform in memory: keeps inbound messages until they are acknowledged, shows outbound ones.
pub struct FakePlatform {
    caps: ChannelCaps,
    state_tx: watch::Sender<State>,
}

impl FakePlatform {
    /// A platform with the abilities `caps`, on which everybody is present.
    pub fn new(caps: ChannelCaps) -> Arc<Self> {
        let (state_tx, _state_rx) = watch::channel(State::default());
        Arc::new(Self { caps, state_tx })
    }

    /// An adapter of this platform for the instance `channel`.
    pub fn adapter(self: &Arc<Self>, channel: ChannelName) -> Arc<FakeAdapter> {
        let platform = Arc::clone(self);
        Arc::new(FakeAdapter { channel, platform })
    }

    /// Somebody says something.
    pub fn say(&self, event: InboundEvent) {
        self.state_tx
            .send_modify(|state| state.waiting.push_back(event));
    }

    /// Somebody chooses an answer, of a question that was asked or not.
    pub fn click(&self, answer: InboundAnswer) {
        self.state_tx
            .send_modify(|state| state.clicks.push_back(answer));
    }

    /// The clicks that the host has judged, in order, each with what the person was shown.
    pub fn answered(&self) -> Vec<(InboundAnswer, Answered)> {
        self.state_tx.borrow().answered.clone()
    }

    /// Waits until so many clicks were judged, at most `limit`; says whether they were.
    pub async fn until_answered(&self, limit: Duration, count: usize) -> bool {
        let mut state_rx = self.state_tx.subscribe();
        let enough = state_rx.wait_for(|state| state.answered.len() >= count);
        matches!(time::timeout(limit, enough).await, Ok(Ok(_)))
    }

    /// The questions that people at `address` see, in order.
    pub fn asked(&self, address: &Address) -> Vec<Question> {
        let question = |op| match op {
            OutboundOp::Ask(question) => Some(question),
            OutboundOp::Post { .. }
            | OutboundOp::Edit { .. }
            | OutboundOp::Delete { .. }
            | OutboundOp::React { .. }
            | OutboundOp::Typing => None,
        };
        self.seen(address)
            .into_iter()
            .filter_map(question)
            .collect()
    }

    /// The direct chat of a person, opened or not: `dm-<handle>`.
    pub fn direct(person: &Handle) -> Result<ChatId, IdError> {
        ChatId::parse(&format!("dm-{person}"))
    }

    /// Scripts the failure of the next opening of a direct chat that has none yet.
    pub fn fail_direct(&self, error: ChannelError) {
        self.state_tx
            .send_modify(|state| state.direct_script.push_back(error));
    }

    /// Whose direct chats were opened, in order, repeats included.
    pub fn opened(&self) -> Vec<Handle> {
        self.state_tx.borrow().opened.clone()
    }

    /// Was this message acknowledged by the adapter?
    pub fn acknowledged(&self, chat: &ChatId, id: &PlatformMessageId) -> bool {
        let state = self.state_tx.borrow();
        state.acknowledged.iter().any(|(c, i)| c == chat && i == id)
    }

    /// Was the person told that this message is refused?
    pub fn refused(&self, chat: &ChatId, id: &PlatformMessageId) -> bool {
        let state = self.state_tx.borrow();
        state.refused.iter().any(|(c, i)| c == chat && i == id)
    }

    /// Scripts the next send that has no script yet; without one the platform takes it.
    pub fn script(&self, answer: Scripted) {
        self.state_tx
            .send_modify(|state| state.script.push_back(answer));
    }

    /// Every call of `send` so far.
    pub fn sends(&self) -> Vec<SendRecord> {
        self.state_tx.borrow().sends.clone()
    }

    /// What people at `address` see, in order.
    pub fn seen(&self, address: &Address) -> Vec<OutboundOp> {
        let state = self.state_tx.borrow();
        let there = state.seen.iter().filter(|(to, _op)| to == address);
        there.map(|(_to, op)| op.clone()).collect()
    }

    /// Waits until so many sends were made, at most `limit`; says whether they were.
    pub async fn until_sends(&self, limit: Duration, count: usize) -> bool {
        let mut state_rx = self.state_tx.subscribe();
        let enough = state_rx.wait_for(|state| state.sends.len() >= count);
        matches!(time::timeout(limit, enough).await, Ok(Ok(_)))
    }

    /// Stops everything in both directions until [`Self::resume`]: sends wait.
    pub fn pause(&self) {
        self.state_tx.send_modify(|state| state.paused = true);
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.state_tx.send_modify(|state| state.paused = false);
    }

    /// The reader at `address` goes away: sends fail with `Absent`.
    pub fn leave(&self, address: &Address) {
        self.state_tx.send_modify(|state| {
            state.absent.insert(address.clone());
        });
    }

    /// The reader comes back, and the adapter reports it.
    pub fn come_back(&self, address: &Address) {
        self.state_tx.send_modify(|state| {
            state.absent.remove(address);
            state.returned.push_back(address.clone());
        });
    }

    /// Ends the adapter's `run` with this error.
    pub fn lose_connection(&self, error: ChannelError) {
        self.state_tx.send_modify(|state| state.lost = Some(error));
    }

    async fn next(&self) -> Next {
        let mut state_rx = self.state_tx.subscribe();
        let ready = |state: &State| {
            let something = state.lost.is_some() || !state.returned.is_empty();
            something || !state.clicks.is_empty() || !state.waiting.is_empty()
        };
        loop {
            // silent: the sender lives as long as `self`, so waiting can't fail
            drop(
                state_rx
                    .wait_for(|state| !state.paused && ready(state))
                    .await,
            );
            let mut next = None;
            self.state_tx.send_if_modified(|state| {
                if state.paused {
                    return false;
                }
                next = match (state.lost.take(), state.returned.pop_front()) {
                    (Some(error), returned) => {
                        state.returned.extend(returned);
                        Some(Next::Lost(error))
                    }
                    (None, Some(address)) => Some(Next::Returned(address)),
                    (None, None) => state.offered(),
                };
                false
            });
            if let Some(next) = next {
                return next;
            }
        }
    }

    /// Takes the message off the platform: it is not offered again.
    fn settle(&self, event: &InboundEvent, refused: bool) {
        let id = (event.address.chat.clone(), event.message_id.clone());
        self.state_tx.send_modify(|state| {
            state.waiting.pop_front();
            if refused {
                state.refused.push(id);
            } else {
                state.acknowledged.push(id);
            }
        });
    }

    /// Takes the click off the platform and shows the person what became of it.
    fn settle_click(&self, answer: InboundAnswer, shown: Answered) {
        self.state_tx.send_modify(|state| {
            state.clicks.pop_front();
            state.answered.push((answer, shown));
        });
    }

    fn open(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        if !self.caps.opens_directs.is_yes() {
            let reason = "the platform opens no direct chats".into();
            return Err(ChannelError::Permanent { reason });
        }
        let chat = Self::direct(person).map_err(|error| permanent(&error))?;
        let mut failure = None;
        self.state_tx.send_modify(|state| {
            failure = state.direct_script.pop_front();
            if failure.is_none() {
                state.opened.push(person.clone());
            }
        });
        failure.map_or(Ok(chat), Err)
    }

    fn take(&self, to: &Address, op: &OutboundOp, key: PartKey) -> Result<Sent, ChannelError> {
        let mut answer = Err(ChannelError::Absent);
        self.state_tx.send_modify(|state| {
            let (result, outcome) = self.decide(state, to, op, key);
            answer = result;
            state.sends.push(SendRecord {
                to: to.clone(),
                op: op.clone(),
                key,
                outcome,
            });
        });
        answer
    }

    fn decide(
        &self,
        state: &mut State,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> (Result<Sent, ChannelError>, &'static str) {
        if !supports(&self.caps, op) {
            let reason = format!("the platform has no {}", op.name());
            return (Err(ChannelError::Permanent { reason }), "unsupported");
        }
        if state.absent.contains(to) {
            return (Err(ChannelError::Absent), "absent");
        }
        let script = state.script.pop_front().unwrap_or(Scripted::Take);
        if let Scripted::Fail(error) = script {
            return (Err(error), "failed");
        }
        let again = !state.keys.insert(key) && self.caps.dedupes_by_key.is_yes();
        if !again {
            state.seen.push((to.clone(), op.clone()));
        }
        if let Scripted::TakeAndLoseAnswer = script {
            let error = ChannelError::Ambiguous {
                doing: op.name(),
                source: Source::from("scripted"),
            };
            return (Err(error), "ambiguous");
        }
        let message_id = key.message_id().ok();
        (Ok(Sent { message_id }), "sent")
    }
}

impl fmt::Debug for FakePlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakePlatform")
            .field("state", &*self.state_tx.borrow())
            .finish_non_exhaustive()
    }
}

fn supports(caps: &ChannelCaps, op: &OutboundOp) -> bool {
    let support = match op {
        OutboundOp::Post { files, .. } => match caps.files {
            FilesOut::None => return files.is_empty(),
            FilesOut::UpTo { count, .. } => return files.len() <= count,
        },
        OutboundOp::Edit { .. } => caps.edits,
        OutboundOp::Delete { .. } => caps.deletes,
        OutboundOp::React { .. } => caps.reactions,
        OutboundOp::Typing => caps.typing,
        OutboundOp::Ask(_) => match caps.questions {
            Questions::Native { .. } => Support::Yes,
            Questions::Text => Support::No,
        },
    };
    support.is_yes()
}

/// The adapter of a [`FakePlatform`].
#[derive(Clone, Debug)]
pub struct FakeAdapter {
    channel: ChannelName,
    platform: Arc<FakePlatform>,
}

impl FakeAdapter {
    async fn receive(&self, cx: &ChannelContext) -> Result<(), ChannelError> {
        loop {
            let event = match self.platform.next().await {
                Next::Lost(error) => {
                    cx.health.reconnecting(&error.to_string());
                    return Err(error);
                }
                Next::Returned(address) => {
                    cx.inbox.present(&address).await;
                    continue;
                }
                Next::Click(answer) => {
                    self.pass_on(cx, *answer).await;
                    continue;
                }
                Next::Event(event) => *event,
            };
            match cx.inbox.deliver(event.clone()).await {
                Ok(_accepted) => {
                    self.platform.settle(&event, false);
                    cx.health.inbound();
                }
                Err(IntakeError::Refused { .. }) => self.platform.settle(&event, true),
                Err(IntakeError::Unavailable(_) | IntakeError::Stopping) => {
                    time::sleep(OFFER_AGAIN).await;
                }
            }
        }
    }

    /// Hands a click to the host; one that can't be judged now stays with the platform.
    async fn pass_on(&self, cx: &ChannelContext, answer: InboundAnswer) {
        let shown = match cx.inbox.answer(answer.clone()).await {
            Ok(answered) => {
                cx.health.inbound();
                answered
            }
            Err(IntakeError::Refused { why }) => Answered::Refused(why),
            Err(IntakeError::Unavailable(_) | IntakeError::Stopping) => {
                return time::sleep(OFFER_AGAIN).await;
            }
        };
        self.platform.settle_click(answer, shown);
    }
}

#[async_trait]
impl ChannelAdapter for FakeAdapter {
    fn caps(&self) -> &ChannelCaps {
        &self.platform.caps
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let handle = Handle::parse("bot").map_err(|error| permanent(&error))?;
        let name = Some("Fake".to_owned());
        let sees = Vec::new();
        Ok(BotIdentity { handle, name, sees })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        cx.health.connected();
        tokio::select! {
            ended = self.receive(&cx) => ended,
            () = cx.shutdown.cancelled() => Ok(()),
        }
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        if to.channel != self.channel {
            let reason = "the address is on another channel".into();
            return Err(ChannelError::Permanent { reason });
        }
        let mut state_rx = self.platform.state_tx.subscribe();
        // silent: the sender lives as long as the platform, so waiting can't fail
        drop(state_rx.wait_for(|state| !state.paused).await);
        self.platform.take(to, op, key)
    }

    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        self.platform.open(person)
    }
}

fn permanent(error: &IdError) -> ChannelError {
    let reason = error.to_string();
    ChannelError::Permanent { reason }
}
