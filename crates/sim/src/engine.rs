//! The engine: what runs sandboxes, each the real turn loop as a task, and outlives every host.

mod inhabitant;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::{ExitStatus, Exited, Generation, IN_DIR, OUT_DIR},
};
use anchorhold_runner::{
    error::RuntimeError,
    fake::FakeRuntime,
    runtime::{InstanceStatus, Runtime, RuntimeInfo, RuntimeKind},
    spec::{InstanceId, SandboxSpec},
};
use async_trait::async_trait;
use camino::Utf8PathBuf;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    engine::inhabitant::{Home, inhabit},
    plan::StormKind,
    world::{Life, World},
};

/// What a sandbox that is told to stop is looked at for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The engine of one simulation.
#[derive(Debug)]
pub struct Engine {
    world: Arc<World>,
    fake: FakeRuntime,
    outside: tokio::runtime::Handle,
    inhabitants: Mutex<BTreeMap<InstanceId, Inhabitant>>,
    newest: Mutex<BTreeMap<SessionId, Generation>>,
}

#[derive(Clone, Debug)]
struct Inhabitant {
    life: Arc<Life>,
    stop: CancellationToken,
}

impl Engine {
    /// An engine whose sandboxes run on `outside`.
    pub fn new(world: Arc<World>, outside: tokio::runtime::Handle) -> Arc<Self> {
        Arc::new(Self {
            world,
            fake: FakeRuntime::new(RuntimeKind::Sandbox),
            outside,
            inhabitants: Mutex::default(),
            newest: Mutex::default(),
        })
    }

    /// The engine as one host's life sees it.
    pub fn client(self: &Arc<Self>, life: Arc<Life>) -> Arc<dyn Runtime> {
        let engine = Arc::clone(self);
        Arc::new(Client { engine, life })
    }

    /// The sessions that have a sandbox now.
    pub fn running(&self) -> Vec<SessionId> {
        let running = self.fake.running();
        running.iter().map(|id| id.session).collect()
    }

    /// A loss of power: every sandbox is gone, and nothing knows of it any more.
    pub fn forget_all(&self) {
        for id in self.fake.running() {
            self.fake.exit(&id, ExitStatus::Unknown);
        }
        self.inhabitants().clear();
    }

    /// Is it down just now?
    fn is_down(&self) -> bool {
        self.world.storms_at(StormKind::EngineDown, "engine")
    }

    fn begin(self: &Arc<Self>, spec: &SandboxSpec) {
        let id = spec.id();
        let name = format!("sandbox {}.{}", short(id.session), id.generation);
        let life = Life::new(name, false);
        self.world.sandbox_begins(&life);
        let stop = CancellationToken::new();
        let inhabitant = Inhabitant {
            life: Arc::clone(&life),
            stop: stop.clone(),
        };
        self.inhabitants().insert(id, inhabitant);
        let home = Home {
            world: Arc::clone(&self.world),
            life,
            in_dir: mounted(spec, IN_DIR),
            out_dir: mounted(spec, OUT_DIR),
            generation: id.generation,
            stop,
        };
        let engine = Arc::clone(self);
        drop(self.outside.spawn(async move {
            let world = Arc::clone(&engine.world);
            let status = inhabit(home).await;
            world.note(format_args!("sandbox {} ends: {status}", short(id.session)));
            engine.inhabitants().remove(&id);
            engine.fake.exit(&id, status);
        }));
    }

    /// A second sandbox of a session, or one that comes after its successor, is a second writer.
    fn watch_over(&self, id: InstanceId, running: &[InstanceId]) {
        let second = |other: &&InstanceId| other.session == id.session && **other != id;
        if let Some(other) = running.iter().find(second) {
            self.world.violation(format_args!(
                "session {} has two sandboxes, {} and {}",
                short(id.session),
                other.generation,
                id.generation
            ));
        }
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let before = newest.insert(id.session, id.generation);
        if before.is_some_and(|before| before > id.generation) {
            self.world.violation(format_args!(
                "session {} starts generation {} after {before:?}",
                short(id.session),
                id.generation
            ));
        }
    }

    fn inhabitants(&self) -> MutexGuard<'_, BTreeMap<InstanceId, Inhabitant>> {
        let inhabitants = self.inhabitants.lock();
        inhabitants.unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last characters of an id, which differ.
fn short(session: SessionId) -> String {
    let text = session.to_string();
    text.get(text.len().saturating_sub(4)..)
        .unwrap_or_default()
        .to_owned()
}

fn mounted(spec: &SandboxSpec, target: &str) -> Utf8PathBuf {
    let found = spec.mounts.iter().find(|mount| mount.target == target);
    found.map(|mount| mount.source.clone()).unwrap_or_default()
}

/// The engine in one host's life.
#[derive(Debug)]
struct Client {
    engine: Arc<Engine>,
    life: Arc<Life>,
}

impl Client {
    /// One call: numbered, and refused while the engine is down.
    async fn call(&self, what: String) -> Result<(), RuntimeError> {
        if self
            .engine
            .world
            .step(&self.life, format_args!("{what}"))
            .is_err()
        {
            std::future::pending::<()>().await;
        }
        self.answers().await
    }

    async fn answers(&self) -> Result<(), RuntimeError> {
        self.life.alive().await;
        if self.engine.is_down() {
            return Err(RuntimeError::Unavailable {
                kind: RuntimeKind::Sandbox,
                source: "the engine is down".into(),
            });
        }
        Ok(())
    }
}

#[async_trait]
impl Runtime for Client {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Sandbox
    }

    async fn ping(&self) -> Result<RuntimeInfo, RuntimeError> {
        self.answers().await?;
        self.engine.fake.ping().await
    }

    async fn start(&self, spec: &SandboxSpec) -> Result<InstanceId, RuntimeError> {
        let id = spec.id();
        let session = short(id.session);
        self.call(format!("start {session}.{}", id.generation))
            .await?;
        if self.engine.world.storms(StormKind::EngineFails) {
            return Err(RuntimeError::Failed {
                what: "start".into(),
                source: Some("the engine failed".into()),
            });
        }
        sleep(Duration::from_millis(self.engine.world.below(80))).await;
        self.life.alive().await;
        let running = self.engine.fake.running();
        self.engine.watch_over(id, &running);
        let known = self.engine.fake.specs().iter().any(|spec| spec.id() == id);
        self.engine.fake.start(spec).await?;
        if !known {
            self.engine.begin(spec);
        }
        self.call(format!("started {session}.{}", id.generation))
            .await?;
        Ok(id)
    }

    async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<(), RuntimeError> {
        let session = short(id.session);
        self.call(format!("stop {session}.{} {grace:?}", id.generation))
            .await?;
        let Some(inhabitant) = self.engine.inhabitants().get(id).cloned() else {
            return Err(RuntimeError::Gone { id: *id });
        };
        if grace.is_zero() {
            inhabitant.life.kill();
            return Ok(());
        }
        inhabitant.stop.cancel();
        let mut waited = Duration::ZERO;
        while waited < grace && self.engine.inhabitants().contains_key(id) {
            sleep(LOOK_EVERY).await;
            waited += LOOK_EVERY;
        }
        self.life.alive().await;
        inhabitant.life.kill();
        Ok(())
    }

    async fn wait(&self, id: &InstanceId) -> Result<Exited, RuntimeError> {
        loop {
            self.answers().await?;
            tokio::select! {
                biased;
                exited = self.engine.fake.wait(id) => {
                    self.life.alive().await;
                    return exited;
                }
                () = sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    async fn list(&self, install: InstallId) -> Result<Vec<InstanceStatus>, RuntimeError> {
        self.answers().await?;
        if self.engine.world.sabotage.hides_sandboxes() {
            return Ok(Vec::new());
        }
        self.engine.fake.list(install).await
    }
}
