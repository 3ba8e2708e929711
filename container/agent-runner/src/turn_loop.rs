//! The loop: look, claim, have it answered, write answers and completions, look again.

mod serve;
mod turn;

use std::{fmt, sync::Arc, time::Duration};

use anchorhold_core::{
    clock::Clock,
    retry::{Backoff, Next},
};
use anchorhold_sessiondb::{
    self as sessiondb, Finish, Handled, Offer, RunnerSide, Seq, UnknownRow, bell,
};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use tokio::{net::UnixDatagram, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    Error,
    children::{Children, Orphans},
    mcp::CurrentTurn,
    progress::Beats,
    provider::Providers,
    report,
    tools::Tools,
};

/// How often to look while nothing is to be done and the bell was heard before: only in case it is
/// not heard once.
const POLL_WITH_BELL: Duration = Duration::from_secs(15);
/// The same during a turn, where a person may wait for it to stop.
const POLL_IN_TURN: Duration = Duration::from_secs(5);
/// How often to look during a turn where no bell was ever heard, and after a turn at first.
const POLL: Duration = Duration::from_millis(500);
/// How often to look while nothing is to be done and no bell was ever heard: ever more seldom.
const POLL_UNPROVEN: Backoff = Backoff {
    first: POLL,
    longest: Duration::from_secs(10),
    tries: u32::MAX,
};
/// Between tries while the other side holds a file: that lasts for one commit.
const LATER: Backoff = Backoff {
    first: Duration::from_millis(10),
    longest: Duration::from_millis(500),
    tries: u32::MAX,
};
/// Between tries while a file can't be used for another reason.
const BROKEN: Backoff = Backoff {
    first: Duration::from_millis(250),
    longest: Duration::from_secs(5),
    tries: u32::MAX,
};
/// Between tries to write the end of a turn: together nearly a minute. A turn is dear, so it is
/// not thrown away for a disk that is full for a moment.
const FINISH: Backoff = Backoff {
    first: Duration::from_millis(10),
    longest: Duration::from_secs(1),
    tries: 60,
};

/// What the loop works with.
pub struct Parts {
    /// The session's files.
    pub side: RunnerSide,
    /// Where the host's bell is.
    pub in_dir: Utf8PathBuf,
    /// The bell that the host rings, if it could be bound.
    pub bell: Option<UnixDatagram>,
    /// Signs of life.
    pub beats: Arc<Beats>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// Who can answer.
    pub providers: Providers,
    /// What an agent can do besides talk.
    pub tools: Arc<Tools>,
    /// The turn that calls of a harness belong to.
    pub turn: CurrentTurn,
    /// Which processes tools wait for themselves.
    pub children: Arc<Children>,
    /// The duty to bury orphans, for the first process of a sandbox.
    pub orphans: Option<Orphans>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("side", &self.side)
            .field("providers", &self.providers)
            .finish_non_exhaustive()
    }
}

/// How the loop ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop, and nothing is half done.
    Told,
    /// A turn asked for the end of the process, with this exit status.
    Exit(u8),
}

/// What one look led to.
enum Step {
    /// Something was done: there may be more.
    Worked,
    /// There is nothing to do before this time, as far as is known.
    Idle(Option<Timestamp>),
    /// A turn wants to end the process.
    Exit(u8),
}

/// The loop of one sandbox.
#[derive(Debug)]
pub struct TurnLoop {
    parts: Parts,
    /// Was the bell heard? Where it can't be, it is looked more often.
    heard: bool,
    /// How many looks in a row found nothing.
    quiet: u32,
}

impl TurnLoop {
    /// A loop that has not begun.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            heard: false,
            quiet: 0,
        }
    }

    /// Answers messages until `stop` fires; a turn that runs then is finished first.
    ///
    /// Dropping the future is like killing the process: what was claimed stays claimed.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<Ended, Error> {
        let mut failed = 0_u32;
        while !stop.is_cancelled() {
            match self.step(stop).await {
                Ok(Step::Worked) => {
                    failed = 0;
                    self.quiet = 0;
                }
                Ok(Step::Idle(due)) => {
                    failed = 0;
                    stop.run_until_cancelled(self.rest(due)).await;
                }
                Ok(Step::Exit(code)) => return Ok(Ended::Exit(code)),
                Err(Error::Session { source }) => {
                    failed = failed.saturating_add(1);
                    let wait = pause(&source, failed);
                    stop.run_until_cancelled(sleep(wait)).await;
                }
                Err(fatal) => return Err(fatal),
            }
        }
        Ok(Ended::Told)
    }

    async fn step(&mut self, stop: &CancellationToken) -> Result<Step, Error> {
        let now = self.parts.clock.now();
        let (settings, offer) = self.parts.side.look(now).map_err(session)?;
        if !offer.stops.is_empty() {
            self.stop_nothing(&offer).await?;
            return Ok(Step::Worked);
        }
        if !offer.unknown.is_empty() {
            self.put_aside(offer.unknown).await?;
            return Ok(Step::Worked);
        }
        if offer.rows.is_empty() && offer.compact.is_none() {
            return Ok(Step::Idle(offer.next_due));
        }
        let Some(provider) = self.parts.providers.find(&settings.provider) else {
            return self.refuse(&settings.provider, &offer).await;
        };
        match offer.compact {
            Some(seq) => self.compact((provider, settings), seq, stop).await,
            None => self.turn(provider, settings, offer, stop).await,
        }
    }

    /// Ends commands to stop that came while no turn ran, with what was in turns that died before
    /// they were stopped.
    async fn stop_nothing(&mut self, offer: &Offer) -> Result<(), Error> {
        tracing::info!(stopped = offer.stopped.len(), "told to stop without a turn");
        self.finish(&stopped(&offer.stopped, &offer.stops)).await
    }

    /// Ends messages of a kind that this program does not know: a newer host wrote them.
    async fn put_aside(&mut self, unknown: Vec<UnknownRow>) -> Result<(), Error> {
        let mut finish = Finish::default();
        for UnknownRow { seq, why } in unknown {
            tracing::warn!(%seq, why, "message not understood");
            finish.handled.push((seq, Handled::Unknown { kind: why }));
        }
        self.finish(&finish).await
    }

    /// Ends messages that nobody here can answer, and says why, rather than die over them.
    async fn refuse(&mut self, provider: &str, offer: &Offer) -> Result<Step, Error> {
        let known = self.parts.providers.names().join(", ");
        let provider: String = provider.chars().take(64).collect();
        let why = format!("this agent has no provider {provider:?}; it has: {known}");
        tracing::error!(provider, known, "unknown provider");
        let rows = offer.rows.iter().map(|row| row.seq);
        let seqs: Vec<Seq> = rows.chain(offer.compact).collect();
        self.finish(&failed(&seqs, &why)).await?;
        Ok(Step::Worked)
    }

    async fn finish(&mut self, finish: &Finish) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let now = self.parts.clock.now();
            let source = match self.parts.side.finish(finish, now) {
                Ok(said) => {
                    let (handled, said) = (finish.handled.len(), said.len());
                    tracing::info!(handled, said, "turn ended");
                    break;
                }
                Err(source) => source,
            };
            tries += 1;
            let Next::After(wait) = FINISH.next(tries, None, 0) else {
                return Err(Error::Finish { tries, source });
            };
            tracing::warn!(tries, error = %report(&source), "end of a turn not written yet");
            sleep(wait).await;
        }
        self.parts.beats.beat(None);
        // silent: a host that does not listen looks by itself
        bell::ring(&self.parts.in_dir);
        Ok(())
    }

    /// How long to wait at most between two looks while a turn runs.
    fn poll_in_turn(&self) -> Duration {
        if self.heard { POLL_IN_TURN } else { POLL }
    }

    /// How long to wait at most between two looks while there is nothing to do.
    fn poll(&self) -> Duration {
        if self.heard {
            return POLL_WITH_BELL;
        }
        match POLL_UNPROVEN.next(self.quiet, None, 0) {
            Next::After(wait) => wait,
            Next::GiveUp => POLL_UNPROVEN.longest,
        }
    }

    /// Waits until there may be something to do.
    async fn rest(&mut self, due: Option<Timestamp>) {
        if let Some(orphans) = &self.parts.orphans {
            orphans.reap(&self.parts.children);
        }
        self.quiet = self.quiet.saturating_add(1);
        let poll = self.poll();
        let until_due = due.map(|due| due.duration_since(self.parts.clock.now()));
        let wait = match until_due.map(Duration::try_from) {
            Some(Ok(until_due)) => poll.min(until_due),
            // It became due meanwhile.
            Some(Err(_negative)) => return,
            None => poll,
        };
        tokio::select! {
            heard = rung(self.parts.bell.as_ref()) => self.heard = heard,
            () = buried(self.parts.orphans.as_mut()) => {}
            () = sleep(wait) => {}
        }
    }
}

/// Returns when the bell was rung since the last call; `false` if it can't be heard. Cancel-safe.
async fn rung(bell: Option<&UnixDatagram>) -> bool {
    let Some(bell) = bell else {
        return std::future::pending().await;
    };
    let mut carries_nothing = [0_u8; 1];
    if let Err(error) = bell.recv(&mut carries_nothing).await {
        tracing::warn!(error = %report(&error), "bell not heard");
        sleep(POLL).await;
        return false;
    }
    // However often it was rung, one look sees everything.
    while bell.try_recv(&mut carries_nothing).is_ok() {}
    true
}

/// Returns when an orphan may have ended. Cancel-safe.
async fn buried(orphans: Option<&mut Orphans>) {
    match orphans {
        Some(orphans) => orphans.ended().await,
        None => std::future::pending().await,
    }
}

fn session(source: sessiondb::Error) -> Error {
    Error::Session { source }
}

/// How long to wait after the `failed`-th failure in a row.
fn pause(error: &sessiondb::Error, failed: u32) -> Duration {
    let backoff = if error.is_later() {
        tracing::debug!(failed, "session file in use");
        LATER
    } else {
        tracing::warn!(failed, error = %report(error), "session file can't be used");
        BROKEN
    };
    match backoff.next(failed, None, 0) {
        Next::After(wait) => wait,
        Next::GiveUp => backoff.longest,
    }
}

/// The end of a turn that failed for all it had taken.
fn failed(seqs: &[Seq], why: &str) -> Finish {
    let why = why.to_owned();
    let each = |seq: &Seq| (*seq, Handled::Failed { why: why.clone() });
    Finish {
        handled: seqs.iter().map(each).collect(),
        ..Finish::default()
    }
}

/// The end of what a person stopped, and of the commands to do so.
fn stopped(seqs: &[Seq], stops: &[Seq]) -> Finish {
    let stopped = seqs.iter().map(|seq| (*seq, Handled::Stopped));
    let done = stops.iter().map(|seq| (*seq, Handled::Done));
    Finish {
        handled: stopped.chain(done).collect(),
        ..Finish::default()
    }
}

#[cfg(test)]
mod tests;
