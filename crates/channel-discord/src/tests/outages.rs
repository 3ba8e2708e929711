//! A gateway that fails, and a bot that may not.

use std::sync::Arc;

use anchorhold_channel::{
    ChannelAdapter as _, ChannelError, Connection, Health, fake::FakeCursorStore,
};
use anchorhold_core::outbound::OutboundOp;
use serde_json::json;

use super::{
    PATIENCE,
    bench::{Bench, adapter, context, settings},
    harness::ANN,
};
use crate::{
    DiscordAdapter,
    fake::{FakeDiscord, GENERAL},
};

/// An operator is told what to switch on, before and when it matters.
#[tokio::test]
async fn a_bot_that_may_not_read_is_told_so() {
    let fake = FakeDiscord::start().await.unwrap();
    fake.forbid_content();
    let identity = adapter(&fake).probe().await.unwrap();
    let expect = "The Message Content intent is off";
    assert!(identity.sees[0].starts_with(expect), "{:?}", identity.sees);
    let adapter = adapter(&fake);
    let ended = Bench::with(fake, FakeCursorStore::new(), adapter)
        .ended()
        .await;
    assert!(
        matches!(ended, ChannelError::Unauthorized { .. }),
        "{ended:?}"
    );
    assert!(ended.to_string().contains(expect), "{ended}");
}

/// Without the intent the bot still hears what addresses it, if the configuration says so.
#[tokio::test]
async fn a_bot_that_does_not_ask_for_everything_hears_what_addresses_it() {
    let fake = FakeDiscord::start().await.unwrap();
    fake.forbid_content();
    let mut settings = settings(&fake);
    settings.message_content = false;
    let adapter = Arc::new(DiscordAdapter::new(&context(), &settings).unwrap());
    let bench = Bench::with(fake, FakeCursorStore::new(), adapter);
    bench.until(|fake| fake.begun().0 == 1).await;
    bench
        .fake
        .say(GENERAL, ANN, json!({ "content": "among us" }));
    bench.fake.say(GENERAL, ANN, FakeDiscord::mention("hello"));
    bench.fake.say(
        bench.fake.direct(ANN),
        ANN,
        json!({ "content": "and here" }),
    );
    assert_eq!(bench.texts(2).await, ["@Anchorhold hello", "and here"]);
    let identity = bench.adapter.probe().await.unwrap();
    assert!(
        identity.sees[0].starts_with("It reads only direct"),
        "{:?}",
        identity.sees
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_the_bot_is_and_what_it_sees() {
    let bench = Bench::start().await;
    bench.fake.limit_starts(7);
    let identity = bench.adapter.probe().await.unwrap();
    assert_eq!(identity.handle.as_str(), crate::fake::BOT.to_string());
    assert_eq!(identity.name.as_deref(), Some("Anchorhold"));
    assert_eq!(
        identity.sees,
        [
            "It reads everything that is said where it can see the channel.",
            "It is in one server: The server.",
            "It may connect anew 7 times more today, of 1000: something restarts it too often.",
        ]
    );
    bench.stop().await;
}

/// Discord takes a token away that begins too many sessions: with none left there is no further try.
#[tokio::test]
async fn no_session_begins_when_none_may() {
    let fake = FakeDiscord::start().await.unwrap();
    fake.limit_starts(0);
    let adapter = adapter(&fake);
    let ended = Bench::with(fake, FakeCursorStore::new(), adapter)
        .ended()
        .await;
    assert!(
        matches!(ended, ChannelError::RateLimited { .. }),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_no_outage() {
    let fake = FakeDiscord::start().await.unwrap();
    fake.revoke();
    let refused = adapter(&fake).probe().await;
    assert!(
        matches!(refused, Err(ChannelError::Unauthorized { .. })),
        "{refused:?}"
    );
    let adapter = adapter(&fake);
    let ended = Bench::with(fake, FakeCursorStore::new(), adapter)
        .ended()
        .await;
    assert!(
        matches!(ended, ChannelError::Unauthorized { .. }),
        "{ended:?}"
    );
}

/// A storm of broken connections is no reason to hurry, and nothing gets lost in it.
#[tokio::test]
async fn a_storm_of_broken_connections_loses_nothing() {
    let bench = Bench::start().await;
    for n in 0..10 {
        bench
            .fake
            .say(GENERAL, ANN, json!({ "content": n.to_string() }));
        bench.fake.drop_connections();
        tokio::task::yield_now().await;
    }
    let texts = bench.texts(10).await;
    assert_eq!(texts, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    let (begun, _resumed) = bench.fake.begun();
    assert_eq!(begun, 1, "each session that begins is one less for today");
    bench.stop().await;
}

/// What Discord never says ends the run at worst, and never the program.
#[tokio::test]
async fn what_nobody_can_make_sense_of_ends_the_run() {
    let bench = Bench::start().await;
    bench
        .fake
        .garble(br#"{"op":10,"d":{"heartbeat_interval":0}}"#);
    let ended = bench.ended().await;
    assert!(matches!(ended, ChannelError::Transient { .. }), "{ended:?}");
}

#[tokio::test]
async fn a_gateway_that_can_not_be_reached_is_the_hosts_to_try_again() {
    let bench = Bench::start().await;
    bench.fake.turn_away(100);
    bench.fake.drop_connections();
    let ended = bench.ended().await;
    assert!(matches!(ended, ChannelError::Transient { .. }), "{ended:?}");
}

#[tokio::test]
async fn health_is_what_was_seen() {
    let mut bench = Bench::start().await;
    assert!(bench.view.get().last_inbound.is_some());
    assert_eq!(bench.view.get().last_outbound, None);
    bench.send(GENERAL, &OutboundOp::Typing, 1).await.unwrap();
    assert!(bench.view.get().last_outbound.is_some());
    bench.fake.close(4000);
    let back =
        |health: &Health| health.reconnects == 1 && health.connection == Connection::Connected;
    let back = tokio::time::timeout(PATIENCE, bench.view.until(back)).await;
    assert!(back.unwrap().is_some());
    assert_eq!(bench.fake.begun(), (1, 1));
    bench.stop().await;
}
