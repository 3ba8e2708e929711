//! The fake Discord with one person on it, for a client that others wrote.
//!
//! Prints its address, lets the person talk to whatever bot listens there, and ends well when every
//! answer was the right one: then the server is what that client takes for Discord.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a program for tests, which fails by panicking"
)]

use std::time::Duration;

use anchorhold_channel_discord::fake::{FakeDiscord, GENERAL, Shown, THREAD, TOKEN};
use serde_json::{Value, json};

const ANN: u64 = 1001;
/// How long the client may take for each thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the bot has said this.
async fn hears(fake: &FakeDiscord, channel: u64, text: &str) -> Shown {
    let found = |fake: &FakeDiscord| {
        let seen = fake.seen(channel).into_iter();
        seen.rev().find(|shown| shown.text == text)
    };
    let heard = fake.until(PATIENCE, |fake| found(fake).is_some()).await;
    match found(fake) {
        Some(shown) if heard => shown,
        _ => panic!("{text:?} was not said, but {:?}", fake.seen(channel)),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let fake = FakeDiscord::start().await.unwrap();
    println!("{} {TOKEN}", fake.base());
    assert!(fake.until(PATIENCE, |fake| fake.begun().0 == 1).await);
    let direct = fake.direct(ANN);
    let said = fake.say(direct, ANN, json!({ "content": "ping" }));
    let pong = hears(&fake, direct, "**pong**").await;
    assert_eq!(pong.reply_to, Some(said));

    fake.say(THREAD, ANN, json!({ "content": "ping" }));
    hears(&fake, THREAD, "**pong**").await;
    fake.say(GENERAL, ANN, FakeDiscord::mention("are you there?"));
    hears(&fake, GENERAL, "you named me").await;

    let file = fake.attachment("notes.txt", b"seven b");
    fake.say(direct, ANN, json!({ "attachments": [file] }));
    hears(&fake, direct, "7 bytes").await;
    fake.say(direct, ANN, json!({ "content": "file" }));
    let sent = hears(&fake, direct, "here it is").await;
    assert_eq!(sent.files[0].name, "report.txt");
    assert_eq!(sent.files[0].content, b"all is well");

    fake.say(direct, ANN, json!({ "content": "ask" }));
    let asked = hears(&fake, direct, "which?").await;
    let click = fake.press(direct, asked.id, ANN, "b");
    hears(&fake, direct, "chosen: b").await;
    let answers: Vec<Value> = fake.answers(click);
    assert_eq!(answers[0]["type"], 7);

    fake.revise(direct, said, json!({ "content": "edited" }));
    hears(&fake, direct, "you edited it").await;
    fake.drop_connections();
    fake.react(direct, said, ANN, "👍");
    hears(&fake, direct, "👍").await;
    let reacted = |fake: &FakeDiscord| fake.reactions(direct, said) == ["🔥"];
    assert!(fake.until(PATIENCE, reacted).await);
    // The session went on over the broken connection.
    assert_eq!(fake.begun(), (1, 1));
}
