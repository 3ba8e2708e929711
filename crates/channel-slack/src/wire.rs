//! What Slack sends: of each object, what is used of it.
//!
//! Everything that can be missing has a default, so that an event is lost to no field that nobody needs.
#![expect(
    clippy::struct_field_names,
    reason = "fields are called what Slack calls them"
)]

use serde::Deserialize;
use serde_json::Value;

/// Who the app is: <https://docs.slack.dev/reference/methods/auth.test>.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Me {
    pub(crate) user_id: String,
    #[serde(default)]
    pub(crate) user: String,
    #[serde(default)]
    pub(crate) team: String,
}

/// A frame of Socket Mode: <https://docs.slack.dev/apis/events-api/using-socket-mode>.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) envelope_id: Option<String>,
    pub(crate) payload: Value,
    pub(crate) reason: Option<String>,
    pub(crate) num_connections: Option<u64>,
}

/// What an event comes in: <https://docs.slack.dev/apis/events-api/#callback-field>.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Callback {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) challenge: Option<String>,
    pub(crate) event_id: Option<String>,
    pub(crate) event: Value,
}

/// An event about messages: <https://docs.slack.dev/reference/events/message>,
/// <https://docs.slack.dev/reference/events/reaction_added>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) subtype: Option<String>,
    pub(crate) channel: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) bot_id: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) ts: Option<String>,
    pub(crate) event_ts: Option<String>,
    pub(crate) thread_ts: Option<String>,
    pub(crate) files: Vec<File>,
    pub(crate) attachments: Vec<Shared>,
    pub(crate) edited: Option<Edited>,
    /// Of a change: the message as it is now, and as it was.
    pub(crate) message: Option<Box<Self>>,
    pub(crate) previous_message: Option<Box<Self>>,
    /// Of a reaction.
    pub(crate) reaction: Option<String>,
    pub(crate) item: Option<Item>,
    pub(crate) item_user: Option<String>,
}

/// When a message was changed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Edited {
    pub(crate) ts: String,
}

/// What a reaction is on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    pub(crate) channel: Option<String>,
    pub(crate) ts: Option<String>,
}

/// A message that somebody shares in another one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Shared {
    pub(crate) is_share: bool,
    pub(crate) is_msg_unfurl: bool,
    pub(crate) author_name: Option<String>,
    pub(crate) text: Option<String>,
}

/// <https://docs.slack.dev/reference/objects/file-object>
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) mimetype: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) mode: Option<String>,
    pub(crate) is_external: bool,
    pub(crate) url_private: Option<String>,
    pub(crate) url_private_download: Option<String>,
}

/// A click: <https://docs.slack.dev/reference/interaction-payloads/block_actions-payload>.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Click {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) trigger_id: Option<String>,
    pub(crate) user: Clicker,
    pub(crate) container: Container,
    pub(crate) message: Value,
    pub(crate) actions: Vec<Action>,
}

/// Who clicked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Clicker {
    pub(crate) id: String,
}

/// What was clicked in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    pub(crate) channel_id: Option<String>,
    pub(crate) message_ts: Option<String>,
    pub(crate) thread_ts: Option<String>,
}

/// What was clicked on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Action {
    pub(crate) action_id: String,
    pub(crate) text: Label,
}

/// What a button says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Label {
    pub(crate) text: String,
}

/// A message that was sent: <https://docs.slack.dev/reference/methods/chat.postMessage>.
#[derive(Debug, Deserialize)]
pub(crate) struct Posted {
    pub(crate) ts: String,
}

/// Messages: <https://docs.slack.dev/reference/methods/conversations.history>.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(crate) messages: Vec<Past>,
    pub(crate) response_metadata: Page,
}

/// The same, read as what was missed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Since {
    pub(crate) messages: Vec<Missed>,
    pub(crate) response_metadata: Page,
}

/// A message that was missed. Where it was said is not in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Missed {
    #[serde(flatten)]
    pub(crate) event: Event,
    pub(crate) reply_count: u64,
}

/// How to have more of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    pub(crate) next_cursor: String,
}

/// A message that is there already.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Past {
    pub(crate) ts: String,
    pub(crate) thread_ts: Option<String>,
    pub(crate) files: Vec<File>,
    pub(crate) metadata: Value,
}

/// <https://docs.slack.dev/reference/methods/users.info>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserInfo {
    pub(crate) user: User,
}

/// A person.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct User {
    pub(crate) name: Option<String>,
    pub(crate) real_name: Option<String>,
    pub(crate) profile: Profile,
}

/// What a person calls themselves.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) display_name: Option<String>,
    pub(crate) real_name: Option<String>,
}

impl User {
    /// The name that people see.
    pub(crate) fn shown(self) -> Option<String> {
        let names = [
            self.profile.display_name,
            self.profile.real_name,
            self.real_name,
            self.name,
        ];
        let mut names = names.into_iter().flatten();
        names.find(|name| !name.trim().is_empty())
    }
}

/// A conversation, from `conversations.info` and `conversations.open`.
#[derive(Debug, Deserialize)]
pub(crate) struct ChannelInfo {
    pub(crate) channel: Channel,
}

/// What it is called.
#[derive(Debug, Deserialize)]
pub(crate) struct Channel {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
}

/// <https://docs.slack.dev/reference/methods/files.info>
#[derive(Debug, Deserialize)]
pub(crate) struct FileInfo {
    pub(crate) file: File,
}

/// <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>
#[derive(Debug, Deserialize)]
pub(crate) struct UploadPlace {
    pub(crate) upload_url: String,
    pub(crate) file_id: String,
}

/// <https://docs.slack.dev/reference/methods/apps.connections.open>
#[derive(Debug, Deserialize)]
pub(crate) struct Opened {
    pub(crate) url: String,
}

/// <https://docs.slack.dev/reference/methods/reactions.get>
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reacted {
    pub(crate) message: ReactedMessage,
}

/// The message with its reactions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReactedMessage {
    pub(crate) reactions: Vec<Reaction>,
}

/// One reaction, and whose it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Reaction {
    pub(crate) name: String,
    pub(crate) users: Vec<String>,
}
