//! What a channel hands to the host.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    address::Address,
    ids::{Handle, PlatformMessageId, QuestionId},
};

/// The longest text of one inbound message that is taken, in bytes.
pub const TEXT_LIMIT_BYTES: usize = 256 * 1024;
/// The most attachments of one inbound message that are taken.
pub const ATTACHMENTS_LIMIT: usize = 16;
/// The largest attachment that is taken, in bytes.
pub const ATTACHMENT_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// One message as the platform told it, not yet stored.
#[derive(Clone, PartialEq, Eq)]
pub struct InboundEvent {
    /// Where it was said, and where the answer goes.
    pub address: Address,
    /// The platform's id of the message: the same message always has the same id. An edit and a
    /// reaction have one of their own, which its channel takes for the message they are about.
    pub message_id: PlatformMessageId,
    /// Is it a message, or about an earlier one?
    pub what: What,
    /// Who said it.
    pub sender: Sender,
    /// Is the chat between one person and the bot, or a group?
    pub chat_kind: ChatKind,
    /// Does the platform itself confirm that the bot was addressed? True in direct chats.
    pub addressed: bool,
    /// When the platform says it was sent.
    pub sent_at: Timestamp,
    /// What was said. Of an edit the new text as a whole; of a reaction the emoji that the person has
    /// put on the message, separated by spaces, and nothing where they took it back.
    pub text: String,
    /// The message this one replies to, where the platform tells.
    pub reply_to: Option<Quote>,
    /// Files that came with it.
    pub attachments: Vec<Attachment>,
}

impl std::fmt::Debug for InboundEvent {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboundEvent")
            .field("address", &self.address)
            .field("message_id", &self.message_id)
            .field("what", &self.what)
            .field("sender", &self.sender.handle)
            .field("addressed", &self.addressed)
            .field("text_bytes", &self.text.len())
            .field("attachments", &self.attachments)
            .finish_non_exhaustive()
    }
}

/// What somebody did in a chat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// They said something new.
    #[default]
    Message,
    /// They changed what they had said.
    Edit {
        /// The message that was changed.
        of: PlatformMessageId,
    },
    /// They put a reaction on a message, or took it back.
    Reaction {
        /// The message, which may be the bot's.
        to: PlatformMessageId,
    },
}

impl What {
    /// Is it something new? What is about an earlier message is no command and no code.
    pub fn is_message(&self) -> bool {
        matches!(self, Self::Message)
    }

    /// Is it a reaction? Those wake nobody.
    pub fn is_reaction(&self) -> bool {
        matches!(self, Self::Reaction { .. })
    }
}

/// A click on an answer of a question, as the platform told it, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundAnswer {
    /// Where it was clicked.
    pub address: Address,
    /// Which question.
    pub question: QuestionId,
    /// Which of its options, counted from 0.
    pub option: usize,
    /// Who clicked, as the platform proves it.
    pub sender: Sender,
    /// When the platform says it was clicked.
    pub at: Timestamp,
}

/// The person behind a message, as the platform proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// The platform's stable id of the person; never a display name.
    pub handle: Handle,
    /// What the person calls themselves: for show only, never for a decision.
    pub name: Option<String>,
}

/// Is a chat between two, or among many?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatKind {
    /// One person and the bot.
    Direct,
    /// Several people.
    Group,
}

/// The message that another one replies to.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Who said it, where the platform tells.
    pub sender: Option<String>,
    /// What it said.
    pub text: String,
    /// The platform's id of it, where the platform tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<PlatformMessageId>,
}

impl std::fmt::Debug for Quote {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quote")
            .field("text_bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

/// A file that came with a message, already read and bounded by the adapter.
#[derive(Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The name the sender gave; untrusted, never used as a path as it is.
    pub name: String,
    /// The media type the platform told, e.g. `image/png`.
    pub media_type: Option<String>,
    /// The content, at most [`ATTACHMENT_LIMIT_BYTES`].
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Attachment {
    /// Content never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment")
            .field("name", &self.name)
            .field("media_type", &self.media_type)
            .field("content_bytes", &self.content.len())
            .finish()
    }
}
