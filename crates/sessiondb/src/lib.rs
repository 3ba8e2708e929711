//! The two files between host and sandbox, and the few small things beside them.
//!
//! **For**: `in/inbound.db`, written by the host alone and mounted read-only into the sandbox, and
//! `out/outbound.db`, written by the agent-runner alone; the `in/inbox/` and `out/outbox/` folders;
//! the progress file; the bells; the socket of the way out. One crate for both sides, so that neither can misread the other.
//!
//! **Deliberately not**: async code (callers bring their own threads), a clock, the central database.
//!
//! **Must stay true**:
//! 1. One side writes each file. The host opens `outbound.db` for writing only with an
//!    [`Exited`](anchorhold_core::sandbox::Exited), the proof that no process in the sandbox is left.
//! 2. Everything in `out/` is hostile to the host: opened without following links, of bounded size,
//!    read with bounded work, and judged row by row. What is wrong in one session stays there.
//! 3. Rollback journal, no WAL, no memory map: a WAL file does not open through a read-only mount.
//! 4. `BUSY`, and `READONLY_ROLLBACK` after a writer was killed, mean "later", never "empty".
//! 5. The host's sequence numbers are even, the agent's odd, one increasing order over both files.
//! 6. A turn's answers and its completions are one transaction.
//! 7. What is removed from a folder is removed below a handle of it, never by a path through `out/`.
//! 8. A request of the administration command inside is open until a reply with its number exists.
//! 9. `inbound.db` is never synced: after the loss of power it is made anew from the host's journal.
//!
//! **Start at** [`HostSide`] for the host, [`RunnerSide`] for the agent-runner.
#![warn(missing_docs)]

pub mod backup;
pub mod bell;
mod envelope;
mod error;
mod host;
mod inbox;
mod journal;
mod kept;
mod layout;
mod offer;
mod open;
mod outbox;
mod outcome;
mod payload;
pub mod progress;
mod pull;
mod recover;
mod remove;
mod requests;
mod retention;
mod runner;
mod said;
mod schema;
mod seq;
mod task;
pub mod way_out;
mod wish;

pub use error::{Disposition, Error};
pub use host::{HostSide, ModelOptions, Settings};
pub use journal::{Body, FileRow, JournalRow, Rebuild};
pub use offer::{InboundRow, Offer, UnknownRow};
pub use outcome::Outcome;
pub use payload::{
    ASK_LIMIT, About, Answer, Chat, Control, Inbound, InboxFile, Note, Outbound, Undecodable,
};
pub use pull::{Claim, Cursors, HandledRow, HandledState, OutboundRow, Pulled, Rejected};
pub use recover::Recovered;
pub use requests::{AdminRequestRow, REPLY_LIMIT_BYTES, REQUEST_LIMIT_BYTES, Requests};
pub use runner::{Emit, Finish, Handled, OutboxFile, RunnerSide, Trouble};
pub use seq::Seq;
pub use task::{TASK_SCRIPT_LIMIT, Task};
pub use wish::{DestinationLine, Facts, Wish, WishReply};

#[cfg(test)]
mod tests;
