//! What comes in becomes durable: one transaction for all that came in together.
//!
//! Everything that a session is to hear goes this way: people's messages, the host's own words, what
//! a person commands. Whoever waits is answered when the commit has survived the loss of power; the
//! sessions' files are written after that, by [`crate::feed`].

use std::{collections::HashMap, sync::Arc};

use anchorhold_core::ids::SessionId;
use anchorhold_sessiondb::{Body, JournalRow, Seq};
use anchorhold_store::{
    Disposition, Error as StoreError, Store,
    ingest::{Entered, Entry, Key, MessageRole, NewMessage, Tracked},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{base::Base, blocking::blocking, feed::Feed};

/// How much waits for its turn; whoever comes later waits for a place.
const QUEUE_LIMIT: usize = 1_024;
/// How much one transaction takes.
const BATCH_LIMIT: usize = 128;

/// The way into the journal. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Journal {
    base: Base,
    jobs: mpsc::Sender<Job>,
}

/// Why something could not be made durable. Nothing of it was done; doing it again is safe.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JournalError {
    /// The central database failed.
    #[error("it can't be made durable")]
    Store(#[source] Arc<StoreError>),
    /// The host is stopping, or the way in has broken.
    #[error("the host takes nothing in any more")]
    Stopped,
}

/// One thing to be made durable, and who waits for it.
#[derive(Debug)]
struct Job {
    entry: Entry,
    done: oneshot::Sender<Result<Entered, JournalError>>,
}

/// What is to be written into one session's file.
#[derive(Debug, Default)]
struct Share {
    rows: Vec<JournalRow>,
    closed: Vec<Seq>,
}

impl Journal {
    /// Starts to take in, until shutdown; what has been handed over by then is still done.
    pub fn start(
        base: &Base,
        feed: Feed,
        tasks: &TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (jobs, waiting) = mpsc::channel(QUEUE_LIMIT);
        tasks.spawn(run(base.store.clone(), feed, waiting, shutdown));
        Self {
            base: base.clone(),
            jobs,
        }
    }

    /// Makes an entry durable. Where the caller goes away meanwhile, it may be done all the same.
    pub async fn enter(&self, entry: Entry) -> Result<Entered, JournalError> {
        let (done, outcome) = oneshot::channel();
        let job = Job { entry, done };
        self.jobs
            .send(job)
            .await
            .map_err(|_closed| JournalError::Stopped)?;
        outcome.await.map_err(|_dropped| JournalError::Stopped)?
    }

    /// The highest number of a session's agent, as far as it may be higher than what is on record.
    pub async fn said(&self, session: SessionId) -> i64 {
        if !self.base.live.is_known(session) {
            return 0;
        }
        let files = self.base.files(session);
        // silent: the number is only there for the order of what agents cite.
        blocking(move || files.highest_outbound())
            .await
            .unwrap_or(0)
    }
}

async fn run(
    store: Store,
    feed: Feed,
    mut waiting: mpsc::Receiver<Job>,
    shutdown: CancellationToken,
) {
    loop {
        let job = tokio::select! {
            job = waiting.recv() => job,
            () = shutdown.cancelled() => {
                waiting.close();
                waiting.recv().await
            }
        };
        let Some(job) = job else { return };
        let mut batch = vec![job];
        while batch.len() < BATCH_LIMIT
            && let Ok(job) = waiting.try_recv()
        {
            batch.push(job);
        }
        commit(&store, &feed, batch).await;
    }
}

/// Enters what came together. What fails for a reason of its own fails alone.
async fn commit(store: &Store, feed: &Feed, batch: Vec<Job>) {
    let (entries, waiting): (Vec<Entry>, Vec<_>) =
        batch.into_iter().map(|job| (job.entry, job.done)).unzip();
    let outcomes = match store.enter(&entries).await {
        Ok(entered) => entered.into_iter().map(Ok).collect(),
        Err(failure) if entries.len() > 1 && failure.disposition() != Disposition::Later => {
            let mut outcomes = Vec::with_capacity(entries.len());
            for entry in &entries {
                let entered = store.enter(std::slice::from_ref(entry)).await;
                outcomes.push(entered.map_err(failed).map(|mut one| one.remove(0)));
            }
            outcomes
        }
        Err(failure) => {
            let failure = failed(failure);
            entries.iter().map(|_| Err(failure.clone())).collect()
        }
    };
    hand_on(feed, entries, &outcomes);
    for (done, outcome) in waiting.into_iter().zip(outcomes) {
        // silent: whoever does not wait any more finds it on record.
        let _gone = done.send(outcome);
    }
}

fn failed(failure: StoreError) -> JournalError {
    JournalError::Store(Arc::new(failure))
}

/// Hands what is new on to the sessions' files, in its order.
fn hand_on(feed: &Feed, entries: Vec<Entry>, outcomes: &[Result<Entered, JournalError>]) {
    let mut shares: HashMap<SessionId, Share> = HashMap::new();
    for (entry, outcome) in entries.into_iter().zip(outcomes) {
        let Ok(Entered::Now(tracked)) = outcome else {
            continue;
        };
        for (message, tracked) in entry.into_messages().into_iter().zip(tracked) {
            if !tracked.fresh {
                continue;
            }
            let share = shares.entry(message.session).or_default();
            let over = tracked.surplus.iter().copied().filter_map(Seq::new);
            share.closed.extend(over);
            if !tracked.surplus.contains(&tracked.seq) {
                share.rows.extend(row(message, tracked));
            }
        }
    }
    for (session, Share { rows, closed }) in shares {
        feed.push(session, rows, closed);
    }
}

fn row(message: NewMessage, tracked: &Tracked) -> Option<JournalRow> {
    let (triggers, due_at) = match message.role {
        MessageRole::Due(due_at) => (true, due_at),
        MessageRole::Context => (false, message.created_at),
    };
    let (Key::Platform(platform_id) | Key::Word(platform_id)) = message.key;
    Some(JournalRow {
        seq: Seq::new(tracked.seq)?,
        address: message.address,
        platform_id,
        triggers,
        tries: 0,
        due_at,
        created_at: message.created_at,
        fresh_only: message.body.fresh_only,
        body: Body {
            kind: message.body.kind,
            version: message.body.version,
            payload: message.body.payload,
        },
    })
}
