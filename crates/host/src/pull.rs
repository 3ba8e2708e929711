//! Takes over what a session's agent has said and ended: from its file into the host's custody.

mod place;
mod trouble;

use std::collections::{BTreeSet, HashMap, HashSet};

use anchorhold_core::{
    address::Address,
    entity::Session,
    ids::{IdError, OutboundId, QuestionId, SessionId},
    turn_failure::Patience,
};
use anchorhold_sessiondb::{
    self as sessiondb, Cursors, HandledRow, HandledState, Outbound, OutboundRow, Seq,
};
use anchorhold_store::{
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
    /// Another agent's place has no name.
    #[error("can't name the place of an agent that session {session} asks")]
    Place {
        /// Whose.
        session: SessionId,
        /// Why.
        #[source]
        source: IdError,
    },
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

/// What came of reading a session's answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Was there anything to take over?
    pub any: bool,
    /// The highest number of what the agent has asked the host for, whether or not it has its reply.
    pub asked: i64,
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

    /// Reads until there is nothing more. Only one caller a session at a time.
    pub async fn session(&self, session: SessionId) -> Result<Read, PullError> {
        let mut read = Read::default();
        loop {
            let (found, asked) = self.once(session).await?;
            read.any |= found != Found::Nothing;
            read.asked = read.asked.max(asked);
            if found != Found::More {
                return Ok(read);
            }
        }
    }

    async fn once(&self, session: SessionId) -> Result<(Found, i64), PullError> {
        let Some(row) = self.base.store.session(session).await? else {
            return Ok((Found::Nothing, 0));
        };
        let cursors = Cursors {
            out: row.out_cursor,
            handled: row.handled_cursor,
        };
        let (files, generation) = (self.base.files(session), row.session.generation);
        let highest = row.in_seq;
        let mut pulled = blocking(move || files.pull(cursors, highest)).await??;
        let now = self.base.mono();
        let progress = pulled.progress.take();
        let progress = progress.filter(|progress| progress.generation == generation);
        self.base
            .live
            .note_read(session, progress, &pulled.claims, now);
        let (asked, more) = (pulled.asked, pulled.more);
        if pulled.cursors == cursors && pulled.rejected.is_empty() {
            return Ok((Found::Nothing, asked));
        }
        self.take_over(&row, pulled).await?;
        self.base.live.note_end(session, now);
        let work = self.base.store.session_work(session).await?;
        let due = work.is_due(self.base.now());
        self.base.live.note_work(session, due, now);
        Ok((if more { Found::More } else { Found::All }, asked))
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
            if let Some(seq) = Seq::new(rejected.seq) {
                self.base.outcomes.refuse(session, seq, &rejected.why);
            }
            accepted.rejected.push(RejectedRow {
                seq: rejected.seq,
                why: rejected.why,
            });
        }
        let messages = self
            .messages(session, &pulled.rows, &pulled.handled)
            .await?;
        for said in pulled.rows {
            let (seq, awaited) = (said.seq, said.awaited);
            let before = &accepted.deliveries;
            match self
                .delivery(&row.session, said, (&messages, before))
                .await?
            {
                Ok(delivery) => {
                    if awaited {
                        self.base.outcomes.expect(delivery.id, session, seq);
                    }
                    let seq = seq.get();
                    accepted.deliveries.push(PulledDelivery { seq, delivery });
                }
                Err(why) => {
                    error!(%session, seq = seq.get(), why, "row of a sandbox refused");
                    self.base.outcomes.refuse(session, seq, &why);
                    let seq = seq.get();
                    accepted.rejected.push(RejectedRow { seq, why });
                }
            }
        }
        for handled in pulled.handled {
            match self.ended(&messages, &row.session, handled).await? {
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

    /// The messages that are answered and that have ended, by their numbers.
    async fn messages(
        &self,
        session: SessionId,
        rows: &[OutboundRow],
        handled: &[HandledRow],
    ) -> Result<HashMap<i64, Message>, PullError> {
        let answered = rows.iter().filter_map(|row| row.in_reply_to);
        let named = answered.chain(handled.iter().map(|row| row.seq));
        let seqs: BTreeSet<i64> = named.map(Seq::get).collect();
        let seqs: Vec<i64> = seqs.into_iter().collect();
        let found = self.base.store.messages(session, &seqs).await?;
        Ok(found.into_iter().map(|found| (found.seq, found)).collect())
    }

    /// The end of one message. One that failed is told to the person in the same step.
    async fn ended(
        &self,
        messages: &HashMap<i64, Message>,
        of: &Session,
        handled: HandledRow,
    ) -> Result<Option<Followed>, PullError> {
        let seq = handled.seq.get();
        let Some(message) = messages.get(&seq) else {
            let session = of.id;
            warn!(%session, seq, "sandbox ended a message that the session never had");
            return Ok(None);
        };
        let session = message.session;
        let why = match handled.state {
            HandledState::Done => {
                let end = MessageEnd::Done;
                return Ok(Some(Followed::Ended(EndedMessage { seq, end })));
            }
            HandledState::DoneAfresh => {
                self.say(message, notice::began_afresh()).await?;
                let end = MessageEnd::Done;
                return Ok(Some(Followed::Ended(EndedMessage { seq, end })));
            }
            HandledState::Later(trouble, until) => {
                let waiting = self.later(&of.key, message, &trouble, until).await?;
                return Ok(waiting.map(Followed::Waits));
            }
            HandledState::Surfaced(trouble) => {
                self.surface(message, &trouble, message.failures + 1)
                    .await?;
                return Ok(None);
            }
            // It is never tried again, so whoever waits for its answer is told.
            HandledState::Stopped => {
                self.say(message, notice::stopped()).await?;
                let end = MessageEnd::Stopped;
                return Ok(Some(Followed::Ended(EndedMessage { seq, end })));
            }
            HandledState::Failed(why) => why,
            HandledState::Unknown(what) => format!("the agent does not understand it ({what})"),
        };
        error!(%session, seq, "message failed in its turn");
        self.fail(message, &why, notice::failed(&why)).await?;
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
