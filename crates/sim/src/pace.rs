//! One thing after the other: what runs beside the host's own thread, and virtual time with it.
//!
//! The host's runtime has one thread for blocking work, which takes it in order. A turn is a place
//! in that order, kept until it is given back: so calls of the central database, whose threads are
//! SQLite's own, happen one after the other with all other blocking work, and while one is under way
//! tokio's paused clock stands, as it does for all blocking work.

use std::sync::{Arc, mpsc};

use anchorhold_host::blocking::Before;
use anchorhold_store::{Pace, Turn};
use tokio::sync::oneshot;

use crate::world::{Life, World};

/// Hands out the turns of the runtime it is called on.
#[derive(Clone, Debug)]
pub struct OneByOne {
    world: Arc<World>,
    life: Arc<Life>,
}

impl OneByOne {
    /// The turns of one host.
    pub fn new(world: &Arc<World>, life: &Arc<Life>) -> Self {
        let (world, life) = (Arc::clone(world), Arc::clone(life));
        Self { world, life }
    }

    /// What blocking work begins with: the host's own thread rests. Otherwise a job could have
    /// ended before whoever waits for it has looked for the first time, or not.
    pub fn before(&self) -> Before {
        let Self { world, life } = self.clone();
        Before::new(move || world.wait_parked(&life))
    }
}

impl Pace for OneByOne {
    fn begin(&self) -> Turn {
        let Self { world, life } = self.clone();
        Box::pin(async move {
            let (begun_tx, begun_rx) = oneshot::channel();
            let (over_tx, over_rx) = mpsc::channel::<()>();
            #[expect(
                clippy::disallowed_methods,
                reason = "it is a place in the order of them"
            )]
            drop(tokio::task::spawn_blocking(move || {
                world.wait_parked(&life);
                // silent: who waited for the turn does not want it any more
                begun_tx.send(()).unwrap_or_default();
                // Ends when the other end is dropped; nothing is ever sent.
                over_rx.recv().unwrap_or_default();
            }));
            // silent: the job is dropped only with the whole runtime
            drop(begun_rx.await);
            let turn: Box<dyn Send + Sync> = Box::new(over_tx);
            turn
        })
    }
}
