//! `cargo xtask crash`: kills everything at random while messages flow, and counts what came of it.
//!
//! This program is the platform: it holds what people said until the host has taken it on, and what
//! was answered, and it outlives everything else. It offers a message again under its id until it is
//! accepted, and shows what comes twice under one id once, as platforms do that dedupe.

mod dice;
mod platform;
mod processes;
mod rig;
mod tally;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{
    binaries::{self, Profile},
    crash::{dice::Dice, platform::Platform, rig::Rig, tally::Tally},
    debian,
    e2e::Runtime,
    engine::Engine,
    image,
    machine::{self, Interrupts, Stopwatch},
    output::{self, Console},
    workspace::Workspace,
};

/// How many conversations talk at the same time.
const CONVERSATIONS: usize = 6;
/// The time between two kills is drawn from these milliseconds: from in the middle of a start to
/// long enough for answers.
const BETWEEN_MS: (u64, u64) = (20, 1_600);
/// How long everything may take to be answered once nothing is killed any more.
const QUIET_LIMIT: Duration = Duration::from_mins(5);
/// How long the run pauses when nobody has anything to say or hear.
const PACE: Duration = Duration::from_millis(5);

/// How many kills there are in `e2e` and `ci`, on each runtime.
const FEW_KILLS: u32 = 10;

/// What `cargo xtask crash` can be told.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many kills there are.
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// Repeats the choices of an earlier run; when each kill hits is never the same again.
    #[arg(long)]
    seed: Option<u64>,
    /// Only on this runtime; without it, half of the kills on each.
    #[arg(long)]
    runtime: Option<Runtime>,
}

/// What one run works with.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) console: &'a Console,
    pub(crate) interrupts: &'a Interrupts,
    pub(crate) runner: std::path::PathBuf,
}

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Host,
    Sandbox,
    Engine,
}

/// `cargo xtask crash`
pub(crate) fn run(workspace: &Workspace, console: &Console, options: &Options) -> Result<ExitCode> {
    let interrupts = Interrupts::catch()?;
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN)?;
    binaries::host(workspace, console, Profile::Dev)?;
    let scene = Scene {
        workspace,
        console,
        interrupts: &interrupts,
        runner: binaries::runner(workspace, console, Profile::Dev)?,
    };
    let seed = match options.seed {
        Some(seed) => seed,
        None => fresh_seed()?,
    };
    let runtimes = match options.runtime {
        Some(runtime) => vec![runtime],
        None => vec![Runtime::Docker, Runtime::Sandbox],
    };
    let share = options
        .kills
        .div_ceil(u32::try_from(runtimes.len()).unwrap_or(1));
    let mut good = true;
    for runtime in runtimes {
        let mut engine = match runtime {
            Runtime::Docker => Some(Engine::start_own_or_find(&sh, console)?),
            Runtime::Sandbox => None,
        };
        if let Some(engine) = &engine {
            image::make_default(workspace, console, engine)?;
        }
        let tally = kill_at_random(&scene, runtime, engine.as_mut(), share, seed)?;
        output::say(&tally.table(runtime.name()));
        good &= tally.is_good();
    }
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A few kills, for `e2e` and `ci`: an error if anything was lost, came twice or is not explained.
pub(crate) fn few(
    scene: &Scene<'_>,
    runtime: Runtime,
    engine: Option<&mut Engine>,
) -> Result<String> {
    let tally = kill_at_random(scene, runtime, engine, FEW_KILLS, fresh_seed()?)?;
    ensure!(tally.is_good(), "{}", tally.table(runtime.name()));
    Ok(tally.line())
}

fn fresh_seed() -> Result<u64> {
    let nanos = machine::since_epoch()?.as_nanos();
    Ok(u64::try_from(nanos & u128::from(u64::MAX))?)
}

fn kill_at_random(
    scene: &Scene<'_>,
    runtime: Runtime,
    mut engine: Option<&mut Engine>,
    kills: u32,
    seed: u64,
) -> Result<Tally> {
    let runtime_name = runtime.name();
    scene.console.say(&format!(
        "crash on {runtime_name}: {kills} kills, seed {seed}"
    ));
    let mut dice = Dice::new(seed);
    if runtime == Runtime::Sandbox {
        engine = None;
    }
    let mut rig = Rig::new(scene, runtime, engine.as_deref())?;
    let mut platform = Platform::new(&rig.channel(), CONVERSATIONS);
    let mut tally = Tally::new(seed);
    let watch = Stopwatch::start();
    rig.start()?;
    let done = (|| {
        // Everybody has an answer before the first kill: then it hits work, not only a start.
        talk_until(scene, &mut platform, &mut dice, QUIET_LIMIT, |platform| {
            platform.answered() >= CONVERSATIONS
        })?;
        while tally.kills() < kills {
            let span = Duration::from_millis(dice.between(BETWEEN_MS.0, BETWEEN_MS.1));
            let pause = Stopwatch::start();
            talk_until(scene, &mut platform, &mut dice, QUIET_LIMIT, |_| {
                pause.elapsed() >= span
            })?;
            let own = engine.as_ref().is_some_and(|engine| engine.is_own());
            let victim = match dice.between(0, 99) {
                0..45 => Victim::Host,
                45..55 if own => Victim::Engine,
                _ => Victim::Sandbox,
            };
            let hit = match victim {
                Victim::Host => rig.kill_host()?,
                Victim::Sandbox => rig.kill_sandbox(&mut dice)?,
                Victim::Engine => kill_engine(scene, engine.as_deref_mut())?,
            };
            tally.hit(victim, hit);
        }
        platform.fall_silent();
        let quiet = talk_until(scene, &mut platform, &mut dice, QUIET_LIMIT, |platform| {
            platform.is_settled()
        })?;
        if quiet {
            // What is to come twice would come now.
            let rest = Stopwatch::start();
            talk_until(scene, &mut platform, &mut dice, QUIET_LIMIT, |_| {
                rest.elapsed() >= Duration::from_secs(3)
            })?;
        }
        tally.platform = platform.counts();
        tally.host = rig.counts().context("ask the host what it knows")?;
        tally.took = watch.elapsed();
        Ok(())
    })();
    if done.is_err() || !tally.is_good() {
        rig.keep_log(scene, runtime);
        for line in platform.unsettled() {
            scene.console.say(&line);
        }
    }
    rig.stop()?;
    done.map(|()| tally)
}

/// Lets people talk until `enough`; false if that did not come within `limit`.
fn talk_until(
    scene: &Scene<'_>,
    platform: &mut Platform,
    dice: &mut Dice,
    limit: Duration,
    mut enough: impl FnMut(&Platform) -> bool,
) -> Result<bool> {
    let watch = Stopwatch::start();
    loop {
        scene.interrupts.check()?;
        if !platform.step(dice)? {
            machine::pause(PACE);
        }
        if enough(platform) {
            return Ok(true);
        }
        if watch.elapsed() >= limit {
            return Ok(false);
        }
    }
}

fn kill_engine(scene: &Scene<'_>, engine: Option<&mut Engine>) -> Result<bool> {
    let Some(engine) = engine else {
        return Ok(false);
    };
    let sh = scene.workspace.shell()?;
    engine.crash(&sh)?;
    Ok(true)
}
