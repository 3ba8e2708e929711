//! How many messages a second a host takes in for good, into one session and into many, and how often
//! it waits for the disk for each.
//!
//! The only sandbox that may run is busy all the while, so that nothing is answered.

use std::{num::NonZeroU32, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    bench::{
        Bench,
        client::Client,
        delivery::each,
        figure::{Figure, Findings},
        rig::{Host, Setup},
        tracer::Tracer,
    },
    e2e::Runtime,
    machine::{self, Stopwatch},
};

/// The disk is measured so often before and after.
const PROBES: usize = 20;
/// How many clients one instance of the channel serves at once, which has places for 64.
const PER_CHANNEL: u32 = 50;
/// What keeps the sandbox busy, in the words of the offline agent.
const BUSY: &str = "!sleep 3600";
/// How long the busy sandbox may take to be there.
const BUSY_LIMIT: Duration = Duration::from_mins(1);
/// Every call that makes something durable.
const CALLS: &str = "fsync,fdatasync,sync,syncfs,sync_file_range,msync";
/// Something that a person would say.
const TEXT: &str = "the build of tonight is green, and the notes are where they always are";

/// Where messages go, and from how many clients at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Into {
    /// How many conversations hear them.
    pub(super) sessions: NonZeroU32,
    /// How many clients there are, spread evenly.
    pub(super) clients: u32,
}

impl Into {
    /// One session, as fast as it goes.
    pub(super) const ONE: Self = Self {
        sessions: NonZeroU32::MIN,
        clients: PER_CHANNEL,
    };
    /// Two hundred sessions, each from a client of its own.
    pub(super) const MANY: Self = Self {
        sessions: NonZeroU32::MIN.saturating_add(199),
        clients: 200,
    };
}

/// What is taken in, and what it costs.
pub(super) fn measure(bench: &Bench<'_>, name: &'static str, into: Into) -> Result<Vec<Figure>> {
    let setup = Setup {
        channels: into.clients.div_ceil(PER_CHANNEL),
        max_sandboxes: 1,
        ..Setup::warm(Runtime::Sandbox)
    };
    bench.with_host(setup, |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut busy = host.client("busy")?;
        busy.say(BUSY)?;
        let taken = machine::wait_until(BUSY_LIMIT, || Ok(host.session().is_ok()))?;
        ensure!(taken, "no sandbox is busy");
        let mut clients = (0..into.clients)
            .map(|number| {
                let chat = format!("lane-{}", number % into.sessions);
                host.client_on(number.div_euclid(PER_CHANNEL), &chat)
            })
            .collect::<Result<Vec<Client>>>()?;
        // The sessions are there, and what is read again and again is known.
        say(&mut clients, 2, "first")?;
        let each = bench.counts.routed.div_ceil(into.clients).max(2);
        let watch = Stopwatch::start();
        say(&mut clients, each, "counted")?;
        let took = watch.elapsed();
        disk.probe(PROBES)?;
        let syncs = syncs(bench, host, &mut clients, each)?;
        let mut findings = Findings::new(name, &disk)?;
        let messages = f64::from(each.saturating_mul(into.clients));
        findings.add("rate", messages / took.as_secs_f64())?;
        findings.add("syncs", syncs / messages)?;
        Ok(findings.finish())
    })
}

/// The same again under the tracer, which makes it slower: how many calls it took.
fn syncs(bench: &Bench<'_>, host: &Host<'_>, clients: &mut [Client], each: u32) -> Result<f64> {
    let folder = tempfile::tempdir_in(&bench.folder)?;
    let trace = folder.path().join("host");
    let mut tracer = Tracer::attach(bench, host.process(), CALLS, &trace)?;
    say(clients, each, "traced")?;
    let calls = u32::try_from(tracer.calls()?.len())?;
    ensure!(calls > 0, "what was stored was made durable by no call");
    Ok(f64::from(calls))
}

/// All clients at once say so many things each, one after the other, and wait until each is stored.
fn say(clients: &mut [Client], times: u32, round: &str) -> Result<()> {
    let numbered: Vec<String> = (0..clients.len())
        .map(|number| format!("{round}-{number}"))
        .collect();
    let mut named: Vec<(&mut Client, &String)> = clients.iter_mut().zip(&numbered).collect();
    each(&mut named, |(client, name)| {
        (0..times).try_for_each(|_| client.be_stored(TEXT, name))
    })?;
    Ok(())
}
