use anchorhold_channel_kit::revision;
use serde_json::json;

use super::*;

const BOT: &str = "@bot:a.b";

fn known(channel: &ChannelName, is_direct: bool) -> Known<'_> {
    Known {
        channel,
        me: BOT,
        chat: "!room",
        is_direct,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn heard_in(is_direct: bool, event: &Value) -> Option<Heard> {
    let channel = ChannelName::parse("mx").unwrap();
    let mut reactions = Reactions::default();
    known(&channel, is_direct)
        .event(event, &mut reactions)
        .unwrap()
}

fn heard(event: &Value) -> Option<Heard> {
    heard_in(false, event)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is written out where it is given"
)]
fn message(content: Value) -> Value {
    json!({
        "type": "m.room.message", "event_id": "$m", "sender": "@ann:a.b",
        "origin_server_ts": 1_000, "content": content,
    })
}

#[test]
fn a_message_is_read() {
    let event = heard(&message(json!({ "msgtype": "m.text", "body": "hello" })))
        .unwrap()
        .event;
    assert_eq!(event.text, "hello");
    assert_eq!(event.message_id.as_str(), "$m");
    assert_eq!(event.sender.handle.as_str(), "@ann:a.b");
    assert_eq!(event.sent_at, Timestamp::from_second(1).unwrap());
    assert_eq!((event.chat_kind, event.addressed), (ChatKind::Group, false));
    let direct = heard_in(
        true,
        &message(json!({ "msgtype": "m.text", "body": "hello" })),
    );
    assert!(direct.unwrap().event.addressed);
}

#[test]
fn who_is_addressed_is_told_by_mentions_first() {
    let addressed = |content: Value| heard(&message(content)).unwrap().event.addressed;
    assert!(addressed(
        json!({ "body": "x", "m.mentions": { "user_ids": ["@a:a.b", BOT] } })
    ));
    assert!(!addressed(json!({ "body": BOT, "m.mentions": {} })));
    assert!(!addressed(
        json!({ "body": "x", "m.mentions": { "room": true } })
    ));
    assert!(!addressed(json!({ "body": "x", "m.mentions": 7 })));
    assert!(addressed(json!({ "body": format!("{BOT}: x") })));
    let link = format!("<a href=\"https://matrix.to/#/{BOT}\">bot</a> x");
    assert!(addressed(
        json!({ "body": "bot x", "formatted_body": link })
    ));
    assert!(!addressed(json!({
        "body": format!("> <{BOT}> before\n\nafter"),
        "m.relates_to": { "m.in_reply_to": { "event_id": "$b" } },
    })));
}

#[test]
fn threads_and_replies_are_told_apart() {
    let content = json!({
        "body": "x",
        "m.relates_to": {
            "rel_type": "m.thread", "event_id": "$root", "is_falling_back": true,
            "m.in_reply_to": { "event_id": "$last" },
        },
    });
    let plain = heard(&message(content.clone())).unwrap();
    assert_eq!(plain.event.address.thread.unwrap().as_str(), "$root");
    assert_eq!((plain.event.reply_to, plain.about), (None, None));
    let mut content = content;
    content["m.relates_to"]["is_falling_back"] = false.into();
    let reply = heard(&message(content)).unwrap();
    assert_eq!(reply.about, Some(About::Quotes("$last".to_owned())));
    let quoted = reply.event.reply_to.unwrap().message_id.unwrap();
    assert_eq!(quoted.as_str(), "$last");
}

#[test]
fn an_edit_and_a_reaction_have_ids_of_their_own() {
    let edit = heard(&message(json!({
        "body": "* new", "m.new_content": { "body": "new" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": "$of" },
    })))
    .unwrap();
    assert_eq!(edit.event.text, "new");
    assert_eq!(edit.about, Some(About::Edits("$of".to_owned())));
    assert_eq!(revision::message(&edit.event.message_id), "$of");
    assert_ne!(edit.event.message_id.as_str(), "$of");
    let reaction = json!({
        "type": "m.reaction", "event_id": "$r", "sender": "@ann:a.b",
        "content": { "m.relates_to": {
            "rel_type": "m.annotation", "event_id": "$of", "key": "👍",
        } },
    });
    let reaction = heard(&reaction).unwrap();
    assert_eq!(reaction.event.text, "👍");
    let to = PlatformMessageId::parse("$of").unwrap();
    assert_eq!(reaction.event.what, What::Reaction { to });
    // Without a time of its own it is told now.
    assert_eq!(reaction.event.sent_at, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_files_caption_is_its_words() {
    let file = |content: Value| {
        let heard = heard(&message(content)).unwrap();
        (heard.event.text, heard.file.unwrap().offered.name.unwrap())
    };
    let plain = json!({ "msgtype": "m.image", "body": "a.png", "url": "mxc://a.b/c" });
    assert_eq!(file(plain), (String::new(), "a.png".to_owned()));
    let caption = json!({
        "msgtype": "m.image", "body": "look", "filename": "a.png", "file": { "url": "mxc://a.b/c" },
    });
    assert_eq!(file(caption), ("look".to_owned(), "a.png".to_owned()));
}

#[test]
fn what_is_nothing_to_the_host_is_nothing() {
    let mut own = message(json!({ "body": "x" }));
    own["sender"] = BOT.into();
    let mut state = message(json!({ "body": "x" }));
    state["state_key"] = "".into();
    for event in [
        own,
        state,
        json!(null),
        json!([]),
        json!({ "type": "m.room.message" }),
        json!({ "type": "m.reaction", "event_id": "$r", "sender": "@a:b", "content": [] }),
        json!({ "type": "m.room.redaction", "event_id": "$r", "sender": "@a:b", "redacts": "$x" }),
        message(json!(null)),
        message(json!({ "body": 7 })),
        message(json!({ "msgtype": "m.file" })),
    ] {
        assert!(heard(&event).is_none(), "{event}");
    }
    let channel = ChannelName::parse("mx").unwrap();
    let mut long = message(json!({ "body": "x" }));
    long["event_id"] = "$".repeat(600).into();
    let read = known(&channel, false).event(&long, &mut Reactions::default());
    assert!(read.is_err());
}

#[test]
fn a_reply_is_read_without_what_it_quotes() {
    let reply = json!({ "m.relates_to": { "m.in_reply_to": { "event_id": "$a" } } });
    for (body, expect) in [
        ("> <@a:b> one\n> two\n\nthree", "three"),
        ("> * <@a:b> waves\n\nhi", "hi"),
        ("> not theirs\n\nhi", "> not theirs\n\nhi"),
        ("> <@a:b> only", ""),
        ("plain", "plain"),
    ] {
        assert_eq!(own_words(&reply, body), expect);
    }
    assert_eq!(own_words(&json!({}), "> <@a:b> x\n\ny"), "> <@a:b> x\n\ny");
}
