//! The steps of lanes that come at the same time, put on record together.

use std::{
    collections::VecDeque,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anchorhold_store::{
    Error as StoreError,
    attempts::steps::{Begun, Step},
};
use tokio::sync::{Mutex as Turn, oneshot};
use tracing::warn;

use crate::{base::Base, report::report};

/// The most steps that one transaction takes: none of them waits for long.
const GROUP_LIMIT: usize = 64;

/// Where lanes put their steps on record. Cheap to clone.
///
/// There is no task of its own: whoever comes while nobody writes takes the turn and writes for all
/// that wait. What comes meanwhile is the next one's.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    base: Base,
    waiting: Arc<Mutex<VecDeque<Waiting>>>,
    turn: Arc<Turn<()>>,
}

/// One lane's step.
#[derive(Debug)]
struct Waiting {
    step: Step,
    done_tx: oneshot::Sender<Result<Option<Begun>, StoreError>>,
}

/// Why a step is not on record, as far as its lane knows. Taking it again is always safe.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    /// The central database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever wrote it was cut off.
    #[error("the step of a lane was cut off")]
    CutOff,
}

impl Ledger {
    /// A ledger in `base`'s store.
    pub(super) fn new(base: Base) -> Self {
        Self {
            base,
            waiting: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Puts a step on record; gives what became of its [`Step::begin`].
    ///
    /// A step that fails fails alone. If the future is dropped, the step may be taken or not.
    pub(super) async fn take(&self, step: Step) -> Result<Option<Begun>, LedgerError> {
        let (done_tx, mut done_rx) = oneshot::channel();
        self.waiting().push_back(Waiting { step, done_tx });
        loop {
            tokio::select! {
                biased;
                done = &mut done_rx => {
                    let done = done.map_err(|_writer_gone| LedgerError::CutOff)?;
                    return Ok(done?);
                }
                turn = self.turn.lock() => {
                    self.write().await;
                    drop(turn);
                }
            }
        }
    }

    /// Writes what waits, or the first of it.
    async fn write(&self) {
        let (steps, done): (Vec<Step>, Vec<_>) = {
            let mut waiting = self.waiting();
            let count = waiting.len().min(GROUP_LIMIT);
            let group = waiting.drain(..count);
            group.map(|one| (one.step, one.done_tx)).unzip()
        };
        match self.base.store.advance(&steps, self.base.now()).await {
            Ok(begun) => {
                for (done_tx, begun) in done.into_iter().zip(begun) {
                    tell(done_tx, Ok(begun));
                }
            }
            Err(failure) if steps.len() > 1 => {
                warn!(error = %report(&failure), lanes = steps.len(), "steps are taken one by one");
                for (done_tx, step) in done.into_iter().zip(&steps) {
                    let store = &self.base.store;
                    let alone = store.advance(slice::from_ref(step), self.base.now()).await;
                    tell(done_tx, alone.map(|mut begun| begun.pop().flatten()));
                }
            }
            Err(failure) => {
                if let Some(done_tx) = done.into_iter().next() {
                    tell(done_tx, Err(failure));
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(
    done_tx: oneshot::Sender<Result<Option<Begun>, StoreError>>,
    done: Result<Option<Begun>, StoreError>,
) {
    // silent: a lane that is gone needs no word; what it did is on record
    let _gone = done_tx.send(done).is_err();
}
