//! One simulation from beginning to end: hosts live and die, time goes by, the judge looks on.

use std::{collections::VecDeque, io, sync::Arc, time::Duration};

use camino::Utf8PathBuf;
use tokio::{
    runtime::{Builder, Runtime},
    time::{Instant, sleep_until},
};

use crate::{
    engine::Engine,
    host::{Ground, Host, furnish},
    judge::Judge,
    plan::{Death, Plan, Said},
    platform::Platform,
    random::Rng,
    sabotage::Sabotage,
    vfs::{self, Role, as_role},
    world::World,
};

/// How long everything may take to end after the last fault, in virtual time: longer than all
/// tries of one message together.
const CALM_LIMIT_MS: u64 = 30 * 60_000;
/// More steps than any plan needs.
const STEPS_LIMIT: u64 = 60_000;
/// How often the judge looks.
const LOOK_EVERY_MS: u64 = 1_000;
/// The longest slice of time.
const SLICE_LIMIT_MS: u64 = 500;
/// How long a host that was told to stop may take.
const STOP_LIMIT_MS: u64 = 60_000;

/// How one simulation ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its plan.
    pub plan: Plan,
    /// What was not as it must be; empty is right.
    pub violations: Vec<String>,
    /// What happened, step by step.
    pub record: Vec<String>,
    /// The same for two runs with the same record.
    pub sum: u64,
    /// How many numbered steps there were.
    pub steps: u64,
    /// How many hosts there were.
    pub hosts: u64,
    /// How long it took, in virtual milliseconds.
    pub took_ms: u64,
}

/// Runs a plan, on a thread of its own: what a thread remembers is part of no plan.
pub fn run(plan: &Plan, sabotage: Sabotage) -> Outcome {
    let ran = std::thread::scope(|scope| {
        let running = scope.spawn(|| as_role(Role::Judge, || try_run(plan, sabotage)));
        running.join()
    });
    let why = match ran {
        Ok(Ok(outcome)) => return outcome,
        Ok(Err(failure)) => format!("the simulation can't run: {failure}"),
        Err(panicked) => {
            let text = panicked.downcast_ref::<String>().cloned();
            let known = panicked
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned());
            let text = text.or(known).unwrap_or_default();
            format!("the simulation panicked: {text}")
        }
    };
    Outcome {
        plan: plan.clone(),
        violations: vec![why],
        record: Vec::new(),
        sum: 0,
        steps: 0,
        hosts: 0,
        took_ms: 0,
    }
}

fn try_run(plan: &Plan, sabotage: Sabotage) -> io::Result<Outcome> {
    // In memory where that is to be had: what is durable is kept beside the files anyway.
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)?
    } else {
        tempfile::tempdir()?
    };
    let dir = Utf8PathBuf::from_path_buf(folder.path().canonicalize()?)
        .map_err(|_path| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let world = World::new(dir, plan.clone(), sabotage);
    vfs::watch(&world);
    furnish(&world)?;
    let mut run = Run::new(world)?;
    run.live()?;
    Ok(run.end())
}

struct Run {
    ground: Ground,
    outside: Runtime,
    began: Instant,
    judge: Judge,
    rng: Rng,
    host: Option<Host>,
    hosts: u64,
    restart_at: u64,
    slice_ms: u64,
    said: VecDeque<Said>,
    deaths: VecDeque<Death>,
    jumps: VecDeque<(u64, i64)>,
}

impl Run {
    fn new(world: Arc<World>) -> io::Result<Self> {
        let outside = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .global_queue_interval(u32::MAX)
            .event_interval(u32::MAX)
            .build()?;
        let began = {
            let _context = outside.enter();
            Instant::now()
        };
        let platform = Platform::new(Arc::clone(&world));
        let engine = Engine::new(Arc::clone(&world), outside.handle().clone());
        let plan = &world.plan;
        Ok(Self {
            rng: Rng::new(plan.seed, 3),
            said: plan.said.clone().into(),
            deaths: plan.deaths.clone().into(),
            jumps: plan.jumps.clone().into(),
            judge: Judge::new(
                Arc::clone(&world),
                Arc::clone(&platform),
                Arc::clone(&engine),
            ),
            ground: Ground {
                world,
                platform,
                engine,
            },
            outside,
            began,
            host: None,
            hosts: 0,
            restart_at: 0,
            slice_ms: 1,
        })
    }

    fn world(&self) -> &World {
        &self.ground.world
    }

    /// Goes on until everything has ended, or should have.
    fn live(&mut self) -> io::Result<()> {
        let calm_at = self.world().plan.calm_at;
        let mut look_at = 0;
        loop {
            self.happenings();
            // Before anybody begins: who was there when the power went is gone, and nobody else.
            self.bury()?;
            self.advance()?;
            let now = self.world().now_ms();
            if now < look_at {
                continue;
            }
            look_at = now + LOOK_EVERY_MS;
            self.judge.look(self.host.is_some());
            let said_all = self.said.is_empty() && self.ground.platform.is_idle();
            let calm = now >= calm_at && said_all && self.host.is_some();
            if calm && self.judge.is_all_over() {
                return Ok(());
            }
            if now > calm_at + CALM_LIMIT_MS || self.world().steps() > STEPS_LIMIT {
                self.world()
                    .violation(format_args!("it does not come to its end"));
                return Ok(());
            }
        }
    }

    /// What happens by the clock.
    fn happenings(&mut self) {
        let now = self.world().now_ms();
        while let Some(said) = self.said.pop_front_if(|said| said.at <= now) {
            self.ground.platform.say(said);
        }
        while let Some((_, by)) = self.jumps.pop_front_if(|(at, _)| *at <= now) {
            self.world().jump(by);
        }
        while let Some(death) = self.deaths.pop_front_if(|death| death.at <= now) {
            self.world().die(death.whom);
        }
    }

    /// One slice of time: first the host's, then everybody else's.
    fn advance(&mut self) -> io::Result<()> {
        let now = self.world().now_ms();
        if self.host.is_none() && now >= self.restart_at {
            self.hosts += 1;
            self.host = Some(Host::start(&self.ground, self.hosts)?);
        }
        let before = self.world().steps();
        let until = now + self.slice_ms;
        if let Some(host) = &mut self.host {
            host.slice(until);
        }
        self.bury()?;
        self.outside_until(until);
        self.world().set_now(until);
        self.bury()?;
        self.slice_ms = if self.world().steps() == before {
            (self.slice_ms * 2).min(SLICE_LIMIT_MS)
        } else {
            self.rng.between(1, 8)
        };
        Ok(())
    }

    fn outside_until(&self, until: u64) {
        let at = self.began + Duration::from_millis(until);
        self.outside.block_on(async {
            // Twice, so that who is told something at the end of it has heard it.
            sleep_until(at).await;
            tokio::task::yield_now().await;
        });
    }

    /// Puts away what has died.
    fn bury(&mut self) -> io::Result<()> {
        let over = self.host.as_ref().is_some_and(Host::is_over);
        if over && let Some(host) = self.host.take() {
            let why = host.failure();
            host.kill();
            let world = &self.ground.world;
            match why {
                Some(why) => world.note(format_args!("the host could not start: {why}")),
                None => world.note(format_args!("the host is dead")),
            }
            self.restart_at = world.now_ms() + self.rng.between(1, 2_000);
            self.judge.host_died();
        }
        if self.ground.world.take_power_cut() {
            let now = self.world().now_ms();
            // Those in the sandboxes are dead already; here they close their eyes.
            self.outside_until(now);
            self.ground.engine.forget_all();
            self.world().reboot();
            self.world().note(format_args!("the power is cut"));
            self.restart_at = now + self.rng.between(1, 2_000);
            let lost = self.ground.world.disk().cut(&mut self.rng)?;
            for (path, what) in lost {
                let short = path.trim_start_matches(self.world().dir.as_str());
                self.world().note(format_args!("  {short}: {what}"));
            }
        }
        Ok(())
    }

    /// Stops the host as one stops it, and looks at what is left.
    fn end(mut self) -> Outcome {
        // Who dies while it stops is only one more death; here it is seen whether it stops.
        self.world().spare_all();
        let begun = self.world().now_ms();
        let told = self.host.as_ref().is_some_and(Host::tell_to_stop);
        let stopped = |run: &Self| run.host.as_ref().is_none_or(Host::has_stopped);
        while told && !stopped(&self) {
            let until = self.world().now_ms() + 10;
            if let Some(host) = &mut self.host {
                host.slice(until);
            }
            self.outside_until(until);
            self.world().set_now(until);
            if until > begun + STOP_LIMIT_MS {
                self.world()
                    .violation(format_args!("the host does not stop"));
                break;
            }
        }
        if let Some(mut host) = self.host.take() {
            let until = self.world().now_ms() + 10;
            host.slice(until);
            // The place that the slice itself keeps is a task, too.
            let left = host.tasks().saturating_sub(1);
            if told && left > 0 {
                self.world().violation(format_args!(
                    "{left} tasks are left after the host has stopped"
                ));
            }
            host.kill();
        }
        self.judge.verdict();
        let world = &self.ground.world;
        Outcome {
            plan: world.plan.clone(),
            violations: world.violations(),
            record: world.record(),
            sum: world.sum(),
            steps: world.steps(),
            hosts: self.hosts,
            took_ms: world.now_ms(),
        }
    }
}

#[cfg(test)]
mod tests;
