//! Requests that come out of sandboxes: read from a session's file, answered into it.
//!
//! What a sandbox writes is hostile: what is read is bounded, what is asked for is checked like any
//! request, and who asks for too much waits. A session that fails fails alone, and one that is slow
//! holds up no other.

mod wishes;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anchorhold_admin::request::{FailCode, Reply, Request};
use anchorhold_core::ids::SessionId;
use anchorhold_sessiondb::{
    AdminRequestRow, Disposition, Error as FilesError, HostSide, REPLY_LIMIT_BYTES, Wish,
    bell as bells,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::{
    admin::{Admin, Caller},
    base::Base,
    blocking::{Lost, blocking},
    feed::{Feed, FeedError},
    live::Ending,
    report::report,
};

/// So many rings wait; further ones are lost, and the sweep rings again.
const RINGS_LIMIT: usize = 256;
/// So many requests of a session are read at a time.
const AT_A_TIME: u32 = 16;
/// So many sessions are answered at a time.
const SESSIONS_AT_A_TIME: usize = 4;
/// So many sessions have a task, those that wait for their turn included.
const TASKS_LIMIT: usize = 128;
/// So many requests of a session are carried out in one [`WINDOW`].
const RATE: u32 = 60;
/// In which the requests are counted.
const WINDOW: Duration = Duration::from_mins(1);
/// Who asked too much is not looked at again for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// Says that a session may have asked for something. Cheap to clone; a ring may be lost.
#[derive(Clone, Debug)]
pub struct InsideBell {
    rings_tx: mpsc::Sender<SessionId>,
}

/// The other end of an [`InsideBell`].
#[derive(Debug)]
pub struct Rings {
    rings_rx: mpsc::Receiver<SessionId>,
}

/// A bell, and where it is heard. It can be handed out before anybody listens.
pub fn bell() -> (InsideBell, Rings) {
    let (rings_tx, rings_rx) = mpsc::channel(RINGS_LIMIT);
    (InsideBell { rings_tx }, Rings { rings_rx })
}

impl InsideBell {
    /// The session may have asked for something. Never waits.
    pub fn ring(&self, session: SessionId) {
        // silent: the sweep rings again
        let _lost = self.rings_tx.try_send(session).is_err();
    }
}

/// Answers what sandboxes ask for.
#[derive(Debug)]
pub struct Inside {
    desk: Arc<Desk>,
    rings: Rings,
}

/// What all the sessions' tasks share.
#[derive(Debug)]
struct Desk {
    base: Base,
    admin: Admin,
    feed: Feed,
    /// Taken while a session's requests are carried out.
    seats: Semaphore,
    budgets: Mutex<HashMap<SessionId, Budget>>,
    closing: AtomicBool,
}

/// What a session has left of its rate.
#[derive(Clone, Copy, Debug)]
struct Budget {
    since: Instant,
    left: u32,
}

/// What came of one look into a session's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// All is answered.
    Empty,
    /// There may be more.
    More,
    /// Something was refused because there was too much of it.
    TooMuch,
}

/// Why a session's requests are not answered.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Feed(#[from] FeedError),
    #[error(transparent)]
    Store(#[from] anchorhold_store::Error),
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl Inside {
    /// Answers through `admin` what the sessions in `rings` ask for.
    pub fn new(base: Base, admin: Admin, feed: Feed, rings: Rings) -> Self {
        let desk = Arc::new(Desk {
            base,
            admin,
            feed,
            seats: Semaphore::new(SESSIONS_AT_A_TIME),
            budgets: Mutex::default(),
            closing: AtomicBool::new(false),
        });
        Self { desk, rings }
    }

    /// Answers until shutdown; what is being carried out then is brought to its end.
    ///
    /// If this ends, agents wait in vain for replies, and nothing else is lost.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { desk, mut rings } = self;
        let mut tasks: JoinSet<SessionId> = JoinSet::new();
        let mut busy: HashSet<SessionId> = HashSet::new();
        // Those that rang while they were busy.
        let mut again: HashSet<SessionId> = HashSet::new();
        loop {
            let session = tokio::select! {
                rung = rings.rings_rx.recv() => match rung {
                    Some(session) => session,
                    None => break,
                },
                Some(ended) = tasks.join_next() => match ended {
                    Ok(session) => {
                        busy.remove(&session);
                        if !again.remove(&session) {
                            continue;
                        }
                        session
                    }
                    Err(lost) => {
                        error!(error = %report(&lost), "a session's requests were let go");
                        // Whose it was is not told: the others go on, and none stays locked out.
                        busy.clear();
                        continue;
                    }
                },
                () = shutdown.cancelled() => break,
            };
            if busy.contains(&session) {
                again.insert(session);
            } else if busy.len() < TASKS_LIMIT {
                busy.insert(session);
                tasks.spawn(Arc::clone(&desk).attend(session, shutdown.clone()));
            }
        }
        desk.closing.store(true, Ordering::Relaxed);
        while tasks.join_next().await.is_some() {}
    }
}

impl Desk {
    /// Answers everything that one session has asked for.
    async fn attend(self: Arc<Self>, session: SessionId, shutdown: CancellationToken) -> SessionId {
        loop {
            let looked = match self.seats.acquire().await {
                Ok(_seat) => self.look(session).await,
                // silent: seats are never closed
                Err(_closed) => return session,
            };
            match looked {
                Ok(Looked::More) => {}
                Ok(Looked::Empty) => return session,
                Ok(Looked::TooMuch) => {
                    tokio::select! {
                        () = sleep(PAUSE) => {}
                        () = shutdown.cancelled() => return session,
                    }
                }
                Err(failure) => {
                    self.note(session, &failure);
                    return session;
                }
            }
            if self.closing.load(Ordering::Relaxed) || shutdown.is_cancelled() {
                return session;
            }
        }
    }

    async fn look(&self, session: SessionId) -> Result<Looked, Failure> {
        let Some(row) = self.base.store.session(session).await? else {
            return Ok(Looked::Empty);
        };
        if row.closed_at.is_some() {
            return Ok(Looked::Empty);
        }
        let group = row.session.key.agent_group;
        let last = self.feed.on_file(session, HostSide::last_reply).await?;
        let (files, cursor) = (self.base.files(session), row.replied.max(last));
        let open = blocking(move || files.requests_after(cursor, AT_A_TIME)).await??;
        let mut too_much = false;
        let full = u32::try_from(open.len()).is_ok_and(|found| found >= AT_A_TIME);
        for request in open {
            if self.closing.load(Ordering::Relaxed) {
                return Ok(Looked::Empty);
            }
            let reply = if self.may_ask(session) {
                let caller = Caller::Agent {
                    group,
                    session,
                    request: request.id,
                };
                Box::pin(self.answer(caller, &request)).await
            } else {
                too_much = true;
                text_of(&failed(
                    FailCode::Unavailable,
                    "too many requests; wait a minute and ask again",
                ))
            };
            self.reply(session, request.id, reply).await?;
        }
        Ok(match (too_much, full) {
            (true, _) => Looked::TooMuch,
            (false, true) => Looked::More,
            (false, false) => Looked::Empty,
        })
    }

    /// The reply to one request, in JSON.
    async fn answer(&self, caller: Caller, row: &AdminRequestRow) -> String {
        if let (Caller::Agent { group, session, .. }, Ok(wish)) =
            (caller, serde_json::from_str::<Wish>(&row.request))
        {
            return text_of(&wishes::perform(&self.base, (group, session), &wish).await);
        }
        text_of(&match serde_json::from_str::<Request>(&row.request) {
            Ok(request) => self.admin.perform(caller, &request).await,
            Err(_not_one) => failed(FailCode::Usage, "that is not a request"),
        })
    }

    async fn reply(&self, session: SessionId, id: i64, mut text: String) -> Result<(), Failure> {
        if text.len() > REPLY_LIMIT_BYTES {
            let short = failed(
                FailCode::Usage,
                "the answer is too long; ask for less, e.g. with --limit",
            );
            text = text_of(&short);
        }
        let now = self.base.now();
        // First the file: whoever dies in between carries the request out again, and it is answered.
        self.feed
            .on_file(session, move |files| files.reply(id, &text, now))
            .await?;
        self.base.store.note_reply(session, id).await?;
        // silent: a sandbox that does not listen looks by itself
        bells::ring(self.base.files(session).out_dir());
        Ok(())
    }

    /// Takes one request off what the session has left.
    fn may_ask(&self, session: SessionId) -> bool {
        let now = self.base.mono();
        let over = |budget: &Budget| now.saturating_duration_since(budget.since) >= WINDOW;
        // Nothing in here can leave the map half changed.
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        if !budgets.contains_key(&session) {
            // Only here it grows: what has run out is the same as what is absent.
            budgets.retain(|_, budget| !over(budget));
        }
        let fresh = Budget {
            since: now,
            left: RATE,
        };
        let budget = budgets.entry(session).or_insert(fresh);
        if over(budget) {
            *budget = fresh;
        }
        let may = budget.left > 0;
        budget.left = budget.left.saturating_sub(1);
        may
    }

    fn note(&self, session: SessionId, failure: &Failure) {
        let Failure::Files(files) = failure else {
            error!(%session, error = %report(failure), "requests of an agent not answered");
            return;
        };
        match files.disposition() {
            // The next ring finds them.
            Disposition::Later => {}
            Disposition::Quarantine => {
                error!(%session, error = %report(files), "files of a sandbox can't be trusted");
                self.base.live.condemn(session, Ending::Untrusted);
            }
            Disposition::Fault => {
                warn!(%session, error = %report(files), "requests of an agent can't be read");
            }
        }
    }
}

/// As JSON. What is replied holds only text, numbers and lists, which always serialize.
fn text_of(reply: &impl serde::Serialize) -> String {
    serde_json::to_string(reply).unwrap_or_default()
}

fn failed(code: FailCode, what: &str) -> Reply {
    Reply::Failed {
        code,
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests;
