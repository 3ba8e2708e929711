//! Takes over what a session's agent has said and ended: from its file into the host's custody.

mod trouble;

use std::collections::HashSet;

use anchorhold_core::{
    address::Address,
    entity::SessionKey,
    ids::{OutboundId, QuestionId, SessionId},
    turn_failure::Patience,
};
use anchorhold_sessiondb::{
    self as sessiondb, Cursors, HandledRow, HandledState, Outbound, OutboundRow, Seq,
    progress::Progress,
};
use anchorhold_store::{
    deliveries::NewDelivery,
    pull::{EndedMessage, MessageEnd, PulledDelivery, RejectedRow, WaitingMessage},
    sessions::SessionRow,
    work::Message,
};
use tracing::{error, info, warn};

use crate::{
    base::Base,
    blocking::{Lost, blocking},
    deliver::{Deliver, outgoing::Outgoing},
    feed::{Feed, FeedError},
    notice,
    owners::{Owners, OwnersError},
};

/// Takes answers over. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Pull {
    base: Base,
    deliver: Deliver,
    feed: Feed,
    owners: Owners,
    patience: Patience,
}

/// Why nothing, or not all, could be taken over. Doing it again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// The session's files could not be read.
    #[error(transparent)]
    Files(#[from] sessiondb::Error),
    /// The session's own file could not be written.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The central database failed.
    #[error(transparent)]
    Store(#[from] anchorhold_store::Error),
    /// Owners could not be told.
    #[error(transparent)]
    Owners(#[from] OwnersError),
    /// The reading was cut off.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// A row could not be encoded for the central database.
    #[error("can't store an answer of session {session}")]
    Encode {
        /// Whose.
        session: SessionId,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// What became of a message that a turn had.
enum Followed {
    Ended(EndedMessage),
    Waits(WaitingMessage),
}

/// What one reading found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    /// Something, and it was all.
    All,
    /// Something, and there may be more.
    More,
}

impl Pull {
    /// Takes over into `base`'s store, for `deliver` to send.
    /// Owners are told over `owners` of what keeps agents from answering; `patience` is how long
    /// messages wait for that.
    pub fn new(
        base: Base,
        (deliver, feed): (Deliver, Feed),
        owners: Owners,
        patience: Patience,
    ) -> Self {
        Self {
            base,
            deliver,
            feed,
            owners,
            patience,
        }
    }

    /// Reads until there is nothing more; tells whether there was anything. Only one caller a session
    /// at a time.
    pub async fn session(&self, session: SessionId) -> Result<bool, PullError> {
        let mut any = false;
        loop {
            let found = self.once(session).await?;
            any |= found != Found::Nothing;
            if found != Found::More {
                return Ok(any);
            }
        }
    }

    async fn once(&self, session: SessionId) -> Result<Found, PullError> {
        let Some(row) = self.base.store.session(session).await? else {
            return Ok(Found::Nothing);
        };
        let cursors = Cursors {
            out: row.out_cursor,
            handled: row.handled_cursor,
        };
        let (files, generation) = (self.base.files(session), row.session.generation);
        let highest = row.in_seq;
        let (pulled, progress) = blocking(move || {
            let progress: Option<Progress> = files.progress(generation)?;
            files
                .pull(cursors, highest)
                .map(|pulled| (pulled, progress))
        })
        .await??;
        let now = self.base.mono();
        self.base
            .live
            .note_read(session, progress, &pulled.claims, now);
        if pulled.cursors == cursors && pulled.rejected.is_empty() {
            return Ok(Found::Nothing);
        }
        let more = pulled.more;
        self.take_over(&row, pulled).await?;
        self.base.live.note_end(session, now);
        let work = self.base.store.session_work(session).await?;
        let due = work.is_due(self.base.now());
        self.base.live.note_work(session, due, now);
        Ok(if more { Found::More } else { Found::All })
    }

    async fn take_over(
        &self,
        row: &SessionRow,
        pulled: sessiondb::Pulled,
    ) -> Result<(), PullError> {
        let session = row.session.id;
        let mut accepted = anchorhold_store::pull::Pulled {
            out_cursor: pulled.cursors.out,
            handled_cursor: pulled.cursors.handled,
            ..anchorhold_store::pull::Pulled::default()
        };
        for rejected in pulled.rejected {
            error!(%session, seq = rejected.seq, why = %rejected.why, "row of a sandbox refused");
            accepted.rejected.push(RejectedRow {
                seq: rejected.seq,
                why: rejected.why,
            });
        }
        for said in pulled.rows {
            let seq = said.seq.get();
            match self.delivery(session, said).await? {
                Ok(delivery) => accepted.deliveries.push(PulledDelivery { seq, delivery }),
                Err(why) => {
                    error!(%session, seq, why, "row of a sandbox refused");
                    accepted.rejected.push(RejectedRow {
                        seq,
                        why: why.to_owned(),
                    });
                }
            }
        }
        for handled in pulled.handled {
            match self.ended(session, &row.session.key, handled).await? {
                Some(Followed::Ended(ended)) => accepted.ended.push(ended),
                Some(Followed::Waits(waiting)) => accepted.waiting.push(waiting),
                None => {}
            }
        }
        let lanes = accepted.deliveries.iter();
        let mut lanes = lanes.map(|pulled| &pulled.delivery.address);
        accepted.durable = lanes.any(|lane| self.deliver.dedupes(lane));
        self.let_wait(session, &accepted.waiting).await?;
        let new = self
            .base
            .store
            .accept(session, &accepted, self.base.now())
            .await?;
        info!(%session, deliveries = new.deliveries, ended = new.ended, "answers taken over");
        let lanes = accepted.deliveries.into_iter();
        let lanes: HashSet<Address> = lanes.map(|pulled| pulled.delivery.address).collect();
        for lane in lanes {
            self.deliver.start(lane);
        }
        Ok(())
    }

    /// The delivery of one row; an inner error says why it is refused.
    async fn delivery(
        &self,
        session: SessionId,
        said: OutboundRow,
    ) -> Result<Result<NewDelivery, &'static str>, PullError> {
        let Some(asked) = said.in_reply_to.filter(|seq| seq.is_host()) else {
            return Ok(Err("it answers no message"));
        };
        let Some(message) = self.message(session, asked).await? else {
            return Ok(Err("it answers a message that the session never had"));
        };
        let id = OutboundId::of_row(session, said.seq.get());
        let outgoing = outgoing(said.op, id);
        let told = outgoing
            .delivery(id, message.address, Some(message.id))
            .map_err(|source| PullError::Encode { session, source })?;
        Ok(Ok(told))
    }

    /// The end of one message. One that failed is told to the person in the same step.
    async fn ended(
        &self,
        session: SessionId,
        key: &SessionKey,
        handled: HandledRow,
    ) -> Result<Option<Followed>, PullError> {
        let seq = handled.seq.get();
        let Some(message) = self.message(session, handled.seq).await? else {
            warn!(%session, seq, "sandbox ended a message that the session never had");
            return Ok(None);
        };
        let why = match handled.state {
            HandledState::Done => {
                let end = MessageEnd::Done;
                return Ok(Some(Followed::Ended(EndedMessage { seq, end })));
            }
            HandledState::DoneAfresh => {
                self.say(&message, notice::began_afresh()).await?;
                let end = MessageEnd::Done;
                return Ok(Some(Followed::Ended(EndedMessage { seq, end })));
            }
            HandledState::Later(trouble, until) => {
                let waiting = self.later(key, &message, &trouble, until).await?;
                return Ok(waiting.map(Followed::Waits));
            }
            HandledState::Surfaced(trouble) => {
                self.surface(&message, &trouble, message.failures + 1)
                    .await?;
                return Ok(None);
            }
            // It is never tried again, so whoever waits for its answer is told.
            HandledState::Stopped => {
                self.say(&message, notice::stopped()).await?;
                let end = MessageEnd::Stopped;
                return Ok(Some(Followed::Ended(EndedMessage { seq, end })));
            }
            HandledState::Failed(why) => why,
            HandledState::Unknown(what) => format!("the agent does not understand it ({what})"),
        };
        error!(%session, seq, "message failed in its turn");
        self.fail(&message, &why, notice::failed(&why)).await?;
        Ok(None)
    }

    /// Says something in the host's own voice about a message; once, however often it is said.
    async fn say(&self, message: &Message, text: String) -> Result<(), PullError> {
        let id = OutboundId::of_row(message.session, message.seq).notice();
        self.say_as(id, message, text).await
    }

    async fn say_as(
        &self,
        id: OutboundId,
        message: &Message,
        text: String,
    ) -> Result<(), PullError> {
        let session = message.session;
        let outgoing = Outgoing::notice(text);
        let told = outgoing
            .delivery(id, message.address.clone(), Some(message.id))
            .map_err(|source| PullError::Encode { session, source })?;
        let (store, now) = (&self.base.store, self.base.now());
        store.new_delivery(Some(session), &told, now).await?;
        self.deliver.start(told.address);
        Ok(())
    }

    /// Gives a message up, visibly: recorded, and told to the person. The word about it is one also
    /// where the record of it is lost with the power and it is given up again.
    pub async fn fail(
        &self,
        message: &Message,
        why: &str,
        notice: String,
    ) -> Result<(), PullError> {
        let session = message.session;
        let task = self
            .base
            .store
            .task_of_message(session, message.seq)
            .await?;
        let notice = match task {
            Some(name) => notice::of_task(&notice, &name),
            None => notice,
        };
        let outgoing = Outgoing::notice(notice);
        let id = OutboundId::of_row(session, message.seq).notice();
        let told = outgoing
            .delivery(id, message.address.clone(), Some(message.id))
            .map_err(|source| PullError::Encode { session, source })?;
        self.base
            .store
            .fail_message(message, why, Some(&told), self.base.now())
            .await?;
        self.deliver.start(told.address);
        Ok(())
    }

    async fn message(&self, session: SessionId, seq: Seq) -> Result<Option<Message>, PullError> {
        Ok(self.base.store.message(session, seq.get()).await?)
    }
}

fn outgoing(op: Outbound, id: OutboundId) -> Outgoing {
    match op {
        Outbound::Post { text, files } => Outgoing::Post {
            text,
            files,
            voice: anchorhold_core::outbound::Voice::Agent,
            reply_to: None,
        },
        Outbound::Edit { target, text } => Outgoing::Edit {
            target: target.get(),
            text,
        },
        Outbound::Delete { target } => Outgoing::Delete {
            target: target.get(),
        },
        Outbound::React { target, emoji } => Outgoing::React {
            target: target.get(),
            emoji,
        },
        Outbound::Ask {
            title,
            text,
            options,
            expires_ms,
        } => Outgoing::Ask {
            question: QuestionId::of_delivery(id),
            title,
            text,
            options,
            voice: anchorhold_core::outbound::Voice::Agent,
            expires_ms,
        },
    }
}
