//! What was said while nobody listened.

use anchorhold_channel::fake::IntakeAnswer;
use anchorhold_core::inbound::{ChatKind, What};
use serde_json::json;

use super::{
    PATIENCE,
    bench::{Bench, address},
    harness::{ANN, BOB},
};
use crate::fake::{FORUM, FakeDiscord, GENERAL, POST, RANDOM, THREAD};

fn text(text: &str) -> serde_json::Value {
    json!({ "content": text })
}

/// A session goes on over a restart: everything that was missed is told, also what no conversation
/// could be read for, and nothing twice.
#[tokio::test]
async fn a_restart_goes_on_with_the_session() {
    let bench = Bench::start().await;
    let said = bench.fake.say(GENERAL, ANN, text("before"));
    bench.events(1).await;
    let (fake, cursors) = bench.stop().await;
    fake.revise(GENERAL, said, text("before, changed"));
    fake.say(fake.direct(BOB), BOB, text("hello, I am new"));
    let bench = Bench::on(fake, cursors).await;
    let events = bench.events(2).await;
    assert!(matches!(events[0].what, What::Edit { .. }), "{events:?}");
    assert_eq!(events[1].text, "hello, I am new");
    assert_eq!(bench.fake.begun(), (1, 1));
    bench.stop().await;
}

/// A page of which nothing could be read was taken for the last one.
#[tokio::test]
async fn what_cannot_be_read_hides_nothing_that_is_behind_it() {
    let bench = Bench::start().await;
    bench.fake.say(GENERAL, ANN, text("before"));
    bench.events(1).await;
    let (fake, cursors) = bench.stop().await;
    fake.forget_sessions();
    for _ in 0..100 {
        fake.say(GENERAL, BOB, json!({ "content": 5 }));
    }
    fake.say(GENERAL, BOB, text("after"));
    let bench = Bench::on(fake, cursors).await;
    assert_eq!(bench.events(1).await[0].text, "after");
    bench.stop().await;
}

/// Where the session is gone, each conversation is read on from its last message, in its order, before
/// anything newer of it; others are left alone.
#[tokio::test]
async fn conversations_are_read_on_where_the_session_is_gone() {
    let bench = Bench::start().await;
    let direct = bench.fake.direct(ANN);
    bench.fake.say(direct, ANN, text("one"));
    bench.fake.say(GENERAL, ANN, text("one"));
    bench.events(2).await;
    let (fake, cursors) = bench.stop().await;
    fake.forget_sessions();
    for (channel, count) in [(direct, 3), (GENERAL, 250), (RANDOM, 1)] {
        for n in 0..count {
            fake.say(channel, BOB, text(&format!("missed {n}")));
        }
    }
    let bench = Bench::on(fake, cursors).await;
    let events = bench.events(253).await;
    let missed = |chat: u64| -> Vec<String> {
        let there = events
            .iter()
            .filter(|event| event.address == address(chat, None));
        there.map(|event| event.text.clone()).collect()
    };
    let expect =
        |count: u32| -> Vec<String> { (0..count).map(|n| format!("missed {n}")).collect() };
    assert_eq!(missed(direct), expect(3));
    assert_eq!(missed(GENERAL), expect(250));
    assert_eq!(missed(RANDOM), Vec::<String>::new());
    let kinds: Vec<ChatKind> = events.iter().map(|event| event.chat_kind).collect();
    assert_eq!(kinds[0], ChatKind::Direct);
    assert_eq!(kinds[252], ChatKind::Group);
    bench.fake.say(RANDOM, BOB, text("now"));
    assert_eq!(bench.events(254).await[253].text, "now");
    bench.stop().await;
}

/// A thread that began meanwhile belongs to a conversation that is known, and one that was closed
/// meanwhile has not gone.
#[tokio::test]
async fn threads_that_began_or_closed_meanwhile_are_read() {
    let bench = Bench::start().await;
    bench.fake.say(THREAD, ANN, text("one"));
    bench.fake.say(POST, ANN, text("one"));
    bench.events(2).await;
    let (fake, cursors) = bench.stop().await;
    fake.forget_sessions();
    fake.say(THREAD, ANN, text("before it closed"));
    fake.with(|state| {
        let thread = state.channels.get_mut(&THREAD).unwrap();
        thread["thread_metadata"]["archived"] = true.into();
    });
    let begun = fake.open_thread(FORUM);
    fake.say(begun, ANN, text("a new post"));
    let bench = Bench::on(fake, cursors).await;
    let mut came: Vec<_> = bench
        .events(2)
        .await
        .into_iter()
        .map(|event| (event.address, event.text))
        .collect();
    came.sort();
    let mut expect = [
        (
            address(GENERAL, Some(THREAD)),
            "before it closed".to_owned(),
        ),
        (address(FORUM, Some(begun)), "a new post".to_owned()),
    ];
    expect.sort();
    assert_eq!(came, expect);
    bench.stop().await;
}

/// What the bot itself has said since is read over, and where nothing was missed nothing is asked.
#[tokio::test]
async fn a_quiet_conversation_is_not_asked_for() {
    let bench = Bench::start().await;
    bench.fake.say(GENERAL, ANN, text("one"));
    bench.events(1).await;
    let (fake, cursors) = bench.stop().await;
    fake.forget_sessions();
    let bench = Bench::on(fake, cursors).await;
    bench.fake.say(GENERAL, ANN, text("two"));
    assert_eq!(bench.texts(1).await, ["two"]);
    assert_eq!(
        bench
            .fake
            .calls("GET", &format!("/channels/{GENERAL}/messages"))
            .len(),
        0
    );
    bench.stop().await;
}

/// The cursor moves only past what the host has taken on.
#[tokio::test]
async fn a_message_that_was_not_taken_is_offered_to_the_next_run() {
    let bench = Bench::start().await;
    bench.fake.say(GENERAL, ANN, text("one"));
    bench.events(1).await;
    bench.intake.block();
    bench.fake.say(GENERAL, ANN, text("two"));
    assert!(bench.intake.until(PATIENCE, |now| now.offered == 2).await);
    let (fake, cursors) = bench.stop().await;
    let bench = Bench::on(fake, cursors).await;
    assert_eq!(bench.texts(1).await, ["two"]);
    let (fake, cursors) = bench.stop().await;
    fake.forget_sessions();
    let bench = Bench::on(fake, cursors).await;
    bench.fake.say(GENERAL, ANN, text("three"));
    assert_eq!(bench.texts(1).await, ["three"]);
    bench.stop().await;
}

/// Where the host wants nothing of a channel, there is nothing to read on.
#[tokio::test]
async fn a_channel_that_nobody_wants_is_not_remembered() {
    let bench = Bench::start().await;
    bench
        .intake
        .answer_next(IntakeAnswer::Decline("not wired".to_owned()));
    bench.fake.say(RANDOM, ANN, text("one"));
    bench.fake.say(GENERAL, ANN, text("two"));
    bench.events(1).await;
    let (fake, cursors) = bench.stop().await;
    fake.forget_sessions();
    fake.say(RANDOM, ANN, text("three"));
    fake.say(GENERAL, ANN, text("four"));
    let bench = Bench::on(fake, cursors).await;
    assert_eq!(bench.texts(1).await, ["four"]);
    bench.stop().await;
}

/// While the host takes nothing, more may be told than is kept in memory: the rest is read later.
#[tokio::test]
async fn what_does_not_get_into_the_queue_is_read_later() {
    let bench = Bench::start().await;
    bench.fake.say(GENERAL, ANN, text("first"));
    bench.events(1).await;
    bench.intake.block();
    let count = 1_500;
    for n in 0..count {
        bench.fake.say(GENERAL, ANN, text(&n.to_string()));
        if n % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let more = |fake: &FakeDiscord| !fake.calls("GET", "/gateway").is_empty();
    bench.until(more).await;
    // Enough for the gateway to have told everything.
    bench.fake.react(GENERAL, 1, ANN, "👍");
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    bench.intake.unblock();
    bench.fake.say(GENERAL, ANN, text("last"));
    let texts = bench.texts(count + 2).await;
    let numbers: Vec<usize> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    assert_eq!(texts.last().map(String::as_str), Some("last"));
    bench.stop().await;
}

/// Of the reference: each look at its state wrote to the database. Here what is for nobody writes nothing.
#[tokio::test]
async fn defect_56_nothing_is_written_while_nothing_comes() {
    let bench = Bench::start().await;
    bench.fake.say(GENERAL, ANN, text("one"));
    bench.events(1).await;
    bench.fake.react(GENERAL, 7, ANN, "👍");
    bench.events(2).await;
    let writes = bench.cursors.writes();
    for n in 0..5 {
        bench
            .fake
            .tell("TYPING_START", &json!({ "channel_id": "1" }));
        bench.fake.tell("PRESENCE_UPDATE", &json!({ "n": n }));
    }
    bench.fake.react(GENERAL, 8, ANN, "👍");
    bench.events(3).await;
    assert_eq!(bench.cursors.writes(), writes);
    bench.stop().await;
}
