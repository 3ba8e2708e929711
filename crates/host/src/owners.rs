//! Tells owners of what only they can mend, wherever each can be reached.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anchorhold_core::{
    access::Role,
    ids::{AgentGroupId, ChannelName, ChatId, OutboundId, UserId},
    turn_failure::FailureClass,
};
use anchorhold_store::{Error as StoreError, deliveries::NewDelivery};
use tracing::{error, warn};

use crate::{
    base::{Base, mint},
    deliver::{Deliver, outgoing::Outgoing},
    notice,
    reach::Reach,
};

/// For so long owners are not told of the same thing again.
const QUIET: Duration = Duration::from_hours(1);
/// So many owners are written to.
const OWNERS_LIMIT: usize = 10;

/// Why owners could not be told. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum OwnersError {
    /// The central database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The word has no stored form.
    #[error("a word to owners can't be stored")]
    Encode(#[from] serde_json::Error),
}

/// Where owners may be told.
#[derive(Clone, Copy)]
pub(crate) enum Place<'a> {
    /// Wherever they can be reached.
    Any,
    /// Anywhere but in this chat.
    NotIn {
        /// Its channel.
        channel: &'a ChannelName,
        /// Its name there.
        chat: &'a ChatId,
    },
    /// Over the channels for which this is true.
    Over(&'a (dyn Fn(&ChannelName) -> bool + Sync)),
}

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
    ) -> Result<(), OwnersError> {
        if self.heard_lately(group, class) {
            return Ok(());
        }
        let Some(found) = self.base.store.group(group).await? else {
            return Ok(());
        };
        let agent = found.folder.as_str();
        let kind = class.as_str();
        error!(%group, agent, kind, "an agent's provider needs its owners");
        self.tell(&notice::provider_needs_owner(class, agent))
            .await?;
        // What failed to get on record is said again.
        self.told().insert((group, class), self.base.mono());
        Ok(())
    }

    async fn tell(&self, text: &str) -> Result<(), OwnersError> {
        let id = |_owner| mint!(self.base, OutboundId);
        let words = words(&self.base, &self.reach, (text, &id), Place::Any).await?;
        if words.is_empty() {
            warn!("no owner can be reached");
        }
        for word in words {
            let now = self.base.now();
            self.base.store.new_delivery(None, &word, now).await?;
        }
        self.deliver.nudge();
        Ok(())
    }

    fn heard_lately(&self, group: AgentGroupId, class: FailureClass) -> bool {
        let now = self.base.mono();
        let mut told = self.told();
        told.retain(|_, at| now.saturating_duration_since(*at) < QUIET);
        told.contains_key(&(group, class))
    }

    fn told(&self) -> MutexGuard<'_, HashMap<(AgentGroupId, FailureClass), Instant>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which id a word to an owner gets.
pub(crate) type NameWord<'a> = &'a (dyn Fn(UserId) -> OutboundId + Sync);

/// The same word to each owner who can be reached in such a place.
pub(crate) async fn words(
    base: &Base,
    reach: &Reach,
    (text, id): (&str, NameWord<'_>),
    place: Place<'_>,
) -> Result<Vec<NewDelivery>, OwnersError> {
    let holders = base.store.role_holders().await?.into_iter();
    let owners = holders.filter(|holder| holder.role == Role::Owner);
    // Asked before a platform is: to open a chat there may take long where it is down.
    let owners = owners.filter(|owner| match place {
        Place::Over(will_do) => will_do(&owner.channel),
        Place::Any | Place::NotIn { .. } => true,
    });
    let said = Outgoing::notice(text.to_owned());
    let mut words = Vec::new();
    for owner in owners {
        if words.len() == OWNERS_LIMIT {
            break;
        }
        let Some(address) = reach.address(owner.user).await? else {
            continue;
        };
        let shunned = matches!(place, Place::NotIn { channel, chat }
            if (channel, chat) == (&address.channel, &address.chat));
        if !shunned {
            words.push(said.delivery(id(owner.user), address, None)?);
        }
    }
    Ok(words)
}
