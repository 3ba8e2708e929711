//! How fast answers leave, from one session and from many, and how many conversations are served at
//! once.

use std::{sync::Barrier, thread};

use anyhow::{Result, anyhow};

use crate::{
    bench::{
        Bench,
        client::Client,
        figure::{Figure, Findings},
        filling, latency,
        rig::{Home, Setup},
        stats::{millis, percentile},
    },
    e2e::Runtime,
    machine::Stopwatch,
};

/// The disk is measured so often before and after.
const PROBES: usize = 20;
/// What an agent says in one turn, in commands of a thousand answers.
const THOUSANDS: u32 = 5;
/// From how many conversations answers leave where there are many,
const LANES: u32 = 200;
/// and how many of them one instance of the channel serves, which has places for 64 clients.
const PER_CHANNEL: u32 = 50;
/// How many answers leave from each.
const EACH: u32 = 30;
/// How many conversations are there at once.
const HUNDRED: u32 = 100;

/// What one agent says in a turn, from the first answer that arrives to the last.
pub(super) fn one(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    bench.with_host(Setup::warm(Runtime::Sandbox), |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut client = latency::warmed(host)?;
        let lines: Vec<&str> = (0..THOUSANDS).map(|_| "!say 1000 hello").collect();
        client.say(&lines.join("\n"))?;
        let first = client.answer()?;
        let watch = Stopwatch::start();
        client.acknowledge(&first)?;
        let rest = THOUSANDS.saturating_mul(1000).saturating_sub(1);
        for _ in 0..rest {
            let answer = client.answer()?;
            client.acknowledge(&answer)?;
        }
        let took = watch.elapsed();
        disk.probe(PROBES)?;
        let mut findings = Findings::new(name, &disk)?;
        findings.add("rate", f64::from(rest) / took.as_secs_f64())?;
        Ok(findings.finish())
    })
}

/// What a host has to say in many conversations, until all of it has arrived.
pub(super) fn many(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let setup = Setup {
        channels: LANES.div_ceil(PER_CHANNEL),
        ..Setup::warm(Runtime::Sandbox)
    };
    let home = Home::new(bench, setup)?;
    bench.with_host_at(&home, |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut clients = (0..LANES)
            .map(|number| host.client_on(number.div_euclid(PER_CHANNEL), &filling::lane(number)))
            .collect::<Result<Vec<Client>>>()?;
        let count = LANES.saturating_mul(EACH);
        filling::deliveries(&home.database(), count, LANES, PER_CHANNEL)?;
        let watch = Stopwatch::start();
        // Somebody who comes makes the host look.
        let somebody = host.client("somebody")?;
        each(&mut clients, |client| {
            for _ in 0..EACH {
                let answer = client.answer()?;
                client.acknowledge(&answer)?;
            }
            Ok(())
        })?;
        let took = watch.elapsed();
        drop(somebody);
        disk.probe(PROBES)?;
        let mut findings = Findings::new(name, &disk)?;
        findings.add("rate", f64::from(count) / took.as_secs_f64())?;
        Ok(findings.finish())
    })
}

/// Many conversations that all say something at once: while none has a sandbox, then while all have.
pub(super) fn hundred(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let setup = Setup {
        channels: HUNDRED.div_ceil(PER_CHANNEL),
        max_sandboxes: HUNDRED,
        ..Setup::warm(Runtime::Sandbox)
    };
    bench.with_host(setup, |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let mut clients = (0..HUNDRED)
            .map(|number| host.client_on(number.div_euclid(PER_CHANNEL), &format!("one-{number}")))
            .collect::<Result<Vec<Client>>>()?;
        let mut found = vec![];
        for part in ["cold", "warm"] {
            let start = Barrier::new(clients.len());
            let times = each(&mut clients, |client| {
                start.wait();
                client.round_trip("hello")
            })?;
            found.push((part, times));
            disk.probe(PROBES)?;
        }
        let mut findings = Findings::new(name, &disk)?;
        for (part, times) in found {
            let at = |percent| anyhow::Ok(millis(percentile(&times, percent)?));
            findings.add(&format!("{part}-p50"), at(50)?)?;
            findings.add(&format!("{part}-all"), at(100)?)?;
        }
        Ok(findings.finish())
    })
}

/// Does something with all clients at once, each on a thread of its own.
pub(super) fn each<C: Send, T: Send>(
    clients: &mut [C],
    act: impl Fn(&mut C) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let act = &act;
    thread::scope(|scope| {
        let threads = clients.iter_mut();
        let threads: Vec<_> = threads
            .map(|client| scope.spawn(move || act(client)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                let done = thread.join().map_err(|_panic| anyhow!("a client panicked"));
                done.and_then(|done| done)
            })
            .collect()
    })
}
