//! What ends a run, what does not, and what is said of it.

use std::time::Duration;

use anchorhold_channel::{
    ChannelAdapter as _, ChannelError, Connection, Health,
    conformance::{Side, Trouble},
};
use anchorhold_core::outbound::{OutboundFile, OutboundOp, Voice};
use serde_json::json;

use super::{
    PATIENCE,
    bench::{ANN, ANNS, Bench, post},
};
use crate::fake::{CHANNEL, FakeSlack, THREAD};

#[tokio::test]
async fn another_websocket_takes_the_place_of_one_that_is_to_go() {
    let mut bench = Bench::start().await;
    for (number, reason) in [(1, "warning"), (2, "refresh_requested")] {
        bench.fake.ask_to_go(reason);
        let opened = |fake: &FakeSlack| fake.calls("apps.connections.open").len() == number + 1;
        assert!(bench.fake.until(PATIENCE, opened).await);
        bench.fake.say(ANNS, ANN, json!({ "text": reason }));
        assert_eq!(bench.event(number).await.text, reason);
    }
    let one = |fake: &FakeSlack| fake.connections() == 1;
    assert!(bench.fake.until(PATIENCE, one).await);
    let health = bench.view.until(|_| true).await.unwrap();
    assert_eq!(
        (health.connection, health.reconnects),
        (Connection::Connected, 0)
    );
    bench.stop().await;
}

#[tokio::test]
async fn socket_mode_that_is_switched_off_is_named() {
    let bench = Bench::start().await;
    bench.fake.ask_to_go("link_disabled");
    let ended = bench.ended().await;
    assert!(matches!(ended, ChannelError::Permanent { .. }), "{ended:?}");
    assert!(ended.to_string().contains("switched off"), "{ended}");
}

#[tokio::test]
async fn tokens_that_are_not_accepted_end_the_run() {
    let bench = Bench::start().await;
    bench.fake.revoke();
    bench.fake.break_links();
    let ended = bench.ended().await;
    let expect = "not authorized: Slack does not accept the app-level token (invalid_auth)";
    assert_eq!(ended.to_string(), expect);
}

/// A connection over which nothing comes may be none any more; nobody says so.
#[tokio::test]
async fn a_connection_that_has_died_in_silence_is_noticed() {
    let mut bench = Bench::impatient().await;
    bench.fake.fall_silent();
    let lost = |health: &Health| matches!(health.connection, Connection::Reconnecting { .. });
    let lost = tokio::time::timeout(PATIENCE, bench.view.until(lost)).await;
    assert!(lost.unwrap().is_some());
    bench.stop().await;
}

/// One over which nothing comes, and whose other side is there, stays.
#[tokio::test]
async fn silence_alone_is_no_loss() {
    let bench = Bench::impatient().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.fake.calls("apps.connections.open").len(), 1);
    bench.fake.say(ANNS, ANN, json!({ "text": "still there" }));
    assert_eq!(bench.event(1).await.text, "still there");
    bench.stop().await;
}

#[tokio::test]
async fn a_probe_names_each_scope_that_is_missing() {
    let bench = Bench::start().await;
    let all = bench.adapter.probe().await.unwrap();
    assert_eq!(all.handle.as_str(), "U0BOT0000");
    assert_eq!(all.name.as_deref(), Some("@anchorhold"));
    assert_eq!(all.sees.len(), 2, "{:?}", all.sees);
    let but_two: Vec<&str> = crate::adapter::SCOPES
        .iter()
        .map(|(scope, _)| *scope)
        .filter(|scope| !matches!(*scope, "files:read" | "users:read"))
        .collect();
    bench.fake.allow(&but_two);
    let some = bench.adapter.probe().await.unwrap();
    let lacks: Vec<&str> = some.sees.iter().skip(2).map(String::as_str).collect();
    assert_eq!(
        lacks,
        [
            "It lacks the scope files:read, so it can't get files: add it and install the app anew.",
            "It lacks the scope users:read, so it can't know what people are called: add it and \
             install the app anew.",
        ]
    );
    bench.stop().await;
}

/// A post whose answer got lost is found again, by this process and by the next one.
#[tokio::test]
async fn what_was_sent_without_an_answer_is_not_sent_again() {
    let bench = Bench::start().await;
    for (key, trouble) in [(1, Trouble::LoseAnswer), (2, Trouble::GarbleAnswer)] {
        bench.fake.trouble(Side::Sending, trouble);
        let lost = bench.send((ANNS, None), &post("once"), key).await;
        assert!(
            matches!(lost, Err(ChannelError::Ambiguous { .. })),
            "{lost:?}"
        );
        let again = bench.send((ANNS, None), &post("once"), key).await.unwrap();
        let shown = bench.fake.seen(ANNS, None).pop().unwrap();
        assert_eq!(again.message_id.unwrap().as_str(), shown.ts);
    }
    assert_eq!(bench.texts(ANNS, None), ["once", "once"]);
    bench.fake.trouble(Side::Sending, Trouble::LoseAnswer);
    bench
        .send((ANNS, None), &post("last"), 3)
        .await
        .unwrap_err();
    let bench = Bench::anew(bench.stop().await).await;
    bench.send((ANNS, None), &post("last"), 3).await.unwrap();
    assert_eq!(bench.texts(ANNS, None), ["once", "once", "last"]);
    bench.stop().await;
}

/// It is looked for once in each place, and never in a thread that is younger than the process.
#[tokio::test]
async fn looking_for_what_was_sent_costs_little() {
    let bench = Bench::start().await;
    for key in 1..=3 {
        bench.send((ANNS, None), &post("x"), key).await.unwrap();
        bench
            .send((CHANNEL, Some(THREAD)), &post("x"), 10 + key)
            .await
            .unwrap();
    }
    let young = bench.fake.say(CHANNEL, ANN, json!({ "text": "hi" }));
    bench
        .send((CHANNEL, Some(&young)), &post("x"), 20)
        .await
        .unwrap();
    assert_eq!(bench.fake.calls("conversations.history").len(), 1);
    assert_eq!(bench.fake.calls("conversations.replies").len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn what_was_not_sent_is_sent_again() {
    let bench = Bench::start().await;
    bench.fake.trouble(Side::Sending, Trouble::ServerError);
    bench
        .send((ANNS, None), &post("once"), 1)
        .await
        .unwrap_err();
    bench.send((ANNS, None), &post("once"), 1).await.unwrap();
    assert_eq!(bench.texts(ANNS, None), ["once"]);
    bench.stop().await;
}

#[tokio::test]
async fn files_that_were_shown_without_an_answer_are_not_shown_again() {
    let bench = Bench::start().await;
    let op = OutboundOp::Post {
        text: String::new(),
        files: vec![OutboundFile {
            name: "a.txt".to_owned(),
            content: b"a".to_vec(),
        }],
        reply_to: None,
        voice: Voice::Agent,
    };
    bench.fake.trouble(Side::Sending, Trouble::LoseAnswer);
    bench.send((ANNS, None), &op, 1).await.unwrap_err();
    let again = bench.send((ANNS, None), &op, 1).await.unwrap();
    let shown = bench.fake.seen(ANNS, None);
    assert_eq!(shown.len(), 1);
    assert_eq!(again.message_id.unwrap().as_str(), shown[0].ts);
    bench.stop().await;
}

/// Of the reference: each look at its state wrote to the database. Here nothing is asked or written.
#[tokio::test]
async fn defect_56_nothing_is_done_while_nothing_comes() {
    let bench = Bench::start().await;
    bench.fake.say(ANNS, ANN, json!({ "text": "one" }));
    bench.event(1).await;
    let calls = bench.fake.calls("apps.connections.open").len();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.fake.calls("apps.connections.open").len(), calls);
    assert_eq!(bench.fake.calls("auth.test").len(), 1);
    assert_eq!(bench.cursors.writes(), 0);
    bench.stop().await;
}

/// What Slack no longer offers is read from the conversations, in order, with the threads in them.
#[tokio::test]
async fn what_was_said_while_the_host_was_down_is_caught_up_with() {
    let bench = Bench::start().await;
    bench.fake.say(ANNS, ANN, json!({ "text": "one" }));
    let ts = bench.fake.say(CHANNEL, ANN, json!({ "text": "two" }));
    bench.events(2).await;
    let bench = bench
        .restart(|fake| {
            fake.say(ANNS, ANN, json!({ "text": "three" }));
            fake.say(CHANNEL, ANN, json!({ "text": "four", "thread_ts": ts }));
            let five = fake.say(CHANNEL, ANN, json!({ "text": "five" }));
            fake.say(CHANNEL, ANN, json!({ "text": "six", "thread_ts": five }));
            fake.say(ANNS, ANN, json!({ "text": "seven" }));
            fake.give_up();
        })
        .await;
    let events = bench.events(5).await;
    let mut texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    let direct: Vec<&str> = texts
        .iter()
        .copied()
        .filter(|text| ["three", "seven"].contains(text))
        .collect();
    assert_eq!(direct, ["three", "seven"]);
    texts.sort_unstable();
    assert_eq!(texts, ["five", "four", "seven", "six", "three"]);
    let six = events.iter().find(|event| event.text == "six").unwrap();
    let five = events.iter().find(|event| event.text == "five").unwrap();
    assert_eq!(six.address, five.address);
    bench.stop().await;
}

/// What Slack does offer again is not taken twice.
#[tokio::test]
async fn what_is_caught_up_with_is_stored_once() {
    let bench = Bench::start().await;
    bench.fake.say(ANNS, ANN, json!({ "text": "one" }));
    bench.events(1).await;
    let bench = bench
        .restart(|fake| {
            fake.say(ANNS, ANN, json!({ "text": "two" }));
        })
        .await;
    bench.fake.say(ANNS, ANN, json!({ "text": "three" }));
    let texts: Vec<String> = bench
        .events(2)
        .await
        .into_iter()
        .map(|event| event.text)
        .collect();
    assert_eq!(texts, ["two", "three"]);
    assert_eq!(bench.intake.arrived().offered, 2);
    bench.stop().await;
}
