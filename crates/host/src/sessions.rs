//! Acts on sessions and their sandboxes: a fresh conversation, a stopped turn, a replaced sandbox.

use std::sync::Arc;

use anchorhold_core::{
    address::Address,
    ids::{
        AgentGroupId, ConversationId, IdError, MessageId, PlatformMessageId, QuestionId, SessionId,
    },
    sandbox::Generation,
};
use anchorhold_runner::lifecycle::Lifecycle;
use anchorhold_sessiondb::{Body, Control, Inbound, Note, Seq};
use anchorhold_store::ingest::{self, Entered, Entry, Key, MessageRole, NewMessage, Tracked};
use tracing::{info, warn};

use crate::{
    base::{Base, mint},
    feed::{Feed, FeedError},
    journal::{Journal, JournalError},
    live::Ending,
    report::report,
    sandboxes::Sandboxes,
    wake::Wake,
};

/// What the keys of the host's own words to agents begin with, so that none is taken for the id of
/// a platform's message.
pub const HOST_WORD: &str = "anchorhold: ";

/// How many messages of a session are closed in its file at a time.
const CLOSE_LIMIT: u32 = 10_000;

/// Changes sessions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sessions {
    base: Base,
    lifecycle: Lifecycle,
    sandboxes: Arc<Sandboxes>,
    wake: Wake,
    journal: Journal,
    feed: Feed,
}

/// Why a session could not be changed. Doing it again is safe.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// What it is to be told could not be encoded.
    #[error(transparent)]
    Files(#[from] anchorhold_sessiondb::Error),
    /// Its file could not be written.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// What it is to be told could not be made durable.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The central database failed.
    #[error(transparent)]
    Store(#[from] anchorhold_store::Error),
    /// A platform's message id is too long to name a wish by.
    #[error(transparent)]
    Key(#[from] IdError),
    /// What it is to be told has no number.
    #[error("session {0} has no numbers left")]
    NoNumber(SessionId),
}

/// What stopping a turn came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// The running turn is told to end.
    Told,
    /// So many messages waited and are not answered any more.
    Withdrawn(u64),
    /// There was nothing to stop.
    Nothing,
}

/// Something that the host itself tells a session's agent.
#[derive(Debug)]
struct Word {
    payload: Inbound,
    /// Only a sandbox after this one gets it.
    fresh_only: Option<Generation>,
    /// What makes it the same word when it is said again.
    key: String,
}

impl Sessions {
    /// Changes sessions of `base`'s store.
    pub fn new(
        base: Base,
        lifecycle: Lifecycle,
        (sandboxes, wake): (Arc<Sandboxes>, Wake),
        (journal, feed): (Journal, Feed),
    ) -> Self {
        Self {
            base,
            lifecycle,
            sandboxes,
            wake,
            journal,
            feed,
        }
    }

    /// Ends a session: its sandbox, what waited in it, and its memory. `false` if it was not open.
    ///
    /// The next message of its key begins a fresh one.
    pub async fn close(&self, session: SessionId) -> Result<bool, SessionError> {
        let (store, now) = (&self.base.store, self.base.now());
        let why = "the conversation was begun afresh";
        if !store.end_session(session, why, now).await? {
            return Ok(false);
        }
        self.end(vec![session]).await;
        info!(%session, "session closed");
        Ok(true)
    }

    /// Takes back what a session still owes, for this reason; how many messages it were.
    async fn withdraw(&self, session: SessionId, why: &str) -> Result<u64, SessionError> {
        self.close_in_file(session).await?;
        let (store, now) = (&self.base.store, self.base.now());
        Ok(store.end_pending(session, why, now).await?)
    }

    async fn close_in_file(&self, session: SessionId) -> Result<(), SessionError> {
        let files = self.base.files(session);
        if !files.in_dir().join("inbound.db").exists() {
            return Ok(());
        }
        let closing = self.feed.on_file(session, |files| {
            let open: Vec<Seq> = files.open_messages(CLOSE_LIMIT)?;
            files.close(&open)
        });
        Ok(closing.await?)
    }

    /// Stops what a session is doing: the running turn where a sandbox runs, else what waits.
    ///
    /// `key` names the wish, so that the same one said twice is one.
    pub async fn stop_turn(
        &self,
        session: SessionId,
        address: &Address,
        key: &str,
    ) -> Result<Stopping, SessionError> {
        let work = self.base.store.session_work(session).await?;
        if work.pending == 0 {
            return Ok(Stopping::Nothing);
        }
        if self.lifecycle.is_running(session).is_none() {
            let taken_back = self.withdraw(session, "the person stopped it").await?;
            return Ok(Stopping::Withdrawn(taken_back));
        }
        let payload = Inbound::Control(Control::Stop);
        self.tell(session, address, payload, key).await?;
        Ok(Stopping::Told)
    }

    /// Asks a session's runner to make its memory smaller, after what it is doing now.
    pub async fn compact(
        &self,
        group: AgentGroupId,
        session: SessionId,
        address: &Address,
        key: &str,
    ) -> Result<(), SessionError> {
        let payload = Inbound::Control(Control::Compact);
        self.tell(session, address, payload, key).await?;
        self.wake.ask(group, session);
        Ok(())
    }

    /// Tells a session's agent something in the host's own words, and wakes it.
    pub async fn note(
        &self,
        group: AgentGroupId,
        session: SessionId,
        text: &str,
        key: &str,
    ) -> Result<(), SessionError> {
        let Some(address) = self.base.store.last_address(session).await? else {
            return Ok(());
        };
        Box::pin(self.note_at((group, session), &address, text, key)).await?;
        Ok(())
    }

    /// As [`Self::note`], about what is at `address`, where an answer goes, too. Gives the word's
    /// number; one that was said before keeps its own and wakes nobody for itself.
    pub async fn note_at(
        &self,
        (group, session): (AgentGroupId, SessionId),
        address: &Address,
        text: &str,
        key: &str,
    ) -> Result<Seq, SessionError> {
        let payload = Inbound::Note(Note {
            text: text.to_owned(),
        });
        let told = self.tell(session, address, payload, key).await?;
        self.wake.ask(group, session);
        Seq::new(told.seq).ok_or(SessionError::NoNumber(session))
    }

    /// Gives a session an answer to its agent's question, and wakes it. `false` if it had one.
    pub async fn answer(
        &self,
        (group, session): (AgentGroupId, SessionId),
        address: &Address,
        payload: Inbound,
        key: &str,
    ) -> Result<bool, SessionError> {
        let told = self.tell(session, address, payload, key).await?;
        self.wake.ask(group, session);
        Ok(told.fresh)
    }

    /// Replaces the running sandboxes of a group, each proven gone before its successor starts, and
    /// lets each fresh one be told `message` first. Tells how many.
    ///
    /// `wish` names it: what is said twice for the same wish is said once.
    pub async fn restart(
        &self,
        group: AgentGroupId,
        message: Option<&str>,
        wish: QuestionId,
    ) -> Result<u64, SessionError> {
        // Otherwise a host that has just begun would not see what an earlier one has left running.
        self.lifecycle.surveyed().await;
        let mut restarted = 0;
        for row in self.base.store.group_sessions(group).await? {
            let session = row.session.id;
            let Some(running) = self.lifecycle.is_running(session) else {
                continue;
            };
            if let Some(message) = message
                && let Some(address) = self.base.store.last_address(session).await?
            {
                let word = Word {
                    payload: Inbound::Note(Note {
                        text: message.to_owned(),
                    }),
                    fresh_only: Some(running),
                    key: format!("{HOST_WORD}restart {wish}"),
                };
                self.say(session, &address, word).await?;
            }
            // On record it is of the past from here on: a host that comes after this one ends it.
            let (store, now) = (&self.base.store, self.base.now());
            store.begin_generation(session, now).await?;
            self.base.live.condemn(session, Ending::Asked);
            self.lifecycle.stop(session);
            // Forgotten wishes are no loss: what is due wakes it again once the old one is gone.
            restarted += 1;
        }
        self.relearn(group).await?;
        Ok(restarted)
    }

    /// The sandboxes of a group learn what it wants now.
    pub async fn relearn(&self, group: AgentGroupId) -> Result<(), SessionError> {
        if let Some(found) = self.base.store.group(group).await? {
            for row in self.base.store.group_sessions(group).await? {
                self.sandboxes.tell(&row, &found).await?;
            }
        }
        Ok(())
    }

    /// The open sessions of a group.
    pub async fn of_group(&self, group: AgentGroupId) -> Result<Vec<SessionId>, SessionError> {
        let rows = self.base.store.group_sessions(group).await?;
        Ok(rows.into_iter().map(|row| row.session.id).collect())
    }

    /// The open sessions that only this conversation feeds.
    pub async fn of_conversation(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<SessionId>, SessionError> {
        Ok(self.base.store.conversation_sessions(conversation).await?)
    }

    /// Ends the sandboxes of sessions that are closed on record already.
    pub async fn end(&self, sessions: Vec<SessionId>) {
        for session in sessions {
            self.base.live.condemn(session, Ending::Asked);
            self.lifecycle.kill(session);
            // On record nothing waits any more; in the file it is only tidier so.
            if let Err(failure) = self.close_in_file(session).await {
                warn!(%session, error = %report(&failure), "file of an ended session not tidied");
            }
        }
    }

    async fn tell(
        &self,
        session: SessionId,
        address: &Address,
        payload: Inbound,
        key: &str,
    ) -> Result<Tracked, SessionError> {
        let word = Word {
            payload,
            fresh_only: None,
            key: key.to_owned(),
        };
        self.say(session, address, word).await
    }

    /// Makes a word of the host's durable; a session that was told it before is not told again.
    async fn say(
        &self,
        session: SessionId,
        address: &Address,
        word: Word,
    ) -> Result<Tracked, SessionError> {
        let now = self.base.now();
        let body = Body::of(&word.payload)?;
        let message = NewMessage {
            id: mint!(self.base, MessageId),
            session,
            reserved: None,
            said: self.journal.said(session).await,
            conversation: None,
            address: address.clone(),
            key: Key::Word(PlatformMessageId::parse(&word.key)?),
            sender: None,
            role: MessageRole::Due(now),
            created_at: now,
            body: ingest::Body {
                kind: body.kind,
                version: body.version,
                payload: body.payload,
                fresh_only: word.fresh_only,
            },
        };
        let entered = self.journal.enter(Entry::Messages(vec![message])).await?;
        let told = match entered {
            Entered::Now(tracked) => tracked.into_iter().next(),
            Entered::Duplicate | Entered::Late => None,
        };
        let told = told.ok_or(SessionError::NoNumber(session))?;
        self.base.live.note_work(session, true, self.base.mono());
        Ok(told)
    }
}
