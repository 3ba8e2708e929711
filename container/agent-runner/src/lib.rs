//! The agent-runner: the one program of ours inside the wall.
//!
//! **For**: taking messages from `inbound.db`, having a provider answer them, and writing answers
//! and completions into `outbound.db`.
//!
//! **Deliberately not**: more than one turn at a time, credentials, a network of its own (what leads
//! outside is the host's socket, see [`way_out`]), a second thread, judging its own health (the host does that, by the progress file).
//!
//! **Must stay true**:
//! 1. A message is claimed before its turn, and a turn's answers and completions are one transaction.
//! 2. What can't be read now is read later; it is never taken for empty.
//! 3. Told to stop, it takes no new work and lets the running turn finish.
//! 4. What a person has stopped is neither answered nor tried again.
//! 5. A running turn gets only what its provider asks for, and ends what it got.
//! 6. Progress is shown at the start and at each event of a turn, never while idle.
//! 7. Message text never reaches the log.
//!
//! **Start at** [`turn_loop`], then [`provider`].
#![warn(missing_docs)]

pub mod admin;
mod archive;
pub mod args;
pub mod children;
pub mod desk;
mod error;
pub mod follow_ups;
mod gate;
pub mod log;
pub mod mcp;
pub mod memory;
pub mod progress;
pub mod provider;
pub mod proxy;
pub mod tools;
pub mod turn_loop;
pub mod way_out;

pub use error::{Error, report};
