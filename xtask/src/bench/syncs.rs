//! How often the programs wait for the disk on a message's way to its answer, counted by the
//! system calls that they make.
//!
//! Tracing makes everything slower, so this pass measures no times.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::{
    bench::{
        Bench,
        client::Client,
        figure::{Figure, Findings},
        latency, process,
        rig::{Host, Setup},
        stats::{counted, percentile},
        tracer::{Call, Tracer},
    },
    e2e::Runtime,
    machine,
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
/// After an answer, what the programs do because of it is waited for this long.
const AFTERMATH: Duration = Duration::from_millis(700);

/// When a message was sent and its answer seen, since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message {
    sent: Duration,
    answered: Duration,
    /// When all that it caused was over.
    over: Duration,
}

/// How many calls one message took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Legs {
    /// The host's, before the agent-runner began to write.
    host_in: u64,
    /// The agent-runner's.
    runner: u64,
    /// The host's, once the agent-runner had begun.
    host_out: u64,
    /// Of both, after the answer.
    after: u64,
}

impl Legs {
    /// Those between the message and its answer.
    fn path(&self) -> u64 {
        let Self {
            host_in,
            runner,
            host_out,
            after: _,
        } = self;
        host_in + runner + host_out
    }
}

/// Calls by message and leg.
pub(super) fn count(
    bench: &Bench<'_>,
    name: &'static str,
    runtime: Runtime,
) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(runtime), |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut client = latency::warmed(host)?;
        let folder = tempfile::tempdir_in(&bench.folder).context("make a folder for traces")?;
        let calls = CALLS.join(",");
        let trace = |process: u32, name: &str| {
            Tracer::attach(bench, process, &calls, &folder.path().join(name))
        };
        let mut on_host = trace(host.process(), "host")?;
        let mut on_runner = trace(runner_of(host)?, "runner")?;
        // What the warm-up caused is over, and the tracers have settled.
        machine::pause(AFTERMATH);
        let messages = (0..bench.counts.traced)
            .map(|_| talk(&mut client))
            .collect::<Result<Vec<_>>>()?;
        let (on_host, on_runner) = (on_host.calls()?, on_runner.calls()?);
        let legs: Vec<Legs> = messages
            .iter()
            .map(|message| legs(&on_host, &on_runner, message))
            .collect();
        disk.probe(PROBES)?;
        report(Findings::new(name, &disk)?, &legs)
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

fn report(mut findings: Findings, legs: &[Legs]) -> Result<Vec<Figure>> {
    // A program that never reached the disk was not traced: what it stored would not be safe.
    let seen = |legs: &Legs| legs.host_in > 0 && legs.runner > 0;
    ensure!(
        legs.iter().all(seen),
        "a message was answered without a call by each program: {legs:?}"
    );
    let mut add = |part: &str, percent: usize, which: fn(&Legs) -> u64| {
        let counts: Vec<u64> = legs.iter().map(which).collect();
        findings.add(part, counted(percentile(&counts, percent)?)?)
    };
    add("path", 50, Legs::path)?;
    add("path-max", 100, Legs::path)?;
    add("host-in", 50, |legs| legs.host_in)?;
    add("runner", 50, |legs| legs.runner)?;
    add("host-out", 50, |legs| legs.host_out)?;
    add("after", 50, |legs| legs.after)?;
    Ok(findings.finish())
}

/// What of the calls of both programs belongs to a message, and to which leg of its way.
fn legs(host: &[Call], runner: &[Call], message: &Message) -> Legs {
    let &Message {
        sent,
        answered,
        over,
    } = message;
    let count = |calls: &[Call], from: Duration, to: Duration| -> u64 {
        let within = calls.iter().filter(|call| from <= call.at && call.at < to);
        u64::try_from(within.count()).unwrap_or(u64::MAX)
    };
    let begun = runner.iter().find(|call| sent <= call.at);
    let begun = begun.map_or(answered, |call| call.at.min(answered));
    Legs {
        host_in: count(host, sent, begun),
        runner: count(runner, sent, answered),
        host_out: count(host, begun, answered),
        after: count(host, answered, over) + count(runner, answered, over),
    }
}

#[cfg(test)]
mod tests;
