//! The central database: what the host knows about agents, people, conversations and work.
//!
//! **For**: everything the host must still know after a crash and that no session file holds:
//! groups, wirings, people, the ledger of inbound events, who owes an answer to which message,
//! and each delivery's journey with every attempt written down before it is made; also what waits
//! for a person: questions, approvals, the pairing of an owner.
//!
//! **Deliberately not**: decisions (they are in `anchorhold-core`), a clock or randomness (times
//! and fresh ids come in as arguments), text of inbound messages that have ended (only what waits is
//! here, see [`journal`] and [`approvals::held`]), and anything a sandbox can reach.
//!
//! **Must stay true**
//!
//! - One connection writes; a small pool reads. Each operation that writes is one transaction, so
//!   a call that is cancelled or killed has happened wholly or not at all.
//! - `kill -9` never loses a commit: a commit is in the operating system's hands when it returns.
//! - Loss of power may lose the last commits, because the writer runs with `synchronous=NORMAL`.
//!   Those can all be made again, and nobody has seen of them yet.
//!   What could not be made again commits with `synchronous=FULL`: what came in ([`Store::enter`]),
//!   what is about to be seen ([`Store::accept`] where the platform itself takes a second send for
//!   the first one, else each attempt with [`Store::begin_attempt`]: the agent could be asked anew,
//!   or a message sent twice), the host's own words to people,
//!   that a sandbox starts ([`Store::begin_generation`]: else two could have one number) and that a
//!   request from inside was answered ([`Store::note_reply`]: else it would be carried out again).
//!   A full commit of the write-ahead log also makes every earlier commit safe.
//! - Every operation can be repeated: what is recorded already is left as it is.
//! - Nothing is kept for ever, and nothing that is pending is ever forgotten; see [`retention`].
//! - No query on the data path reads history; each has its index, and a test on its plan.
//! - A row with a value that cannot be, made by hand or by damage, is an error with the column's
//!   name, never a panic and never a guess.
//!
//! **Start at** [`Store`], then [`ingest`] (a message comes in), [`journal`]
//! (it goes on to its session's file), [`work`] (who is due), [`pull`]
//! (answers come out), [`deliveries`] and [`attempts`] (answers go to the platform),
//! [`ends`] (those that did not arrive), [`tasks`] (what is done at times), [`requests_out`] (what left by the other way); for administration [`views`] (what there is), [`approvals`]
//! (what is asked for) and [`undo`] (what is deleted).
#![warn(missing_docs)]

mod error;
mod rows;
mod store;

pub mod approvals;
pub mod attempts;
pub mod audit;
pub mod channel_health;
mod cited;
pub mod clock;
pub mod conversations;
pub mod cursors;
pub mod deliveries;
pub mod desk;
pub mod destinations;
pub mod direct_chats;
pub mod ends;
pub mod export;
pub mod groups;
pub mod ingest;
pub mod journal;
pub mod pairing;
pub mod people;
pub mod pull;
pub mod questions;
pub mod reconcile;
pub mod requests_out;
pub mod retention;
pub mod sessions;
pub mod status;
pub mod tasks;
pub mod trace;
pub mod undo;
pub mod views;
pub mod wirings;
pub mod work;

pub use crate::{
    error::{Disposition, Error},
    store::{Durability, Health, Pace, Store, Turn},
};

#[cfg(test)]
mod tests;
