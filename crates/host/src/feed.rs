//! Writes what is in the journal into the sessions' files, where their sandboxes read it.
//!
//! A file is only a copy: nothing of it is synced, and one that is gone, torn or older than the last
//! start of the machine is made anew from the journal. It is written while a sandbox reads it, and
//! brought up to date before the next one does. What can't be written now is written later; until
//! then it waits in the journal, and no other session waits with it.

mod older;
mod rebuild;
mod row;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_core::{entity::AgentGroup, ids::SessionId};
use anchorhold_sessiondb::{Cursors, HostSide, JournalRow, Seq, Settings, bell};
use anchorhold_store::{Disposition, Error as StoreError, sessions::SessionRow};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::{
    base::Base,
    blocking::{Lost, blocking},
    feed::row::row,
    live::Ending,
    models::Models,
    report::report,
};

/// How many rows are read from the journal at a time.
const PAGE: u32 = 200;
/// How many rows of one session wait in memory; more are read from the journal again.
const FRESH_LIMIT: usize = 256;
/// How often a file that is in use is tried, and how long apart. After that the sweep tries again.
const TRIES: u32 = 20;
const WAIT: Duration = Duration::from_millis(50);

/// Writes the files of one host's sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    base: Base,
    tasks: TaskTracker,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Sessions for which there is something to write.
    slots: HashMap<SessionId, Slot>,
    /// Sessions whose files have to be made anew before they are used.
    lost: HashSet<SessionId>,
    /// Sessions whose files have more than the journal, from before there was one.
    older: HashSet<SessionId>,
}

/// What there is to write for one session.
#[derive(Debug, Default)]
struct Slot {
    /// What follows on what is in the file.
    rows: Vec<JournalRow>,
    closed: Vec<Seq>,
    /// The journal may have more than the file and `rows`.
    behind: bool,
    work: Work,
    /// That is on record as the session's fault.
    faulted: bool,
    waiting: Vec<oneshot::Sender<Fed>>,
}

/// Who sees to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Work {
    /// Nobody: no sandbox reads it.
    #[default]
    Waits,
    /// A task.
    Runs,
    /// The sweep, later: it could not be written.
    Stuck,
}

/// What one step writes.
#[derive(Debug)]
struct Step {
    rows: Vec<JournalRow>,
    closed: Vec<Seq>,
    behind: bool,
    waiting: Vec<oneshot::Sender<Fed>>,
}

type Fed = Result<(), Arc<FeedError>>;

/// Why a session's file could not be written. What is to be in it stays in the journal.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The file could not be written.
    #[error(transparent)]
    Files(#[from] anchorhold_sessiondb::Error),
    /// The central database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The writing was cut off.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// What comes first could not be written.
    #[error("its file can't be brought up to date")]
    Before(#[source] Arc<Self>),
    /// The host is stopping.
    #[error("the host writes no files any more")]
    Stopped,
}

impl FeedError {
    /// Is it worth doing the same again in a moment?
    pub fn is_later(&self) -> bool {
        match self {
            Self::Files(failure) => failure.is_later(),
            Self::Store(failure) => failure.disposition() == Disposition::Later,
            Self::Before(failure) => failure.is_later(),
            Self::Lost(_) | Self::Stopped => false,
        }
    }

    fn is_lost_file(&self) -> bool {
        matches!(self, Self::Files(failure) if failure.is_lost())
    }
}

impl Feed {
    /// Writes the files of `base`'s sessions.
    pub fn new(base: Base, tasks: TaskTracker) -> Self {
        Self(Arc::new(Shared {
            base,
            tasks,
            state: Mutex::default(),
        }))
    }

    /// Takes up what earlier hosts left: nothing is believed to be written that need not be.
    pub async fn begin(&self) -> Result<(), StoreError> {
        let store = &self.0.base.store;
        let older = store.older_sessions(u32::MAX).await?;
        let any = !older.is_empty();
        self.state().older.extend(older.iter().copied());
        for session in older {
            if let Err(failure) = self.take_older(session).await {
                error!(%session, error = %report(&failure), "file of an older session not taken over");
            }
        }
        if any {
            store.make_durable().await?;
        }
        let lost = store.sessions_to_rebuild().await?;
        let waiting = store.journal_sessions().await?;
        let mut state = self.state();
        state.lost.extend(lost);
        for session in waiting {
            state.slots.entry(session).or_default().behind = true;
        }
        Ok(())
    }

    /// Takes what was made durable for a session just now; it is written soon, in its order. Where no
    /// sandbox would read it, it waits in the journal for the next one.
    pub fn push(&self, session: SessionId, rows: Vec<JournalRow>, closed: Vec<Seq>) {
        let mut state = self.state();
        let slot = state.slots.entry(session).or_default();
        if slot.work == Work::Waits && !self.0.base.live.is_known(session) {
            slot.forget();
            return;
        }
        if slot.behind || slot.rows.len() + rows.len() > FRESH_LIMIT {
            slot.forget();
        } else {
            slot.rows.extend(rows);
            slot.closed.extend(closed);
        }
        if slot.work != Work::Stuck {
            self.work_on(session, slot);
        }
    }

    /// Writes what waits for a session from now on as it comes: a sandbox is about to read it, and is
    /// known to [`crate::live`].
    pub fn attend(&self, session: SessionId) {
        let mut state = self.state();
        if let Some(slot) = state.slots.get_mut(&session) {
            self.work_on(session, slot);
        }
    }

    /// Tries again what could not be written; tells whether there was something.
    pub fn retry(&self) -> bool {
        let mut any = false;
        let mut state = self.state();
        let stuck = state.slots.iter_mut();
        for (session, slot) in stuck.filter(|(_, slot)| slot.work == Work::Stuck) {
            self.work_on(*session, slot);
            any = true;
        }
        any
    }

    /// These sessions' files say what is on record no more: they are made anew.
    pub fn renew(&self, sessions: Vec<SessionId>) {
        let mut state = self.state();
        for session in sessions {
            state.lost.insert(session);
            let slot = state.slots.entry(session).or_default();
            slot.forget();
            self.work_on(session, slot);
        }
    }

    /// Waits until everything that is in the journal for a session is in its file, and the file is
    /// one to be believed.
    pub async fn settle(&self, session: SessionId) -> Result<(), FeedError> {
        let (tell, fed) = oneshot::channel();
        {
            let mut state = self.state();
            let lost = state.lost.contains(&session);
            if !lost && !state.slots.contains_key(&session) {
                return Ok(());
            }
            let slot = state.slots.entry(session).or_default();
            if lost {
                slot.forget();
            }
            slot.waiting.push(tell);
            self.work_on(session, slot);
        }
        match fed.await {
            Ok(fed) => fed.map_err(FeedError::Before),
            Err(_dropped) => Err(FeedError::Stopped),
        }
    }

    /// Does something with a session's file, after it is settled. A file that is found lost is made
    /// anew, and the same done again.
    pub async fn on_file<T: Send + 'static>(
        &self,
        session: SessionId,
        job: impl Fn(&HostSide) -> Result<T, anchorhold_sessiondb::Error> + Send + Sync + 'static,
    ) -> Result<T, FeedError> {
        self.settle(session).await?;
        let job = Arc::new(job);
        let run = async || {
            let (files, job) = (self.0.base.files(session), Arc::clone(&job));
            Ok(blocking(move || job(&files)).await??)
        };
        let done: Result<T, FeedError> = run().await;
        match done {
            Err(failure) if failure.is_lost_file() => {
                warn!(%session, error = %report(&failure), "session's file is lost");
                self.state().lost.insert(session);
                self.settle(session).await?;
                run().await
            }
            done => done,
        }
    }

    /// Writes all that waits, as for sandboxes that are about to read.
    #[cfg(test)]
    pub fn attend_all(&self) {
        let mut state = self.state();
        let waiting = state.slots.iter_mut();
        for (session, slot) in waiting.filter(|(_, slot)| slot.work == Work::Waits) {
            self.work_on(*session, slot);
        }
    }

    /// Is there nothing to write?
    #[cfg(test)]
    pub fn is_settled(&self) -> bool {
        let state = self.state();
        state.slots.values().all(|slot| slot.work != Work::Runs)
    }

    fn work_on(&self, session: SessionId, slot: &mut Slot) {
        if std::mem::replace(&mut slot.work, Work::Runs) != Work::Runs {
            self.0.tasks.spawn(self.clone().work(session));
        }
    }

    /// Writes until there is nothing more to write, or it can't be.
    async fn work(self, session: SessionId) {
        let mut tries = 0;
        while let Some(mut step) = self.next_step(session) {
            match self.write(session, &mut step).await {
                Ok(()) => {
                    tries = 0;
                    self.written(session).await;
                    tell(step.waiting, &Ok(()));
                }
                Err(failure) => {
                    tries += 1;
                    self.put_back(session, step.waiting);
                    if !failure.is_later() || tries >= TRIES {
                        self.give_up(session, failure).await;
                        return;
                    }
                    sleep(WAIT).await;
                }
            }
        }
    }

    fn next_step(&self, session: SessionId) -> Option<Step> {
        let mut state = self.state();
        let slot = state.slots.get_mut(&session)?;
        if slot.rows.is_empty() && slot.closed.is_empty() && !slot.behind {
            let slot = state.slots.remove(&session)?;
            tell(slot.waiting, &Ok(()));
            return None;
        }
        Some(Step {
            rows: std::mem::take(&mut slot.rows),
            closed: std::mem::take(&mut slot.closed),
            behind: std::mem::take(&mut slot.behind),
            waiting: std::mem::take(&mut slot.waiting),
        })
    }

    async fn write(&self, session: SessionId, step: &mut Step) -> Result<(), FeedError> {
        if self.state().lost.contains(&session) {
            return self.rebuild(session).await;
        }
        let written = if step.behind {
            self.write_all(session).await
        } else {
            let (rows, closed) = (
                std::mem::take(&mut step.rows),
                std::mem::take(&mut step.closed),
            );
            self.write_rows(session, rows, closed).await
        };
        match written {
            Err(failure) if failure.is_lost_file() => {
                // A session's first message finds none, too.
                debug!(%session, error = %report(&failure), "session has no sound file");
                self.state().lost.insert(session);
                self.rebuild(session).await
            }
            written => written,
        }
    }

    /// Writes all of a session that is in the journal, whatever of it is there already.
    async fn write_all(&self, session: SessionId) -> Result<(), FeedError> {
        let mut after = 0;
        loop {
            let page = self.0.base.store.journal(session, after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.seq;
            let rows = page.into_iter().filter_map(row).collect();
            self.write_rows(session, rows, Vec::new()).await?;
        }
    }

    async fn write_rows(
        &self,
        session: SessionId,
        rows: Vec<JournalRow>,
        closed: Vec<Seq>,
    ) -> Result<(), FeedError> {
        let files = self.0.base.files(session);
        let live = self.0.base.live.clone();
        blocking(move || {
            files.feed(&rows, &closed)?;
            // A sandbox that does not listen looks by itself.
            live.note_ring(session, bell::ring(files.out_dir()));
            Ok(())
        })
        .await?
    }

    async fn written(&self, session: SessionId) {
        let faulted = {
            let mut state = self.state();
            let slot = state.slots.get_mut(&session);
            slot.is_some_and(|slot| std::mem::take(&mut slot.faulted))
        };
        if faulted {
            info!(%session, "session's file is written again");
            if let Err(failure) = self.0.base.store.clear_fault(session).await {
                error!(%session, error = %report(&failure), "fault of a session not cleared yet");
            }
        }
    }

    fn put_back(&self, session: SessionId, waiting: Vec<oneshot::Sender<Fed>>) {
        let mut state = self.state();
        let slot = state.slots.entry(session).or_default();
        slot.forget();
        slot.waiting.extend(waiting);
    }

    /// Leaves it to the sweep, and puts on record why.
    async fn give_up(&self, session: SessionId, failure: FeedError) {
        if failure.is_later() {
            // A sandbox can lock what it may only read: one that keeps at it has to go.
            self.0.base.live.condemn(session, Ending::Untrusted);
        }
        let known = {
            let mut state = self.state();
            let slot = state.slots.get_mut(&session);
            slot.is_some_and(|slot| std::mem::replace(&mut slot.faulted, true))
        };
        let what = report(&failure).to_string();
        if known {
            debug!(%session, error = %what, "session's file still can't be written");
        } else {
            error!(%session, error = %what, "session's file can't be written; what it lacks waits");
        }
        let (store, now) = (&self.0.base.store, self.0.base.now());
        if let Err(failure) = store.set_fault(session, &what, now).await {
            error!(%session, error = %report(&failure), "fault of a session not on record");
        }
        let failure = Err(Arc::new(failure));
        let waiting = {
            let mut state = self.state();
            let slot = state.slots.entry(session).or_default();
            slot.work = Work::Stuck;
            std::mem::take(&mut slot.waiting)
        };
        tell(waiting, &failure);
        self.0.base.live.sooner().notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here can leave it half changed.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Everything is read from the journal again.
    fn forget(&mut self) {
        self.behind = true;
        self.rows.clear();
        self.closed.clear();
    }
}

fn tell(waiting: Vec<oneshot::Sender<Fed>>, fed: &Fed) {
    for one in waiting {
        // silent: whoever does not wait any more need not know.
        let _gone = one.send(fed.clone());
    }
}

/// What a session's sandboxes are told about their group.
pub fn settings(models: &Models, row: &SessionRow, group: &AgentGroup) -> Settings {
    let (model, model_options) = models.told(group);
    Settings {
        agent_name: group.name.clone(),
        provider: group.provider.clone(),
        model,
        model_options,
        time_zone: models.zone(group),
        prompt_messages: group.limits.prompt_messages,
        floor: Cursors {
            // A file that was made anew does not show the numbers of what has ended.
            out: row.out_cursor.max(row.in_seq),
            handled: row.handled_cursor,
        },
    }
}
