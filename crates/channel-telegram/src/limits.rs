//! Whom a limit is about. Telegram has limits for each chat and one for the whole bot, and says only for
//! how long to wait: <https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>.
//!
//! So a limit is taken for the chat's that ran into it. If another chat runs into one while that lasts,
//! it is the bot's: two chats at once is what the limit of all of them looks like.

use std::time::{Duration, Instant};

use anchorhold_channel::LimitScope;

/// The limits that were met and last.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    met: Vec<(i64, Instant)>,
}

impl Limits {
    /// A limit was met in `chat` and lasts for `wait`: whom is it about?
    pub(crate) fn meet(&mut self, chat: i64, wait: Duration, now: Instant) -> LimitScope {
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
