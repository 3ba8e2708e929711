//! One turn, or one compaction, from claim to end, and what can come in between.

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc};

use anchorhold_sessiondb::{self as sessiondb, Finish, Handled, InboundRow, Offer, Seq, Settings};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::{
    Error,
    follow_ups::FollowUps,
    provider::{AgentProvider, Turn, TurnError, TurnIo, TurnOutcome},
    turn_loop::{Step, TurnLoop, failed, pause, rung, session, stopped},
};

/// What a turn has taken so far.
struct Taken {
    /// To be ended as the turn ends.
    seqs: Vec<Seq>,
    /// To be ended with it, unseen.
    surplus: Vec<Seq>,
    /// How many messages more that wake it can take.
    room: u32,
    follow_ups: Arc<FollowUps>,
}

impl Taken {
    /// Claimed for a turn that can take `limit` messages that wake, if it can have follow-ups.
    fn of(rows: &[InboundRow], surplus: Vec<Seq>, limit: Option<u32>) -> Self {
        let waking = || rows.iter().filter(|row| row.triggers);
        let count = u32::try_from(waking().count()).unwrap_or(u32::MAX);
        // What is tried alone stays alone: nothing shall share its fate.
        let alone = waking().any(|row| row.tries > 0);
        let room = match limit {
            Some(limit) if !alone => limit.saturating_sub(count),
            Some(_) | None => 0,
        };
        let follow_ups = FollowUps::default();
        if room == 0 {
            follow_ups.close();
        }
        Self {
            seqs: rows.iter().map(|row| row.seq).collect(),
            surplus,
            room,
            follow_ups: Arc::new(follow_ups),
        }
    }

    /// Adds what the turn is given while it runs.
    fn add(&mut self, offer: Offer) {
        let waking = offer.rows.iter().filter(|row| row.triggers).count();
        self.room = self
            .room
            .saturating_sub(u32::try_from(waking).unwrap_or(u32::MAX));
        self.seqs.extend(offer.rows.iter().map(|row| row.seq));
        self.surplus.extend(offer.surplus);
        self.follow_ups.looked(offer.rows);
        if self.room == 0 {
            self.follow_ups.close();
        }
    }

    /// What nobody has seen does not end: it stays claimed, and is in the next offer.
    fn leave_unread(&mut self) {
        let unread = self.follow_ups.unread();
        self.seqs.retain(|seq| !unread.contains(seq));
    }
}

/// How the work that was watched ended.
enum Watched {
    /// By itself.
    Ended(Result<TurnOutcome, TurnError>),
    /// With these commands.
    Stopped(Vec<Seq>),
}

impl TurnLoop {
    /// Has the messages of `offer` answered.
    pub(super) async fn turn(
        &mut self,
        provider: Arc<dyn AgentProvider>,
        settings: Settings,
        offer: Offer,
        stop: &CancellationToken,
    ) -> Result<Step, Error> {
        let limit = settings.prompt_messages.max(1);
        let limit = provider.caps().follow_ups.then_some(limit);
        let taken = Taken::of(&offer.rows, offer.surplus, limit);
        let state = self.begin(provider.caps().state_keys, &taken)?;
        let turn = Turn {
            agent_name: settings.agent_name,
            model: settings.model,
            messages: offer.rows,
            state,
        };
        let span = span(&taken);
        tracing::info!(parent: &span, messages = taken.seqs.len(), "turn begins");
        let work = provider.run_turn(turn, self.io(&taken));
        self.see_through(work, taken, stop).instrument(span).await
    }

    /// Has the provider shorten what it remembers, for the command `seq`.
    pub(super) async fn compact(
        &mut self,
        provider: Arc<dyn AgentProvider>,
        seq: Seq,
        stop: &CancellationToken,
    ) -> Result<Step, Error> {
        let mut taken = Taken::of(&[], Vec::new(), None);
        taken.seqs.push(seq);
        let state = self.begin(provider.caps().state_keys, &taken)?;
        let span = span(&taken);
        tracing::info!(parent: &span, "compaction begins");
        let io = self.io(&taken);
        let work = async {
            let mut outcome = provider.compact(state, io).await?;
            for emit in &mut outcome.emit {
                emit.in_reply_to.get_or_insert(seq);
            }
            Ok(outcome)
        };
        self.see_through(work, taken, stop).instrument(span).await
    }

    /// Claims what was taken, and gives what the provider remembers.
    fn begin(&mut self, keys: &[&str], taken: &Taken) -> Result<BTreeMap<String, String>, Error> {
        let mut state = BTreeMap::new();
        for key in keys {
            if let Some(value) = self.parts.side.state(key).map_err(session)? {
                state.insert((*key).to_owned(), value);
            }
        }
        let now = self.parts.clock.now();
        self.parts.side.claim(&taken.seqs, now).map_err(session)?;
        self.parts.beats.beat(None);
        Ok(state)
    }

    fn io(&self, taken: &Taken) -> TurnIo {
        let beats = Arc::clone(&self.parts.beats);
        let tools = Arc::clone(&self.parts.tools);
        TurnIo::new(move |declared| beats.beat(declared), tools)
            .with_follow_ups(Arc::clone(&taken.follow_ups))
    }

    /// Lets `work` run to its end, or to that of a person's patience, and writes the end down.
    async fn see_through(
        &mut self,
        work: impl Future<Output = Result<TurnOutcome, TurnError>>,
        mut taken: Taken,
        stop: &CancellationToken,
    ) -> Result<Step, Error> {
        let watched = self.watch(work, &mut taken, stop).await;
        taken.leave_unread();
        let mut finish = match watched {
            Watched::Ended(Ok(outcome)) => done(&taken.seqs, outcome),
            Watched::Ended(Err(TurnError::Failed { why })) => failed(&taken.seqs, &why),
            Watched::Ended(Err(TurnError::Exit { code })) => {
                tracing::warn!(code, "turn ends the process");
                return Ok(Step::Exit(code));
            }
            Watched::Stopped(stops) => {
                tracing::info!("turn stopped by a person");
                stopped(&taken.seqs, &stops)
            }
        };
        let surplus = taken.surplus.into_iter().map(|seq| (seq, Handled::Done));
        finish.handled.extend(surplus);
        self.finish(&finish).await?;
        Ok(Step::Worked)
    }

    /// Lets `work` run; meanwhile brings it follow-ups, and looks for a command to stop, which
    /// drops it.
    async fn watch(
        &mut self,
        work: impl Future<Output = Result<TurnOutcome, TurnError>>,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> Watched {
        let mut work = pin!(work);
        let mut told = false;
        let mut failed = 0_u32;
        let mut wait = self.poll_in_turn();
        loop {
            tokio::select! {
                biased;
                outcome = &mut work => return Watched::Ended(outcome),
                () = stop.cancelled(), if !told => {
                    // No new work any more: the turn ends with what it has.
                    told = true;
                    taken.follow_ups.close();
                }
                heard = rung(self.parts.bell.as_ref()) => self.heard = heard,
                () = taken.follow_ups.asked() => {}
                () = sleep(wait) => {}
            }
            wait = match self.look(taken) {
                Ok(stops) if stops.is_empty() => {
                    failed = 0;
                    self.poll_in_turn()
                }
                Ok(stops) => return Watched::Stopped(stops),
                Err(source) => {
                    failed = failed.saturating_add(1);
                    // Whoever asks what came until now is not held up by it.
                    taken.follow_ups.looked(Vec::new());
                    pause(&source, failed)
                }
            };
        }
    }

    /// One look while a turn runs; gives the commands to stop it.
    fn look(&mut self, taken: &mut Taken) -> Result<Vec<Seq>, sessiondb::Error> {
        let side = &mut self.parts.side;
        let stops = side.stops()?;
        if stops.is_empty() && taken.follow_ups.wanted() {
            let now = self.parts.clock.now();
            let offer = side.follow_ups(taken.room, now)?;
            if !offer.rows.is_empty() {
                let seqs: Vec<Seq> = offer.rows.iter().map(|row| row.seq).collect();
                side.claim(&seqs, now)?;
                tracing::info!(messages = seqs.len(), "follow-ups taken");
            }
            taken.add(offer);
        }
        Ok(stops)
    }
}

fn span(taken: &Taken) -> Span {
    tracing::info_span!("turn", turn = %taken.seqs.first().map_or(0, |seq| seq.get()))
}

fn done(seqs: &[Seq], outcome: TurnOutcome) -> Finish {
    Finish {
        handled: seqs.iter().map(|seq| (*seq, Handled::Done)).collect(),
        emit: outcome.emit,
        state: outcome.state,
    }
}
