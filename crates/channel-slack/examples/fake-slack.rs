//! The fake workspace with one person in it, for a client that others wrote.
//!
//! Prints its address and the tokens, lets the person talk to whatever app listens there, and ends well
//! when every answer was the right one: then the workspace is what that client takes for Slack.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for tests, which fails by panicking"
)]

use std::time::Duration;

use anchorhold_channel_slack::fake::{
    APP_TOKEN, BOT, BOT_TOKEN, CHANNEL, FakeSlack, Shown, direct,
};
use serde_json::json;

const ANN: &str = "U0ANN";
/// How long the client may take for each thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the bot has said this, with markup as it was sent.
async fn hears(fake: &FakeSlack, (chat, thread): (&str, Option<&str>), source: &str) -> Shown {
    let found = |fake: &FakeSlack| {
        let mut seen = fake.seen(chat, thread).into_iter();
        seen.find(|shown| shown.source == source)
    };
    let heard = fake.until(PATIENCE, |fake| found(fake).is_some()).await;
    match found(fake) {
        Some(shown) if heard => shown,
        _ => panic!("{source:?} was not said, but {:?}", fake.seen(chat, thread)),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let fake = FakeSlack::start().await.unwrap();
    println!("{} {BOT_TOKEN} {APP_TOKEN}", fake.base());
    let chat = direct(ANN);
    let here = (chat.as_str(), None);
    let first = fake.say(&chat, ANN, json!({ "text": "ping" }));
    hears(&fake, here, "*pong* Person ann").await;

    let ts = fake.say(CHANNEL, ANN, json!({ "text": format!("<@{BOT}> ping") }));
    hears(&fake, (CHANNEL, Some(&ts)), "you named me").await;

    let file = fake.file("notes.txt", "text/plain", b"seven b");
    let shared = json!({ "subtype": "file_share", "text": "", "files": [file] });
    fake.say(&chat, ANN, shared);
    hears(&fake, here, "7 bytes").await;
    let back = hears(&fake, here, "here it is").await;
    assert_eq!(back.files[0].content, b"seven b");

    fake.say(&chat, ANN, json!({ "text": "ask" }));
    let asked = hears(&fake, here, "which?").await;
    fake.press(&chat, &asked.ts, ANN, "pick_b");
    hears(&fake, here, "chosen: b").await;

    fake.revise(&chat, &first, json!({ "text": "edited" }));
    hears(&fake, here, "you edited it").await;
    fake.react(&chat, &first, ANN, ("eyes", true));
    hears(&fake, here, "eyes").await;
    assert_eq!(fake.reactions(&chat), ["tada"]);
    let all = |fake: &FakeSlack| fake.is_acknowledged(&chat, &first);
    assert!(fake.until(PATIENCE, all).await, "not all is acknowledged");
}
