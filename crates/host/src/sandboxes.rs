//! The host's side of the sandboxes' life: what one is made of, that one came up, that one is gone.

mod inside;
mod surroundings;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anchorhold_broker::Broker;
use anchorhold_core::{
    entity::{AgentGroup, RuntimeChoice},
    ids::{InstallId, OutboundId, SessionId},
    sandbox::{Exited, Generation},
};
use anchorhold_runner::{
    error::{PrepareError, RuntimeError},
    lifecycle::{Prepared, SandboxOwner, Standing},
    runtime::RuntimeKind,
    spec::SandboxUser,
};
use anchorhold_sessiondb::{bell, way_out};
use anchorhold_store::{
    sessions::SessionRow,
    trace::{About, Event},
};
use async_trait::async_trait;
use camino::Utf8PathBuf;
use tokio::net::{UnixDatagram, UnixListener};
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::{
    base::{Base, mint},
    blocking::blocking,
    deliver::{Deliver, outgoing::Outgoing},
    feed::{self, Feed, FeedError},
    live::Ending,
    notice,
    pull::Pull,
    report::report,
    sandboxes::surroundings::make_workspace,
    settle::Settle,
    watch::watch,
};

/// Where a failed start will not pass by itself, whoever waits is told at once.
const TELL_AT_ONCE: u32 = 1;
/// Else after so many in a row, those included of which the sandbox took up nothing.
const TELL_AFTER: u32 = 3;
/// How long a sandbox may be idle of which nothing more is known yet.
const IDLE_LIMIT: Duration = Duration::from_mins(10);

/// What is the same for all sandboxes of this host.
#[derive(Clone, Debug)]
pub struct Fixed {
    /// Whose sandboxes they are.
    pub install: InstallId,
    /// The folder that holds the agent-runner's binary and nothing else.
    pub runner_dir: Utf8PathBuf,
    /// The image of containers.
    pub image: String,
    /// Who the sandboxes run as.
    pub user: SandboxUser,
    /// What groups get that leave the choice to the host.
    pub default_runtime: RuntimeKind,
}

/// Owns the sandboxes on behalf of the host.
#[derive(Debug)]
pub struct Sandboxes {
    base: Base,
    fixed: Fixed,
    pull: Pull,
    deliver: Deliver,
    settle: Settle,
    feed: Feed,
    broker: Broker,
    tasks: TaskTracker,
    known: Mutex<HashMap<SessionId, Known>>,
    told: Mutex<HashSet<SessionId>>,
    runtimes: Mutex<HashMap<RuntimeKind, (bool, Option<String>)>>,
}

/// What is known of a session without asking the database.
#[derive(Clone, Copy, Debug)]
struct Known {
    runtime: RuntimeKind,
    idle_limit: Duration,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Sandboxes {
    /// The owner; `settle` is told of every end.
    pub fn new(
        base: Base,
        fixed: Fixed,
        (pull, deliver, settle, feed, broker): (Pull, Deliver, Settle, Feed, Broker),
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new(Self {
            base,
            fixed,
            pull,
            deliver,
            settle,
            feed,
            broker,
            tasks,
            known: Mutex::default(),
            told: Mutex::default(),
            runtimes: Mutex::default(),
        })
    }

    /// How the runtimes fare, as far as their lifecycle has said.
    pub fn runtimes(&self) -> Vec<(RuntimeKind, bool, Option<String>)> {
        let known = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .map(|(kind, (up, detail))| (*kind, *up, detail.clone()))
            .collect()
    }

    /// Remembers what a session's group wants, so that the lifecycle can ask without waiting.
    pub fn learn(&self, session: SessionId, group: &AgentGroup) {
        let idle_limit = Duration::from_millis(group.limits.idle_ms);
        let known = Known {
            runtime: self.runtime_of(group),
            idle_limit,
        };
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(session, known);
    }

    /// As [`Self::learn`]; and if the session's sandbox runs, it is told from its next turn on.
    pub async fn tell(&self, row: &SessionRow, group: &AgentGroup) -> Result<(), FeedError> {
        let session = row.session.id;
        self.learn(session, group);
        if !self.base.live.is_known(session) {
            return Ok(());
        }
        let settings = feed::settings(&self.base.models, row, group);
        let telling = self
            .feed
            .on_file(session, move |files| files.write_settings(&settings));
        telling.await
    }

    /// Forgets what it knows of a session that nobody needs now; it is learnt anew.
    pub fn forget(&self, session: SessionId) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&session);
    }

    /// The session waits. If that is because its runtime does not answer, the person is told, once
    /// an outage.
    pub async fn waits(&self, session: SessionId) {
        let Some(kind) = self.wanted_runtime(session).await else {
            return;
        };
        let down = {
            let runtimes = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
            runtimes.get(&kind).is_some_and(|(up, _)| !up)
        };
        if down
            && self
                .told
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(session)
        {
            self.tell_waiting(session, &notice::engine_down()).await;
        }
    }

    /// The runtime of a session, also of one that was never prepared.
    async fn wanted_runtime(&self, session: SessionId) -> Option<RuntimeKind> {
        if let Some(kind) = self.runtime(session) {
            return Some(kind);
        }
        let found = async {
            let Some(row) = self.base.store.session(session).await? else {
                return Ok(None);
            };
            self.base.store.group(row.session.key.agent_group).await
        };
        match found.await {
            Ok(group) => self.learn(session, &group?),
            Err(failure) => error!(%session, error = %report(&failure), "can't look a group up"),
        }
        self.runtime(session)
    }

    async fn make_ready(&self, session: SessionId) -> Result<Prepared, Failure> {
        let row = self
            .base
            .store
            .session(session)
            .await?
            .ok_or("there is no such session")?;
        let group = row.session.key.agent_group;
        let group = self
            .base
            .store
            .group(group)
            .await?
            .ok_or("its agent group is gone")?;
        // A start that came to nothing has left its watch behind.
        self.leave(session, None).await;
        // What an earlier sandbox left is taken over before the next one can add to it.
        let is_first = row.session.generation == Generation(0);
        if !is_first && let Err(failure) = self.pull.session(session).await {
            warn!(%session, error = %report(&failure), "left-over answers can't be read yet");
        }
        let row = self.base.store.session(session).await?.unwrap_or(row);
        let generation = self
            .base
            .store
            .begin_generation(session, self.base.now())
            .await?;
        let workspace = self.base.dirs.workspace(&group.folder);
        self.write_files(&row, &group, workspace.clone()).await?;
        self.learn(session, &group);
        self.attend(session, generation).await?;
        let runtime = self.runtime_of(&group);
        let spec = self.spec(session, generation, &group, (runtime, &workspace));
        Ok(Prepared { runtime, spec })
    }

    async fn write_files(
        &self,
        row: &SessionRow,
        group: &AgentGroup,
        workspace: Utf8PathBuf,
    ) -> Result<(), Failure> {
        let session = row.session.id;
        let settings = feed::settings(&self.base.models, row, group);
        let ended = self.settle.ended_but_open(session).await?;
        self.feed
            .on_file(session, move |files| {
                files.close(&ended)?;
                files.write_settings(&settings)
            })
            .await?;
        let (files, owner) = (self.base.files(session), self.base.sandbox_owner);
        let is_first = row.session.generation == Generation(0);
        blocking(move || -> Result<(), Failure> {
            if is_first {
                // What it says must be found again.
                files.sync_folders()?;
            }
            make_workspace(&workspace, owner)?;
            Ok(())
        })
        .await?
    }

    /// Binds the session's bell and its way out, and begins to read what its sandbox says and to
    /// answer what it asks.
    async fn attend(&self, session: SessionId, generation: Generation) -> Result<(), Failure> {
        let in_dir = self.base.files(session).in_dir().to_owned();
        let binding =
            move || bell::bind(&in_dir).and_then(|bell| Ok((bell, way_out::bind(&in_dir)?)));
        let (bell, listener) = blocking(binding).await??;
        let bell = UnixDatagram::from_std(bell)?;
        let listener = UnixListener::from_std(listener)?;
        let work = self.base.store.session_work(session).await?;
        self.leave(session, None).await;
        // Nothing can fail from here on: whoever leaves it waits for the watch to end.
        let (look, watcher) = self.base.live.begin(session, generation, self.base.mono());
        // What came since its file was brought up to date.
        self.feed.attend(session);
        self.base
            .live
            .note_work(session, work.is_due(self.base.now()), self.base.mono());
        let answering = self.broker.clone();
        let stop = watcher.stop.clone();
        self.tasks.spawn(answering.serve(session, listener, stop));
        self.tasks.spawn(watch(
            self.pull.clone(),
            self.base.clone(),
            session,
            (bell, look, watcher),
        ));
        Ok(())
    }

    fn runtime_of(&self, group: &AgentGroup) -> RuntimeKind {
        match group.runtime {
            RuntimeChoice::Auto => self.fixed.default_runtime,
            RuntimeChoice::Docker => RuntimeKind::Docker,
            RuntimeChoice::Sandbox => RuntimeKind::Sandbox,
        }
    }

    /// After a failed start: the next one waits, and after `tell_at` in a row the person is told.
    async fn hold(&self, session: SessionId, tell_at: u32) {
        let failed = self
            .base
            .live
            .hold_back(session, self.base.mono(), self.base.jitter());
        if failed == tell_at {
            self.tell_waiting(session, &notice::can_not_start()).await;
        }
    }

    /// Puts on record what happened to a session's sandbox. One that can't be written is missed in
    /// a trace, and by nobody else.
    async fn note(&self, session: SessionId, event: Event) {
        let (about, now) = (About::Session(session), self.base.now());
        if let Err(failure) = self.base.store.note(about, event, now).await {
            warn!(%session, error = %report(&failure), "what happened is not on record");
        }
    }

    /// Tells whoever waits longest in this session.
    async fn tell_waiting(&self, session: SessionId, text: &str) {
        let waiting = match self.base.store.pending_messages(session, 1).await {
            Ok(waiting) => waiting,
            Err(failure) => {
                error!(%session, error = %report(&failure), "can't see who waits");
                return;
            }
        };
        let outgoing = Outgoing::notice(text.to_owned());
        for message in waiting {
            let id = mint!(self.base, OutboundId);
            let Ok(told) = outgoing.delivery(id, message.address, None) else {
                return;
            };
            self.deliver.say(told, Some(session)).await;
        }
    }
}

#[async_trait]
impl SandboxOwner for Sandboxes {
    async fn prepare(&self, session: SessionId) -> Result<Prepared, PrepareError> {
        if self.base.live.is_held(session, self.base.mono()) {
            // It was wanted while the end of its last sandbox was being settled. The sweep asks again
            // when it is time.
            return Err(PrepareError("its next start has to wait".into()));
        }
        // Who wished for it may have looked before its last sandbox answered. Where the store can't
        // tell, the next lines find that out.
        if let Ok(work) = self.base.store.session_work(session).await
            && !work.is_due(self.base.now())
        {
            return Err(PrepareError("nothing is due for an answer".into()));
        }
        match Box::pin(self.make_ready(session)).await {
            Ok(prepared) => Ok(prepared),
            Err(failure) => {
                error!(%session, error = %report(&*failure), "sandbox can't be prepared");
                let why = report(&*failure).to_string();
                self.note(session, Event::NotStarted { why }).await;
                self.leave(session, None).await;
                self.hold(session, TELL_AT_ONCE).await;
                Err(PrepareError(failure))
            }
        }
    }

    async fn started(&self, session: SessionId, generation: Generation, adopted: bool) {
        info!(%session, %generation, adopted, "sandbox runs");
        if adopted {
            self.note(session, Event::TakenOver { generation }).await;
        }
        if adopted && let Err(failure) = self.attend(session, generation).await {
            error!(%session, error = %report(&*failure), "adopted sandbox can't be attended");
        }
        let now = self.base.mono();
        self.base.live.started(session, generation, now);
        self.base.live.look(session);
    }

    async fn could_not_start(
        &self,
        session: SessionId,
        generation: Option<Generation>,
        failure: &RuntimeError,
    ) {
        error!(%session, ?generation, error = %report(failure), "sandbox not started");
        let why = report(failure).to_string();
        self.note(session, Event::NotStarted { why }).await;
        self.leave(session, generation).await;
        let tell_at = match failure {
            RuntimeError::Refused { .. } => TELL_AT_ONCE,
            RuntimeError::Unavailable { .. }
            | RuntimeError::Failed { .. }
            | RuntimeError::Gone { .. } => TELL_AFTER,
        };
        self.hold(session, tell_at).await;
    }

    async fn exited(&self, exited: Exited) {
        let session = exited.session();
        info!(%session, generation = %exited.generation(), status = %exited.status(), "sandbox ended");
        let ending = self.leave(session, Some(exited.generation())).await;
        match Box::pin(self.settle.exited(exited, ending)).await {
            Ok(TELL_AFTER) => self.tell_waiting(session, &notice::can_not_start()).await,
            Ok(_) => {}
            Err(failure) => {
                error!(%session, error = %report(&*failure), "end of a sandbox not settled yet");
            }
        }
    }

    async fn current(&self, session: SessionId) -> Option<Generation> {
        match self.base.store.session(session).await {
            Ok(row) => row.map(|row| row.session.generation),
            Err(failure) => {
                error!(%session, error = %report(&failure), "can't look a session up");
                None
            }
        }
    }

    fn standing(&self, session: SessionId) -> (Standing, Duration) {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&session)
            .copied();
        let limit = known.map_or(IDLE_LIMIT, |known| known.idle_limit);
        match self.base.live.idle(session, self.base.mono()) {
            Some(for_how_long) => (Standing::Idle { for_how_long }, limit),
            None => (Standing::Busy, limit),
        }
    }

    fn runtime(&self, session: SessionId) -> Option<RuntimeKind> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&session).map(|known| known.runtime)
    }

    async fn runtime_health(&self, kind: RuntimeKind, up: bool, detail: Option<String>) {
        if up {
            info!(runtime = %kind, "runtime answers");
            self.base.live.release_all();
            self.told
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        } else {
            error!(runtime = %kind, detail, "runtime does not answer");
        }
        let mut known = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(kind, (up, detail));
    }
}

impl Sandboxes {
    /// Stops reading what sandboxes say whose end nobody has seen: those of a runtime that does not
    /// answer. The next host finds them.
    pub async fn leave_all(&self) {
        for (session, _) in self.base.live.sessions() {
            self.leave(session, None).await;
        }
    }

    /// Stops reading what a sandbox says; tells why the host ended it, if it did.
    async fn leave(&self, session: SessionId, generation: Option<Generation>) -> Option<Ending> {
        let seen = self.base.live.end(session, generation)?;
        seen.watcher.stop.cancel();
        seen.watcher.ended.cancelled().await;
        seen.ending
    }
}
