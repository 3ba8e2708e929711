//! Where a message came from and where its answer goes.

use serde::{Deserialize, Serialize};

use crate::ids::{ChannelName, ChatId, ThreadId};

/// One place on one channel instance: a chat, or one thread of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The configured channel instance.
    pub channel: ChannelName,
    /// The platform's chat.
    pub chat: ChatId,
    /// The thread in the chat, where the platform has threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
}
