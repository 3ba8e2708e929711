//! How long a turn may be quiet, where several calls of it run at once: the longest wait counts.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

type Beat = dyn Fn(Option<Duration>) + Send + Sync;

/// The waits of one turn, of which this is one. A clone is the same one.
#[derive(Clone)]
pub(super) struct Waits {
    beat: Arc<Beat>,
    shared: Arc<Mutex<Shared>>,
    own: u64,
}

#[derive(Default)]
struct Shared {
    last: u64,
    until: BTreeMap<u64, Instant>,
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").finish_non_exhaustive()
    }
}

impl Waits {
    /// `beat` is called at each event, with how long it may be quiet from then on.
    pub(super) fn new(beat: impl Fn(Option<Duration>) + Send + Sync + 'static) -> Self {
        Self {
            beat: Arc::new(beat),
            shared: Arc::default(),
            own: 0,
        }
    }

    /// Another wait of the same turn.
    pub(super) fn beside(&self) -> Self {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.last += 1;
        let own = shared.last;
        drop(shared);
        Self {
            own,
            ..self.clone()
        }
    }

    /// This one waits for so long now, or not any more.
    pub(super) fn declare(&self, declared: Option<Duration>) {
        let now = Instant::now();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match declared {
            Some(span) => shared.until.insert(self.own, now + span),
            None => shared.until.remove(&self.own),
        };
        // What is over counts no more: a call that was dropped never says so itself.
        shared.until.retain(|_, until| *until > now);
        let longest = shared.until.values().max().map(|until| *until - now);
        drop(shared);
        (self.beat)(longest.or(declared));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_wait_counts_while_it_lasts() {
        let beats: Arc<Mutex<Vec<Option<u64>>>> = Arc::default();
        let seen = Arc::clone(&beats);
        let turn = Waits::new(move |declared: Option<Duration>| {
            let seconds = declared.map(|span| span.as_secs());
            seen.lock().unwrap().push(seconds);
        });
        let (long, short) = (turn.beside(), turn.beside());
        let secs = |secs| Some(Duration::from_secs(secs));
        long.declare(secs(600));
        short.declare(secs(60));
        tokio::time::advance(Duration::from_secs(100)).await;
        short.declare(None);
        turn.declare(None);
        long.declare(None);
        turn.declare(None);
        let expect = [Some(600), Some(600), Some(500), Some(500), None, None];
        assert_eq!(*beats.lock().unwrap(), expect);
    }
}
