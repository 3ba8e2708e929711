//! Slack, over its Web API, Socket Mode and Events API: <https://docs.slack.dev/apis/>.
//!
//! **For**: one app in one workspace, in channels, group and direct messages. It opens a websocket itself
//! (Socket Mode), or is called by a webhook (Events API).
//!
//! **Deliberately not**: a user's account, slash commands, modals, the app's home, workflows, apps that
//! are installed in many workspaces.
//!
//! **Must stay true**: an envelope is acknowledged only when what is in it is durable; the bot's token
//! goes to Slack's own hosts alone; people are named by id, in and out, and never by a bare `@word`; a
//! post carries its key, so that one whose answer got lost is found again and not repeated.
//!
//! **Start at** [`adapter`]: `socket` and `webhook` are the two ways in, `lanes` and `receive` what they
//! share, `send` the way out, `api` the one place that speaks HTTP. `docs/channels/slack.md` is for people.
#![warn(missing_docs)]

pub mod adapter;
mod api;
mod blocks;
mod config;
mod decode;
mod emoji;
#[cfg(any(test, feature = "fake"))]
pub mod fake;
mod lanes;
mod ledger;
mod link;
mod marks;
mod missed;
mod mrkdwn;
mod names;
mod place;
mod receive;
mod recent;
mod send;
mod socket;
mod text;
mod upload;
mod webhook;
mod wire;

pub use crate::{adapter::SlackAdapter, config::FACTORY};

#[cfg(test)]
mod tests;
