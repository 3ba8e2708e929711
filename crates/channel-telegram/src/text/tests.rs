use serde_json::{Value, json};

use super::*;
use crate::fake::{BOT, BOT_NAME};

fn me() -> User {
    let me = json!({ "id": BOT, "is_bot": true, "first_name": "A", "username": BOT_NAME });
    serde_json::from_value(me).unwrap()
}

/// A text whose entities are found by what they are about, and are counted as Telegram does.
fn entities(text: &str, marks: &[(&str, &str, Value)]) -> Vec<Entity> {
    let entity = |(kind, piece, more): &(&str, &str, Value)| {
        let (before, _) = text.split_once(piece).unwrap();
        let mut entity = json!({
            "type": kind,
            "offset": before.encode_utf16().count(),
            "length": piece.encode_utf16().count(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            entity[name] = value.clone();
        }
        serde_json::from_value(entity).unwrap()
    };
    marks.iter().map(entity).collect()
}

fn names(text: &str, marks: &[(&str, &str, Value)]) -> bool {
    let entities = entities(text, marks);
    let entities = &entities;
    Marked { text, entities }.names(&me())
}

fn plain(text: &str, marks: &[(&str, &str, Value)]) -> String {
    let entities = entities(text, marks);
    let entities = &entities;
    Marked { text, entities }.plain(&me())
}

#[test]
fn the_bot_is_named_in_three_ways() {
    let none = || Value::Null;
    let name = format!("@{BOT_NAME}");
    let text = format!("😀 hey {name}!");
    assert!(names(&text, &[("mention", &name, none())]));
    let loud = text.to_uppercase();
    assert!(names(&loud, &[("mention", &name.to_uppercase(), none())]));
    let command = format!("/stop{name}");
    assert!(names(&command, &[("bot_command", &command, none())]));
    let user = json!({ "user": { "id": BOT, "is_bot": true, "first_name": "A" } });
    assert!(names("dear A", &[("text_mention", "A", user)]));
}

#[test]
fn others_are_not_the_bot() {
    let none = || Value::Null;
    // Telegram, not the text, says what is a mention.
    assert!(!names(&format!("mail me@{BOT_NAME}"), &[]));
    let longer = format!("@{BOT_NAME}_dev");
    assert!(!names(&longer, &[("mention", &longer, none())]));
    assert!(!names("/stop", &[("bot_command", "/stop", none())]));
    assert!(!names(
        "/stop@other_bot",
        &[("bot_command", "/stop@other_bot", none())]
    ));
}

#[test]
fn what_is_hidden_is_shown_and_a_command_is_a_command() {
    let url = json!({ "url": "https://a.example/" });
    assert_eq!(
        plain("😀 see here, please", &[("text_link", "here", url.clone())]),
        "😀 see [here](https://a.example/), please"
    );
    let command = format!("/stop@{BOT_NAME}");
    let text = format!("{command} now");
    assert_eq!(
        plain(&text, &[("bot_command", &command, Value::Null)]),
        "/stop now"
    );
    let other = "/stop@other_bot";
    assert_eq!(plain(other, &[("bot_command", other, Value::Null)]), other);
    assert_eq!(
        plain("**bold**", &[("bold", "bold", Value::Null)]),
        "**bold**"
    );
}

#[test]
fn entities_that_lead_nowhere_are_ignored() {
    let text = "😀a";
    for (offset, length) in [(1, 1), (0, 1), (2, 5), (9, 1), (usize::MAX, 2), (0, 0)] {
        let entity: Entity = serde_json::from_value(json!({
            "type": "text_link", "offset": offset, "length": length, "url": "https://x.example",
        }))
        .unwrap();
        let entities = &[entity];
        assert_eq!(
            Marked { text, entities }.plain(&me()),
            text,
            "{offset} {length}"
        );
    }
}
