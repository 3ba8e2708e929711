//! Clicks, and how soon they are answered.

use anchorhold_channel::fake::{IntakeAnswer, question_id};
use anchorhold_core::outbound::{OutboundOp, Question};
use serde_json::{Value, json};

use super::{
    PATIENCE,
    bench::Bench,
    harness::{ANN, BOB},
};
use crate::{
    buttons,
    fake::{FakeDiscord, GENERAL, THREAD},
};

/// Asks in a chat; gives the message's id.
async fn ask(bench: &Bench, chat: u64) -> u64 {
    let question = Question {
        id: question_id(1),
        title: "Deploy?".to_owned(),
        text: String::new(),
        options: vec!["yes".to_owned(), "no".to_owned()],
    };
    let sent = bench.send(chat, &OutboundOp::Ask(question), 1).await;
    sent.unwrap().message_id.unwrap().as_str().parse().unwrap()
}

async fn answers(bench: &Bench, click: u64, count: usize) -> Vec<Value> {
    bench
        .until(|fake: &FakeDiscord| fake.answers(click).len() >= count)
        .await;
    bench.fake.answers(click)
}

#[tokio::test]
async fn a_click_is_answered_to_who_clicked_and_shows_what_was_chosen() {
    let bench = Bench::start().await;
    let asked = ask(&bench, GENERAL).await;
    let no = buttons::id(question_id(1), 1);
    let click = bench.fake.press(GENERAL, asked, BOB, &no);
    let told = answers(&bench, click, 1).await.remove(0);
    assert_eq!(told["type"], 4);
    assert_eq!(told["data"]["content"], "taken");
    assert_eq!(told["data"]["flags"], 64, "shown to nobody else");
    let label = |fake: &FakeDiscord| {
        let shown = fake.seen(GENERAL).remove(0);
        shown.components[0]["components"][0]["label"].clone()
    };
    bench.until(|fake| label(fake) == "✓ no").await;
    let answer = bench.intake.answers().remove(0);
    assert_eq!((answer.question, answer.option), (question_id(1), 1));
    assert_eq!(answer.sender.handle.as_str(), BOB.to_string());
    assert_eq!(answer.address, super::bench::address(GENERAL, None));
    bench.stop().await;
}

/// A thread is told from the channel that it is in.
#[tokio::test]
async fn a_click_in_a_thread_comes_from_there() {
    let bench = Bench::start().await;
    let asked = ask(&bench, THREAD).await;
    let yes = buttons::id(question_id(1), 0);
    bench.fake.press(THREAD, asked, ANN, &yes);
    assert!(
        bench
            .intake
            .until(PATIENCE, |now| now.answers.len() == 1)
            .await
    );
    let answer = bench.intake.answers().remove(0);
    assert_eq!(answer.address, super::bench::address(GENERAL, Some(THREAD)));
    bench.stop().await;
}

/// Discord gives three seconds. A host that needs longer, and messages that wait for it, make no click
/// fail: first there is a sign, then what came of it.
#[tokio::test]
async fn a_click_does_not_wait_for_a_slow_host() {
    let bench = Bench::start().await;
    let asked = ask(&bench, GENERAL).await;
    bench.intake.block();
    bench.fake.say(GENERAL, ANN, json!({ "content": "first" }));
    let yes = buttons::id(question_id(1), 0);
    let click = bench.fake.press(GENERAL, asked, ANN, &yes);
    let sign = answers(&bench, click, 1).await.remove(0);
    assert_eq!(sign, json!({ "type": 6 }));
    bench.intake.unblock();
    let told = answers(&bench, click, 2).await.remove(1);
    assert_eq!(
        (&told["content"], &told["flags"]),
        (&json!("taken"), &json!(64))
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_click_that_can_not_be_judged_now_can_be_made_again() {
    let bench = Bench::start().await;
    let asked = ask(&bench, GENERAL).await;
    bench.intake.answer_next(IntakeAnswer::Unavailable);
    let yes = buttons::id(question_id(1), 0);
    let click = bench.fake.press(GENERAL, asked, ANN, &yes);
    let told = answers(&bench, click, 1).await.remove(0);
    let text = told["data"]["content"].as_str().unwrap();
    assert!(text.contains("press it again"), "{text}");
    let label = &bench.fake.seen(GENERAL)[0].components[0]["components"][0]["label"];
    assert_eq!(label, "yes", "the buttons stay");
    bench.stop().await;
}

/// Of the reference: whoever reached a port of this machine could press any button. Here a click comes
/// only from Discord, over the bot's own connection, and the host judges who pressed.
#[tokio::test]
async fn defect_6_a_button_that_is_not_ours_is_no_answer() {
    let bench = Bench::start().await;
    let asked = ask(&bench, GENERAL).await;
    let forged = [
        "q:forged:0",
        "",
        "q:00000000-0000-0000-0000-000000000000:99",
    ];
    for id in forged {
        let click = bench.fake.press(GENERAL, asked, ANN, id);
        let told = answers(&bench, click, 1).await.remove(0);
        let text = told["data"]["content"].as_str().unwrap();
        assert!(text.contains("no meaning"), "{text}");
    }
    assert_eq!(bench.intake.answers(), []);
    bench.stop().await;
}
