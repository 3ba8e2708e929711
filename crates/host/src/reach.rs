//! Reaching a person first: the direct chat that is known of them, or the one their platform opens.

use std::time::Duration;

use anchorhold_core::{
    address::Address,
    entity::UnknownSenderPolicy,
    ids::{ConversationId, UserId},
    inbound::ChatKind,
};
use anchorhold_store::{Error as StoreError, conversations::NewConversation};
use tokio::time::timeout;
use tracing::warn;

use crate::{
    base::{Base, mint},
    registry::Registry,
    report::report,
};

/// How long a platform may take to open a direct chat.
const OPEN_LIMIT: Duration = Duration::from_secs(20);

/// Finds people. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reach {
    base: Base,
    registry: Registry,
}

impl Reach {
    /// Finds people over the instances in `registry`.
    pub fn new(base: Base, registry: Registry) -> Self {
        Self { base, registry }
    }

    /// Where the person can be written to, if anywhere. A chat that the platform opens for this is
    /// remembered; a failure to open one is not.
    pub async fn address(&self, user: UserId) -> Result<Option<Address>, StoreError> {
        if let Some(known) = self.base.store.direct_chat(user).await? {
            return Ok(Some(Address {
                channel: known.channel,
                chat: known.chat,
                thread: None,
            }));
        }
        let Some(person) = self.base.store.user(user).await? else {
            return Ok(None);
        };
        let Some(instance) = self.registry.get(&person.channel) else {
            return Ok(None);
        };
        if !instance.adapter.caps().opens_directs.is_yes() {
            return Ok(None);
        }
        let opening = instance.adapter.open_direct(&person.handle);
        let chat = match timeout(OPEN_LIMIT, opening).await {
            Ok(Ok(chat)) => chat,
            Ok(Err(failure)) => {
                warn!(%user, error = %report(&failure), "direct chat not opened");
                return Ok(None);
            }
            Err(_elapsed) => {
                warn!(%user, "direct chat not opened in time");
                return Ok(None);
            }
        };
        let fresh = NewConversation {
            id: mint!(self.base, ConversationId),
            channel: person.channel.clone(),
            chat: chat.clone(),
            kind: ChatKind::Direct,
            name: person.display_name,
            // Who is in the chat is known; whoever else should come into it is a stranger.
            unknown_senders: UnknownSenderPolicy::Strict,
        };
        let now = self.base.now();
        let made = self.base.store.ensure_conversation(&fresh, now).await?;
        self.base.store.set_direct_chat(user, made.id, now).await?;
        Ok(Some(Address {
            channel: person.channel,
            chat,
            thread: None,
        }))
    }
}
