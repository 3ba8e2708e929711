//! Reads what the routing decisions need, takes them, and explains them.

use anchorhold_core::{
    access::Standing,
    address::Address,
    command::Talks,
    entity::{Conversation, EngageMode, SessionMode, Wiring},
    ids::{AgentGroupId, ConversationId, UserId},
    inbound::{ChatKind, InboundEvent},
    route::{self, Decision, Facts, Reason},
};
use anchorhold_store::{
    Error as StoreError,
    conversations::NewConversation,
    people::{NewUser, Subscription},
    trace::{Decided, HeardAs},
};
use tracing::debug;

use crate::{
    base::mint,
    commands::Hears,
    ingest::{Failure, Hearing, Ingest, Routed},
};

/// One wired agent's decision, with what it was taken from.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) wiring: Wiring,
    pub(super) facts: Facts,
    pub(super) decision: Decision,
}

/// What would happen to a message at one agent, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The agent.
    pub agent: AgentGroupId,
    /// What would happen.
    pub outcome: &'static str,
    /// By which rule.
    pub rule: String,
    /// In which session, where it would be stored.
    pub session: Option<String>,
}

impl Ingest {
    /// The conversation and the sender of a message, on record from now on, and what they may do.
    pub(super) async fn parties(
        &self,
        event: &InboundEvent,
    ) -> Result<(Conversation, UserId, Standing), StoreError> {
        let (store, now) = (&self.base.store, self.base.now());
        let instance = self.registry.traits_of(&event.address.channel);
        let fresh = NewConversation {
            id: mint!(self.base, ConversationId),
            channel: event.address.channel.clone(),
            chat: event.address.chat.clone(),
            kind: event.chat_kind,
            name: None,
            unknown_senders: instance.unknown_senders,
        };
        let mut conversation = store.ensure_conversation(&fresh, now).await?;
        if conversation.kind != event.chat_kind {
            // It was put on record before anybody wrote there.
            store.correct_kind(conversation.id, event.chat_kind).await?;
            conversation.kind = event.chat_kind;
        }
        let person = NewUser {
            id: mint!(self.base, UserId),
            channel: event.address.channel.clone(),
            handle: event.sender.handle.clone(),
            display_name: event.sender.name.clone(),
        };
        let sender = store.ensure_user(&person, now).await?;
        if event.chat_kind == ChatKind::Direct {
            store.set_direct_chat(sender, conversation.id, now).await?;
        }
        let standing = store.standing(sender).await?;
        Ok((conversation, sender, standing))
    }

    /// Lets every wired agent decide on its own.
    pub(super) async fn judge(
        &self,
        event: &InboundEvent,
        (conversation, standing): (&Conversation, &Standing),
        wirings: &[&Wiring],
    ) -> Result<Vec<Judged>, StoreError> {
        let threads = self.registry.traits_of(&event.address.channel).threads;
        let mut judged = Vec::with_capacity(wirings.len());
        for wiring in wirings {
            let subscription = subscription(&event.address, wiring.agent_group, conversation.id);
            let facts = Facts {
                sender_known: standing.is_known_to(wiring.agent_group),
                subscribed: wiring.engage == EngageMode::MentionSticky
                    && self.base.store.is_subscribed(&subscription).await?,
                threads,
            };
            let decision = route::route(event, conversation, wiring, facts, &self.patterns);
            judged.push(Judged {
                wiring: (*wiring).clone(),
                facts,
                decision,
            });
        }
        Ok(judged)
    }

    /// Makes what the decisions lead to: sessions and subscriptions.
    pub(super) async fn settle(
        &self,
        event: &InboundEvent,
        conversation: Conversation,
        sender: UserId,
        judged: Vec<Judged>,
    ) -> Result<Routed, Failure> {
        let mut routed = Routed {
            conversation,
            sender,
            hearings: Vec::new(),
            declined: Vec::new(),
            decisions: Vec::with_capacity(judged.len()),
        };
        for Judged {
            wiring,
            facts,
            decision,
        } in judged
        {
            let group = wiring.agent_group;
            let mut decided = Decided {
                agent: group,
                heard: HeardAs::Declined,
                rule: route::rule(&wiring, facts, event.addressed, &decision),
                session: None,
            };
            let (key, triggers) = match decision {
                Decision::Decline(reason) => {
                    debug!(%group, reason = reason.as_str(), "declined");
                    routed.declined.push((group, reason));
                    routed.decisions.push(decided);
                    continue;
                }
                Decision::Keep(key) => (key, false),
                Decision::Wake { session, subscribe } => {
                    // Who follows already goes on: nothing is written at each mention.
                    if subscribe && !facts.subscribed {
                        let follows = subscription(&event.address, group, routed.conversation.id);
                        let (store, now) = (&self.base.store, self.base.now());
                        store.subscribe(&follows, "mentioned", now).await?;
                    }
                    (session, true)
                }
            };
            let session = self.session(&key).await?;
            decided.heard = if triggers {
                HeardAs::Answer
            } else {
                HeardAs::Context
            };
            decided.session = Some(session.id);
            routed.decisions.push(decided);
            routed.hearings.push(Hearing {
                session: session.id,
                group,
                triggers,
            });
        }
        Ok(routed)
    }

    /// The agents that a command is for: those that hear the sender at all, where the message is for
    /// the bot: in a direct chat, addressed to it, or engaging an agent as it stands.
    pub(super) async fn audience(
        &self,
        event: &InboundEvent,
        (conversation, standing): (&Conversation, &Standing),
        wirings: &[&Wiring],
    ) -> Result<Vec<Hears>, StoreError> {
        let judged = self.judge(event, (conversation, standing), wirings).await?;
        let direct = event.chat_kind == ChatKind::Direct;
        let for_bot = direct
            || event.addressed
            || judged
                .iter()
                .any(|one| matches!(one.decision, Decision::Wake { .. }));
        if !for_bot {
            return Ok(Vec::new());
        }
        let hears = |one: &Judged| {
            !matches!(
                one.decision,
                Decision::Decline(
                    Reason::UnknownSender | Reason::AwaitsApproval | Reason::OutOfScope
                )
            )
        };
        let heard = judged.into_iter().filter(hears).map(|one| Hears {
            session: route::session_key(event, conversation, &one.wiring, one.facts.threads),
            talks: Talks {
                admin: standing.administers(one.wiring.agent_group),
                direct,
                memory_is_shared: one.wiring.session_mode == SessionMode::AgentShared,
            },
            wiring: one.wiring,
        });
        Ok(heard.collect())
    }

    /// What would happen to a message, by which rule, without doing any of it.
    pub async fn explain(&self, event: &InboundEvent) -> Result<Vec<Explained>, StoreError> {
        let Address { channel, chat, .. } = &event.address;
        let store = &self.base.store;
        let wirings = store.wirings_for(channel, chat).await?;
        let applicable = route::applicable(&wirings, chat);
        let instance = self.registry.traits_of(channel);
        let known = store.conversation(channel, chat).await?;
        let conversation = known.unwrap_or_else(|| Conversation {
            id: mint!(self.base, ConversationId),
            channel: channel.clone(),
            chat: chat.clone(),
            kind: event.chat_kind,
            unknown_senders: instance.unknown_senders,
        });
        let person = store.find_user(channel, &event.sender.handle).await?;
        let standing = match person {
            Some(person) => store.standing(person.id).await?,
            None => Standing::default(),
        };
        let judged = self
            .judge(event, (&conversation, &standing), &applicable)
            .await?;
        Ok(judged
            .iter()
            .map(|one| explained(one, event.addressed))
            .collect())
    }
}

fn explained(one: &Judged, addressed: bool) -> Explained {
    let (outcome, session) = match &one.decision {
        Decision::Wake { session, .. } => ("answered", Some(session)),
        Decision::Keep(session) => ("kept as context", Some(session)),
        Decision::Decline(_) => ("declined", None),
    };
    let session = session.map(|key| match (&key.conversation, &key.thread) {
        (None, _) => "the agent's one shared session".to_owned(),
        (Some(_), None) => "the conversation's session".to_owned(),
        (Some(_), Some(thread)) => format!("the session of thread {thread}"),
    });
    Explained {
        agent: one.wiring.agent_group,
        outcome,
        rule: route::rule(&one.wiring, one.facts, addressed, &one.decision),
        session,
    }
}

fn subscription(
    address: &Address,
    agent_group: AgentGroupId,
    conversation: ConversationId,
) -> Subscription {
    Subscription {
        agent_group,
        conversation,
        thread: address.thread.clone(),
    }
}
