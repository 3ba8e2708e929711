//! Slack.

use anchorhold_channel_slack::fake::{
    APP_TOKEN, BOT, BOT_NAME, BOT_TOKEN, CHANNEL, FakeSlack, SIGNING_SECRET, direct,
};
use serde_json::json;

use crate::harness::{Place, until};

const ANN: &str = "U0ANN";

const SECRETS: [(&str, &str); 3] = [
    ("SLACK_BOT_TOKEN", BOT_TOKEN),
    ("SLACK_APP_TOKEN", APP_TOKEN),
    ("SLACK_SIGNING_SECRET", SIGNING_SECRET),
];

async fn start() -> (FakeSlack, Place) {
    let fake = FakeSlack::start().await.unwrap();
    let channel = format!(
        "type = \"slack\"\nbot_token = \"env:SLACK_BOT_TOKEN\"\n\
         app_token = \"env:SLACK_APP_TOKEN\"\napi = \"{}\"",
        fake.base()
    );
    let mut place = Place::new(&channel, &SECRETS);
    place.start();
    (fake, place)
}

/// Waits until the bot has said this in a conversation, or in a thread of it.
async fn hears(fake: &FakeSlack, place: &Place, (chat, thread): (&str, Option<&str>), text: &str) {
    let seen = || {
        fake.seen(chat, thread)
            .iter()
            .any(|shown| shown.text.contains(text))
    };
    let what = format!("{text}\n{}", place.log());
    until(&what, seen).await;
}

#[tokio::test]
async fn a_message_is_answered_and_what_came_meanwhile_after_a_restart() {
    let (fake, mut place) = start().await;
    let chat = direct(ANN);
    let here = (chat.as_str(), None);
    let first = fake.say(&chat, ANN, json!({ "text": "hello" }));
    hears(&fake, &place, here, "You wrote: “hello”").await;
    fake.revise(&chat, &first, json!({ "text": "hello there" }));
    let changed = "You changed message #2 to: “hello there”";
    hears(&fake, &place, here, changed).await;
    place.stop().await;
    fake.say(&chat, ANN, json!({ "text": "while you were away" }));
    place.start();
    hears(&fake, &place, here, "“while you were away”").await;
    place.stop().await;
    assert_eq!(fake.seen(&chat, None).len(), 3);
    for (_, secret) in SECRETS {
        assert!(!place.log().contains(secret), "a token is in the log");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the host has the clock of the machine"
)]
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

/// The host was down for so long that Slack offers nothing of it any more.
#[tokio::test]
async fn what_slack_has_given_up_is_read_from_the_conversation() {
    let (fake, mut place) = start().await;
    fake.set_time(now());
    let chat = direct(ANN);
    fake.say(&chat, ANN, json!({ "text": "before" }));
    hears(&fake, &place, (&chat, None), "“before”").await;
    place.stop().await;
    fake.say(&chat, ANN, json!({ "text": "long gone" }));
    fake.give_up();
    place.start();
    hears(&fake, &place, (&chat, None), "“long gone”").await;
    place.stop().await;
    assert_eq!(fake.seen(&chat, None).len(), 2);
}

#[tokio::test]
async fn a_mention_in_a_channel_is_answered_once_and_in_its_thread() {
    let (fake, mut place) = start().await;
    let text = format!("<@{BOT}> hello");
    let ts = fake.say(CHANNEL, ANN, json!({ "text": text }));
    let thread = (CHANNEL, Some(ts.as_str()));
    hears(&fake, &place, thread, "You wrote: “hello”").await;
    let more = json!({ "text": format!("<@{BOT}> and more"), "thread_ts": ts });
    fake.say(CHANNEL, ANN, more);
    hears(&fake, &place, thread, "“and more”").await;
    assert_eq!(fake.seen(CHANNEL, Some(&ts)).len(), 2);
    assert_eq!(fake.seen(CHANNEL, None).len(), 0);
    place.stop().await;
}

#[tokio::test]
async fn files_questions_and_long_answers_go_the_whole_way() {
    let (fake, mut place) = start().await;
    let chat = direct(ANN);
    let file = fake.file("notes.txt", "text/plain", b"some notes");
    let fields = json!({ "subtype": "file_share", "text": "here", "files": [file] });
    fake.say(&chat, ANN, fields);
    hears(&fake, &place, (&chat, None), "You sent one file.").await;

    let text =
        "!sh echo report &gt; r.txt\n!tool send_file {\"path\": \"r.txt\", \"text\": \"Done.\"}";
    fake.say(&chat, ANN, json!({ "text": text }));
    let file = || {
        let shown = fake.seen(&chat, None).into_iter();
        shown.flat_map(|shown| shown.files).next()
    };
    until("a file", || file().is_some()).await;
    assert_eq!(file().unwrap().content, b"report\n");
    assert_eq!(file().unwrap().name, "r.txt");

    let ask = "!tool ask_question {\"title\": \"Deploy?\", \"options\": [\"yes\", \"no\"]}";
    fake.say(&chat, ANN, json!({ "text": ask }));
    let asked = || {
        let mut shown = fake.seen(&chat, None).into_iter();
        shown.find(|shown| !shown.buttons.is_empty())
    };
    until("a question", || asked().is_some()).await;
    let asked = asked().unwrap();
    fake.press(&chat, &asked.ts, ANN, &asked.buttons[1].action);
    hears(&fake, &place, (&chat, None), ": no").await;

    fake.say(&chat, ANN, json!({ "text": "!big 10000" }));
    let digits = || {
        let long = fake.seen(&chat, None).into_iter().map(|shown| shown.text);
        let long = long.filter(|text| text.starts_with("0123456789") || text.len() > 900);
        long.map(|text| text.len()).sum::<usize>()
    };
    until("ten thousand digits", || digits() == 10_000).await;
    place.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_the_app_is_and_what_it_lacks() {
    let (fake, mut place) = start().await;
    fake.allow(&["chat:write"]);
    let probed = place.cli(&["channels", "probe", "c"]).await;
    let said = String::from_utf8(probed.stdout).unwrap();
    let expect = format!("c is @{BOT_NAME} ({BOT})\n");
    assert!(said.starts_with(&expect), "{said}");
    assert!(said.contains("lacks the scope im:history"), "{said}");
    assert!(!said.contains("lacks the scope chat:write"), "{said}");
    place.stop().await;
}
