//! Files in both directions.

use anchorhold_channel::ChannelError;
use anchorhold_core::outbound::{OutboundFile, OutboundOp, Voice};
use serde_json::json;

use super::bench::{ANN, ANNS, Bench};
use crate::fake::{CHANNEL, THREAD};

fn with_files(text: &str, files: &[(&str, &[u8])]) -> OutboundOp {
    let file = |(name, content): &(&str, &[u8])| OutboundFile {
        name: (*name).to_owned(),
        content: content.to_vec(),
    };
    OutboundOp::Post {
        text: text.to_owned(),
        files: files.iter().map(file).collect(),
        reply_to: None,
        voice: Voice::Agent,
    }
}

#[tokio::test]
async fn several_files_and_their_text_are_one_message_in_the_thread() {
    let bench = Bench::start().await;
    let op = with_files("**both**", &[("a.txt", b"a"), ("ü b.bin", &[0, 255])]);
    bench.send((CHANNEL, Some(THREAD)), &op, 1).await.unwrap();
    let shown = bench.fake.seen(CHANNEL, Some(THREAD)).remove(0);
    assert_eq!(shown.source, "*both*");
    let files: Vec<_> = shown
        .files
        .into_iter()
        .map(|file| (file.name, file.content))
        .collect();
    assert_eq!(
        files,
        [
            ("a.txt".to_owned(), b"a".to_vec()),
            ("ü b.bin".to_owned(), vec![0, 255])
        ]
    );
    bench.stop().await;
}

#[tokio::test]
async fn the_token_goes_to_no_other_host() {
    let bench = Bench::start().await;
    let file = json!({
        "id": "F1", "name": "plan.doc", "mode": "hosted", "size": 3,
        "url_private": "http://192.0.2.1/plan.doc",
    });
    bench
        .fake
        .say(ANNS, ANN, json!({ "text": "see", "files": [file] }));
    let event = bench.event(1).await;
    assert_eq!(
        event.text,
        "see\n[The file “plan.doc” is not here: it is not on Slack.]"
    );
    let external = json!({
        "id": "F2", "name": "sheet", "mode": "external", "is_external": true,
        "url_private": "https://docs.example/sheet",
    });
    bench.fake.say(ANNS, ANN, json!({ "files": [external] }));
    let event = bench.event(2).await;
    assert_eq!(
        event.text,
        "[The file “sheet” is not here: it is not on Slack.]"
    );
    bench.stop().await;
}

/// Who may not have a file is shown a page instead of it.
#[tokio::test]
async fn a_page_to_log_in_is_no_file() {
    let bench = Bench::start().await;
    bench.fake.allow(&["chat:write"]);
    let file = bench.fake.file("notes.txt", "text/plain", b"notes");
    bench
        .fake
        .say(ANNS, ANN, json!({ "text": "see", "files": [file] }));
    let event = bench.event(1).await;
    let expect = "see\n[The file “notes.txt” is not here: the app lacks the scope files:read.]";
    assert_eq!(event.text, expect);
    assert_eq!(event.attachments, []);
    bench.stop().await;
}

#[tokio::test]
async fn a_file_of_another_workspace_is_asked_for() {
    let bench = Bench::start().await;
    let file = bench.fake.file("notes.txt", "text/plain", b"notes");
    let stub = json!({ "id": file["id"], "file_access": "check_file_info", "name": "notes.txt" });
    bench.fake.say(ANNS, ANN, json!({ "files": [stub] }));
    let event = bench.event(1).await;
    assert_eq!(event.attachments[0].content, b"notes");
    bench.stop().await;
}

#[tokio::test]
async fn what_is_gone_is_named() {
    let bench = Bench::start().await;
    let gone = json!({ "id": "F9", "mode": "tombstone" });
    let large = json!({ "id": "F8", "name": "film", "size": 99_000_000_000_u64 });
    bench.fake.say(ANNS, ANN, json!({ "files": [gone, large] }));
    let event = bench.event(1).await;
    assert_eq!(
        event.text,
        "[The file “file” is not here: it was deleted.]\n\
         [The file “film” is not here: it has more than 16 MiB.]"
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_file_that_can_not_be_shown_is_refused() {
    let bench = Bench::start().await;
    let op = with_files("", &[("a.txt", b"a")]);
    let refused = bench.send(("C0OTHER", None), &op, 1).await.unwrap_err();
    assert!(
        matches!(refused, ChannelError::Permanent { .. }),
        "{refused:?}"
    );
    bench.send((ANNS, None), &op, 2).await.unwrap();
    let shown = bench.fake.seen(ANNS, None).remove(0);
    assert_eq!((shown.text.as_str(), shown.files.len()), ("", 1));
    bench.stop().await;
}
