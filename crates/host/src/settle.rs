//! A sandbox is gone: what it had taken is tried again, or given up visibly.

use std::{sync::Arc, time::Duration};

use anchorhold_core::{
    entity::{MessageStatus, SessionKey},
    ids::SessionId,
    retry::{Backoff, Next},
    sandbox::{ExitStatus, Exited},
};
use anchorhold_sessiondb::{Cursors, Disposition, Recovered, Seq};
use anchorhold_store::{
    sessions::SessionRow,
    trace::{About, Event},
    work::{Message, MessageRetry},
};
use tokio::{sync::Notify, time::sleep};
use tracing::{error, info, warn};

use crate::{
    base::Base,
    deliver::outcome::later,
    feed::Feed,
    live::Ending,
    notice::{self, Cause},
    pull::{Pull, PullError},
    report::report,
};

/// The waits between the tries of one message; how many there are is the group's to say.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(1);
/// How often, and how long apart, a file is tried that is in use.
const RECOVER_TRIES: u32 = 20;
const RECOVER_WAIT: Duration = Duration::from_millis(100);
/// How many ended messages are closed in a session's file before a start.
const CLOSE_LIMIT: u32 = 1_000;

/// Settles ends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Settle {
    base: Base,
    pull: Pull,
    feed: Feed,
    sweep: Arc<Notify>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Settle {
    /// Settles with `base`'s store and rings `sweep` when there is more to do.
    pub fn new(base: Base, (pull, feed): (Pull, Feed), sweep: Arc<Notify>) -> Self {
        Self {
            base,
            pull,
            feed,
            sweep,
        }
    }

    /// A sandbox has ended; `ending` says why the host ended it, if it did.
    ///
    /// Tells how many in a row have now ended before they took up any message; 0 if this one had.
    /// Doing it again, after a failure half-way, changes nothing that was done.
    pub async fn exited(&self, exited: Exited, mut ending: Option<Ending>) -> Result<u32, Failure> {
        let (session, status) = (exited.session(), exited.status());
        let generation = exited.generation();
        let Some(row) = self.base.store.session(session).await? else {
            return Ok(0);
        };
        let cursors = Cursors {
            out: row.out_cursor,
            handled: row.handled_cursor,
        };
        let recovered = self.recover(exited, cursors, row.in_seq).await?;
        // What it committed before its end counts, also when it was killed right after.
        match self.pull.session(session).await {
            Ok(_) => {}
            // The claims are taken back already: they are settled whatever else it has left.
            Err(PullError::Files(failure)) if failure.disposition() == Disposition::Quarantine => {
                error!(%session, error = %report(&failure), "left-over answers can't be trusted");
                ending = Some(Ending::Untrusted);
            }
            Err(failure) => return Err(failure.into()),
        }
        let cause = match (&recovered.put_aside, ending) {
            (Some(_), _) | (None, Some(Ending::Untrusted)) => Cause::Untrusted,
            (None, Some(Ending::Judged(verdict))) => Cause::Stopped(verdict),
            (None, Some(Ending::Asked) | None) => Cause::Died(status),
        };
        let asked = matches!(ending, Some(Ending::Asked));
        let taken = self.taken(session, &recovered).await?;
        let event = Event::Ended {
            generation,
            status,
            why: ending.map(|_| notice::cause(&cause)).filter(|_| !asked),
            taken: taken.iter().map(|message| message.seq).collect(),
        };
        let (about, now) = (About::Session(session), self.base.now());
        self.base.store.note(about, event, now).await?;
        // One that ends well while there is something to do has not done what it is for.
        let idle = status == ExitStatus::Code(0) && !self.left_work(&row).await?;
        let mut held_back = 0;
        if taken.is_empty() && !asked && !idle {
            // It died with nothing in hand: no message is to blame, so the next start waits.
            let (now, jitter) = (self.base.mono(), self.base.jitter());
            held_back = self.base.live.hold_back(session, now, jitter);
        }
        for message in taken {
            self.again(&row.session.key, &message, &cause, asked)
                .await?;
        }
        self.sweep.notify_one();
        Ok(held_back)
    }

    /// Is there something to do now that was there when `row` was read? What came later a sandbox that
    /// had ended by then can't have known of.
    async fn left_work(&self, row: &SessionRow) -> Result<bool, Failure> {
        let (store, session) = (&self.base.store, row.session.id);
        let oldest = store.pending_messages(session, 1).await?;
        let known = oldest.iter().any(|oldest| oldest.seq <= row.in_seq);
        let work = store.session_work(session).await?;
        Ok(known && work.is_due(self.base.now()))
    }

    async fn recover(
        &self,
        exited: Exited,
        cursors: Cursors,
        highest: i64,
    ) -> Result<Recovered, Failure> {
        let session = exited.session();
        let exited = Arc::new(exited);
        for _ in 0..RECOVER_TRIES {
            let exited = Arc::clone(&exited);
            let recovering = self
                .feed
                .on_file(session, move |files| {
                    files.recover(&exited, cursors, highest)
                })
                .await;
            match recovering {
                Ok(recovered) => {
                    if let Some(why) = &recovered.put_aside {
                        error!(%session, why, "file of a sandbox put aside");
                    }
                    return Ok(recovered);
                }
                Err(failure) if failure.is_later() => {
                    warn!(%session, error = %report(&failure), "session's files are in use");
                    sleep(RECOVER_WAIT).await;
                }
                Err(failure) => {
                    let what = report(&failure).to_string();
                    self.base
                        .store
                        .set_fault(session, &what, self.base.now())
                        .await?;
                    return Err(failure.into());
                }
            }
        }
        Err("its files stay in use".into())
    }

    /// The messages that were in a turn when the sandbox ended. Where the record of that is lost,
    /// it was the oldest.
    async fn taken(
        &self,
        session: SessionId,
        recovered: &Recovered,
    ) -> Result<Vec<Message>, Failure> {
        if recovered.put_aside.is_some() {
            return Ok(self.base.store.pending_messages(session, 1).await?);
        }
        let mut taken = Vec::with_capacity(recovered.claims.len());
        for claim in &recovered.claims {
            let message = self.base.store.message(session, claim.seq.get()).await?;
            taken.extend(message.filter(|message| message.status == MessageStatus::Pending));
        }
        Ok(taken)
    }

    /// Plans the next try of a message, or gives it up.
    async fn again(
        &self,
        key: &SessionKey,
        message: &Message,
        cause: &Cause,
        asked: bool,
    ) -> Result<(), Failure> {
        let Some(seq) = Seq::new(message.seq) else {
            return Ok(());
        };
        let (session, now) = (message.session, self.base.now());
        let Some(group) = self.base.store.group(key.agent_group).await? else {
            return Ok(());
        };
        // A host that stops its sandboxes is not the message's fault.
        let tries = if asked {
            message.tries
        } else {
            message.tries + 1
        };
        let why = notice::cause(cause);
        let backoff = Backoff {
            first: FIRST,
            longest: LONGEST,
            tries: group.limits.tries,
        };
        let next = if asked {
            Next::After(Duration::ZERO)
        } else {
            backoff.next(tries, None, self.base.jitter())
        };
        match next {
            Next::After(wait) => {
                let next_at = later(now, wait);
                info!(%session, seq = message.seq, tries, %next_at, why, "message will be tried again");
                let row = [(seq, tries, next_at)];
                self.feed
                    .on_file(session, move |files| files.reschedule(&row))
                    .await?;
                let retry = MessageRetry {
                    tries,
                    next_at,
                    why,
                };
                self.base
                    .store
                    .set_tries(session, message.seq, &retry, now)
                    .await?;
            }
            Next::GiveUp => {
                error!(%session, seq = message.seq, tries, why, "message given up");
                // First the record, which a next start reads to close what is still open. The other
                // way round a death in between leaves a message that no sandbox sees and that the
                // records wait for.
                self.pull
                    .fail(message, &why, notice::given_up(&why, tries))
                    .await?;
                self.feed
                    .on_file(session, move |files| files.close(&[seq]))
                    .await?;
            }
        }
        Ok(())
    }

    /// Messages that have ended but are still open in the session's file; the next sandbox need not
    /// look at them.
    pub async fn ended_but_open(&self, session: SessionId) -> Result<Vec<Seq>, Failure> {
        let open = self
            .feed
            .on_file(session, |files| files.open_messages(CLOSE_LIMIT))
            .await?;
        let mut ended = Vec::new();
        for seq in open {
            let message = self.base.store.message(session, seq.get()).await?;
            let over = |status| matches!(status, MessageStatus::Done | MessageStatus::Failed);
            if message.is_some_and(|message| over(message.status)) {
                ended.push(seq);
            }
        }
        Ok(ended)
    }
}
