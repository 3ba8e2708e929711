//! Where the loop leaves what came during a turn, and where the provider picks it up.
//!
//! Nothing is taken from the files unless the provider asks. What was left here and not picked up
//! when the turn ends was seen by nobody: it does not end with the turn.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_sessiondb::{InboundRow, Seq};
use tokio::{sync::Notify, time::timeout};

/// The follow-ups of one turn.
#[derive(Debug, Default)]
pub struct FollowUps {
    state: Mutex<State>,
    asked: Notify,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many calls wait for some.
    waiting: u32,
    /// How often the loop has looked.
    looks: u64,
    /// Claimed, and not picked up yet.
    rows: Vec<InboundRow>,
    /// There will be no more.
    closed: bool,
}

/// As long as it lives, follow-ups are wanted.
struct Wanted<'a> {
    follow_ups: &'a FollowUps,
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut state = self.follow_ups.state();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

impl FollowUps {
    /// For a turn that can have none.
    pub fn none() -> Self {
        let none = Self::default();
        none.close();
        none
    }

    /// Waits up to `patience` for at least one message, context before it included, and picks up all
    /// that are there; empty if none came, or none can come any more. With no patience it gives what
    /// came until now. Cancel-safe: what was not picked up is there for the next call.
    pub async fn take(&self, patience: Duration) -> Vec<InboundRow> {
        let looks = {
            let mut state = self.state();
            state.waiting += 1;
            state.looks
        };
        let wanted = Wanted { follow_ups: self };
        self.asked.notify_one();
        self.until(|state| state.looks > looks).await;
        if timeout(patience, self.until(|_| false)).await.is_err() {
            tracing::debug!("no follow-up in time");
        }
        drop(wanted);
        mem::take(&mut self.state().rows)
    }

    /// Returns when the provider has begun to wait since the last call. Cancel-safe.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Does the provider wait for some?
    pub(crate) fn wanted(&self) -> bool {
        let state = self.state();
        state.waiting > 0 && !state.closed
    }

    /// The loop has looked, and found these; they are claimed.
    pub(crate) fn looked(&self, rows: Vec<InboundRow>) {
        let mut state = self.state();
        state.looks += 1;
        state.rows.extend(rows);
        drop(state);
        self.changed.notify_waiters();
    }

    /// There will be no more: whoever waits gets what is there.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_waiters();
    }

    /// What was left here and not picked up.
    pub(crate) fn unread(&self) -> Vec<Seq> {
        self.state().rows.iter().map(|row| row.seq).collect()
    }

    /// Waits until there is something to pick up, nothing can come any more, or `enough`.
    async fn until(&self, enough: impl Fn(&State) -> bool) {
        loop {
            // Made before the look, so that no change between the two is missed.
            let changed = self.changed.notified();
            let over = {
                let state = self.state();
                !state.rows.is_empty() || state.closed || enough(&state)
            };
            if over {
                return;
            }
            changed.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
