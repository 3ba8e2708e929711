//! Tells tools what became of what they said: for those that wait for it, as soon as it is known.
//!
//! It is in memory only. A host that dies takes it along, and whoever waits inside then learns of a
//! failure as of every other, see [`crate::ends`].

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anchorhold_core::ids::{OutboundId, SessionId};
use anchorhold_sessiondb::{Outcome, Seq, bell};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{base::Base, feed::Feed, report::report};

/// The most that is waited for at a time. What is more is not told.
const AWAITED_LIMIT: usize = 4096;
/// The most words that wait to be written. What is more is not told.
const WORDS_LIMIT: usize = 4096;

/// What became of what. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    something: Notify,
}

#[derive(Debug, Default)]
struct State {
    awaited: HashMap<OutboundId, (SessionId, Seq)>,
    words: VecDeque<(SessionId, Seq, Outcome)>,
}

impl Outcomes {
    /// The session waits for what becomes of this delivery, which is its row `seq`.
    pub fn expect(&self, id: OutboundId, session: SessionId, seq: Seq) {
        let mut state = self.state();
        if state.awaited.len() < AWAITED_LIMIT {
            state.awaited.insert(id, (session, seq));
        }
    }

    /// A row is not taken.
    pub fn refuse(&self, session: SessionId, seq: Seq, why: &str) {
        self.say((session, seq, Outcome::Refused(why.to_owned())));
    }

    /// Something has become of a delivery. Nothing follows if nobody waits for it.
    pub fn note(&self, id: OutboundId, outcome: impl FnOnce() -> Outcome) {
        let mut state = self.state();
        let Some((session, seq)) = state.awaited.get(&id).copied() else {
            return;
        };
        let outcome = outcome();
        if outcome.is_end() {
            state.awaited.remove(&id);
        }
        drop(state);
        self.say((session, seq, outcome));
    }

    fn say(&self, word: (SessionId, Seq, Outcome)) {
        let mut state = self.state();
        if state.words.len() < WORDS_LIMIT {
            state.words.push_back(word);
        }
        drop(state);
        self.0.something.notify_one();
    }

    /// Writes what there is to tell into the sessions' files, until shutdown.
    ///
    /// If this ends, tools wait in vain, and nothing else is lost.
    pub async fn tell(self, base: Base, feed: Feed, shutdown: CancellationToken) {
        loop {
            while let Some(word) = self.next() {
                write(&base, &feed, word).await;
            }
            tokio::select! {
                () = self.0.something.notified() => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    fn next(&self) -> Option<(SessionId, Seq, Outcome)> {
        self.state().words.pop_front()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(base: &Base, feed: &Feed, (session, seq, outcome): (SessionId, Seq, Outcome)) {
    let now = base.now();
    let told = feed
        .on_file(session, move |files| files.tell_outcome(seq, &outcome, now))
        .await;
    if let Err(failure) = told {
        warn!(%session, seq = seq.get(), error = %report(&failure), "outcome not told");
    }
    // silent: a sandbox that does not listen looks by itself
    bell::ring(base.files(session).out_dir());
}
