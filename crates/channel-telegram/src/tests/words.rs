//! Text on its way out: markup, limits, edits, reactions, questions.

use anchorhold_channel::{ChannelError, Sent, fake::question_id, fit::fit};
use anchorhold_core::{
    ids::PlatformMessageId,
    outbound::{OPTIONS_LIMIT, OutboundFile, OutboundOp, Question, Voice},
};

use super::{
    PATIENCE,
    bench::{Bench, post},
    harness::ANN,
};
use crate::{
    adapter::{CAPTION, TEXT},
    fake::FakeTelegram,
};

async fn sent(bench: &Bench, op: &OutboundOp) -> PlatformMessageId {
    let Sent { message_id } = bench.send(ANN, None, op).await.unwrap();
    message_id.unwrap()
}

#[tokio::test]
async fn markup_is_seen_as_markup() {
    let bench = Bench::start().await;
    sent(
        &bench,
        &post("**Done** in `src/`, see <b> & [here](https://a.example/?a&b)"),
    )
    .await;
    let shown = bench.fake.seen(ANN, None).remove(0);
    assert_eq!(shown.text, "Done in src/, see <b> & here");
    assert_eq!(
        shown.source,
        "<b>Done</b> in <code>src/</code>, see &lt;b&gt; &amp; \
         <a href=\"https://a.example/?a&amp;b\">here</a>"
    );
    let call = bench.fake.calls("sendMessage").remove(0);
    // What an agent links to is fetched by nobody.
    assert_eq!(call["link_preview_options"]["is_disabled"], true);
    bench.stop().await;
}

/// Telegram counts UTF-16 units after it has read the markup; every part is within that.
#[tokio::test]
async fn a_long_text_comes_in_parts_that_telegram_takes() {
    let bench = Bench::start().await;
    let code = "let 😀 = \"&<>\";\n".repeat(400);
    let text = format!(
        "{}\n\n```rust\n{code}```\n\n{}",
        "*word* ".repeat(900),
        "😀".repeat(3_000)
    );
    let parts = fit(&text, TEXT);
    assert!(parts.len() > 3);
    for part in &parts {
        sent(&bench, &post(part)).await;
    }
    let shown = bench.fake.seen(ANN, None);
    assert_eq!(shown.len(), parts.len());
    let emoji: usize = shown
        .iter()
        .map(|shown| shown.text.matches('😀').count())
        .sum();
    assert_eq!(emoji, 3_400);
    let blocks =
        |shown: &crate::fake::Shown| shown.source.contains("<code class=\"language-rust\">");
    assert!(shown.iter().filter(|shown| blocks(shown)).count() >= 2);
    bench.stop().await;
}

/// Markup that makes a text longer than it may be is left out: the text is not.
#[tokio::test]
async fn what_does_not_fit_with_its_markup_comes_without() {
    let bench = Bench::start().await;
    let rows = format!("| {} | b |\n", "x".repeat(38)).to_owned() + &"| c | d |\n".repeat(390);
    let table = rows.replacen('\n', "\n|---|---|\n", 1);
    assert_eq!(fit(&table, TEXT).len(), 1);
    sent(&bench, &post(&table)).await;
    let shown = bench.fake.seen(ANN, None).remove(0);
    assert_eq!(shown.text, table.trim());
    bench.stop().await;
}

/// What Telegram can't read, or would show nothing of, is sent as it is.
#[tokio::test]
async fn markup_that_is_refused_costs_the_markup_and_not_the_words() {
    let bench = Bench::start().await;
    bench.fake.refuse_markup();
    sent(&bench, &post("**one**")).await;
    sent(&bench, &post("**two**")).await;
    sent(&bench, &post("#")).await;
    assert_eq!(bench.texts(ANN, None), ["**one**", "two", "#"]);
    bench.stop().await;
}

#[tokio::test]
async fn the_host_is_not_the_agent() {
    let bench = Bench::start().await;
    let mut op = post("wait");
    if let OutboundOp::Post { voice, .. } = &mut op {
        *voice = Voice::Host;
    }
    sent(&bench, &op).await;
    assert_eq!(bench.texts(ANN, None), ["⚙ wait"]);
    bench.stop().await;
}

#[tokio::test]
async fn an_edit_changes_a_text_or_a_caption() {
    let bench = Bench::start().await;
    let text = sent(&bench, &post("one")).await;
    let mut op = post("two");
    if let OutboundOp::Post { files, .. } = &mut op {
        files.push(OutboundFile {
            name: "a.txt".to_owned(),
            content: b"a".to_vec(),
        });
    }
    let file = sent(&bench, &op).await;
    for (target, text) in [(text, "**first**"), (file, "second")] {
        let text = text.to_owned();
        let edit = OutboundOp::Edit { target, text };
        for _ in 0..2 {
            bench.send(ANN, None, &edit).await.unwrap();
        }
    }
    assert_eq!(bench.texts(ANN, None), ["first", "second"]);
    bench.stop().await;
}

/// Of the reference: operations on an inbound message named it with something behind its id, and every
/// platform said no.
#[tokio::test]
async fn defect_30_what_a_person_said_can_be_reacted_to_and_answered() {
    let bench = Bench::start().await;
    let number = bench
        .fake
        .say(ANN, ANN, serde_json::json!({ "text": "hi" }));
    bench
        .fake
        .revise(ANN, number, serde_json::json!({ "text": "hi there" }));
    for event in bench.events(2).await {
        let react = OutboundOp::React {
            target: event.message_id.clone(),
            emoji: "🔥".to_owned(),
        };
        bench.send(ANN, None, &react).await.unwrap();
        let mut answer = post("hello");
        if let OutboundOp::Post { reply_to, .. } = &mut answer {
            *reply_to = Some(event.message_id);
        }
        sent(&bench, &answer).await;
    }
    assert_eq!(bench.fake.reactions(ANN)[&number], ["🔥"]);
    for shown in bench.fake.seen(ANN, None) {
        assert_eq!(shown.reply_to, Some(number));
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_reaction_that_telegram_does_not_have_is_refused_here() {
    let bench = Bench::start().await;
    let target = sent(&bench, &post("hm")).await;
    let emoji = "✅".to_owned();
    let refused = bench
        .send(ANN, None, &OutboundOp::React { target, emoji })
        .await;
    assert!(
        matches!(refused, Err(ChannelError::Permanent { .. })),
        "{refused:?}"
    );
    assert_eq!(bench.fake.calls("setMessageReaction").len(), 0);
    bench.stop().await;
}

#[tokio::test]
async fn what_is_gone_already_is_taken_back() {
    let bench = Bench::start().await;
    let target = sent(&bench, &post("oops")).await;
    let delete = OutboundOp::Delete { target };
    for _ in 0..2 {
        bench.send(ANN, None, &delete).await.unwrap();
    }
    assert_eq!(bench.texts(ANN, None), Vec::<String>::new());
    bench.stop().await;
}

fn question(options: usize) -> Question {
    Question {
        id: question_id(1),
        title: "Deploy <now>?".to_owned(),
        text: "It takes *long*.".to_owned(),
        options: (0..options).map(|n| format!("option {n}")).collect(),
    }
}

#[tokio::test]
async fn a_question_is_asked_with_buttons_and_shows_what_was_chosen() {
    let bench = Bench::start().await;
    let number = sent(&bench, &OutboundOp::Ask(question(OPTIONS_LIMIT))).await;
    let shown = bench.fake.seen(ANN, None).remove(0);
    assert_eq!(shown.text, "Deploy <now>?\n\nIt takes long.");
    let rows = shown.keyboard["inline_keyboard"]
        .as_array()
        .unwrap()
        .clone();
    assert_eq!(rows.len(), OPTIONS_LIMIT);
    let number: i64 = number.as_str().parse().unwrap();
    let data = rows[3][0]["callback_data"].as_str().unwrap();
    bench.fake.press(ANN, number, ANN, data);
    let settled = |fake: &FakeTelegram| {
        let shown = fake.seen(ANN, None).remove(0);
        shown.keyboard["inline_keyboard"][0][0]["text"] == "✓ option 3"
    };
    assert!(bench.fake.until(PATIENCE, settled).await);
    let answers = bench.intake.answers();
    assert_eq!(
        (answers[0].question, answers[0].option),
        (question_id(1), 3)
    );
    let told = bench.fake.calls("answerCallbackQuery").remove(0);
    assert_eq!(told["text"], "taken");
    bench.stop().await;
}

/// Of the reference: whoever reached a port of this machine could press any button. Here a click comes
/// only from Telegram, over the bot's own poll, and the host judges who pressed.
#[tokio::test]
async fn defect_6_a_button_that_is_not_ours_is_no_answer() {
    let bench = Bench::start().await;
    let number = sent(&bench, &OutboundOp::Ask(question(2))).await;
    let number: i64 = number.as_str().parse().unwrap();
    for data in [
        "q:forged:0",
        "",
        "q:00000000-0000-0000-0000-000000000000:99",
    ] {
        bench.fake.press(ANN, number, ANN, data);
    }
    let told = |fake: &FakeTelegram| fake.calls("answerCallbackQuery").len() == 3;
    assert!(bench.fake.until(PATIENCE, told).await);
    assert_eq!(bench.intake.answers(), []);
    bench.stop().await;
}

#[test]
fn a_caption_is_shorter_than_a_text() {
    let text = "x".repeat(1_025);
    assert_eq!(fit(&text, TEXT).len(), 1);
    assert_eq!(fit(&text, CAPTION).len(), 2);
}
