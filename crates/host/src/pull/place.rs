//! Where what an agent says goes: to the conversation of what it answers, to a destination that it
//! names, or to where the message is that it changes.

use std::collections::HashMap;

use anchorhold_core::{
    address::Address,
    entity::Session,
    guard::act::Target,
    ids::{AgentGroupId, OutboundId},
};
use anchorhold_sessiondb::{Outbound, OutboundRow, Seq};
use anchorhold_store::{deliveries::NewDelivery, pull::PulledDelivery, work::Message};
use jiff::SignedDuration;

use crate::{
    agents::{self, Trip, Way},
    pull::{Pull, PullError, outgoing},
};

/// So many agents may ask each other in a row.
const HOPS_LIMIT: u32 = 5;
/// So often a session may write to other agents within [`WINDOW`].
const ASKS_LIMIT: u64 = 30;
/// In which it is counted.
const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// The most names of destinations that a refusal lists.
const NAMES_LIMIT: usize = 20;

impl Pull {
    /// The delivery of one row; an inner error says why it is refused. `messages` are
    /// those that are answered, `before` is what was taken over with it, before it.
    pub(super) async fn delivery(
        &self,
        of: &Session,
        said: OutboundRow,
        (messages, before): (&HashMap<i64, Message>, &[PulledDelivery]),
    ) -> Result<Result<NewDelivery, String>, PullError> {
        let session = of.id;
        let refused = |why: &str| Ok(Err(why.to_owned()));
        let Some(asked) = said.in_reply_to.filter(|seq| seq.is_host()) else {
            return refused("it answers no message");
        };
        let Some(message) = messages.get(&asked.get()) else {
            return refused("it answers a message that the session never had");
        };
        let id = OutboundId::of_row(session, said.seq.get());
        let (address, answers) = match (&said.to, target(&said.op)) {
            (Some(_), Some(_)) => return refused("what it changes is where it is"),
            (Some(name), None) => {
                match self.destination(of.key.agent_group, name, message).await? {
                    Ok(address) => (address, None),
                    Err(why) => return Ok(Err(why)),
                }
            }
            (None, Some(target)) => self.place_of(message, target, before).await?,
            (None, None) => (message.address.clone(), Some(message.id)),
        };
        let told = outgoing(said.op, id)
            .delivery(id, address, answers)
            .map_err(|source| PullError::Encode { session, source })?;
        Ok(Ok(told))
    }

    /// The place of a destination; an inner error says why there is none.
    async fn destination(
        &self,
        group: AgentGroupId,
        name: &str,
        message: &Message,
    ) -> Result<Result<Address, String>, PullError> {
        let store = &self.base.store;
        let known = store.destinations(group).await?;
        let Some(found) = known.iter().find(|known| known.name.as_str() == name) else {
            let names = known
                .iter()
                .take(NAMES_LIMIT)
                .map(|known| known.name.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            return Ok(Err(if names.is_empty() {
                format!("there is no destination {name:?}, nor any other")
            } else {
                format!("there is no destination {name:?}; there are: {names}")
            }));
        };
        match found.target {
            Target::Conversation(id) => {
                let row = store.conversation_by_id(id).await?;
                let place = row.map(|row| Address {
                    channel: row.conversation.channel,
                    chat: row.conversation.chat,
                    thread: None,
                });
                Ok(place.ok_or_else(|| format!("the conversation of {name:?} is gone")))
            }
            Target::Agent(asked) => self.agent(group, asked, message).await,
        }
    }

    /// The place of another agent; an inner error says why this one may not ask it.
    async fn agent(
        &self,
        group: AgentGroupId,
        asked: AgentGroupId,
        message: &Message,
    ) -> Result<Result<Address, String>, PullError> {
        let store = &self.base.store;
        let refused = |why: String| Ok(Err(why));
        if asked == group {
            return refused("an agent can't write to itself".to_owned());
        }
        let back = store.destinations(asked).await?;
        if !back.iter().any(|back| back.target == Target::Agent(group)) {
            return refused(
                "that agent may not write to you, so you may not write to it".to_owned(),
            );
        }
        let hops = 1 + Trip::read(&message.address).map_or(0, |trip| trip.hops);
        if hops > HOPS_LIMIT {
            return refused(format!(
                "{HOPS_LIMIT} agents have asked each other already to come to this; answer instead"
            ));
        }
        let since = self.base.now() - WINDOW;
        let session = message.session;
        if store.said_since(session, agents::CHANNEL, since).await? >= ASKS_LIMIT {
            return refused(format!(
                "you have written to agents {ASKS_LIMIT} times within an hour"
            ));
        }
        let Some(about) = Seq::new(message.seq) else {
            return refused("it answers a message without a number".to_owned());
        };
        let trip = Trip {
            way: Way::Ask,
            asking: session,
            asked,
            about,
            hops,
        };
        let bad = |source| PullError::Place { session, source };
        Ok(Ok(trip.address().map_err(bad)?))
    }

    /// Where message `target` of the session is, whatever conversation asked for the change.
    async fn place_of(
        &self,
        asking: &Message,
        target: Seq,
        before: &[PulledDelivery],
    ) -> Result<(Address, Option<anchorhold_core::ids::MessageId>), PullError> {
        let here = || (asking.address.clone(), Some(asking.id));
        let found = if target.is_host() {
            let message = self.message(asking.session, target).await?;
            message.map(|message| message.address)
        } else if let Some(said) = before.iter().find(|said| said.seq == target.get()) {
            Some(said.delivery.address.clone())
        } else {
            let (session, seq) = (asking.session, target.get());
            let said = self.base.store.delivery_by_seq(session, seq).await?;
            said.map(|said| said.address)
        };
        Ok(match found {
            Some(address) if address != asking.address => (address, None),
            Some(_) | None => here(),
        })
    }
}

/// The message that an operation changes.
fn target(op: &Outbound) -> Option<Seq> {
    match op {
        Outbound::Edit { target, .. }
        | Outbound::Delete { target }
        | Outbound::React { target, .. } => Some(*target),
        Outbound::Post { .. } | Outbound::Ask { .. } => None,
    }
}
