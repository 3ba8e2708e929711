//! The lines of the protocol, as both ends have them.

use std::fmt;

use anchorhold_core::{ids::QuestionId, outbound::Voice};
use serde::{Deserialize, Serialize};

/// The longest line in either direction, in bytes, its end not counted.
pub const LINE_LIMIT_BYTES: usize = 24 * 1024 * 1024;
/// The longest id that a client can give to a message, in bytes.
pub const ID_LIMIT_BYTES: usize = 128;
/// The conversation of a client that names none.
pub const DEFAULT_NAME: &str = "local";

/// A line from a client. Unknown keys are an error: nobody can smuggle in a sender or a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientLine {
    /// Who is there; the first line, if at all.
    Hello {
        /// The conversation.
        #[serde(default = "default_name")]
        name: String,
        /// Will the client acknowledge what it gets?
        #[serde(default)]
        acks: bool,
    },
    /// Something said. The type can be left out.
    Message {
        /// The client's id of it, so that it can be sent again safely.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// What was said.
        #[serde(default)]
        text: String,
        /// Files that go with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<WireFile>,
    },
    /// An option of a question is chosen.
    Answer {
        /// Which question.
        question: QuestionId,
        /// Which of its options, counted from 1.
        option: usize,
    },
    /// The client has this.
    Ack {
        /// The id that it came with.
        id: String,
    },
}

fn default_name() -> String {
    DEFAULT_NAME.to_owned()
}

fn agent() -> Voice {
    Voice::Agent
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands over a reference"
)]
fn is_agent(voice: &Voice) -> bool {
    *voice == Voice::Agent
}

/// A line to a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerLine {
    /// The client is in.
    Welcome {
        /// On this conversation.
        name: String,
    },
    /// The host has taken a message on; it is durable, or was declined on record.
    Accepted {
        /// The message's id: the client's own, or the one it was given.
        id: String,
        /// What became of it.
        status: AcceptedStatus,
        /// Why it was declined.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Something said.
    Message {
        /// Its id; the same id again is the same message again.
        id: String,
        /// The client's message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        in_reply_to: Option<String>,
        /// Who says it; left out for the agent.
        #[serde(default = "agent", skip_serializing_if = "is_agent")]
        voice: Voice,
        /// What is said, as `CommonMark`.
        text: String,
        /// Files that go with it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        files: Vec<WireFile>,
    },
    /// An earlier message has a new text.
    Edit {
        /// The id of this change.
        id: String,
        /// The id of the message.
        target: String,
        /// Its new text.
        text: String,
    },
    /// An earlier message is taken back.
    Delete {
        /// The id of this change.
        id: String,
        /// The id of the message.
        target: String,
    },
    /// A reaction to a message of either side.
    React {
        /// The id of the reaction.
        id: String,
        /// The id of the message.
        target: String,
        /// The reaction as a Unicode emoji.
        emoji: String,
    },
    /// A question, to be answered with [`ClientLine::Answer`].
    Question {
        /// The id of this line; the same id again is the same line again.
        id: String,
        /// The id of the question, which an answer names.
        question: QuestionId,
        /// A short heading.
        title: String,
        /// The question itself.
        text: String,
        /// The answers to choose from.
        options: Vec<String>,
    },
    /// What became of an answer.
    Answered {
        /// The question.
        question: QuestionId,
        /// Is it the answer?
        taken: bool,
        /// A short sentence for who answered.
        text: String,
    },
    /// An answer is being made.
    Typing,
    /// A line was not taken.
    Error {
        /// Why.
        what: String,
        /// The id of the message or the question it is about, where that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// Can the same line be sent again later?
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
}

impl ServerLine {
    /// The id that a client acknowledges and knows repeats by.
    pub fn delivery_id(&self) -> Option<&str> {
        match self {
            Self::Message { id, .. }
            | Self::Edit { id, .. }
            | Self::Delete { id, .. }
            | Self::React { id, .. }
            | Self::Question { id, .. } => Some(id),
            Self::Welcome { .. }
            | Self::Accepted { .. }
            | Self::Answered { .. }
            | Self::Typing
            | Self::Error { .. } => None,
        }
    }
}

/// What became of a message that the host has taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptedStatus {
    /// It is durable.
    Stored,
    /// It was durable already.
    Duplicate,
    /// It was heard and not stored.
    Declined,
}

/// A file in a line.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireFile {
    /// Its name.
    pub name: String,
    /// Its content; base64 in the line.
    #[serde(with = "base64_text")]
    pub data: Vec<u8>,
}

impl fmt::Debug for WireFile {
    /// Content never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireFile")
            .field("name", &self.name)
            .field("data_bytes", &self.data.len())
            .finish()
    }
}

mod base64_text {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(data: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(data))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        // The decoder's error names the offending byte; a file's content is repeated to nobody.
        STANDARD
            .decode(text)
            .map_err(|_content| D::Error::custom("the data of a file is not base64"))
    }
}
