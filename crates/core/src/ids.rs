//! Ids as types of their own: ours are UUIDv7, the platforms' are bounded text.
//!
//! There is no conversion from a plain `String`: text becomes an id once, at the edge, by `parse`.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest platform id that is accepted, in bytes.
pub const PLATFORM_ID_LIMIT_BYTES: usize = 512;

/// Text that is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text is empty.
    #[error("{kind} is empty")]
    Empty {
        /// What was being parsed.
        kind: &'static str,
    },
    /// The text is longer than [`PLATFORM_ID_LIMIT_BYTES`].
    #[error("{kind} is {len} bytes long, at most {PLATFORM_ID_LIMIT_BYTES} are accepted")]
    TooLong {
        /// What was being parsed.
        kind: &'static str,
        /// The length that was found, in bytes.
        len: usize,
    },
    /// The text has a control character.
    #[error("{kind} has a control character")]
    Control {
        /// What was being parsed.
        kind: &'static str,
    },
    /// The text is not a UUID.
    #[error("{kind} is not a UUID")]
    NotUuid {
        /// What was being parsed.
        kind: &'static str,
    },
    /// A name has a character that names can't have.
    #[error("{kind} may have only a-z, A-Z, 0-9, `-` and `_`, and starts with a letter or a digit")]
    NotName {
        /// What was being parsed.
        kind: &'static str,
    },
}

macro_rules! own_ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A fresh id: `now` makes ids sort by age, `random` makes them unique.
            pub fn mint(now: Timestamp, random: [u8; 10]) -> Self {
                let ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid())
            }

            /// The id that `text` spells.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_e| IdError::NotUuid { kind: $kind })
            }

            /// The id in plain form, for a database column or a label.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }
    )*};
}

macro_rules! text_ids {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $check:path;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// Checks `text` and takes it as an id.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                $check($kind, text)?;
                Ok(Self(text.into()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.into()
            }
        }
    )*};
}

own_ids! {
    /// One agent group: an agent's identity, folder and configuration.
    AgentGroupId = "agent group id";
    /// One chat on one channel instance.
    ConversationId = "conversation id";
    /// One outbound row's journey to its platform; also the key of its send.
    OutboundId = "outbound id";
    /// One question to people: an agent's, or the host's about something that needs approval.
    QuestionId = "question id";
    /// One installation: two installs on one machine never touch each other's sandboxes.
    InstallId = "install id";
    /// One inbound message as one session has it.
    MessageId = "message id";
    /// One agent's memory of one conversation or thread.
    SessionId = "session id";
    /// One task of an agent group, which runs at times.
    TaskId = "task id";
    /// One person on one channel.
    UserId = "user id";
    /// One link between conversations and an agent group.
    WiringId = "wiring id";
}

text_ids! {
    /// The name of one configured channel instance, e.g. `cli` or `work`.
    ChannelName = "channel name", check_name;
    /// The folder of an agent group's workspace: one safe path segment.
    FolderName = "folder name", check_name;
    /// The platform's id of a chat.
    ChatId = "chat id", check_platform_id;
    /// The platform's id of a thread in a chat.
    ThreadId = "thread id", check_platform_id;
    /// The platform's id of one message.
    PlatformMessageId = "platform message id", check_platform_id;
    /// The platform's stable id of a person.
    Handle = "handle", check_platform_id;
}

impl QuestionId {
    /// The id of the question that a delivery asks: one delivery asks one.
    pub fn of_delivery(delivery: OutboundId) -> Self {
        Self(delivery.0)
    }

    /// How people name the question where there is no button to press: its last six digits, which
    /// are random. Two open questions can share them; then the whole id is asked for.
    pub fn code(self) -> String {
        let (_, low) = self.0.as_u64_pair();
        format!("{:06x}", low & 0xff_ffff)
    }
}

impl OutboundId {
    /// The id of what `session` said with the number `seq`: the same row always has the same id, so
    /// a row that is taken over twice is one delivery, and its sends have one key.
    ///
    /// Session ids differ in far more than the bits that `seq` can change.
    pub fn of_row(session: SessionId, seq: i64) -> Self {
        let (high, low) = session.uuid().as_u64_pair();
        Self(Uuid::from_u64_pair(high, low ^ seq.unsigned_abs()))
    }

    /// The id of the host's own word about this delivery: however often it is said, it is one.
    #[must_use]
    pub fn notice(self) -> Self {
        // A bit that is neither the version's nor the variant's, and above all sequence numbers.
        const NOTICE: u64 = 1 << 60;
        let (high, low) = self.0.as_u64_pair();
        Self(Uuid::from_u64_pair(high, low ^ NOTICE))
    }

    /// The id of the host's word that what this id stands for has to wait; as with
    /// [`OutboundId::notice`], which it differs from.
    #[must_use]
    pub fn waiting(self) -> Self {
        const WAITING: u64 = 1 << 59;
        let (high, low) = self.0.as_u64_pair();
        Self(Uuid::from_u64_pair(high, low ^ WAITING))
    }

    /// The id of the host's word to `user` about this delivery; as with [`OutboundId::notice`].
    #[must_use]
    pub fn notice_to(self, user: UserId) -> Self {
        // Not the variant's bits, nor that of a notice.
        const RANDOM: u64 = 0x0fff_ffff_ffff_ffff;
        // Else a word to one about a word to another would be the same as the other way round.
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let (high, low) = self.notice().0.as_u64_pair();
        let (_, person) = user.uuid().as_u64_pair();
        let mixed = low.wrapping_mul(SPREAD) ^ person;
        Self(Uuid::from_u64_pair(
            high,
            (low & !RANDOM) | (mixed & RANDOM),
        ))
    }
}

fn check_platform_id(kind: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > PLATFORM_ID_LIMIT_BYTES {
        return Err(IdError::TooLong {
            kind,
            len: text.len(),
        });
    }
    if text.chars().any(char::is_control) {
        return Err(IdError::Control { kind });
    }
    Ok(())
}

/// Names become folders, labels and column values: 1 to 64 plain characters.
fn check_name(kind: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if text.len() > 64 || !starts_well || !text.chars().all(plain) {
        return Err(IdError::NotName { kind });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
