//! The host: its real stages on a runtime of their own, which dies with them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_channel::{ChannelAdapter, SecretSource, health};
use anchorhold_core::{clock::Clock, entity::UnknownSenderPolicy, ids::ChannelName};
use anchorhold_host::{
    app::{self, Parts, Running},
    blocking::set_before,
    dirs::Dirs,
    registry::Instance,
    settings,
};
use anchorhold_runner::runtime::RuntimeKind;
use anchorhold_store::Pace;
use camino::Utf8PathBuf;
use tokio::{
    runtime::{Builder, Runtime},
    task::yield_now,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    engine::Engine,
    judge::Records,
    pace::OneByOne,
    plan::{BLIND, DEDUPES},
    platform::{Platform, adapter::Adapter},
    random::Rng,
    time::{SeededEntropy, VirtualClock},
    vfs::{Role, as_role},
    world::{Life, World},
};

/// How long turns get when the host is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// What a host works with that outlives it.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The simulation.
    pub world: Arc<World>,
    /// The chat platform.
    pub platform: Arc<Platform>,
    /// What runs sandboxes.
    pub engine: Arc<Engine>,
}

/// How far a host has come.
enum Stage {
    Starting,
    Runs(Box<Running>),
    Failed(String),
    Stopped,
}

/// One life of the host.
pub struct Host {
    world: Arc<World>,
    life: Arc<Life>,
    runtime: Option<Runtime>,
    stage: Arc<Mutex<Stage>>,
    began: Instant,
    began_ms: u64,
    /// Kept while others are at work, so that nothing beside the host's own thread is.
    turn: Option<Box<dyn Send + Sync>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl Host {
    /// Starts the `number`-th host of the simulation.
    pub fn start(ground: &Ground, number: u64) -> Result<Self, std::io::Error> {
        let world = Arc::clone(&ground.world);
        let life = Life::new(format!("host {number}"), true);
        world.host_begins(&life);
        let parks = Arc::clone(&world);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            // What runs beside comes in its order, and is taken note of when all else rests: then
            // two runs take note of it at the same place.
            .max_blocking_threads(1)
            .global_queue_interval(u32::MAX)
            .event_interval(u32::MAX)
            .on_thread_park(move || parks.parked())
            .build()?;
        let began_ms = world.now_ms();
        let began = {
            let _context = runtime.enter();
            Instant::now()
        };
        let stage = Arc::new(Mutex::new(Stage::Starting));
        let (ground, begun, alive) = (ground.clone(), Arc::clone(&stage), Arc::clone(&life));
        drop(runtime.spawn(async move {
            let next = match Box::pin(begin(ground, alive, number, began_ms)).await {
                Ok(running) => Stage::Runs(Box::new(running)),
                Err(failure) => Stage::Failed(failure),
            };
            *lock(&begun) = next;
        }));
        Ok(Self {
            world,
            life,
            runtime: Some(runtime),
            stage,
            began,
            began_ms,
            turn: None,
        })
    }

    /// Lets it do everything there is to do until `until_ms`, or until it dies.
    pub fn slice(&mut self, until_ms: u64) {
        let Some(runtime) = &self.runtime else {
            return;
        };
        let turn = self.turn.take();
        let (life, world) = (Arc::clone(&self.life), Arc::clone(&self.world));
        let pace = OneByOne::new(&world, &life);
        let at = self.began + Duration::from_millis(until_ms.saturating_sub(self.began_ms));
        let others = set_before(Some(pace.before()));
        self.turn = as_role(Role::Host, || {
            runtime.block_on(async move {
                // What others have done meanwhile is seen before anything beside goes on.
                yield_now().await;
                drop(turn);
                let slice = async {
                    sleep_until(at).await;
                    let turn = pace.begin().await;
                    yield_now().await;
                    turn
                };
                let nudges = async {
                    loop {
                        world.nudged().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = life.death() => None,
                    turn = slice => Some(turn),
                    () = nudges => None,
                }
            })
        });
        set_before(others);
    }

    /// Is it over, by death or since it could not start?
    pub fn is_over(&self) -> bool {
        let failed = matches!(*lock(&self.stage), Stage::Failed(_));
        self.life.is_dead() || failed
    }

    /// Why it could not start.
    pub fn failure(&self) -> Option<String> {
        match &*lock(&self.stage) {
            Stage::Failed(why) => Some(why.clone()),
            Stage::Starting | Stage::Runs(_) | Stage::Stopped => None,
        }
    }

    /// Tells it to stop, as SIGTERM does. False: it does not run yet.
    pub fn tell_to_stop(&self) -> bool {
        let mut stage = lock(&self.stage);
        if !matches!(*stage, Stage::Runs(_)) {
            return false;
        }
        let before = std::mem::replace(&mut *stage, Stage::Starting);
        drop(stage);
        let (Stage::Runs(running), Some(runtime)) = (before, &self.runtime) else {
            return false;
        };
        let stage = Arc::clone(&self.stage);
        drop(runtime.spawn(async move {
            running.stop(STOP_GRACE).await;
            *lock(&stage) = Stage::Stopped;
        }));
        true
    }

    /// Has it stopped?
    pub fn has_stopped(&self) -> bool {
        matches!(*lock(&self.stage), Stage::Stopped)
    }

    /// How many tasks it has.
    pub fn tasks(&self) -> usize {
        let runtime = self.runtime.as_ref();
        runtime.map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }

    /// SIGKILL: nothing of it is left when this returns, but what it has written.
    pub fn kill(mut self) {
        self.life.kill();
        self.turn = None;
        as_role(Role::Host, || {
            drop(self.runtime.take());
            *lock(&self.stage) = Stage::Stopped;
        });
        self.world.wait_closed(&self.life);
    }
}

fn lock(stage: &Mutex<Stage>) -> MutexGuard<'_, Stage> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn begin(
    ground: Ground,
    life: Arc<Life>,
    number: u64,
    began_ms: u64,
) -> Result<Running, String> {
    let text = |failure: &dyn fmt::Display| failure.to_string();
    let world = &ground.world;
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::here(
        Arc::clone(world),
        Duration::from_millis(began_ms),
    ));
    let outside = app::World {
        boot: Some(world.boot()),
        clock: Arc::clone(&clock),
        entropy: Arc::new(SeededEntropy::new(Rng::new(
            world.plan.seed,
            1_000 + number,
        ))),
        secrets: Arc::new(SecretSource {
            env: Box::new(|_name| None),
            file: Box::new(|_path| Err(std::io::ErrorKind::NotFound.into())),
        }),
    };
    let (config, _) = settings::read(&config_path(world)).map_err(|failure| text(&failure))?;
    let dirs = Dirs::open(&world.dir.join("data")).map_err(|failure| text(&failure))?;
    let mut channels = Vec::new();
    for name in [DEDUPES, BLIND] {
        let name = ChannelName::parse(name).map_err(|failure| text(&failure))?;
        channels.push((name.clone(), instance(&ground, &life, name, &clock)));
    }
    let pace: Arc<dyn Pace> = Arc::new(OneByOne::new(world, &life));
    let parts = Parts {
        runner: runner_path(world),
        runtimes: vec![ground.engine.client(life)],
        default_runtime: RuntimeKind::Sandbox,
        channels,
        pace: Some(pace),
    };
    let started = Box::pin(app::start(&outside, &config, dirs, parts)).await;
    started.map_err(|failure| text(&failure))
}

fn instance(
    ground: &Ground,
    life: &Arc<Life>,
    name: ChannelName,
    clock: &Arc<dyn Clock>,
) -> Instance {
    let (reporter, health) = health::pair(Arc::clone(clock));
    let adapter: Arc<dyn ChannelAdapter> = Arc::new(Adapter::new(
        (Arc::clone(&ground.world), Arc::clone(&ground.platform)),
        Arc::clone(life),
        name,
        Arc::clone(clock),
    ));
    Instance {
        adapter,
        health,
        reporter,
        unknown_senders: UnknownSenderPolicy::Public,
        kind: "sim".to_owned(),
        table: toml::Table::new(),
        shutdown: CancellationToken::new(),
    }
}

fn config_path(world: &World) -> Utf8PathBuf {
    world.dir.join("channels.toml")
}

fn runner_path(world: &World) -> Utf8PathBuf {
    world.dir.join("agent-runner")
}

/// Writes what every host of the simulation is started with.
pub fn furnish(world: &World) -> std::io::Result<()> {
    // The type is one that the host knows; what speaks here is the simulator's own adapter.
    let text = format!(
        r#"
[host]
runtime = "sandbox"
max_sandboxes = {}
stop_grace = "5s"
[channels.{DEDUPES}]
type = "cli"
[channels.{BLIND}]
type = "cli"
[agents.helper]
name = "Helper"
provider = "offline"
[agents.helper.limits]
idle = "20s"
progress = "60s"
tries = 3
[[wirings]]
channel = "{DEDUPES}"
chat = "*"
agent = "helper"
[[wirings]]
channel = "{BLIND}"
chat = "*"
agent = "helper"
"#,
        world.plan.sandboxes
    );
    std::fs::write(config_path(world), text)?;
    if let Some(database) = &world.plan.found {
        let path = Records::path(world);
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, database)?;
    }
    // Never run: the engine runs the turn loop itself.
    std::fs::write(runner_path(world), "agent-runner")
}
