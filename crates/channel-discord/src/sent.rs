//! What makes a send that is tried again the same message.
//!
//! Each message carries a nonce made of its key, and Discord answers a second one with the first: for "the
//! past few minutes" (<https://discord.com/developers/docs/resources/message#create-message>, at
//! `enforce_nonce`). What is tried again later than that is first looked for in the chat.

use std::{collections::VecDeque, time::Duration};

use anchorhold_channel::{ChannelError, PartKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    api::Api,
    wire::{Message, Snowflake},
};

/// For so long Discord is trusted to know a nonce.
const TRUSTED: Duration = Duration::from_mins(2);
/// Clocks may differ by so much.
const SKEW: Duration = Duration::from_secs(10);
/// So many pages of a chat are looked through.
const PAGES: usize = 5;
/// So many sent messages are remembered.
const LIMIT: usize = 1_000;

/// The messages that this process has sent last.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    last: VecDeque<(PartKey, Snowflake)>,
}

impl Sent {
    /// Notes a message that was sent.
    pub(crate) fn note(&mut self, key: PartKey, message: Snowflake) {
        self.last.push_back((key, message));
        if self.last.len() > LIMIT {
            self.last.pop_front();
        }
    }

    /// The message that this key was sent as, as far as that is known.
    pub(crate) fn of(&self, key: PartKey) -> Option<Snowflake> {
        let mut last = self.last.iter().rev();
        last.find(|(of, _)| *of == key).map(|(_, message)| *message)
    }

    /// Is it known that this message was sent under another key?
    pub(crate) fn is_of_another(&self, message: Snowflake, key: PartKey) -> bool {
        let mut last = self.last.iter();
        last.any(|(of, sent)| *sent == message && *of != key)
    }
}

/// The nonce of a key: 24 of the 25 characters that there may be.
pub(crate) fn nonce(key: PartKey) -> String {
    let digest = Sha256::digest(key.to_string());
    let (head, _) = digest.split_at(18);
    URL_SAFE_NO_PAD.encode(head)
}

/// When the message with this key was first meant to be sent, if that is so long ago that its nonce may
/// be forgotten.
pub(crate) fn is_late(key: PartKey, now: Timestamp) -> Option<Snowflake> {
    let minted = key.outbound.uuid().get_timestamp()?;
    let (seconds, _) = minted.to_unix();
    let minted = Timestamp::from_second(i64::try_from(seconds).unwrap_or(i64::MAX)).ok()?;
    let age = Duration::try_from(now.duration_since(minted)).unwrap_or_default();
    let since = minted.checked_sub(SKEW).unwrap_or(Timestamp::UNIX_EPOCH);
    (age > TRUSTED).then(|| Snowflake::at(since))
}

/// The messages of the bot in a channel that are what `params` would send, from `since` on.
pub(crate) async fn look(
    api: &Api,
    (channel, since): (Snowflake, Snowflake),
    (me, params): (Snowflake, &Value),
    files: usize,
) -> Result<Vec<Snowflake>, ChannelError> {
    let mut found = Vec::new();
    let mut after = since;
    for _ in 0..PAGES {
        let page = match api.messages(channel, after).await {
            Ok(page) => page,
            // What can't be read can't be looked through.
            Err(ChannelError::Permanent { .. }) => break,
            Err(error) => return Err(error),
        };
        let same = |message: &&Message| is_same(message, (me, params), files);
        found.extend(page.messages.iter().filter(same).map(|message| message.id));
        let Some(last) = page.rest else { break };
        after = last;
    }
    Ok(found)
}

/// Is a message what `params` would send, by all that people see of it?
fn is_same(message: &Message, (me, params): (Snowflake, &Value), files: usize) -> bool {
    let mine = message
        .author
        .as_ref()
        .is_some_and(|author| author.id == me);
    if mine && !message.nonce.is_null() && message.nonce == params["nonce"] {
        return true;
    }
    let text = params["content"].as_str().unwrap_or_default();
    let answers = params["message_reference"]["message_id"].as_str();
    let answered = message
        .message_reference
        .as_ref()
        .and_then(|to| to.message_id);
    let buttons = |rows: &Value| {
        rows[0]["components"][0]["custom_id"]
            .as_str()
            .map(str::to_owned)
    };
    mine && message.content.trim() == text.trim()
        && answered.map(|id| id.to_string()).as_deref() == answers
        && message.attachments.len() == files
        && buttons(&message.components) == buttons(&params["components"])
}

#[cfg(test)]
mod tests;
