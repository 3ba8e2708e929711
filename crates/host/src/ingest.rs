//! A message comes in: dedupe → route → append to the sessions' files → record → wake.
//!
//! The order is custody: the session's file is durable before the ledger knows of the message, and
//! both before the adapter hears `Accepted`. A crash in between leaves a message that the platform
//! offers again, and every step finds what it had done before.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{Accepted, Intake, IntakeError};
use anchorhold_core::{
    address::Address,
    entity::{Conversation, Session, SessionKey, Wiring},
    ids::{AgentGroupId, ConversationId, MessageId, OutboundId, SessionId, UserId},
    inbound::InboundEvent,
    pattern::Patterns,
    route::{self, Decision, Facts, Reason},
};
use anchorhold_sessiondb::{Appended, Chat, HostSide, Inbound, NewInbound};
use anchorhold_store::{
    conversations::NewConversation,
    deliveries::NewDelivery,
    ingest::{EventOutcome, EventRecord, MessageRole, NewMessage, Recorded},
    people::{NewUser, Subscription},
};
use async_trait::async_trait;
use tracing::{Instrument, debug, error, info, info_span};

use crate::{
    base::{Base, mint},
    blocking::blocking,
    deliver::{Deliver, outgoing::Outgoing},
    live::Ending,
    notice::{self, Cause},
    registry::Registry,
    report::report,
    wake::Wake,
};

/// How often an append waits for a file that is in use, and for how long each time.
const APPEND_TRIES: u32 = 20;
const APPEND_WAIT: Duration = Duration::from_millis(50);

/// The way in of one host.
#[derive(Debug)]
pub struct Ingest {
    base: Base,
    registry: Registry,
    wake: Wake,
    deliver: Deliver,
    patterns: Patterns,
}

/// One session that hears the message.
struct Hearing {
    session: SessionId,
    group: AgentGroupId,
    triggers: bool,
}

/// Everything that was decided about one message.
struct Routed {
    conversation: Conversation,
    sender: UserId,
    hearings: Vec<Hearing>,
    declined: Vec<Reason>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[async_trait]
impl Intake for Ingest {
    async fn deliver(&self, event: InboundEvent) -> Result<Accepted, IntakeError> {
        let span = info_span!(
            "ingest",
            channel = %event.address.channel,
            chat = %event.address.chat,
            message = %event.message_id,
        );
        let taken = self.take(event).instrument(span.clone()).await;
        span.in_scope(|| match &taken {
            Ok(accepted) => info!(?accepted, "message taken"),
            Err(failure) => error!(error = %report(&**failure), "message not taken"),
        });
        taken.map_err(IntakeError::Unavailable)
    }

    async fn present(&self, address: &Address) {
        self.deliver.unpark(address).await;
    }
}

impl Ingest {
    /// The way in that routes by what `base` has on record.
    pub fn new(base: Base, registry: Registry, wake: Wake, deliver: Deliver) -> Arc<Self> {
        Arc::new(Self {
            base,
            registry,
            wake,
            deliver,
            patterns: Patterns::default(),
        })
    }

    async fn take(&self, event: InboundEvent) -> Result<Accepted, Failure> {
        let Address { channel, chat, .. } = &event.address;
        if self
            .base
            .store
            .event_seen(channel, chat, &event.message_id)
            .await?
        {
            return Ok(Accepted::Duplicate);
        }
        let wirings = self.base.store.wirings_for(channel, chat).await?;
        let applicable = route::applicable(&wirings, chat);
        if applicable.is_empty() {
            self.record(&event, Vec::new(), vec![Reason::NotWired])
                .await?;
            return Ok(Accepted::Declined(Reason::NotWired.as_str().to_owned()));
        }
        let routed = self.route(&event, &applicable).await?;
        let event = Arc::new(event);
        let mut messages = Vec::with_capacity(routed.hearings.len());
        let mut failures = Vec::new();
        for hearing in &routed.hearings {
            match self.append(&event, hearing).await {
                Ok(appended) => messages.push(self.tracked(&event, &routed, hearing, appended)),
                Err(failure) => failures.push((hearing.session, failure)),
            }
        }
        let nobody = messages.is_empty();
        self.append_failed(&event, failures, nobody).await?;
        let stored: Vec<SessionId> = messages.iter().map(|message| message.session).collect();
        let reason = routed.declined.first().copied();
        let recorded = self.record(&event, messages, routed.declined).await?;
        let heard = |hearing: &&Hearing| stored.contains(&hearing.session) && hearing.triggers;
        for hearing in routed.hearings.iter().filter(heard) {
            self.wake.ask(hearing.group, hearing.session).await;
        }
        Ok(match (recorded, reason) {
            (Recorded::Duplicate, _) => Accepted::Duplicate,
            (Recorded::New, Some(reason)) if nobody => {
                Accepted::Declined(reason.as_str().to_owned())
            }
            (Recorded::New, _) => Accepted::Stored,
        })
    }

    /// Reads what the decisions need, takes them, and makes the sessions that hear the message.
    async fn route(&self, event: &InboundEvent, wirings: &[&Wiring]) -> Result<Routed, Failure> {
        let store = &self.base.store;
        let now = self.base.now();
        let instance = self.registry.traits_of(&event.address.channel);
        let conversation = store
            .ensure_conversation(
                &NewConversation {
                    id: mint!(self.base, ConversationId),
                    channel: event.address.channel.clone(),
                    chat: event.address.chat.clone(),
                    kind: event.chat_kind,
                    name: None,
                    unknown_senders: instance.unknown_senders,
                },
                now,
            )
            .await?;
        let person = NewUser {
            id: mint!(self.base, UserId),
            channel: event.address.channel.clone(),
            handle: event.sender.handle.clone(),
            display_name: event.sender.name.clone(),
        };
        let sender = store.ensure_user(&person, now).await?;
        let mut routed = Routed {
            conversation,
            sender,
            hearings: Vec::new(),
            declined: Vec::new(),
        };
        for wiring in wirings {
            let subscription = subscription(event, wiring, routed.conversation.id);
            let facts = Facts {
                sender_known: store.sender_known(sender, wiring.agent_group).await?,
                subscribed: store.is_subscribed(&subscription).await?,
                threads: instance.threads,
            };
            let decision = route::route(event, &routed.conversation, wiring, facts, &self.patterns);
            let (key, triggers) = match decision {
                Decision::Decline(reason) => {
                    debug!(group = %wiring.agent_group, reason = reason.as_str(), "declined");
                    routed.declined.push(reason);
                    continue;
                }
                Decision::Keep(key) => (key, false),
                Decision::Wake { session, subscribe } => {
                    if subscribe {
                        store.subscribe(&subscription, "mentioned", now).await?;
                    }
                    (session, true)
                }
            };
            let session = self.session(&key).await?;
            let group = wiring.agent_group;
            routed.hearings.push(Hearing {
                session: session.id,
                group,
                triggers,
            });
        }
        Ok(routed)
    }

    /// The session of `key`, with its files in place.
    async fn session(&self, key: &SessionKey) -> Result<Session, Failure> {
        let fresh = mint!(self.base, SessionId);
        let session = self
            .base
            .store
            .session_for(key, fresh, self.base.now())
            .await?;
        let root = self.base.dirs.session(session.id);
        let owner = self.base.sandbox_owner;
        blocking(move || {
            if root.join("in").join("inbound.db").exists() {
                return Ok(());
            }
            HostSide::create(&root, owner).map(drop)
        })
        .await??;
        Ok(session)
    }

    /// Appends the message to one session's file; durable when this returns.
    async fn append(
        &self,
        event: &Arc<InboundEvent>,
        hearing: &Hearing,
    ) -> Result<Appended, Failure> {
        for _ in 1..APPEND_TRIES {
            match self.try_append(event, hearing).await? {
                Err(error) if error.is_later() => tokio::time::sleep(APPEND_WAIT).await,
                Err(error) => return Err(error.into()),
                Ok(appended) => return Ok(appended),
            }
        }
        let last = self.try_append(event, hearing).await?;
        if last
            .as_ref()
            .is_err_and(anchorhold_sessiondb::Error::is_later)
        {
            // A sandbox can lock what it may only read: one that keeps at it has to go.
            self.base.live.condemn(hearing.session, Ending::Untrusted);
        }
        Ok(last?)
    }

    /// Some sessions could not take the message. Where no other has, nobody is told anything but
    /// the platform, which keeps it. Else it is acknowledged, so the failure has to be seen.
    async fn append_failed(
        &self,
        event: &InboundEvent,
        failures: Vec<(SessionId, Failure)>,
        nobody: bool,
    ) -> Result<(), Failure> {
        for (session, failure) in failures {
            let in_use = failure
                .downcast_ref::<anchorhold_sessiondb::Error>()
                .is_some_and(anchorhold_sessiondb::Error::is_later);
            if nobody || in_use {
                return Err(failure);
            }
            error!(%session, error = %report(&*failure), "message kept from one of its sessions");
            let (what, now) = (report(&*failure).to_string(), self.base.now());
            self.base.store.set_fault(session, &what, now).await?;
            let why = notice::cause(&Cause::Untrusted);
            let outgoing = Outgoing::notice(notice::failed(&why));
            let told = NewDelivery {
                id: mint!(self.base, OutboundId),
                address: event.address.clone(),
                in_reply_to: None,
                kind: outgoing.kind().to_owned(),
                payload: outgoing.encode()?,
            };
            self.deliver.say(told, Some(session)).await;
        }
        Ok(())
    }

    async fn try_append(
        &self,
        event: &Arc<InboundEvent>,
        hearing: &Hearing,
    ) -> Result<Result<Appended, anchorhold_sessiondb::Error>, Failure> {
        let files = self.base.files(hearing.session);
        let (event, triggers, now) = (Arc::clone(event), hearing.triggers, self.base.now());
        let appended = blocking(move || {
            let message = NewInbound {
                address: &event.address,
                platform_id: &event.message_id,
                triggers,
                payload: Inbound::Chat(chat(&event)),
                attachments: &event.attachments,
            };
            files.append(message, now)
        })
        .await?;
        Ok(appended)
    }

    fn tracked(
        &self,
        event: &InboundEvent,
        routed: &Routed,
        hearing: &Hearing,
        appended: Appended,
    ) -> NewMessage {
        let now = self.base.now();
        NewMessage {
            id: mint!(self.base, MessageId),
            session: hearing.session,
            seq: appended.seq.get(),
            conversation: Some(routed.conversation.id),
            address: event.address.clone(),
            platform_message_id: Some(event.message_id.clone()),
            sender: Some(routed.sender),
            role: if hearing.triggers {
                MessageRole::Due(now)
            } else {
                MessageRole::Context
            },
            created_at: now,
        }
    }

    async fn record(
        &self,
        event: &InboundEvent,
        messages: Vec<NewMessage>,
        declined: Vec<Reason>,
    ) -> Result<Recorded, Failure> {
        let outcome = if messages.is_empty() {
            EventOutcome::Declined
        } else {
            EventOutcome::Stored
        };
        let record = EventRecord {
            address: event.address.clone(),
            message_id: event.message_id.clone(),
            sender: event.sender.handle.clone(),
            received_at: self.base.now(),
            outcome,
            messages,
            declined,
        };
        Ok(self.base.store.record_event(&record).await?)
    }
}

fn chat(event: &InboundEvent) -> Chat {
    Chat {
        channel: event.address.channel.as_str().to_owned(),
        sender: event.sender.handle.as_str().to_owned(),
        sender_name: event.sender.name.clone(),
        text: event.text.clone(),
        sent_at: event.sent_at,
        reply_to: event.reply_to.clone(),
        files: Vec::new(),
    }
}

fn subscription(
    event: &InboundEvent,
    wiring: &Wiring,
    conversation: ConversationId,
) -> Subscription {
    Subscription {
        agent_group: wiring.agent_group,
        conversation,
        thread: event.address.thread.clone(),
    }
}
