//! From "these sessions want a sandbox" and "these sandboxes run" to the next start and stop.
//!
//! One task plans; one task a runtime asks what is there; one task a sandbox waits for its end;
//! each start and each stop is a task of its own. They meet in `state::State`, which is locked
//! for moments only. All of them end with the shutdown token; sandboxes don't: the next host
//! adopts them. If one of the tasks should end early, sandboxes go on and the next host's listing
//! finds them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anchorhold_core::{
    clock::Clock,
    ids::{AgentGroupId, InstallId, SessionId},
    sandbox::{Exited, Generation},
};
use async_trait::async_trait;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    error::{PrepareError, RuntimeError},
    runtime::{Runtime, RuntimeKind},
    spec::SandboxSpec,
};

mod shared;
mod state;
mod survey;

use shared::Shared;

/// What a running sandbox is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has nothing to do.
    Idle {
        /// Since when.
        for_how_long: Duration,
    },
    /// It has work.
    Busy,
}

/// What to start, and with which runtime.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The runtime.
    pub runtime: RuntimeKind,
    /// The sandbox.
    pub spec: SandboxSpec,
}

/// The host's side of the lifecycle.
///
/// Calls about one sandbox come in order: prepared, started, exited. Calls about different ones
/// come at the same time.
#[async_trait]
pub trait SandboxOwner: Send + Sync + 'static {
    /// A place is free: what shall be started? An error: nothing, and the host has recorded why.
    /// The next generation is given out here. May be dropped when the lifecycle drains.
    async fn prepare(&self, session: SessionId) -> Result<Prepared, PrepareError>;

    /// The sandbox runs, because it was started just now or because it was found running.
    async fn started(&self, session: SessionId, generation: Generation, adopted: bool);

    /// The start failed and is not tried again until the session is wanted again.
    /// Not called for a runtime that does not answer: then the session stays wanted.
    async fn could_not_start(
        &self,
        session: SessionId,
        generation: Option<Generation>,
        error: &RuntimeError,
    );

    /// The sandbox is gone, with proof; called once for each, orphans included. The session's next
    /// sandbox is not prepared before this returns.
    async fn exited(&self, exited: Exited);

    /// The generation that the session's sandbox would have if it runs; `None`: no such session.
    async fn current(&self, session: SessionId) -> Option<Generation>;

    /// What the session's sandbox is doing, and for how long it may be idle.
    fn standing(&self, session: SessionId) -> (Standing, Duration);

    /// Which runtime the session's sandbox would get, where that is known without preparing it.
    ///
    /// With this, nothing is prepared for a runtime that does not answer: a new generation would
    /// turn a sandbox that runs there unseen into an orphan.
    fn runtime(&self, session: SessionId) -> Option<RuntimeKind> {
        let _ = session;
        None
    }

    /// A runtime began or ceased to answer.
    async fn runtime_health(&self, kind: RuntimeKind, up: bool, detail: Option<String>);
}

/// The numbers of a lifecycle.
#[derive(Clone, Copy, Debug)]
pub struct LifecycleConfig {
    /// Only sandboxes of this installation are ever touched.
    pub install: InstallId,
    /// How many sandboxes may run at a time.
    pub limit: usize,
    /// How often to look without being told to while somebody waits, and how long to wait before
    /// asking again.
    pub tick: Duration,
    /// How often to look while nothing is known to come; not less than `tick`.
    pub rest: Duration,
    /// How long a sandbox that is told to stop may take.
    pub stop_grace: Duration,
}

/// What a lifecycle works with.
#[expect(
    missing_debug_implementations,
    reason = "its parts are traits without one"
)]
pub struct LifecycleParts {
    /// The runtimes, one of each kind at most.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    /// The host's side.
    pub owner: Arc<dyn SandboxOwner>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Who owns the tasks.
    pub tasks: TaskTracker,
    /// Ends the tasks, not the sandboxes.
    pub shutdown: CancellationToken,
}

/// One sandbox that is not proven gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningSandbox {
    /// Whose it is.
    pub session: SessionId,
    /// Which of the session's sandboxes it is.
    pub generation: Generation,
    /// What runs it.
    pub runtime: RuntimeKind,
    /// Was it found running?
    pub adopted: bool,
    /// Was it told to stop, or is it an orphan?
    pub stopping: bool,
    /// When it was started or found.
    pub started: Instant,
}

/// The lifecycle of all sandboxes of one installation; a handle that is cheap to clone.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    shared: Arc<Shared>,
}

impl Lifecycle {
    /// Starts the tasks. Nothing is started before a runtime has said what runs already.
    pub fn start(config: LifecycleConfig, parts: LifecycleParts) -> Self {
        let shared = Arc::new(Shared::new(config, parts));
        shared.begin();
        Self { shared }
    }

    /// Asks for a sandbox of `session`. Returns at once; asking again changes nothing.
    ///
    /// What runs already is what was wanted. While the session's last sandbox is still stopping,
    /// the wish waits for its end.
    pub fn want(&self, group: AgentGroupId, session: SessionId) {
        self.shared.change(|state| state.want(group, session));
    }

    /// Stops the session's sandbox with the configured grace, and forgets earlier wishes for one.
    pub fn stop(&self, session: SessionId) {
        self.shared.stop(session, self.shared.config.stop_grace);
    }

    /// Kills the session's sandbox at once, even one that is stopping, and forgets earlier wishes.
    pub fn kill(&self, session: SessionId) {
        self.shared.stop(session, Duration::ZERO);
    }

    /// Plans now, as when what is known of idle sandboxes has changed.
    pub fn look(&self) {
        self.shared.change(|_state| {});
    }

    /// Returns when it is known what ran already when this began: each runtime has listed what it
    /// has, or did not answer. Takes half a minute at most.
    pub async fn surveyed(&self) {
        self.shared.surveyed().await;
    }

    /// The sandboxes that are not proven gone.
    pub fn running(&self) -> Vec<RunningSandbox> {
        self.shared.state().running()
    }

    /// The generation of the session's sandbox, from its start until it is proven gone.
    pub fn is_running(&self, session: SessionId) -> Option<Generation> {
        let running = self.running().into_iter();
        let generations = running
            .filter(|sandbox| sandbox.session == session)
            .map(|sandbox| sandbox.generation);
        generations.max()
    }

    /// How many sessions want a sandbox and have none.
    pub fn waiting(&self) -> usize {
        self.shared.state().waiting()
    }

    /// Starts nothing any more, tells every sandbox to stop, kills what is left after `grace`.
    ///
    /// Returns when all are proven gone, but for those of a runtime that does not answer, or on
    /// shutdown.
    pub async fn drain(&self, grace: Duration) {
        self.shared.drain(grace).await;
    }
}

#[cfg(test)]
mod tests;
