use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use anchorhold_core::sandbox::ExitStatus;
use jiff::Timestamp;
use tokio::sync::Notify;

use super::*;
use crate::{
    fake::{FakeFailure, FakeRuntime, OnTerm},
    spec::{Capabilities, InstanceId, Limits, Network, Root, RootAccess, SandboxUser},
};

mod adoption;
mod outage;
mod scheduling;
mod stopping;

const TICK: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(10);
const ALMOST_GRACE: Duration = Duration::from_secs(9);
const IDLE_LIMIT: Duration = Duration::from_mins(5);

fn install() -> InstallId {
    InstallId::mint(Timestamp::UNIX_EPOCH, [1; 10])
}

fn group(n: u8) -> AgentGroupId {
    AgentGroupId::mint(Timestamp::UNIX_EPOCH, [n; 10])
}

fn session(n: u8) -> SessionId {
    SessionId::mint(Timestamp::UNIX_EPOCH, [n; 10])
}

fn id(n: u8, generation: u32) -> InstanceId {
    InstanceId {
        install: install(),
        session: session(n),
        generation: Generation(generation),
    }
}

fn spec(id: InstanceId) -> SandboxSpec {
    SandboxSpec {
        install: id.install,
        session: id.session,
        generation: id.generation,
        root: Root::HostTools,
        command: vec!["/bin/true".to_owned()],
        env: Vec::new(),
        workdir: "/".into(),
        mounts: Vec::new(),
        user: SandboxUser { uid: 1, gid: 1 },
        limits: Limits {
            memory_bytes: 1,
            cpu_millis: 1,
            pids: 1,
            file_bytes: 1,
            tmp_bytes: 1,
        },
        capabilities: Capabilities::None,
        root_access: RootAccess::ReadOnly,
        network: Network::None,
        log: "/log".into(),
    }
}

/// The host's side: gives out generations and writes down what it is told.
struct Owner {
    told: Mutex<Vec<String>>,
    generations: Mutex<BTreeMap<SessionId, u32>>,
    standings: Mutex<BTreeMap<SessionId, Standing>>,
    /// While set, a preparation of that session does not return.
    hanging: Mutex<Option<SessionId>>,
    /// What `runtime` says.
    knows_runtime: bool,
    released: Notify,
    /// How often it was asked what a sandbox is doing.
    asked: AtomicUsize,
}

impl Owner {
    fn told(&self) -> MutexGuard<'_, Vec<String>> {
        self.told.lock().unwrap()
    }

    fn note(&self, line: String) {
        self.told().push(line);
    }

    fn set_standing(&self, n: u8, standing: Standing) {
        self.standings.lock().unwrap().insert(session(n), standing);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn set_generation(&self, n: u8, generation: u32) {
        let mut generations = self.generations.lock().unwrap();
        generations.insert(session(n), generation);
    }
}

/// The number of a session that [`session`] made.
fn number(session: SessionId) -> u8 {
    session.uuid().as_bytes()[15]
}

#[async_trait]
impl SandboxOwner for Owner {
    async fn prepare(&self, session: SessionId) -> Result<Prepared, PrepareError> {
        self.note(format!("prepare {}", number(session)));
        let hangs = || *self.hanging.lock().unwrap() == Some(session);
        while hangs() {
            self.released.notified().await;
        }
        if number(session) == 99 {
            return Err(PrepareError("no such session".into()));
        }
        let generation = {
            let mut generations = self.generations.lock().unwrap();
            let generation = generations.entry(session).or_insert(0);
            *generation += 1;
            Generation(*generation)
        };
        let id = InstanceId {
            install: install(),
            session,
            generation,
        };
        Ok(Prepared {
            runtime: RuntimeKind::Sandbox,
            spec: spec(id),
        })
    }

    async fn started(&self, session: SessionId, generation: Generation, adopted: bool) {
        let how = if adopted { "adopted" } else { "started" };
        self.note(format!("{how} {}.{generation}", number(session)));
    }

    async fn could_not_start(
        &self,
        session: SessionId,
        _generation: Option<Generation>,
        error: &RuntimeError,
    ) {
        self.note(format!("could not start {}: {error}", number(session)));
    }

    async fn exited(&self, exited: Exited) {
        let session = number(exited.session());
        let (generation, status) = (exited.generation(), exited.status());
        self.note(format!("exited {session}.{generation}: {status}"));
    }

    async fn current(&self, session: SessionId) -> Option<Generation> {
        let generations = self.generations.lock().unwrap();
        generations.get(&session).copied().map(Generation)
    }

    fn standing(&self, session: SessionId) -> (Standing, Duration) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let standings = self.standings.lock().unwrap();
        let standing = standings.get(&session).copied();
        (standing.unwrap_or(Standing::Busy), IDLE_LIMIT)
    }

    fn runtime(&self, _session: SessionId) -> Option<RuntimeKind> {
        self.knows_runtime.then_some(RuntimeKind::Sandbox)
    }

    async fn runtime_health(&self, kind: RuntimeKind, up: bool, _detail: Option<String>) {
        self.note(format!("{kind} {}", if up { "up" } else { "down" }));
    }
}

/// Time as tokio's paused clock has it.
struct PausedClock;

impl Clock for PausedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn mono(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

struct World {
    owner: Arc<Owner>,
    runtime: Arc<FakeRuntime>,
    lifecycle: Lifecycle,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

/// What is there before the host starts.
struct Before {
    runtime: Arc<FakeRuntime>,
    /// The generations that the host has on record.
    generations: Vec<(u8, u32)>,
    knows_runtime: bool,
}

impl Before {
    fn nothing() -> Self {
        Self {
            runtime: Arc::new(FakeRuntime::new(RuntimeKind::Sandbox)),
            generations: Vec::new(),
            knows_runtime: false,
        }
    }

    /// Starts a lifecycle over what is there.
    fn start(self, limit: usize) -> World {
        let owner = Arc::new(Owner {
            told: Mutex::default(),
            generations: Mutex::default(),
            standings: Mutex::default(),
            hanging: Mutex::default(),
            knows_runtime: self.knows_runtime,
            released: Notify::new(),
            asked: AtomicUsize::new(0),
        });
        for (n, generation) in self.generations {
            owner.set_generation(n, generation);
        }
        let (shutdown, tasks) = (CancellationToken::new(), TaskTracker::new());
        let runtime: Arc<dyn Runtime> = Arc::<FakeRuntime>::clone(&self.runtime);
        let lifecycle = Lifecycle::start(
            LifecycleConfig {
                install: install(),
                limit,
                tick: TICK,
                rest: REST,
                stop_grace: GRACE,
            },
            LifecycleParts {
                runtimes: vec![runtime],
                owner: Arc::<Owner>::clone(&owner),
                clock: Arc::new(PausedClock),
                tasks: tasks.clone(),
                shutdown: shutdown.clone(),
            },
        );
        World {
            owner,
            runtime: self.runtime,
            lifecycle,
            shutdown,
            tasks,
        }
    }
}

impl World {
    fn want(&self, n: u8) {
        self.lifecycle.want(group(n), session(n));
    }

    /// Lets everything happen that happens by itself within `time`.
    async fn pass(&self, time: Duration) {
        // A moment more, so that what is due at its very end has happened too.
        tokio::time::sleep(time + Duration::from_millis(1)).await;
    }

    /// Lets everything happen that happens at once.
    async fn settle(&self) {
        self.pass(Duration::ZERO).await;
    }

    /// What the owner was told since it was asked last.
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.owner.told())
    }

    fn running(&self) -> Vec<u8> {
        let running = self.lifecycle.running().into_iter();
        running.map(|sandbox| number(sandbox.session)).collect()
    }

    /// Ends the host, not the sandboxes, and checks that no task stays behind.
    async fn shut_down(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(TICK, self.tasks.wait())
            .await
            .expect("every task ends with the shutdown");
    }
}
