//! Files, in the open and encrypted.

use anchorhold_channel::conformance::Chat;
use anchorhold_core::outbound::{OutboundFile, OutboundOp, Voice};
use camino::Utf8Path;
use serde_json::{Value, json};

use super::{
    bench::{Memory, Running, address, table},
    harness::Harness,
};

const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13];

async fn running(harness: &Harness) -> Running {
    let dir = Utf8Path::from_path(harness.dir.path()).unwrap();
    let table = table(&harness.synapse.base, &harness.bot.user);
    Running::start(dir, &table, &Memory::new()).await
}

async fn files_go_both_ways(encrypted: bool) {
    let harness = Harness::start(encrypted).await.unwrap();
    let running = running(&harness).await;
    let room = harness.place(Chat::One).0.to_owned();
    harness.ann.look_at(&harness.bot.user).await;
    let notes = OutboundFile {
        name: "notes.txt".to_owned(),
        content: b"some notes".to_vec(),
    };
    let message = harness.ann.with_file("look at this", &notes, encrypted);
    let message = ("m.room.message", message.await);
    harness.ann.send(&room, message, "notes").await.unwrap();
    let event = running.stored(1).await.remove(0);
    assert_eq!(event.text, "look at this");
    let file = &event.attachments[0];
    assert_eq!(
        (file.name.as_str(), file.content.as_slice()),
        ("notes.txt", b"some notes".as_slice())
    );

    let picture = OutboundFile {
        name: "dot.png".to_owned(),
        content: PNG.to_vec(),
    };
    let op = OutboundOp::Post {
        text: String::new(),
        files: vec![picture.clone()],
        reply_to: Some(event.message_id.clone()),
        voice: Voice::Agent,
    };
    running.send(&address(&room, None), op, 1).await;
    let messages = || harness.ann.messages(&room, None, &harness.bot.user);
    let look = async {
        while messages().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, look).await.unwrap();
    let message = messages().remove(0);
    assert_eq!(message["content"]["msgtype"], "m.image");
    assert_eq!(message["content"]["body"], "dot.png");
    assert_eq!(message["content"]["info"]["mimetype"], "image/png");
    let replied = &message["content"]["m.relates_to"]["m.in_reply_to"]["event_id"];
    assert_eq!(*replied, event.message_id.as_str());
    assert_eq!(message["content"].get("file").is_some(), encrypted);
    assert_eq!(harness.ann.file(&message).await, Some(picture));
    running.stop().await;
}

#[tokio::test]
async fn files_go_both_ways_in_the_open() {
    files_go_both_ways(false).await;
}

#[tokio::test]
async fn files_go_both_ways_encrypted() {
    files_go_both_ways(true).await;
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let harness = Harness::start(false).await.unwrap();
    let running = running(&harness).await;
    let room = harness.place(Chat::One).0.to_owned();
    let gone = json!({
        "msgtype": "m.file", "body": "gone.txt", "url": "mxc://mx.test/nothing",
    });
    let big = json!({
        "msgtype": "m.file", "body": "big.bin", "url": "mxc://mx.test/nothing",
        "info": { "size": 1_000_000_000 },
    });
    for (message, name) in [(gone, "gone"), (big, "big")] {
        let message: (&str, Value) = ("m.room.message", message);
        harness.ann.send(&room, message, name).await.unwrap();
    }
    let events = running.stored(2).await;
    assert!(
        events[0].text.contains("“gone.txt” is not here"),
        "{}",
        events[0].text
    );
    assert!(
        events[1].text.contains("more than 16 MiB"),
        "{}",
        events[1].text
    );
    running.stop().await;
}
