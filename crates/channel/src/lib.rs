//! The contract between the host and every chat platform.
//!
//! **For**: the types and the trait that an adapter crate implements, the helpers that all of them
//! share (strict configuration, text splitting, health), and the suite that proves an adapter
//! keeps the contract.
//!
//! **Deliberately not**: any platform's name, any policy (who is heard, when to retry, how often),
//! any storage. The crate opens no file and no socket and reads no environment.
//!
//! # The contract
//!
//! What an adapter promises to the host:
//!
//! 1. It acknowledges a message to its platform only after [`Inbox::deliver`] returned
//!    [`Accepted`]. Where that fails, the message stays with the platform or the person is told.
//! 2. The same platform message always becomes the same `(chat, message_id)`. It need not dedupe.
//! 3. The sender's handle is what the platform proves, never what the message claims.
//! 4. [`ChannelAdapter::send`] is one try: it never sleeps to try again, never splits, never stores.
//! 5. `Ok(Sent)` means that the platform has taken the operation, or, on a platform that keeps
//!    nothing, that a reader got it. With nobody there it is [`ChannelError::Absent`].
//! 6. Each failure is reported as the [`ChannelError`] that is true. When the adapter can't tell
//!    whether the platform took it, that is [`ChannelError::Ambiguous`], not a guess.
//! 7. No input from the platform panics, ends [`ChannelAdapter::run`], or grows without a limit.
//! 8. `run` returns promptly with `Ok` once its shutdown token fires, and leaves no task behind,
//!    also when its future is dropped.
//! 9. Health is written on what was observed, never on a timer.
//! 10. Message text, tokens and file contents never reach a log or an error.
//! 11. A question that is asked with the platform's own buttons or list can be answered there, also
//!     after a restart: each click is handed to [`Inbox::answer`] with the question's own id, and the
//!     [`Answered`] text is shown to who clicked, to nobody else where the platform allows that.
//!     Where the intake fails, the click is offered again or the person is told.
//! 12. [`ChannelAdapter::open_direct`] gives the same chat each time and sends nothing.
//! 13. An edit and a reaction come as [`What`](anchorhold_core::inbound::What) says, with a message
//!     id of their own: the same edit has the same id each time, the next one another. The adapter
//!     takes such an id as a target, and means the message that it is about.
//! 14. A chat keeps its id for good. Where the platform gives it another, the adapter goes on with
//!     the one that it gave first, and remembers that in its cursor.
//! 15. A limit of the platform is reported with whom it is about, a chat or the whole instance.
//!
//! What the host promises to an adapter:
//!
//! 1. `deliver` returns [`Accepted`] only when the event is durable. It may be dropped at any await
//!    point; delivering the same event again is always safe and answers `Duplicate`.
//! 2. `run` is called at most once at a time, `send` and `open_direct` many times at once, also
//!    before, between and after runs.
//! 3. Text is already fitted to [`ChannelCaps::text`] and files to [`ChannelCaps::files`]: what is
//!    more than one message is several operations, each under its own key.
//! 4. An operation that is tried again carries the same [`PartKey`]; another one never does.
//! 5. A message answered with `Absent` is kept until [`Inbox::present`] is called for its address.
//!    `present` never waits for a `send`, so an adapter may call it from anywhere.
//! 6. `answer` returns `Ok` only when the click is durable, taken or refused. It may be dropped at
//!    any await point, and a repeated click is harmless.
//! 7. A question has at most [`OPTIONS_LIMIT`](anchorhold_core::outbound::OPTIONS_LIMIT) options,
//!    and at most as many as [`Questions::Native`] says.
//! 8. Time, randomness, secrets and the folder for files come in through [`FactoryContext`].
//!
//! **Start at** [`adapter`], then [`error`] and [`inbox`]; write an adapter against [`conformance`].
#![warn(missing_docs)]

pub mod adapter;
pub mod caps;
pub mod config;
pub mod conformance;
pub mod cursor;
pub mod error;
pub mod fake;
pub mod fit;
pub mod health;
pub mod inbox;
pub mod secret;
pub mod talk;

pub use crate::{
    adapter::{BotIdentity, ChannelAdapter, ChannelContext, PartKey, Sent},
    caps::{ChannelCaps, FilesOut, Markup, Questions, Reader, Support, TextLimit},
    config::{ChannelFactory, FactoryContext, Problem, TableReader},
    cursor::{Cursor, CursorStore},
    error::{ChannelError, CursorError, Disposition, IntakeError, LimitScope, SecretError},
    health::{Connection, Health, HealthReporter, HealthView, Observed},
    inbox::{Accepted, Answered, Inbox, Intake},
    secret::{Secret, SecretRef, SecretSource},
    talk::Talk,
};
