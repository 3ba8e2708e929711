//! Which processes work inside sandboxes of this run.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// The program that works for a session inside its sandbox.
const RUNNER: &str = "agent-runner";

/// The agent-runners of all sandboxes whose folders lie below one that is called `folder`: wherever
/// they run, it is mounted there, and nobody else has it.
pub(super) fn runners(folder: &str) -> Result<Vec<i32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("list all processes")? {
        let name = entry?.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // silent: one that has ended meanwhile, or is not ours to look at, is not meant.
        let read = |file: &str| fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        let is_runner = read("comm").is_some_and(|comm| comm.trim_end() == RUNNER);
        if is_runner && read("mountinfo").is_some_and(|mounts| mounts.contains(folder)) {
            found.push(process);
        }
    }
    Ok(found)
}

/// Kills one; false if it is gone already.
pub(super) fn kill(process: i32) -> bool {
    let pid = Pid::from_raw(process);
    pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
}
