//! Text, files and reactions on their way out.

use anchorhold_channel::{
    ChannelAdapter as _, ChannelError, Sent,
    fake::{part_key, question_id},
    fit::fit,
};
use anchorhold_core::{
    ids::PlatformMessageId,
    outbound::{OPTIONS_LIMIT, OutboundFile, OutboundOp, Question, Voice},
};
use serde_json::json;

use super::{
    bench::{Bench, adapter, address, late_adapter, post},
    harness::{ANN, BOB},
};
use crate::{adapter::TEXT, fake::GENERAL};

async fn sent(bench: &Bench, op: &OutboundOp, key: u32) -> PlatformMessageId {
    let Sent { message_id } = bench.send(GENERAL, op, key).await.unwrap();
    message_id.unwrap()
}

/// Nobody is notified whom the agent does not name, whatever the text says.
#[tokio::test]
async fn only_who_is_named_is_notified() {
    let bench = Bench::start().await;
    let text = format!("@everyone @here <@&7> person{ANN}, ask <@{BOB}> or <@!{BOB}>");
    sent(&bench, &post(&text), 1).await;
    let mut op = post(&format!("<@{BOB}> wait"));
    if let OutboundOp::Post { voice, .. } = &mut op {
        *voice = Voice::Host;
    }
    sent(&bench, &op, 2).await;
    let shown = bench.fake.seen(GENERAL);
    assert_eq!(shown[0].text, text);
    let allowed =
        |users: serde_json::Value| json!({ "parse": [], "users": users, "replied_user": false });
    assert_eq!(
        shown[0].asked["allowed_mentions"],
        allowed(json!([BOB.to_string()]))
    );
    assert_eq!(shown[1].text, format!("⚙ <@{BOB}> wait"));
    assert_eq!(shown[1].asked["allowed_mentions"], allowed(json!([])));
    // What an agent links to is fetched by nobody.
    assert_eq!(shown[0].asked["flags"], 4);
    bench.stop().await;
}

/// The reference cut texts off at 2,000 characters.
#[tokio::test]
async fn a_long_text_comes_in_parts_that_discord_takes() {
    let bench = Bench::start().await;
    let code = "let 😀 = \"&<>\";\n".repeat(300);
    let text = format!("{}\n\n```rust\n{code}```\n\nend", "*word* ".repeat(900));
    let parts = fit(&text, TEXT);
    assert!(parts.len() > 4);
    for (key, part) in (1..).zip(&parts) {
        sent(&bench, &post(part), key).await;
    }
    let shown = bench.fake.seen(GENERAL);
    let emoji = |shown: &crate::fake::Shown| shown.text.matches('😀').count();
    assert_eq!(shown.iter().map(emoji).sum::<usize>(), 300);
    for shown in &shown {
        assert_eq!(shown.text.matches("```").count() % 2, 0, "{}", shown.text);
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_table_is_shown_in_columns() {
    let bench = Bench::start().await;
    let table = "Here:\n\n| a | b |\n|---|---|\n| one | 2 |\n\nThat is all.";
    sent(&bench, &post(table), 1).await;
    let shown = bench.fake.seen(GENERAL).remove(0);
    assert_eq!(
        shown.text,
        "Here:\n\n```\na   │ b\n────┼──\none │ 2\n```\n\nThat is all."
    );
    bench.stop().await;
}

/// A second try of the same, also by another process, is the same message: by its nonce.
#[tokio::test]
async fn a_nonce_makes_a_second_try_the_same_message() {
    let bench = Bench::start().await;
    let first = sent(&bench, &post("once"), 1).await;
    let restarted = adapter(&bench.fake);
    let to = address(GENERAL, None);
    let again = restarted.send(&to, &post("once"), part_key(1)).await;
    assert_eq!(again.unwrap().message_id, Some(first));
    sent(&bench, &post("once"), 2).await;
    let shown = bench.fake.seen(GENERAL);
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0].asked["enforce_nonce"], true);
    assert_ne!(shown[0].asked["nonce"], shown[1].asked["nonce"]);
    bench.stop().await;
}

/// Discord forgets nonces after some minutes: what is tried again after that is looked for first.
#[tokio::test]
async fn a_try_that_comes_late_finds_the_message_that_is_there() {
    let bench = Bench::start().await;
    for (key, text) in [(1, "over and over"), (2, "over and over")] {
        sent(&bench, &post(text), key).await;
    }
    bench.fake.forget_nonces();
    let restarted = late_adapter(&bench.fake);
    let to = address(GENERAL, None);
    let again = restarted
        .send(&to, &post("over and over"), part_key(1))
        .await;
    assert!(again.unwrap().message_id.is_some());
    let other = restarted
        .send(&to, &post("something else"), part_key(3))
        .await;
    assert!(other.unwrap().message_id.is_some());
    assert_eq!(bench.fake.seen(GENERAL).len(), 3);
    bench.stop().await;
}

#[tokio::test]
async fn an_answer_shows_what_it_answers_also_when_that_is_gone() {
    let bench = Bench::start().await;
    let said = bench.fake.say(GENERAL, ANN, json!({ "content": "hi" }));
    let target = bench.event(1).await.message_id;
    for (key, to) in [(1, target), (2, PlatformMessageId::parse("77").unwrap())] {
        let mut op = post("hello");
        if let OutboundOp::Post { reply_to, .. } = &mut op {
            *reply_to = Some(to);
        }
        sent(&bench, &op, key).await;
    }
    let shown = bench.fake.seen(GENERAL);
    assert_eq!(shown[0].reply_to, Some(said));
    assert_eq!(shown[1].reply_to, None);
    bench.stop().await;
}

/// Of the reference: operations on an inbound message named it with something behind its id, and every
/// platform said no.
#[tokio::test]
async fn defect_30_what_a_person_said_can_be_reacted_to_and_answered() {
    let bench = Bench::start().await;
    let said = bench.fake.say(GENERAL, ANN, json!({ "content": "hi" }));
    bench
        .fake
        .revise(GENERAL, said, json!({ "content": "hi there" }));
    bench.fake.react(GENERAL, said, ANN, "👍");
    for (key, event) in (1..).zip(bench.events(3).await) {
        let react = OutboundOp::React {
            target: event.message_id.clone(),
            emoji: "🔥".to_owned(),
        };
        bench.send(GENERAL, &react, key).await.unwrap();
        let mut answer = post(&format!("hello {key}"));
        if let OutboundOp::Post { reply_to, .. } = &mut answer {
            *reply_to = Some(event.message_id);
        }
        sent(&bench, &answer, key).await;
    }
    assert_eq!(bench.fake.reactions(GENERAL, said), ["🔥"]);
    for shown in bench.fake.seen(GENERAL) {
        assert_eq!(shown.reply_to, Some(said));
    }
    bench.stop().await;
}

#[tokio::test]
async fn an_emoji_is_what_discord_takes_for_one() {
    let bench = Bench::start().await;
    let target = sent(&bench, &post("hm"), 1).await;
    let react = |emoji: &str| OutboundOp::React {
        target: target.clone(),
        emoji: emoji.to_owned(),
    };
    bench.send(GENERAL, &react("❤"), 2).await.unwrap();
    let number = target.as_str().parse().unwrap();
    assert_eq!(bench.fake.reactions(GENERAL, number), ["❤\u{fe0f}"]);
    for emoji in ["thumbsup", "", "../../typing"] {
        let refused = bench.send(GENERAL, &react(emoji), 3).await;
        assert!(
            matches!(refused, Err(ChannelError::Permanent { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(bench.fake.calls("POST", "/channels").len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn files_go_with_their_text_in_one_message() {
    let bench = Bench::start().await;
    let mut op = post("both");
    let file = |name: &str| OutboundFile {
        name: name.to_owned(),
        content: name.as_bytes().to_vec(),
    };
    if let OutboundOp::Post { files, .. } = &mut op {
        files.extend([file("a.txt"), file("b ü.txt")]);
    }
    sent(&bench, &op, 1).await;
    let shown = bench.fake.seen(GENERAL).remove(0);
    assert_eq!(shown.text, "both");
    let names: Vec<&str> = shown.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["a.txt", "b ü.txt"]);
    assert_eq!(shown.files[1].content, "b ü.txt".as_bytes());
    bench.stop().await;
}

/// Discord shows it for ten seconds, and a message ends it: no more requests than are seen.
#[tokio::test]
async fn typing_is_asked_for_as_often_as_it_is_seen() {
    let bench = Bench::start().await;
    let typed = |fake: &crate::fake::FakeDiscord| {
        fake.calls("POST", &format!("/channels/{GENERAL}/typing"))
            .len()
    };
    for _ in 0..3 {
        bench.send(GENERAL, &OutboundOp::Typing, 1).await.unwrap();
    }
    assert_eq!(typed(&bench.fake), 1);
    sent(&bench, &post("there"), 2).await;
    bench.send(GENERAL, &OutboundOp::Typing, 3).await.unwrap();
    assert_eq!(typed(&bench.fake), 2);
    bench.stop().await;
}

#[tokio::test]
async fn what_is_gone_already_is_taken_back() {
    let bench = Bench::start().await;
    let target = sent(&bench, &post("oops"), 1).await;
    let delete = OutboundOp::Delete { target };
    for _ in 0..2 {
        bench.send(GENERAL, &delete, 2).await.unwrap();
    }
    assert_eq!(bench.fake.seen(GENERAL), []);
    bench.stop().await;
}

/// A question with as many options as there can be, each as long as it can be, is still one message.
#[tokio::test]
async fn a_question_has_a_button_for_each_option() {
    let bench = Bench::start().await;
    let question = Question {
        id: question_id(1),
        title: "Deploy <now>?".to_owned(),
        text: "It takes *long*.".to_owned(),
        options: (0..OPTIONS_LIMIT)
            .map(|n| format!("{n} {}", "😀".repeat(45)))
            .collect(),
    };
    sent(&bench, &OutboundOp::Ask(question), 1).await;
    let shown = bench.fake.seen(GENERAL).remove(0);
    assert_eq!(shown.text, "**Deploy <now>?**\n\nIt takes *long*.");
    assert_eq!(shown.components.as_array().unwrap().len(), 4);
    let label = shown.components[0]["components"][0]["label"]
        .as_str()
        .unwrap();
    assert!(label.ends_with("😀…"), "{label}");
    bench.stop().await;
}

#[tokio::test]
async fn what_discord_refuses_is_said_in_plain_words() {
    let bench = Bench::start().await;
    let nowhere = bench.send(4, &post("secret words"), 1).await.unwrap_err();
    assert_eq!(
        nowhere.to_string(),
        "refused for good: Discord says: there is no such channel, or the bot can't see it \
         (status 404, code 10003)"
    );
    let to = address(GENERAL, Some(u64::MAX));
    let thread = bench.adapter.send(&to, &post("x"), part_key(2)).await;
    assert!(
        matches!(thread, Err(ChannelError::Permanent { .. })),
        "{thread:?}"
    );
    bench.stop().await;
}
