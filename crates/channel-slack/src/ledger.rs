//! What was sent under which key, so that nothing is sent twice.
//!
//! A post carries its key in its metadata (<https://docs.slack.dev/messaging/message-metadata>). A key whose
//! outcome is not known is looked for among the messages before it is sent again; and what an earlier
//! process may have sent is looked for once in each place.

use anchorhold_channel::{ChannelError, PartKey, Sent};
use anchorhold_core::ids::PlatformMessageId;
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::warn;

use crate::{
    adapter::SlackAdapter,
    place::Place,
    recent::Recent,
    wire::{History, Past},
};

/// So many keys and places are remembered.
const LIMIT: usize = 2_000;
/// What our metadata is called.
const EVENT: &str = "anchorhold_part";
/// How many messages are looked at at once, and how often for one key.
const PAGE: &str = "200";
const PAGES_LIMIT: usize = 5;

/// What is known of the keys.
#[derive(Debug)]
pub(crate) struct Ledger {
    sent: Recent<String, Sent>,
    /// Tried without an answer, with the files that were to be shown.
    unsure: Recent<String, Vec<String>>,
    looked: Recent<Place, ()>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            sent: Recent::new(LIMIT),
            unsure: Recent::new(LIMIT),
            looked: Recent::new(LIMIT),
        }
    }
}

impl Ledger {
    /// A key is about to be sent, with these files: until its outcome is known, it is not.
    pub(crate) fn begin(&mut self, key: PartKey, files: Vec<String>) {
        self.unsure.note(key.to_string(), files);
    }

    /// It was certainly not sent.
    pub(crate) fn nothing(&mut self, key: PartKey) {
        self.unsure.forget(&key.to_string());
    }

    /// It was sent.
    pub(crate) fn sent(&mut self, key: PartKey, sent: Sent) {
        self.nothing(key);
        self.sent.note(key.to_string(), sent);
    }
}

/// The metadata of a post.
pub(crate) fn metadata(key: PartKey) -> Value {
    json!({ "event_type": EVENT, "event_payload": { "key": key.to_string() } })
}

/// The key in the metadata of a message.
fn key_of(message: &Past) -> Option<&str> {
    let ours = message.metadata["event_type"] == EVENT;
    message.metadata["event_payload"]["key"]
        .as_str()
        .filter(|_| ours)
}

/// Is it the message with this key, or the one that shows these files?
fn is_it(message: &Past, key: &str, files: Option<&[String]>) -> bool {
    let files = files.unwrap_or_default();
    key_of(message) == Some(key) || message.files.iter().any(|file| files.contains(&file.id))
}

impl SlackAdapter {
    /// What was sent under this key already.
    ///
    /// An error means that nobody can say now; nothing was sent.
    pub(crate) async fn already(
        &self,
        place: &Place,
        key: PartKey,
    ) -> Result<Option<Sent>, ChannelError> {
        let name = key.to_string();
        let (sent, unsure, looked) = self.ledger(|ledger| {
            let sent = ledger.sent.get(&name).cloned();
            let unsure = ledger.unsure.get(&name).cloned();
            (sent, unsure, ledger.looked.get(place).is_some())
        });
        if sent.is_some() {
            return Ok(sent);
        }
        let earlier = !looked && self.may_have_earlier(place);
        if unsure.is_none() && !earlier {
            return Ok(None);
        }
        let messages = match self.past(place, &name, unsure.as_deref()).await {
            Ok(messages) => messages,
            // E.g. the app may not look there. Better twice than never.
            Err(error @ (ChannelError::Permanent { .. } | ChannelError::Unauthorized { .. })) => {
                warn!(%error, "what was sent can't be looked for");
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        Ok(self.ledger(|ledger| {
            ledger.looked.note(place.clone(), ());
            let mut found = None;
            for message in messages.iter().rev() {
                let message_id = PlatformMessageId::parse(&message.ts).ok();
                let sent = Sent { message_id };
                if let Some(key) = key_of(message) {
                    ledger.sent.note(key.to_owned(), sent.clone());
                }
                if is_it(message, &name, unsure.as_deref()) {
                    ledger.sent.note(name.clone(), sent.clone());
                    found = Some(sent);
                }
            }
            found
        }))
    }

    /// Can an earlier process have sent something here? Not in a thread that is younger than this one.
    fn may_have_earlier(&self, place: &Place) -> bool {
        let began = place.thread.as_deref().and_then(time);
        began.is_none_or(|began| began < self.built)
    }

    /// The newest messages of a place, up to the one that is looked for.
    async fn past(
        &self,
        place: &Place,
        key: &str,
        files: Option<&[String]>,
    ) -> Result<Vec<Past>, ChannelError> {
        let mut messages = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES_LIMIT {
            let mut params = crate::api::Params::new()
                .with("channel", &place.chat)
                .with("limit", PAGE)
                .with("include_all_metadata", "true");
            if !cursor.is_empty() {
                params = params.with("cursor", &cursor);
            }
            let (method, params) = match &place.thread {
                Some(thread) => ("conversations.replies", params.with("ts", thread)),
                None => ("conversations.history", params),
            };
            let page: History = self.api.asked(method, &params).await?;
            cursor = page.response_metadata.next_cursor;
            let found = page.messages.iter().any(|past| is_it(past, key, files));
            messages.extend(page.messages);
            // A conversation's newest come first, a thread's last.
            let enough = found || place.thread.is_none();
            if enough || cursor.is_empty() {
                break;
            }
        }
        Ok(messages)
    }

    /// The place of a message that only its time stamp is known of.
    pub(crate) async fn place_of(&self, chat: &str, ts: &str) -> Result<Place, ChannelError> {
        if let Some(place) = self.known_place(chat, ts) {
            return Ok(place);
        }
        let params = crate::api::Params::new()
            .with("channel", chat)
            .with("ts", ts)
            .with("limit", "1");
        let asked: Result<History, _> = self.api.asked("conversations.replies", &params).await;
        let thread = match asked {
            Ok(page) => {
                let mut messages = page.messages.into_iter();
                let it = messages.find(|message| message.ts == ts);
                it.and_then(|message| message.thread_ts)
            }
            // It may be gone by now.
            Err(ChannelError::Permanent { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Place::of_message(chat, ts, thread.as_deref()))
    }
}

/// The time in a time stamp of Slack's: seconds, and a number that tells messages of one second apart.
pub(crate) fn time(ts: &str) -> Option<Timestamp> {
    let (seconds, micros) = ts.split_once('.').unwrap_or((ts, "0"));
    let micros: i32 = micros.parse().ok().filter(|micros| *micros < 1_000_000)?;
    Timestamp::new(seconds.parse().ok()?, micros * 1_000).ok()
}
