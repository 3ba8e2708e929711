//! The broker's place in the host: who may do what, and the record of what was done.

mod records;

use std::sync::Arc;

use anchorhold_broker::{Broker, Parts, RECORDS_LIMIT, Rulebook, ways::Ways};
use anchorhold_core::ids::SessionId;
use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use crate::{base::Base, broker::records::Records, report::report};

/// A session may do what its group may, as the configuration says now.
struct Rules {
    base: Base,
}

#[async_trait]
impl Rulebook for Rules {
    async fn ways(&self, session: SessionId) -> Option<Ways> {
        match self.base.store.group_in_session(session).await {
            Ok(group) => group.map(|group| self.base.models.ways(&group)),
            Err(failure) => {
                // What is not known is not allowed.
                error!(%session, error = %report(&failure), "can't see what a session may do");
                None
            }
        }
    }
}

/// Makes the broker, and puts on record what goes through it until `stages` fires; what has come
/// until then is still written.
pub fn start(base: &Base, tasks: &TaskTracker, stages: &CancellationToken) -> Broker {
    let (records_tx, records_rx) = mpsc::channel(RECORDS_LIMIT);
    let records = Records::new(base.clone(), records_rx);
    tasks.spawn(records.run(stages.clone()));
    Broker::new(Parts {
        rulebook: Arc::new(Rules { base: base.clone() }),
        records: records_tx,
        clock: base.clock(),
        tasks: tasks.clone(),
    })
}
