//! Processes that this one has to bury.
//!
//! As the first process of its namespace the runner inherits every orphan of its tools. Nobody
//! else waits for them, and a process that is not waited for keeps its place under the limit.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::{Pid, WaitOptions, kill_process_group, wait};
use tokio::{
    process::Child,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::Error;

/// The most that is buried in one go.
const REAP_LIMIT: usize = 4096;

/// How many processes tools wait for themselves just now.
#[derive(Debug, Default)]
pub struct Children {
    awaited: AtomicUsize,
}

/// As long as it lives, one process is waited for by the tool that started it.
#[derive(Debug)]
pub struct Awaited<'a> {
    children: &'a Children,
}

impl Children {
    /// Registers a process that its starter waits for.
    pub fn awaited(&self) -> Awaited<'_> {
        self.awaited.fetch_add(1, Ordering::Relaxed);
        Awaited { children: self }
    }

    /// Buries what has ended, unless a tool waits for a process: its status would be taken away.
    fn reap(&self) {
        if self.awaited.load(Ordering::Relaxed) > 0 {
            return;
        }
        for _ in 0..REAP_LIMIT {
            // silent: the only failure is that there are no children
            let Ok(Some(_buried)) = wait(WaitOptions::NOHANG) else {
                return;
            };
        }
    }
}

/// A process group; dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// The group of a child that was started as the first of one.
    pub(crate) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0
            && let Err(error) = kill_process_group(group, rustix::process::Signal::KILL)
        {
            tracing::debug!(%error, "process group is gone already");
        }
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.children.awaited.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The duty of a first process.
#[derive(Debug)]
pub struct Orphans {
    ended: Signal,
}

impl Orphans {
    /// Begins to listen for ended children.
    pub fn listen() -> Result<Self, Error> {
        let ended = signal(SignalKind::child()).map_err(|source| Error::Signals { source })?;
        Ok(Self { ended })
    }

    /// Buries what has ended by now.
    pub fn reap(&self, children: &Children) {
        children.reap();
    }

    /// Returns when some child has ended since the last call. Cancel-safe.
    pub async fn ended(&mut self) {
        self.ended.recv().await;
    }
}
