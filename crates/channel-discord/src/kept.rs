//! What outlives a run: how far each conversation was read, and the session to go on with.

use std::collections::BTreeMap;

use anchorhold_channel::ChannelContext;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::{places::Place, wire::Snowflake};

/// So many conversations are remembered: those that something was said in last. More do not fit into
/// what the host keeps for an instance.
const LIMIT: usize = 700;

/// What outlives a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The last message that was taken, by conversation.
    #[serde(default)]
    pub(crate) seen: BTreeMap<Spot, Snowflake>,
    /// What was taken last, wherever, before the gaps that are not all filled yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<Snowflake>,
    /// The session that the gateway had with us. None while there are gaps that no session tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) session: Option<Session>,
}

/// A session of the gateway, and what of it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) url: String,
    /// The number of the last thing that was taken.
    pub(crate) seq: u64,
}

/// A conversation: a direct chat, a channel, or a thread of one. Written `d1`, `1` or `1/2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Spot {
    pub(crate) chat: Snowflake,
    pub(crate) thread: Option<Snowflake>,
    pub(crate) direct: bool,
}

impl Spot {
    /// The conversation at a place.
    pub(crate) fn of(place: &Place) -> Self {
        Self {
            chat: place.chat,
            thread: place.thread,
            direct: place.direct,
        }
    }

    /// Where its messages are read.
    pub(crate) fn channel(&self) -> Snowflake {
        self.thread.unwrap_or(self.chat)
    }
}

impl From<Spot> for String {
    fn from(spot: Spot) -> Self {
        let direct = if spot.direct { "d" } else { "" };
        match spot.thread {
            Some(thread) => format!("{direct}{}/{thread}", spot.chat),
            None => format!("{direct}{}", spot.chat),
        }
    }
}

impl TryFrom<String> for Spot {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (direct, rest) = match text.strip_prefix('d') {
            Some(rest) => (true, rest),
            None => (false, text.as_str()),
        };
        let (chat, thread) = match rest.split_once('/') {
            Some((chat, thread)) => (chat, Some(thread)),
            None => (rest, None),
        };
        let id = |text: &str| Snowflake::parse(text).ok_or("a conversation is named by ids");
        Ok(Self {
            chat: id(chat)?,
            thread: thread.map(id).transpose()?,
            direct,
        })
    }
}

impl Kept {
    /// What an earlier run has left.
    pub(crate) async fn read(cx: &ChannelContext) -> Self {
        let text = match cx.cursor.get().await {
            Ok(text) => text.unwrap_or_else(|| "{}".to_owned()),
            Err(error) => {
                warn!(%error, "what was read last is not known");
                return Self::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|_not_ours| {
            warn!("what was read last can't be read");
            Self::default()
        })
    }

    /// Writes it down; without that the next run reads a little again.
    pub(crate) async fn write(&self, cx: &ChannelContext) -> bool {
        let written = match serde_json::to_string(self) {
            Ok(text) => cx
                .cursor
                .set(&text)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = &written {
            warn!(%error, "what was read last is not written down");
        }
        written.is_ok()
    }

    /// Notes that a message was taken; `true` where that is news. The conversation that is silent for
    /// longest makes room for a new one.
    pub(crate) fn take(&mut self, spot: Spot, id: Snowflake) -> bool {
        let last = self.seen.entry(spot).or_insert(Snowflake(0));
        if *last >= id {
            return false;
        }
        *last = id;
        if self.seen.len() > LIMIT {
            let oldest = self.seen.iter().min_by_key(|(_, last)| **last);
            if let Some(oldest) = oldest.map(|(spot, _)| *spot) {
                self.seen.remove(&oldest);
            }
        }
        true
    }

    /// When something was taken last, wherever.
    pub(crate) fn latest(&self) -> Option<Snowflake> {
        self.seen.values().max().copied()
    }

    /// Is there a conversation in this channel, or in a thread of it?
    pub(crate) fn knows_chat(&self, chat: Snowflake) -> bool {
        self.seen.keys().any(|spot| spot.chat == chat)
    }
}

#[cfg(test)]
mod tests;
