//! The channel of the machine's own user: a Unix socket, one JSON object a line each way.
//!
//! **For**: talking to agents from a terminal or a script, with nothing but the file system as
//! authentication. [`client`] is the other end, for the command line.
//!
//! **Deliberately not**: other people. Whoever can open the socket is its owner; no line can claim
//! another sender or another channel. Nothing is stored here: what nobody reads stays with the host.
//!
//! **Must stay true**: the socket is never reachable with a mode wider than 0600; a live host's
//! socket is never taken over; a message counts as sent only when a client has it; no client can
//! block another one or the host.
//!
//! **Start at** [`adapter`]; the protocol is [`wire`] and `docs/channels/cli.md`.
#![warn(missing_docs)]

pub mod adapter;
pub mod client;
pub mod config;
mod connection;
mod decode;
mod encode;
pub mod error;
mod hub;
mod lines;
mod socket;
pub mod wire;

pub use crate::{adapter::CliAdapter, client::Client, config::FACTORY};

#[cfg(test)]
mod tests;
