//! The chat platform: keeps what people write until it is acknowledged, and everything it has shown.

pub mod adapter;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anchorhold_channel::PartKey;
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, Handle, PlatformMessageId},
    inbound::{ChatKind, InboundEvent, Sender, What},
};
use jiff::Timestamp;
use tokio::sync::Notify;

use crate::{
    plan::{DEDUPES, Said, StormKind},
    script,
    world::World,
};

/// All channel instances of one simulation, on the platform's side.
#[derive(Debug)]
pub struct Platform {
    world: Arc<World>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    /// What the host has acknowledged, in order, with how many had been offered by then.
    acknowledged: Vec<(u32, usize)>,
    /// What was offered for the first time, in order.
    offered: Vec<u32>,
    shown: Vec<Shown>,
    keys: BTreeMap<PartKey, usize>,
}

/// A message that the platform still keeps.
#[derive(Clone, Debug)]
struct Waiting {
    said: Said,
    /// So often it is offered again after it was acknowledged.
    repeats: u32,
}

/// Something that people see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Where.
    pub address: Address,
    /// What.
    pub text: String,
    /// Which part of which delivery it is.
    pub key: PartKey,
}

impl Platform {
    /// A platform on which nothing was said.
    pub fn new(world: Arc<World>) -> Arc<Self> {
        Arc::new(Self {
            world,
            state: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Somebody writes something.
    pub fn say(&self, said: Said) {
        let number = said.number;
        self.world
            .note(format_args!("m{number} is written in {}", said.chat));
        self.state().waiting.push(Waiting { said, repeats: 0 });
        self.changed.notify_one();
    }

    /// Is everything acknowledged?
    pub fn is_idle(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// The numbers of the messages that the host has acknowledged, in order, repeats included.
    pub fn acknowledged(&self) -> Vec<u32> {
        let state = self.state();
        state
            .acknowledged
            .iter()
            .map(|(number, _)| *number)
            .collect()
    }

    /// Was one acknowledged before the other was offered for the first time?
    pub fn was_before(&self, one: u32, other: u32) -> bool {
        let state = self.state();
        let acknowledged = state.acknowledged.iter().find(|(number, _)| *number == one);
        let offered = state.offered.iter().position(|number| *number == other);
        acknowledged
            .zip(offered)
            .is_some_and(|((_, by_then), at)| *by_then <= at)
    }

    /// Everything that people see, in order.
    pub fn shown(&self) -> Vec<Shown> {
        self.state().shown.clone()
    }

    /// The message that an instance offers next.
    fn offer(&self, channel: &ChannelName) -> Option<Said> {
        let reorders = self.world.storms(StormKind::Reorders);
        let mut state = self.state();
        let ours = |waiting: &&Waiting| waiting.said.channel == channel.as_str();
        let mut waiting = state.waiting.iter().filter(ours);
        let first = waiting.next()?;
        let last = if reorders { waiting.next_back() } else { None };
        let said = last.unwrap_or(first).said.clone();
        if !state.offered.contains(&said.number) {
            state.offered.push(said.number);
        }
        Some(said)
    }

    /// The host has taken the message on.
    fn acknowledge(&self, number: u32) {
        let repeats = self.world.storms(StormKind::Repeats);
        let mut state = self.state();
        let by_then = state.offered.len();
        state.acknowledged.push((number, by_then));
        let found = state
            .waiting
            .iter()
            .position(|waiting| waiting.said.number == number);
        let Some(index) = found else { return };
        // An acknowledgement that got lost: it comes again, behind what came meanwhile.
        let mut waiting = state.waiting.remove(index);
        if repeats && waiting.repeats < 3 {
            waiting.repeats += 1;
            state.waiting.push(waiting);
        }
    }

    /// People see it, unless it is a known key where keys are known.
    fn show(&self, address: &Address, text: String, key: PartKey) {
        let mut state = self.state();
        let times = state.keys.entry(key).or_default();
        *times += 1;
        let again = *times > 1;
        if again && address.channel.as_str() == DEDUPES {
            return;
        }
        if again {
            self.world
                .violation(format_args!("{key} is shown twice on {}", address.channel));
        }
        state.shown.push(Shown {
            address: address.clone(),
            text,
            key,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the adapter hands over for a message.
fn event(said: &Said, now: Timestamp) -> Option<InboundEvent> {
    Some(InboundEvent {
        address: Address {
            channel: ChannelName::parse(said.channel).ok()?,
            chat: ChatId::parse(&said.chat).ok()?,
            thread: None,
        },
        message_id: PlatformMessageId::parse(&format!("p{}", said.number)).ok()?,
        what: What::Message,
        sender: Sender {
            handle: Handle::parse(&format!("u-{}", said.chat)).ok()?,
            name: None,
        },
        chat_kind: ChatKind::Direct,
        addressed: true,
        sent_at: now,
        text: script::text(said.number, &said.task),
        reply_to: None,
        attachments: Vec::new(),
    })
}
