//! Who has put which reactions on which message lately. The platform tells of each by itself, and of one
//! that is taken back only that it is gone.

use std::collections::VecDeque;

/// So many are remembered, the newest.
const LIMIT: usize = 1_000;

/// One reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reaction {
    pub(crate) event: String,
    pub(crate) to: String,
    pub(crate) by: String,
    pub(crate) emoji: String,
}

/// The reactions of late.
#[derive(Debug, Default)]
pub(crate) struct Reactions(VecDeque<Reaction>);

impl Reactions {
    /// Notes a reaction; gives all that this person has put on this message by now.
    pub(crate) fn add(&mut self, reaction: &Reaction) -> String {
        if !self.0.iter().any(|known| known.event == reaction.event) {
            self.0.push_back(reaction.clone());
        }
        if self.0.len() > LIMIT {
            self.0.pop_front();
        }
        self.of(reaction)
    }

    /// Forgets a reaction that was taken back; gives it with what is left of this person on the message.
    pub(crate) fn remove(&mut self, event: &str) -> Option<(Reaction, String)> {
        let at = self.0.iter().position(|known| known.event == event)?;
        let reaction = self.0.remove(at)?;
        let left = self.of(&reaction);
        Some((reaction, left))
    }

    fn of(&self, reaction: &Reaction) -> String {
        let same = |known: &&Reaction| known.to == reaction.to && known.by == reaction.by;
        let emoji = self.0.iter().filter(same).map(|known| known.emoji.as_str());
        emoji.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests;
