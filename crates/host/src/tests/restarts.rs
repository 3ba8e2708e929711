//! A host ends at any point, and the next one goes on from what is on disk.

use anchorhold_core::{
    entity::{DeliveryStatus, MessageStatus},
    sandbox::{ExitStatus, Generation},
};
use anchorhold_sessiondb::{
    HostSide,
    progress::{self, Progress},
};
use anchorhold_store::Durability;

use super::*;

pub(super) fn files(bench: &Bench, session: SessionId) -> HostSide {
    let data = bench.path("data").canonicalize_utf8().unwrap();
    HostSide::at(&data.join("sessions").join(session.to_string()))
}

pub(super) async fn store(bench: &Bench) -> Store {
    let path = bench.path("data").join("anchorhold.db");
    Store::open(path.as_std_path()).await.unwrap()
}

#[tokio::test]
async fn an_answer_that_nobody_took_over_is_delivered_by_the_next_host() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let id = host.enter().await.id;
    let bench = host.stop().await;
    let files = files(&bench, id.session);
    let mut side = inside::side(&files, id.generation);
    let seq = side.offer(1, bench.clock.now()).unwrap().rows[0].seq;
    let finish = anchorhold_sessiondb::Finish {
        handled: vec![(seq, anchorhold_sessiondb::Handled::Done)],
        emit: vec![inside::post(seq, "in time")],
        state: Vec::new(),
    };
    side.finish(&finish, bench.clock.now()).unwrap();
    drop(side);
    let host = bench.start().await;
    host.until_status(2, MessageStatus::Done).await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: in time"]);
}

/// Neither a claim nor a sign of life from before counts: what runs is what the runtime lists.
#[tokio::test]
async fn defect_57_nothing_is_believed_from_before_the_restart() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let id = host.enter().await.id;
    let bench = host.stop().await;
    // As a host leaves it that was killed, and a machine that was switched off.
    let files = files(&bench, id.session);
    let mut side = inside::side(&files, id.generation);
    let rows = side.offer(1, bench.clock.now()).unwrap().rows;
    side.claim(&[rows[0].seq]).unwrap();
    drop(side);
    let stale = Progress {
        declared_ms: Some(7_200_000),
        ..files.progress(id.generation).unwrap().unwrap()
    };
    progress::write(files.out_dir(), &stale).unwrap();

    let mut host = bench.start().await;
    let mut inside = host.enter().await;
    assert_eq!(inside.id.generation, Generation(id.generation.0 + 1));
    let seen = host
        .graph
        .base
        .live
        .observe(id.session, host.graph.base.mono())
        .unwrap();
    assert_eq!(seen.declared, None);
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

#[tokio::test]
async fn defect_59_a_sandbox_that_still_runs_is_adopted_in_mid_turn() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let id = host.enter().await.id;
    let mut bench = host.stop().await;
    bench.runtime.insert(id);
    bench.entered.remove(&id);
    let mut host = bench.start().await;
    let mut inside = host.enter().await;
    assert_eq!(inside.id, id);
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.until_seen(&address("c"), 1).await;
    let running = host.graph.lifecycle.running();
    assert_eq!(running.len(), 1);
    assert!(running[0].adopted && !running[0].stopping);
    assert_eq!(host.runtime().specs().len(), 1);
}

/// An earlier sandbox of the session is in the way of the next one, never beside it.
#[tokio::test]
async fn defect_44_an_older_sandbox_is_gone_before_the_next_one_is_there() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let id = host.enter().await.id;
    let bench = host.stop().await;
    bench.runtime.insert(id);
    let stop = store(&bench).await;
    stop.begin_generation(id.session, bench.clock.now())
        .await
        .unwrap();
    stop.close().await;
    let stops = bench.runtime.stops().len();
    let mut host = bench.start().await;
    host.until_held(id.session).await;
    host.advance(Duration::from_secs(1));
    let mut inside = host.enter().await;
    assert_eq!(host.runtime().running(), [inside.id]);
    assert_eq!(host.runtime().stops()[stops].0, id);
    inside.answer();
    host.until_seen(&address("c"), 1).await;
}

/// The host dies in the middle of a send.
async fn check_interrupted(caps: ChannelCaps, expect: (DeliveryStatus, usize)) {
    let mut host = Bench::with_caps(PLAIN, caps).start().await;
    host.platform().leave(&address("c"));
    host.stored("m1").await;
    let said = host.enter().await.answer();
    let delivery = host
        .until_delivery(said[0], |delivery| delivery.parked)
        .await;
    let bench = host.stop().await;
    let before = store(&bench).await;
    before
        .unpark(&one(), &chat("c"), bench.clock.now())
        .await
        .unwrap();
    before
        .begin_attempt(delivery.id, 0, Durability::Power, bench.clock.now())
        .await
        .unwrap();
    before.close().await;
    let sends = bench.platform.sends().len();
    bench.platform.come_back(&address("c"));

    let host = bench.start().await;
    let (status, more) = expect;
    host.until_delivery(said[0], |delivery| delivery.status == status)
        .await;
    let again = host.platform().sends().into_iter().skip(sends);
    let again = again.filter(|send| send.key.outbound == delivery.id);
    assert_eq!(again.count(), more, "{caps:?}");
    assert_eq!(host.store().interrupted_attempts(10).await.unwrap(), []);
    // The lane goes on.
    let mut host = host;
    host.stored("m2").await;
    host.enter().await.answer();
    until("the next answer is there", async || {
        let seen = host.seen(&address("c"));
        seen.contains(&"agent: re text of m2".to_owned())
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_send_that_was_cut_off_is_repeated_only_where_nobody_sees_it_twice() {
    Box::pin(check_interrupted(quiet_caps(), (DeliveryStatus::Sent, 1))).await;
    Box::pin(check_interrupted(no_dedupe(), (DeliveryStatus::Unknown, 0))).await;
}

#[tokio::test]
async fn a_session_whose_file_can_not_be_read_keeps_no_host_from_starting() {
    let mut host = Host::new(PLAIN).await;
    for chat in ["a", "b"] {
        host.hand_over(event_in(chat, "m1")).await.unwrap();
    }
    let (first, second) = (host.enter().await, host.enter().await);
    let broken = first.in_dir.join("inbound.db");
    drop((first, second));
    let bench = host.stop().await;
    fs::write(&broken, "no database").unwrap();
    let mut host = bench.start().await;
    host.enter().await.answer();
    until("the other one is answered", async || {
        let answers = |to: &str| {
            host.seen(&address(to))
                .iter()
                .any(|line| line.starts_with("agent"))
        };
        (answers("a") || answers("b")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_death_that_nobody_saw_costs_a_try() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let id = inside.id;
    let bench = host.stop().await;
    bench.runtime.insert(id);
    inside.claim();
    drop(inside);
    bench.runtime.exit(&id, ExitStatus::Signal(9));
    let host = bench.start().await;
    assert_eq!(host.until_tries(2, 1).await.status, MessageStatus::Pending);
}
