use anchorhold_core::ids::{ChannelName, ChatId, ThreadId};

use super::*;

fn to(thread: Option<&str>) -> Address {
    Address {
        channel: ChannelName::parse("mx").unwrap(),
        chat: ChatId::parse("!r").unwrap(),
        thread: thread.map(|thread| ThreadId::parse(thread).unwrap()),
    }
}

#[test]
fn a_message_says_what_it_belongs_to() {
    let related = |thread: Option<&str>, reply_to: Option<&str>| {
        let mut content = json!({});
        let reply_to = reply_to.map(|event| EventId::parse(event).unwrap());
        relate(&mut content, &to(thread), reply_to.as_deref());
        content["m.relates_to"].clone()
    };
    assert_eq!(related(None, None), Value::Null);
    assert_eq!(
        related(None, Some("$a")),
        json!({ "m.in_reply_to": { "event_id": "$a" } })
    );
    assert_eq!(
        related(Some("$t"), None),
        json!({
            "rel_type": "m.thread", "event_id": "$t", "is_falling_back": true,
            "m.in_reply_to": { "event_id": "$t" },
        })
    );
    assert_eq!(
        related(Some("$t"), Some("$a")),
        json!({
            "rel_type": "m.thread", "event_id": "$t", "is_falling_back": false,
            "m.in_reply_to": { "event_id": "$a" },
        })
    );
}

#[test]
fn an_edit_has_the_new_words_and_mentions_nobody_anew() {
    let now = json!({
        "msgtype": "m.text", "body": "new", "m.mentions": { "user_ids": ["@a:b"] },
        "m.relates_to": { "rel_type": "m.thread" },
    });
    let edited = edited(now, &EventId::parse("$a").unwrap());
    assert_eq!(
        edited,
        json!({
            "msgtype": "m.text", "body": "* new", "m.mentions": {},
            "m.relates_to": { "rel_type": "m.replace", "event_id": "$a" },
            "m.new_content": {
                "msgtype": "m.text", "body": "new", "m.mentions": { "user_ids": ["@a:b"] },
            },
        })
    );
}

#[test]
fn an_edits_id_means_its_message() {
    let edit = revision::id("$message", "$edit").unwrap();
    assert_eq!(event(&edit).unwrap().as_str(), "$message");
    assert!(event(&PlatformMessageId::parse("17").unwrap()).is_err());
}
