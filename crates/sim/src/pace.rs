//! One thing after the other: what runs beside the host's own thread, and virtual time with it.
//!
//! The host's runtime has one thread for blocking work, which takes it in order. A turn is a place
//! in that order, kept until it is given back: so calls of the central database, whose threads are
//! SQLite's own, happen one after the other with all other blocking work, and while one is under way
//! tokio's paused clock stands, as it does for all blocking work.

use std::sync::mpsc;

use anchorhold_store::{Pace, Turn};
use tokio::sync::oneshot;

/// Hands out the turns of the runtime it is called on.
#[derive(Clone, Copy, Debug)]
pub struct OneByOne;

impl Pace for OneByOne {
    fn begin(&self) -> Turn {
        Box::pin(async {
            let (begun_tx, begun_rx) = oneshot::channel();
            let (over_tx, over_rx) = mpsc::channel::<()>();
            #[expect(
                clippy::disallowed_methods,
                reason = "it is a place in the order of them"
            )]
            drop(tokio::task::spawn_blocking(move || {
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
