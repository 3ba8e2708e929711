//! What the rows carry: each kind has a name and a version, and an unknown one is told apart.

use std::fmt;

use anchorhold_core::{
    inbound::Quote,
    outbound::{FILES_LIMIT, TEXT_LIMIT_BYTES},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Seq;

/// What the host tells the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Somebody wrote something.
    Chat(Chat),
}

/// A message of a person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chat {
    /// The channel instance it came over.
    pub channel: String,
    /// The platform's stable id of the person.
    pub sender: String,
    /// What the person calls themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<String>,
    /// What was said.
    pub text: String,
    /// When the platform says it was sent.
    pub sent_at: Timestamp,
    /// The message it replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Quote>,
    /// Files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<InboxFile>,
}

impl fmt::Debug for Chat {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chat")
            .field("sender", &self.sender)
            .field("text_bytes", &self.text.len())
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// A file of a message, as it lies below `in/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboxFile {
    /// The name the sender gave, for show.
    pub name: String,
    /// Where it is, relative to `in/`.
    pub path: String,
    /// The media type the platform told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its length in bytes.
    pub len: u64,
}

/// What the agent asks the host to do in the conversation.
#[derive(Clone, PartialEq, Eq)]
pub enum Outbound {
    /// Say something.
    Post {
        /// `CommonMark` text.
        text: String,
        /// Names of files in `out/outbox/<seq>/`.
        files: Vec<String>,
    },
    /// Change a message that was sent before.
    Edit {
        /// Which one.
        target: Seq,
        /// Its new text.
        text: String,
    },
    /// Take a message back.
    Delete {
        /// Which one.
        target: Seq,
    },
    /// React to a message.
    React {
        /// Which one.
        target: Seq,
        /// With what: a Unicode emoji.
        emoji: String,
    },
}

impl fmt::Debug for Outbound {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Post { text, files } => f
                .debug_struct("Post")
                .field("text_bytes", &text.len())
                .field("files", files)
                .finish(),
            Self::Edit { target, text } => f
                .debug_struct("Edit")
                .field("target", target)
                .field("text_bytes", &text.len())
                .finish(),
            Self::Delete { target } => f.debug_struct("Delete").field("target", target).finish(),
            Self::React { target, emoji } => f
                .debug_struct("React")
                .field("target", target)
                .field("emoji", emoji)
                .finish(),
        }
    }
}

/// A row whose payload can't be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecodable {
    /// This program does not know the kind, or not this version of it.
    #[error("unknown kind {kind:?} version {version}")]
    Unknown {
        /// The kind, shortened.
        kind: String,
        /// The version.
        version: i64,
    },
    /// The kind is known, the payload is not what it should be.
    #[error("bad payload of kind {kind:?}: {what}")]
    Bad {
        /// The kind.
        kind: &'static str,
        /// What is wrong; never the content.
        what: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PostV1 {
    text: String,
    #[serde(default)]
    files: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EditV1 {
    target: Seq,
    text: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteV1 {
    target: Seq,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReactV1 {
    target: Seq,
    emoji: String,
}

/// A payload as a row has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) kind: &'static str,
    pub(crate) version: i64,
    pub(crate) payload: String,
}

impl Encoded {
    fn new(kind: &'static str, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        Ok(Self {
            kind,
            version: 1,
            payload: serde_json::to_string(value)?,
        })
    }
}

impl Inbound {
    pub(crate) fn encode(&self) -> Result<Encoded, serde_json::Error> {
        match self {
            Self::Chat(chat) => Encoded::new("chat", chat),
        }
    }

    pub(crate) fn decode(kind: &str, version: i64, payload: &str) -> Result<Self, Undecodable> {
        match (kind, version) {
            ("chat", 1) => Ok(Self::Chat(parse("chat", payload)?)),
            _ => Err(unknown(kind, version)),
        }
    }
}

impl Outbound {
    pub(crate) fn encode(&self) -> Result<Encoded, serde_json::Error> {
        match self.clone() {
            Self::Post { text, files } => Encoded::new("post", &PostV1 { text, files }),
            Self::Edit { target, text } => Encoded::new("edit", &EditV1 { target, text }),
            Self::Delete { target } => Encoded::new("delete", &DeleteV1 { target }),
            Self::React { target, emoji } => Encoded::new("react", &ReactV1 { target, emoji }),
        }
    }

    pub(crate) fn decode(kind: &str, version: i64, payload: &str) -> Result<Self, Undecodable> {
        let op = match (kind, version) {
            ("post", 1) => {
                let PostV1 { text, files } = parse("post", payload)?;
                Self::Post { text, files }
            }
            ("edit", 1) => {
                let EditV1 { target, text } = parse("edit", payload)?;
                Self::Edit { target, text }
            }
            ("delete", 1) => {
                let DeleteV1 { target } = parse("delete", payload)?;
                Self::Delete { target }
            }
            ("react", 1) => {
                let ReactV1 { target, emoji } = parse("react", payload)?;
                Self::React { target, emoji }
            }
            _ => return Err(unknown(kind, version)),
        };
        op.check()?;
        Ok(op)
    }

    /// The bounds that a row from a sandbox must keep.
    fn check(&self) -> Result<(), Undecodable> {
        let bad = |kind, what| Err(Undecodable::Bad { kind, what });
        match self {
            Self::Post { text, .. } if text.len() > TEXT_LIMIT_BYTES => {
                bad("post", "text too long")
            }
            Self::Post { files, .. } if files.len() > FILES_LIMIT => bad("post", "too many files"),
            Self::Post { text, files } if text.is_empty() && files.is_empty() => {
                bad("post", "neither text nor files")
            }
            Self::Edit { text, .. } if text.len() > TEXT_LIMIT_BYTES => {
                bad("edit", "text too long")
            }
            Self::React { emoji, .. } if emoji.is_empty() || emoji.len() > 64 => {
                bad("react", "no emoji")
            }
            Self::Post { .. } | Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } => {
                Ok(())
            }
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(kind: &'static str, payload: &'a str) -> Result<T, Undecodable> {
    // serde's message can quote the content, so it is not kept.
    serde_json::from_str(payload).map_err(|_quotes_content| Undecodable::Bad {
        kind,
        what: "not the JSON of this kind",
    })
}

fn unknown(kind: &str, version: i64) -> Undecodable {
    Undecodable::Unknown {
        kind: kind.chars().take(32).collect(),
        version,
    }
}
