//! How long answers take.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{
    bench::{
        Bench,
        client::Client,
        figure::{Figure, Findings},
        rig::{Host, Setup},
        stats::{Random, millis, percentile},
    },
    e2e::Runtime,
    machine::{self, Stopwatch},
};

/// Messages before those that count: the first one starts the sandbox.
const WARM_UP: u32 = 3;
/// After so many messages the disk is measured again.
const BLOCK: usize = 10;
/// The longest gap between messages that come at random.
const LONGEST_GAP: Duration = Duration::from_millis(200);
/// How many messages come at once.
const BURST: usize = 30;

/// Messages one after the other, to a sandbox that runs.
pub(super) fn warm(bench: &Bench<'_>, name: &'static str, runtime: Runtime) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(runtime), |host| {
        let mut client = warmed(host)?;
        let mut disk = host.disk()?;
        let mut times = vec![];
        for number in 0..bench.counts.messages {
            if number % BLOCK == 0 {
                disk.probe(BLOCK)?;
            }
            times.push(client.round_trip("hello")?);
        }
        disk.probe(BLOCK)?;
        spread(Findings::new(name, &disk)?, &times)
    })
}

/// Messages at random gaps, to a sandbox that runs.
pub(super) fn gaps(bench: &Bench<'_>, name: &'static str, runtime: Runtime) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(runtime), |host| {
        let mut client = warmed(host)?;
        let mut disk = host.disk()?;
        let mut random = Random::new(bench.seed);
        let mut times = vec![];
        for _ in 0..bench.counts.messages {
            // Before the gap, so that what the disk still does for it is not in the round trip.
            disk.probe(1)?;
            machine::pause(random.gap(LONGEST_GAP));
            times.push(client.round_trip("hello")?);
        }
        spread(Findings::new(name, &disk)?, &times)
    })
}

/// Many messages at once, to a sandbox that runs; they must be answered in order.
pub(super) fn burst(
    bench: &Bench<'_>,
    name: &'static str,
    runtime: Runtime,
) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(runtime), |host| {
        let mut client = warmed(host)?;
        let mut disk = host.disk()?;
        let mut times = vec![];
        for _ in 0..bench.counts.bursts {
            disk.probe(BLOCK)?;
            let watch = Stopwatch::start();
            let said = (0..BURST)
                .map(|_| client.say("hello"))
                .collect::<Result<Vec<_>>>()?;
            for id in &said {
                let answer = client.answer()?;
                client.acknowledge(&answer)?;
                ensure!(
                    answer.to.as_ref() == Some(id),
                    "out of order: {id} was due, and {:?} was answered",
                    answer.to
                );
            }
            times.push(watch.elapsed());
        }
        disk.probe(BLOCK)?;
        let mut findings = Findings::new(name, &disk)?;
        findings.add("all", millis(percentile(&times, 50)?))?;
        Ok(findings.finish())
    })
}

/// The first message of a conversation, while no sandbox runs.
pub(super) fn cold(bench: &Bench<'_>, name: &'static str, runtime: Runtime) -> Result<Vec<Figure>> {
    bench.with_host(Setup::cold(runtime), |host| {
        let mut disk = host.disk()?;
        let mut times = vec![];
        for number in 0..bench.counts.cold {
            host.wait_until_quiet()?;
            disk.probe(BLOCK)?;
            let mut client = host.client(&format!("cold-{number}"))?;
            times.push(client.round_trip("hello")?);
            // It has run for this conversation, and as it was asked for.
            host.session()?;
        }
        disk.probe(BLOCK)?;
        let mut findings = Findings::new(name, &disk)?;
        findings.add("p50", millis(percentile(&times, 50)?))?;
        findings.add("max", millis(percentile(&times, 100)?))?;
        Ok(findings.finish())
    })
}

/// A client whose conversation has a running sandbox.
pub(super) fn warmed(host: &Host<'_>) -> Result<Client> {
    let mut client = host.client("warm")?;
    for _ in 0..WARM_UP {
        client.round_trip("hello")?;
    }
    host.session()?;
    Ok(client)
}

fn spread(mut findings: Findings, times: &[Duration]) -> Result<Vec<Figure>> {
    findings.add("p50", millis(percentile(times, 50)?))?;
    findings.add("p99", millis(percentile(times, 99)?))?;
    findings.add("max", millis(percentile(times, 100)?))?;
    Ok(findings.finish())
}
