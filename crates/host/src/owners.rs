//! Tells owners of what only they can mend, wherever each can be reached.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anchorhold_core::{
    access::Role,
    ids::{AgentGroupId, OutboundId},
    turn_failure::FailureClass,
};
use anchorhold_store::{Error as StoreError, deliveries::NewDelivery};
use tracing::{error, warn};

use crate::{
    base::{Base, mint},
    deliver::{Deliver, outgoing::Outgoing},
    notice,
    reach::Reach,
    report::report,
};

/// For so long owners are not told of the same thing again.
const QUIET: Duration = Duration::from_hours(1);
/// So many owners are written to.
const OWNERS_LIMIT: usize = 10;

/// Tells owners. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Owners {
    base: Base,
    reach: Reach,
    deliver: Deliver,
    /// What they were told of lately. A host that comes after this one tells them anew.
    told: Arc<Mutex<HashMap<(AgentGroupId, FailureClass), Instant>>>,
}

impl Owners {
    /// Tells those in `base`'s store over `reach`; `deliver` sends it.
    pub fn new(base: Base, reach: Reach, deliver: Deliver) -> Self {
        Self {
            base,
            reach,
            deliver,
            told: Arc::default(),
        }
    }

    /// The provider of a group can't answer until somebody does something.
    pub async fn provider(
        &self,
        group: AgentGroupId,
        class: FailureClass,
    ) -> Result<(), StoreError> {
        if !self.is_news(group, class) {
            return Ok(());
        }
        let Some(found) = self.base.store.group(group).await? else {
            return Ok(());
        };
        let agent = found.folder.as_str();
        let kind = class.as_str();
        error!(%group, agent, kind, "an agent's provider needs its owners");
        self.tell(&notice::provider_needs_owner(class, agent)).await
    }

    async fn tell(&self, text: &str) -> Result<(), StoreError> {
        let holders = self.base.store.role_holders().await?.into_iter();
        let owners = holders.filter(|holder| holder.role == Role::Owner);
        let mut told = 0;
        for owner in owners.take(OWNERS_LIMIT) {
            let Some(address) = self.reach.address(owner.user).await? else {
                continue;
            };
            let outgoing = Outgoing::notice(text.to_owned());
            let payload = match outgoing.encode() {
                Ok(payload) => payload,
                Err(failure) => {
                    error!(error = %report(&failure), "word to owners can't be stored");
                    return Ok(());
                }
            };
            let word = NewDelivery {
                id: mint!(self.base, OutboundId),
                address,
                in_reply_to: None,
                kind: outgoing.kind().to_owned(),
                payload,
            };
            let now = self.base.now();
            self.base.store.new_delivery(None, &word, now).await?;
            told += 1;
        }
        if told == 0 {
            warn!("no owner can be reached");
        }
        self.deliver.nudge();
        Ok(())
    }

    fn is_news(&self, group: AgentGroupId, class: FailureClass) -> bool {
        let now = self.base.mono();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        if told.contains_key(&(group, class)) {
            return false;
        }
        told.insert((group, class), now);
        true
    }
}
