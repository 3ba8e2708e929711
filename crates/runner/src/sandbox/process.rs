//! Processes of the host, named so that a reused process id is never taken for the old process.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use serde::{Deserialize, Serialize};
use tokio::io::{Interest, unix::AsyncFd};

/// A process: its id, and when it started, in the kernel's ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessRef {
    pub(super) pid: i32,
    pub(super) started: u64,
}

/// A hold on one process that is alive or not yet reaped.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) pid: i32,
    fd: OwnedFd,
}

impl ProcessRef {
    /// The process that has `pid` now.
    pub(super) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self {
            pid,
            started: stat_field(&stat, START_TIME)?,
        })
    }

    /// Takes hold of the process; `None` if it is over and reaped.
    pub(super) fn open(self) -> io::Result<Option<Process>> {
        let process = Process::open(self.pid)?;
        // Looked at after the descriptor is held: from here on the id can't change hands unseen.
        Ok(process.filter(|_| Self::of(self.pid) == Some(self)))
    }
}

impl Process {
    /// Takes hold of whatever has `pid` now; `None` if nothing has.
    pub(super) fn open(pid: i32) -> io::Result<Option<Self>> {
        // A negative number, as a damaged record may hold, is no process but would be a panic.
        let Some(raw) = Some(pid).filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
            return Ok(None);
        };
        match pidfd_open(raw, PidfdFlags::NONBLOCK) {
            Ok(fd) => Ok(Some(Self { pid, fd })),
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Has it ended? An ended process that nobody reaped counts as ended.
    pub(super) fn is_over(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        Ok(poll(&mut fds, Some(&now))? > 0)
    }

    /// Sends `signal`; a process that ended meanwhile is fine.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(self.fd.as_fd(), signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Waits until it ended. Works for processes that are not our children. Cancel-safe.
    pub(super) async fn over(&self) -> io::Result<()> {
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for the sake of types whose descriptor can change \
                      while it is registered; a borrowed one can't"
        )]
        let fd = AsyncFd::with_interest(self.fd.as_fd(), Interest::READABLE)?;
        // The descriptor stays readable once the process ended, so the guard needs no clearing.
        fd.readable().await.map(drop)
    }
}

/// The command of the sandbox whose namespace has `init` as its first process.
///
/// It is the second process of the namespace for as long as it lives; everything that it starts
/// and abandons becomes a child of `init` too, so being a child is not enough.
pub(super) fn command_of(init: i32) -> io::Result<Option<Process>> {
    for pid in children_of(init) {
        let Some(process) = Process::open(pid)? else {
            continue;
        };
        if namespace_pid(pid) == Some(2) && parent_of(pid) == Some(init) && !process.is_over()? {
            return Ok(Some(process));
        }
    }
    Ok(None)
}

/// Is `pid` the first process of a namespace below ours?
pub(super) fn is_namespace_init(pid: i32) -> bool {
    namespace_pid(pid) == Some(1)
}

/// Every process whose command line has `mark` as one whole argument of a bubblewrap.
pub(super) fn marked(mark: &str) -> Vec<ProcessRef> {
    all_pids()
        .into_iter()
        .filter(|pid| command_line_has(*pid, mark))
        .filter_map(ProcessRef::of)
        .collect()
}

/// Is `pid` a bubblewrap with `mark` as one whole argument?
pub(super) fn command_line_has(pid: i32, mark: &str) -> bool {
    // silent: a process that is gone or foreign has no command line to read, so it is not ours.
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut arguments = line.split(|byte| *byte == 0);
    let program = arguments.next().unwrap_or_default();
    program.ends_with(b"bwrap") && arguments.any(|argument| argument == mark.as_bytes())
}

/// How many processes the user `uid` has on this host.
pub(super) fn count_of_user(uid: u32) -> u64 {
    let of_user = |pid: &i32| {
        status_line(*pid, "Uid:")
            .and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok())
            == Some(uid)
    };
    u64::try_from(all_pids().iter().filter(|pid| of_user(pid)).count()).unwrap_or(u64::MAX)
}

fn children_of(pid: i32) -> Vec<i32> {
    match fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")) {
        Ok(list) => list
            .split_whitespace()
            .filter_map(|child| child.parse().ok())
            .collect(),
        // A kernel without this list: look at everybody's parent instead.
        Err(_absent) => all_pids()
            .into_iter()
            .filter(|child| parent_of(*child) == Some(pid))
            .collect(),
    }
}

fn all_pids() -> Vec<i32> {
    // silent: without /proc nothing can be found, and the callers' other proofs fail loudly.
    let entries = fs::read_dir("/proc").map(Iterator::flatten).into_iter();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn parent_of(pid: i32) -> Option<i32> {
    status_line(pid, "PPid:")?.trim().parse().ok()
}

/// The id of `pid` in its own, innermost namespace, if that is below ours.
fn namespace_pid(pid: i32) -> Option<i32> {
    let line = status_line(pid, "NSpid:")?;
    let ids: Vec<&str> = line.split_whitespace().collect();
    match ids.as_slice() {
        [_, .., innermost] => innermost.parse().ok(),
        _ => None,
    }
}

fn status_line(pid: i32, key: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .map(str::to_owned)
}

/// Position of the start time among the fields after the program's name.
const START_TIME: usize = 19;

/// A numeric field of `/proc/<pid>/stat`, counted from the one after the program's name.
///
/// The name is in parentheses and may itself have any character, parentheses and blanks included.
fn stat_field(stat: &str, index: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index)?.parse().ok()
}

#[cfg(test)]
mod tests;
