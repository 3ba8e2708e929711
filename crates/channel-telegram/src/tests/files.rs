//! Files in both directions.

#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` makes a value where it is written"
)]

use anchorhold_channel::conformance::{Side, Trouble};
use anchorhold_core::{
    inbound::ATTACHMENT_LIMIT_BYTES,
    outbound::{OutboundFile, OutboundOp},
};
use serde_json::{Value, json};

use super::{
    bench::{Bench, post},
    harness::ANN,
};

/// A picture, as far as anybody looks.
fn picture(len: usize) -> Vec<u8> {
    let mut content = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    content.resize(len, 0);
    content
}

fn with(text: &str, name: &str, content: Vec<u8>) -> OutboundOp {
    let mut op = post(text);
    if let OutboundOp::Post { files, .. } = &mut op {
        files.push(OutboundFile {
            name: name.to_owned(),
            content,
        });
    }
    op
}

#[tokio::test]
async fn a_picture_is_a_photo_and_a_tiny_one_a_document() {
    let bench = Bench::start().await;
    for (len, kind) in [(200, "photo"), (20, "document")] {
        let op = with("**look**", "cat.png", picture(len));
        bench.send(ANN, None, &op).await.unwrap();
        let shown = bench.fake.seen(ANN, None).pop().unwrap();
        let file = shown.file.unwrap();
        assert_eq!((file.kind.as_str(), file.name.as_str()), (kind, "cat.png"));
        assert_eq!(file.content, picture(len));
        assert_eq!(shown.text, "look");
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_file_needs_no_words() {
    let bench = Bench::start().await;
    let op = with("", "notes.txt", b"hi".to_vec());
    bench.send(ANN, None, &op).await.unwrap();
    let shown = bench.fake.seen(ANN, None).remove(0);
    assert_eq!(
        (shown.text.as_str(), shown.file.unwrap().kind.as_str()),
        ("", "document")
    );
    bench.stop().await;
}

fn document(id: &str, more: Value) -> Value {
    let mut document = json!({ "file_id": id, "file_unique_id": "u", "file_name": "a.txt" });
    for (name, value) in more.as_object().into_iter().flatten() {
        document[name] = value.clone();
    }
    json!({ "document": document, "caption": "see" })
}

#[tokio::test]
async fn a_file_that_can_not_be_had_is_named_and_the_words_come() {
    let bench = Bench::start().await;
    let limit = ATTACHMENT_LIMIT_BYTES;
    let told = json!({ "file_size": limit + 1 });
    let long = bench.fake.file("long.txt", &vec![b'x'; limit + 1]);
    for (fields, why) in [
        (document("whatever", told), "it has more than 16 MiB"),
        (document(&long, Value::Null), "it has more than 16 MiB"),
        (
            document("gone", Value::Null),
            "Telegram does not give it out",
        ),
    ] {
        bench.fake.say(ANN, ANN, fields);
        let count = bench.intake.events().len() + 1;
        let event = bench.event(count).await;
        assert_eq!(event.attachments, []);
        assert_eq!(
            event.text,
            format!("see\n[The file “a.txt” is not here: {why}.]")
        );
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_photo_without_a_name_gets_one() {
    let bench = Bench::start().await;
    let id = bench.fake.file("x", &picture(100));
    let size = json!({ "file_id": id, "file_unique_id": "u", "width": 9, "height": 9 });
    bench.fake.say(ANN, ANN, json!({ "photo": [size] }));
    let event = bench.event(1).await;
    let file = &event.attachments[0];
    assert_eq!((file.name.as_str(), event.text.as_str()), ("photo.png", ""));
    assert_eq!(file.media_type.as_deref(), Some("image/png"));
    bench.stop().await;
}

/// Markup that Telegram can't read costs the markup, not the words.
#[tokio::test]
async fn a_refused_file_is_refused_once() {
    let bench = Bench::start().await;
    bench.fake.trouble(Side::Sending, Trouble::Refuse);
    let op = with("x", "notes.txt", b"hi".to_vec());
    assert!(bench.send(ANN, None, &op).await.is_err());
    assert_eq!(bench.fake.calls("sendDocument").len(), 1);
    bench.stop().await;
}
