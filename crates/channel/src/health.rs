//! How an instance fares: written by its adapter, read by the host.
//!
//! Each value is something that was observed. Nothing here is set by a timer: a connection that
//! has not shown itself broken is not reported as broken, and the age of the last proof is for
//! the reader to judge.

use std::{fmt, sync::Arc};

use anchorhold_core::clock::Clock;
use jiff::Timestamp;
use tokio::sync::watch;

/// How an instance fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The state of the connection.
    pub connection: Connection,
    /// When something last proved that the way in works: a message, or an empty poll answered.
    pub last_inbound: Option<Timestamp>,
    /// When the platform last took something from us.
    pub last_outbound: Option<Timestamp>,
}

/// The state of an instance's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not up yet.
    Starting,
    /// Up, as far as was observed.
    Connected,
    /// Lost; the adapter or the host is about to bring it back.
    Reconnecting {
        /// Since when: kept while one failed try follows another.
        since: Timestamp,
        /// Why it was lost, most recently.
        why: String,
    },
    /// Ended; only an operator can bring it back.
    Dead {
        /// Why.
        why: String,
    },
}

/// The two ends of a new instance's health, in the state [`Connection::Starting`].
pub fn pair(clock: Arc<dyn Clock>) -> (HealthReporter, HealthView) {
    let health = Health {
        connection: Connection::Starting,
        last_inbound: None,
        last_outbound: None,
    };
    let (health_tx, health_rx) = watch::channel(health);
    let health_tx = Arc::new(health_tx);
    (
        HealthReporter { clock, health_tx },
        HealthView { health_rx },
    )
}

/// The end that the adapter writes. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct HealthReporter {
    clock: Arc<dyn Clock>,
    health_tx: Arc<watch::Sender<Health>>,
}

impl HealthReporter {
    /// The connection was seen to work.
    pub fn connected(&self) {
        self.health_tx.send_if_modified(|health| {
            let changed = health.connection != Connection::Connected;
            health.connection = Connection::Connected;
            changed
        });
    }

    /// The connection was seen to fail and is being brought back.
    pub fn reconnecting(&self, why: &str) {
        let now = self.clock.now();
        self.health_tx.send_modify(|health| {
            let since = match health.connection {
                Connection::Reconnecting { since, .. } => since,
                Connection::Starting | Connection::Connected | Connection::Dead { .. } => now,
            };
            let why = why.to_owned();
            health.connection = Connection::Reconnecting { since, why };
        });
    }

    /// The connection has ended for good.
    pub fn dead(&self, why: &str) {
        let why = why.to_owned();
        self.health_tx
            .send_modify(|health| health.connection = Connection::Dead { why });
    }

    /// The way in has just proved to work.
    pub fn inbound(&self) {
        let now = self.clock.now();
        self.health_tx
            .send_modify(|health| health.last_inbound = Some(now));
    }

    /// The platform has just taken something from us.
    pub fn outbound(&self) {
        let now = self.clock.now();
        self.health_tx
            .send_modify(|health| health.last_outbound = Some(now));
    }
}

impl fmt::Debug for HealthReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthReporter")
            .field("health", &*self.health_tx.borrow())
            .finish_non_exhaustive()
    }
}

/// The end that the host reads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HealthView {
    health_rx: watch::Receiver<Health>,
}

impl HealthView {
    /// How the instance fares now.
    pub fn get(&self) -> Health {
        self.health_rx.borrow().clone()
    }

    /// Waits until `is` holds and returns what held; `None` when every reporter is gone before.
    /// Can be dropped at any time.
    pub async fn until(&mut self, mut is: impl FnMut(&Health) -> bool) -> Option<Health> {
        match self.health_rx.wait_for(|health| is(health)).await {
            Ok(health) => Some(health.clone()),
            // silent: the answer `None` says it
            Err(_gone) => None,
        }
    }
}

#[cfg(test)]
mod tests;
