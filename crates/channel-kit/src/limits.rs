//! Whom a limit is about, where a platform has limits for each chat and for the whole bot, and says only
//! for how long to wait.
//!
//! A limit is taken for the chat's that ran into it. If another chat runs into the same one while that
//! lasts, it is the bot's: two chats at once is what the limit of all of them looks like.

use std::time::{Duration, Instant};

use anchorhold_channel::LimitScope;

/// The limits of one kind that were met and last. `C` tells one chat from another.
#[derive(Debug)]
pub struct Limits<C> {
    met: Vec<(C, Instant)>,
}

impl<C> Default for Limits<C> {
    fn default() -> Self {
        Self { met: Vec::new() }
    }
}

impl<C: PartialEq> Limits<C> {
    /// A limit was met in `chat` and lasts for `wait`: whom is it about?
    pub fn meet(&mut self, chat: C, wait: Duration, now: Instant) -> LimitScope {
        self.met.retain(|(_, until)| *until > now);
        let elsewhere = self.met.iter().any(|(met, _)| *met != chat);
        self.met.retain(|(met, _)| *met != chat);
        self.met.push((chat, now + wait));
        if elsewhere {
            LimitScope::Instance
        } else {
            LimitScope::Chat
        }
    }
}

#[cfg(test)]
mod tests;
