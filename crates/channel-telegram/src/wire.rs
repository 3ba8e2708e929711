//! What the Bot API sends: of each object, what is used of it.
//!
//! Everything that can be missing in some version of the API is an `Option` or has a default, so that an
//! update is lost to no field that nobody needs.

#![expect(
    clippy::struct_field_names,
    reason = "fields are called what the Bot API calls them"
)]

use serde::Deserialize;

/// <https://core.telegram.org/bots/api#user>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    #[serde(default)]
    pub(crate) is_bot: bool,
    #[serde(default)]
    pub(crate) first_name: String,
    pub(crate) last_name: Option<String>,
    pub(crate) username: Option<String>,
    #[serde(default)]
    pub(crate) can_join_groups: bool,
    #[serde(default)]
    pub(crate) can_read_all_group_messages: bool,
}

impl User {
    /// What the person calls themselves.
    pub(crate) fn name(&self) -> Option<String> {
        let parts = [Some(self.first_name.as_str()), self.last_name.as_deref()];
        let name: Vec<&str> = parts
            .into_iter()
            .flatten()
            .filter(|n| !n.is_empty())
            .collect();
        (!name.is_empty()).then(|| name.join(" "))
    }
}

/// <https://core.telegram.org/bots/api#chat>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Chat {
    pub(crate) id: i64,
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    pub(crate) title: Option<String>,
}

impl Chat {
    /// Is it between one person and the bot?
    pub(crate) fn is_private(&self) -> bool {
        self.kind == "private"
    }
}

/// <https://core.telegram.org/bots/api#update>
#[derive(Debug, Deserialize)]
pub(crate) struct Update {
    pub(crate) message: Option<Box<Message>>,
    pub(crate) edited_message: Option<Box<Message>>,
    pub(crate) channel_post: Option<Box<Message>>,
    pub(crate) edited_channel_post: Option<Box<Message>>,
    pub(crate) callback_query: Option<Box<CallbackQuery>>,
    pub(crate) message_reaction: Option<Box<Reaction>>,
}

/// <https://core.telegram.org/bots/api#message>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) message_id: i64,
    pub(crate) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(crate) is_topic_message: bool,
    pub(crate) from: Option<User>,
    pub(crate) sender_chat: Option<Chat>,
    #[serde(default)]
    pub(crate) date: i64,
    pub(crate) edit_date: Option<i64>,
    pub(crate) chat: Chat,
    pub(crate) media_group_id: Option<String>,
    pub(crate) forward_origin: Option<Origin>,
    pub(crate) reply_to_message: Option<Box<Message>>,
    pub(crate) quote: Option<TextQuote>,
    pub(crate) text: Option<String>,
    #[serde(default)]
    pub(crate) entities: Vec<Entity>,
    pub(crate) caption: Option<String>,
    #[serde(default)]
    pub(crate) caption_entities: Vec<Entity>,
    #[serde(default)]
    pub(crate) photo: Vec<File>,
    pub(crate) document: Option<File>,
    pub(crate) video: Option<File>,
    pub(crate) animation: Option<File>,
    pub(crate) audio: Option<File>,
    pub(crate) voice: Option<File>,
    pub(crate) video_note: Option<File>,
    pub(crate) sticker: Option<File>,
    pub(crate) location: Option<Location>,
    pub(crate) venue: Option<Venue>,
    pub(crate) contact: Option<Contact>,
    pub(crate) poll: Option<Poll>,
    pub(crate) dice: Option<Dice>,
    pub(crate) forum_topic_created: Option<serde::de::IgnoredAny>,
    /// The buttons under it.
    #[serde(default)]
    pub(crate) reply_markup: serde_json::Value,
    pub(crate) migrate_to_chat_id: Option<i64>,
    pub(crate) migrate_from_chat_id: Option<i64>,
}

/// <https://core.telegram.org/bots/api#messageentity>; offsets count UTF-16 units.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Entity {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) offset: usize,
    pub(crate) length: usize,
    pub(crate) url: Option<String>,
    pub(crate) user: Option<User>,
}

/// Any of the objects that name a file: <https://core.telegram.org/bots/api#document> and others.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct File {
    pub(crate) file_id: String,
    pub(crate) file_name: Option<String>,
    pub(crate) mime_type: Option<String>,
    pub(crate) file_size: Option<u64>,
    /// Of a sticker.
    pub(crate) emoji: Option<String>,
    /// Of an answer to `getFile`.
    pub(crate) file_path: Option<String>,
    #[serde(default)]
    pub(crate) width: u64,
}

/// <https://core.telegram.org/bots/api#messageorigin>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Origin {
    pub(crate) sender_user: Option<User>,
    pub(crate) sender_user_name: Option<String>,
    pub(crate) sender_chat: Option<Chat>,
    pub(crate) chat: Option<Chat>,
}

/// <https://core.telegram.org/bots/api#textquote>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TextQuote {
    pub(crate) text: String,
}

/// <https://core.telegram.org/bots/api#location>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Location {
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
}

/// <https://core.telegram.org/bots/api#venue>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Venue {
    pub(crate) title: String,
    pub(crate) address: String,
}

/// <https://core.telegram.org/bots/api#contact>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Contact {
    pub(crate) phone_number: String,
    pub(crate) first_name: String,
    pub(crate) last_name: Option<String>,
}

/// <https://core.telegram.org/bots/api#poll>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Poll {
    pub(crate) question: String,
    #[serde(default)]
    pub(crate) options: Vec<PollOption>,
}

/// <https://core.telegram.org/bots/api#polloption>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct PollOption {
    pub(crate) text: String,
}

/// <https://core.telegram.org/bots/api#dice>
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dice {
    pub(crate) emoji: String,
    pub(crate) value: i64,
}

/// <https://core.telegram.org/bots/api#callbackquery>
#[derive(Debug, Deserialize)]
pub(crate) struct CallbackQuery {
    pub(crate) id: String,
    pub(crate) from: User,
    pub(crate) message: Option<Message>,
    pub(crate) data: Option<String>,
}

/// <https://core.telegram.org/bots/api#messagereactionupdated>
#[derive(Debug, Deserialize)]
pub(crate) struct Reaction {
    pub(crate) chat: Chat,
    pub(crate) message_id: i64,
    pub(crate) user: Option<User>,
    pub(crate) actor_chat: Option<Chat>,
    #[serde(default)]
    pub(crate) date: i64,
    #[serde(default)]
    pub(crate) new_reaction: Vec<ReactionType>,
}

/// <https://core.telegram.org/bots/api#reactiontype>
#[derive(Debug, Deserialize)]
pub(crate) struct ReactionType {
    pub(crate) emoji: Option<String>,
}

/// An update with its number, read as far as it can be.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) number: i64,
    /// `None` where it is of a kind or form that nobody here knows.
    pub(crate) update: Option<Update>,
}

impl Numbered {
    /// Reads one update; `None` where it has not even a number.
    pub(crate) fn read(value: serde_json::Value) -> Option<Self> {
        let number = value.get("update_id")?.as_i64()?;
        // silent: who calls it says so, with the number
        let update = serde_json::from_value(value).ok();
        Some(Self { number, update })
    }
}
