//! The life of sandboxes: starting them, watching them, proving that they are gone.
//!
//! **For**: turning "this session has work" into one running sandbox with the walls that its
//! [`spec::SandboxSpec`] states, by a container engine ([`docker`]) or by bubblewrap ([`sandbox`]),
//! and telling the host exactly once, with proof, that a sandbox is gone.
//!
//! **Deliberately not**: deciding which session deserves a sandbox (that is `core::schedule` and
//! the host), opening session files, retrying failed starts, pulling or building images, reading
//! the environment or the clock.
//!
//! **Must stay true**: only [`runtime::Runtime::wait`] makes an `Exited`, and only once nothing of
//! the sandbox is left that could write a file. A sandbox outlives the host and is adopted by the
//! next one. What another installation started is never touched. What a sandbox leaves behind
//! (log, state) is bounded. A slow engine or a slow stop blocks nobody but the sandbox it is about.
//!
//! **Start at** [`runtime::Runtime`], then [`lifecycle::Lifecycle`], which is all the host talks to.
#![warn(missing_docs)]

pub mod docker;
pub mod error;
pub mod fake;
pub mod lifecycle;
pub mod runtime;
pub mod sandbox;
pub mod spec;

mod log;
