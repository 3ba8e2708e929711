//! What is forgotten when: a chore of the sweep, in small steps.
//!
//! Once a day each session is looked after by itself, so that what fails for one fails for it alone;
//! what belongs to no session goes some rows at a time. In a session's folder things go before their
//! rows here do: a host that dies in between finds the rows again and repeats the step.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anchorhold_core::{
    entity::MessageStatus,
    ids::{ChannelName, Handle, SessionId, UserId},
};
use anchorhold_runner::lifecycle::Lifecycle;
use anchorhold_sessiondb::Seq;
use anchorhold_store::{Error as StoreError, sessions::SessionRow};
use jiff::Timestamp;
use tracing::{debug, error, info};

use crate::{
    base::Base,
    blocking::blocking,
    config::{Config, Lifetimes},
    report::report,
    sandboxes::Sandboxes,
};

/// How many sessions one step looks after.
const SESSIONS_LIMIT: u32 = 8;
/// How many rows of one kind one step forgets.
const ROWS_LIMIT: u32 = 250;
/// How many people one step looks at.
const PEOPLE_LIMIT: u32 = 64;
/// How many messages' files one step looks at, the oldest of a session.
const FILES_LIMIT: usize = 500;
/// How many entries of a folder one step removes.
const ENTRIES_LIMIT: u32 = 2_000;
/// When a session is looked after again.
const AGAIN: Duration = Duration::from_hours(24);
/// When it is where something failed.
const AFTER_FAILURE: Duration = Duration::from_hours(1);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the configuration says about lifetimes; changes while the host runs. Clones share it.
#[derive(Clone, Debug)]
pub struct Rules(Arc<Mutex<Given>>);

#[derive(Clone, Debug)]
struct Given {
    lifetimes: Lifetimes,
    /// People whom the file names: they stay.
    named: Arc<HashSet<(ChannelName, Handle)>>,
}

impl Rules {
    /// What `config` says.
    pub fn new(config: &Config) -> Self {
        Self(Arc::new(Mutex::new(Given::of(config))))
    }

    /// From now on `config` counts.
    pub fn replace(&self, config: &Config) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Given::of(config);
    }

    fn now(&self) -> Given {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.clone()
    }
}

impl Given {
    fn of(config: &Config) -> Self {
        let named = config.people.iter();
        let named = named.map(|person| (person.channel.clone(), person.handle.clone()));
        Self {
            lifetimes: config.retention,
            named: Arc::new(named.collect()),
        }
    }
}

/// Forgets what has outlived its time.
#[derive(Debug)]
pub struct Retention {
    base: Base,
    lifecycle: Lifecycle,
    sandboxes: Arc<Sandboxes>,
    rules: Rules,
    /// The last of the people that were looked at in this round.
    last: Mutex<Option<UserId>>,
}

/// What looking after one session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tended {
    /// Nothing is left to do today.
    Done,
    /// There is more than one step takes.
    More,
    /// The session is no more.
    Gone,
}

impl Retention {
    /// Forgets by `rules`.
    pub fn new(base: Base, lifecycle: Lifecycle, sandboxes: Arc<Sandboxes>, rules: Rules) -> Self {
        Self {
            base,
            lifecycle,
            sandboxes,
            rules,
            last: Mutex::default(),
        }
    }

    /// One small step. Cancelled or repeated, it does no harm.
    pub async fn step(&self) -> Result<(), StoreError> {
        let Given { lifetimes, named } = self.rules.now();
        let store = &self.base.store;
        for session in store
            .sessions_to_tend(self.base.now(), SESSIONS_LIMIT)
            .await?
        {
            let wait = match self.tend(session, &lifetimes).await {
                Ok(Tended::Gone) => continue,
                Ok(Tended::More) => Duration::ZERO,
                Ok(Tended::Done) => AGAIN,
                Err(failure) => {
                    error!(%session, error = %report(&*failure), "session can't be tidied");
                    AFTER_FAILURE
                }
            };
            let at = self.base.now().saturating_add(wait);
            store
                .tend_again(session, at.unwrap_or(Timestamp::MAX))
                .await?;
        }
        let messages = self.before(lifetimes.messages);
        store.forget_deliveries(messages, ROWS_LIMIT).await?;
        store.forget_rejected(messages, ROWS_LIMIT).await?;
        let dropped = self.before(lifetimes.dropped);
        store.forget_dropped(dropped, ROWS_LIMIT).await?;
        let trace = self.before(lifetimes.trace);
        store.forget_trace(trace, ROWS_LIMIT).await?;
        store.forget_runs(trace, ROWS_LIMIT).await?;
        store.forget_tasks(trace, ROWS_LIMIT).await?;
        let approvals = self.before(lifetimes.approvals);
        store.forget_approvals(approvals, ROWS_LIMIT).await?;
        let requests = self.before(lifetimes.requests);
        store.forget_requests_out(requests, ROWS_LIMIT).await?;
        let sessions = self.before(lifetimes.sessions);
        store.forget_old_subscriptions(sessions, ROWS_LIMIT).await?;
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let people = self.before(lifetimes.people);
        let step = store
            .forget_people(last, people, PEOPLE_LIMIT, &named)
            .await?;
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = step.last;
        Ok(())
    }

    /// The moment that is so long ago.
    fn before(&self, lifetime: Duration) -> Timestamp {
        let before = self.base.now().saturating_sub(lifetime);
        before.unwrap_or(Timestamp::MIN)
    }

    fn is_running(&self, session: SessionId) -> bool {
        self.lifecycle.is_running(session).is_some()
    }

    async fn tend(&self, session: SessionId, lifetimes: &Lifetimes) -> Result<Tended, Failure> {
        let store = &self.base.store;
        let Some(row) = store.session(session).await? else {
            return Ok(Tended::Gone);
        };
        let idle = lifetimes.idle_session.map(|span| self.before(span));
        if let Some(before) = idle
            && row.closed_at.is_none()
            && !self.is_running(session)
            && store.rest_session(session, before, self.base.now()).await?
        {
            info!(%session, "session sleeps");
            self.sandboxes.forget(session);
        }
        let before = self.before(lifetimes.sessions);
        if store.retire_session(session, before).await? {
            info!(%session, "session that slept for long closed");
        }
        if store.session_is_expired(session, before).await? && !self.is_running(session) {
            return self.delete(session, before).await;
        }
        let mut more = self
            .forget_messages(session, self.before(lifetimes.messages))
            .await?;
        if self.has_files(session) {
            let before = self.before(lifetimes.files);
            more |= self.drop_inbox(&row, before).await?;
            more |= self.drop_outbox(&row, before).await?;
        }
        Ok(if more { Tended::More } else { Tended::Done })
    }

    /// Is there a folder to look into? The first message makes it.
    fn has_files(&self, session: SessionId) -> bool {
        let files = self.base.files(session);
        files.in_dir().join("inbound.db").exists()
    }

    /// Deletes an expired session: its folder, then its rows.
    async fn delete(&self, session: SessionId, before: Timestamp) -> Result<Tended, Failure> {
        let files = self.base.files(session);
        if !blocking(move || files.discard(ENTRIES_LIMIT)).await?? {
            return Ok(Tended::More);
        }
        let store = &self.base.store;
        if !store.delete_session(session, before, ROWS_LIMIT).await? {
            return Ok(Tended::More);
        }
        self.sandboxes.forget(session);
        info!(%session, "session deleted");
        Ok(Tended::Gone)
    }

    /// Forgets messages that ended before `before`; tells whether there are more.
    async fn forget_messages(
        &self,
        session: SessionId,
        before: Timestamp,
    ) -> Result<bool, Failure> {
        let store = &self.base.store;
        let seqs = store.ended_messages(session, before, ROWS_LIMIT).await?;
        if seqs.is_empty() {
            return Ok(false);
        }
        if self.has_files(session) {
            let old: Vec<Seq> = seqs.iter().copied().filter_map(Seq::new).collect();
            let files = self.base.files(session);
            // First there, or an agent could be offered again what is not known here as ended.
            blocking(move || files.forget(&old)).await??;
        }
        let forgotten = store.forget_messages(session, &seqs).await?;
        debug!(%session, forgotten, "old messages forgotten");
        Ok(forgotten >= u64::from(ROWS_LIMIT))
    }

    /// Removes files that came with messages which ended before `before`; tells whether there are
    /// more.
    async fn drop_inbox(&self, row: &SessionRow, before: Timestamp) -> Result<bool, Failure> {
        let session = row.session.id;
        let files = self.base.files(session);
        let listing = files.clone();
        let found = blocking(move || listing.inbox()).await??;
        let mut old = Vec::new();
        for seq in found.into_iter().take(FILES_LIMIT) {
            // Files are there before their message is on record.
            let in_hand = self.base.is_in_hand(session, seq.get());
            let message = self.base.store.message(session, seq.get()).await?;
            let is_old = match message {
                Some(message) => {
                    let over =
                        matches!(message.status, MessageStatus::Done | MessageStatus::Failed);
                    over && message.ended_at.is_some_and(|at| at < before)
                }
                // A host died before it was.
                None => !in_hand && seq.get() <= row.in_seq,
            };
            old.extend(is_old.then_some(seq));
        }
        let more = old.len() == FILES_LIMIT;
        if !old.is_empty() {
            blocking(move || files.drop_inbox(&old)).await??;
        }
        Ok(more)
    }

    /// Removes files of the agent's whose deliveries ended before `before`, unless a sandbox runs;
    /// tells whether there are more.
    async fn drop_outbox(&self, row: &SessionRow, before: Timestamp) -> Result<bool, Failure> {
        let session = row.session.id;
        if self.is_running(session) {
            return Ok(false);
        }
        let files = self.base.files(session);
        let listing = files.clone();
        let found = blocking(move || listing.outbox()).await??;
        let mut old = Vec::new();
        for seq in found.into_iter().take(FILES_LIMIT) {
            // What was read and is no delivery was refused, or is forgotten already.
            let read = seq.get() <= row.out_cursor;
            let delivery = self.base.store.delivery_by_seq(session, seq.get()).await?;
            let is_old = match delivery {
                Some(delivery) => delivery.ended_at.is_some_and(|at| at < before),
                None => read,
            };
            old.extend(is_old.then_some(seq));
        }
        let more = old.len() == FILES_LIMIT;
        // It may have started meanwhile.
        if old.is_empty() || self.is_running(session) {
            return Ok(false);
        }
        let all = blocking(move || files.drop_outbox(&old)).await??;
        Ok(more || !all)
    }
}
