//! What comes while a turn runs.

use std::sync::Arc;

use anchorhold_sessiondb::{Control, HandledState};
use tokio_util::sync::CancellationToken;

use crate::turn_loop::{
    Ended,
    tests::bench::{Asking, Bench, now, posts, states},
};

fn done(seqs: &[i64]) -> Vec<(i64, HandledState)> {
    seqs.iter().map(|seq| (*seq, HandledState::Done)).collect()
}

/// Runs a turn of `asking` with the first message while `host` does the rest.
async fn during(bench: &Bench, asking: &Arc<Asking>, host: impl AsyncFnOnce(&CancellationToken)) {
    let mut runner = bench.runner_of(1, vec![Arc::<Asking>::clone(asking)]);
    let stop = CancellationToken::new();
    let host = async {
        asking.did.notified().await;
        host(&stop).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(Box::pin(runner.run(&stop)), host);
    assert_eq!(ended.unwrap(), Ended::Told);
}

fn bench(limit: u32) -> Bench {
    let bench = Bench::new();
    bench.settings_with("asking", limit);
    bench.hear("first", true);
    bench
}

/// Defect 19 of the reference: what was pushed into a running turn counted as answered at once, and
/// was lost when the sandbox died.
#[tokio::test]
async fn defect_19_follow_ups_stay_owned_until_their_turn_ends() {
    let bench = bench(20);
    let asking = Arc::new(Asking::new(true));
    during(&bench, &asking, async |_| {
        bench.hear("aside", false);
        bench.hear("second", true);
        asking.asked().await;
        assert_eq!(asking.seen(), [2, 4, 6]);
        let pulled = bench.pulled();
        assert_eq!(
            (states(&pulled), bench.claimed(3).await),
            (vec![], vec![2, 4, 6])
        );
        asking.end.notify_one();
        let pulled = bench.ended(3).await;
        assert_eq!((states(&pulled), pulled.claims), (done(&[2, 4, 6]), vec![]));
    })
    .await;

    // The same, and the sandbox dies.
    bench.hear("third", true);
    let asking = Arc::new(Asking::new(true));
    let mut runner = bench.runner_of(2, vec![Arc::<Asking>::clone(&asking)]);
    let stop = CancellationToken::new();
    let host = async {
        asking.did.notified().await;
        bench.hear("fourth", true);
        asking.asked().await;
    };
    tokio::select! {
        ended = runner.run(&stop) => panic!("{ended:?}"),
        () = host => {}
    }
    drop(runner);
    assert_eq!(asking.seen(), [8, 10]);
    assert_eq!(bench.claimed(2).await, [8, 10]);
    assert_eq!(bench.pulled().handled.len(), 3);
}

/// Defect 27 of the reference: context that was pushed engaged an agent that was still warm.
#[tokio::test]
async fn defect_27_context_does_not_engage_a_warm_agent() {
    let bench = bench(20);
    let asking = Arc::new(Asking::new(true));
    during(&bench, &asking, async |_| {
        bench.hear("aside", false);
        asking.asked().await;
        assert_eq!(asking.seen(), [2]);
        asking.end.notify_one();
        bench.ended(1).await;
    })
    .await;
    let pulled = bench.pulled();
    assert_eq!((states(&pulled), pulled.claims), (done(&[2]), vec![]));
}

#[tokio::test]
async fn a_provider_that_can_not_take_follow_ups_gets_none() {
    let bench = bench(20);
    let asking = Arc::new(Asking::new(false));
    during(&bench, &asking, async |_| {
        bench.hear("second", true);
        asking.asked().await;
        assert_eq!((asking.seen(), bench.claimed(1).await), (vec![2], vec![2]));
        asking.end.notify_one();
        asking.did.notified().await;
        assert_eq!(asking.seen(), [2, 4]);
        asking.end.notify_one();
        bench.ended(2).await;
    })
    .await;
}

#[tokio::test]
async fn a_turn_with_follow_ups_keeps_the_prompt_limit() {
    let bench = bench(3);
    let asking = Arc::new(Asking::new(true));
    during(&bench, &asking, async |_| {
        for n in 0..4 {
            bench.hear(&n.to_string(), true);
        }
        asking.asked().await;
        asking.asked().await;
        assert_eq!(asking.seen(), [2, 4, 6]);
        asking.end.notify_one();
        asking.did.notified().await;
        assert_eq!(asking.seen(), [2, 4, 6, 8, 10]);
        asking.end.notify_one();
        bench.ended(5).await;
    })
    .await;
}

#[tokio::test]
async fn a_message_that_is_tried_again_stays_alone() {
    let bench = Bench::new();
    bench.settings("asking");
    let first = bench.hear("first", true);
    bench.host.reschedule(&[(first, 1, now())]).unwrap();
    let asking = Arc::new(Asking::new(true));
    during(&bench, &asking, async |_| {
        bench.hear("second", true);
        asking.asked().await;
        assert_eq!(asking.seen(), [2]);
        asking.end.notify_one();
        asking.did.notified().await;
        asking.end.notify_one();
        bench.ended(2).await;
    })
    .await;
}

#[tokio::test]
async fn what_the_provider_did_not_pick_up_is_answered_in_a_turn_of_its_own() {
    let bench = bench(20);
    let asking = Arc::new(Asking::that_looks_away());
    during(&bench, &asking, async |_| {
        bench.hear("second", true);
        asking.asked().await;
        assert_eq!(bench.claimed(2).await, [2, 4]);
        asking.end.notify_one();
        asking.did.notified().await;
        let pulled = bench.pulled();
        assert_eq!(states(&pulled), done(&[2]));
        assert_eq!(asking.seen(), [2, 4]);
        asking.end.notify_one();
        bench.ended(2).await;
    })
    .await;
}

#[tokio::test]
async fn told_to_stop_it_takes_no_follow_ups() {
    let bench = bench(20);
    let asking = Arc::new(Asking::new(true));
    during(&bench, &asking, async |stop| {
        bench.hear("second", true);
        stop.cancel();
        asking.asked().await;
        asking.end.notify_one();
    })
    .await;
    let pulled = bench.pulled();
    assert_eq!(asking.seen(), [2]);
    assert_eq!((states(&pulled), pulled.claims), (done(&[2]), vec![]));
}

#[tokio::test]
async fn a_stopped_turn_is_stopped_with_its_follow_ups() {
    let bench = bench(20);
    let asking = Arc::new(Asking::new(true));
    during(&bench, &asking, async |_| {
        bench.hear("second", true);
        asking.asked().await;
        bench.command(Control::Stop);
        let pulled = bench.ended(3).await;
        let expect = [
            (2, HandledState::Stopped),
            (4, HandledState::Stopped),
            (6, HandledState::Done),
        ];
        assert_eq!(states(&pulled), expect);
    })
    .await;
}

#[tokio::test]
async fn the_offline_agent_listens() {
    let bench = Bench::new();
    bench.hear("!listen 3600", true);
    let mut runner = bench.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        bench.claimed(1).await;
        bench.hear("more", true);
        let pulled = bench.ended(2).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(Box::pin(runner.run(&stop)), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(states(&pulled), done(&[2, 4]));
    assert_eq!(
        posts(&pulled),
        [
            (Some(4), "follow-up: “more”"),
            (Some(2), "follow-ups taken: 1")
        ]
    );
}
