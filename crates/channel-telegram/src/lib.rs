//! Telegram, over its Bot API: <https://core.telegram.org/bots/api>.
//!
//! **For**: one bot, in direct chats, groups, forums and channels. It polls, or is called by a webhook.
//!
//! **Deliberately not**: a user's account, payments, inline mode, games, business accounts.
//!
//! **Must stay true**: the offset moves only past updates that the host has accepted; the token stands
//! in every URL, so no URL is ever shown; a group that becomes a supergroup stays the chat that it
//! was; text is rendered so that nothing of it is markup that nobody meant.
//!
//! **Start at** [`adapter`]: `receive` is the way in, `send` the way out, `api` the one place that speaks
//! HTTP. `docs/channels/telegram.md` is for people.
#![warn(missing_docs)]

pub mod adapter;
mod album;
mod api;
mod callback;
mod config;
mod decode;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod html;
mod moves;
mod poll;
mod reactions;
mod receive;
mod send;
mod text;
mod upload;
mod webhook;
mod wire;

pub use crate::{adapter::TelegramAdapter, config::FACTORY};

#[cfg(test)]
mod tests;
