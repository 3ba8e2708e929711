//! Providers that fail, and what follows from it inside the wall.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use anchorhold_core::turn_failure::FailureClass;
use anchorhold_sessiondb::{Control, HandledState, Trouble};
use async_trait::async_trait;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::{
    provider::{AgentProvider, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome},
    turn_loop::{
        Ended,
        tests::bench::{Bench, StepClock, now, posts, states},
    },
};

/// The messages of a turn, and what was remembered in it.
type Seen = (Vec<i64>, BTreeMap<String, String>);

/// Fails as often and in the way it is told to, then answers nothing.
struct Flaky {
    failures: Mutex<VecDeque<TurnError>>,
    /// Does its first turn wait for a follow-up?
    listens: bool,
    turns: Mutex<Vec<Seen>>,
    compactions: Mutex<u32>,
}

impl Flaky {
    fn new(failures: impl IntoIterator<Item = TurnError>) -> Self {
        Self {
            failures: Mutex::new(failures.into_iter().collect()),
            listens: false,
            turns: Mutex::default(),
            compactions: Mutex::default(),
        }
    }

    fn turns(&self) -> Vec<Seen> {
        self.turns.lock().unwrap().clone()
    }
}

#[async_trait]
impl AgentProvider for Flaky {
    fn caps(&self) -> &ProviderCaps {
        &ProviderCaps {
            name: "flaky",
            state_keys: &["continuation"],
            follow_ups: true,
        }
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        let mut seqs: Vec<i64> = turn.messages.iter().map(|row| row.seq.get()).collect();
        if self.listens && self.turns().is_empty() {
            let more = io.follow_ups(Duration::from_secs(4)).await;
            seqs.extend(more.iter().map(|row| row.seq.get()));
        }
        self.turns.lock().unwrap().push((seqs, turn.state));
        match self.failures.lock().unwrap().pop_front() {
            Some(error) => Err(error),
            None => Ok(TurnOutcome {
                emit: Vec::new(),
                state: vec![("continuation".to_owned(), Some("next".to_owned()))],
            }),
        }
    }

    async fn compact(
        &self,
        _state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        *self.compactions.lock().unwrap() += 1;
        Ok(TurnOutcome {
            emit: Vec::new(),
            state: vec![("continuation".to_owned(), Some("short".to_owned()))],
        })
    }
}

fn error(class: FailureClass) -> TurnError {
    TurnError::Provider {
        class,
        after: None,
        detail: "raw words".to_owned(),
    }
}

fn trouble(class: FailureClass) -> Trouble {
    Trouble {
        class,
        detail: "raw words".to_owned(),
    }
}

fn remembered(value: &str) -> BTreeMap<String, String> {
    [("continuation".to_owned(), value.to_owned())].into()
}

fn later(class: FailureClass, secs: i64) -> HandledState {
    HandledState::Later(trouble(class), now() + SignedDuration::from_secs(secs))
}

/// One message, and a provider that fails so; gives how it ended, and what the provider saw.
async fn check(failures: &[FailureClass], expect: HandledState) -> Vec<Seen> {
    let bench = Bench::new();
    bench.settings("flaky");
    let flaky = Arc::new(Flaky::new([]));
    bench.hear("first", true);
    let runner = bench.runner_of(1, vec![Arc::<Flaky>::clone(&flaky)]);
    Box::pin(bench.run(runner, 1)).await;
    let flaky = Arc::new(Flaky::new(failures.iter().copied().map(error)));
    bench.hear("second", true);
    let runner = bench.runner_of(2, vec![Arc::<Flaky>::clone(&flaky)]);
    let pulled = Box::pin(bench.run(runner, 2)).await;
    assert_eq!(states(&pulled)[1], (4, expect), "{failures:?}");
    assert_eq!(pulled.claims, vec![]);
    flaky.turns()
}

/// Defect 20 of the reference: a provider's error ended the message, with its raw text as the answer.
#[tokio::test]
async fn defect_20_provider_errors_are_not_terminal() {
    for (class, secs) in [
        (FailureClass::RateLimited, 1),
        (FailureClass::Transient, 1),
        (FailureClass::OutOfBudget, 60),
        (FailureClass::Unauthorised, 60),
    ] {
        let turns = check(&[class], later(class, secs)).await;
        assert_eq!(turns, [(vec![4], remembered("next"))], "{class:?}");
    }
    let rejected = trouble(FailureClass::Rejected);
    let surfaced = HandledState::Surfaced(rejected);
    check(&[FailureClass::Rejected], surfaced).await;
}

/// nc#1216: a provider that had lost the conversation failed at every message from then on.
#[tokio::test]
async fn nc_1216_lost_continuation_restarts_once() {
    let lost = FailureClass::ContinuationLost;
    let turns = check(&[lost], HandledState::DoneAfresh).await;
    let (old, fresh) = (remembered("next"), BTreeMap::new());
    let expect = [(vec![4], old.clone()), (vec![4], fresh.clone())];
    assert_eq!(turns, expect);
    // Lost again, it is the person's to know; and the next message does begin afresh.
    let turns = check(&[lost, lost], HandledState::Surfaced(trouble(lost))).await;
    assert_eq!(turns, expect);
    // What fails otherwise after that waits; the next try finds out anew that it has to begin afresh.
    let limited = FailureClass::RateLimited;
    let turns = check(&[lost, limited], later(limited, 1)).await;
    assert_eq!(turns, expect);
}

#[tokio::test]
async fn what_was_lost_twice_is_forgotten() {
    let bench = Bench::new();
    bench.settings("flaky");
    let lost = || error(FailureClass::ContinuationLost);
    let flaky = Arc::new(Flaky::new([]));
    bench.hear("first", true);
    bench.run(bench.runner_of(1, vec![flaky]), 1).await;
    let flaky = Arc::new(Flaky::new([lost(), lost()]));
    bench.hear("second", true);
    bench.hear("third", true);
    bench.settings_with("flaky", 1);
    let runner = bench.runner_of(2, vec![Arc::<Flaky>::clone(&flaky)]);
    bench.run(runner, 3).await;
    let last = flaky.turns().pop();
    assert_eq!(last, Some((vec![6], BTreeMap::new())));
}

#[tokio::test]
async fn a_full_context_is_compacted_once() {
    let full = FailureClass::ContextFull;
    let turns = check(&[full], HandledState::Done).await;
    let expect = [
        (vec![4], remembered("next")),
        (vec![4], remembered("short")),
    ];
    assert_eq!(turns, expect);
    let turns = check(&[full, full], HandledState::Surfaced(trouble(full))).await;
    assert_eq!(turns, expect);
}

/// A turn that failed for its provider's sake is tried again whole, with what joined it.
#[tokio::test]
async fn defect_19_follow_ups_are_owned_until_the_turn_ends() {
    let bench = Bench::new();
    bench.settings("flaky");
    let limited = FailureClass::RateLimited;
    let flaky = Arc::new(Flaky {
        listens: true,
        ..Flaky::new([error(limited)])
    });
    bench.hear("first", true);
    let mut runner = bench.runner_of(1, vec![Arc::<Flaky>::clone(&flaky)]);
    let clock = Arc::new(StepClock::default());
    runner.parts.clock = Arc::<StepClock>::clone(&clock);
    let stop = CancellationToken::new();
    let host = async {
        bench.claimed(1).await;
        bench.hear("aside", false);
        bench.hear("second", true);
        let pulled = bench.ended(3).await;
        let waits = later(limited, 1);
        assert_eq!(
            states(&pulled),
            [2, 4, 6].map(|seq| (seq, waits.clone())),
            "all of the turn waits"
        );
        // What comes while it waits is not done before it.
        bench.hear("third", true);
        clock.later.store(true, Ordering::Relaxed);
        bench.hear("fourth", true);
        let pulled = bench.ended(5).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    let done = [2, 4, 6, 8, 10].map(|seq| (seq, HandledState::Done));
    assert_eq!(states(&pulled), done);
    let turns: Vec<_> = flaky.turns().into_iter().map(|(seqs, _)| seqs).collect();
    assert_eq!(turns, [vec![2, 4, 6], vec![2, 4, 6, 8, 10]]);
}

#[tokio::test]
async fn what_waits_for_its_provider_can_be_stopped() {
    let bench = Bench::new();
    bench.hear("!fail rate 3600", true);
    let mut runner = bench.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        bench.ended(1).await;
        bench.command(Control::Stop);
        let pulled = bench.ended(2).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    let expect = [(2, HandledState::Stopped), (4, HandledState::Done)];
    assert_eq!(states(&pulled), expect);
}

#[tokio::test]
async fn the_offline_agent_fails_as_often_as_it_is_told() {
    let bench = Bench::new();
    bench.settings_with("offline", 1);
    bench.hear("!remember the keys\n!fail full", true);
    bench.hear("!recall\n!fail lost", true);
    let pulled = bench.run(bench.runner(1), 2).await;
    let states = states(&pulled);
    assert_eq!(
        states,
        [(2, HandledState::Done), (4, HandledState::DoneAfresh)]
    );
    assert_eq!(
        posts(&pulled),
        [
            (Some(2), "remembered\nanswered after 1 failures"),
            (Some(4), "I remember nothing\nanswered after 1 failures")
        ]
    );
}
