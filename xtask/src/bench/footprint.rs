//! What the programs need while nothing is asked of them, and how soon they are there.

use std::fs;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    bench::{
        Bench,
        disk::Disk,
        figure::{Figure, Findings},
        filling, latency,
        process::{self, Rest},
        rig::{Home, Host, Setup},
        stats::{counted, millis, percentile},
        tracer::Tracer,
    },
    e2e::Runtime,
    machine::{self, Stopwatch},
};

/// How often the disk is measured before and after a figure that needs none.
const PROBES: usize = 20;
/// How many conversations are answered once and then left alone.
const SESSIONS: u64 = 100;
/// How many sandboxes may run while those are answered.
const SANDBOXES: u32 = 8;
/// How many sessions are on record where there are many.
const MANY: u32 = 1000;

/// How large the agent-runner's program is, without symbols.
pub(super) fn size(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let mut disk = Disk::new(&bench.folder)?;
    disk.probe(PROBES)?;
    let sh = bench.workspace.shell()?;
    let runner = &bench.programs.runner;
    let folder = tempfile::tempdir_in(&bench.folder).context("make a folder for a copy")?;
    let stripped = folder.path().join("agent-runner");
    // The build strips it already; this makes sure that the figure does not hang on that.
    cmd!(sh, "strip -o {stripped} {runner}")
        .quiet()
        .run()
        .context("strip a copy of the agent-runner")?;
    let bytes = fs::metadata(&stripped)?.len();
    let mut findings = Findings::new(name, &disk)?;
    findings.add("runner", counted(bytes)? / (1024.0 * 1024.0))?;
    Ok(findings.finish())
}

/// How soon a host welcomes a client: on a fresh data directory, and on one that it knows.
pub(super) fn start(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let mut disk = Disk::new(&bench.folder)?;
    let (mut fresh, mut again) = (vec![], vec![]);
    for _ in 0..bench.counts.starts {
        let home = Home::new(bench, Setup::warm(Runtime::Sandbox))?;
        for times in [&mut fresh, &mut again] {
            disk.probe(PROBES)?;
            let host = home.start(bench).inspect_err(|_err| home.keep_log(bench))?;
            times.push(host.ready_after);
            host.stop()?;
        }
    }
    let mut findings = Findings::new(name, &disk)?;
    findings.add("fresh", millis(percentile(&fresh, 50)?))?;
    findings.add("again", millis(percentile(&again, 50)?))?;
    Ok(findings.finish())
}

/// What a host needs that has no session.
pub(super) fn idle(bench: &Bench<'_>, name: &'static str, runtime: Runtime) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(runtime), |host| {
        ensure!(host.sessions()? == 0, "a fresh host has sessions");
        settled(bench, name, host, host.process())
    })
}

/// What a host needs that has many sessions, none of which has a sandbox.
pub(super) fn sessions(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let setup = Setup {
        max_sandboxes: SANDBOXES,
        ..Setup::cold(Runtime::Sandbox)
    };
    bench.with_host(setup, |host| {
        for number in 0..SESSIONS {
            host.client(&format!("session-{number}"))?
                .round_trip("hello")?;
        }
        host.wait_until_quiet()?;
        let sessions = host.sessions()?;
        ensure!(
            sessions == SESSIONS,
            "there should be {SESSIONS} sessions, and there are {sessions}"
        );
        settled(bench, name, host, host.process())
    })
}

/// What a host needs that has a thousand sessions on record.
pub(super) fn thousand(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let home = Home::new(bench, Setup::cold(Runtime::Sandbox))?;
    bench.with_host_at(&home, |_host| Ok(()))?;
    filling::sessions(&home.database(), MANY)?;
    bench.with_host_at(&home, |host| {
        let sessions = host.sessions()?;
        ensure!(
            sessions == u64::from(MANY),
            "there should be {MANY} sessions, and there are {sessions}"
        );
        settled(bench, name, host, host.process())
    })
}

/// What an agent-runner needs that has answered and waits.
pub(super) fn runner(
    bench: &Bench<'_>,
    name: &'static str,
    runtime: Runtime,
) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(runtime), |host| {
        let client = latency::warmed(host)?;
        let runner = process::runner_of(&host.session()?)?;
        drop(client);
        let mut figures = settled(bench, name, host, runner)?;
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut findings = Findings::new(name, &disk)?;
        findings.add("walled", process::walled(runner, host.process())?)?;
        figures.extend(findings.finish());
        Ok(figures)
    })
}

/// Lets a process settle and watches it at rest.
fn settled(
    bench: &Bench<'_>,
    name: &'static str,
    host: &Host<'_>,
    process: u32,
) -> Result<Vec<Figure>> {
    let mut disk = host.disk()?;
    disk.probe(PROBES)?;
    machine::wait_until(bench.counts.settle, || {
        bench.interrupts.check().map(|()| false)
    })?;
    let rest = process::at_rest(process, bench.counts.window, &bench.interrupts)?;
    let calls = calls_at_rest(bench, process)?;
    disk.probe(PROBES)?;
    let Rest {
        resident,
        shared_out,
        cpu,
        switches,
    } = rest;
    let mut findings = Findings::new(name, &disk)?;
    findings.add("resident", resident)?;
    findings.add("shared-out", shared_out)?;
    findings.add("cpu", cpu)?;
    findings.add("switches", switches)?;
    findings.add("calls", calls)?;
    Ok(findings.finish())
}

/// How many system calls a second a process makes at rest. In a pass of its own: tracing wakes it.
fn calls_at_rest(bench: &Bench<'_>, process: u32) -> Result<f64> {
    let folder = tempfile::tempdir_in(&bench.folder).context("make a folder for a trace")?;
    let mut tracer = Tracer::attach(bench, process, "all", &folder.path().join("rest"))?;
    let watch = Stopwatch::start();
    machine::wait_until(bench.counts.window, || {
        bench.interrupts.check().map(|()| false)
    })?;
    let seconds = watch.elapsed().as_secs_f64();
    let calls = tracer.calls()?;
    // A wait that the tracer cut short goes on by this call.
    let made = calls.iter().filter(|call| call.name != "restart_syscall");
    Ok(counted(u64::try_from(made.count())?)? / seconds)
}
