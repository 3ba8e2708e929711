//! `cargo xtask bench`: the built programs against their targets, on the disk at hand.
//!
//! Each measurement runs the real programs on a fresh data directory, and measures beside its
//! figures what an fsync costs on the same disk; `docs/bench.md` says what each figure means.

mod client;
mod crowd;
mod delivery;
mod disk;
mod expected;
mod figure;
mod filling;
mod footprint;
mod intake;
mod latency;
mod process;
mod report;
mod rig;
mod routing;
mod stats;
mod syncs;
mod tracer;

use std::{
    fs::{self, File},
    io::Read,
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;

use crate::{
    bench::{
        figure::Figure,
        intake::Into,
        report::{Failure, Machine, Report},
        rig::{Home, Host, Setup},
    },
    binaries::{self, Profile},
    debian,
    e2e::Runtime,
    engine::Engine,
    image,
    machine::Interrupts,
    output::{self, Console},
    workspace::Workspace,
};

/// What `cargo xtask bench` can be told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure fewer times: to see that it works, not to keep the figures.
    #[arg(long)]
    quick: bool,
    /// Fail if a figure exceeds its target.
    #[arg(long)]
    check: bool,
    /// Write everything as JSON to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only the measurements whose name begins so; can be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A folder on the disk to measure on; without it, where builds land.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What the random gaps between messages, and random picks, are made from.
    #[arg(long)]
    seed: Option<u64>,
}

/// One measurement, which gives several figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Measure {
    Size,
    Start,
    Idle(Runtime),
    Sessions,
    Thousand,
    Routing,
    Runner(Runtime),
    Warm(Runtime),
    Gaps(Runtime),
    Burst(Runtime),
    DeliverOne,
    DeliverMany,
    Intake(Into),
    Syncs(Runtime),
    Cold(Runtime),
    Hundred,
}

/// All of them, in their order.
const ALL: &[(&str, Measure)] = &[
    ("size", Measure::Size),
    ("start", Measure::Start),
    ("idle-sandbox", Measure::Idle(Runtime::Sandbox)),
    ("idle-docker", Measure::Idle(Runtime::Docker)),
    ("sessions", Measure::Sessions),
    ("thousand", Measure::Thousand),
    ("routing", Measure::Routing),
    ("runner-sandbox", Measure::Runner(Runtime::Sandbox)),
    ("runner-docker", Measure::Runner(Runtime::Docker)),
    ("warm-sandbox", Measure::Warm(Runtime::Sandbox)),
    ("warm-docker", Measure::Warm(Runtime::Docker)),
    ("gaps-sandbox", Measure::Gaps(Runtime::Sandbox)),
    ("gaps-docker", Measure::Gaps(Runtime::Docker)),
    ("burst-sandbox", Measure::Burst(Runtime::Sandbox)),
    ("burst-docker", Measure::Burst(Runtime::Docker)),
    ("deliver-one", Measure::DeliverOne),
    ("deliver-many", Measure::DeliverMany),
    ("intake-one", Measure::Intake(Into::ONE)),
    ("intake-many", Measure::Intake(Into::MANY)),
    ("syncs-sandbox", Measure::Syncs(Runtime::Sandbox)),
    ("syncs-docker", Measure::Syncs(Runtime::Docker)),
    ("cold-sandbox", Measure::Cold(Runtime::Sandbox)),
    ("cold-docker", Measure::Cold(Runtime::Docker)),
    ("hundred", Measure::Hundred),
];

/// How often things are done, and for how long.
#[derive(Clone, Copy, Debug)]
struct Counts {
    /// Messages to a sandbox that runs.
    messages: usize,
    /// Messages while calls are counted.
    traced: usize,
    /// Conversations that begin while no sandbox runs.
    cold: usize,
    /// Bursts of messages.
    bursts: usize,
    /// Starts of the host.
    starts: usize,
    /// Messages that are routed among many wirings and people.
    routed: u32,
    /// How long a process settles: longer than its spare threads wait for work.
    settle: Duration,
    /// How long a process is watched at rest.
    window: Duration,
}

impl Counts {
    const FULL: Self = Self {
        messages: 200,
        traced: 20,
        cold: 10,
        bursts: 3,
        starts: 5,
        routed: 5000,
        settle: Duration::from_secs(15),
        window: Duration::from_secs(10),
    };
    const QUICK: Self = Self {
        messages: 50,
        traced: 5,
        cold: 3,
        bursts: 1,
        starts: 2,
        routed: 500,
        settle: Duration::from_secs(3),
        window: Duration::from_secs(5),
    };
}

/// The programs that are measured.
#[derive(Debug)]
struct Programs {
    host: PathBuf,
    runner: PathBuf,
}

/// What all measurements need.
#[derive(Debug)]
struct Bench<'a> {
    workspace: &'a Workspace,
    console: &'a Console,
    interrupts: Interrupts,
    programs: Programs,
    /// Why there is none is kept for the measurements that need one.
    engine: Result<Engine>,
    /// On the disk that is measured on.
    folder: PathBuf,
    counts: Counts,
    seed: u64,
}

/// `cargo xtask bench`
pub(crate) fn run(workspace: &Workspace, console: &Console, options: &Options) -> Result<ExitCode> {
    let measures = chosen(&options.only)?;
    let bench = prepare(workspace, console, options, &measures)?;
    let mut report = Report {
        quick: options.quick,
        seed: bench.seed,
        machine: Machine::this(),
        baseline_source: expected::BASELINE_SOURCE,
        figures: vec![],
        failures: vec![],
    };
    for (name, measure) in measures {
        bench.interrupts.check()?;
        console.say(&format!("measuring {name}"));
        match measure.run(&bench, name) {
            Ok(figures) => {
                let unmeasured = Failure::new(name, "it gave no such figure".to_owned(), &figures);
                report.figures.extend(figures);
                if !unmeasured.missing.is_empty() {
                    report.failures.push(unmeasured);
                }
            }
            Err(err) => {
                console.say(&format!("{name} failed: {err:#}"));
                report
                    .failures
                    .push(Failure::new(name, format!("{err:#}"), &[]));
            }
        }
    }
    bench.interrupts.check()?;
    output::say(&report.table());
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(path, text + "\n").with_context(|| format!("write {}", path.display()))?;
    }
    let failed = !report.failures.is_empty() || (options.check && report.misses());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The measurements whose name begins with one of `only`; all of them if that is empty.
fn chosen(only: &[String]) -> Result<Vec<(&'static str, Measure)>> {
    for asked in only {
        if !ALL.iter().any(|(name, _)| name.starts_with(asked)) {
            let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
            bail!(
                "no measurement is called {asked}; there are {}",
                names.join(", ")
            );
        }
    }
    let is_chosen =
        |name: &str| only.is_empty() || only.iter().any(|asked| name.starts_with(asked));
    Ok(ALL
        .iter()
        .copied()
        .filter(|(name, _)| is_chosen(name))
        .collect())
}

fn prepare<'a>(
    workspace: &'a Workspace,
    console: &'a Console,
    options: &Options,
    measures: &[(&'static str, Measure)],
) -> Result<Bench<'a>> {
    let interrupts = Interrupts::catch()?;
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    let programs = Programs {
        host: binaries::host(workspace, console, Profile::Release)?,
        runner: binaries::runner(workspace, console, Profile::Release)?,
    };
    interrupts.check()?;
    let engine = if measures.iter().any(|(_, measure)| measure.needs_engine()) {
        Engine::find_or_start(&sh, console).and_then(|engine| {
            image::make_default(workspace, console, &engine)?;
            Ok(engine)
        })
    } else {
        Err(anyhow!("no measurement needs one"))
    };
    let folder = match &options.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => workspace.target.join("bench"),
    };
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let counts = if options.quick {
        Counts::QUICK
    } else {
        Counts::FULL
    };
    Ok(Bench {
        workspace,
        console,
        interrupts,
        programs,
        engine,
        folder,
        counts,
        seed: options.seed.map_or_else(random, Ok)?,
    })
}

fn random() -> Result<u64> {
    let mut bytes = [0; 4];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read a random seed")?;
    // Short enough to be typed again.
    Ok(u64::from(u32::from_le_bytes(bytes)))
}

impl Measure {
    fn run(self, bench: &Bench<'_>, name: &'static str) -> Result<Vec<Figure>> {
        match self {
            Self::Size => footprint::size(bench, name),
            Self::Start => footprint::start(bench, name),
            Self::Idle(runtime) => footprint::idle(bench, name, runtime),
            Self::Sessions => footprint::sessions(bench, name),
            Self::Thousand => footprint::thousand(bench, name),
            Self::Routing => routing::measure(bench, name),
            Self::Runner(runtime) => footprint::runner(bench, name, runtime),
            Self::Warm(runtime) => latency::warm(bench, name, runtime),
            Self::Gaps(runtime) => latency::gaps(bench, name, runtime),
            Self::Burst(runtime) => latency::burst(bench, name, runtime),
            Self::Syncs(runtime) => syncs::count(bench, name, runtime),
            Self::Cold(runtime) => latency::cold(bench, name, runtime),
            Self::DeliverOne => delivery::one(bench, name),
            Self::DeliverMany => delivery::many(bench, name),
            Self::Hundred => delivery::hundred(bench, name),
            Self::Intake(into) => intake::measure(bench, name, into),
        }
    }

    fn needs_engine(self) -> bool {
        match self {
            Self::Size
            | Self::Start
            | Self::Sessions
            | Self::Thousand
            | Self::Routing
            | Self::DeliverOne
            | Self::DeliverMany
            | Self::Intake(_)
            | Self::Hundred => false,
            Self::Idle(runtime)
            | Self::Runner(runtime)
            | Self::Warm(runtime)
            | Self::Gaps(runtime)
            | Self::Burst(runtime)
            | Self::Syncs(runtime)
            | Self::Cold(runtime) => runtime == Runtime::Docker,
        }
    }
}

impl<'a> Bench<'a> {
    fn engine(&self) -> Result<&Engine> {
        match &self.engine {
            Ok(engine) => Ok(engine),
            Err(err) => bail!("there is no container engine: {err:#}"),
        }
    }

    /// Starts a host on a fresh data directory, does something with it, and stops it in any case.
    fn with_host<T>(
        &'a self,
        setup: Setup,
        work: impl FnOnce(&Host<'_>) -> Result<T>,
    ) -> Result<T> {
        self.with_host_at(&Home::new(self, setup)?, work)
    }

    /// The same on a data directory that may be known, and stays.
    fn with_host_at<'b, T>(
        &'b self,
        home: &'b Home,
        work: impl FnOnce(&Host<'b>) -> Result<T>,
    ) -> Result<T> {
        let done = home.start(self).and_then(|host| {
            let done = work(&host);
            let stopped = host.stop();
            let done = done?;
            stopped?;
            Ok(done)
        });
        if done.is_err() {
            home.keep_log(self);
        }
        done
    }
}

#[cfg(test)]
mod tests;
