//! Places: topics, groups that move, albums, offsets.

use anchorhold_channel::{ChannelError, fake::IntakeAnswer};
use anchorhold_core::{
    inbound::{ChatKind, What},
    outbound::OutboundOp,
};
use serde_json::json;

use super::{
    PATIENCE,
    bench::{Bench, address, post},
    harness::ANN,
};
use crate::fake::{FORUM, TOPIC};

const GROUP: i64 = -12;
const SUPERGROUP: i64 = -1_001_000_000_777;

/// The reference stripped topics, so that answers in one came out in “General”.
#[tokio::test]
async fn an_answer_in_a_topic_stays_in_it() {
    let bench = Bench::start().await;
    let fields = json!({ "text": "hi", "message_thread_id": TOPIC, "is_topic_message": true });
    bench.fake.say(FORUM, ANN, fields);
    let event = bench.event(1).await;
    assert_eq!(event.address, address(FORUM, Some(TOPIC)));
    bench.adapter_send(&event.address, "here").await;
    assert_eq!(bench.texts(FORUM, Some(TOPIC)), ["here"]);
    assert_eq!(bench.texts(FORUM, None), Vec::<String>::new());
    bench.stop().await;
}

fn group() -> serde_json::Value {
    json!({ "id": GROUP, "type": "group", "title": "Us" })
}

#[tokio::test]
async fn a_group_that_becomes_a_supergroup_is_the_same_chat() {
    let bench = Bench::start().await;
    bench.fake.chat(group());
    bench.fake.say(GROUP, ANN, json!({ "text": "before" }));
    let before = bench.event(1).await;
    bench.fake.upgrade(GROUP, SUPERGROUP);
    // The supergroup counts from 1 again: until a number comes that the group has had.
    for _ in 0..3 {
        bench.fake.say(SUPERGROUP, ANN, json!({ "text": "after" }));
    }
    let events = bench.events(4).await;
    for event in &events {
        assert_eq!(event.address, address(GROUP, None));
        assert_eq!(event.chat_kind, ChatKind::Group);
    }
    let after = events.last().unwrap();
    assert_ne!(before.message_id, after.message_id);
    bench.send(GROUP, None, &post("answer")).await.unwrap();
    assert_eq!(bench.texts(SUPERGROUP, None), ["answer"]);
    let react = OutboundOp::React {
        target: after.message_id.clone(),
        emoji: "👍".to_owned(),
    };
    bench.send(GROUP, None, &react).await.unwrap();
    assert_eq!(bench.fake.reactions(SUPERGROUP).len(), 1);
    // What was said in the group is out of reach, and is not taken for something else.
    let react = OutboundOp::React {
        target: before.message_id,
        emoji: "👎".to_owned(),
    };
    let refused = bench.send(GROUP, None, &react).await;
    assert!(
        matches!(refused, Err(ChannelError::Permanent { .. })),
        "{refused:?}"
    );
    // The next run knows it as well, and is told by nobody.
    let (fake, cursors) = bench.stop().await;
    let bench = Bench::on(fake, cursors, None);
    bench.fake.say(SUPERGROUP, ANN, json!({ "text": "later" }));
    assert_eq!(bench.event(1).await.address, address(GROUP, None));
    bench.stop().await;
}

#[tokio::test]
async fn a_send_learns_that_a_group_has_moved() {
    let bench = Bench::start().await;
    bench.fake.chat(group());
    bench.fake.upgrade_unseen(GROUP, SUPERGROUP);
    bench.send(GROUP, None, &post("first")).await.unwrap();
    bench.send(GROUP, None, &post("second")).await.unwrap();
    assert_eq!(bench.texts(SUPERGROUP, None), ["first", "second"]);
    assert_eq!(bench.fake.calls("sendMessage").len(), 3);
    bench.fake.say(SUPERGROUP, ANN, json!({ "text": "hi" }));
    assert_eq!(bench.event(1).await.address, address(GROUP, None));
    bench.stop().await;
}

fn part(name: &str, id: &str) -> serde_json::Value {
    json!({
        "media_group_id": "g1",
        "document": { "file_id": id, "file_unique_id": "u", "file_name": name },
    })
}

/// Parts come in several polls; the album waits for the one that brings nothing more.
#[tokio::test]
async fn an_album_is_one_message_however_its_parts_come() {
    let bench = Bench::start().await;
    let ids: Vec<String> = (1..=3)
        .map(|n| {
            bench
                .fake
                .file(&format!("{n}.txt"), format!("file {n}").as_bytes())
        })
        .collect();
    let mut first = part("1.txt", &ids[0]);
    first["caption"] = "all three".into();
    bench.fake.say_after(2, ANN, ANN, part("2.txt", &ids[1]));
    bench.fake.say_after(3, ANN, ANN, part("3.txt", &ids[2]));
    bench.fake.say(ANN, ANN, first);
    let event = bench.event(1).await;
    let names: Vec<&str> = event
        .attachments
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(event.text, "all three");
    bench.fake.say(ANN, ANN, json!({ "text": "and now?" }));
    let texts: Vec<String> = bench.events(2).await.into_iter().map(|e| e.text).collect();
    assert_eq!(texts, ["all three", "and now?"]);
    bench.stop().await;
}

#[tokio::test]
async fn two_albums_at_once_stay_apart() {
    let bench = Bench::start().await;
    let id = bench.fake.file("f", b"f");
    for group in ["x", "y"] {
        for n in 0..2 {
            let mut fields = part(&format!("{group}{n}"), &id);
            fields["media_group_id"] = group.into();
            bench.fake.say(ANN, ANN, fields);
        }
    }
    let names: Vec<Vec<String>> = bench
        .events(2)
        .await
        .into_iter()
        .map(|event| {
            event
                .attachments
                .into_iter()
                .map(|file| file.name)
                .collect()
        })
        .collect();
    assert_eq!(names, [["x0", "x1"], ["y0", "y1"]]);
    bench.stop().await;
}

/// The reference kept its offset in memory, and moved it before anything was stored.
#[tokio::test]
async fn the_offset_moves_only_past_what_was_accepted() {
    let bench = Bench::start().await;
    bench.intake.block();
    let number = bench.fake.say(ANN, ANN, json!({ "text": "one" }));
    let update = bench.fake.update_of(ANN, number).unwrap();
    assert!(bench.intake.until(PATIENCE, |now| now.offered == 1).await);
    let (fake, cursors) = bench.stop().await;
    assert!(!fake.is_confirmed(update));
    let bench = Bench::on(fake, cursors, None);
    assert_eq!(bench.event(1).await.text, "one");
    let confirmed = bench.fake.until(PATIENCE, |fake| fake.is_confirmed(update));
    assert!(confirmed.await);
    let (fake, cursors) = bench.stop().await;
    let bench = Bench::on(fake, cursors, None);
    bench.fake.say(ANN, ANN, json!({ "text": "two" }));
    assert_eq!(bench.event(1).await.text, "two");
    bench.stop().await;
}

#[tokio::test]
async fn who_is_refused_is_told() {
    let bench = Bench::start().await;
    let refusal = IntakeAnswer::Refuse("it is too long".to_owned());
    bench.intake.answer_next(refusal);
    let number = bench.fake.say(ANN, ANN, json!({ "text": "one" }));
    let told = |fake: &crate::fake::FakeTelegram| !fake.seen(ANN, None).is_empty();
    assert!(bench.fake.until(PATIENCE, told).await);
    let shown = bench.fake.seen(ANN, None).remove(0);
    assert_eq!(shown.text, "⚙ This message was not taken: it is too long");
    assert_eq!(shown.reply_to, Some(number));
    bench.stop().await;
}

/// In a group, what somebody makes of the bot's words is for the bot, and nothing else is.
#[tokio::test]
async fn a_reaction_to_the_bot_is_for_the_bot() {
    let bench = Bench::start().await;
    let number = bench.fake.say(FORUM, ANN, json!({ "text": "hi" }));
    let sent = bench.send(FORUM, None, &post("hello")).await.unwrap();
    let own: i64 = sent.message_id.unwrap().as_str().parse().unwrap();
    for number in [own, number] {
        bench.fake.react(FORUM, number, ANN, &["👍"]);
    }
    let events = bench.events(3).await;
    let addressed: Vec<bool> = events.iter().map(|event| event.addressed).collect();
    assert_eq!(addressed, [false, true, false]);
    bench.stop().await;
}

#[tokio::test]
async fn a_post_of_a_channel_is_the_channels() {
    let bench = Bench::start().await;
    let channel = json!({ "id": -1_001_000_000_555_i64, "type": "channel", "title": "News" });
    bench.fake.chat(channel.clone());
    let fields = json!({ "text": "news", "sender_chat": channel });
    bench.fake.say(-1_001_000_000_555, ANN, fields);
    let event = bench.event(1).await;
    assert_eq!(event.what, What::Message);
    assert_eq!(event.sender.handle.as_str(), "-1001000000555");
    bench.stop().await;
}

/// What nobody here can read is passed over, and what comes after it is not lost with it.
#[tokio::test]
async fn an_update_of_an_unknown_kind_is_passed_over() {
    let bench = Bench::start().await;
    bench
        .fake
        .tell("purchased_paid_media", &json!({ "from": {} }));
    bench
        .fake
        .tell("message", &json!({ "message_id": "no number" }));
    bench.fake.say(ANN, ANN, json!({ "text": "well" }));
    assert_eq!(bench.event(1).await.text, "well");
    bench.stop().await;
}
