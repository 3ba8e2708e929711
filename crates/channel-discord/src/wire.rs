//! What Discord sends: of each object, what is used of it.
//!
//! Everything that can be missing is an `Option` or has a default, so that a message is lost to no field
//! that nobody needs.

#![expect(
    clippy::struct_field_names,
    reason = "fields are called what Discord calls them"
)]

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// When Discord's time begins: <https://discord.com/developers/docs/reference#snowflakes>.
const EPOCH_MS: i64 = 1_420_070_400_000;

/// An id of Discord: the time it was made at, and what makes it unique. Later ones are larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Snowflake(pub(crate) u64);

impl Snowflake {
    /// The id that `text` spells.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok().map(Self))?
    }

    /// The first id of this moment.
    pub(crate) fn at(time: Timestamp) -> Self {
        let ms = time.as_millisecond().saturating_sub(EPOCH_MS).max(0);
        Self(u64::try_from(ms).unwrap_or(0).saturating_mul(1 << 22))
    }

    /// When it was made.
    pub(crate) fn time(self) -> Timestamp {
        let ms = i64::try_from(self.0 >> 22).unwrap_or(0);
        Timestamp::from_millisecond(EPOCH_MS.saturating_add(ms)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Snowflake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Snowflake {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;

        impl de::Visitor<'_> for Digits {
            type Value = Snowflake;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Snowflake, E> {
                Snowflake::parse(text).ok_or_else(|| E::custom("an id has digits only"))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Snowflake, E> {
                Ok(Snowflake(number))
            }
        }

        deserializer.deserialize_any(Digits)
    }
}

/// <https://discord.com/developers/docs/resources/user#user-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: Snowflake,
    #[serde(default)]
    pub(crate) username: String,
    pub(crate) global_name: Option<String>,
    #[serde(default)]
    pub(crate) bot: bool,
}

impl User {
    /// What the person calls themselves.
    pub(crate) fn name(&self) -> Option<String> {
        let shown = self.global_name.as_ref().filter(|name| !name.is_empty());
        let name = shown.unwrap_or(&self.username);
        (!name.is_empty()).then(|| name.clone())
    }
}

/// <https://discord.com/developers/docs/resources/guild#guild-member-object>
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Member {
    pub(crate) user: Option<User>,
    pub(crate) nick: Option<String>,
    #[serde(default)]
    pub(crate) roles: Vec<Snowflake>,
}

/// <https://discord.com/developers/docs/resources/channel#channel-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: Snowflake,
    #[serde(rename = "type", default)]
    pub(crate) kind: u8,
    pub(crate) guild_id: Option<Snowflake>,
    pub(crate) parent_id: Option<Snowflake>,
    pub(crate) last_message_id: Option<Snowflake>,
}

impl Channel {
    /// Is it a thread, or a post of a forum?
    pub(crate) fn is_thread(&self) -> bool {
        is_thread(self.kind)
    }

    /// Is it between people, outside of any server?
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self.kind, 1 | 3)
    }
}

/// Is a channel of this type a thread?
pub(crate) fn is_thread(kind: u8) -> bool {
    matches!(kind, 10..=12)
}

/// A server as it comes after the session has begun:
/// <https://discord.com/developers/docs/events/gateway-events#guild-create>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Guild {
    pub(crate) id: Snowflake,
    #[serde(default)]
    pub(crate) channels: Vec<Channel>,
    #[serde(default)]
    pub(crate) threads: Vec<Channel>,
}

/// <https://discord.com/developers/docs/resources/message#message-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) id: Snowflake,
    pub(crate) channel_id: Snowflake,
    /// Not in what is read later.
    pub(crate) guild_id: Option<Snowflake>,
    /// What the channel is: told with new messages only.
    pub(crate) channel_type: Option<u8>,
    #[serde(rename = "type", default)]
    pub(crate) kind: u8,
    pub(crate) author: Option<User>,
    pub(crate) member: Option<Member>,
    pub(crate) webhook_id: Option<Snowflake>,
    #[serde(default)]
    pub(crate) content: String,
    pub(crate) edited_timestamp: Option<String>,
    #[serde(default)]
    pub(crate) mentions: Vec<User>,
    #[serde(default)]
    pub(crate) mention_roles: Vec<Snowflake>,
    #[serde(default)]
    pub(crate) attachments: Vec<Attachment>,
    #[serde(default)]
    pub(crate) sticker_items: Vec<Sticker>,
    pub(crate) poll: Option<Poll>,
    pub(crate) message_reference: Option<Reference>,
    pub(crate) referenced_message: Option<Box<Message>>,
    #[serde(default)]
    pub(crate) message_snapshots: Vec<Snapshot>,
    /// Of a message that we have sent: text or a number.
    #[serde(default)]
    pub(crate) nonce: Value,
    /// The buttons under it.
    #[serde(default)]
    pub(crate) components: Value,
}

/// <https://discord.com/developers/docs/resources/message#attachment-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Attachment {
    #[serde(default)]
    pub(crate) filename: String,
    pub(crate) content_type: Option<String>,
    pub(crate) size: Option<u64>,
    #[serde(default)]
    pub(crate) url: String,
}

/// <https://discord.com/developers/docs/resources/sticker#sticker-item-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Sticker {
    #[serde(default)]
    pub(crate) name: String,
}

/// <https://discord.com/developers/docs/resources/poll#poll-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Poll {
    #[serde(default)]
    pub(crate) question: PollMedia,
    #[serde(default)]
    pub(crate) answers: Vec<PollAnswer>,
}

/// <https://discord.com/developers/docs/resources/poll#poll-answer-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PollAnswer {
    #[serde(default)]
    pub(crate) poll_media: PollMedia,
}

/// <https://discord.com/developers/docs/resources/poll#poll-media-object>
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PollMedia {
    pub(crate) text: Option<String>,
}

/// <https://discord.com/developers/docs/resources/message#message-reference-structure>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Reference {
    #[serde(rename = "type", default)]
    pub(crate) kind: u8,
    pub(crate) message_id: Option<Snowflake>,
}

/// <https://discord.com/developers/docs/resources/message#message-snapshot-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) message: Forwarded,
}

/// What is known of a forwarded message.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Forwarded {
    #[serde(default)]
    pub(crate) content: String,
    #[serde(default)]
    pub(crate) attachments: Vec<Attachment>,
}

/// <https://discord.com/developers/docs/events/gateway-events#message-reaction-add>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Reaction {
    pub(crate) user_id: Snowflake,
    pub(crate) channel_id: Snowflake,
    pub(crate) message_id: Snowflake,
    pub(crate) guild_id: Option<Snowflake>,
    pub(crate) member: Option<Member>,
    pub(crate) message_author_id: Option<Snowflake>,
    pub(crate) emoji: Emoji,
}

/// <https://discord.com/developers/docs/resources/emoji#emoji-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Emoji {
    /// None for one that every server has.
    pub(crate) id: Option<Snowflake>,
    pub(crate) name: Option<String>,
}

/// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Interaction {
    pub(crate) id: Snowflake,
    pub(crate) application_id: Snowflake,
    #[serde(rename = "type", default)]
    pub(crate) kind: u8,
    pub(crate) token: String,
    pub(crate) guild_id: Option<Snowflake>,
    pub(crate) channel_id: Option<Snowflake>,
    pub(crate) channel: Option<Channel>,
    /// Who acted, in a server.
    pub(crate) member: Option<Member>,
    /// Who acted, elsewhere.
    pub(crate) user: Option<User>,
    pub(crate) data: Option<Pressed>,
    pub(crate) message: Option<Message>,
}

/// What was pressed.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Pressed {
    pub(crate) custom_id: Option<String>,
}

/// <https://discord.com/developers/docs/events/gateway-events#ready>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) session_id: String,
    pub(crate) resume_gateway_url: String,
    /// The servers that will show themselves.
    #[serde(default)]
    pub(crate) guilds: Vec<Announced>,
}

/// <https://discord.com/developers/docs/resources/guild#unavailable-guild-object>
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Announced {
    pub(crate) id: Snowflake,
}

/// <https://discord.com/developers/docs/events/gateway#get-gateway-bot>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) session_start_limit: Starts,
}

/// How many sessions may still begin.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Starts {
    pub(crate) total: u32,
    pub(crate) remaining: u32,
    /// In milliseconds.
    pub(crate) reset_after: u64,
    #[serde(default)]
    pub(crate) max_concurrency: u16,
}

/// <https://discord.com/developers/docs/resources/application#application-object>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Application {
    #[serde(default)]
    pub(crate) flags: u64,
}

impl Application {
    /// May it ask for the texts of all messages? One of the two flags is there when it may, depending on
    /// how many servers it is in.
    pub(crate) fn may_read(&self) -> bool {
        self.flags & (1 << 18 | 1 << 19) != 0
    }
}

/// The outside of what the gateway says:
/// <https://discord.com/developers/docs/events/gateway-events#payload-structure>.
#[derive(Debug, Deserialize)]
pub(crate) struct Head {
    pub(crate) op: u8,
    pub(crate) t: Option<String>,
    pub(crate) s: Option<u64>,
}

/// The inside.
#[derive(Debug, Deserialize)]
pub(crate) struct Inside<T> {
    pub(crate) d: T,
}
