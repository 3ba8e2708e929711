//! Messages that somebody has to decide about first: of a conversation that no agent hears, or of a
//! person whom nobody knows. They wait, text only, and the person is told that they do.

use std::sync::atomic::Ordering;

use anchorhold_channel::Accepted;
use anchorhold_core::{
    address::Address,
    entity::AgentGroup,
    guard::act::Act,
    ids::{AgentGroupId, QuestionId},
    inbound::InboundEvent,
    route::Reason,
};
use anchorhold_store::approvals::{
    Choice, Pick,
    held::{Held, HeldEvent},
};
use jiff::SignedDuration;
use tracing::warn;

use crate::{
    approvals::{Asked, Wanted, plain},
    ingest::{Failure, Ingest, Routed, held},
    notice,
};

/// How many messages wait for one decision; later ones are refused, visibly.
const HELD_LIMIT: u32 = 50;
/// How many agents a card offers by name; others are wired from the command line.
const OFFERED_LIMIT: usize = 8;
/// For how long a person who was refused is not asked about again.
const REFUSED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How much of an agent's name is on a button, in characters.
const LABEL_LIMIT: usize = 40;

/// How a message came to be routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// From its platform.
    Anew,
    /// It waited for a decision that was carried out just now.
    Replayed,
}

impl Ingest {
    /// A message of a conversation that no agent hears.
    ///
    /// Only one that addresses the bot puts the conversation on record, and an owner is asked.
    pub(super) async fn unwired(&self, event: &InboundEvent) -> Result<Accepted, Failure> {
        if !event.addressed || event.what.is_reaction() {
            return self.declined(event, Reason::NotWired).await;
        }
        let (conversation, sender, _) = self.parties(event).await?;
        let store = &self.base.store;
        let row = store.conversation_by_id(conversation.id).await?;
        if row.is_some_and(|row| row.declined_at.is_some()) {
            return self.declined(event, Reason::ConversationRefused).await;
        }
        let mut groups = store.groups().await?;
        groups.truncate(OFFERED_LIMIT);
        let act = Act::WireConversation {
            conversation: conversation.id,
            offered: groups.iter().map(|group| group.id).collect(),
            asked_by: sender,
        };
        if self.waits_for_the_decided(event, &act).await? {
            return self.declined(event, Reason::AwaitsWiring).await;
        }
        if !self.approvals.has_room(&act).await? {
            warn!("too many requests are open; nobody is asked about this conversation");
            return self.declined(event, Reason::NotWired).await;
        }
        let asked = self
            .approvals
            .ask(Wanted {
                act,
                options: ways_to_connect(&groups),
                near: Some(event.address.channel.clone()),
                conversation: Some(conversation.id),
                session: None,
                requested_by: Some(sender),
                requesting_group: None,
            })
            .await?;
        let said = (notice::awaits_wiring(), notice::awaits_wiring_unseen());
        self.wait(event, asked, said).await?;
        self.declined(event, Reason::AwaitsWiring).await
    }

    /// A message of a chat where earlier ones are about to be routed waits behind them: order comes
    /// before speed. `None` if there are none.
    pub(super) async fn behind_a_replay(
        &self,
        event: &InboundEvent,
    ) -> Result<Option<Accepted>, Failure> {
        if self.replays.load(Ordering::SeqCst) == 0 {
            return Ok(None);
        }
        let Address { channel, chat, .. } = &event.address;
        let Some(decided) = self.base.store.replayed_at(channel, chat).await? else {
            return Ok(None);
        };
        if !event.attachments.is_empty() {
            // What waits keeps no files; the platform keeps them until it offers them again.
            return Err("earlier messages of this chat are about to be routed".into());
        }
        Ok(match self.hold(event, decided).await? {
            Held::Late => None,
            Held::Kept | Held::Known => Some(self.declined(event, Reason::AwaitsWiring).await?),
            Held::Full => return Err("too much of this chat is about to be routed".into()),
        })
    }

    /// Asks to let the sender in where an agent would have answered somebody known. Tells for which
    /// reason the message is declined where nobody hears it: that somebody is asked only if so.
    pub(super) async fn ask_to_admit(
        &self,
        event: &InboundEvent,
        routed: &Routed,
        came: Came,
    ) -> Result<Option<Reason>, Failure> {
        let reasons = routed.declined.iter().map(|(_, reason)| *reason);
        if self.admission(event, routed, came).await? {
            return Ok(reasons.min());
        }
        let reasons = reasons.map(|reason| {
            if reason == Reason::AwaitsApproval {
                Reason::UnknownSender
            } else {
                reason
            }
        });
        Ok(reasons.min())
    }

    /// Is somebody asked to let the sender in, and does the message wait for that?
    async fn admission(
        &self,
        event: &InboundEvent,
        routed: &Routed,
        came: Came,
    ) -> Result<bool, Failure> {
        let awaits = |(group, reason): &(AgentGroupId, Reason)| {
            (*reason == Reason::AwaitsApproval).then_some(*group)
        };
        let groups: Vec<AgentGroupId> = routed.declined.iter().filter_map(awaits).collect();
        if groups.is_empty() {
            return Ok(false);
        }
        let act = Act::AdmitSender {
            conversation: routed.conversation.id,
            user: routed.sender,
            groups,
        };
        // One that waited for that very decision needs another one.
        if came == Came::Anew && self.waits_for_the_decided(event, &act).await? {
            return Ok(true);
        }
        let since = self
            .base
            .now()
            .checked_sub(REFUSED_FOR)
            .unwrap_or(jiff::Timestamp::MIN);
        if self.base.store.was_rejected_since(&act, since).await? {
            return Ok(false);
        }
        if !self.approvals.has_room(&act).await? {
            warn!("too many requests are open; nobody is asked about this sender");
            return Ok(false);
        }
        let asked = self
            .approvals
            .ask(Wanted {
                act,
                options: Vec::new(),
                near: Some(event.address.channel.clone()),
                conversation: Some(routed.conversation.id),
                session: None,
                requested_by: Some(routed.sender),
                requesting_group: None,
            })
            .await?;
        let said = (notice::awaits_approval(), notice::awaits_approval_unseen());
        self.wait(event, asked, said).await?;
        Ok(true)
    }

    /// Was the same approved a moment ago and not carried out yet? Then the message joins those that
    /// wait for that, instead of bringing up a second request.
    async fn waits_for_the_decided(
        &self,
        event: &InboundEvent,
        act: &Act,
    ) -> Result<bool, Failure> {
        let Some(decided) = self.base.store.being_carried_out(act).await? else {
            return Ok(false);
        };
        match self.hold(event, decided).await? {
            Held::Kept | Held::Known => Ok(true),
            // Offered again, it is routed by what was decided.
            Held::Late | Held::Full => Err("it was decided at this very moment".into()),
        }
    }

    /// Keeps a message until the request is decided, and says so once: in the second words where
    /// nobody could be asked.
    async fn wait(
        &self,
        event: &InboundEvent,
        asked: Asked,
        (first, unseen): (String, String),
    ) -> Result<(), Failure> {
        let said = match self.hold(event, asked.id()).await? {
            Held::Full => notice::too_many_wait(),
            Held::Kept | Held::Known if self.waits_first(event, asked.id()).await? => {
                if self.base.store.approval_card_is_out(asked.id()).await? {
                    first
                } else {
                    unseen
                }
            }
            Held::Kept | Held::Known => return Ok(()),
            // Offered again, it is routed by what was decided.
            Held::Late => return Err("it was decided at this very moment".into()),
        };
        self.answer_message(event, said).await.map(drop)
    }

    /// Is it the first message that waits for this decision? Also when it is offered again, since
    /// whoever took it before may not have come as far as saying so.
    async fn waits_first(
        &self,
        event: &InboundEvent,
        approval: QuestionId,
    ) -> Result<bool, Failure> {
        let waiting = self.base.store.held_events(approval, 1).await?;
        let same = |held: &HeldEvent| {
            held.address.chat == event.address.chat && held.message_id == event.message_id
        };
        Ok(waiting.first().is_some_and(same))
    }

    async fn hold(&self, event: &InboundEvent, approval: QuestionId) -> Result<Held, Failure> {
        let waiting = HeldEvent {
            address: event.address.clone(),
            message_id: event.message_id.clone(),
            event: serde_json::to_string(&held::Held::of(event))?,
        };
        let (store, now) = (&self.base.store, self.base.now());
        let held = store
            .hold_event(approval, &waiting, HELD_LIMIT, now)
            .await?;
        if held == Held::Full {
            warn!(%approval, "too many messages wait for this decision");
        }
        Ok(held)
    }

    async fn declined(&self, event: &InboundEvent, reason: Reason) -> Result<Accepted, Failure> {
        let receipt = super::receipt(event);
        self.record(event, Some(reason), receipt).await
    }
}

/// The answers on the card about an unheard conversation.
fn ways_to_connect(groups: &[AgentGroup]) -> Vec<Choice> {
    let mut options: Vec<Choice> = groups
        .iter()
        .map(|group| Choice {
            label: format!("Connect {}", plain(&group.name, LABEL_LIMIT)),
            pick: Pick::Connect(group.id),
        })
        .collect();
    options.push(Choice {
        label: "Make a new agent".to_owned(),
        pick: Pick::NewAgent,
    });
    options.push(Choice {
        label: "Decline".to_owned(),
        pick: Pick::Reject,
    });
    options
}
