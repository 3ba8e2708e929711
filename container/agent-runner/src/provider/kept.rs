//! What programs of others have from turn to turn: the gate and the child, for one turn at a time.

use std::{future::Future, sync::Arc};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio_util::task::TaskTracker;

use crate::{
    provider::{TurnError, TurnIo, gate::Gate, pipe::GRACE},
    report,
    way_out::SILENCE,
};

/// A child that can be brought to its end.
pub(super) trait Child: Send + 'static {
    /// Has it end. May be called again where it was dropped.
    fn end(&mut self) -> impl Future<Output = ()> + Send;
}

/// The place of a gate and a child. Cheap to clone; clones are the same.
#[derive(Debug)]
pub(super) struct Kept<C> {
    place: Arc<Mutex<Place<C>>>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Place<C> {
    gate: Option<Arc<Gate>>,
    child: Option<C>,
}

/// The child while a turn runs. If the turn is dropped, or fails, the child is brought to its end
/// beside what follows, and the next turn waits for that.
pub(super) struct InTurn<C: Child> {
    pub(super) child: Option<C>,
    place: Option<OwnedMutexGuard<Place<C>>>,
    tasks: TaskTracker,
}

impl<C> Default for Kept<C> {
    fn default() -> Self {
        let place = Place {
            gate: None,
            child: None,
        };
        Self {
            place: Arc::new(Mutex::new(place)),
            tasks: TaskTracker::new(),
        }
    }
}

impl<C: Child> Kept<C> {
    /// What runs beside turns.
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Takes the child for a turn, if there is one, and the gate.
    pub(super) async fn take(&self, io: &TurnIo) -> Result<(InTurn<C>, Arc<Gate>), TurnError> {
        // An earlier child may still be ending.
        io.progress(Some(GRACE + SILENCE));
        let mut place = Arc::clone(&self.place).lock_owned().await;
        let gate = if let Some(gate) = &place.gate {
            Arc::clone(gate)
        } else {
            let bound = Gate::bind().await.map_err(|error| TurnError::Failed {
                why: format!("no port for the model: {}", report(&error)),
            })?;
            Arc::clone(place.gate.insert(Arc::new(bound)))
        };
        let in_turn = InTurn {
            child: place.child.take(),
            place: Some(place),
            tasks: self.tasks.clone(),
        };
        Ok((in_turn, gate))
    }
}

impl<C: Child> InTurn<C> {
    /// Ends the child that there is, so that another can be begun.
    pub(super) async fn end(&mut self) {
        if let Some(child) = &mut self.child {
            child.end().await;
        }
        self.child = None;
    }

    /// The turn has ended well.
    pub(super) fn keep(mut self) {
        if let Some(place) = &mut self.place {
            place.child = self.child.take();
        }
    }
}

impl<C: Child> Drop for InTurn<C> {
    fn drop(&mut self) {
        let place = self.place.take();
        if let Some(mut child) = self.child.take() {
            self.tasks.spawn(async move {
                child.end().await;
                drop(place);
            });
        }
    }
}
