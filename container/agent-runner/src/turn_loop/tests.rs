mod bench;
mod commands;
mod follow_ups;
mod models;
mod tools;
mod troubles;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use anchorhold_core::sandbox::Generation;
use anchorhold_sessiondb::{Claim, HandledState};
use tokio_util::sync::CancellationToken;

use crate::turn_loop::{
    Ended, POLL, POLL_IN_TURN, POLL_WITH_BELL,
    tests::bench::{Bench, Failing, Held, StepClock, now, posts, raw, states},
};

#[tokio::test]
async fn messages_are_answered_once_in_order() {
    let bench = Bench::new();
    for n in 1..=3 {
        bench.hear(&format!("!big {n}"), true);
    }
    let pulled = bench.run(bench.runner(1), 3).await;
    assert_eq!(
        posts(&pulled),
        [(Some(2), "0"), (Some(4), "01"), (Some(6), "012")]
    );
    let done = [2, 4, 6].map(|seq| (seq, HandledState::Done));
    assert_eq!(states(&pulled), done);
    assert_eq!(pulled.claims, vec![]);

    // The next sandbox of the session sees that there is nothing left, and answers what is new.
    bench.hear("!big 4", true);
    let pulled = bench.run(bench.runner(2), 4).await;
    assert_eq!(pulled.rows.len(), 4);
    assert_eq!(posts(&pulled).last(), Some(&(Some(12), "0123")));
}

#[tokio::test]
async fn a_burst_is_answered_whole_and_in_order() {
    let bench = Bench::new();
    let mut runner = bench.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        bench.hear("!say 1 0", true);
        bench.ended(1).await;
        for n in 1..30 {
            bench.hear(&format!("!say 1 {n}"), true);
        }
        let pulled = bench.ended(30).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    let texts: Vec<&str> = posts(&pulled).into_iter().map(|(_, text)| text).collect();
    let expect: Vec<String> = (0..30).map(|n| n.to_string()).collect();
    assert_eq!(texts, expect);
}

#[tokio::test]
async fn without_a_bell_it_looks_by_itself() {
    let bench = Bench::new();
    let mut runner = bench.runner(1);
    runner.parts.bell = None;
    let stop = CancellationToken::new();
    let host = async {
        tokio::task::yield_now().await;
        bench.hear("!big 1", true);
        let pulled = bench.ended(1).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(posts(&pulled), [(Some(2), "0")]);
}

#[tokio::test]
async fn a_message_that_has_to_wait_is_answered_when_it_is_due() {
    let bench = Bench::new();
    let seq = bench.hear("!big 1", true);
    let soon = now() + jiff::SignedDuration::from_millis(200);
    bench.host.reschedule(&[(seq, 1, soon)]).unwrap();
    let mut runner = bench.runner(1);
    let clock = Arc::new(StepClock::default());
    runner.parts.clock = Arc::<StepClock>::clone(&clock);
    let stop = CancellationToken::new();
    let host = async {
        tokio::task::yield_now().await;
        assert_eq!(bench.pulled().handled, vec![]);
        clock.later.store(true, Ordering::Relaxed);
        let pulled = bench.ended(1).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(posts(&pulled), [(Some(2), "0")]);
}

#[tokio::test]
async fn a_crash_between_claim_and_finish_leaves_the_claim_and_no_answer() {
    let bench = Bench::new();
    let seq = bench.hear("!say 2 x\n!exit 9", true);
    let claims = vec![Claim {
        seq,
        generation: Generation(7),
    }];
    let ended = bench.runner(7).run(&CancellationToken::new()).await;
    assert_eq!(ended.unwrap(), Ended::Exit(9));
    let pulled = bench.pulled();
    assert_eq!((posts(&pulled), states(&pulled)), (vec![], vec![]));
    assert_eq!(pulled.claims, claims);
}

#[tokio::test]
async fn a_killed_turn_is_answered_by_the_next_sandbox() {
    let bench = Bench::new();
    let held = Arc::new(Held::default());
    bench.settings("held");
    bench.hear("hello", true);
    let mut runner = bench.runner_of(1, vec![Arc::<Held>::clone(&held)]);
    let stop = CancellationToken::new();
    tokio::select! {
        ended = runner.run(&stop) => panic!("{ended:?}"),
        () = held.begun.notified() => {}
    }
    drop(runner);
    assert_eq!(bench.pulled().claims.len(), 1);
    bench.settings("offline");
    let pulled = bench.run(bench.runner(2), 1).await;
    assert_eq!((pulled.rows.len(), pulled.claims), (1, vec![]));
}

/// A sequence number was once read outside of the transaction that used it, and two answers of one
/// turn collided.
#[tokio::test]
async fn defect_43_answers_of_one_turn_have_numbers_of_their_own() {
    let bench = Bench::new();
    bench.hear("!say 3 x", true);
    bench.hear("!say 2 y", true);
    let pulled = bench.run(bench.runner(1), 2).await;
    let seqs: Vec<i64> = pulled.rows.iter().map(|row| row.seq.get()).collect();
    assert_eq!(seqs, [5, 7, 9, 11, 13]);
}

#[tokio::test]
async fn a_message_of_an_unknown_kind_is_put_aside() {
    let bench = Bench::new();
    bench.hear("a", true);
    bench.hear("!big 1", true);
    let inbound = raw(&bench.host.in_dir().join("inbound.db"));
    inbound
        .execute(
            "UPDATE messages SET kind = 'poll', version = 3 WHERE seq = 2",
            [],
        )
        .unwrap();
    let pulled = bench.run(bench.runner(1), 2).await;
    let why = "unknown kind \"poll\" version 3".to_owned();
    assert_eq!(
        states(&pulled),
        [(2, HandledState::Unknown(why)), (4, HandledState::Done)]
    );
    assert_eq!(posts(&pulled), [(Some(4), "0")]);
}

#[tokio::test]
async fn an_unknown_provider_fails_visibly() {
    let bench = Bench::new();
    bench.settings("oracle");
    bench.hear("hello", true);
    let pulled = bench.run(bench.runner(1), 1).await;
    let why = "this agent has no provider \"oracle\"; it has: offline".to_owned();
    assert_eq!(states(&pulled), [(2, HandledState::Failed(why))]);
    assert_eq!(pulled.rows, vec![]);
}

#[tokio::test]
async fn a_failed_turn_is_told() {
    let bench = Bench::new();
    bench.settings("failing");
    bench.hear("hello", true);
    let pulled = bench
        .run(bench.runner_of(1, vec![Arc::new(Failing)]), 1)
        .await;
    assert_eq!(
        states(&pulled),
        [(2, HandledState::Failed("no reason".to_owned()))]
    );
    assert_eq!((pulled.rows, pulled.claims), (vec![], vec![]));
}

#[tokio::test]
async fn context_is_taken_with_what_triggers_and_not_answered() {
    let bench = Bench::new();
    bench.hear("context", false);
    bench.hear("!big 1", true);
    let pulled = bench.run(bench.runner(1), 2).await;
    assert_eq!(
        states(&pulled),
        [(2, HandledState::Done), (4, HandledState::Done)]
    );
    assert_eq!(posts(&pulled), [(Some(4), "0")]);
}

#[tokio::test]
async fn told_to_stop_it_finishes_the_turn_and_takes_no_more() {
    let bench = Bench::new();
    let held = Arc::new(Held::default());
    bench.settings("held");
    bench.hear("first", true);
    let mut runner = bench.runner_of(1, vec![Arc::<Held>::clone(&held)]);
    let stop = CancellationToken::new();
    let host = async {
        held.begun.notified().await;
        bench.hear("second", true);
        stop.cancel();
        held.release.notify_one();
    };
    let (ended, ()) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    let pulled = bench.pulled();
    assert_eq!(posts(&pulled), [(Some(2), "held")]);
    assert_eq!(states(&pulled), [(2, HandledState::Done)]);
    assert_eq!(pulled.claims, vec![]);
}

#[tokio::test]
async fn a_file_in_use_is_not_an_empty_file() {
    let bench = Bench::new();
    bench.hear("!big 1", true);
    let inbound = raw(&bench.host.in_dir().join("inbound.db"));
    inbound.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut runner = bench.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        tokio::task::yield_now().await;
        inbound.execute_batch("ROLLBACK").unwrap();
        let pulled = bench.ended(1).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(posts(&pulled), [(Some(2), "0")]);
}

#[tokio::test]
async fn an_unreadable_inbound_is_tried_again() {
    let bench = Bench::new();
    bench.hear("!big 1", true);
    let path = bench.host.in_dir().join("inbound.db");
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, [b'x'; 5000]).unwrap();
    let mut runner = bench.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        tokio::task::yield_now().await;
        std::fs::write(&path, &good).unwrap();
        let pulled = bench.ended(1).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(posts(&pulled), [(Some(2), "0")]);
}

#[tokio::test]
async fn a_turn_whose_end_can_not_be_written_is_not_run_again() {
    let bench = Bench::new();
    let held = Arc::new(Held::default());
    bench.settings("held");
    bench.hear("hello", true);
    let mut runner = bench.runner_of(1, vec![Arc::<Held>::clone(&held)]);
    let stop = CancellationToken::new();
    let host = async {
        held.begun.notified().await;
        let outbound = raw(&bench.host.out_dir().join("outbound.db"));
        outbound.execute_batch("BEGIN IMMEDIATE").unwrap();
        held.release.notify_one();
        tokio::task::yield_now().await;
        outbound.execute_batch("ROLLBACK").unwrap();
        let pulled = bench.ended(1).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(posts(&pulled), [(Some(2), "held")]);
    assert_eq!(held.turns.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_provider_remembers_comes_back() {
    let bench = Bench::new();
    let held = Arc::new(Held::default());
    held.release.notify_one();
    bench.settings("held");
    bench.hear("first", true);
    bench
        .run(bench.runner_of(1, vec![Arc::<Held>::clone(&held)]), 1)
        .await;
    held.release.notify_one();
    bench.hear("second", true);
    bench
        .run(bench.runner_of(2, vec![Arc::<Held>::clone(&held)]), 2)
        .await;
    let remembered = BTreeMap::from([("note".to_owned(), "kept".to_owned())]);
    assert_eq!(*held.turns.lock().unwrap(), [BTreeMap::new(), remembered]);
}

#[tokio::test]
async fn progress_moves_with_turns_only() {
    let bench = Bench::new();
    bench.hear("!big 1", true);
    bench.run(bench.runner(3), 1).await;
    let beat = || {
        bench
            .host
            .progress(Generation(3))
            .unwrap()
            .map(|progress| progress.beat)
    };
    // The claim, the message, the end.
    assert_eq!(beat(), Some(3));
    let mut idle = bench.runner(4);
    let stop = CancellationToken::new();
    tokio::select! {
        ended = idle.run(&stop) => panic!("{ended:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(beat(), Some(3));
}

#[tokio::test]
async fn an_idle_loop_looks_ever_more_seldom_and_seldom_at_once_where_the_bell_was_heard() {
    let bench = Bench::new();
    let mut runner = bench.runner(1);
    let mut waits = Vec::new();
    for quiet in 1..=7 {
        runner.quiet = quiet;
        waits.push(runner.poll().as_millis());
    }
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    assert_eq!(runner.poll_in_turn(), POLL);
    runner.heard = true;
    assert_eq!(runner.poll(), POLL_WITH_BELL);
    assert_eq!(runner.poll_in_turn(), POLL_IN_TURN);
}
