//! Telegram.

use anchorhold_channel_telegram::fake::{BOT_NAME, FORUM, FakeTelegram, TOKEN, TOPIC};
use serde_json::{Value, json};

use crate::harness::{Place, until};

const ANN: i64 = 1001;

async fn start() -> (FakeTelegram, Place) {
    let fake = FakeTelegram::start().await.unwrap();
    let channel = format!(
        "type = \"telegram\"\ntoken = \"env:TELEGRAM_TOKEN\"\napi = \"{}\"",
        fake.base()
    );
    let mut place = Place::new(&channel, &[("TELEGRAM_TOKEN", TOKEN)]);
    place.start();
    (fake, place)
}

/// Waits until the bot has said this in a chat, or in a topic of it.
async fn hears(fake: &FakeTelegram, place: &Place, (chat, topic): (i64, Option<i64>), text: &str) {
    let seen = || {
        fake.seen(chat, topic)
            .iter()
            .any(|shown| shown.text.contains(text))
    };
    let what = format!("{text}\n{}", place.log());
    until(&what, seen).await;
}

#[tokio::test]
async fn a_message_is_answered_and_what_came_meanwhile_after_a_restart() {
    let (fake, mut place) = start().await;
    let first = fake.say(ANN, ANN, json!({ "text": "hello" }));
    hears(&fake, &place, (ANN, None), "You wrote: “hello”").await;
    assert_eq!(fake.seen(ANN, None)[0].reply_to, Some(first));
    fake.revise(ANN, first, json!({ "text": "hello there" }));
    hears(
        &fake,
        &place,
        (ANN, None),
        "You changed message #2 to: “hello there”",
    )
    .await;
    place.stop().await;
    fake.say(ANN, ANN, json!({ "text": "while you were away" }));
    place.start();
    hears(&fake, &place, (ANN, None), "“while you were away”").await;
    place.stop().await;
    assert_eq!(fake.seen(ANN, None).len(), 3);
    assert!(!place.log().contains(TOKEN), "the token is in the log");
}

#[tokio::test]
async fn a_topic_is_answered_in_the_topic() {
    let (fake, mut place) = start().await;
    let name = format!("@{BOT_NAME}");
    let mention = json!({ "type": "mention", "offset": 0, "length": name.len() });
    fake.say(
        FORUM,
        ANN,
        json!({
            "text": format!("{name} hello"), "entities": [mention],
            "message_thread_id": TOPIC, "is_topic_message": true,
        }),
    );
    hears(&fake, &place, (FORUM, Some(TOPIC)), "hello").await;
    assert_eq!(fake.seen(FORUM, None).len(), 0);
    place.stop().await;
}

#[tokio::test]
async fn files_questions_and_long_answers_go_the_whole_way() {
    let (fake, mut place) = start().await;
    let id = fake.file("notes.txt", b"some notes");
    let document = json!({ "file_id": id, "file_unique_id": "u", "file_name": "notes.txt" });
    fake.say(ANN, ANN, json!({ "document": document, "caption": "here" }));
    hears(&fake, &place, (ANN, None), "You sent one file.").await;

    let text =
        "!sh echo report > r.txt\n!tool send_file {\"path\": \"r.txt\", \"text\": \"Done.\"}";
    fake.say(ANN, ANN, json!({ "text": text }));
    let file = || {
        fake.seen(ANN, None)
            .into_iter()
            .find_map(|shown| shown.file)
    };
    until("a file", || file().is_some()).await;
    assert_eq!(file().unwrap().content, b"report\n");
    assert_eq!(file().unwrap().name, "r.txt");

    let ask = "!tool ask_question {\"title\": \"Deploy?\", \"options\": [\"yes\", \"no\"]}";
    fake.say(ANN, ANN, json!({ "text": ask }));
    let asked = || {
        fake.seen(ANN, None)
            .into_iter()
            .find(|shown| shown.text == "Deploy?")
    };
    until("a question", || asked().is_some()).await;
    let asked = asked().unwrap();
    let data = asked.keyboard["inline_keyboard"][1][0]["callback_data"].clone();
    fake.press(ANN, asked.number, ANN, data.as_str().unwrap());
    hears(&fake, &place, (ANN, None), ": no").await;
    let pressed: Vec<Value> = fake.calls("answerCallbackQuery");
    assert_eq!(pressed.len(), 1);

    fake.say(ANN, ANN, json!({ "text": "!big 10000" }));
    let digits = || {
        let long = fake.seen(ANN, None).into_iter().map(|shown| shown.text);
        let long = long.filter(|text| text.starts_with("0123456789") || text.len() > 1_000);
        long.map(|text| text.len()).sum::<usize>()
    };
    until("ten thousand digits", || digits() == 10_000).await;
    place.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_the_bot_is() {
    let (_fake, mut place) = start().await;
    let probed = place.cli(&["channels", "probe", "c"]).await;
    let said = String::from_utf8(probed.stdout).unwrap();
    assert!(
        said.starts_with(&format!("c is @{BOT_NAME} (4242)\n")),
        "{said}"
    );
    let wrong = place.cli(&["channels", "probe", "d"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    place.stop().await;
}
