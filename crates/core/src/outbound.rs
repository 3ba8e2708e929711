//! What the host asks a channel to do.

use serde::{Deserialize, Serialize};

use crate::ids::{PlatformMessageId, QuestionId};

/// The longest text of one outbound row that is taken from a sandbox, in bytes.
pub const TEXT_LIMIT_BYTES: usize = 1024 * 1024;
/// The largest file that is taken from an outbox, in bytes.
pub const FILE_LIMIT_BYTES: u64 = 32 * 1024 * 1024;
/// The most files of one outbound row.
pub const FILES_LIMIT: usize = 16;
/// The most answers that one question offers.
pub const OPTIONS_LIMIT: usize = 20;
/// The longest answer that a question offers, in bytes; also the longest heading.
pub const OPTION_LIMIT_BYTES: usize = 200;

/// One operation on a platform. Exhaustive: a new one fails to compile in every adapter.
#[derive(Clone, PartialEq, Eq)]
pub enum OutboundOp {
    /// Say something new.
    Post {
        /// `CommonMark` text, already fitted to the platform's limit; may be empty if there are files.
        text: String,
        /// Files, content included.
        files: Vec<OutboundFile>,
        /// The message this one answers, for platforms that show it.
        reply_to: Option<PlatformMessageId>,
        /// Who says it.
        voice: Voice,
    },
    /// Replace the text of a message of ours.
    Edit {
        /// The message to change.
        target: PlatformMessageId,
        /// Its new text.
        text: String,
    },
    /// Take a message of ours back.
    Delete {
        /// The message to take back.
        target: PlatformMessageId,
    },
    /// Put a reaction on a message.
    React {
        /// The message to react to.
        target: PlatformMessageId,
        /// The reaction as a Unicode emoji.
        emoji: String,
    },
    /// Ask something with fixed answers.
    Ask(Question),
    /// Show that an answer is being made; nothing to keep, nothing to retry.
    Typing,
}

impl std::fmt::Debug for OutboundOp {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct(self.name());
        match self {
            Self::Post {
                text,
                files,
                reply_to,
                voice,
            } => shown
                .field("text_bytes", &text.len())
                .field("files", files)
                .field("reply_to", reply_to)
                .field("voice", voice),
            Self::Edit { target, text } => shown
                .field("target", target)
                .field("text_bytes", &text.len()),
            Self::Delete { target } => shown.field("target", target),
            Self::React { target, emoji } => shown.field("target", target).field("emoji", emoji),
            Self::Ask(question) => shown.field("options", &question.options.len()),
            Self::Typing => &mut shown,
        };
        shown.finish()
    }
}

impl OutboundOp {
    /// The operation's name, for logs and records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Post { .. } => "post",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::React { .. } => "react",
            Self::Ask(_) => "ask",
            Self::Typing => "typing",
        }
    }

    /// Is doing it twice the same as doing it once, whatever the platform?
    pub fn is_idempotent(&self) -> bool {
        match self {
            Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } | Self::Typing => true,
            Self::Post { .. } | Self::Ask(_) => false,
        }
    }
}

/// Who says something: a notice of the host must not pass for an answer of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// The agent.
    Agent,
    /// The host itself: something could not be done, or has to wait.
    Host,
}

/// A question with fixed answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What an answer names it by.
    pub id: QuestionId,
    /// A short heading.
    pub title: String,
    /// The question itself.
    pub text: String,
    /// The answers to choose from, in order.
    pub options: Vec<String>,
}

/// A file on its way out.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundFile {
    /// The name to show.
    pub name: String,
    /// The content.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for OutboundFile {
    /// Content never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboundFile")
            .field("name", &self.name)
            .field("content_bytes", &self.content.len())
            .finish()
    }
}
