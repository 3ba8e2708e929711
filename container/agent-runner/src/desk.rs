//! Where tools leave what is to be said at once or asked of the host, and where they wait for what
//! becomes of it. The loop alone writes and reads the session's files; it serves this desk.
//!
//! Each turn has a desk of its own. What it waits for is forgotten with it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_sessiondb::{Emit, InboundRow, Outcome, Seq, Wish, WishReply};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

/// How long a wish waits for its reply.
const REPLY_PATIENCE: Duration = Duration::from_secs(30);

/// So many things that were said in one turn are kept.
const WORDS_LIMIT: usize = 1000;

/// The desk of one turn.
#[derive(Debug, Default)]
pub struct Desk {
    state: Mutex<State>,
    asked: Notify,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    orders: VecDeque<Order>,
    /// What is waited for, and what came of it.
    outcomes: BTreeMap<Seq, Option<Outcome>>,
    questions: BTreeMap<Seq, Question>,
    replies: BTreeMap<i64, oneshot::Sender<String>>,
    /// What was said in this try of the turn.
    said: BTreeSet<Seq>,
    spoken: bool,
    /// Everything that was said in the turn, whatever the try, without its files.
    words: Vec<Emit>,
    tries: u32,
    over: bool,
}

/// Something for the loop to write.
#[derive(Debug)]
pub(crate) enum Order {
    /// Say it.
    Say {
        /// What.
        emit: Box<Emit>,
        /// Whoever wants to know its number, and the place it is said at.
        said: oneshot::Sender<Result<(Seq, String), DeskError>>,
    },
    /// Ask the host for it.
    Ask {
        /// What, in JSON.
        request: String,
        /// Whoever waits for the reply.
        reply: oneshot::Sender<String>,
    },
}

#[derive(Debug)]
struct Question {
    place: String,
    answer: Option<InboundRow>,
}

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// Nothing can be done for it any more.
    #[error("the turn is over")]
    Over,
    /// It could not be written.
    #[error("it could not be written: {why}")]
    Unwritten {
        /// What the system said.
        why: String,
    },
    /// No reply came.
    #[error("the host did not answer in time")]
    NoReply,
    /// The host does not do it.
    #[error("{why}")]
    Refused {
        /// Why not.
        why: String,
    },
}

impl Desk {
    /// For a turn that nobody serves.
    pub fn closed() -> Self {
        let desk = Self::default();
        desk.close();
        desk
    }

    /// Says something at once; gives its number and the place it is said at.
    pub async fn say(&self, emit: Emit) -> Result<(Seq, String), DeskError> {
        let (tell, said) = oneshot::channel();
        self.order(Order::Say {
            emit: Box::new(emit),
            said: tell,
        })?;
        said.await.unwrap_or(Err(DeskError::Over))
    }

    /// Asks the host for something.
    pub async fn wish(&self, wish: &Wish) -> Result<WishReply, DeskError> {
        let unwritten = |why: serde_json::Error| DeskError::Unwritten {
            why: why.to_string(),
        };
        let request = serde_json::to_string(wish).map_err(unwritten)?;
        let reply = self.request(request).await?;
        match serde_json::from_str(&reply) {
            Ok(WishReply::Failed(why)) => Err(DeskError::Refused { why }),
            Ok(reply) => Ok(reply),
            Err(_newer_or_older) => Err(DeskError::Refused {
                why: "the host does not understand what was asked for".to_owned(),
            }),
        }
    }

    /// Asks the host for something, in JSON; gives its reply, in JSON.
    pub async fn request(&self, request: String) -> Result<String, DeskError> {
        let (tell, reply) = oneshot::channel();
        self.order(Order::Ask {
            request,
            reply: tell,
        })?;
        match timeout(REPLY_PATIENCE, reply).await {
            Ok(reply) => reply.map_err(|_over| DeskError::Over),
            Err(_elapsed) => Err(DeskError::NoReply),
        }
    }

    /// What becomes of row `seq`, as far as it is known within `patience`, or once it is `enough`.
    pub async fn outcome(&self, seq: Seq, patience: Duration, enough: Enough) -> Option<Outcome> {
        self.state().outcomes.insert(seq, None);
        self.asked.notify_one();
        let known = |state: &State| match state.outcomes.get(&seq) {
            Some(Some(outcome)) => enough == Enough::Any || outcome.is_end(),
            Some(None) | None => false,
        };
        self.until(known, patience).await;
        self.state().outcomes.remove(&seq).flatten()
    }

    /// Waits for the answer to question `seq`, which was asked at `place`; `None` if there is none
    /// within `patience`, or `seq` ends otherwise than sent. Cancel-safe: an answer that nobody took
    /// is not lost, but still there when the turn ends.
    pub async fn answer(&self, seq: Seq, place: String, patience: Duration) -> Answered {
        let question = Question {
            place,
            answer: None,
        };
        let waiting = Waiting { desk: self, seq };
        {
            let mut state = self.state();
            state.questions.insert(seq, question);
            state.outcomes.insert(seq, None);
        }
        self.asked.notify_one();
        let decided = |state: &State| state.failure(seq).is_some() || state.is_answered(seq);
        self.until(decided, patience).await;
        let mut state = self.state();
        let question = state.questions.get_mut(&seq);
        let answer = question.and_then(|question| question.answer.take());
        let failure = state.failure(seq);
        drop(state);
        drop(waiting);
        match (answer, failure) {
            (Some(row), _) => Answered::By(Box::new(row)),
            (None, Some(failure)) => Answered::Never(failure),
            (None, None) => Answered::NotYet,
        }
    }

    fn order(&self, order: Order) -> Result<(), DeskError> {
        let mut state = self.state();
        if state.over {
            return Err(DeskError::Over);
        }
        state.orders.push_back(order);
        drop(state);
        self.asked.notify_one();
        Ok(())
    }

    /// Waits until `enough`, the turn is over, or `patience` is.
    async fn until(&self, enough: impl Fn(&State) -> bool, patience: Duration) {
        let waiting = async {
            loop {
                // Made before the look, so that no change between the two is missed.
                let changed = self.changed.notified();
                let over = {
                    let state = self.state();
                    state.over || enough(&state)
                };
                if over {
                    return;
                }
                changed.await;
            }
        };
        // silent: what is not known in time is told by whoever looks afterwards
        drop(timeout(patience, waiting).await);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done in here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much has to be known of what becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// Any word.
    Any,
    /// The last one.
    End,
}

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered {
    /// This answers it. It ends with the turn.
    By(Box<InboundRow>),
    /// It was never asked.
    Never(Outcome),
    /// Nobody has answered yet.
    NotYet,
}

/// As long as it lives, an answer is waited for.
struct Waiting<'a> {
    desk: &'a Desk,
    seq: Seq,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.desk.state();
        state.outcomes.remove(&self.seq);
        let question = state.questions.get(&self.seq);
        // One that came at the last moment stays, so that it is known that nobody saw it.
        if question.is_some_and(|question| question.answer.is_none()) {
            state.questions.remove(&self.seq);
        }
    }
}

impl State {
    fn is_answered(&self, seq: Seq) -> bool {
        let question = self.questions.get(&seq);
        question.is_some_and(|question| question.answer.is_some())
    }

    /// How it ended, if not by being sent.
    fn failure(&self, seq: Seq) -> Option<Outcome> {
        let outcome = self.outcomes.get(&seq)?.as_ref()?;
        (outcome.is_end() && *outcome != Outcome::Sent).then(|| outcome.clone())
    }
}

/// What the loop does at the desk.
impl Desk {
    /// Returns when there is something new to do since the last call. Cancel-safe.
    pub(crate) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// A try of the turn begins: what an earlier one said does not count as said.
    pub(crate) fn begin(&self) {
        let mut state = self.state();
        state.tries = state.tries.saturating_add(1);
        state.said.clear();
        state.spoken = false;
    }

    /// Was the turn tried before, by this very loop?
    pub(crate) fn begun_again(&self) -> bool {
        self.state().tries > 1
    }

    /// The next thing to write; put back with [`Self::put_back`] if it can't be now.
    pub(crate) fn next(&self) -> Option<Order> {
        self.state().orders.pop_front()
    }

    pub(crate) fn put_back(&self, order: Order) {
        self.state().orders.push_front(order);
    }

    /// Was it said in this try of the turn?
    pub(crate) fn has_said(&self, seq: Seq) -> bool {
        self.state().said.contains(&seq)
    }

    /// Was anything said in this try of the turn, in the conversation that asked?
    pub(crate) fn has_spoken(&self) -> bool {
        self.state().spoken
    }

    /// It is said now, and `here`: in the conversation that asked.
    pub(crate) fn note_said(&self, seq: Seq, here: bool) {
        let mut state = self.state();
        state.said.insert(seq);
        state.spoken |= here;
    }

    /// Keeps what was said.
    pub(crate) fn keep(&self, emit: &Emit) {
        let mut state = self.state();
        if state.words.len() < WORDS_LIMIT {
            state.words.push(emit.without_files());
        }
    }

    /// Everything that was said in the turn.
    pub(crate) fn words(&self) -> Vec<Emit> {
        self.state().words.clone()
    }

    /// The host is asked now.
    pub(crate) fn note_asked(&self, id: i64, reply: oneshot::Sender<String>) {
        self.state().replies.insert(id, reply);
    }

    /// What is waited for: what becomes of rows, answers to questions (each with its place), replies.
    pub(crate) fn waited_for(&self) -> (Vec<Seq>, Vec<(Seq, String)>, Vec<i64>) {
        let mut state = self.state();
        state.replies.retain(|_, reply| !reply.is_closed());
        let outcomes = state.outcomes.keys().copied().collect();
        let open = state.questions.iter();
        let open = open.filter(|(_, question)| question.answer.is_none());
        let questions = open.map(|(seq, question)| (*seq, question.place.clone()));
        (
            outcomes,
            questions.collect(),
            state.replies.keys().copied().collect(),
        )
    }

    pub(crate) fn tell_outcome(&self, seq: Seq, outcome: Outcome) {
        if let Some(known) = self.state().outcomes.get_mut(&seq) {
            *known = Some(outcome);
        }
        self.changed.notify_waiters();
    }

    pub(crate) fn tell_answer(&self, seq: Seq, answer: InboundRow) {
        if let Some(question) = self.state().questions.get_mut(&seq) {
            question.answer = Some(answer);
        }
        self.changed.notify_waiters();
    }

    pub(crate) fn tell_reply(&self, id: i64, reply: String) {
        if let Some(waiting) = self.state().replies.remove(&id) {
            // silent: nobody waits any more
            let _gone = waiting.send(reply).is_err();
        }
    }

    /// The turn is over: whoever waits is told so.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.over = true;
        // Dropped, they tell it themselves.
        let dropped = (mem::take(&mut state.orders), mem::take(&mut state.replies));
        drop(state);
        drop(dropped);
        self.changed.notify_waiters();
    }

    /// Answers that were taken for the turn and not picked up.
    pub(crate) fn unread(&self) -> Vec<Seq> {
        let state = self.state();
        let answers = state.questions.values();
        let answers = answers.filter_map(|question| question.answer.as_ref());
        answers.map(|row| row.seq).collect()
    }
}

#[cfg(test)]
pub(crate) mod tests;
