//! What one sandbox is made of, stated in full: there are no defaults to forget.

use std::fmt;

use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::Generation,
};
use camino::Utf8PathBuf;

/// Everything a runtime needs to start one sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxSpec {
    /// Whose sandbox it is: other installations never touch it.
    pub install: InstallId,
    /// The session it works for.
    pub session: SessionId,
    /// Which of the session's sandboxes it is.
    pub generation: Generation,
    /// The root file system; always read-only, see [`SandboxSpec::root_access`].
    pub root: Root,
    /// The program and its arguments; the first is an absolute path inside the sandbox.
    pub command: Vec<String>,
    /// The whole environment of the command; nothing of the host's environment is added.
    pub env: Vec<(String, String)>,
    /// Where the command starts.
    pub workdir: Utf8PathBuf,
    /// The directories of the host that are visible inside.
    pub mounts: Vec<Mount>,
    /// Who owns, on the host, what the sandbox writes.
    pub user: SandboxUser,
    /// What it may use.
    pub limits: Limits,
    /// Which capabilities it has.
    pub capabilities: Capabilities,
    /// Whether the root file system can be written.
    pub root_access: RootAccess,
    /// What network it has.
    pub network: Network,
    /// The file on the host where its standard output and error end up; bounded.
    pub log: Utf8PathBuf,
}

/// What the sandbox sees as `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Root {
    /// An image that the container engine already has.
    Image(String),
    /// The host's `/usr`, without `/usr/local`, and a minimal `/etc` made for the sandbox.
    HostTools,
    /// A directory on the host that holds a root file system.
    Directory(Utf8PathBuf),
}

/// One directory of the host inside the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The directory on the host; it must exist, and the sandbox's user must be able to reach it.
    pub source: Utf8PathBuf,
    /// Where it is inside.
    pub target: Utf8PathBuf,
    /// Whether the sandbox can write there.
    pub access: Access,
}

/// What may be done through a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only, enforced by the kernel.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// The ids that own, on the host, what the sandbox writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SandboxUser {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// What one sandbox may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory of all its processes together; there is no swap beyond it.
    pub memory_bytes: u64,
    /// Processor time, in thousandths of one processor.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
    /// The size of one file.
    pub file_bytes: u64,
    /// The size of `/tmp`, which counts against the memory too.
    pub tmp_bytes: u64,
}

/// The capabilities inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capabilities {
    /// None at all.
    None,
}

/// Whether the root file system can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootAccess {
    /// It can't.
    ReadOnly,
}

/// The network inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Only a loopback interface of its own.
    None,
}

/// One started sandbox, by the three things that make its name.
///
/// The name is the identity in every runtime, so an instance can be found again by a host that
/// was not there when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// Whose sandbox it is.
    pub install: InstallId,
    /// The session it works for.
    pub session: SessionId,
    /// Which of the session's sandboxes it is.
    pub generation: Generation,
}

const PREFIX: &str = "anchorhold-";
const UUID_CHARS: usize = 36;

impl SandboxSpec {
    /// The instance that a start of this makes.
    pub fn id(&self) -> InstanceId {
        InstanceId {
            install: self.install,
            session: self.session,
            generation: self.generation,
        }
    }

    /// The name of the sandbox: `anchorhold-<install>-<session>-<generation>`.
    pub fn name(&self) -> String {
        self.id().to_string()
    }
}

impl InstanceId {
    /// The instance that `name` spells; `None` for every other text.
    pub fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        let (install, rest) = rest.split_at_checked(UUID_CHARS)?;
        let (session, rest) = rest.strip_prefix('-')?.split_at_checked(UUID_CHARS)?;
        let id = Self {
            install: InstallId::parse(install).ok()?,
            session: SessionId::parse(session).ok()?,
            generation: Generation(rest.strip_prefix('-')?.parse().ok()?),
        };
        // `+1` or an uppercase UUID would name the same instance twice.
        (id.to_string() == name).then_some(id)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{PREFIX}{}-{}-{}",
            self.install, self.session, self.generation
        )
    }
}

#[cfg(test)]
mod tests;
