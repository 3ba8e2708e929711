//! Making a message durable for the sessions that hear it.

use std::sync::Arc;

use anchorhold_core::{
    entity::{Session, SessionKey},
    ids::{MessageId, SessionId},
    inbound::{InboundEvent, What},
};
use anchorhold_sessiondb::{About, Body, Chat, Inbound, InboxFile, Seq};
use anchorhold_store::ingest::{self, Entered, Entry, Key, MessageRole, NewMessage, Tracked};
use tracing::warn;

use crate::{
    base::{InHand, mint},
    blocking::blocking,
    ingest::{Failure, Hearing, Ingest, Routed},
    report::report,
};

/// How often a message with files is given another number because others were faster.
const NUMBERS_LIMIT: u32 = 16;

/// Files of a message that are in their place before the message is on record.
#[derive(Debug)]
struct Placed {
    session: SessionId,
    seq: Seq,
    files: Vec<InboxFile>,
    /// Keeps them from being taken for left-over ones.
    _in_hand: InHand,
}

impl Ingest {
    /// The session of `key`, made if there is none. Its files are made when there is something to
    /// write.
    pub(super) async fn session(&self, key: &SessionKey) -> Result<Session, Failure> {
        let fresh = mint!(self.base, SessionId);
        let (store, now) = (&self.base.store, self.base.now());
        Ok(store.session_for(key, fresh, now).await?)
    }

    /// Makes durable what `entry` makes of the messages of everybody who hears the event.
    pub(super) async fn enter(
        &self,
        event: &Arc<InboundEvent>,
        routed: &Routed,
        entry: impl Fn(Vec<NewMessage>) -> Entry,
    ) -> Result<Entered, Failure> {
        for _ in 0..NUMBERS_LIMIT {
            let placed = self.place(event, routed).await?;
            let entered = self.enter_placed(event, routed, &placed, &entry).await;
            let unused = match &entered {
                Ok(Entered::Now(tracked)) => tracked.iter().map(|one| !one.fresh).collect(),
                Ok(Entered::Duplicate | Entered::Late) | Err(_) => vec![true; placed.len()],
            };
            self.take_away(placed, &unused).await;
            match entered? {
                Entered::Late => {}
                entered @ (Entered::Now(_) | Entered::Duplicate) => return Ok(entered),
            }
        }
        Err("others are always faster".into())
    }

    async fn enter_placed(
        &self,
        event: &Arc<InboundEvent>,
        routed: &Routed,
        placed: &[Placed],
        entry: impl Fn(Vec<NewMessage>) -> Entry,
    ) -> Result<Entered, Failure> {
        let mut messages = Vec::with_capacity(routed.hearings.len());
        for (at, hearing) in routed.hearings.iter().enumerate() {
            let message = self.message(event, routed, hearing, placed.get(at));
            messages.push(message.await?);
        }
        Ok(self.journal.enter(entry(messages)).await?)
    }

    /// Puts the files of a message, if it has some, into the folder of each session that hears it,
    /// durable and under a number of the session's.
    async fn place(
        &self,
        event: &Arc<InboundEvent>,
        routed: &Routed,
    ) -> Result<Vec<Placed>, Failure> {
        let mut placed = Vec::new();
        if event.attachments.is_empty() {
            return Ok(placed);
        }
        for hearing in &routed.hearings {
            match self.place_one(event, hearing.session).await {
                Ok(one) => placed.push(one),
                Err(failure) => {
                    let unused = vec![true; placed.len()];
                    self.take_away(placed, &unused).await;
                    return Err(failure);
                }
            }
        }
        Ok(placed)
    }

    async fn place_one(
        &self,
        event: &Arc<InboundEvent>,
        session: SessionId,
    ) -> Result<Placed, Failure> {
        let said = self.journal.said(session).await;
        let number = self.base.store.reserve(session, said).await?;
        let in_hand = self.base.hold(session, number);
        let seq = Seq::new(number).ok_or("the session has no numbers left")?;
        let (files, owner) = (self.base.files(session), self.base.sandbox_owner);
        let event = Arc::clone(event);
        let stored = blocking(move || {
            let stored = files.store_files(seq, &event.attachments, owner);
            if stored.is_err() {
                // silent: what is left of them is looked for now and then.
                let _left = files.drop_inbox(&[seq]);
            }
            stored
        });
        Ok(Placed {
            session,
            seq,
            files: stored.await??,
            _in_hand: in_hand,
        })
    }

    /// Removes files that no message has come to own.
    async fn take_away(&self, placed: Vec<Placed>, unused: &[bool]) {
        for (one, unused) in placed.into_iter().zip(unused) {
            if !unused {
                continue;
            }
            let (files, seq, session) = (self.base.files(one.session), one.seq, one.session);
            let taken = blocking(move || files.drop_inbox(&[seq])).await;
            if let Ok(Err(failure)) = taken {
                warn!(%session, error = %report(&failure), "files of a message left behind");
            }
        }
    }

    async fn message(
        &self,
        event: &InboundEvent,
        routed: &Routed,
        hearing: &Hearing,
        placed: Option<&Placed>,
    ) -> Result<NewMessage, Failure> {
        let now = self.base.now();
        let said = match placed {
            Some(_) => 0,
            None => self.journal.said(hearing.session).await,
        };
        let files = placed.map(|placed| placed.files.clone());
        let about = self.about(event, hearing.session).await?;
        let chat = chat(event, about, files.unwrap_or_default());
        let body = Body::of(&Inbound::Chat(chat))?;
        Ok(NewMessage {
            id: mint!(self.base, MessageId),
            session: hearing.session,
            reserved: placed.map(|placed| placed.seq.get()),
            said,
            conversation: Some(routed.conversation.id),
            address: event.address.clone(),
            key: Key::Platform(event.message_id.clone()),
            sender: Some(routed.sender),
            role: if hearing.triggers {
                MessageRole::Due(now)
            } else {
                MessageRole::Context
            },
            created_at: now,
            body: ingest::Body {
                kind: body.kind,
                version: body.version,
                payload: body.payload,
                fresh_only: None,
            },
        })
    }

    /// What the event is about, in the session's own numbers.
    async fn about(
        &self,
        event: &InboundEvent,
        session: SessionId,
    ) -> Result<Option<About>, Failure> {
        let (What::Edit { of: earlier } | What::Reaction { to: earlier }) = &event.what else {
            return Ok(None);
        };
        let store = &self.base.store;
        let known = store.cited(session, &event.address, earlier).await?;
        let seq = known.and_then(Seq::new);
        Ok(Some(if event.what.is_reaction() {
            About::Reaction { to: seq }
        } else {
            About::Edit { of: seq }
        }))
    }

    /// Wakes whoever has got something to answer.
    pub(super) fn wake_all(&self, routed: &Routed, tracked: &[Tracked]) {
        for (hearing, tracked) in routed.hearings.iter().zip(tracked) {
            if hearing.triggers && tracked.fresh {
                self.wake.ask(hearing.group, hearing.session);
            }
        }
    }
}

fn chat(event: &InboundEvent, about: Option<About>, files: Vec<InboxFile>) -> Chat {
    Chat {
        channel: event.address.channel.as_str().to_owned(),
        sender: event.sender.handle.as_str().to_owned(),
        sender_name: event.sender.name.clone(),
        about,
        text: event.text.clone(),
        sent_at: event.sent_at,
        reply_to: event.reply_to.clone(),
        files,
    }
}
