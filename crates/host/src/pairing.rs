//! How the first owner is made: a one-time code, printed by the operator and sent by the person in a
//! direct chat, proves that both are the same or trust each other.

use std::{sync::Arc, time::Duration};

use anchorhold_core::{
    access::Role,
    entity::AgentGroup,
    guard::{self, act::NewGroup},
    ids::{AgentGroupId, ChannelName, ConversationId, FolderName, UserId},
    inbound::{ChatKind, InboundEvent},
    route,
};
use anchorhold_store::{conversations::NewConversation, pairing::Pairing as Open, people::NewUser};
use jiff::Timestamp;
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::{
    acts::Acts,
    base::{Base, mint},
    registry::Registry,
};

/// How many digits a code has.
pub const CODE_DIGITS: usize = 8;
/// How long a code can be used.
pub const CODE_LIFE: Duration = Duration::from_mins(10);
/// How many wrong codes end it.
pub const CODE_TRIES: u32 = 5;
/// The folder of the agent that is made where there is none.
const FIRST_AGENT: &str = "helper";

/// Makes owners. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pairing {
    base: Base,
    registry: Registry,
    acts: Acts,
    trying: Arc<Mutex<()>>,
}

/// A code that was just made, for the operator's eyes only.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// The digits.
    pub digits: String,
    /// Until when they count.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Code {
    /// The code is a secret until it is used.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Pairing {
    /// Pairs over the instances in `registry`.
    pub fn new(base: Base, registry: Registry, acts: Acts) -> Self {
        Self {
            base,
            registry,
            acts,
            trying: Arc::default(),
        }
    }

    /// Makes a code for a channel instance, in place of an earlier one; `None` if there is no such
    /// instance. Only its hash is stored.
    pub async fn open(&self, channel: &ChannelName) -> Result<Option<Code>, Failure> {
        if self.registry.get(channel).is_none() {
            return Ok(None);
        }
        let digits = self.digits();
        let salt = mint!(self.base, UserId).to_string();
        let hash = guard::code_hash(&salt, &digits);
        let now = self.base.now();
        let expires_at = now.checked_add(CODE_LIFE)?;
        let fresh = Open {
            salt,
            code_hash: hash,
            tries_left: CODE_TRIES,
            expires_at,
        };
        self.base.store.open_pairing(channel, &fresh, now).await?;
        info!(%channel, "pairing opened");
        Ok(Some(Code { digits, expires_at }))
    }

    /// So many random digits; eight random bytes spread over them evenly enough.
    fn digits(&self) -> String {
        let (_, random) = self.base.seed();
        let number = random
            .iter()
            .fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
        let range = 10_u128.pow(u32::try_from(CODE_DIGITS).unwrap_or(u32::MAX));
        format!("{:0width$}", number % range, width = CODE_DIGITS)
    }

    /// Hears a message: `Some` if it was a try at an open code, with what to answer.
    pub async fn hear(&self, event: &InboundEvent) -> Result<Option<String>, Failure> {
        let code = event.text.trim();
        let looks_like_one =
            code.len() == CODE_DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
        if event.chat_kind != ChatKind::Direct || !looks_like_one {
            return Ok(None);
        }
        let channel = &event.address.channel;
        // One try at a time, so that five are five.
        let _one_at_a_time = self.trying.lock().await;
        let Some(open) = self.base.store.pairing(channel).await? else {
            return Ok(None);
        };
        if open.expires_at <= self.base.now() {
            return Ok(None);
        }
        let hash = guard::code_hash(&open.salt, code);
        let now = self.base.now();
        if !self.base.store.take_pairing(channel, &hash, now).await? {
            let left = self.base.store.miss_pairing(channel).await?;
            warn!(%channel, left, "wrong pairing code");
            let said = match left {
                0 => "That is not the code, and it can't be tried again. Ask for a new one.",
                _ => "That is not the code.",
            };
            return Ok(Some(said.to_owned()));
        }
        // The code is used up first: it makes one owner, whatever happens next.
        let agent = self.own(event).await?;
        info!(%channel, "owner paired");
        Ok(Some(format!(
            "You are the owner now. {} hears you here: write to it. /help lists what else you can do.",
            agent.name
        )))
    }

    /// Makes the sender an owner who can be reached here, heard by a first agent.
    async fn own(&self, event: &InboundEvent) -> Result<AgentGroup, Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        let channel = &event.address.channel;
        let person = NewUser {
            id: mint!(self.base, UserId),
            channel: channel.clone(),
            handle: event.sender.handle.clone(),
            display_name: event.sender.name.clone(),
        };
        let user = store.ensure_user(&person, now).await?;
        let fresh = NewConversation {
            id: mint!(self.base, ConversationId),
            channel: channel.clone(),
            chat: event.address.chat.clone(),
            kind: ChatKind::Direct,
            name: None,
            unknown_senders: self.registry.traits_of(channel).unknown_senders,
        };
        let conversation = store.ensure_conversation(&fresh, now).await?;
        store.set_direct_chat(user, conversation.id, now).await?;
        store.grant_role(user, Role::Owner, None, now).await?;
        let wirings = store.wirings_for(channel, &event.address.chat).await?;
        let hearing = route::applicable(&wirings, &event.address.chat);
        if let Some(wiring) = hearing.first()
            && let Some(agent) = store.group(wiring.agent_group).await?
        {
            return Ok(agent);
        }
        let agent = self.first_agent().await?;
        self.acts.connect(&conversation, agent.id).await?;
        Ok(agent)
    }

    /// The first agent by its folder; one is made where there is none.
    async fn first_agent(&self) -> Result<AgentGroup, Failure> {
        let store = &self.base.store;
        if let Some(first) = store.groups().await?.into_iter().next() {
            return Ok(first);
        }
        let new = NewGroup {
            folder: FolderName::parse(FIRST_AGENT)?,
            name: Some("Helper".to_owned()),
            provider: None,
            model: None,
            runtime: None,
            admin_scope: None,
        };
        let id = mint!(self.base, AgentGroupId);
        self.acts.fresh_agent(id, &new).await?;
        let made = store.group(id).await?;
        made.ok_or_else(|| "the agent that was made is gone".into())
    }
}
