//! The tasks that plan, start, watch and stop.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_core::{clock::Clock, ids::SessionId};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use super::{
    LifecycleConfig, LifecycleParts, Prepared, SandboxOwner, Standing,
    state::{Orders, State},
    survey,
};
use crate::{
    error::{RuntimeError, chain},
    runtime::{Runtime, RuntimeKind},
    spec::InstanceId,
};

/// What all tasks share.
pub(super) struct Shared {
    pub(super) config: LifecycleConfig,
    pub(super) owner: Arc<dyn SandboxOwner>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shutdown: CancellationToken,
    runtimes: Vec<Arc<dyn Runtime>>,
    tasks: TaskTracker,
    /// Fires with the first drain, or with the shutdown: nothing is prepared any more.
    no_starts: CancellationToken,
    state: Mutex<State>,
    /// Counts the changes of the state, for those who wait for one.
    changes: watch::Sender<u64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifecycle")
            .field("config", &self.config)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(config: LifecycleConfig, parts: LifecycleParts) -> Self {
        Self {
            config,
            owner: parts.owner,
            clock: parts.clock,
            no_starts: parts.shutdown.child_token(),
            shutdown: parts.shutdown,
            runtimes: parts.runtimes,
            tasks: parts.tasks,
            state: Mutex::new(State::default()),
            changes: watch::Sender::new(0),
        }
    }

    pub(super) fn begin(self: &Arc<Self>) {
        self.tasks.spawn(Arc::clone(self).plan_on());
        for runtime in &self.runtimes {
            let work = survey::survey_on(Arc::clone(self), Arc::clone(runtime));
            self.tasks.spawn(work);
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes those who wait for a change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state());
        self.changes
            .send_modify(|count| *count = count.wrapping_add(1));
        done
    }

    /// Tells of every change of the state from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until each runtime was asked once what it has, or the lifecycle ends.
    pub(super) async fn surveyed(&self) {
        let mut changes = self.changes.subscribe();
        let asked = changes.wait_for(|_| {
            let state = self.state();
            self.runtimes.iter().all(|one| state.is_asked(one.kind()))
        });
        // silent: without a lifecycle nothing runs, and that is known, too.
        let _ended = self.shutdown.run_until_cancelled(asked).await;
    }

    /// Waits one tick. False: the lifecycle ends.
    pub(super) async fn tick(&self) -> bool {
        let tick = tokio::time::sleep(self.config.tick);
        self.shutdown.run_until_cancelled(tick).await.is_some()
    }

    pub(super) fn stop(self: &Arc<Self>, session: SessionId, grace: Duration) {
        for (id, kind) in self.change(|state| state.stop(session, grace)) {
            self.spawn_stop(id, kind, grace);
        }
    }

    pub(super) async fn drain(self: &Arc<Self>, grace: Duration) {
        self.no_starts.cancel();
        let mut changes = self.changes.subscribe();
        for (id, kind) in self.change(|state| state.drain(grace)) {
            self.spawn_stop(id, kind, grace);
        }
        let drained = changes.wait_for(|_| self.state().is_drained());
        // Both ends are fine: drained, or a shutdown that does not wait for it.
        if self.shutdown.run_until_cancelled(drained).await.is_none() {
            tracing::warn!("shutdown before all sandboxes were gone");
        }
    }

    /// Plans after every change, and when a sandbox may have been idle for long enough.
    async fn plan_on(self: Arc<Self>) {
        let mut changes = self.changes.subscribe();
        let planning = async {
            loop {
                changes.mark_unchanged();
                let wait = self.plan_once();
                let change = changes.changed();
                if let Ok(Err(closed)) = tokio::time::timeout(wait, change).await {
                    // The sender is a field of `self`, so this can't be.
                    tracing::error!(error = %closed, "planning ends");
                    return;
                }
            }
        };
        self.shutdown.run_until_cancelled(planning).await;
    }

    /// Plans, and tells for how long there is nothing new to plan if nothing changes.
    fn plan_once(self: &Arc<Self>) -> Duration {
        let running = self.state().running();
        // The owner is asked without the lock: it may well ask us something itself.
        let standing: BTreeMap<_, _> = running
            .iter()
            .filter(|sandbox| !sandbox.stopping)
            .map(|sandbox| (sandbox.session, self.owner.standing(sandbox.session)))
            .collect();
        let Orders { start, stop } = self.state().plan(&standing, self.config.limit);
        for (session, group) in start {
            let span = tracing::info_span!("session", %session, %group);
            let work = Arc::clone(self).launch(session);
            self.tasks.spawn(work.instrument(span));
        }
        for (id, kind) in stop {
            tracing::info!(session = %id.session, "idle sandbox is told to stop");
            self.spawn_stop(id, kind, self.config.stop_grace);
        }
        if self.state().waiting() > 0 {
            // A sandbox that becomes idle may have to make room.
            return self.config.tick;
        }
        let soonest = standing.into_values().map(|standing| match standing {
            (Standing::Idle { for_how_long }, limit) => limit.saturating_sub(for_how_long),
            // It can't be idle for so long any sooner.
            (Standing::Busy, limit) => limit,
        });
        let soonest = soonest.min().unwrap_or(self.config.rest);
        soonest.max(self.config.tick).min(self.config.rest)
    }

    fn runtime(&self, kind: RuntimeKind) -> Option<Arc<dyn Runtime>> {
        let found = self.runtimes.iter().find(|runtime| runtime.kind() == kind);
        found.map(Arc::clone)
    }

    /// One start, from the free place to the running sandbox or to the reason why there is none.
    async fn launch(self: Arc<Self>, session: SessionId) {
        let down = |kind: &RuntimeKind| !self.state().is_up(*kind);
        if let Some(kind) = self.owner.runtime(session).filter(down) {
            self.change(|state| state.park(session, kind));
            return;
        }
        let preparing = self.owner.prepare(session);
        let prepared = match self.no_starts.run_until_cancelled(preparing).await {
            Some(Ok(prepared)) => prepared,
            Some(Err(error)) => {
                tracing::debug!(error = %chain(&error), "sandbox was not prepared");
                self.change(|state| state.start_ended(session));
                return;
            }
            None => {
                self.change(|state| state.start_ended(session));
                return;
            }
        };
        let generation = prepared.spec.generation;
        let kind = prepared.runtime;
        match self.try_start(session, prepared).await {
            Ok(id) => self.began(id, kind).await,
            Err(error @ RuntimeError::Unavailable { .. }) => {
                tracing::warn!(error = %chain(&error), "start waits for its runtime");
                self.change(|state| state.park(session, kind));
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "sandbox did not start");
                self.owner
                    .could_not_start(session, Some(generation), &error)
                    .await;
                self.change(|state| state.start_ended(session));
            }
        }
    }

    async fn try_start(
        &self,
        session: SessionId,
        prepared: Prepared,
    ) -> Result<InstanceId, RuntimeError> {
        let Prepared {
            runtime: kind,
            spec,
        } = prepared;
        if (spec.session, spec.install) != (session, self.config.install) {
            return Err(RuntimeError::refused(
                "the prepared sandbox is of another session or installation",
            ));
        }
        let Some(runtime) = self.runtime(kind) else {
            return Err(RuntimeError::refused(format!(
                "the {kind} runtime is not configured"
            )));
        };
        // Before its first list is taken in, a runtime may have the session's sandbox already.
        if !self.state().is_up(kind) {
            return Err(RuntimeError::Unavailable {
                kind,
                source: "it did not answer when asked last".into(),
            });
        }
        runtime.start(&spec).await
    }

    async fn began(self: &Arc<Self>, id: InstanceId, kind: RuntimeKind) {
        tracing::info!(generation = %id.generation, runtime = %kind, "sandbox started");
        let now = self.clock.mono();
        let then_stop = self.change(|state| state.started(id, kind, now));
        self.owner.started(id.session, id.generation, false).await;
        self.spawn_watch(id, kind);
        if let Some(grace) = then_stop {
            self.stop(id.session, grace);
        }
    }

    pub(super) fn spawn_watch(self: &Arc<Self>, id: InstanceId, kind: RuntimeKind) {
        let Some(runtime) = self.runtime(kind) else {
            return;
        };
        let span = tracing::info_span!("session", session = %id.session);
        let work = Arc::clone(self).watch(id, runtime);
        self.tasks.spawn(work.instrument(span));
    }

    /// Waits for the end of one sandbox for as long as it takes, and tells the owner once.
    async fn watch(self: Arc<Self>, id: InstanceId, runtime: Arc<dyn Runtime>) {
        let exited = loop {
            let waiting = self.shutdown.run_until_cancelled(runtime.wait(&id));
            match waiting.await {
                Some(Ok(exited)) => break exited,
                Some(Err(error)) => self.wait_failed(runtime.kind(), &error),
                None => return,
            }
            if !self.tick().await {
                return;
            }
        };
        tracing::info!(generation = %id.generation, status = %exited.status(), "sandbox is gone");
        self.change(|state| state.over(&id));
        self.owner.exited(exited).await;
        self.change(|state| state.forget(&id));
    }

    fn wait_failed(&self, kind: RuntimeKind, error: &RuntimeError) {
        match error {
            RuntimeError::Unavailable { .. } => self.change(|state| state.went_down(kind)),
            RuntimeError::Refused { .. }
            | RuntimeError::Failed { .. }
            | RuntimeError::Gone { .. } => {
                tracing::warn!(error = %chain(error), "end of a sandbox is not proven yet");
            }
        }
    }

    pub(super) fn spawn_stop(self: &Arc<Self>, id: InstanceId, kind: RuntimeKind, grace: Duration) {
        let Some(runtime) = self.runtime(kind) else {
            return;
        };
        let span = tracing::info_span!("session", session = %id.session);
        let work = Arc::clone(self).stop_one(id, runtime, grace);
        self.tasks.spawn(work.instrument(span));
    }

    /// Tells one sandbox to stop, again and again until the runtime took it or the sandbox is gone.
    async fn stop_one(self: Arc<Self>, id: InstanceId, runtime: Arc<dyn Runtime>, grace: Duration) {
        while self.state().has(&id) {
            let stopping = self.shutdown.run_until_cancelled(runtime.stop(&id, grace));
            match stopping.await {
                None | Some(Ok(()) | Err(RuntimeError::Gone { .. })) => return,
                Some(Err(error)) => {
                    tracing::warn!(error = %chain(&error), "sandbox was not told to stop yet");
                }
            }
            if !self.tick().await {
                return;
            }
        }
    }
}
