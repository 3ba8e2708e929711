//! Invitations, gaps, keys that don't come, rooms that move, people with several devices.

use std::time::Duration;

use anchorhold_channel::{
    ChannelAdapter as _, ChannelError,
    conformance::{Chat, ConformanceHarness as _},
};
use anchorhold_core::{
    ids::Handle,
    inbound::{ChatKind, What},
    outbound::{OutboundOp, Voice},
};
use camino::Utf8Path;
use serde_json::{Value, json};

use super::{
    bench::{self, Memory, Running, address, post, table},
    harness::Harness,
    people::{Person, text},
    sees,
    synapse::Synapse,
};

/// The harness's bot, running, without the bad line.
async fn running(harness: &Harness, memory: &Memory) -> Running {
    let dir = Utf8Path::from_path(harness.dir.path()).unwrap();
    let table = table(&harness.synapse.base, &harness.bot.user);
    Running::start(dir, &table, memory).await
}

fn bodies(person: &Person, room: &str, by: &str) -> Vec<String> {
    let messages = person.messages(room, None, by);
    let body = |message: &Value| message["content"]["body"].as_str().unwrap().to_owned();
    messages.iter().map(body).collect()
}

#[tokio::test]
async fn an_invitation_is_accepted_by_policy_and_what_was_said_with_it_is_heard() {
    let synapse = Synapse::shared().await.unwrap();
    let number = synapse.number();
    let bot = synapse.register(&format!("bot{number}")).await;
    let ann = Person::new(&synapse, &format!("ann{number}")).await;
    let bob = Person::new(&synapse, &format!("bob{number}")).await;
    let invite = async |person: &Person| {
        let request = json!({
            "preset": "trusted_private_chat", "invite": [bot.user], "is_direct": true,
        });
        let token = Some(person.account.token.as_str());
        let made = synapse.call("POST", "createRoom", token, request).await;
        made["room_id"].as_str().unwrap().to_owned()
    };
    let dir = tempfile::TempDir::new().unwrap();
    let dir = Utf8Path::from_path(dir.path()).unwrap();
    let table = format!(
        "homeserver = \"{}\"\nuser = \"{}\"\npassword = \"env:PASSWORD\"\ninvites = [\"{}\"]",
        synapse.base, bot.user, ann.account.user
    );
    let running = Running::start(dir, &table, &Memory::new()).await;
    let strangers = invite(&bob).await;
    let room = invite(&ann).await;
    ann.send(&room, text("are you coming?"), "1").await.unwrap();
    let events = running.stored(1).await;
    assert_eq!(events[0].text, "are you coming?");
    assert_eq!(events[0].address, address(&room, None));
    assert_eq!(events[0].chat_kind, ChatKind::Direct);
    let joined = synapse
        .call("GET", "joined_rooms", Some(&bot.token), Value::Null)
        .await;
    let joined = joined["joined_rooms"].as_array().unwrap().clone();
    assert!(joined.contains(&json!(room)), "{joined:?}");
    assert!(!joined.contains(&json!(strangers)), "{joined:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_long_absence_leaves_no_gap() {
    let harness = Harness::start(false).await.unwrap();
    let memory = Memory::new();
    let first = running(&harness, &memory).await;
    first.stop().await;
    let room = harness.place(Chat::One).0.to_owned();
    for number in 1..=120 {
        let words = format!("number {number}");
        let transaction = number.to_string();
        harness
            .ann
            .send(&room, text(&words), &transaction)
            .await
            .unwrap();
    }
    let second = running(&harness, &memory).await;
    let events = second.stored(120).await;
    let texts: Vec<String> = events.into_iter().map(|event| event.text).collect();
    let expect: Vec<String> = (1..=120).map(|number| format!("number {number}")).collect();
    assert_eq!(texts, expect);
    second.stop().await;
}

#[tokio::test]
async fn a_key_that_never_comes_is_told() {
    let harness = Harness::start(true).await.unwrap();
    let running = running(&harness, &Memory::new()).await;
    let room = harness.place(Chat::One).0.to_owned();
    let content = json!({
        "algorithm": "m.megolm.v1.aes-sha2",
        "ciphertext": "AwgAEpABqOCAaP6NqXquQcEsrGCVInjRTLHmVH8exqYO0b5Aulhgzqrt6oWVUZCpSRBCnlmvnc96\
                       n/wpjlALt6vYUcNr2lMkXpuKuYaQhHx5c4in2OJCkPzGmbpXRRdw6WC25uzzKr5Vi5Fa8B5o1C5E\
                       DGgNsJg8jC+cVZbcbVCFisQcLATG8UBDuZUGn3WtVFzw0aHzgxGEc+t4C8J9aDwqokaEF7fRjTK7\
                       ma5GZJKaGgCDiH67TXRCnwLvCcbVJNcQGQOaYhwwQuWlT1Lw",
        "device_id": "NOBODY", "sender_key": "IlRMeOPX2e0MurIyfWEucYBRVOEEUMrOHqn/8mLqMjA",
        "session_id": "X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ",
    });
    let token = Some(harness.ann.account.token.as_str());
    let path = format!("rooms/{room}/send/m.room.encrypted/locked");
    harness.synapse.call("PUT", &path, token, content).await;
    harness
        .say(Chat::One, "m1", "this one can be read")
        .await
        .unwrap();
    running.stored(1).await;
    assert_eq!(bodies(&harness.ann, &room, &harness.bot.user), [""; 0]);
    running.clock.advance(Duration::from_mins(6));
    harness.say(Chat::One, "m2", "and this one").await.unwrap();
    sees("that a message could not be read", async || {
        let bodies = bodies(&harness.ann, &room, &harness.bot.user);
        bodies.iter().any(|body| body.contains("could not be read"))
    })
    .await;
    let events = running.stored(2).await;
    let texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(texts, ["this one can be read", "and this one"]);
    running.stop().await;
}

#[tokio::test]
async fn a_room_that_is_replaced_stays_the_same_chat() {
    let harness = Harness::start(false).await.unwrap();
    let memory = Memory::new();
    let running_first = running(&harness, &memory).await;
    let (synapse, ann) = (&harness.synapse, &harness.ann);
    let token = Some(ann.account.token.as_str());
    // From a room whose id names a server to one whose id does not.
    let request = json!({
        "preset": "private_chat", "invite": [harness.bot.user], "room_version": "11",
    });
    let made = synapse.call("POST", "createRoom", token, request).await;
    let before = made["room_id"].as_str().unwrap().to_owned();
    assert!(before.ends_with(":mx.test"), "{before}");
    ann.send(&before, text("we are moving"), "0").await.unwrap();
    running_first.stored(1).await;
    let path = format!("rooms/{before}/upgrade");
    let made = synapse
        .call("POST", &path, token, json!({ "new_version": "12" }))
        .await;
    let now = made["replacement_room"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned();
    assert!(!now.contains(':'), "{now}");
    let path = format!("rooms/{now}/invite");
    synapse
        .call("POST", &path, token, json!({ "user_id": harness.bot.user }))
        .await;
    ann.send(&now, text("here we are"), "1").await.unwrap();
    let events = running_first.stored(2).await;
    assert_eq!(events[1].text, "here we are");
    assert_eq!(events[1].address, address(&before, None));
    running_first.stop().await;
    let second = running(&harness, &memory).await;
    second
        .send(&address(&before, None), post("found you"), 1)
        .await;
    sees("the answer in the new room", async || {
        bodies(ann, &now, &harness.bot.user) == ["found you"]
    })
    .await;
    second.stop().await;
}

#[tokio::test]
async fn a_person_with_a_new_device_is_read_and_can_read() {
    let harness = Harness::start(true).await.unwrap();
    let running = running(&harness, &Memory::new()).await;
    harness
        .say(Chat::One, "m1", "from the first device")
        .await
        .unwrap();
    running.stored(1).await;
    let room = harness.place(Chat::One).0.to_owned();
    let again = Person::log_in(&harness.synapse, &harness.ann.account.user).await;
    again.look_at(&harness.bot.user).await;
    again
        .send(&room, text("from the second"), "m2")
        .await
        .unwrap();
    let events = running.stored(2).await;
    assert_eq!(events[1].text, "from the second");
    running
        .send(&address(&room, None), post("to both"), 1)
        .await;
    sees("the answer on the new device", async || {
        bodies(&again, &room, &harness.bot.user) == ["to both"]
    })
    .await;
    sees("the answer on the old device", async || {
        bodies(&harness.ann, &room, &harness.bot.user) == ["to both"]
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn words_about_words() {
    let harness = Harness::start(false).await.unwrap();
    let running = running(&harness, &Memory::new()).await;
    let (ann, room) = (&harness.ann, harness.group.clone());
    let there = address(&room, None);
    let sent = running.send(&there, post("shall I?"), 1).await;
    let mine = sent.message_id.unwrap();
    // A reply is a reply to the bot, whatever older clients put in front of it.
    let reply = json!({
        "msgtype": "m.text", "body": "> <@bot> shall I?\n\nyes please",
        "m.relates_to": { "m.in_reply_to": { "event_id": mine.as_str() } },
    });
    ann.send(&room, ("m.room.message", reply), "r")
        .await
        .unwrap();
    let event = running.stored(1).await.remove(0);
    let quote = event.reply_to.unwrap();
    assert_eq!((event.text.as_str(), event.addressed), ("yes please", true));
    assert_eq!(quote.text, "shall I?");
    assert_eq!(quote.sender.as_deref(), Some(harness.bot.user.as_str()));
    // A reaction is one until it is taken back.
    let content = json!({
        "m.relates_to": { "rel_type": "m.annotation", "event_id": mine.as_str(), "key": "🎉" },
    });
    let reaction = ann.send(&room, ("m.reaction", content), "x").await.unwrap();
    let event = running.stored(2).await.remove(1);
    assert_eq!((event.text.as_str(), event.addressed), ("🎉", true));
    assert_eq!(event.what, What::Reaction { to: mine.clone() });
    ann.room(&room)
        .await
        .unwrap()
        .redact(&reaction, None, None)
        .await
        .unwrap();
    let event = running.stored(3).await.remove(2);
    assert_eq!(event.what, What::Reaction { to: mine.clone() });
    assert_eq!(event.text, "");
    // Nobody changes what somebody else has said.
    let content = json!({
        "msgtype": "m.text", "body": "* never", "m.new_content": text("never").1,
        "m.relates_to": { "rel_type": "m.replace", "event_id": mine.as_str() },
    });
    ann.send(&room, ("m.room.message", content), "e")
        .await
        .unwrap();
    let notice = json!({
        "msgtype": "m.notice", "body": "beep", "m.mentions": { "user_ids": [harness.bot.user] },
    });
    ann.send(&room, ("m.room.message", notice), "n")
        .await
        .unwrap();
    let event = running.stored(4).await.remove(3);
    assert_eq!((event.text.as_str(), event.addressed), ("beep", false));
    running.stop().await;
}

#[tokio::test]
async fn who_is_in_the_room_is_mentioned_and_nobody_else() {
    let harness = Harness::start(false).await.unwrap();
    let running = running(&harness, &Memory::new()).await;
    let (ann, room) = (&harness.ann, harness.group.clone());
    let id = &ann.account.user;
    let words = format!("**{id}** and @nobody:mx.test, not `{id}`");
    running.send(&address(&room, None), post(&words), 1).await;
    let host = OutboundOp::Post {
        text: "a word of the host".to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Host,
    };
    running.send(&address(&room, None), host, 2).await;
    let messages = || ann.messages(&room, None, &harness.bot.user);
    sees("two messages", async || messages().len() == 2).await;
    let content = messages()[0]["content"].clone();
    assert_eq!(content["m.mentions"], json!({ "user_ids": [id] }));
    assert_eq!(content["body"], words.as_str());
    let link = format!("<a href=\"https://matrix.to/#/{id}\">{id}</a>");
    assert_eq!(
        content["formatted_body"],
        format!("<strong>{link}</strong> and @nobody:mx.test, not <code>{id}</code>")
    );
    assert_eq!(messages()[1]["content"]["msgtype"], "m.notice");
    running.stop().await;
}

#[tokio::test]
async fn a_direct_chat_is_made_once_and_encrypted() {
    let harness = Harness::start(false).await.unwrap();
    let running = running(&harness, &Memory::new()).await;
    let synapse = &harness.synapse;
    let eve = Person::new(synapse, &format!("eve{}", synapse.number())).await;
    let handle = Handle::parse(&eve.account.user).unwrap();
    let chat = running.adapter.open_direct(&handle).await.unwrap();
    assert_eq!(running.adapter.open_direct(&handle).await.unwrap(), chat);
    let path = format!("rooms/{chat}/state/m.room.encryption");
    let state = synapse
        .call("GET", &path, Some(&harness.bot.token), Value::Null)
        .await;
    assert_eq!(state["algorithm"], "m.megolm.v1.aes-sha2");
    let path = format!("rooms/{chat}/join");
    synapse
        .call("POST", &path, Some(&eve.account.token), json!({}))
        .await;
    eve.room(chat.as_str()).await.unwrap();
    running
        .send(&address(chat.as_str(), None), post("hello"), 1)
        .await;
    sees("the first word", async || {
        bodies(&eve, chat.as_str(), &harness.bot.user) == ["hello"]
    })
    .await;
    running.stop().await;
}

#[tokio::test]
async fn a_device_stays_the_same_and_has_its_keys_for_itself() {
    let harness = Harness::start(true).await.unwrap();
    let memory = Memory::new();
    let first = running(&harness, &memory).await;
    let dir = Utf8Path::from_path(harness.dir.path()).unwrap();
    let cx = bench::context(dir);
    let settings = bench::settings(&cx, &table(&harness.synapse.base, &harness.bot.user));
    let other = crate::MatrixAdapter::new(&cx, settings).unwrap();
    // Who the bot is can be asked beside it; its keys can't be used.
    assert_eq!(
        other.probe().await.unwrap().handle.as_str(),
        harness.bot.user
    );
    let refused = other.enter().await.unwrap_err();
    assert!(
        matches!(refused, ChannelError::Transient { .. }),
        "{refused}"
    );
    first.stop().await;
    running(&harness, &memory).await.stop().await;
    let token = Some(harness.bot.token.as_str());
    let devices = harness
        .synapse
        .call("GET", "devices", token, Value::Null)
        .await;
    // That of its registration, and that of the adapter.
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "{devices}");
}

#[tokio::test]
async fn a_probe_leaves_nothing_behind_and_tells_a_wrong_password() {
    let synapse = Synapse::shared().await.unwrap();
    let bot = synapse.register(&format!("bot{}", synapse.number())).await;
    let dir = tempfile::TempDir::new().unwrap();
    let cx = bench::context(Utf8Path::from_path(dir.path()).unwrap());
    let settings = bench::settings(&cx, &table(&synapse.base, &bot.user));
    let adapter = crate::MatrixAdapter::new(&cx, settings).unwrap();
    let probed = adapter.probe().await.unwrap();
    assert_eq!(probed.handle.as_str(), bot.user);
    assert!(probed.sees[0].contains("everybody"), "{:?}", probed.sees);
    let devices = synapse
        .call("GET", "devices", Some(&bot.token), Value::Null)
        .await;
    assert_eq!(devices["devices"].as_array().unwrap().len(), 1, "{devices}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let table = table(&synapse.base, &bot.user).replace("PASSWORD", "TOKEN");
    let adapter = crate::MatrixAdapter::new(&cx, bench::settings(&cx, &table)).unwrap();
    let wrong = adapter.probe().await.unwrap_err();
    assert!(
        matches!(wrong, ChannelError::Unauthorized { .. }),
        "{wrong}"
    );
}
