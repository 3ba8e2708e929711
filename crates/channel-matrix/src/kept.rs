//! What outlives a run: the place in the stream, messages that wait for their key, rooms that have
//! moved.

use anchorhold_channel::ChannelContext;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// So many messages wait for their key at most.
pub(crate) const LOCKED_LIMIT: usize = 64;
/// So many moves are remembered, the newest.
const MOVES_LIMIT: usize = 50;

/// What is written into the cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The server's name for the place up to which everything was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<String>,
    /// Messages that could not be decrypted yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) locked: Vec<Locked>,
    /// Rooms that were replaced by another one: the first and the newest.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub(crate) moves: Moves,
}

/// A message that waits for its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Locked {
    pub(crate) room: String,
    pub(crate) event: String,
    pub(crate) since: Timestamp,
}

impl Kept {
    /// What an earlier run has left.
    pub(crate) async fn read(cx: &ChannelContext) -> Self {
        let text = match cx.cursor.get().await {
            Ok(text) => text.unwrap_or_else(|| "{}".to_owned()),
            Err(error) => {
                warn!(%error, "the place in the stream is not known");
                return Self::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|_not_ours| {
            warn!("the place in the stream can't be read");
            Self::default()
        })
    }

    /// Writes it down; without that the next run reads a little again.
    pub(crate) async fn write(&self, cx: &ChannelContext) -> bool {
        let written = match serde_json::to_string(self) {
            Ok(text) => {
                let written = cx.cursor.set(&text).await;
                written.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &written {
            warn!(%error, "the place in the stream is not written down");
        }
        written.is_ok()
    }

    /// Notes a message that waits for its key; gives the one that has waited longest where there are
    /// too many.
    pub(crate) fn lock(&mut self, locked: Locked) -> Option<Locked> {
        if self.locked.iter().any(|known| known.event == locked.event) {
            return None;
        }
        self.locked.push(locked);
        (self.locked.len() > LOCKED_LIMIT).then(|| self.locked.remove(0))
    }
}

/// Which room has replaced which (ADR 27).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moves(Vec<(String, String)>);

impl Moves {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes that the room `now` goes on where `before` was.
    pub(crate) fn note(&mut self, before: &str, now: &str) {
        let first = self.first(before).to_owned();
        if first == now {
            return;
        }
        self.0.retain(|(known, _)| *known != first);
        self.0.push((first, now.to_owned()));
        let excess = self.0.len().saturating_sub(MOVES_LIMIT);
        self.0.drain(..excess);
    }

    /// The id by which the host knows the room `now`.
    pub(crate) fn first<'a>(&'a self, now: &'a str) -> &'a str {
        let known = self.0.iter().find(|(_, newest)| newest == now);
        known.map_or(now, |(first, _)| first)
    }

    /// The id by which the server knows the room that the host calls `first`.
    pub(crate) fn current<'a>(&'a self, first: &'a str) -> &'a str {
        let known = self.0.iter().find(|(known, _)| known == first);
        known.map_or(first, |(_, newest)| newest)
    }
}

#[cfg(test)]
mod tests;
