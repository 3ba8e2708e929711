//! The seam between the lifecycle and whatever really runs a sandbox.

use std::{fmt, time::Duration};

use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::{ExitStatus, Exited, Generation},
};
use async_trait::async_trait;

use crate::{
    error::RuntimeError,
    spec::{InstanceId, SandboxSpec},
};

/// A status above this is how shells, container engines and bubblewrap spell "ended by a signal".
const SIGNAL_STATUS: i32 = 128;
/// The highest signal number of Linux.
const LAST_SIGNAL: i32 = 64;
/// What the kernel sends to a process that goes over a memory limit.
const SIGKILL: i32 = 9;

/// What runs sandboxes. Two real ones, and a fake for tests.
#[async_trait]
pub trait Runtime: Send + Sync + 'static {
    /// Which one this is.
    fn kind(&self) -> RuntimeKind;

    /// Asks whether it works, and what it really enforces on this machine. Starts nothing lasting.
    async fn ping(&self) -> Result<RuntimeInfo, RuntimeError>;

    /// Starts a sandbox; returns when its command runs.
    ///
    /// Idempotent in the name: what runs already is left alone, and what ended already stays an
    /// instance that [`Runtime::wait`] reports. Dropping the future may leave either behind;
    /// [`Runtime::list`] shows it.
    async fn start(&self, spec: &SandboxSpec) -> Result<InstanceId, RuntimeError>;

    /// Sends SIGTERM to the command and, if the sandbox is not over after `grace`, SIGKILL to
    /// everything in it. With a zero `grace`, SIGKILL at once.
    ///
    /// Returning says that the signals went out, not that the sandbox is gone: that is `wait`.
    async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<(), RuntimeError>;

    /// Waits until no process of the sandbox is left, removes what the runtime kept of it, and
    /// proves that it is gone. The only maker of [`Exited`].
    ///
    /// An instance that an answering runtime does not know is gone for an unknown cause.
    /// Cancel-safe: a dropped wait loses nothing, the next one answers.
    async fn wait(&self, id: &InstanceId) -> Result<Exited, RuntimeError>;

    /// The sandboxes of `install`, running or ended but not yet waited for; nobody else's.
    async fn list(&self, install: InstallId) -> Result<Vec<InstanceStatus>, RuntimeError>;
}

/// The kinds of runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuntimeKind {
    /// A container engine that speaks Docker's API.
    Docker,
    /// bubblewrap, without a daemon and without images.
    Sandbox,
}

/// One sandbox as its runtime sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceStatus {
    /// Its identity.
    pub id: InstanceId,
    /// The session it works for.
    pub session: SessionId,
    /// Which of the session's sandboxes it is.
    pub generation: Generation,
    /// Does anything in it still run?
    pub running: bool,
}

/// What a runtime is and what it enforces here: found out, not configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeInfo {
    /// Which runtime.
    pub kind: RuntimeKind,
    /// The version of the program behind it.
    pub version: String,
    /// The interface that is spoken with it.
    pub api: String,
    /// What is in force, one line each.
    pub enforcement: Vec<Enforcement>,
}

/// One wall, and by what means it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enforcement {
    /// The wall, e.g. `memory limit`.
    pub what: &'static str,
    /// The means, e.g. `cgroup v2`; `none` where there is none.
    pub how: String,
}

impl InstanceStatus {
    pub(crate) fn new(id: InstanceId, running: bool) -> Self {
        Self {
            id,
            session: id.session,
            generation: id.generation,
            running,
        }
    }
}

impl Enforcement {
    pub(crate) fn new(what: &'static str, how: impl Into<String>) -> Self {
        Self {
            what,
            how: how.into(),
        }
    }
}

impl fmt::Display for RuntimeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Sandbox => "sandbox",
        })
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.how)
    }
}

/// What an exit status as the runtimes report it means.
///
/// Both report a signal as 128 and its number, so a command that ends by itself with such a status
/// can't be told apart from a killed one.
/// The out-of-memory mark counts only with a kill: a tool that ran into the limit while the command
/// itself went on and ended by its own will is the command's affair.
pub(crate) fn exit_status(code: Option<i32>, out_of_memory: bool) -> ExitStatus {
    let signal = code
        .and_then(|code| code.checked_sub(SIGNAL_STATUS))
        .filter(|signal| (1..=LAST_SIGNAL).contains(signal));
    match (code, signal) {
        (_, Some(SIGKILL)) | (None, _) if out_of_memory => ExitStatus::OutOfMemory,
        (_, Some(signal)) => ExitStatus::Signal(signal),
        (Some(code), None) => ExitStatus::Code(code),
        (None, None) => ExitStatus::Unknown,
    }
}

#[cfg(test)]
mod tests;
