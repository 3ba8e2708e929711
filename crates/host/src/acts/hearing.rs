//! What agents hear and where they may write.

use anchorhold_core::{
    entity::{
        Conversation, EngageMode, IgnoredPolicy, ManagedBy, SenderScope, SessionMode, Wiring,
    },
    guard::act::{ConversationChange, NewWiring, Target, WiringRules},
    ids::{AgentGroupId, ConversationId, FolderName, WiringId},
    inbound::ChatKind,
    pattern,
};
use anchorhold_store::{conversations::NewConversation, undo::What, wirings::WiringRow};

use crate::{
    acts::{ActError, Acts, Done, done, found, made, owned_by_file},
    base::mint,
};

impl Acts {
    /// Lets an agent hear a conversation that nobody heard, by the rules that fit it: everything in a
    /// direct chat; in a group what is addressed to it, and what follows in the same thread where
    /// the channel has threads. Unaddressed talk is kept as context.
    pub async fn connect(
        &self,
        conversation: &Conversation,
        group: AgentGroupId,
    ) -> Result<Done, ActError> {
        self.group(group).await?;
        let threads = self.registry.traits_of(&conversation.channel).threads;
        let new = NewWiring {
            channel: conversation.channel.clone(),
            chat: Some(conversation.chat.clone()),
            group,
            rules: fitting(conversation.kind, threads),
        };
        match self.create_wiring(&new).await {
            // Somebody wired it meanwhile, or an earlier host did before it died.
            Err(ActError::Conflict(_)) => Ok(done("The agent hears the conversation already.")),
            wired => wired,
        }
    }

    pub(super) async fn create_wiring(&self, new: &NewWiring) -> Result<Done, ActError> {
        check_rules(&new.rules)?;
        self.group(new.group).await?;
        if self.registry.get(&new.channel).is_none() {
            return Err(ActError::NotFound("channel"));
        }
        let rules = &new.rules;
        let wiring = Wiring {
            id: mint!(self.base, WiringId),
            channel: new.channel.clone(),
            chat: new.chat.clone(),
            agent_group: new.group,
            engage: rules.engage,
            pattern: rules.pattern.clone(),
            sender_scope: rules.sender_scope,
            ignored: rules.ignored,
            session_mode: rules.session_mode,
            managed_by: ManagedBy::Runtime,
        };
        self.add_wiring(&wiring, rules.priority).await?;
        Ok(made("The agent hears the conversation now.", wiring.id))
    }

    async fn add_wiring(&self, wiring: &Wiring, priority: i64) -> Result<(), ActError> {
        let (store, now) = (&self.base.store, self.base.now());
        let same = |other: &WiringRow| {
            other.wiring.channel == wiring.channel && other.wiring.chat == wiring.chat
        };
        let wirings = store.wirings_of_group(wiring.agent_group).await?;
        if wirings.iter().any(same) {
            let what = "that agent is wired to that conversation already";
            return Err(ActError::Conflict(what.to_owned()));
        }
        let Some(chat) = &wiring.chat else {
            return Ok(store.add_wiring(wiring, priority, now).await?);
        };
        let fresh = NewConversation {
            id: mint!(self.base, ConversationId),
            channel: wiring.channel.clone(),
            chat: chat.clone(),
            // Until somebody writes there nobody knows; the first message tells.
            kind: ChatKind::Group,
            name: None,
            unknown_senders: self.registry.traits_of(&wiring.channel).unknown_senders,
        };
        let added = store.add_wiring_of_chat(wiring, priority, &fresh, now);
        Ok(added.await?)
    }

    pub(super) async fn update_wiring(
        &self,
        wiring: WiringId,
        rules: &WiringRules,
    ) -> Result<Done, ActError> {
        check_rules(rules)?;
        let known = self.base.store.wiring(wiring).await?;
        if known.is_some_and(|known| known.wiring.managed_by == ManagedBy::File) {
            return Err(owned_by_file("wiring"));
        }
        let updated = self.base.store.update_wiring(wiring, rules).await?;
        found(updated, "wiring")?;
        Ok(done("The wiring is changed."))
    }

    pub(super) async fn delete_wiring(&self, wiring: WiringId) -> Result<Done, ActError> {
        let deleted = self.delete(What::Wiring(wiring), "wiring");
        // One that is made anew begins without followers; what the undo copy has is the wiring.
        self.base.store.forget_subscriptions(wiring).await?;
        deleted.await
    }

    pub(super) async fn update_conversation(
        &self,
        conversation: ConversationId,
        change: &ConversationChange,
    ) -> Result<Done, ActError> {
        let (store, now) = (&self.base.store, self.base.now());
        let changed = store.change_conversation(conversation, change, now).await?;
        found(changed, "conversation")?;
        Ok(done("The conversation is changed."))
    }

    pub(super) async fn delete_conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Done, ActError> {
        let sessions = self.sessions.of_conversation(conversation).await?;
        let what = What::Conversation(conversation);
        let deleted = self.delete(what, "conversation").await?;
        self.sessions.end(sessions).await;
        Ok(deleted)
    }

    pub(super) async fn add_destination(
        &self,
        group: AgentGroupId,
        name: &FolderName,
        target: &Target,
    ) -> Result<Done, ActError> {
        self.group(group).await?;
        let (store, now) = (&self.base.store, self.base.now());
        if !store.add_destination(group, name, target, now).await? {
            let what = format!("the agent has a destination {:?} already", name.as_str());
            return Err(ActError::Conflict(what));
        }
        Ok(done("The agent can write there now."))
    }

    pub(super) async fn remove_destination(
        &self,
        group: AgentGroupId,
        name: &FolderName,
    ) -> Result<Done, ActError> {
        let removed = self.base.store.remove_destination(group, name).await?;
        found(removed, "destination")?;
        Ok(done("The agent can't write there any more."))
    }
}

/// The rules that a conversation gets which an owner connects with one click.
fn fitting(kind: ChatKind, threads: bool) -> WiringRules {
    let (engage, pattern) = match kind {
        ChatKind::Direct => (EngageMode::Pattern, Some(pattern::EVERYTHING.to_owned())),
        ChatKind::Group if threads => (EngageMode::MentionSticky, None),
        // Without threads what follows a mention is the whole chat, for ever.
        ChatKind::Group => (EngageMode::Mention, None),
    };
    WiringRules {
        engage,
        pattern,
        sender_scope: SenderScope::Known,
        ignored: IgnoredPolicy::Accumulate,
        session_mode: SessionMode::PerThread,
        priority: 0,
    }
}

fn check_rules(rules: &WiringRules) -> Result<(), ActError> {
    match (rules.engage, &rules.pattern) {
        (EngageMode::Pattern, Some(source)) => pattern::compile(source)
            .map(drop)
            .map_err(|bad| ActError::Invalid(bad.to_string())),
        (EngageMode::Pattern, None) => Err(ActError::Invalid(
            "engaging by pattern needs a pattern; `.` matches everything".to_owned(),
        )),
        (EngageMode::Mention | EngageMode::MentionSticky, Some(_)) => Err(ActError::Invalid(
            "only engaging by pattern has a pattern".to_owned(),
        )),
        (EngageMode::Mention | EngageMode::MentionSticky, None) => Ok(()),
    }
}
