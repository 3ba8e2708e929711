//! Channels, threads, direct messages, mentions, reactions, questions.

use std::time::Duration;

use anchorhold_channel::{
    ChannelAdapter as _, ChannelError,
    fake::{IntakeAnswer, question_id},
};
use anchorhold_core::{
    ids::Handle,
    inbound::{ChatKind, What},
    outbound::{OutboundOp, Question},
};
use serde_json::json;

use super::{
    PATIENCE,
    bench::{ANN, ANNS, BOB, Bench, address, id, post},
};
use crate::fake::{BOT, CHANNEL, THREAD};

#[tokio::test]
async fn a_message_in_a_channel_begins_a_thread_and_is_answered_there() {
    let bench = Bench::start().await;
    let ts = bench
        .fake
        .say(CHANNEL, ANN, json!({ "text": format!("<@{BOT}> hello") }));
    let event = bench.event(1).await;
    assert_eq!(event.address, address(CHANNEL, Some(&ts)));
    assert_eq!(event.text, "hello");
    assert_eq!(event.chat_kind, ChatKind::Group);
    let reply = json!({ "text": "and more", "thread_ts": ts });
    bench.fake.say(CHANNEL, BOB, reply);
    let event = bench.event(2).await;
    assert_eq!(event.address, address(CHANNEL, Some(&ts)));
    assert!(!event.addressed);
    bench
        .send((CHANNEL, Some(&ts)), &post("hi"), 1)
        .await
        .unwrap();
    assert_eq!(bench.texts(CHANNEL, Some(&ts)), ["hi"]);
    assert_eq!(bench.texts(CHANNEL, None), Vec::<String>::new());
    bench.stop().await;
}

#[tokio::test]
async fn direct_messages_have_no_thread_unless_somebody_made_one() {
    let bench = Bench::start().await;
    let ts = bench.fake.say(ANNS, ANN, json!({ "text": "hello" }));
    let event = bench.event(1).await;
    assert_eq!(event.address, address(ANNS, None));
    assert_eq!(event.chat_kind, ChatKind::Direct);
    assert!(event.addressed);
    assert_eq!(event.message_id, id(&ts));
    bench
        .fake
        .say(ANNS, ANN, json!({ "text": "aside", "thread_ts": ts }));
    assert_eq!(bench.event(2).await.address, address(ANNS, Some(&ts)));
    bench.stop().await;
}

/// Slack tells twice of who names the bot. It is one message, and no file of it is fetched twice.
#[tokio::test]
async fn a_message_and_the_mention_in_it_are_one() {
    let bench = Bench::start().await;
    let text = format!("<@{BOT}> hello");
    let ts = bench.fake.say(CHANNEL, ANN, json!({ "text": text }));
    let both = |fake: &crate::fake::FakeSlack| fake.is_acknowledged(CHANNEL, &ts);
    assert!(bench.fake.until(PATIENCE, both).await);
    assert_eq!(bench.intake.arrived().offered, 1);
    // The mention alone says the same.
    bench.fake.tell(&json!({
        "type": "app_mention", "channel": CHANNEL, "user": ANN, "text": text,
        "ts": "1767225999.000100", "event_ts": "1767225999.000100",
    }));
    let event = bench.event(2).await;
    assert!(event.addressed);
    assert_eq!(event.address, address(CHANNEL, Some("1767225999.000100")));
    bench.stop().await;
}

/// Who calls the app into a thread talks about what is there.
#[tokio::test]
async fn the_first_word_from_a_thread_comes_with_what_began_it() {
    let bench = Bench::start().await;
    for text in ["what do you think?", "and now?"] {
        let fields = json!({ "text": format!("<@{BOT}> {text}"), "thread_ts": THREAD });
        bench.fake.say(CHANNEL, ANN, fields);
    }
    let events = bench.events(2).await;
    let quote = events[0].reply_to.clone().unwrap();
    assert_eq!(quote.text, "a thread");
    assert_eq!(quote.sender.as_deref(), Some("Person bob"));
    assert_eq!(quote.message_id, Some(id(THREAD)));
    assert_eq!(events[1].reply_to, None);
    bench.stop().await;
}

#[tokio::test]
async fn people_have_names_which_are_asked_for_once() {
    let bench = Bench::start().await;
    for text in ["one", "two"] {
        bench
            .fake
            .say(ANNS, ANN, json!({ "text": format!("{text} <@{BOB}>") }));
    }
    let events = bench.events(2).await;
    assert_eq!(events[1].sender.name.as_deref(), Some("Person ann"));
    assert_eq!(events[1].sender.handle.as_str(), ANN);
    assert_eq!(events[1].text, "two <@U0BOB|Person bob>");
    assert_eq!(bench.fake.calls("users.info").len(), 2);
    bench.stop().await;
}

#[tokio::test]
async fn what_bots_say_is_for_nobody() {
    let bench = Bench::start().await;
    bench
        .fake
        .say(ANNS, "U0OTHER", json!({ "text": "x", "bot_id": "B1" }));
    bench.fake.say(ANNS, BOT, json!({ "text": "x" }));
    bench.fake.say(
        CHANNEL,
        ANN,
        json!({ "subtype": "channel_join", "text": "joined" }),
    );
    bench.fake.say(ANNS, ANN, json!({ "text": "me" }));
    assert_eq!(bench.event(1).await.text, "me");
    assert_eq!(bench.intake.arrived().offered, 1);
    bench.stop().await;
}

#[tokio::test]
async fn only_a_change_of_what_was_said_is_an_edit() {
    let bench = Bench::start().await;
    let ts = bench.fake.say(ANNS, ANN, json!({ "text": "helo" }));
    // A preview is added to it.
    bench.fake.revise(
        ANNS,
        &ts,
        json!({ "attachments": [{ "from_url": "https://x.example" }] }),
    );
    bench.fake.revise(ANNS, &ts, json!({ "text": "hello" }));
    let edit = bench.event(2).await;
    assert_eq!(edit.what, What::Edit { of: id(&ts) });
    assert_eq!(edit.text, "hello");
    bench.stop().await;
}

#[tokio::test]
async fn a_reaction_is_told_in_the_thread_of_its_message() {
    let bench = Bench::start().await;
    let sent = bench.send((CHANNEL, Some(THREAD)), &post("done"), 1).await;
    let ts = sent.unwrap().message_id.unwrap();
    bench
        .fake
        .react(CHANNEL, ts.as_str(), ANN, ("+1::skin-tone-3", true));
    let event = bench.event(1).await;
    assert_eq!(event.address, address(CHANNEL, Some(THREAD)));
    assert_eq!(event.what, What::Reaction { to: ts.clone() });
    assert_eq!(event.text, "👍🏼");
    assert!(event.addressed, "it is on the bot's own words");
    bench
        .fake
        .react(CHANNEL, ts.as_str(), ANN, ("+1::skin-tone-3", false));
    assert_eq!(bench.event(2).await.text, "");
    bench
        .fake
        .react(CHANNEL, ts.as_str(), ANN, ("party-parrot", true));
    assert_eq!(bench.event(3).await.text, ":party-parrot:");
    // What this process has not seen is asked for.
    let fake = bench.stop().await;
    let bench = Bench::anew(fake).await;
    bench.fake.react(CHANNEL, ts.as_str(), BOB, ("tada", true));
    let event = bench.event(1).await;
    assert_eq!(event.address, address(CHANNEL, Some(THREAD)));
    bench.stop().await;
}

/// Of the reference: what is about a message had an id that the platform did not know.
#[tokio::test]
async fn defect_30_an_answer_to_an_edit_reaches_its_message() {
    let bench = Bench::start().await;
    let ts = bench.fake.say(ANNS, ANN, json!({ "text": "helo" }));
    bench.fake.revise(ANNS, &ts, json!({ "text": "hello" }));
    let target = bench.event(2).await.message_id;
    let emoji = "🎉".to_owned();
    let react = OutboundOp::React { target, emoji };
    bench.send((ANNS, None), &react, 1).await.unwrap();
    assert_eq!(bench.fake.reactions(ANNS), ["tada"]);
    // Twice is once, and no emoji at all takes it back.
    bench.send((ANNS, None), &react, 1).await.unwrap();
    let target = id(&ts);
    let emoji = String::new();
    let back = OutboundOp::React { target, emoji };
    bench.send((ANNS, None), &back, 2).await.unwrap();
    assert_eq!(bench.fake.reactions(ANNS), Vec::<String>::new());
    bench.stop().await;
}

fn question() -> Question {
    Question {
        id: question_id(1),
        title: "Deploy?".to_owned(),
        text: "It is *ready*.".to_owned(),
        options: vec!["yes".to_owned(), "no".to_owned()],
    }
}

#[tokio::test]
async fn a_card_shows_what_was_chosen_and_who_clicked_is_told() {
    let bench = Bench::start().await;
    let ask = OutboundOp::Ask(question());
    bench.send((CHANNEL, Some(THREAD)), &ask, 1).await.unwrap();
    let shown = bench.fake.seen(CHANNEL, Some(THREAD)).remove(0);
    assert_eq!(
        shown.blocks[0]["text"]["text"],
        "*Deploy?*\n\nIt is _ready_."
    );
    let no = shown.buttons[1].action.clone();
    bench.fake.press(CHANNEL, &shown.ts, BOB, &no);
    let edited = |fake: &crate::fake::FakeSlack| {
        fake.seen(CHANNEL, Some(THREAD))[0].blocks[1]["type"] == "context"
    };
    assert!(bench.fake.until(PATIENCE, edited).await);
    let shown = bench.fake.seen(CHANNEL, Some(THREAD)).remove(0);
    let said = &shown.blocks[1]["elements"][0]["text"];
    assert_eq!(said, "✓ no – <@U0BOB>");
    assert_eq!(
        bench.intake.answers()[0].address,
        address(CHANNEL, Some(THREAD))
    );
    assert_eq!(bench.fake.whispers(BOB).len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn a_button_of_others_means_nothing() {
    let bench = Bench::start().await;
    bench
        .send((ANNS, None), &OutboundOp::Ask(question()), 1)
        .await
        .unwrap();
    let ts = bench.fake.seen(ANNS, None).remove(0).ts;
    bench.fake.press(ANNS, &ts, ANN, "other:thing:1");
    bench.fake.say(ANNS, ANN, json!({ "text": "after" }));
    bench.event(1).await;
    assert_eq!(bench.intake.answers(), []);
    bench.stop().await;
}

#[tokio::test]
async fn who_is_refused_is_told_where_they_spoke() {
    let bench = Bench::start().await;
    bench
        .intake
        .answer_next(IntakeAnswer::Refuse("it is too long".into()));
    let fields = json!({ "text": "x", "thread_ts": THREAD });
    bench.fake.say(CHANNEL, ANN, fields);
    let told = |fake: &crate::fake::FakeSlack| !fake.seen(CHANNEL, Some(THREAD)).is_empty();
    assert!(bench.fake.until(PATIENCE, told).await);
    assert_eq!(
        bench.texts(CHANNEL, Some(THREAD)),
        ["⚙ This message was not taken: it is too long"]
    );
    bench.stop().await;
}

/// What Slack offers again while it is under way is the same, and all of it is acknowledged at once.
#[tokio::test]
async fn what_takes_long_is_offered_again_and_stored_once() {
    let bench = Bench::start().await;
    bench.fake.offer_again_after(Duration::from_millis(10));
    bench.intake.block();
    let ts = bench.fake.say(ANNS, ANN, json!({ "text": "slowly" }));
    let other = bench.fake.say("D0BOB", BOB, json!({ "text": "quickly" }));
    assert!(bench.intake.until(PATIENCE, |now| now.offered >= 2).await);
    assert_eq!(bench.fake.acknowledged(), 0);
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.intake.unblock();
    bench.events(2).await;
    let all = |fake: &crate::fake::FakeSlack| {
        fake.is_acknowledged(ANNS, &ts) && fake.is_acknowledged("D0BOB", &other)
    };
    assert!(bench.fake.until(PATIENCE, all).await);
    assert_eq!(bench.intake.arrived().offered, 2);
    bench.stop().await;
}

#[tokio::test]
async fn typing_is_the_status_of_a_thread() {
    let bench = Bench::start().await;
    bench
        .send((CHANNEL, Some(THREAD)), &OutboundOp::Typing, 1)
        .await
        .unwrap();
    let status = bench.fake.calls("assistant.threads.setStatus").remove(0);
    assert_eq!(status["thread_ts"], THREAD);
    bench
        .send((ANNS, None), &OutboundOp::Typing, 2)
        .await
        .unwrap();
    assert_eq!(bench.fake.calls("assistant.threads.setStatus").len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn only_people_have_direct_messages() {
    let bench = Bench::start().await;
    let open = |who: &'static str| async {
        let handle = Handle::parse(who).unwrap();
        bench.adapter.open_direct(&handle).await
    };
    assert_eq!(open(ANN).await.unwrap().as_str(), ANNS);
    let refused = open("T0TEAM").await;
    assert!(
        matches!(refused, Err(ChannelError::Permanent { .. })),
        "{refused:?}"
    );
    bench.stop().await;
}
