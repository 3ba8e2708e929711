//! What an agent remembers of a conversation: the messages as its model reads them.
//!
//! It is kept as text under the provider's name. Text that is not what it should be is not guessed
//! at: the conversation is begun afresh, and the person is told.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};
use serde_json::Value;

const VERSION: u32 = 1;
/// A longer history is made shorter, whatever its model could read.
pub(crate) const LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// What stands where a text was cut.
const CUT: &str = "\n(cut)";

/// A conversation with a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct History {
    version: u32,
    /// The model that answered.
    model: String,
    /// What it was told about itself.
    pub(crate) system: String,
    /// The messages, oldest first.
    pub(crate) messages: Vec<Message>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Message {
    pub(crate) role: Role,
    pub(crate) parts: Vec<Part>,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    User,
    Assistant,
}

/// A part of a message.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Part {
    Text {
        text: String,
    },
    /// A file that somebody sent; its content is read anew for each call.
    File {
        name: String,
        path: String,
        media_type: String,
    },
    /// The model calls a tool.
    Call {
        id: String,
        name: String,
        arguments: String,
    },
    /// What the tool gave.
    Result {
        call: String,
        text: String,
        failed: bool,
    },
    /// Something that only the provider understands, and wants back as it was.
    Own {
        value: Value,
    },
}

impl fmt::Debug for Part {
    /// What is said never reaches a log: only what kind of part it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text { .. } => "Text",
            Self::File { .. } => "File",
            Self::Call { .. } => "Call",
            Self::Result { .. } => "Result",
            Self::Own { .. } => "Own",
        })
    }
}

/// What was kept is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

impl Part {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }
}

impl History {
    /// A conversation that has not begun.
    pub(crate) fn fresh(model: &str) -> Self {
        Self {
            version: VERSION,
            model: model.to_owned(),
            system: String::new(),
            messages: Vec::new(),
        }
    }

    /// What was kept of a conversation, to be gone on with by this model.
    pub(crate) fn read(kept: Option<&str>, model: &str) -> Result<Self, Corrupt> {
        let Some(kept) = kept else {
            return Ok(Self::fresh(model));
        };
        // silent: why it can't be read is in a message that quotes it.
        let mut history: Self = serde_json::from_str(kept).map_err(|_quotes_content| Corrupt)?;
        if history.version != VERSION || !history.is_sound() {
            return Err(Corrupt);
        }
        if history.model != model {
            model.clone_into(&mut history.model);
            history.forget_own();
        }
        Ok(history)
    }

    /// What is to be kept.
    pub(crate) fn write(&self) -> String {
        // silent: text and plain values always serialize
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Adds to what the user says.
    pub(crate) fn hear(&mut self, parts: Vec<Part>) {
        self.add(Role::User, parts);
    }

    /// Adds to what the model says.
    pub(crate) fn answer(&mut self, parts: Vec<Part>) {
        self.add(Role::Assistant, parts);
    }

    fn add(&mut self, role: Role, parts: Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.parts.extend(parts),
            Some(_) | None => self.messages.push(Message { role, parts }),
        }
    }

    /// Forgets the older half; tells whether there was one. What is left begins with what a user says.
    pub(crate) fn forget_half(&mut self) -> bool {
        let half = self.messages.len().div_ceil(2);
        let begins = |message: &Message| {
            let gives = |part: &Part| matches!(part, Part::Result { .. });
            message.role == Role::User && !message.parts.iter().any(gives)
        };
        let later = self.messages.iter().skip(half.max(1)).position(begins);
        let Some(at) = later.map(|at| at + half.max(1)) else {
            return false;
        };
        self.messages.drain(..at);
        true
    }

    /// Cuts what was said, and what tools gave, to this many bytes each.
    pub(crate) fn cut(&mut self, limit: usize) {
        for part in self.messages.iter_mut().flat_map(|m| m.parts.iter_mut()) {
            if let Part::Result { text, .. } | Part::Text { text } = part
                && text.len() > limit
            {
                text.truncate(text.floor_char_boundary(limit));
                text.push_str(CUT);
            }
        }
    }

    /// How long it is as text, about.
    pub(crate) fn bytes(&self) -> usize {
        let parts = self.messages.iter().flat_map(|message| &message.parts);
        let len = |part: &Part| match part {
            Part::Text { text } | Part::Result { text, .. } => text.len(),
            Part::Call { arguments, .. } => arguments.len(),
            Part::Own { value } => value.to_string().len(),
            Part::File { path, .. } => path.len(),
        };
        parts.map(len).sum()
    }

    /// Another model can make nothing of what is the earlier one's own.
    fn forget_own(&mut self) {
        for message in &mut self.messages {
            let own = |part: &Part| matches!(part, Part::Own { .. });
            message.parts.retain(|part| !own(part));
            if message.parts.is_empty() {
                message.parts.push(Part::text("(nothing)"));
            }
        }
    }

    /// User and model take turns, and each call has what it gave in the message after it.
    fn is_sound(&self) -> bool {
        let mut open: BTreeSet<&str> = BTreeSet::new();
        let mut next = Role::User;
        for message in &self.messages {
            if message.role != next || message.parts.is_empty() {
                return false;
            }
            for part in &message.parts {
                let fits = match (part, message.role) {
                    (Part::Call { id, .. }, Role::Assistant) => open.insert(id),
                    (Part::Result { call, .. }, Role::User) => open.remove(call.as_str()),
                    (Part::Text { .. }, _)
                    | (Part::File { .. }, Role::User)
                    | (Part::Own { .. }, Role::Assistant) => true,
                    _ => false,
                };
                if !fits {
                    return false;
                }
            }
            next = match message.role {
                Role::User if !open.is_empty() => return false,
                Role::User => Role::Assistant,
                Role::Assistant => Role::User,
            };
        }
        open.is_empty()
    }
}

#[cfg(test)]
mod tests;
