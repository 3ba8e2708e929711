//! The trait that each platform implements, and what goes with its calls.

use std::fmt;

use anchorhold_core::{
    address::Address,
    ids::{ChatId, Handle, IdError, OutboundId, PlatformMessageId},
    outbound::OutboundOp,
};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{
    caps::ChannelCaps, cursor::Cursor, error::ChannelError, health::HealthReporter, inbox::Inbox,
    talk::Talk,
};

/// One configured account on one platform. The crate documentation has the whole contract.
#[async_trait]
pub trait ChannelAdapter: Send + Sync + 'static {
    /// What the platform can do. The same answer for the life of the adapter.
    fn caps(&self) -> &ChannelCaps;

    /// Proves that the configuration works and says who the bot is. Changes nothing; can be called
    /// at any time, also while `run` runs.
    async fn probe(&self) -> Result<BotIdentity, ChannelError>;

    /// Receives until `cx.shutdown` fires, then returns `Ok`. Any other return means that the
    /// connection is lost for the reason given, and the host decides when to call again.
    /// Dropping the future ends all that it started.
    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError>;

    /// Tries one operation once: no retry, no sleep, no split. A second call with the same `key` is
    /// the same operation tried again. Dropping the future leaves the outcome unknown.
    async fn send(&self, to: &Address, op: &OutboundOp, key: PartKey)
    -> Result<Sent, ChannelError>;

    /// The chat in which the bot can write to `person` first, opened where the platform needs that.
    ///
    /// Sends no message. Asked again it is the same chat, so whatever an error says of the outcome,
    /// it can be asked again; the same holds when the future is dropped. `Permanent` where the
    /// platform has no such chats, or not with this person.
    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError>;

    /// Lets a person make sure, face to face with the operator, that the bot's keys are its own. Never
    /// while `run` runs, here or in another process. `Permanent` where the platform has no such thing.
    async fn verify(&self, _operator: &dyn Talk) -> Result<(), ChannelError> {
        let reason = "this platform has no keys that people could verify".to_owned();
        Err(ChannelError::Permanent { reason })
    }
}

/// What one `run` works with.
#[derive(Debug)]
pub struct ChannelContext {
    /// Where messages go.
    pub inbox: Inbox,
    /// How far the platform's stream has been read, across restarts.
    pub cursor: Cursor,
    /// Where the adapter writes how it fares.
    pub health: HealthReporter,
    /// Fires when `run` has to end.
    pub shutdown: CancellationToken,
}

/// Who the bot is on its platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotIdentity {
    /// The platform's stable id of the bot.
    pub handle: Handle,
    /// The name that people see.
    pub name: Option<String>,
    /// What it may see and do there, and what it lacks, each a short sentence for the operator.
    pub sees: Vec<String>,
}

/// Names one operation for good: one part of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartKey {
    /// The delivery.
    pub outbound: OutboundId,
    /// Which part of its fitted text, from 0.
    pub part: u32,
}

impl PartKey {
    /// The key as a message id, for a platform where the sender chooses the id.
    pub fn message_id(&self) -> Result<PlatformMessageId, IdError> {
        PlatformMessageId::parse(&self.to_string())
    }
}

impl fmt::Display for PartKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.outbound, self.part)
    }
}

/// The platform has taken the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The platform's id of the new message, where the operation made one and the platform tells.
    pub message_id: Option<PlatformMessageId>,
}
