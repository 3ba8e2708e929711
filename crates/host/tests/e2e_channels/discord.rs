//! Discord.

use anchorhold_channel_discord::fake::{FORUM, FakeDiscord, GENERAL, Shown, TOKEN};
use serde_json::json;

use crate::harness::{Place, until};

const ANN: u64 = 1001;

async fn start() -> (FakeDiscord, Place) {
    let fake = FakeDiscord::start().await.unwrap();
    let channel = format!(
        "type = \"discord\"\ntoken = \"env:DISCORD_TOKEN\"\napi = \"{}\"",
        fake.base()
    );
    let mut place = Place::new(&channel, &[("DISCORD_TOKEN", TOKEN)]);
    place.start();
    connected(&fake, &place, 1).await;
    (fake, place)
}

/// Waits until so many sessions have begun or gone on. Before the first, nothing is told.
async fn connected(fake: &FakeDiscord, place: &Place, count: u32) {
    let what = format!("{count} connections\n{}", place.log());
    until(&what, || {
        let (begun, resumed) = fake.begun();
        begun + resumed >= count
    })
    .await;
}

/// Waits until the bot has said this in a channel.
async fn hears(fake: &FakeDiscord, place: &Place, channel: u64, text: &str) -> Shown {
    let found = || {
        let seen = fake.seen(channel).into_iter();
        seen.rev().find(|shown| shown.text.contains(text))
    };
    let what = format!("{text}\n{}", place.log());
    until(&what, || found().is_some()).await;
    found().unwrap()
}

#[tokio::test]
async fn a_message_is_answered_and_what_came_meanwhile_after_a_restart() {
    let (fake, mut place) = start().await;
    let direct = fake.direct(ANN);
    let first = fake.say(direct, ANN, json!({ "content": "hello" }));
    let answer = hears(&fake, &place, direct, "You wrote: “hello”").await;
    assert_eq!(answer.reply_to, Some(first));
    fake.revise(direct, first, json!({ "content": "hello there" }));
    let text = "You changed message #2 to: “hello there”";
    hears(&fake, &place, direct, text).await;
    place.stop().await;
    fake.say(direct, ANN, json!({ "content": "while you were away" }));
    place.start();
    hears(&fake, &place, direct, "“while you were away”").await;
    place.stop().await;
    fake.forget_sessions();
    fake.say(direct, ANN, json!({ "content": "for longer" }));
    place.start();
    hears(&fake, &place, direct, "“for longer”").await;
    place.stop().await;
    assert_eq!(fake.seen(direct).len(), 4);
    assert!(!place.log().contains(TOKEN), "the token is in the log");
}

#[tokio::test]
async fn a_post_of_a_forum_is_answered_in_the_post() {
    let (fake, mut place) = start().await;
    let post = fake.open_thread(FORUM);
    fake.say(post, ANN, FakeDiscord::mention("hello"));
    hears(&fake, &place, post, "hello").await;
    fake.say(GENERAL, ANN, FakeDiscord::mention("and here"));
    hears(&fake, &place, GENERAL, "and here").await;
    assert_eq!(fake.seen(post).len(), 1);
    place.stop().await;
}

#[tokio::test]
async fn files_questions_and_long_answers_go_the_whole_way() {
    let (fake, mut place) = start().await;
    let direct = fake.direct(ANN);
    let file = fake.attachment("notes.txt", b"some notes");
    fake.say(
        direct,
        ANN,
        json!({ "content": "here", "attachments": [file] }),
    );
    hears(&fake, &place, direct, "You sent one file.").await;

    let text =
        "!sh echo report > r.txt\n!tool send_file {\"path\": \"r.txt\", \"text\": \"Done.\"}";
    fake.say(direct, ANN, json!({ "content": text }));
    let file = || {
        let seen = fake.seen(direct).into_iter();
        seen.flat_map(|shown| shown.files).next()
    };
    until("a file", || file().is_some()).await;
    assert_eq!(file().unwrap().content, b"report\n");
    assert_eq!(file().unwrap().name, "r.txt");

    let ask = "!tool ask_question {\"title\": \"Deploy?\", \"options\": [\"yes\", \"no\"]}";
    fake.say(direct, ANN, json!({ "content": ask }));
    let asked = hears(&fake, &place, direct, "**Deploy?**").await;
    let id = asked.components[0]["components"][1]["custom_id"].clone();
    let click = fake.press(direct, asked.id, ANN, id.as_str().unwrap());
    hears(&fake, &place, direct, ": no").await;
    assert_eq!(fake.answers(click).len(), 1);

    // While a turn takes its time, that is shown.
    fake.say(direct, ANN, json!({ "content": "!sleep 2" }));
    hears(&fake, &place, direct, "slept 2 s").await;
    let typing = fake.calls("POST", &format!("/channels/{direct}/typing"));
    assert!(!typing.is_empty(), "{}", place.log());

    fake.say(direct, ANN, json!({ "content": "!big 10000" }));
    let digits = || {
        let long = fake.seen(direct).into_iter().map(|shown| shown.text);
        let long = long.filter(|text| text.starts_with("0123456789") || text.len() > 1_000);
        long.map(|text| text.len()).sum::<usize>()
    };
    until("ten thousand digits", || digits() == 10_000).await;
    place.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_the_bot_is_and_what_it_lacks() {
    let (fake, mut place) = start().await;
    let probed = place.cli(&["channels", "probe", "c"]).await;
    let said = String::from_utf8(probed.stdout).unwrap();
    assert!(said.starts_with("c is Anchorhold ("), "{said}");
    fake.forbid_content();
    let probed = place.cli(&["channels", "probe", "c"]).await;
    let said = String::from_utf8(probed.stdout).unwrap();
    assert!(said.contains("Message Content intent is off"), "{said}");
    place.stop().await;
}
