//! `anchorhold-sim`: runs seeds, or one scenario with a death at every step, and says what it found.

use std::{
    io::{self, Write},
    ops::Range,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anchorhold_sim::{
    plan::{Kill, Plan, Whom},
    run::{Outcome, run},
    sabotage::Sabotage,
};
use anyhow::{Context, Result, ensure};
use clap::Parser;

/// How much of a failing run's record is shown.
const TAIL: usize = 120;
/// How often a seed is run at most to see it fail again.
const REPLAYS: u32 = 20;

/// The whole path in one process, under seeded faults and virtual time.
#[derive(Debug, Parser)]
struct Args {
    /// Runs this seed alone, again until it fails or often enough, and shows its record.
    #[arg(long, conflicts_with_all = ["seeds", "steps", "power"])]
    seed: Option<u64>,
    /// Runs these seeds, e.g. 0..300.
    #[arg(long, value_parser = range)]
    seeds: Option<Range<u64>>,
    /// Runs so many seeds that nobody has chosen, and shows them.
    #[arg(long)]
    fresh: Option<u64>,
    /// Runs ten messages over two conversations with a death at each step in turn.
    #[arg(long)]
    steps: bool,
    /// The same with a power cut at each step in turn.
    #[arg(long)]
    power: bool,
    /// With `--steps` or `--power`: only each so-manieth step.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    stride: u64,
    /// With `--power`: what chance leaves on the disk is drawn from this.
    #[arg(long, default_value_t = 0)]
    chance: u64,
    /// With `--steps` or `--power`: only this step, and its record.
    #[arg(long)]
    at: Option<u64>,
    /// How many simulations run at once.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    jobs: u64,
    /// Shows the host's own log, too.
    #[arg(long)]
    log: bool,
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("it looks like 0..300")?;
    let number = |text: &str| {
        text.parse()
            .map_err(|_bad| format!("{text:?} is no number"))
    };
    Ok(number(from)?..number(to)?)
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if args.log {
        tracing_subscriber::fmt()
            .with_env_filter("info")
            .with_writer(io::stderr)
            .without_time()
            .init();
    }
    if let Some(seed) = args.seed {
        return replay(&Plan::of(seed));
    }
    if let Some(at) = args.at {
        ensure!(args.steps || args.power, "--at needs --steps or --power");
        let whom = if args.power { Whom::Power } else { Whom::Actor };
        return replay(&dying(Kill { at, whom }, args.chance));
    }
    let mut good = true;
    if args.steps || args.power {
        good &= every_step(&args)?;
    }
    if let Some(count) = args.fresh {
        let from = fresh();
        let seeds = from..from.saturating_add(count);
        good &= all(
            &format!("fresh seeds {seeds:?}"),
            seeds.map(Plan::of),
            args.jobs,
        )?;
    }
    if let Some(seeds) = args.seeds {
        good &= all(&format!("seeds {seeds:?}"), seeds.map(Plan::of), args.jobs)?;
    }
    Ok(code(good))
}

/// A seed that nobody has chosen.
#[expect(
    clippy::disallowed_methods,
    reason = "the one thing here that is to be another in each run"
)]
fn fresh() -> u64 {
    // Short enough to be typed, and away from those that are always run.
    let micros = jiff::Timestamp::now().as_microsecond().unsigned_abs();
    1_000_000 + micros % 1_000_000_000
}

fn every_step(args: &Args) -> Result<bool> {
    let quiet = run(&Plan::fixed(None), Sabotage::None);
    show_if_bad(&quiet)?;
    ensure!(quiet.violations.is_empty(), "it fails without a death");
    let stride = usize::try_from(args.stride).context("a stride too long")?;
    let mut good = true;
    for (wanted, whom, what) in [
        (args.steps, Whom::Actor, "a death"),
        (args.power, Whom::Power, "a power cut"),
    ] {
        if wanted {
            let steps = (1..=quiet.steps).step_by(stride);
            let plans = steps.map(|at| dying(Kill { at, whom }, args.chance));
            let what = format!("{what} at one of {stride} of {} steps", quiet.steps);
            good &= all(&what, plans, args.jobs)?;
        }
    }
    Ok(good)
}

/// The scenario that is always the same, with one death.
fn dying(kill: Kill, chance: u64) -> Plan {
    let mut plan = Plan::fixed(Some(kill));
    if kill.whom == Whom::Power {
        plan.seed = chance;
    }
    plan
}

/// Runs all plans, and says how many failed.
fn all(what: &str, plans: impl Iterator<Item = Plan>, jobs: u64) -> Result<bool> {
    let plans: Vec<_> = plans.collect();
    let next = AtomicUsize::new(0);
    let sum = Mutex::new((0_u64, 0_u64, 0_u64));
    let work = || -> Result<()> {
        while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = run(plan, Sabotage::None);
            let bad = show_if_bad(&outcome)?;
            let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
            *sum = (
                sum.0 + u64::from(bad),
                sum.1 + outcome.steps,
                sum.2 + outcome.hosts,
            );
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .unwrap_or_else(|_panic| Err(anyhow::anyhow!("a worker panicked")))
        })
    })?;
    let (failed, steps, hosts) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    writeln!(
        io::stdout(),
        "{what}: {} runs, {failed} failed; {steps} steps, {hosts} hosts",
        plans.len()
    )?;
    Ok(failed == 0)
}

fn replay(plan: &Plan) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    let mut outcome = run(plan, Sabotage::None);
    let mut runs = 1;
    while outcome.violations.is_empty() && runs < REPLAYS {
        outcome = run(plan, Sabotage::None);
        runs += 1;
    }
    for line in &outcome.record {
        writeln!(out, "{line}")?;
    }
    write!(out, "{}", outcome.plan)?;
    for violation in &outcome.violations {
        writeln!(out, "violation: {violation}")?;
    }
    writeln!(
        out,
        "{runs} runs; the last: {} steps, {} hosts, {} virtual ms, sum {:x}",
        outcome.steps, outcome.hosts, outcome.took_ms, outcome.sum
    )?;
    Ok(code(outcome.violations.is_empty()))
}

/// Shows the end of a failing run, and how to see it again. True: it has failed.
fn show_if_bad(outcome: &Outcome) -> Result<bool> {
    if outcome.violations.is_empty() {
        return Ok(false);
    }
    let mut out = io::stdout().lock();
    let from = outcome.record.len().saturating_sub(TAIL);
    for line in outcome.record.iter().skip(from) {
        writeln!(out, "{line}")?;
    }
    write!(out, "{}", outcome.plan)?;
    for violation in &outcome.violations {
        writeln!(out, "violation: {violation}")?;
    }
    let how = match outcome.plan.kills.as_slice() {
        [kill] if outcome.plan.is_fixed && kill.whom == Whom::Power => {
            let chance = outcome.plan.seed;
            format!("--power --chance {chance} --at {}", kill.at)
        }
        [kill] if outcome.plan.is_fixed => format!("--steps --at {}", kill.at),
        _ => format!("--seed {}", outcome.plan.seed),
    };
    writeln!(out, "replay: cargo run -p anchorhold-sim -- {how}")?;
    Ok(true)
}

fn code(good: bool) -> ExitCode {
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
