//! What it costs a host to route a message among thousands of wirings and a million people.
//!
//! The figures are times of the host's processor, not of the disk: they include all that the host
//! does meanwhile.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    bench::{
        Bench,
        client::Client,
        crowd::{self, AGENTS, CHANNEL, CHATS, USERS},
        figure::{Figure, Findings},
        process,
        rig::{Home, Host, Setup},
        stats::{Random, millis},
    },
    e2e::Runtime,
};

/// The agent beside the one of the configuration.
const SECOND_AGENT: &str = "second";
/// What is done so often before anything counts.
const WARM_UP: u32 = 100;
/// The disk is measured so often before and after a figure that needs none.
const PROBES: usize = 20;
/// How many clients say something in turn; a few more are served at once.
const CLIENTS: u32 = 50;
/// Something that no quiet chat's agents wait for.
const TEXT: &str = "the build of tonight is green, and the notes are where they always are";

/// What a decision and a declined message cost.
pub(super) fn measure(bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
    let home = Home::new(bench, Setup::warm(Runtime::Sandbox))?;
    bench.with_host_at(&home, |host| {
        let reply = host.administer("groups", "create", &json!({"folder": SECOND_AGENT}))?;
        ensure!(reply["reply"] == "done", "no second agent: {reply}");
        Ok(())
    })?;
    crowd::fill(&home.database(), USERS)?;
    bench.with_host_at(&home, |host| {
        let mut disk = host.disk()?;
        disk.probe(PROBES)?;
        let explain = explained(bench, host)?;
        let request = refused(bench, host)?;
        disk.probe(PROBES)?;
        let event = declined(bench, host)?;
        disk.probe(PROBES)?;
        let mut findings = Findings::new(name, &disk)?;
        findings.add("decide", explain - request)?;
        findings.add("explain", explain)?;
        findings.add("request", request)?;
        findings.add("event", event)?;
        Ok(findings.finish())
    })
}

/// The operator asks what would become of messages of anybody, anywhere.
fn explained(bench: &Bench<'_>, host: &Host<'_>) -> Result<f64> {
    let mut random = Random::new(bench.seed);
    cost(bench, host, |_| {
        let reply = host.administer("wirings", "explain", &question(&mut random, Some(TEXT)))?;
        let agents = reply["body"]["rows"].as_array().map(Vec::len);
        ensure!(
            agents == Some(AGENTS),
            "not every agent was judged: {reply}"
        );
        Ok(())
    })
}

/// The operator asks the same, and forgets what the message says: what remains is the asking.
fn refused(bench: &Bench<'_>, host: &Host<'_>) -> Result<f64> {
    let mut random = Random::new(bench.seed);
    cost(bench, host, |_| {
        let reply = host.administer("wirings", "explain", &question(&mut random, None))?;
        let what = reply["body"]["what"].as_str().unwrap_or_default();
        ensure!(
            reply["body"]["code"] == "usage" && what.contains("--text"),
            "half a question was answered: {reply}"
        );
        Ok(())
    })
}

/// The socket's owner says something in one quiet chat after the other.
fn declined(bench: &Bench<'_>, host: &Host<'_>) -> Result<f64> {
    let mut clients = (0..CLIENTS)
        .map(|number| host.client(&crowd::quiet_chat(number)))
        .collect::<Result<Vec<Client>>>()?;
    // Many messages in one chat before the next: a person has one direct chat, and each change of
    // it is written down.
    let turn = bench.counts.routed.div_ceil(CLIENTS).max(1);
    cost(bench, host, |number| {
        let at = number.div_euclid(turn).rem_euclid(CLIENTS);
        let client = clients.get_mut(usize::try_from(at)?);
        let client = client.context("there are fewer clients")?;
        client.be_declined(TEXT, "not_engaged")
    })
}

fn question(random: &mut Random, text: Option<&str>) -> Value {
    let mut pick = |end: u32| u32::try_from(random.below(u64::from(end))).unwrap_or(0);
    let mut question = json!({
        "channel": CHANNEL,
        "conversation": crowd::chat(pick(CHATS)),
        "from": crowd::handle(pick(USERS)),
    });
    if pick(2) == 0 {
        question["mention"] = "true".into();
    }
    if let Some(text) = text {
        question["text"] = text.into();
    }
    question
}

/// What one `act` costs the host, in thousandths of a second of CPU; the mean of many.
fn cost(bench: &Bench<'_>, host: &Host<'_>, mut act: impl FnMut(u32) -> Result<()>) -> Result<f64> {
    let mut some = |times: u32| {
        (0..times).try_for_each(|number| {
            bench.interrupts.check()?;
            act(number)
        })
    };
    some(WARM_UP)?;
    let before = process::cpu_time(host.process())?;
    some(bench.counts.routed)?;
    let used = process::cpu_time(host.process())?.saturating_sub(before);
    Ok(millis(used) / f64::from(bench.counts.routed))
}
