//! What was approved is carried out, once, and what waited for it is routed anew.

use std::sync::Arc;

use anchorhold_core::{
    guard::{
        self, Actor, Ruling,
        act::{Act, NewGroup},
    },
    ids::{AgentGroupId, FolderName, QuestionId},
    inbound::InboundEvent,
    route::{self, Reason},
    slug,
};
use anchorhold_store::{
    approvals::{Approval, Pick},
    ingest::{Entered, Entry},
    trace::{About, Event, Receipt},
};
use tracing::{info, warn};

use crate::{
    acts::ActError,
    ingest::{Failure, Ingest, Replaying, command_in, held, requests::Came},
    notice,
    report::report,
};

/// How much is done in one go.
const LIMIT: u32 = 100;

impl Ingest {
    /// Carries out what was approved, and routes anew what waited for it. Safe to repeat.
    pub(super) async fn carry_out(&self, approval: &Approval) -> Result<String, Failure> {
        let (store, id) = (&self.base.store, approval.id);
        // Whoever decides and whoever looks after what was decided can both come here.
        let _one_at_a_time = self.carrying_out.lock().await;
        let _replaying = Replaying::again(&self.replays);
        let present = store.approval(id).await?;
        if present.is_none_or(|present| present.carried_out_at.is_some()) {
            return Ok("It is done already.".to_owned());
        }
        let done = match self.recheck(approval).await? {
            Ok(()) => self.carry_out_pick(approval).await,
            Err(why) => Err(ActError::Invalid(why)),
        };
        let said = match done {
            Ok(what) => what,
            Err(failure @ (ActError::Store(_) | ActError::Session(_))) => {
                return Err(failure.into());
            }
            // Trying again would not help: it ends here, and who asked is told.
            Err(failure) => {
                warn!(approval = %id, error = %report(&failure), "approved act can't be carried out");
                store.drop_held(id, self.base.now()).await?;
                self.tell_who_waits(approval, notice::not_carried_out())
                    .await?;
                format!("It can't be carried out: {failure}.")
            }
        };
        self.tell_agent(approval, &said).await?;
        loop {
            for waiting in store.held_events(id, LIMIT).await? {
                match serde_json::from_str::<held::Held>(&waiting.event) {
                    Ok(held) => Box::pin(self.replay(held.event())).await?,
                    Err(_unreadable) => {
                        warn!(approval = %id, "a message that waited can't be read");
                    }
                }
                store.drop_held_event(id, &waiting).await?;
            }
            // A message can come to wait until the very end.
            if store.carried_out(id, self.base.now()).await?
                || store.held_events(id, 1).await?.is_empty()
            {
                break;
            }
        }
        info!(approval = %id, "approval carried out");
        Ok(said)
    }

    /// Things may have changed since it was asked for: whoever decided must still be entitled to.
    async fn recheck(&self, approval: &Approval) -> Result<Result<(), String>, Failure> {
        let store = &self.base.store;
        if let Some(group) = approval.requesting_group {
            let scope = store.admin_scope(group).await?;
            let asker = Actor::Agent { group, scope };
            if let Ruling::Deny(why) = guard::decide(&asker, &approval.act) {
                return Ok(Err(format!("the agent may not ask for it any more: {why}")));
            }
        }
        let actor = match approval.decided_by {
            None => Actor::Operator,
            Some(user) => Actor::Person {
                user,
                standing: store.standing(user).await?,
            },
        };
        Ok(match guard::decide(&actor, &approval.act) {
            Ruling::Allow => Ok(()),
            Ruling::Hold | Ruling::Deny(_) => {
                Err("who approved it may not decide this any more".to_owned())
            }
        })
    }

    async fn carry_out_pick(&self, approval: &Approval) -> Result<String, ActError> {
        let Act::WireConversation {
            conversation,
            asked_by,
            ..
        } = &approval.act
        else {
            let done = self
                .acts
                .perform(&approval.act, (approval.decided_by, Some(approval.id)))
                .await?;
            return Ok(done.what);
        };
        let row = self.base.store.conversation_by_id(*conversation).await?;
        let row = row.ok_or(ActError::NotFound("conversation"))?;
        let group = match &approval.pick {
            Some(Pick::Connect(group)) => *group,
            Some(Pick::NewAgent) => {
                let name = row.name.clone();
                let name = name.unwrap_or_else(|| row.conversation.chat.as_str().to_owned());
                self.new_agent(approval.id, &name).await?
            }
            // It was connected in another way before anybody chose.
            Some(Pick::Approve) => return Ok("Connected meanwhile.".to_owned()),
            Some(Pick::Reject) | None => {
                return Err(ActError::Invalid("no agent was chosen".to_owned()));
            }
        };
        self.acts.connect(&row.conversation, group).await?;
        let (by, now) = (approval.decided_by, self.base.now());
        let store = &self.base.store;
        store.add_member(*asked_by, group, by, now).await?;
        Ok("Connected. What waited there is answered now.".to_owned())
    }

    /// The agent that is made for an unheard conversation; the same however often this is called.
    async fn new_agent(&self, approval: QuestionId, name: &str) -> Result<AgentGroupId, ActError> {
        let invalid = |_never| ActError::Invalid("no folder fits that name".to_owned());
        let id = AgentGroupId::parse(&approval.to_string()).map_err(invalid)?;
        let groups = self.base.store.groups().await?;
        let taken = |folder: &str| groups.iter().any(|group| group.folder.as_str() == folder);
        let folder = slug::distinct(&slug::slug(name), taken);
        let new = NewGroup {
            folder: FolderName::parse(&folder).map_err(invalid)?,
            name: None,
            provider: None,
            model: None,
            runtime: None,
            admin_scope: None,
        };
        self.acts.fresh_agent(id, &new).await?;
        Ok(id)
    }

    /// Routes a message that waited. Whoever heard it before does not hear it again.
    async fn replay(&self, event: InboundEvent) -> Result<(), Failure> {
        let (channel, chat) = (event.address.channel.clone(), event.address.chat.clone());
        let (store, message_id) = (&self.base.store, event.message_id.clone());
        let wirings = store.wirings_for(&channel, &chat).await?;
        let applicable = route::applicable(&wirings, &chat);
        let (conversation, sender, standing) = self.parties(&event).await?;
        let parties = (&conversation, &standing);
        if let Some(command) = command_in(&event) {
            let audience = self.audience(&event, parties, &applicable).await?;
            if !audience.is_empty() {
                let parties = (sender, conversation.id);
                let obeying = self.obey(&command, &event, parties, &audience);
                let said = Box::pin(obeying).await?;
                let receipt = Receipt {
                    by_host: Some(command.word().to_owned()),
                    answer: Some(self.answer_message(&event, said).await?),
                    ..super::receipt(&event)
                };
                let about = About::Message(&channel, &chat, &message_id);
                let (replayed, now) = (Event::Replayed(receipt), self.base.now());
                return Ok(store.note(about, replayed, now).await?);
            }
        }
        let mut judged = self.judge(&event, parties, &applicable).await?;
        let mut fresh = Vec::with_capacity(judged.len());
        for one in judged.drain(..) {
            let group = one.wiring.agent_group;
            if !store.heard_by(group, &channel, &chat, &message_id).await? {
                fresh.push(one);
            }
        }
        let routed = self.settle(&event, conversation, sender, fresh).await?;
        let event = Arc::new(event);
        let now = self.base.now();
        let receipt = Receipt {
            decisions: routed.decisions.clone(),
            ..super::receipt(&event)
        };
        // Who decided may have decided about less than this message needs.
        let reason = self.ask_to_admit(&event, &routed, Came::Replayed).await?;
        if routed.hearings.is_empty() {
            let strange = [Reason::UnknownSender, Reason::OutOfScope];
            if let Some(reason) = reason.filter(|reason| strange.contains(reason)) {
                self.answer_message(&event, notice::not_heard(reason))
                    .await?;
            }
            let about = About::Message(&channel, &chat, &message_id);
            return Ok(store.note(about, Event::Replayed(receipt), now).await?);
        }
        let entered = self.enter(&event, &routed, Entry::Messages).await?;
        store
            .replayed(&channel, &chat, &message_id, (receipt, now))
            .await?;
        if let Entered::Now(tracked) = entered {
            self.wake_all(&routed, &tracked);
        }
        Ok(())
    }
}
