//! What a person tells the runner itself.

use std::{collections::BTreeMap, sync::Arc};

use anchorhold_sessiondb::{
    Answer, Control,
    HandledState::{Done, Failed, Stopped},
    Inbound, Seq,
};
use tokio_util::sync::CancellationToken;

use crate::turn_loop::{
    Ended,
    tests::bench::{Bench, Failing, Held, now, posts, states},
};

fn held() -> (Bench, Arc<Held>) {
    let bench = Bench::new();
    bench.settings("held");
    (bench, Arc::new(Held::default()))
}

/// Runs a sandbox with `held` while `host` does the rest.
async fn during(bench: &Bench, held: &Arc<Held>, host: impl AsyncFnOnce()) {
    let mut runner = bench.runner_of(1, vec![Arc::<Held>::clone(held)]);
    let stop = CancellationToken::new();
    let host = async {
        host().await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(Box::pin(runner.run(&stop)), host);
    assert_eq!(ended.unwrap(), Ended::Told);
}

#[tokio::test]
async fn a_stop_ends_the_running_turn_and_nothing_of_it_is_said() {
    let (bench, held) = held();
    bench.hear("aside", false);
    bench.hear("first", true);
    bench.hear("second", true);
    during(&bench, &held, async || {
        held.begun.notified().await;
        bench.command(Control::Stop);
        let pulled = bench.ended(4).await;
        assert_eq!(
            states(&pulled),
            [(2, Stopped), (4, Stopped), (6, Stopped), (8, Done)]
        );
        assert_eq!((pulled.rows, pulled.claims), (vec![], vec![]));
        // The next message is answered, by an agent that remembers nothing of the stopped turn.
        bench.hear("third", true);
        held.begun.notified().await;
        held.release.notify_one();
        assert_eq!(posts(&bench.ended(5).await), [(Some(10), "held")]);
    })
    .await;
    let turns = held.turns.lock().unwrap();
    assert_eq!(*turns, [BTreeMap::new(), BTreeMap::new()]);
}

#[tokio::test]
async fn without_a_bell_a_stop_is_noticed_too() {
    let (bench, held) = held();
    bench.hear("first", true);
    let mut runner = bench.runner_of(1, vec![Arc::<Held>::clone(&held)]);
    runner.parts.bell = None;
    let stop = CancellationToken::new();
    let host = async {
        held.begun.notified().await;
        bench.command(Control::Stop);
        let pulled = bench.ended(2).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(Box::pin(runner.run(&stop)), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(states(&pulled), [(2, Stopped), (4, Done)]);
}

#[tokio::test]
async fn a_stop_ends_what_hangs() {
    let bench = Bench::new();
    bench.hear("!hang", true);
    let mut runner = bench.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        bench.claimed(1).await;
        bench.command(Control::Stop);
        let pulled = bench.ended(2).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(Box::pin(runner.run(&stop)), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(states(&pulled), [(2, Stopped), (4, Done)]);
}

#[tokio::test]
async fn without_a_turn_a_stop_just_ends() {
    let bench = Bench::new();
    bench.hear("!big 1", true);
    bench.command(Control::Stop);
    let pulled = bench.run(bench.runner(1), 2).await;
    assert_eq!(states(&pulled), [(4, Done), (2, Done)]);
    assert_eq!(posts(&pulled), [(Some(2), "0")]);
}

#[tokio::test]
async fn what_was_stopped_is_never_tried_again_even_if_the_sandbox_died_first() {
    let (bench, held) = held();
    let first = bench.hear("first", true);
    let mut runner = bench.runner_of(1, vec![Arc::<Held>::clone(&held)]);
    let stop = CancellationToken::new();
    tokio::select! {
        ended = runner.run(&stop) => panic!("{ended:?}"),
        () = held.begun.notified() => {}
    }
    drop(runner);
    bench.command(Control::Stop);
    let soon = now() + jiff::SignedDuration::from_hours(1);
    bench.host.reschedule(&[(first, 1, soon)]).unwrap();
    let runner = bench.runner_of(2, vec![Arc::<Held>::clone(&held)]);
    let pulled = bench.run(runner, 2).await;
    assert_eq!(states(&pulled), [(2, Stopped), (4, Done)]);
    assert_eq!(held.turns.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_compaction_waits_for_the_turn_and_what_comes_after_waits_for_it() {
    let (bench, held) = held();
    bench.hear("first", true);
    during(&bench, &held, async || {
        held.begun.notified().await;
        bench.command(Control::Compact);
        bench.hear("second", true);
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(states(&bench.pulled()), vec![]);
        for count in 1..=3 {
            held.release.notify_one();
            bench.ended(count).await;
        }
    })
    .await;
    let pulled = bench.pulled();
    assert_eq!(states(&pulled), [(2, Done), (4, Done), (6, Done)]);
    let remembered = BTreeMap::from([("note".to_owned(), "kept".to_owned())]);
    let turns = held.turns.lock().unwrap();
    assert_eq!(*turns, [BTreeMap::new(), remembered, BTreeMap::new()]);
}

#[tokio::test]
async fn a_compaction_can_be_stopped() {
    let (bench, held) = held();
    bench.command(Control::Compact);
    during(&bench, &held, async || {
        held.begun.notified().await;
        bench.command(Control::Stop);
        let pulled = bench.ended(2).await;
        assert_eq!(states(&pulled), [(2, Stopped), (4, Done)]);
    })
    .await;
}

#[tokio::test]
async fn what_a_compaction_says_answers_the_command() {
    let bench = Bench::new();
    bench.command(Control::Compact);
    let pulled = bench.run(bench.runner(1), 1).await;
    let expect = "I keep nothing between turns, so there is nothing to compact.";
    assert_eq!(posts(&pulled), [(Some(2), expect)]);
    assert_eq!(states(&pulled), [(2, Done)]);
}

#[tokio::test]
async fn a_failed_compaction_is_told() {
    let bench = Bench::new();
    bench.settings("failing");
    bench.command(Control::Compact);
    let runner = bench.runner_of(1, vec![Arc::new(Failing)]);
    let pulled = bench.run(runner, 1).await;
    assert_eq!(states(&pulled), [(2, Failed("no room".to_owned()))]);
    bench.settings("oracle");
    bench.command(Control::Compact);
    let pulled = bench.run(bench.runner(2), 2).await;
    let why = "this agent has no provider \"oracle\"; it has: offline".to_owned();
    assert_eq!(states(&pulled).last(), Some(&(4, Failed(why))));
}

/// Defect 29 of the reference: an answer after the question's turn was due for ever, and woke a
/// sandbox again and again.
#[tokio::test]
async fn defect_29_a_late_answer_is_consumed_once() {
    let bench = Bench::new();
    let answer = Answer {
        question_seq: Seq::new(3).unwrap(),
        title: "Go?".to_owned(),
        option: 0,
        text: "yes".to_owned(),
        channel: "cli".to_owned(),
        sender: "u1".to_owned(),
        sender_name: None,
        answered_at: now(),
    };
    bench.tell(&Inbound::Answer(answer), true);
    for generation in 1..=2 {
        let pulled = bench.run(bench.runner(generation), 1).await;
        assert_eq!(states(&pulled), [(2, Done)]);
        assert_eq!(posts(&pulled), [(Some(2), "answer to question #3: yes")]);
    }
}
