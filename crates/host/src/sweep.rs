//! Moves everything forward that no wake-up has moved: the one stage that needs no other.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant},
};

use anchorhold_core::{
    ids::SessionId,
    liveness::{Limits, Verdict, judge},
};
use anchorhold_runner::lifecycle::Lifecycle;
use anchorhold_store::Error as StoreError;
use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    base::Base, feed::Feed, live::Ending, report::report, retention::Retention,
    sandboxes::Sandboxes, tasks::Tasks, wake::Wake, wall::Wall,
};

/// How often sandboxes are looked after that work: what they don't do is seen in time.
const EVERY: Duration = Duration::from_secs(1);
/// With every wake-up lost, and nothing known to be due sooner, messages are still looked for this
/// often.
const FALLBACK: Duration = Duration::from_secs(10);
/// How often sandboxes are looked after that have nothing to do.
const IDLE_EVERY: Duration = Duration::from_secs(30);
/// How often chores are done.
const CHORES_EVERY: Duration = Duration::from_secs(10);
/// After this time a session whose files had a fault is tried again.
const FAULTS_EVERY: Duration = Duration::from_mins(1);
/// For how long a message that a platform offers again is known for a duplicate.
const EVENTS_KEPT: Duration = Duration::from_hours(14 * 24);
/// How many entries of that ledger go at a time.
const PRUNE_LIMIT: u32 = 1_000;
/// How many sessions one sweep wakes.
const SESSIONS_LIMIT: u32 = 1_000;
/// From start to the first sign of life.
const START_LIMIT: Duration = Duration::from_mins(1);
/// The longest declared time of a tool that is believed.
const DECLARED_LIMIT: Duration = Duration::from_hours(2);
/// A sandbox that keeps its file locked for so long works against its host.
const LOCKED_LIMIT: Duration = Duration::from_secs(30);

/// The sweep of one host.
#[derive(Debug)]
pub struct Sweep {
    base: Base,
    lifecycle: Lifecycle,
    wake: Wake,
    sandboxes: Arc<Sandboxes>,
    retention: Retention,
    feed: Feed,
    tasks: Tasks,
    wall: Wall,
    nudge: Arc<Notify>,
}

impl Sweep {
    /// Sweeps when `nudge` says so, when something is due, and now and then.
    pub fn new(
        base: Base,
        lifecycle: Lifecycle,
        (wake, sandboxes, retention, feed): (Wake, Arc<Sandboxes>, Retention, Feed),
        (wall, tasks): (Wall, Tasks),
        nudge: Arc<Notify>,
    ) -> Self {
        Self {
            base,
            lifecycle,
            wake,
            sandboxes,
            retention,
            feed,
            tasks,
            wall,
            nudge,
        }
    }

    /// Sweeps until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut chores_at = self.base.mono();
        let mut all_at = chores_at;
        loop {
            match self.wall.look().await {
                Ok(sessions) => self.feed.renew(sessions),
                Err(failure) => error!(error = %report(&failure), "plans wait for a clock"),
            }
            let all = self.base.mono() >= all_at;
            if all {
                all_at = self.base.mono() + IDLE_EVERY;
            }
            let waiting = self.once(all).await;
            if self.base.mono() >= chores_at {
                chores_at = self.base.mono() + CHORES_EVERY;
                if let Err(failure) = self.chores().await {
                    error!(error = %report(&failure), "chores not done");
                }
            }
            let mut wait = self.wait(chores_at.min(all_at)).await;
            if waiting {
                wait = wait.min(EVERY);
            }
            let sooner = self.base.live.sooner();
            let resting = async {
                tokio::select! {
                    () = self.rest(wait) => {}
                    () = sooner.notified() => self.rest(wait.min(EVERY)).await,
                }
            };
            if shutdown.run_until_cancelled(resting).await.is_none() {
                return;
            }
        }
    }

    /// Rests for so long, unless somebody says that there is more to do.
    async fn rest(&self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.nudge.notified() => {}
        }
    }

    /// For how long nothing is due, as far as is known; `by` is when something is due in any case.
    async fn wait(&self, by: Instant) -> Duration {
        if !self.base.live.restless().is_empty() {
            return EVERY;
        }
        let (now, mono) = (self.base.now(), self.base.mono());
        let release = self.base.live.next_release(mono).unwrap_or(by);
        let known = by.min(release).saturating_duration_since(mono);
        let due = match self.next_due_at(now).await {
            // What has become due meanwhile is due at once.
            Ok(at) => at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default()),
            Err(failure) => {
                error!(error = %report(&failure), "can't see what is due next");
                Some(EVERY)
            }
        };
        FALLBACK.min(known).min(due.unwrap_or(FALLBACK))
    }

    /// When the next message or task becomes due.
    async fn next_due_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let message = self.base.store.next_due_at(now).await?;
        let task = self.base.store.next_task_at(now).await?;
        Ok(message.into_iter().chain(task).min())
    }

    /// One sweep, over all sandboxes or only those that work; tells whether somebody waits for one.
    /// What fails for one session fails for it alone.
    async fn once(&self, all: bool) -> bool {
        let mut waiting = self.feed.retry();
        if let Err(failure) = self.tasks.step().await {
            error!(error = %report(&failure), "can't look for due tasks");
        }
        waiting |= match self.wake_due().await {
            Ok(waiting) => waiting,
            Err(failure) => {
                error!(error = %report(&failure), "can't look for due messages");
                true
            }
        };
        let sessions = if all {
            let running = self.base.live.sessions().into_iter();
            running.map(|(session, _)| session).collect()
        } else {
            self.base.live.restless()
        };
        for session in sessions {
            self.base.live.look(session);
            if let Err(failure) = self.examine(session).await {
                error!(%session, error = %report(&failure), "session can't be examined");
            }
        }
        waiting
    }

    /// What has to be done now and then, off the path of messages.
    async fn chores(&self) -> Result<(), StoreError> {
        self.base.store.fold_log().await?;
        // A clock that is set ahead must not forget what a platform may still offer again.
        let now = self.wall.surely();
        let before = now.saturating_sub(EVENTS_KEPT).unwrap_or(Timestamp::MIN);
        self.base.store.prune_events(before, PRUNE_LIMIT).await?;
        self.forgive_faults().await?;
        self.retention.step().await
    }

    /// A fault of the host's own side, as of a full disk, may be mended by now: it is tried again,
    /// and recorded again if it is still there.
    async fn forgive_faults(&self) -> Result<(), StoreError> {
        for session in self.base.store.faulted_sessions(SESSIONS_LIMIT).await? {
            let row = self.base.store.session(session).await?;
            let since = row.and_then(|row| row.fault).map(|fault| fault.since);
            let age = since.map(|since| self.base.now().duration_since(since));
            // One of the future was recorded before the clock was set back.
            let due = |age: SignedDuration| age.is_negative() || age.unsigned_abs() >= FAULTS_EVERY;
            if age.is_some_and(due) {
                warn!(%session, "session with a fault is tried again");
                self.base.store.clear_fault(session).await?;
                self.nudge.notify_one();
            }
        }
        Ok(())
    }

    /// Wakes who is due; tells whether somebody of those has no sandbox and need not wait.
    async fn wake_due(&self) -> Result<bool, StoreError> {
        let mut waiting = false;
        let running: HashSet<SessionId> = self
            .lifecycle
            .running()
            .into_iter()
            .map(|sandbox| sandbox.session)
            .collect();
        for due in self
            .base
            .store
            .due_sessions(self.base.now(), SESSIONS_LIMIT)
            .await?
        {
            if running.contains(&due.session) {
                // It has its own fallback for a bell that was not heard.
                self.base
                    .live
                    .note_work(due.session, true, self.base.mono());
            } else {
                waiting |= !self.base.live.is_held(due.session, self.base.mono());
                self.wake.ask(due.agent_group, due.session);
                self.sandboxes.waits(due.session).await;
            }
        }
        Ok(waiting)
    }

    /// Ends a sandbox that does not work as it should.
    async fn examine(&self, session: SessionId) -> Result<(), StoreError> {
        let now = self.base.mono();
        let Some(limits) = self.limits(session).await? else {
            return Ok(());
        };
        // Whether it has work is what the records say: a wake-up may have been for nothing, and what
        // waits for its provider is no work until its time comes.
        let work = self.base.store.session_work(session).await?;
        let due = work.is_due(self.base.now());
        self.base.live.note_work(session, due, now);
        let Some(seen) = self.base.live.observe(session, now) else {
            return Ok(());
        };
        let verdict = judge(&seen, &limits);
        if verdict != Verdict::Healthy {
            self.base.live.condemn(session, Ending::Judged(verdict));
        }
        if self
            .base
            .live
            .unreadable(session, now)
            .is_some_and(|span| span > LOCKED_LIMIT)
        {
            self.base.live.condemn(session, Ending::Untrusted);
        }
        match self.base.live.ending(session) {
            None | Some(Ending::Asked) => {}
            Some(ending) => {
                warn!(%session, ?ending, ?seen, "sandbox is being replaced");
                self.lifecycle.kill(session);
            }
        }
        Ok(())
    }

    async fn limits(&self, session: SessionId) -> Result<Option<Limits>, StoreError> {
        let Some(row) = self.base.store.session(session).await? else {
            return Ok(None);
        };
        let group = self.base.store.group(row.session.key.agent_group).await?;
        Ok(group.map(|group| Limits {
            start: START_LIMIT,
            progress: Duration::from_millis(group.limits.progress_ms),
            turn: Duration::from_millis(group.limits.turn_ms),
            declared: DECLARED_LIMIT,
        }))
    }
}
