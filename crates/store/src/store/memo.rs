//! What was read before and has not changed since.
//!
//! Most messages come from somebody who is known, to a chat that is known, and what is read to route
//! one is what was read for the one before. It is kept until anything is written that could change
//! it: everything that is written drops it, but for the custody of messages.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anchorhold_core::{
    access::Standing,
    entity::{Conversation, Session, SessionKey, Wiring},
    ids::{AgentGroupId, ChannelName, ChatId, ConversationId, Handle, ThreadId, UserId},
};
use tokio::time::{Duration, Instant};

use crate::people::User;

/// So many answers of one kind are kept.
const KEPT_LIMIT: usize = 4_096;
/// An answer is kept no longer. A write that was cut off may be carried out after it has dropped
/// what was kept.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// Everything that is kept.
#[derive(Debug, Default)]
pub(crate) struct Memos {
    pub(crate) changes: Changes,
    pub(crate) conversations: Memo<(ChannelName, ChatId), Option<Conversation>>,
    pub(crate) wirings: Memo<(ChannelName, ChatId), Vec<Wiring>>,
    pub(crate) users: Memo<(ChannelName, Handle), Option<User>>,
    pub(crate) standings: Memo<UserId, Standing>,
    pub(crate) direct_chats: Memo<UserId, Option<ConversationId>>,
    pub(crate) subscriptions: Memo<(AgentGroupId, ConversationId, Option<ThreadId>), bool>,
    pub(crate) sessions: Memo<SessionKey, Option<Session>>,
}

/// Counts what may have changed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes(Arc<AtomicU64>);

/// Something may be changing, from when this is made until it is dropped.
#[derive(Debug)]
pub(crate) struct Changing(Changes);

impl Changes {
    pub(crate) fn begin(&self) -> Changing {
        self.count();
        Changing(self.clone())
    }

    fn count(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn counted(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        // Whoever read since this began may have read what was there before it.
        self.0.count();
    }
}

/// Gets an answer.
pub(crate) type Reading<'a, V, E> = Pin<Box<dyn Future<Output = Result<V, E>> + Send + 'a>>;

/// Answers to one kind of question.
pub(crate) struct Memo<K, V>(Mutex<Kept<K, V>>);

struct Kept<K, V> {
    /// The count of changes at which they were read.
    counted: u64,
    answers: HashMap<K, (V, Instant)>,
}

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Kept {
            counted: 0,
            answers: HashMap::new(),
        }))
    }
}

impl<K, V> fmt::Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").finish_non_exhaustive()
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// The answer that is kept, or else what `read` gives, which is kept if nothing has changed
    /// meanwhile.
    pub(crate) async fn recall<'a, E>(
        &self,
        changes: &Changes,
        key: K,
        read: impl FnOnce() -> Reading<'a, V, E>,
    ) -> Result<V, E> {
        let counted = changes.counted();
        if let Some(known) = self.find(counted, &key) {
            return Ok(known);
        }
        let answer = read().await?;
        if changes.counted() == counted {
            self.keep(counted, key, answer.clone());
        }
        Ok(answer)
    }

    fn find(&self, counted: u64, key: &K) -> Option<V> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, read_at) = kept.answers.get(key).filter(|_| kept.counted == counted)?;
        (read_at.elapsed() < KEPT_FOR).then(|| answer.clone())
    }

    fn keep(&self, counted: u64, key: K, answer: V) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.counted != counted || kept.answers.len() >= KEPT_LIMIT {
            kept.answers.clear();
            kept.counted = counted;
        }
        kept.answers.insert(key, (answer, Instant::now()));
    }
}

#[cfg(test)]
mod tests;
