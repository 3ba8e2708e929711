//! A conversation on Slack, and the thread in it.

use anchorhold_channel::ChannelError;
use anchorhold_channel_kit::revision;
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, IdError, PlatformMessageId, ThreadId},
};

use crate::api::Params;

/// A conversation, and the thread in it, by the time stamp of the message that began it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) chat: String,
    pub(crate) thread: Option<String>,
}

impl Place {
    /// Where an address leads to.
    pub(crate) fn of(address: &Address) -> Self {
        Self {
            chat: address.chat.to_string(),
            thread: address.thread.as_ref().map(ToString::to_string),
        }
    }

    /// Where a message is: in channels and groups each message begins a thread, or is in one; in direct
    /// messages only what was said in a thread is.
    pub(crate) fn of_message(chat: &str, ts: &str, thread_ts: Option<&str>) -> Self {
        let thread = if is_direct(chat) {
            thread_ts.filter(|thread| *thread != ts)
        } else {
            thread_ts.or(Some(ts))
        };
        Self {
            chat: chat.to_owned(),
            thread: thread.map(str::to_owned),
        }
    }

    /// The address of the place.
    pub(crate) fn address(&self, channel: &ChannelName) -> Result<Address, IdError> {
        let thread = self.thread.as_deref().map(ThreadId::parse);
        Ok(Address {
            channel: channel.clone(),
            chat: ChatId::parse(&self.chat)?,
            thread: thread.transpose()?,
        })
    }

    /// The parameters that say where.
    pub(crate) fn params(&self) -> Params {
        let mut params = Params::new().with("channel", &self.chat);
        if let Some(thread) = &self.thread {
            params = params.with("thread_ts", thread);
        }
        params
    }
}

/// Is it a conversation between one person and the app? So their ids begin:
/// <https://docs.slack.dev/apis/web-api/using-the-conversations-api>.
pub(crate) fn is_direct(chat: &str) -> bool {
    chat.starts_with('D')
}

/// The time stamp of the message that the host means.
pub(crate) fn target(id: &PlatformMessageId) -> Result<&str, ChannelError> {
    let ts = revision::message(id);
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    if ts.chars().all(plain) {
        return Ok(ts);
    }
    Err(ChannelError::Permanent {
        reason: "Slack has no message with such an id".to_owned(),
    })
}
