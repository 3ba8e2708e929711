//! What host, runtime and session files say about one sandbox.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::SessionId;

/// Where the session's `in/` is inside every sandbox; read-only.
pub const IN_DIR: &str = "/anchorhold/in";
/// Where the session's `out/` is inside every sandbox.
pub const OUT_DIR: &str = "/anchorhold/out";
/// Where the folder with the agent-runner's binary is inside every sandbox; read-only.
pub const BIN_DIR: &str = "/anchorhold/bin";
/// Where a program of others is that runs an agent's turns, read-only.
pub const HARNESS_DIR: &str = "/anchorhold/harness";
/// Where the agent group's workspace is inside every sandbox.
pub const WORKSPACE_DIR: &str = "/workspace";

/// The how-manieth sandbox of its session this is, counted from 1.
///
/// Claims carry it, so that nothing a dead sandbox began is taken for work of the living one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Generation(pub u32);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a sandbox ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It ended by itself with this status.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// It went over its memory limit.
    OutOfMemory,
    /// It is gone, and nobody can say how: it ended while no host was looking.
    Unknown,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::OutOfMemory => f.write_str("out of memory"),
            Self::Unknown => f.write_str("an unknown cause"),
        }
    }
}

/// Proof that one sandbox is gone: no process of it is left that could write a file.
///
/// Opening a session's `outbound.db` for writing on the host asks for this value.
/// Only `Runtime::wait` makes one; `cargo xtask tidy` refuses a call of [`Exited::observed`]
/// anywhere but in the runner crate.
#[derive(Debug, PartialEq, Eq)]
pub struct Exited {
    session: SessionId,
    generation: Generation,
    status: ExitStatus,
}

impl Exited {
    /// States that the sandbox of `session` with this generation, and so every process in it, is gone.
    pub fn observed(session: SessionId, generation: Generation, status: ExitStatus) -> Self {
        Self {
            session,
            generation,
            status,
        }
    }

    /// Whose sandbox it was.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Which of the session's sandboxes it was.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// How it ended.
    pub fn status(&self) -> ExitStatus {
        self.status
    }
}
