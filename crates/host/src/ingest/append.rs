//! Storing a message in the files of the sessions that hear it.

use std::{sync::Arc, time::Duration};

use anchorhold_core::{
    entity::{Session, SessionKey},
    ids::{MessageId, OutboundId, SessionId},
    inbound::InboundEvent,
};
use anchorhold_sessiondb::{Appended, Chat, HostSide, Inbound, NewInbound, Seq};
use anchorhold_store::{
    deliveries::NewDelivery,
    ingest::{MessageRole, NewMessage},
};
use tracing::error;

use crate::{
    base::mint,
    blocking::blocking,
    deliver::outgoing::Outgoing,
    ingest::{Failure, Hearing, Ingest, Routed},
    live::Ending,
    notice::{self, Cause},
    report::report,
};

/// How often an append waits for a file that is in use, and for how long each time.
const APPEND_TRIES: u32 = 20;
const APPEND_WAIT: Duration = Duration::from_millis(50);

/// Context that was closed in a session's file because there was too much of it.
#[derive(Debug, Default)]
pub(super) struct Overheard(Vec<(SessionId, Vec<i64>)>);

impl Ingest {
    /// Appends the message for everybody who hears it; what the host tracks of it from then on.
    pub(super) async fn append_all(
        &self,
        event: &Arc<InboundEvent>,
        routed: &Routed,
    ) -> Result<(Vec<NewMessage>, Overheard), Failure> {
        let mut messages = Vec::with_capacity(routed.hearings.len());
        let mut overheard = Overheard::default();
        let mut failures = Vec::new();
        for hearing in &routed.hearings {
            match self.append(event, hearing).await {
                Ok(appended) => {
                    let closed = appended.closed.iter().copied().map(Seq::get).collect();
                    overheard.0.push((hearing.session, closed));
                    messages.push(self.tracked(event, routed, hearing, &appended));
                }
                Err(failure) => failures.push((hearing.session, failure)),
            }
        }
        let nobody = messages.is_empty();
        self.append_failed(event, failures, nobody).await?;
        Ok((messages, overheard))
    }

    /// Puts on record that the oldest context had to go for a new one. To be called when that is on
    /// record itself, since it may be what had to go.
    pub(super) async fn forget(&self, overheard: Overheard) -> Result<(), Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        for (session, closed) in overheard.0 {
            if !closed.is_empty() {
                store.mark_context_done(session, &closed, now).await?;
            }
        }
        Ok(())
    }

    /// The session of `key`, with its files in place.
    pub(super) async fn session(&self, key: &SessionKey) -> Result<Session, Failure> {
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
                fresh_only: None,
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
        appended: &Appended,
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
