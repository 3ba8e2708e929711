//! The fake Bot API server with one person on it, for a client that others wrote.
//!
//! Prints its address, lets the person talk to whatever bot polls there, and ends well when every
//! answer was the right one: then the server is what that client takes for Telegram.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for tests, which fails by panicking"
)]

use std::time::Duration;

use anchorhold_channel_telegram::fake::{FORUM, FakeTelegram, TOKEN, TOPIC};
use serde_json::json;

const ANN: i64 = 1001;
/// How long the client may take for each thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the bot has said this, with markup as it was sent.
async fn hears(fake: &FakeTelegram, (chat, topic): (i64, Option<i64>), source: &str) -> i64 {
    let found = |fake: &FakeTelegram| {
        let mut seen = fake.seen(chat, topic).into_iter();
        seen.find(|shown| shown.source == source)
            .map(|shown| shown.number)
    };
    let heard = fake.until(PATIENCE, |fake| found(fake).is_some()).await;
    match found(fake) {
        Some(number) if heard => number,
        _ => panic!("{source:?} was not said, but {:?}", fake.seen(chat, topic)),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let fake = FakeTelegram::start().await.unwrap();
    println!("{} {TOKEN}", fake.base());
    fake.say(ANN, ANN, json!({ "text": "ping" }));
    hears(&fake, (ANN, None), "<b>pong</b>").await;

    let topic = json!({ "text": "ping", "message_thread_id": TOPIC, "is_topic_message": true });
    fake.say(FORUM, ANN, topic);
    hears(&fake, (FORUM, Some(TOPIC)), "<b>pong</b>").await;

    let id = fake.file("notes.txt", b"seven b");
    let document = json!({ "file_id": id, "file_unique_id": "u", "file_name": "notes.txt" });
    fake.say(ANN, ANN, json!({ "document": document }));
    hears(&fake, (ANN, None), "7 bytes").await;

    let number = fake.say(ANN, ANN, json!({ "text": "ask" }));
    let asked = hears(&fake, (ANN, None), "which?").await;
    fake.press(ANN, asked, ANN, "b");
    hears(&fake, (ANN, None), "chosen: b").await;

    fake.revise(ANN, number, json!({ "text": "edited" }));
    hears(&fake, (ANN, None), "you edited it").await;
    fake.react(ANN, number, ANN, &["👍"]);
    hears(&fake, (ANN, None), "👍").await;
    assert_eq!(fake.reactions(ANN)[&number], ["🔥"]);
}
