//! What the kernel says of a process, and which process is a session's agent-runner.

use std::{collections::BTreeMap, fs, io, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};

use crate::{
    bench::stats::counted,
    machine::{self, Interrupts, Stopwatch},
};

/// The program that works for a session inside its sandbox.
const RUNNER: &str = "agent-runner";
/// Programs that start those of all sandboxes.
const SERVES_ALL: &[&str] = &["dockerd", "containerd", "systemd"];
/// The kernel's unit of time towards programs, on every architecture.
const TICK_MS: u64 = 10;

/// What a process does and needs while nothing is asked of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rest {
    /// Resident memory, in MiB.
    pub(super) resident: f64,
    /// The same with what it shares with others divided among them.
    pub(super) shared_out: f64,
    /// CPU time, in percent of a core.
    pub(super) cpu: f64,
    /// How often a second one of its threads begins to wait, of itself.
    pub(super) switches: f64,
}

/// Watches a process for as long as `window`; its memory is that at the end.
pub(super) fn at_rest(process: u32, window: Duration, interrupts: &Interrupts) -> Result<Rest> {
    let watch = Stopwatch::start();
    let on_cpu = time_on_cpu(process)?;
    let switches = voluntary_switches(process)?;
    machine::wait_until(window, || interrupts.check().map(|()| false))?;
    let seconds = watch.elapsed().as_secs_f64();
    // A thread that ended meanwhile takes its count away: what is left is a lower bound.
    let woken = more(&voluntary_switches(process)?, &switches);
    let used = Duration::from_nanos(more(&time_on_cpu(process)?, &on_cpu));
    Ok(Rest {
        resident: memory(&read(process, "status")?, "VmRSS:")?,
        shared_out: memory(&read(process, "smaps_rollup")?, "Pss:")?,
        cpu: used.as_secs_f64() / seconds * 100.0,
        switches: counted(woken)? / seconds,
    })
}

/// How much was counted since `before`.
fn more(now: &BTreeMap<u32, u64>, before: &BTreeMap<u32, u64>) -> u64 {
    now.iter()
        .map(|(thread, now)| now.saturating_sub(before.get(thread).copied().unwrap_or(0)))
        .sum()
}

/// The memory of a process and of those around it that are there for it alone, in MiB, with what is
/// shared divided: the processes that started it, up to `host` or to one that serves all.
pub(super) fn walled(process: u32, host: u32) -> Result<f64> {
    let mut sum = 0.0;
    let mut next = process;
    while next > 1 && next != host && !SERVES_ALL.contains(&read(next, "comm")?.trim_end()) {
        sum += memory(&read(next, "smaps_rollup")?, "Pss:")?;
        let status = read(next, "status")?;
        let parent = field(&status, "PPid:").context("a process has no parent")?;
        next = parent.parse()?;
    }
    Ok(sum)
}

/// The agent-runner of a session, as the machine numbers processes.
///
/// Whatever the runtime, the session's folders are mounted where it runs, and no other process by
/// that name has them.
pub(super) fn runner_of(session: &str) -> Result<u32> {
    let mut found = vec![];
    for process in all()? {
        // silent: a process that ended meanwhile, or is not ours to look at, is not the one
        let Ok(name) = read(process, "comm") else {
            continue;
        };
        if name.trim_end() == RUNNER
            && read(process, "mountinfo").is_ok_and(|mounts| mounts.contains(session))
        {
            found.push(process);
        }
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => bail!("no process is the agent-runner of session {session}"),
        more => bail!("session {session} has several agent-runners: {more:?}"),
    }
}

/// Whether each thread of a process is traced.
pub(super) fn is_traced(process: u32) -> Result<bool> {
    let traced = |status: &str| field(status, "TracerPid:").is_some_and(|tracer| tracer != "0");
    Ok(threads(process)?.values().all(|status| traced(status)))
}

fn all() -> Result<Vec<u32>> {
    let mut processes = vec![];
    for entry in fs::read_dir("/proc").context("list all processes")? {
        let name = entry?.file_name();
        processes.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(processes)
}

fn read(process: u32, file: &str) -> Result<String> {
    let path = PathBuf::from(format!("/proc/{process}/{file}"));
    fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// The state of each thread that a process has now.
fn threads(process: u32) -> Result<BTreeMap<u32, String>> {
    let folder = PathBuf::from(format!("/proc/{process}/task"));
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(thread) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        match fs::read_to_string(entry.path().join("status")) {
            Ok(status) => {
                threads.insert(thread, status);
            }
            // The kernel has two ways to say that a thread has ended meanwhile.
            Err(err) if err.kind() == io::ErrorKind::NotFound => {}
            Err(err) if err.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
            Err(err) => return Err(err).context("read the state of a thread"),
        }
    }
    Ok(threads)
}

/// How long each thread has been on a processor, in billionths of a second.
fn time_on_cpu(process: u32) -> Result<BTreeMap<u32, u64>> {
    let mut times = BTreeMap::new();
    for thread in threads(process)?.into_keys() {
        // silent: a thread that ended meanwhile takes its time with it
        let Ok(stat) = read(process, &format!("task/{thread}/schedstat")) else {
            continue;
        };
        let time = stat.split_whitespace().next();
        times.insert(thread, time.context("a thread has no times")?.parse()?);
    }
    Ok(times)
}

fn voluntary_switches(process: u32) -> Result<BTreeMap<u32, u64>> {
    let count = |status: &str| -> Result<u64> {
        let count = field(status, "voluntary_ctxt_switches:").context("a state has no switches")?;
        Ok(count.parse()?)
    };
    threads(process)?
        .into_iter()
        .map(|(thread, status)| Ok((thread, count(&status)?)))
        .collect()
}

/// The CPU time that a process has had, to a hundredth of a second; threads that have ended count.
pub(super) fn cpu_time(process: u32) -> Result<Duration> {
    Ok(Duration::from_millis(
        cpu_ticks(process)?.saturating_mul(TICK_MS),
    ))
}

/// The CPU time of all threads that a process has and had.
fn cpu_ticks(process: u32) -> Result<u64> {
    ticks_in(&read(process, "stat")?).with_context(|| format!("read the times of {process}"))
}

fn ticks_in(stat: &str) -> Result<u64> {
    // The name before the last bracket may hold anything, so what counts comes after it.
    let (_, rest) = stat.rsplit_once(')').context("there is no name")?;
    let mut times = rest.split_whitespace().skip(11);
    let mut next = || -> Result<u64> { Ok(times.next().context("there are no times")?.parse()?) };
    Ok(next()?.saturating_add(next()?))
}

/// A line such as `VmRSS:   2048 kB`, in MiB.
fn memory(text: &str, name: &str) -> Result<f64> {
    let line = field(text, name).with_context(|| format!("there is no {name}"))?;
    let kib = line.strip_suffix("kB").context("memory is not in kB")?;
    Ok(counted(kib.trim().parse()?)? / 1024.0)
}

/// What stands behind `name` on the line that begins with it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

#[cfg(test)]
mod tests;
