//! Groups that became supergroups. Telegram gives such a group another id; to the host it stays the chat
//! that it was, with its wiring and its memory (ADR 27).
//!
//! Messages are numbered anew in the supergroup, so their ids have the supergroup's in front there:
//! the same number in the group was another message.

use anchorhold_channel_kit::revision;
use anchorhold_core::ids::{IdError, PlatformMessageId};
use serde::{Deserialize, Serialize};

/// So many moves are remembered, the newest.
const LIMIT: usize = 1_000;

/// Which group has become which supergroup.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Moves(Vec<(i64, i64)>);

impl Moves {
    /// Notes a move; `false` if it is known.
    pub(crate) fn note(&mut self, from: i64, to: i64) -> bool {
        if from == to || self.0.contains(&(from, to)) {
            return false;
        }
        self.0.retain(|(old, _)| *old != from);
        self.0.push((from, to));
        let excess = self.0.len().saturating_sub(LIMIT);
        self.0.drain(..excess);
        true
    }

    /// Adds what an earlier run has written down.
    pub(crate) fn restore(&mut self, earlier: Self) {
        for (from, to) in earlier.0 {
            self.note(from, to);
        }
    }

    /// The id by which the host knows the chat `now`.
    pub(crate) fn first(&self, now: i64) -> i64 {
        let known = self.0.iter().find(|(_, to)| *to == now);
        known.map_or(now, |(from, _)| *from)
    }

    /// The id by which Telegram knows the chat that the host calls `first`.
    pub(crate) fn current(&self, first: i64) -> i64 {
        let known = self.0.iter().find(|(from, _)| *from == first);
        known.map_or(first, |(_, to)| *to)
    }

    /// The host's id of a message in the chat `now`.
    pub(crate) fn message_id(&self, now: i64, number: i64) -> String {
        if self.first(now) == now {
            number.to_string()
        } else {
            format!("{now}:{number}")
        }
    }
}

/// Which message the host means, in the chat that it calls `first`: the chat that Telegram knows it
/// in, and its number there. `None` for what is no id of ours.
pub(crate) fn target(id: &PlatformMessageId, first: i64) -> Option<(i64, i64)> {
    let message = revision::message(id);
    match message.split_once(':') {
        Some((now, number)) => Some((now.parse().ok()?, number.parse().ok()?)),
        None => Some((first, message.parse().ok()?)),
    }
}

/// The id of a message as the host has it.
pub(crate) fn id(moves: &Moves, now: i64, number: i64) -> Result<PlatformMessageId, IdError> {
    PlatformMessageId::parse(&moves.message_id(now, number))
}

#[cfg(test)]
mod tests;
