#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` makes a value where it is written"
)]

use anchorhold_channel::fake::question_id;
use serde_json::{Value, json};

use super::*;
use crate::fake::{BOT, BOT_NAME, FORUM};

fn me() -> User {
    let me = json!({ "id": BOT, "is_bot": true, "first_name": "A", "username": BOT_NAME });
    serde_json::from_value(me).unwrap()
}

fn channel() -> ChannelName {
    ChannelName::parse("tg").unwrap()
}

fn person(id: i64) -> Value {
    json!({ "id": id, "is_bot": false, "first_name": "Ann", "last_name": "Lee" })
}

/// A message in a private chat, with these fields instead of or besides the usual ones.
fn message(fields: Value) -> Message {
    let mut message = json!({
        "message_id": 5,
        "from": person(7),
        "chat": { "id": 7, "type": "private", "first_name": "Ann" },
        "date": 1_767_225_600,
    });
    for (name, value) in fields.as_object().unwrap() {
        message[name] = value.clone();
    }
    serde_json::from_value(message).unwrap()
}

fn group() -> Value {
    json!({ "id": FORUM, "type": "supergroup", "title": "Forum", "is_forum": true })
}

fn heard_of(messages: &[&Message], edited: bool) -> Option<Heard> {
    let (channel, me, moves) = (channel(), me(), Moves::default());
    let known = Known {
        channel: &channel,
        me: &me,
        moves: &moves,
    };
    known.message(messages, edited).unwrap()
}

fn heard(fields: Value) -> InboundEvent {
    heard_of(&[&message(fields)], false).unwrap().event
}

#[test]
fn a_message_of_a_person() {
    let event = heard(json!({ "text": "hello" }));
    let expect = InboundEvent {
        address: Address {
            channel: channel(),
            chat: ChatId::parse("7").unwrap(),
            thread: None,
        },
        message_id: anchorhold_core::ids::PlatformMessageId::parse("5").unwrap(),
        what: What::Message,
        sender: Sender {
            handle: handle(7).unwrap(),
            name: Some("Ann Lee".to_owned()),
        },
        chat_kind: ChatKind::Direct,
        addressed: true,
        sent_at: Timestamp::from_second(1_767_225_600).unwrap(),
        text: "hello".to_owned(),
        reply_to: None,
        attachments: Vec::new(),
    };
    assert_eq!(event, expect);
}

#[test]
fn a_topic_is_a_thread_and_an_answer_is_none() {
    let thread = |fields: Value| {
        let mut fields = fields;
        fields["chat"] = group();
        fields["text"] = "x".into();
        heard(fields)
            .address
            .thread
            .map(|id| id.as_str().to_owned())
    };
    let topic = json!({ "message_thread_id": 9, "is_topic_message": true });
    assert_eq!(thread(topic), Some("9".to_owned()));
    assert_eq!(thread(json!({ "message_thread_id": 9 })), None);
    let general = json!({ "message_thread_id": 1, "is_topic_message": true });
    assert_eq!(thread(general), None);
}

#[test]
fn an_answer_to_the_bot_is_for_the_bot() {
    let addressed = |replied: Value| {
        let event = heard(json!({
            "chat": group(), "text": "yes", "message_thread_id": 9, "is_topic_message": true,
            "reply_to_message": replied,
        }));
        (event.addressed, event.reply_to.is_some())
    };
    let of = |from: i64, more: Value| {
        let mut replied = json!({
            "message_id": 3, "chat": group(), "date": 1, "text": "well?",
            "from": { "id": from, "is_bot": from == BOT, "first_name": "F" },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            replied[name] = value.clone();
        }
        replied
    };
    assert_eq!(addressed(of(BOT, Value::Null)), (true, true));
    assert_eq!(addressed(of(8, Value::Null)), (false, true));
    // The bot made the topic: not everything in it is for the bot.
    let topic = json!({ "forum_topic_created": { "name": "t", "icon_color": 1 } });
    assert_eq!(addressed(of(BOT, topic)), (false, false));
}

#[test]
fn a_quotation_is_what_was_chosen_of_it() {
    let replied = json!({
        "message_id": 3, "chat": group(), "date": 1, "caption": "all of it", "from": person(8),
    });
    let fields = json!({ "text": "yes", "chat": group(), "reply_to_message": replied.clone() });
    let quote = heard(fields).reply_to.unwrap();
    assert_eq!(quote.text, "all of it");
    assert_eq!(quote.sender.as_deref(), Some("Ann Lee"));
    assert_eq!(quote.message_id.unwrap().as_str(), "3");
    let quote = heard(json!({
        "text": "yes", "chat": group(), "reply_to_message": replied,
        "quote": { "text": "of it", "position": 4 },
    }));
    assert_eq!(quote.reply_to.unwrap().text, "of it");
}

#[test]
fn whoever_speaks_for_a_chat_is_the_chat() {
    let event = heard(json!({
        "text": "x", "chat": group(), "sender_chat": group(),
        "from": { "id": 1_087_968_824, "is_bot": true, "first_name": "Group" },
    }));
    assert_eq!(event.sender.handle, handle(FORUM).unwrap());
    assert_eq!(event.sender.name.as_deref(), Some("Forum"));
}

#[test]
fn bots_and_the_services_own_messages_are_for_nobody() {
    let bot = json!({ "id": 8, "is_bot": true, "first_name": "B" });
    for fields in [
        json!({ "text": "x", "from": bot }),
        json!({ "new_chat_members": [person(9)], "chat": group() }),
        json!({ "pinned_message": {}, "chat": group() }),
    ] {
        assert!(
            heard_of(&[&message(fields.clone())], false).is_none(),
            "{fields}"
        );
    }
}

#[test]
fn what_has_no_words_is_put_in_words() {
    let text = |fields: Value| heard(fields).text;
    let place = json!({ "latitude": 52.5, "longitude": 13.25 });
    assert_eq!(
        text(json!({ "location": place.clone() })),
        "[Position: 52.5, 13.25]"
    );
    let venue = json!({ "title": "Café", "address": "Street 1", "location": place.clone() });
    assert_eq!(
        text(json!({ "location": place, "venue": venue })),
        "[Place: Café, Street 1]"
    );
    let contact = json!({ "phone_number": "+1", "first_name": "Bob" });
    assert_eq!(text(json!({ "contact": contact })), "[Contact: Bob, +1]");
    let poll = json!({ "question": "When?", "options": [{ "text": "now" }, { "text": "later" }] });
    assert_eq!(text(json!({ "poll": poll })), "[Poll: When? (now / later)]");
    assert_eq!(
        text(json!({ "dice": { "emoji": "🎲", "value": 6 } })),
        "[🎲 shows 6]"
    );
    let from = json!({ "type": "user", "date": 1, "sender_user": person(9) });
    assert_eq!(
        text(json!({ "text": "x", "forward_origin": from })),
        "[Forwarded from Ann Lee]\nx"
    );
}

fn file(id: &str, more: Value) -> Value {
    let mut file = json!({ "file_id": id, "file_unique_id": "u" });
    for (name, value) in more.as_object().into_iter().flatten() {
        file[name] = value.clone();
    }
    file
}

#[test]
fn every_kind_of_file_is_taken() {
    for (field, kind) in [
        ("document", "document"),
        ("video", "video"),
        ("audio", "audio"),
        ("voice", "voice"),
        ("video_note", "video-note"),
        ("sticker", "sticker"),
    ] {
        let heard = heard_of(&[&message(json!({ field: file("f", Value::Null) }))], false);
        let files = heard.unwrap().files;
        assert_eq!(files.len(), 1, "{field}");
        assert_eq!(
            (files[0].file_id.as_str(), files[0].offered.kind),
            ("f", kind)
        );
    }
    let sizes = json!([
        file("small", json!({ "width": 90, "height": 90 })),
        file("large", json!({ "width": 1280, "height": 1280 })),
        file("middle", json!({ "width": 320, "height": 320 })),
    ]);
    let heard = heard_of(
        &[&message(json!({ "photo": sizes, "caption": "look" }))],
        false,
    );
    let Heard { event, files } = heard.unwrap();
    assert_eq!(
        (event.text.as_str(), files[0].file_id.as_str()),
        ("look", "large")
    );
    // It comes as both, and is one file.
    let both = json!({ "animation": file("a", Value::Null), "document": file("a", Value::Null) });
    assert_eq!(heard_of(&[&message(both)], false).unwrap().files.len(), 1);
}

#[test]
fn an_edit_is_another_event_each_time() {
    let edit = |text: &str, at: i64| {
        let edited = message(json!({ "text": text, "edit_date": at }));
        heard_of(&[&edited], true).unwrap().event
    };
    let first = edit("a", 10);
    let of = moves::id(&Moves::default(), 7, 5).unwrap();
    assert_eq!(first.what, What::Edit { of });
    assert_eq!(first.sent_at.as_second(), 10);
    assert_eq!(first.message_id, edit("a", 10).message_id);
    for other in [edit("b", 10), edit("a", 11)] {
        assert_ne!(first.message_id, other.message_id);
    }
    // Where somebody is changes all the time, and says nothing.
    let place = json!({ "latitude": 1.0, "longitude": 2.0 });
    let moving = message(json!({ "location": place, "edit_date": 10 }));
    assert!(heard_of(&[&moving], true).is_none());
}

#[test]
fn a_reaction_says_who_put_what_where() {
    let (channel, me, moves) = (channel(), me(), Moves::default());
    let known = Known {
        channel: &channel,
        me: &me,
        moves: &moves,
    };
    let read = |fields: Value| {
        let mut reaction = json!({
            "chat": group(), "message_id": 5, "date": 10, "old_reaction": [],
            "new_reaction": [{ "type": "emoji", "emoji": "👍" }], "user": person(7),
        });
        for (name, value) in fields.as_object().into_iter().flatten() {
            reaction[name] = value.clone();
        }
        known
            .reaction(&serde_json::from_value(reaction).unwrap())
            .unwrap()
    };
    let event = read(Value::Null).unwrap();
    assert_eq!((event.text.as_str(), event.addressed), ("👍", false));
    let back = read(json!({ "new_reaction": [] })).unwrap();
    assert_eq!(back.text, "");
    assert_ne!(back.message_id, event.message_id);
    let custom = json!({ "new_reaction": [{ "type": "custom_emoji", "custom_emoji_id": "1" }] });
    assert_eq!(read(custom).unwrap().text, "[a custom emoji]");
    let chat = read(json!({ "user": null, "actor_chat": group() })).unwrap();
    assert_eq!(chat.sender.handle, handle(FORUM).unwrap());
    assert!(read(json!({ "user": null })).is_none());
}

#[test]
fn a_click_is_an_answer_if_the_button_is_ours() {
    let (channel, me, moves) = (channel(), me(), Moves::default());
    let known = Known {
        channel: &channel,
        me: &me,
        moves: &moves,
    };
    let click = |data: Value| {
        let query = json!({
            "id": "1", "from": person(7), "chat_instance": "1", "data": data,
            "message": {
                "message_id": 5, "chat": group(), "date": 1, "is_topic_message": true,
                "message_thread_id": 9,
            },
        });
        let query: CallbackQuery = serde_json::from_value(query).unwrap();
        known.click(&query, Timestamp::UNIX_EPOCH).unwrap()
    };
    let answer = click(callback::data(question_id(1), 2).into()).unwrap();
    assert_eq!((answer.question, answer.option), (question_id(1), 2));
    assert_eq!(answer.address.thread.unwrap().as_str(), "9");
    assert_eq!(answer.sender.handle, handle(7).unwrap());
    assert!(click("game".into()).is_none());
    assert!(click(Value::Null).is_none());
}
