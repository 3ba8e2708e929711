//! Discord, over its gateway (<https://discord.com/developers/docs/events/gateway>) and its REST API
//! (<https://discord.com/developers/docs/reference>).
//!
//! **For**: one bot, in direct chats, in channels of servers, in threads and in posts of forums.
//!
//! **Deliberately not**: voice, a user's account, moderation, more than one shard.
//!
//! **Must stay true**: the gateway is always listened to, so that its heartbeats go on, and what it
//! says is taken in order behind a queue; what was said while nobody listened is read from the
//! conversations that the host has stored something of; nobody is notified whom the agent does not
//! name; a limit is the host's to wait for, never hidden here.
//!
//! **Start at** [`adapter`]: `gateway` listens, `receive` takes in what it hears, `send` is the way
//! out, `api` the one place that speaks HTTP. `docs/channels/discord.md` is for people.
#![warn(missing_docs)]

pub mod adapter;
mod api;
mod buttons;
mod catchup;
mod clicks;
mod config;
mod decode;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod files;
mod gateway;
mod kept;
mod places;
mod receive;
mod send;
mod sent;
mod text;
mod wire;

pub use crate::{adapter::DiscordAdapter, config::FACTORY};

#[cfg(test)]
mod tests;
