//! What ends a run, what does not, and what is said of it.

use std::time::Duration;

use anchorhold_channel::{ChannelAdapter as _, ChannelError, Connection};
use serde_json::json;

use super::{PATIENCE, bench::Bench, harness::ANN};

#[tokio::test]
async fn a_token_that_is_not_accepted_ends_the_run() {
    let bench = Bench::start().await;
    bench.fake.revoke();
    let ended = bench.ended().await;
    let expect = "not authorized: Telegram does not accept the bot's token";
    assert_eq!(ended.to_string(), expect);
}

#[tokio::test]
async fn another_program_with_the_same_token_is_named() {
    let bench = Bench::start().await;
    let fake = std::sync::Arc::clone(&bench.fake.state_tx);
    // It polls whenever we do.
    let other = tokio_util::task::TaskTracker::new().spawn(async move {
        loop {
            fake.send_modify(|state| state.poll(None));
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let ended = bench.ended().await;
    other.abort();
    assert!(matches!(ended, ChannelError::Permanent { .. }), "{ended:?}");
    assert!(
        ended.to_string().contains("another program receives"),
        "{ended}"
    );
}

/// One poll that another one ends is what a restart looks like.
#[tokio::test]
async fn one_conflict_is_no_other_program() {
    let bench = Bench::start().await;
    for text in ["one", "two"] {
        bench.fake.poll_elsewhere();
        bench.fake.say(ANN, ANN, json!({ "text": text }));
    }
    assert_eq!(bench.events(2).await.len(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn health_is_what_was_seen() {
    let mut bench = Bench::start().await;
    let answered = bench
        .view
        .until(|health| health.last_inbound.is_some())
        .await;
    assert_eq!(answered.unwrap().connection, Connection::Connected);
    assert_eq!(bench.view.get().last_outbound, None);
    let op = anchorhold_core::outbound::OutboundOp::Typing;
    bench.send(ANN, None, &op).await.unwrap();
    assert!(bench.view.get().last_outbound.is_some());
    bench.fake.break_poll();
    let lost = |health: &anchorhold_channel::Health| {
        matches!(health.connection, Connection::Reconnecting { .. }) || health.reconnects > 0
    };
    let lost = tokio::time::timeout(PATIENCE, bench.view.until(lost)).await;
    assert!(lost.unwrap().is_some());
    let back = |health: &anchorhold_channel::Health| health.connection == Connection::Connected;
    let back = tokio::time::timeout(PATIENCE, bench.view.until(back)).await;
    assert_eq!(back.unwrap().unwrap().reconnects, 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_the_bot_is_and_what_it_sees() {
    let bench = Bench::start().await;
    let identity = bench.adapter.probe().await.unwrap();
    assert_eq!(identity.handle.as_str(), "4242");
    assert_eq!(identity.name.as_deref(), Some("@anchorhold_test_bot"));
    assert!(
        identity.sees[0].contains("only commands"),
        "{:?}",
        identity.sees
    );
    bench.stop().await;
}

/// Of the reference: each look at its state wrote to the database. Here an empty poll writes nothing.
#[tokio::test]
async fn defect_56_nothing_is_written_while_nothing_comes() {
    let bench = Bench::start().await;
    bench.fake.say(ANN, ANN, json!({ "text": "one" }));
    bench.events(1).await;
    let polls = |fake: &crate::fake::FakeTelegram| fake.calls("getUpdates").len();
    let before = polls(&bench.fake);
    let again = |fake: &crate::fake::FakeTelegram| polls(fake) > before;
    bench.fake.poll_elsewhere();
    assert!(bench.fake.until(PATIENCE, again).await);
    let writes = bench.cursors.writes();
    bench.fake.poll_elsewhere();
    let before = polls(&bench.fake);
    let again = |fake: &crate::fake::FakeTelegram| polls(fake) > before;
    assert!(bench.fake.until(PATIENCE, again).await);
    assert_eq!(bench.cursors.writes(), writes);
    bench.stop().await;
}
