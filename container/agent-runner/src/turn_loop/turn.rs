//! One turn, or one compaction, from claim to end, and what can come in between.

mod script;

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc};

use anchorhold_core::turn_failure::{InTurn, Mended, in_turn};
use anchorhold_sessiondb::{
    self as sessiondb, Emit, Finish, Handled, Inbound, InboundRow, Offer, Seq, Settings, Trouble,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use crate::{
    Error,
    archive::{self, Told},
    desk::Desk,
    follow_ups::FollowUps,
    progress::beat,
    provider::{AgentProvider, Model, Turn, TurnError, TurnIo, TurnOutcome},
    report,
    turn_loop::{Step, TurnLoop, failed, pause, rung, session, stopped},
    way_out::WayOut,
};

/// What a turn has taken so far.
pub(super) struct Taken {
    /// To be ended as the turn ends.
    pub(super) seqs: Vec<Seq>,
    /// The same, for a provider that begins again.
    pub(super) rows: Vec<InboundRow>,
    /// What answered questions that tools have asked in it.
    pub(super) answers: Vec<InboundRow>,
    /// To be ended with it, unseen.
    surplus: Vec<Seq>,
    /// How many messages more that wake it can take.
    room: u32,
    follow_ups: Arc<FollowUps>,
    /// What the agent is called.
    agent: String,
    pub(super) desk: Arc<Desk>,
}

impl Taken {
    /// Claimed for a turn that can take `limit` messages that wake, if it can have follow-ups.
    fn of(rows: Vec<InboundRow>, surplus: Vec<Seq>, limit: Option<u32>) -> Self {
        let waking = || rows.iter().filter(|row| row.triggers);
        let count = u32::try_from(waking().count()).unwrap_or(u32::MAX);
        // What is tried alone stays alone: nothing shall share its fate. A task is a turn by itself.
        let is_task = |row: &InboundRow| matches!(row.payload, Inbound::Task(_));
        let alone = waking().any(|row| row.tries > 0 || is_task(row));
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
            rows,
            answers: Vec::new(),
            surplus,
            room,
            follow_ups: Arc::new(follow_ups),
            agent: String::new(),
            desk: Arc::default(),
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
        self.rows.extend(offer.rows.iter().cloned());
        self.follow_ups.looked(offer.rows);
        if self.room == 0 {
            self.follow_ups.close();
        }
    }

    /// What a provider is to answer that begins now: what it has picked up before, it gets again.
    fn messages(&self) -> Vec<InboundRow> {
        let unread = self.follow_ups.unread();
        let read = self.rows.iter().filter(|row| !unread.contains(&row.seq));
        read.cloned().collect()
    }

    /// How often a provider has failed with one of these before this turn.
    fn failures(&self) -> u32 {
        let failures = self.rows.iter().map(|row| row.failures);
        failures.max().unwrap_or_default()
    }

    /// What nobody has seen does not end: it stays claimed, and is in the next offer.
    fn leave_unread(&mut self) {
        let mut unread = self.follow_ups.unread();
        unread.extend(self.desk.unread());
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

/// What was done to mend a turn.
#[derive(Default)]
struct Mending {
    done: Mended,
    /// What is remembered otherwise because of it.
    state: Vec<(String, Option<String>)>,
}

impl Mending {
    fn count(&self) -> u32 {
        u32::from(self.done.afresh) + u32::from(self.done.compacted)
    }
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
        let mut taken = Taken::of(offer.rows, offer.surplus, limit);
        taken.agent.clone_from(&settings.agent_name);
        let state = self.begin(provider.caps().state_keys, &taken)?;
        let span = span(&taken);
        tracing::info!(parent: &span, messages = taken.seqs.len(), "turn begins");
        async {
            if let Some(shut) = Box::pin(self.gate(&mut taken, &settings, stop)).await {
                self.finish(&shut).await?;
                return Ok(Step::Worked);
            }
            let tries = self.try_turn((&*provider, settings), state, &mut taken, stop);
            let (watched, mending) = Box::pin(tries).await;
            self.end(watched, mending, taken).await
        }
        .instrument(span)
        .await
    }

    /// Lets the provider answer, and where it fails in a way that can be mended at once, lets it
    /// begin again after that, at most once for each way.
    async fn try_turn(
        &mut self,
        (provider, settings): (&dyn AgentProvider, Settings),
        mut state: BTreeMap<String, String>,
        taken: &mut Taken,
        stop: &CancellationToken,
    ) -> (Watched, Mending) {
        let mut mending = Mending::default();
        loop {
            let turn = Turn {
                agent_name: settings.agent_name.clone(),
                messages: taken.messages(),
                state: state.clone(),
                failures: taken.failures() + mending.count(),
            };
            let io = self.io(taken, &settings);
            let watched = self.watch(provider.run_turn(turn, io), taken, stop).await;
            let Watched::Ended(Err(error)) = &watched else {
                return (watched, mending);
            };
            match follows(error, mending.done, taken) {
                Some(InTurn::Afresh) => {
                    tracing::warn!("turn begins again without what the provider remembered");
                    mending.done.afresh = true;
                    state.clear();
                    let forgotten = provider.caps().state_keys.iter();
                    mending.state = forgotten.map(|key| ((*key).to_owned(), None)).collect();
                }
                Some(InTurn::Compact) => {
                    tracing::warn!("what the provider remembers is made shorter");
                    mending.done.compacted = true;
                    let work = provider.compact(state.clone(), self.io(taken, &settings));
                    match self.watch(work, taken, stop).await {
                        Watched::Ended(Ok(outcome)) => {
                            remember(&mut state, &outcome.state);
                            // What it says of it answers nobody.
                            mending.state.extend(outcome.state);
                        }
                        // The turn has still failed as it had.
                        Watched::Ended(Err(
                            TurnError::Provider { .. } | TurnError::Failed { .. },
                        )) => {
                            return (watched, mending);
                        }
                        ended @ (Watched::Ended(Err(TurnError::Exit { .. }))
                        | Watched::Stopped(_)) => return (ended, mending),
                    }
                }
                Some(InTurn::Later(_) | InTurn::Surface) | None => return (watched, mending),
            }
        }
    }

    /// Has the provider shorten what it remembers, for the command `seq`.
    pub(super) async fn compact(
        &mut self,
        (provider, settings): (Arc<dyn AgentProvider>, Settings),
        seq: Seq,
        stop: &CancellationToken,
    ) -> Result<Step, Error> {
        let mut taken = Taken::of(Vec::new(), Vec::new(), None);
        taken.seqs.push(seq);
        let state = self.begin(provider.caps().state_keys, &taken)?;
        let span = span(&taken);
        tracing::info!(parent: &span, "compaction begins");
        let io = self.io(&taken, &settings);
        let work = async {
            let mut outcome = provider.compact(state, io).await?;
            for emit in &mut outcome.emit {
                emit.in_reply_to.get_or_insert(seq);
            }
            Ok(outcome)
        };
        async {
            let watched = self.watch(work, &mut taken, stop).await;
            // A compaction is itself what could mend it.
            let mending = Mending {
                done: Mended {
                    afresh: true,
                    compacted: true,
                },
                state: Vec::new(),
            };
            self.end(watched, mending, taken).await
        }
        .instrument(span)
        .await
    }

    /// Claims what was taken, and gives what the provider remembers.
    fn begin(&mut self, keys: &[&str], taken: &Taken) -> Result<BTreeMap<String, String>, Error> {
        let mut state = BTreeMap::new();
        for key in keys {
            if let Some(value) = self.parts.side.state(key).map_err(session)? {
                state.insert((*key).to_owned(), value);
            }
        }
        self.parts.side.claim(&taken.seqs).map_err(session)?;
        Ok(state)
    }

    fn io(&self, taken: &Taken, settings: &Settings) -> TurnIo {
        let beats = Arc::clone(&self.parts.beats);
        let tools = Arc::clone(&self.parts.tools);
        let io = TurnIo::new(move |declared| beat(&beats, declared), tools)
            .with_follow_ups(Arc::clone(&taken.follow_ups))
            .with_desk(Arc::clone(&taken.desk))
            .with_zone(settings.time_zone.as_deref())
            .with_way_out(self.way_out(taken), model(settings));
        taken.desk.begin();
        self.parts.turn.begin(io.clone());
        io
    }

    fn way_out(&self, taken: &Taken) -> WayOut {
        WayOut::at(&self.parts.in_dir).for_turn(taken.seqs.first().map(|seq| seq.get()))
    }

    /// Writes down how a turn ended.
    async fn end(
        &mut self,
        watched: Watched,
        mending: Mending,
        mut taken: Taken,
    ) -> Result<Step, Error> {
        self.parts.turn.end();
        taken.desk.close();
        let mut finish = match watched {
            Watched::Ended(Ok(outcome)) => {
                taken.leave_unread();
                self.keep(&taken, &outcome);
                done(&taken, mending, outcome)
            }
            Watched::Ended(Err(TurnError::Exit { code })) => {
                tracing::warn!(code, "turn ends the process");
                return Ok(Step::Exit(code));
            }
            Watched::Ended(Err(TurnError::Failed { why })) => {
                taken.leave_unread();
                failed(&taken.seqs, &why)
            }
            Watched::Ended(Err(TurnError::Provider {
                class,
                after,
                detail,
            })) => {
                let trouble = Trouble { class, detail };
                let follows = in_turn(class, after, mending.done, taken.failures());
                self.troubled(trouble, follows, mending, &mut taken)
            }
            Watched::Stopped(stops) => {
                tracing::info!("turn stopped by a person");
                taken.leave_unread();
                stopped(&taken.seqs, &stops)
            }
        };
        let surplus = taken.surplus.into_iter().map(|seq| (seq, Handled::Done));
        finish.handled.extend(surplus);
        self.finish(&finish).await?;
        Ok(Step::Worked)
    }

    /// Keeps what was said in the workspace. Where that fails the turn has gone well all the same.
    fn keep(&self, taken: &Taken, outcome: &TurnOutcome) {
        let unread = [taken.follow_ups.unread(), taken.desk.unread()].concat();
        let heard = taken.rows.iter().chain(&taken.answers);
        let heard: Vec<InboundRow> = heard
            .filter(|row| !unread.contains(&row.seq))
            .cloned()
            .collect();
        let mut said = taken.desk.words();
        said.extend(outcome.emit.iter().map(Emit::without_files));
        let told = Told {
            heard: &heard,
            said: &said,
            agent: &taken.agent,
        };
        let now = self.parts.clock.now();
        if let Err(error) = archive::keep(self.parts.tools.workspace(), &told, now) {
            tracing::warn!(error = %report(&error), "conversation not kept in the workspace");
        }
    }

    /// The end of a turn whose provider failed.
    fn troubled(
        &self,
        trouble: Trouble,
        follows: InTurn,
        mending: Mending,
        taken: &mut Taken,
    ) -> Finish {
        let class = trouble.class.as_str();
        let (how, state) = match follows {
            InTurn::Later(wait) => {
                tracing::warn!(class, ?wait, "provider failed, to be tried again");
                let now = self.parts.clock.now();
                let how = Handled::Later {
                    trouble,
                    until: now.checked_add(wait).unwrap_or(now),
                    failures: taken.failures().saturating_add(1),
                };
                // The next try finds out by itself that it has to begin afresh, and says so then.
                let kept = if mending.done.afresh {
                    Vec::new()
                } else {
                    mending.state
                };
                (how, kept)
            }
            InTurn::Surface | InTurn::Afresh | InTurn::Compact => {
                tracing::error!(class, "provider failed");
                taken.leave_unread();
                (Handled::Surfaced(trouble), mending.state)
            }
        };
        // What nobody has seen waits with the others: as a claim it would look like a turn.
        Finish {
            handled: taken.seqs.iter().map(|seq| (*seq, how.clone())).collect(),
            emit: Vec::new(),
            state,
        }
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
                () = taken.desk.asked() => {}
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
        self.serve(taken)?;
        let side = &mut self.parts.side;
        let stops = side.stops()?;
        if stops.is_empty() && taken.follow_ups.wanted() {
            let now = self.parts.clock.now();
            let offer = side.follow_ups(taken.room, now)?;
            if !offer.rows.is_empty() {
                let seqs: Vec<Seq> = offer.rows.iter().map(|row| row.seq).collect();
                side.claim(&seqs)?;
                tracing::info!(messages = seqs.len(), "follow-ups taken");
            }
            taken.add(offer);
        }
        Ok(stops)
    }
}

/// What the settings say of the agent's model.
fn model(settings: &Settings) -> Option<Model> {
    Some(Model {
        id: settings.model.clone()?,
        options: settings.model_options.clone(),
    })
}

fn span(taken: &Taken) -> Span {
    tracing::info_span!("turn", turn = %taken.seqs.first().map_or(0, |seq| seq.get()))
}

/// What follows if it is the provider that failed.
fn follows(error: &TurnError, mended: Mended, taken: &Taken) -> Option<InTurn> {
    match error {
        TurnError::Provider { class, after, .. } => {
            Some(in_turn(*class, *after, mended, taken.failures()))
        }
        TurnError::Failed { .. } | TurnError::Exit { .. } => None,
    }
}

/// Changes what a provider remembers.
fn remember(state: &mut BTreeMap<String, String>, changes: &[(String, Option<String>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => state.insert(key.clone(), value.clone()),
            None => state.remove(key),
        };
    }
}

fn done(taken: &Taken, mending: Mending, outcome: TurnOutcome) -> Finish {
    // The person is told that the agent began afresh once, beside the last of their messages.
    let last = taken
        .rows
        .iter()
        .rfind(|row| row.triggers)
        .map(|row| row.seq);
    let how = |seq: &Seq| {
        if mending.done.afresh && Some(*seq) == last {
            (*seq, Handled::DoneAfresh)
        } else {
            (*seq, Handled::Done)
        }
    };
    let mut state = mending.state;
    state.extend(outcome.state);
    Finish {
        handled: taken.seqs.iter().map(how).collect(),
        emit: outcome.emit,
        state,
    }
}
