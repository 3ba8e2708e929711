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
    /// Since when the connection is up, or since when it is not: one failed try after another is one
    /// time in which it is not.
    pub since: Timestamp,
    /// When something last proved that the way in works: a message, or an empty poll answered.
    pub last_inbound: Option<Timestamp>,
    /// When the platform last took something from us.
    pub last_outbound: Option<Timestamp>,
    /// How often the connection came up again after it was lost.
    pub reconnects: u64,
    /// How often the host has started the adapter anew.
    pub restarts: u64,
    /// What went wrong last, and when.
    pub last_error: Option<(Timestamp, String)>,
}

/// The state of an instance's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not up yet.
    Starting,
    /// Up, as far as was observed. Whether anything comes over it is another question; see
    /// [`Health::is_proven`].
    Connected,
    /// Lost; the adapter or the host is about to bring it back.
    Reconnecting {
        /// Why it was lost, most recently.
        why: String,
    },
    /// Ended; only an operator can bring it back.
    Dead {
        /// Why.
        why: String,
    },
}

impl Health {
    /// When something last went over the connection, in either direction.
    pub fn proven_at(&self) -> Option<Timestamp> {
        self.last_inbound.max(self.last_outbound)
    }

    /// Is the connection up, and has anything gone over it since it is?
    pub fn is_proven(&self) -> bool {
        self.connection == Connection::Connected
            && self.proven_at().is_some_and(|at| at >= self.since)
    }
}

/// The two ends of a new instance's health, in the state [`Connection::Starting`].
pub fn pair(clock: Arc<dyn Clock>) -> (HealthReporter, HealthView) {
    let health = Health {
        connection: Connection::Starting,
        since: clock.now(),
        last_inbound: None,
        last_outbound: None,
        reconnects: 0,
        restarts: 0,
        last_error: None,
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
        let now = self.clock.now();
        self.health_tx.send_if_modified(|health| {
            let lost = match health.connection {
                Connection::Connected => return false,
                Connection::Starting => false,
                Connection::Reconnecting { .. } | Connection::Dead { .. } => true,
            };
            health.connection = Connection::Connected;
            health.since = now;
            health.reconnects += u64::from(lost);
            true
        });
    }

    /// The connection was seen to fail and is being brought back.
    pub fn reconnecting(&self, why: &str) {
        let why = why.to_owned();
        self.lost(Connection::Reconnecting { why: why.clone() }, why);
    }

    /// The connection has ended for good.
    pub fn dead(&self, why: &str) {
        let why = why.to_owned();
        self.lost(Connection::Dead { why: why.clone() }, why);
    }

    fn lost(&self, connection: Connection, why: String) {
        let now = self.clock.now();
        self.health_tx.send_modify(|health| {
            if health.connection == Connection::Connected {
                health.since = now;
            }
            health.connection = connection;
            health.last_error = Some((now, why));
        });
    }

    /// The host starts the adapter anew.
    pub fn restarted(&self) {
        self.health_tx.send_modify(|health| health.restarts += 1);
    }

    /// What an earlier host had observed; what this one has seen itself counts for more.
    pub fn restore(&self, earlier: &Observed) {
        self.health_tx.send_modify(|health| {
            health.last_inbound = health.last_inbound.max(earlier.last_inbound);
            health.last_outbound = health.last_outbound.max(earlier.last_outbound);
            health.reconnects += earlier.reconnects;
            health.restarts += earlier.restarts;
            if health.last_error.is_none() {
                health.last_error.clone_from(&earlier.last_error);
            }
        });
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

/// What was observed of an instance by an earlier host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// As [`Health::last_inbound`].
    pub last_inbound: Option<Timestamp>,
    /// As [`Health::last_outbound`].
    pub last_outbound: Option<Timestamp>,
    /// As [`Health::reconnects`].
    pub reconnects: u64,
    /// As [`Health::restarts`].
    pub restarts: u64,
    /// As [`Health::last_error`].
    pub last_error: Option<(Timestamp, String)>,
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
