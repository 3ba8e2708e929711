//! Where something is said, to whom, and by whom.

use anchorhold_channel::{ChannelAdapter as _, fake::IntakeAnswer};
use anchorhold_core::{
    ids::Handle,
    inbound::{ChatKind, InboundEvent, What},
};
use serde_json::{Value, json};

use super::{
    bench::{Bench, address, post},
    harness::ANN,
};
use crate::fake::{BOT, FORUM, FakeDiscord, GENERAL, GUILD, POST, ROLE, THREAD};

async fn said(bench: &Bench, channel: u64, fields: Value) -> InboundEvent {
    let before = bench.intake.events().len();
    bench.fake.say(channel, ANN, fields);
    bench.event(before + 1).await
}

/// A thread and a post of a forum are places of their own in their channel, also when nobody has told of
/// the thread before.
#[tokio::test]
async fn threads_and_posts_belong_to_their_channels() {
    let bench = Bench::start().await;
    for (thread, parent) in [(THREAD, GENERAL), (POST, FORUM)] {
        let event = said(&bench, thread, json!({ "content": "hi" })).await;
        assert_eq!(event.address, address(parent, Some(thread)));
        assert_eq!(event.chat_kind, ChatKind::Group);
    }
    let new = bench.fake.open_thread(FORUM);
    let event = said(&bench, new, json!({ "content": "hi" })).await;
    assert_eq!(event.address, address(FORUM, Some(new)));
    let sent = bench
        .adapter
        .send(
            &event.address,
            &post("here"),
            anchorhold_channel::fake::part_key(1),
        )
        .await;
    sent.unwrap();
    assert_eq!(bench.fake.seen(new).len(), 1);
    assert_eq!(bench.fake.seen(FORUM), []);
    bench.stop().await;
}

/// The bot is addressed by its name, by a role that it has, and by an answer to what it said.
#[tokio::test]
async fn who_speaks_to_the_bot_is_told_from_who_does_not() {
    let bench = Bench::start().await;
    let sent = bench.send(GENERAL, &post("I am here"), 1).await.unwrap();
    let mine = sent.message_id.unwrap();
    let reply = json!({
        "content": "good",
        "message_reference": { "type": 0, "message_id": mine.as_str() },
    });
    let everybody = json!({ "content": "@everyone look", "mention_everyone": true });
    for (fields, addressed) in [
        (json!({ "content": "among us" }), false),
        (FakeDiscord::mention("hello"), true),
        (
            json!({ "content": format!("<@&{ROLE}> hello"), "mention_roles": [ROLE.to_string()] }),
            true,
        ),
        (
            json!({ "content": "<@&5> hello", "mention_roles": ["5"] }),
            false,
        ),
        (reply, true),
        (everybody, false),
    ] {
        let event = said(&bench, GENERAL, fields.clone()).await;
        assert_eq!(event.addressed, addressed, "{fields}");
    }
    // The bot's roles are asked for once.
    assert_eq!(
        bench
            .fake
            .calls("GET", &format!("/guilds/{GUILD}/members"))
            .len(),
        1
    );
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_comes_with_what_it_answers() {
    let bench = Bench::start().await;
    let first = bench
        .fake
        .say(GENERAL, ANN, json!({ "content": "the question" }));
    bench.event(1).await;
    let reference = json!({ "type": 0, "message_id": first.to_string() });
    let fields = json!({ "content": "the answer", "message_reference": reference });
    let quote = said(&bench, GENERAL, fields).await.reply_to.unwrap();
    assert_eq!(quote.text, "the question");
    assert_eq!(quote.sender.as_deref(), Some("Person 1001"));
    assert_eq!(quote.message_id.unwrap().as_str(), first.to_string());
    bench.stop().await;
}

/// What other bots and webhooks say, and what the service notes, is for nobody.
#[tokio::test]
async fn only_people_are_heard() {
    let bench = Bench::start().await;
    let mut bot = json!({ "id": "9", "username": "other", "bot": true, "discriminator": "0" });
    bench.fake.say(
        GENERAL,
        9,
        json!({ "content": "I am a bot", "author": bot }),
    );
    bot["bot"] = false.into();
    let hook = json!({ "content": "I am a hook", "author": bot, "webhook_id": "9" });
    bench.fake.say(GENERAL, 9, hook);
    bench
        .fake
        .say(GENERAL, ANN, json!({ "content": "", "type": 7 }));
    let event = said(&bench, GENERAL, json!({ "content": "I am not" })).await;
    assert_eq!(event.text, "I am not");
    assert_eq!(event.sender.handle.as_str(), ANN.to_string());
    bench.stop().await;
}

/// A link in a message makes Discord tell of it again; only new words are an edit.
#[tokio::test]
async fn a_preview_is_no_edit() {
    let bench = Bench::start().await;
    let id = bench
        .fake
        .say(GENERAL, ANN, json!({ "content": "see https://a.example" }));
    bench.event(1).await;
    let message = bench
        .fake
        .with(|state| state.message(GENERAL, id).cloned())
        .unwrap();
    bench.fake.tell("MESSAGE_UPDATE", &message);
    bench
        .fake
        .revise(GENERAL, id, json!({ "content": "see there" }));
    let changed = bench
        .fake
        .with(|state| state.message(GENERAL, id).cloned())
        .unwrap();
    bench.fake.tell("MESSAGE_UPDATE", &changed);
    let after = said(&bench, GENERAL, json!({ "content": "after" })).await;
    assert_eq!(after.text, "after");
    let events = bench.intake.events();
    assert_eq!(events.len(), 3, "{events:?}");
    let of = events[0].message_id.clone();
    assert_eq!(
        (&events[1].what, events[1].text.as_str()),
        (&What::Edit { of }, "see there")
    );
    bench.stop().await;
}

/// In a server, what somebody makes of the bot's words is for the bot, and nothing else is.
#[tokio::test]
async fn a_reaction_to_the_bot_is_for_the_bot() {
    let bench = Bench::start().await;
    let mine = bench
        .send(GENERAL, &post("done"), 1)
        .await
        .unwrap()
        .message_id
        .unwrap();
    let mine: u64 = mine.as_str().parse().unwrap();
    let theirs = bench.fake.say(GENERAL, ANN, json!({ "content": "hi" }));
    bench.fake.react(GENERAL, mine, ANN, "👍");
    bench.fake.react(GENERAL, theirs, ANN, "👍");
    bench.fake.react(GENERAL, theirs, BOT, "👍");
    bench.fake.unreact(GENERAL, theirs, ANN, "👍");
    bench.fake.react(GENERAL, theirs, ANN, "👍");
    let events = bench.events(5).await;
    let seen: Vec<(bool, &str)> = events
        .iter()
        .map(|event| (event.addressed, event.text.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (false, "hi"),
            (true, "👍"),
            (false, "👍"),
            (false, ""),
            (false, "👍")
        ]
    );
    bench.stop().await;
}

#[tokio::test]
async fn who_is_refused_is_told() {
    let bench = Bench::start().await;
    let refusal = IntakeAnswer::Refuse("it is too long".to_owned());
    bench.intake.answer_next(refusal);
    let id = bench.fake.say(GENERAL, ANN, json!({ "content": "one" }));
    bench.until(|fake| !fake.seen(GENERAL).is_empty()).await;
    let shown = bench.fake.seen(GENERAL).remove(0);
    assert_eq!(shown.text, "⚙ This message was not taken: it is too long");
    assert_eq!(shown.reply_to, Some(id));
    bench.stop().await;
}

/// Files come with their message; one that can't be had is named in it.
#[tokio::test]
async fn a_file_that_can_not_be_had_is_named() {
    let bench = Bench::start().await;
    let good = bench.fake.attachment("good.txt", b"good");
    let mut gone = bench.fake.attachment("gone.txt", b"gone");
    gone["url"] = format!("{}x", gone["url"].as_str().unwrap()).into();
    let mut elsewhere = bench.fake.attachment("elsewhere.txt", b"x");
    elsewhere["url"] = "http://127.0.0.1.evil.example/x".into();
    let mut huge = bench.fake.attachment("huge.bin", b"x");
    huge["size"] = (1_u64 << 40).into();
    let fields = json!({ "content": "look", "attachments": [good, gone, elsewhere, huge] });
    let event = said(&bench, GENERAL, fields).await;
    let names: Vec<&str> = event
        .attachments
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names, ["good.txt"]);
    assert_eq!(event.attachments[0].content, b"good");
    for name in ["gone.txt", "elsewhere.txt", "huge.bin"] {
        assert!(event.text.contains(name), "{}", event.text);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_direct_chat_is_with_a_person() {
    let bench = Bench::start().await;
    let person = Handle::parse(&ANN.to_string()).unwrap();
    let chat = bench.adapter.open_direct(&person).await.unwrap();
    assert_eq!(chat.as_str(), bench.fake.direct(ANN).to_string());
    let nobody = Handle::parse("ann").unwrap();
    assert!(bench.adapter.open_direct(&nobody).await.is_err());
    bench.stop().await;
}
