//! Matrix, over the client-server API: <https://spec.matrix.org/latest/client-server-api/>.
//!
//! **For**: one account on one homeserver, in direct chats and rooms, encrypted end to end or not.
//!
//! **Deliberately not**: bridges, application services, spaces, calls; rooms that nobody has invited it
//! to.
//!
//! **Must stay true**: the place in the stream moves only past what the host has accepted; what can't be
//! decrypted is waited for and then told, never dropped in silence; nothing is said in the open in a
//! room that is encrypted; a send that is tried again has the same transaction id, so it is one
//! message; a server is never read out of a room's id.
//!
//! **Start at** [`adapter`]: `sync` and `receive` are the way in, `send` the way out, `session` and `keys`
//! what lasts. `docs/channels/matrix.md` is for people.
#![warn(missing_docs)]
// The SDK's futures are nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]

pub mod adapter;
mod blocking;
mod config;
mod decode;
mod failure;
mod html;
mod invites;
mod kept;
mod keys;
mod original;
mod reactions;
mod receive;
mod send;
mod session;
mod stream;
mod sync;
mod verify;

pub use crate::{adapter::MatrixAdapter, config::FACTORY};

#[cfg(test)]
mod tests;
