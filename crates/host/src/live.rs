//! What the host sees of the sandboxes that run now. In memory only: after a restart it is seen anew.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anchorhold_core::{
    ids::SessionId,
    liveness::{Observation, Verdict},
    retry::{Backoff, Next},
    sandbox::Generation,
};
use anchorhold_sessiondb::{Claim, HostSide, progress::Progress};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// After a failed start the next one waits; a start never costs a message one of its tries.
const STARTS: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: Duration::from_mins(1),
    tries: u32::MAX,
};

/// All sandboxes that run, by session. Cheap to clone; the lock is never held across an await.
#[derive(Clone, Debug, Default)]
pub struct Live {
    sessions: Arc<Mutex<HashMap<SessionId, Seen>>>,
    starts: Arc<Mutex<HashMap<SessionId, Starts>>>,
    /// Rung when the sweep has to look sooner than it thought.
    sooner: Arc<Notify>,
    /// Rung when a turn has begun.
    turns_begin: Arc<Notify>,
    bells: Arc<Bells>,
}

/// What is known of bells across the wall, of all sandboxes since the host began.
#[derive(Debug, Default)]
struct Bells {
    /// A sandbox has taken a ring.
    taken: AtomicBool,
    /// A sandbox was rung that had no bell to be heard.
    missed: AtomicBool,
    /// A sandbox has rung.
    heard: AtomicBool,
}

/// Why the host ended a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The host itself stops: no message is to blame.
    Asked,
    /// It did not work as it should.
    Judged(Verdict),
    /// Its files could not be trusted.
    Untrusted,
}

/// Starts of one session's sandbox that failed.
#[derive(Clone, Copy, Debug, Default)]
struct Starts {
    failed: u32,
    held_until: Option<Instant>,
}

/// What was seen of one sandbox.
#[derive(Debug)]
pub struct Seen {
    /// Which sandbox of its session it is.
    pub generation: Generation,
    /// Wakes the task that reads its answers.
    pub look: Arc<Notify>,
    /// Ends that task; done when the token in it fires.
    pub watcher: Watcher,
    /// Why the host is ending it, if it is.
    pub ending: Option<Ending>,
    started: Option<Instant>,
    idle_since: Option<Instant>,
    beat: Option<(u64, Instant)>,
    declared: Option<Duration>,
    due_since: Option<Instant>,
    claim: Option<(Claim, Instant)>,
    unreadable_since: Option<Instant>,
    files: Option<HostSide>,
}

/// How the task that reads a sandbox's answers is ended.
#[derive(Clone, Debug, Default)]
pub struct Watcher {
    /// Asks it to end.
    pub stop: CancellationToken,
    /// Fires when it has ended.
    pub ended: CancellationToken,
}

impl Live {
    /// A sandbox is about to be started, or was adopted. It counts as idle until work is seen.
    pub fn begin(
        &self,
        session: SessionId,
        generation: Generation,
        now: Instant,
    ) -> (Arc<Notify>, Watcher) {
        let look = Arc::new(Notify::new());
        let watcher = Watcher::default();
        let seen = Seen {
            generation,
            look: Arc::clone(&look),
            watcher: watcher.clone(),
            ending: None,
            started: None,
            idle_since: Some(now),
            beat: None,
            declared: None,
            due_since: None,
            claim: None,
            unreadable_since: None,
            files: None,
        };
        self.lock().insert(session, seen);
        (look, watcher)
    }

    /// The runtime says that it runs: from now on it is judged.
    pub fn started(&self, session: SessionId, generation: Generation, now: Instant) {
        let mut sessions = self.lock();
        let seen = sessions.get_mut(&session);
        if let Some(seen) = seen.filter(|seen| seen.generation == generation) {
            seen.started.get_or_insert(now);
        }
    }

    /// The sandbox is gone. One of an earlier generation takes nothing of the present one.
    pub fn end(&self, session: SessionId, generation: Option<Generation>) -> Option<Seen> {
        let mut sessions = self.lock();
        let seen = sessions.get(&session)?;
        if generation.is_some_and(|generation| generation != seen.generation) {
            return None;
        }
        sessions.remove(&session)
    }

    /// Lets the task that reads a sandbox's answers look now.
    pub fn look(&self, session: SessionId) {
        if let Some(seen) = self.lock().get(&session) {
            seen.look.notify_one();
        }
    }

    /// Does a sandbox of the session run, or is one about to?
    pub fn is_known(&self, session: SessionId) -> bool {
        self.lock().contains_key(&session)
    }

    /// The files of a session whose sandbox runs: those that `open` gave first.
    pub fn files(&self, session: SessionId, open: impl FnOnce() -> HostSide) -> Option<HostSide> {
        let mut sessions = self.lock();
        let seen = sessions.get_mut(&session)?;
        Some(seen.files.get_or_insert_with(open).clone())
    }

    /// The sandboxes that run, in the same order each time.
    pub fn sessions(&self) -> Vec<(SessionId, Generation)> {
        let mut sessions: Vec<_> = self
            .lock()
            .iter()
            .map(|(session, seen)| (*session, seen.generation))
            .collect();
        sessions.sort_unstable();
        sessions
    }

    /// Tells when a sandbox has got something to do, or a start has to wait: what is to be seen in
    /// time is due sooner than it was. May tell of it twice, and like every nudge it may be lost.
    pub fn sooner(&self) -> Arc<Notify> {
        Arc::clone(&self.sooner)
    }

    /// The host rang a sandbox's bell: was there one that took it? That there was none says something
    /// only of a sandbox that has given a sign of life.
    pub fn note_ring(&self, session: SessionId, taken: bool) {
        if taken {
            self.bells.taken.store(true, Ordering::Relaxed);
        } else if self
            .lock()
            .get(&session)
            .is_some_and(|seen| seen.beat.is_some())
        {
            self.bells.missed.store(true, Ordering::Relaxed);
        }
    }

    /// A sandbox rang the host's bell.
    pub fn note_heard(&self) {
        self.bells.heard.store(true, Ordering::Relaxed);
    }

    /// How both sides learn of each other's writing, as far as it was tried, in words for operators.
    pub fn doorbell(&self) -> &'static str {
        let is = |bell: &AtomicBool| bell.load(Ordering::Relaxed);
        let Bells {
            taken,
            missed,
            heard,
        } = &*self.bells;
        match (is(taken), is(heard)) {
            (true, true) => "datagram socket, in and out",
            (true, false) => "datagram socket, in; out not heard yet",
            (false, true) if is(missed) => "datagram socket, out; in: poll",
            (false, true) => "datagram socket, out; in not tried yet",
            (false, false) if is(missed) => "poll",
            (false, false) => "not tried yet: no sandbox has run",
        }
    }

    /// Tells when a turn has begun. Like every nudge it may be lost.
    pub fn turns_begin(&self) -> Arc<Notify> {
        Arc::clone(&self.turns_begin)
    }

    /// The turns that run, each by the oldest message that it has taken up, and for how long.
    pub fn turns(&self, now: Instant) -> Vec<(SessionId, Claim, Duration)> {
        let sessions = self.lock();
        let running = sessions.iter().filter(|(_, seen)| seen.ending.is_none());
        let claimed = running.filter_map(|(session, seen)| {
            let (claim, since) = seen.claim?;
            Some((*session, claim, now.saturating_duration_since(since)))
        });
        let mut turns: Vec<_> = claimed.collect();
        turns.sort_unstable_by_key(|(session, ..)| *session);
        turns
    }

    /// The sandboxes that have something to do, that are being ended or whose files can't be read:
    /// those that have to be looked after closely.
    pub fn restless(&self) -> Vec<SessionId> {
        let sessions = self.lock();
        let restless = sessions.iter().filter(|(_, seen)| {
            let working = seen.idle_since.is_none() || seen.claim.is_some();
            working || seen.ending.is_some() || seen.unreadable_since.is_some()
        });
        restless.map(|(session, _)| *session).collect()
    }

    /// When the next start may be tried that has to wait at `now`.
    pub fn next_release(&self, now: Instant) -> Option<Instant> {
        let starts = self.starts();
        let held = starts.values().filter_map(|starts| starts.held_until);
        held.filter(|until| *until > now).min()
    }

    /// There is (or is no longer) something for the session's sandbox to answer.
    pub fn note_work(&self, session: SessionId, any: bool, now: Instant) {
        if let Some(seen) = self.lock().get_mut(&session) {
            if any && seen.idle_since.is_some() {
                self.sooner.notify_one();
            }
            seen.idle_since = if any {
                None
            } else {
                seen.idle_since.or(Some(now))
            };
            seen.due_since = if any {
                seen.due_since.or(Some(now))
            } else {
                None
            };
        }
    }

    /// A message of the session has ended: what is due next is due from now.
    pub fn note_end(&self, session: SessionId, now: Instant) {
        self.starts().remove(&session);
        if let Some(seen) = self.lock().get_mut(&session) {
            seen.due_since = seen.due_since.map(|_earlier| now);
        }
    }

    /// Its files were read: what its progress file said, and what it holds.
    pub fn note_read(
        &self,
        session: SessionId,
        progress: Option<Progress>,
        claims: &[Claim],
        now: Instant,
    ) {
        let mut sessions = self.lock();
        let Some(seen) = sessions.get_mut(&session) else {
            return;
        };
        seen.unreadable_since = None;
        if let Some(progress) = progress
            && seen.beat.is_none_or(|(beat, _)| beat != progress.beat)
        {
            seen.beat = Some((progress.beat, now));
            seen.declared = progress.declared();
        }
        if !claims.is_empty() {
            // It took up a message: what kept earlier ones from it is over.
            self.starts().remove(&session);
        }
        let oldest = claims.iter().copied().min_by_key(|claim| claim.seq);
        seen.claim = match (oldest, seen.claim) {
            (Some(claim), Some((known, since))) if claim == known => Some((known, since)),
            (Some(claim), _) => {
                self.turns_begin.notify_one();
                Some((claim, now))
            }
            (None, _) => None,
        };
    }

    /// Its files could not be read.
    pub fn note_unreadable(&self, session: SessionId, now: Instant) {
        if let Some(seen) = self.lock().get_mut(&session) {
            seen.unreadable_since.get_or_insert(now);
        }
    }

    /// The sandbox has to go, for this reason; the first reason stays.
    pub fn condemn(&self, session: SessionId, ending: Ending) {
        if let Some(seen) = self.lock().get_mut(&session) {
            seen.ending.get_or_insert(ending);
        }
    }

    /// Every sandbox is about to be stopped by the host itself.
    pub fn condemn_all(&self) {
        for seen in self.lock().values_mut() {
            seen.ending.get_or_insert(Ending::Asked);
        }
    }

    /// Why the sandbox has to go, if it has.
    pub fn ending(&self, session: SessionId) -> Option<Ending> {
        self.lock().get(&session)?.ending
    }

    /// For how long its files could not be read.
    pub fn unreadable(&self, session: SessionId, now: Instant) -> Option<Duration> {
        let since = self.lock().get(&session)?.unreadable_since?;
        Some(now.saturating_duration_since(since))
    }

    /// A start failed, or a sandbox ended before it took up any message: the next start waits, longer
    /// each time. Tells the how-manieth in a row it was.
    pub fn hold_back(&self, session: SessionId, now: Instant, jitter: u8) -> u32 {
        let mut starts = self.starts();
        let starts = starts.entry(session).or_default();
        starts.failed = starts.failed.saturating_add(1);
        let wait = match STARTS.next(starts.failed, None, jitter) {
            Next::After(wait) => wait,
            Next::GiveUp => STARTS.longest,
        };
        starts.held_until = Some(now + wait);
        self.sooner.notify_one();
        starts.failed
    }

    /// Is the next start of the session's sandbox still to wait?
    pub fn is_held(&self, session: SessionId, now: Instant) -> bool {
        let starts = self.starts();
        starts
            .get(&session)
            .and_then(|starts| starts.held_until)
            .is_some_and(|until| now < until)
    }

    /// What kept starts back is over: all may be tried at once.
    pub fn release_all(&self) {
        self.starts().clear();
    }

    /// For how long the sandbox has had nothing to do; `None` while it has work.
    pub fn idle(&self, session: SessionId, now: Instant) -> Option<Duration> {
        let sessions = self.lock();
        let seen = sessions.get(&session)?;
        seen.idle_since
            .map(|since| now.saturating_duration_since(since))
    }

    /// What the decision about its life is made from; `None` before it runs.
    pub fn observe(&self, session: SessionId, now: Instant) -> Option<Observation> {
        let sessions = self.lock();
        let seen = sessions.get(&session)?;
        let since = |then: Instant| now.saturating_duration_since(then);
        Some(Observation {
            since_start: since(seen.started?),
            since_progress: seen.beat.map(|(_, at)| since(at)),
            declared: seen.declared,
            since_due: seen.due_since.map(since),
            since_claim: seen.claim.map(|(_, at)| since(at)),
        })
    }

    fn starts(&self) -> MutexGuard<'_, HashMap<SessionId, Starts>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Seen>> {
        // Nothing in here can leave the map half changed.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
