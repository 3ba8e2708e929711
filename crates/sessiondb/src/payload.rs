//! What the rows carry: each kind has a name and a version, and an unknown one is told apart.

use std::{collections::BTreeSet, fmt, time::Duration};

use anchorhold_core::{
    inbound::Quote,
    outbound::{FILES_LIMIT, OPTION_LIMIT_BYTES, OPTIONS_LIMIT, TEXT_LIMIT_BYTES},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Seq, Task};

/// The longest time that an agent can give people for an answer.
pub const ASK_LIMIT: Duration = Duration::from_hours(30 * 24);

/// What the host tells the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Somebody wrote something.
    Chat(Chat),
    /// The host itself has something to say.
    Note(Note),
    /// Somebody answered a question of the agent.
    Answer(Answer),
    /// A task of the agent is due.
    Task(Box<Task>),
    /// Somebody tells the agent-runner what to do; the agent does not see it.
    Control(Control),
}

/// Something that the host itself tells the agent: why it was restarted, what became of a request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// What there is to say.
    pub text: String,
}

impl fmt::Debug for Note {
    /// Text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note")
            .field("text_bytes", &self.text.len())
            .finish()
    }
}

/// A person's answer to a question that the agent asked with [`Outbound::Ask`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The agent's own number of its question.
    pub question_seq: Seq,
    /// The question's heading.
    pub title: String,
    /// Which option was chosen, counted from 0.
    pub option: usize,
    /// What that option says.
    pub text: String,
    /// The channel instance the answer came over.
    pub channel: String,
    /// The platform's stable id of the person.
    pub sender: String,
    /// What the person calls themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<String>,
    /// When it was answered.
    pub answered_at: Timestamp,
}

impl fmt::Debug for Answer {
    /// Text never reaches a log: only which option it was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("question_seq", &self.question_seq)
            .field("option", &self.option)
            .field("sender", &self.sender)
            .finish_non_exhaustive()
    }
}

/// A command of a person for the agent-runner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Stop the turn that runs; what it took is neither answered nor tried again.
    Stop,
    /// Shorten what the agent remembers, between two turns.
    Compact,
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
    /// What it is about, if it is no message of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
    /// What was said; of an edit the new text, of a reaction its emoji.
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

/// What somebody did to an earlier message. The number is that which the agent knows it by, if it
/// ever had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum About {
    /// They changed it.
    Edit {
        /// Which one.
        of: Option<Seq>,
    },
    /// They put a reaction on it, or took it back where there is no text.
    Reaction {
        /// Which one.
        to: Option<Seq>,
    },
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
    /// Ask people something with fixed answers; the answer comes as [`Inbound::Answer`].
    Ask {
        /// A short heading.
        title: String,
        /// The question itself; may be empty.
        text: String,
        /// The answers to choose from, in order, all different.
        options: Vec<String>,
        /// How long there is for an answer, in milliseconds, at most [`ASK_LIMIT`]; the host
        /// decides where nothing is said.
        expires_ms: Option<u64>,
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
            Self::Ask {
                title: _,
                text,
                options,
                expires_ms,
            } => f
                .debug_struct("Ask")
                .field("text_bytes", &text.len())
                .field("options", &options.len())
                .field("expires_ms", expires_ms)
                .finish_non_exhaustive(),
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AskV1 {
    title: String,
    text: String,
    options: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ControlV1 {
    command: Control,
}

/// The kind of [`Inbound::Control`].
pub(crate) const CONTROL: &str = "control";

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
            Self::Note(note) => Encoded::new("note", note),
            Self::Answer(answer) => Encoded::new("answer", answer),
            Self::Task(task) => Encoded::new("task", task),
            Self::Control(command) => Encoded::new(CONTROL, &ControlV1 { command: *command }),
        }
    }

    pub(crate) fn decode(kind: &str, version: i64, payload: &str) -> Result<Self, Undecodable> {
        match (kind, version) {
            ("chat", 1) => Ok(Self::Chat(parse("chat", payload)?)),
            ("note", 1) => Ok(Self::Note(parse("note", payload)?)),
            ("answer", 1) => Ok(Self::Answer(parse("answer", payload)?)),
            ("task", 1) => Ok(Self::Task(parse("task", payload)?)),
            (CONTROL, 1) => {
                let ControlV1 { command } = parse(CONTROL, payload)?;
                Ok(Self::Control(command))
            }
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
            Self::Ask {
                title,
                text,
                options,
                expires_ms,
            } => {
                let ask = AskV1 {
                    title,
                    text,
                    options,
                    expires_ms,
                };
                Encoded::new("ask", &ask)
            }
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
            ("ask", 1) => {
                let ask: AskV1 = parse("ask", payload)?;
                Self::Ask {
                    title: ask.title,
                    text: ask.text,
                    options: ask.options,
                    expires_ms: ask.expires_ms,
                }
            }
            _ => return Err(unknown(kind, version)),
        };
        op.check()?;
        Ok(op)
    }

    /// The bounds that a row from a sandbox must keep; the host refuses what does not.
    pub fn check(&self) -> Result<(), Undecodable> {
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
            Self::Ask {
                title,
                text,
                options,
                expires_ms,
            } => match bad_ask(title, text, options, *expires_ms) {
                Some(what) => bad("ask", what),
                None => Ok(()),
            },
            Self::Post { .. } | Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } => {
                Ok(())
            }
        }
    }
}

/// What is wrong with a question, if something is.
fn bad_ask(
    title: &str,
    text: &str,
    options: &[String],
    expires_ms: Option<u64>,
) -> Option<&'static str> {
    let one_line = |text: &str| !text.trim().is_empty() && text.len() <= OPTION_LIMIT_BYTES;
    let distinct: BTreeSet<&str> = options.iter().map(|option| option.trim()).collect();
    if !one_line(title) {
        return Some("the title is empty or too long");
    }
    if text.len() > TEXT_LIMIT_BYTES {
        return Some("text too long");
    }
    if !(2..=OPTIONS_LIMIT).contains(&options.len()) {
        return Some("too few or too many options");
    }
    if !options.iter().all(|option| one_line(option)) {
        return Some("an option is empty or too long");
    }
    if distinct.len() < options.len() {
        return Some("two options are the same");
    }
    let limit_ms = ASK_LIMIT.as_millis();
    let timely = |ms: u64| (1..=limit_ms).contains(&u128::from(ms));
    if !expires_ms.is_none_or(timely) {
        return Some("it expires at once or too late");
    }
    None
}

pub(crate) fn parse<'a, T: Deserialize<'a>>(
    kind: &'static str,
    payload: &'a str,
) -> Result<T, Undecodable> {
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
