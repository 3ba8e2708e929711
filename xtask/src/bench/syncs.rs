//! How often the programs wait for the disk on a message's way to its answer, counted by the
//! system calls that they make.
//!
//! Tracing makes everything slower, so this pass measures no times.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bench::{
        Bench,
        client::Client,
        figure::{Figure, Findings},
        latency, process,
        rig::{Host, Setup},
        stats::{counted, percentile},
    },
    debian,
    e2e::Runtime,
    machine::{self, Daemon},
    output,
};

/// Every call that makes something durable.
const CALLS: &[&str] = &[
    "fsync",
    "fdatasync",
    "sync",
    "syncfs",
    "sync_file_range",
    "msync",
];
/// How often the disk is measured before and after.
const PROBES: usize = 20;
/// How long the tracer may take to take hold of a process, or to let go of it.
const ATTACH_LIMIT: Duration = Duration::from_secs(20);
/// After an answer, what the programs do because of it is waited for this long.
const AFTERMATH: Duration = Duration::from_millis(700);

/// One process under the tracer, which lets go of it when this is dropped.
#[derive(Debug)]
struct Tracer {
    daemon: Daemon,
    trace: PathBuf,
}

/// When a message was sent and its answer seen, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    sent: Duration,
    answered: Duration,
    /// When all that it caused was over.
    over: Duration,
}

/// How many calls fell between a message and its answer, and how many between that and the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Calls {
    path: u64,
    after: u64,
}

/// Calls by message, of the host and of the agent-runner.
pub(super) fn count(
    bench: &Bench<'_>,
    name: &'static str,
    runtime: Runtime,
) -> Result<Vec<Figure>> {
    debian::ensure(
        &bench.workspace.shell()?,
        bench.console,
        debian::TO_COUNT_SYNCS,
    )?;
    bench.with_host(Setup::warm(runtime), |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut client = latency::warmed(host)?;
        let folder = tempfile::tempdir_in(&bench.folder).context("make a folder for traces")?;
        let mut tracers = [
            Tracer::attach(bench, host.process(), &folder.path().join("host"))?,
            Tracer::attach(bench, runner_of(host)?, &folder.path().join("runner"))?,
        ];
        // What the warm-up caused is over, and the tracers have settled.
        machine::pause(AFTERMATH);
        let messages = (0..bench.counts.traced)
            .map(|_| talk(&mut client))
            .collect::<Result<Vec<_>>>()?;
        let [on_host, on_runner] = &mut tracers;
        let (on_host, on_runner) = (on_host.calls(&messages)?, on_runner.calls(&messages)?);
        disk.probe(PROBES)?;
        report(Findings::new(name, &disk)?, &on_host, &on_runner)
    })
}

fn runner_of(host: &Host<'_>) -> Result<u32> {
    process::runner_of(&host.session()?)
}

/// One message to its answer, and as long after it as the programs need for the rest.
fn talk(client: &mut Client) -> Result<Message> {
    let sent = machine::since_epoch()?;
    client.say("hello")?;
    let answer = client.answer()?;
    let answered = machine::since_epoch()?;
    client.acknowledge(&answer)?;
    machine::pause(AFTERMATH);
    Ok(Message {
        sent,
        answered,
        over: machine::since_epoch()?,
    })
}

fn report(mut findings: Findings, host: &[Calls], runner: &[Calls]) -> Result<Vec<Figure>> {
    let path = |calls: &Calls| calls.path;
    let on_host: Vec<u64> = host.iter().map(path).collect();
    let on_runner: Vec<u64> = runner.iter().map(path).collect();
    let both = || host.iter().zip(runner);
    let on_both: Vec<u64> = both().map(|(one, other)| one.path + other.path).collect();
    let after: Vec<u64> = both().map(|(one, other)| one.after + other.after).collect();
    // A program that never reached the disk was not traced: what it stored would not be safe.
    ensure!(
        on_host.iter().all(|count| *count > 0) && on_runner.iter().all(|count| *count > 0),
        "a message was answered without a call by each program: {host:?}, {runner:?}"
    );
    findings.add("path", counted(percentile(&on_both, 50)?)?)?;
    findings.add("path-max", counted(percentile(&on_both, 100)?)?)?;
    findings.add("path-host", counted(percentile(&on_host, 50)?)?)?;
    findings.add("path-runner", counted(percentile(&on_runner, 50)?)?)?;
    findings.add("after", counted(percentile(&after, 50)?)?)?;
    Ok(findings.finish())
}

impl Tracer {
    /// Takes hold of all threads of a process, and of those to come.
    fn attach(bench: &Bench<'_>, process: u32, trace: &Path) -> Result<Self> {
        let log = trace.with_extension("log");
        let args = [
            "-f".to_owned(),
            "-ttt".to_owned(),
            format!("--trace={}", CALLS.join(",")),
            format!("--output={}", trace.display()),
            format!("--attach={process}"),
        ];
        let program = machine::which("strace").context("strace is not installed")?;
        let mut daemon = Daemon::start(&program, &args, &log, ATTACH_LIMIT)?;
        let attached = machine::wait_until(ATTACH_LIMIT, || {
            bench.interrupts.check()?;
            if let Some(status) = daemon.ended()? {
                bail!(
                    "strace cannot trace a process, which takes root or ptrace rights; it ended \
                     with {status}: {}",
                    output::tail(&log)
                );
            }
            process::is_traced(process)
        })?;
        ensure!(attached, "strace did not attach: {}", output::tail(&log));
        let trace = trace.to_owned();
        Ok(Self { daemon, trace })
    }

    /// Lets go of the process, and counts its calls by message.
    fn calls(&mut self, messages: &[Message]) -> Result<Vec<Calls>> {
        if let Some(status) = self.daemon.ended()? {
            bail!("strace ended early: {status}");
        }
        // However it says that it was told to end, the trace is whole.
        let _status = self.daemon.stop()?;
        let text = fs::read_to_string(&self.trace).context("read a trace")?;
        by_message(&starts(&text)?, messages)
    }
}

/// When each call in a trace began, since 1970.
fn starts(trace: &str) -> Result<Vec<Duration>> {
    trace
        .lines()
        .filter_map(|line| {
            // `PID SECONDS.MICROSECONDS fdatasync(9) = 0`; the end of one that was interrupted by
            // another thread's begins with `<...` instead of a name.
            let mut words = line.split_whitespace();
            let (time, call) = (words.nth(1)?, words.next()?);
            let (name, _) = call.split_once('(')?;
            CALLS.contains(&name).then_some(time)
        })
        .map(|time| {
            let seconds: f64 = time.parse().with_context(|| format!("a time: {time}"))?;
            Duration::try_from_secs_f64(seconds).context("a time")
        })
        .collect()
}

fn by_message(starts: &[Duration], messages: &[Message]) -> Result<Vec<Calls>> {
    let within = |from: Duration, to: Duration| -> Result<u64> {
        let calls = starts.iter().filter(|at| from <= **at && **at < to);
        Ok(u64::try_from(calls.count())?)
    };
    messages
        .iter()
        .map(|message| {
            Ok(Calls {
                path: within(message.sent, message.answered)?,
                after: within(message.answered, message.over)?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
