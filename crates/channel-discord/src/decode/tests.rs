use anchorhold_core::ids::ChannelName;
use serde_json::json;

use super::*;

const PLACE: Place = Place {
    chat: Snowflake(1),
    thread: None,
    guild: Some(Snowflake(9)),
    direct: false,
};

fn heard(fields: &serde_json::Value) -> Option<Heard> {
    let mut message = json!({
        "id": "1000000000000000000", "channel_id": "1",
        "author": { "id": "7", "username": "ann" }, "content": "hi",
    });
    for (key, value) in fields.as_object().unwrap() {
        message[key] = value.clone();
    }
    let known = Known {
        channel: &ChannelName::parse("dc").unwrap(),
        me: Snowflake(42),
        roles: &[],
    };
    let message = serde_json::from_value(message).unwrap();
    known.message(&message, &PLACE, false).unwrap()
}

/// A message needs no more than who, where and when.
#[test]
fn little_is_enough() {
    let Heard { event, files } = heard(&json!({})).unwrap();
    assert_eq!(event.text, "hi");
    assert_eq!(event.sender.name.as_deref(), Some("ann"));
    assert_eq!(event.sent_at.to_string(), "2022-07-22T11:22:59.101Z");
    assert_eq!(files, []);
}

/// What somebody is called in the server counts for more than elsewhere.
#[test]
fn a_nickname_comes_first() {
    let fields = json!({ "member": { "nick": "Annie", "roles": [] } });
    assert_eq!(
        heard(&fields).unwrap().event.sender.name.as_deref(),
        Some("Annie")
    );
}

/// The reference lost what was forwarded.
#[test]
fn what_is_no_text_is_put_in_words() {
    let fields = json!({
        "content": "", "message_reference": { "type": 1, "message_id": "3" },
        "referenced_message": { "id": "3", "channel_id": "1", "content": "not quoted" },
        "message_snapshots": [{ "message": {
            "content": "from elsewhere",
            "attachments": [{ "filename": "a.txt", "url": "https://cdn.discordapp.com/a", "size": 1 }],
        } }],
        "sticker_items": [{ "id": "1", "name": "Wave", "format_type": 1 }],
        "poll": {
            "question": { "text": "Lunch?" },
            "answers": [{ "poll_media": { "text": "yes" } }, { "poll_media": { "text": "no" } }],
        },
    });
    let Heard { event, files } = heard(&fields).unwrap();
    assert_eq!(
        event.text,
        "[Forwarded]\nfrom elsewhere\n[Poll: Lunch? (yes / no)]\n[Sticker Wave]"
    );
    assert_eq!(event.reply_to, None);
    assert_eq!(files.len(), 1);
}

#[test]
fn what_says_nothing_is_for_nobody() {
    assert!(heard(&json!({ "content": "" })).is_none());
    assert!(heard(&json!({ "type": 21 })).is_none());
    assert!(heard(&json!({ "author": null })).is_none());
}
