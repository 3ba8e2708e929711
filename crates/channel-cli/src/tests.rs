use anchorhold_channel::{
    Answered, ChannelError, conformance,
    fake::{FakeClock, IntakeAnswer, part_key, question_id},
};
use anchorhold_core::{
    clock::Clock as _,
    ids::Handle,
    inbound::{ATTACHMENTS_LIMIT, ChatKind, InboundAnswer, Sender},
    outbound::{OutboundFile, OutboundOp, Question, Voice},
};
use serde_json::json;
use tokio::time;

use crate::{
    decode,
    wire::{LINE_LIMIT_BYTES, ServerLine, WireFile},
};

mod harness;
pub(crate) mod kit;

use kit::{Host, PATIENCE, Raw, post};

#[tokio::test]
async fn the_adapter_conforms() {
    let report = conformance::run(harness::Harness::start).await;
    print!("{report}");
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(
        report.skipped(),
        [
            "a_group_is_told_from_a_direct_chat: the platform has no groups",
            "a_thread_is_a_place_of_its_own: the platform has no threads",
            "an_edit_is_known_as_one: nobody can change what they said",
            "a_reaction_is_known_as_one: nobody can react",
            "what_is_not_there_is_refused_for_good: the platform can do everything",
            "a_limit_says_whom_it_is_about: the platform can't fail in this way",
            "a_server_error_is_no_verdict: the platform can't fail in this way",
            "a_refusal_is_for_good: the platform can't fail in this way",
            "a_lost_answer_is_ambiguous: the platform can't fail in this way",
            "a_garbled_answer_is_ambiguous: the platform can't fail in this way",
            "refused_credentials_are_told_apart: the platform can't fail in this way",
            "receiving_outlives_an_outage: the platform can't fail in this way",
            "no_error_says_a_secret: the platform can't fail in this way",
        ]
    );
}

#[tokio::test]
async fn defect_18_a_message_without_a_reader_is_never_delivered() {
    let host = Host::start().await;
    let absent = async |text: &str, key| {
        let sent = host.send("work", post(text), key).await;
        assert!(matches!(sent, Err(ChannelError::Absent)), "{sent:?}");
    };
    absent("nobody yet", 1).await;
    let mut other = host.hello("other", false).await;
    absent("somebody else", 1).await;

    let mut reader = host.hello("work", false).await;
    host.present("work", 1).await;
    host.send("work", post("now"), 1).await.unwrap();
    assert_eq!(reader.next().await["text"], "now");

    drop(reader);
    absent("gone again", 2).await;
    host.stop().await;
    assert_eq!(other.rest().await, Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn a_send_to_clients_that_acknowledge_waits_for_one() {
    let host = Host::start().await;
    let mut plain = host.hello("work", false).await;
    let mut acking = host.hello("work", true).await;
    let client = async {
        let line = acking.next().await;
        assert_eq!(plain.next().await, line);
        let id = line["id"].as_str().unwrap().to_owned();
        assert!(host.sends_pending());
        // Neither a foreign id nor a client that sits elsewhere counts.
        acking.say(&json!({"type": "ack", "id": "other"})).await;
        let mut elsewhere = host.hello("elsewhere", true).await;
        elsewhere.say(&json!({"type": "ack", "id": id})).await;
        elsewhere.say(&json!({"text": "done"})).await;
        elsewhere.until("accepted").await;
        assert!(host.sends_pending());
        acking.say(&json!({"type": "ack", "id": id})).await;
    };
    let (sent, ()) = tokio::join!(host.send("work", post("hi"), 1), client);
    assert_eq!(sent.unwrap().message_id, part_key(1).message_id().ok());
}

#[tokio::test]
async fn a_reader_that_leaves_without_an_ack_has_not_read() {
    let host = Host::start().await;
    let mut acking = host.hello("work", true).await;
    let leave = async {
        acking.next().await;
        drop(acking);
    };
    let (sent, ()) = tokio::join!(host.send("work", post("hi"), 1), leave);
    assert!(matches!(sent, Err(ChannelError::Absent)), "{sent:?}");
}

#[tokio::test]
async fn a_reader_that_never_acknowledges_is_ambiguous() {
    let host = Host::start().await;
    let mut acking = host.hello("work", true).await;
    let read = async {
        acking.next().await;
        // From here on only time can pass.
        time::pause();
    };
    let (sent, ()) = tokio::join!(host.send("work", post("hi"), 1), read);
    assert!(
        matches!(sent, Err(ChannelError::Ambiguous { .. })),
        "{sent:?}"
    );
}

#[tokio::test]
async fn typing_needs_no_ack() {
    let host = Host::start().await;
    let mut acking = host.hello("work", true).await;
    let sent = host.send("work", &OutboundOp::Typing, 1).await.unwrap();
    assert_eq!(sent.message_id, None);
    assert_eq!(acking.next().await, json!({"type": "typing"}));
}

#[tokio::test]
async fn every_message_is_answered_with_what_became_of_it() {
    let host = Host::start().await;
    let mut client = Raw::connect(&host.socket).await;
    let message = |id: &str, text: &str| json!({"type": "message", "id": id, "text": text});
    client.say(&message("1", "hi")).await;
    assert_eq!(
        client.next().await,
        json!({"type": "welcome", "name": "local"})
    );
    let accepted = |id: &str, status: &str| json!({"type": "accepted", "id": id, "status": status});
    assert_eq!(client.next().await, accepted("1", "stored"));
    client.say(&message("1", "hi")).await;
    assert_eq!(client.next().await, accepted("1", "duplicate"));

    host.intake
        .answer_next(IntakeAnswer::Decline("not wired".into()));
    client.say(&message("2", "hi")).await;
    let mut declined = accepted("2", "declined");
    declined["reason"] = "not wired".into();
    assert_eq!(client.next().await, declined);

    host.intake.answer_next(IntakeAnswer::Unavailable);
    client.say(&message("3", "hi")).await;
    let what = "the host can't store messages at the moment";
    let expect = json!({"type": "error", "what": what, "id": "3", "again": true});
    assert_eq!(client.next().await, expect);

    client.say(&message("4", &"x".repeat(300_000))).await;
    let what = "refused: the text has 300000 bytes, at most 262144 are taken";
    let expect = json!({"type": "error", "what": what, "id": "4"});
    assert_eq!(client.next().await, expect);

    client.say(&message("5", " ")).await;
    let what = "there is nothing in the message";
    let expect = json!({"type": "error", "what": what, "id": "5"});
    assert_eq!(client.next().await, expect);

    // Without an id each gets one of its own.
    client.say(&json!({"text": "a"})).await;
    client.say(&json!({"text": "a"})).await;
    assert_ne!(client.next().await["id"], client.next().await["id"]);
    let first = host.intake.events().swap_remove(0);
    assert_eq!(first.sender.handle.as_str(), "local");
    assert_eq!(first.chat_kind, ChatKind::Direct);
    assert!(first.addressed);
}

#[tokio::test]
async fn every_answer_is_answered_with_what_became_of_it() {
    let host = Host::start().await;
    let mut client = host.hello("work", false).await;
    let question = question_id(1);
    let op = OutboundOp::Ask(Question {
        id: question,
        title: "Deploy".into(),
        text: "Now?".into(),
        options: vec!["yes".into(), "no".into()],
    });
    host.send("work", &op, 1).await.unwrap();
    let line = client.until("question").await;
    assert_eq!(line["question"], json!(question.to_string()));
    let answer =
        |option: usize| json!({"type": "answer", "question": line["question"], "option": option});
    let answered = |taken: bool, text: &str| json!({"type": "answered", "question": line["question"], "taken": taken, "text": text});
    let error = |what: &str| json!({"type": "error", "what": what, "id": line["question"]});

    client.say(&answer(2)).await;
    assert_eq!(client.next().await, answered(true, "taken"));
    let event = InboundAnswer {
        address: kit::address("work"),
        question,
        option: 1,
        sender: Sender {
            handle: Handle::parse("local").unwrap(),
            name: None,
        },
        at: FakeClock::new().now(),
    };
    assert_eq!(host.intake.answers(), [event]);

    let refusal = Answered::Refused("it is answered already".into());
    host.intake.set_answered(refusal);
    client.say(&answer(1)).await;
    let expect = answered(false, "it is answered already");
    assert_eq!(client.next().await, expect);

    host.intake.answer_next(IntakeAnswer::Unavailable);
    client.say(&answer(1)).await;
    let mut expect = error("the host can't store messages at the moment");
    expect["again"] = true.into();
    assert_eq!(client.next().await, expect);

    host.intake
        .answer_next(IntakeAnswer::Refuse("no such question".into()));
    client.say(&answer(1)).await;
    assert_eq!(client.next().await, error("refused: no such question"));

    for number in [0, 21, usize::MAX] {
        client.say(&answer(number)).await;
        let expect = error("an option is a number from 1 to 20");
        assert_eq!(client.next().await, expect);
    }
    assert_eq!(host.intake.arrived().clicks, 4);
}

#[tokio::test]
async fn an_answer_as_the_first_line_comes_from_the_default_conversation() {
    let host = Host::start().await;
    let mut client = Raw::connect(&host.socket).await;
    let answer =
        |option: usize| json!({"type": "answer", "question": question_id(1), "option": option});
    // A bad one gives the client no place.
    client.say(&answer(0)).await;
    assert_eq!(client.next().await["type"], "error");
    client.say(&answer(1)).await;
    let welcome = json!({"type": "welcome", "name": "local"});
    assert_eq!(client.next().await, welcome);
    assert_eq!(client.next().await["taken"], true);
    let address = host.intake.answers().swap_remove(0).address;
    assert_eq!(address, kit::address("local"));
}

#[tokio::test]
async fn the_owners_direct_chat_is_the_default_conversation() {
    let host = Host::start().await;
    for _ in 0..2 {
        let chat = host.open_direct("local").await.unwrap();
        assert_eq!(chat.as_str(), "local");
    }
    let stranger = host.open_direct("anchorhold").await;
    assert!(
        matches!(stranger, Err(ChannelError::Permanent { .. })),
        "{stranger:?}"
    );
}

#[tokio::test]
async fn a_client_that_only_says_something_still_hears_that_it_was_taken() {
    let host = Host::start().await;
    let mut client = Raw::connect(&host.socket).await;
    host.intake.block();
    client.bytes(b"{\"text\":\"hi\"}\n").await;
    client.end().await;
    assert!(host.intake.until(PATIENCE, |now| now.offered == 1).await);
    host.intake.unblock();
    let lines = client.rest().await;
    let types: Vec<_> = lines.iter().map(|line| line["type"].clone()).collect();
    assert_eq!(types, ["welcome", "accepted"]);
}

#[tokio::test]
async fn files_go_both_ways() {
    let host = Host::start().await;
    let mut client = host.hello("work", false).await;
    let file = json!({"name": "a.bin", "data": "AAEC"});
    client.say(&json!({"text": "", "files": [file]})).await;
    client.until("accepted").await;
    let events = host.intake.events();
    assert_eq!(events[0].attachments[0].name, "a.bin");
    assert_eq!(events[0].attachments[0].content, [0, 1, 2]);

    let op = OutboundOp::Post {
        text: String::new(),
        files: vec![OutboundFile {
            name: "b.bin".into(),
            content: vec![7; 1000],
        }],
        reply_to: None,
        voice: Voice::Agent,
    };
    host.send("work", &op, 1).await.unwrap();
    let line = client.next().await;
    let files: Vec<WireFile> = serde_json::from_value(line["files"].clone()).unwrap();
    assert_eq!(files[0].data, vec![7; 1000]);

    let many = vec![json!({"name": "a", "data": ""}); ATTACHMENTS_LIMIT + 1];
    client.say(&json!({"files": many})).await;
    let what = client.until("error").await["what"].clone();
    assert_eq!(what, "refused: it has 17 files, at most 16 are taken");
}

#[tokio::test]
async fn a_message_too_large_for_a_line_is_refused() {
    let host = Host::start().await;
    let _client = host.hello("work", false).await;
    let sent = host
        .send("work", post(&"x".repeat(LINE_LIMIT_BYTES)), 1)
        .await;
    assert!(
        matches!(sent, Err(ChannelError::Permanent { .. })),
        "{sent:?}"
    );
}

#[tokio::test]
async fn bad_lines_are_answered_and_the_connection_stays() {
    let host = Host::start().await;
    let mut client = Raw::connect(&host.socket).await;
    let bad: [&[u8]; 9] = [
        b"nonsense",
        &[0xff, 0xfe, 0x00, 0x80],
        &[0; 100],
        b"[1]",
        br#"{"type":"hello","name":""}"#,
        br#"{"type":"hello","name":"a\u0007"}"#,
        br#"{"type":"ack","id":"early"}"#,
        br#"{"text":"hi","sender":"boss"}"#,
        br#"{"type":"answer","question":"7","option":1}"#,
    ];
    for line in bad {
        client.bytes(line).await;
        client.bytes(b"\n").await;
        assert_eq!(client.next().await["type"], "error", "{line:?}");
    }
    assert_eq!(host.intake.arrived().offered, 0);
    // None of these gave the client a place: it can still choose one, once.
    client.say(&json!({"type": "hello", "name": "work"})).await;
    assert_eq!(client.next().await["name"], "work");
    client.say(&json!({"type": "hello", "name": "other"})).await;
    let what = client.next().await["what"].clone();
    assert_eq!(what, "hello can only be the first line");
    // Blank lines are nothing, and lines may come in pieces.
    client.bytes(b"\n \r\n{\"te").await;
    client.bytes(b"xt\":\"hi\"}\n").await;
    assert_eq!(client.next().await["status"], "stored");
}

#[tokio::test]
async fn half_a_line_is_not_taken() {
    let host = Host::start().await;
    let mut client = Raw::connect(&host.socket).await;
    client.bytes(b"{\"text\":\"hi\"}").await;
    client.end().await;
    let expect = json!({"type": "error", "what": "the last line has no end and is not taken"});
    assert_eq!(client.rest().await, [expect]);
    assert_eq!(host.intake.arrived().offered, 0);
}

#[tokio::test]
async fn a_line_over_the_limit_ends_the_connection_with_a_word() {
    let host = Host::start().await;
    let mut client = Raw::connect(&host.socket).await;
    client.try_bytes(&vec![b'x'; 30 * 1024 * 1024]).await;
    let expect = json!({"type": "error", "what": "a line has at most 25165824 bytes"});
    assert_eq!(client.rest().await, [expect]);
    let mut next = host.hello("work", false).await;
    next.say(&json!({"text": "still here"})).await;
    next.until("accepted").await;
}

#[tokio::test]
async fn a_thousand_rapid_connects_do_no_harm() {
    let host = Host::start().await;
    for number in 0..1000 {
        let mut client = Raw::connect(&host.socket).await;
        match number % 4 {
            0 => client.try_bytes(b"{\"text\"").await,
            1 => client.try_bytes(b"{\"type\":\"hello\"}\n").await,
            2 => client.try_bytes(&[0; 64]).await,
            _ => {}
        }
    }
    let mut client = host.hello_patiently("work").await;
    client.say(&json!({"text": "still here"})).await;
    client.until("accepted").await;
}

#[tokio::test]
async fn one_client_too_many_is_turned_away() {
    let host = Host::start().await;
    let mut clients = Vec::new();
    for _ in 0..crate::adapter::CLIENTS_LIMIT {
        clients.push(host.hello("work", false).await);
    }
    let mut extra = Raw::connect(&host.socket).await;
    let expect = json!({"type": "error", "what": "too many clients", "again": true});
    assert_eq!(extra.rest().await, [expect]);
    clients.pop();
    host.hello_patiently("work").await;
}

#[tokio::test]
async fn a_client_that_never_reads_blocks_nobody_and_is_disconnected() {
    let host = Host::start().await;
    let mut stuck = host.hello("work", false).await;
    let mut reader = host.hello("work", false).await;
    let text = "x".repeat(2000);
    // More than its socket and its queue hold together.
    for number in 0..1000 {
        let send = host.send("work", post(&text), number);
        time::timeout(PATIENCE, send)
            .await
            .expect("not blocked")
            .unwrap();
        assert_eq!(reader.next().await["type"], "message");
    }
    // It still gets what was written, then the end: fewer than were sent.
    assert!(stuck.count_to_end().await < 1000);
}

#[tokio::test]
async fn a_lone_client_that_never_reads_is_no_reader() {
    let host = Host::start().await;
    let _stuck = host.hello("work", false).await;
    time::pause();
    let sent = host.send("work", post(&"x".repeat(4_000_000)), 1).await;
    assert!(matches!(sent, Err(ChannelError::Absent)), "{sent:?}");
}

#[tokio::test]
async fn a_second_host_does_not_take_the_socket() {
    let host = Host::start().await;
    let second = host.run_another().await;
    assert!(
        matches!(second, Err(ChannelError::Transient { .. })),
        "{second:?}"
    );
    let mut client = host.hello("work", false).await;
    client.say(&json!({"text": "hi"})).await;
    client.until("accepted").await;
}

#[tokio::test]
async fn health_says_what_was_seen() {
    let host = Host::start().await;
    assert_eq!(host.view.get().last_inbound, None);
    let mut client = host.hello("work", false).await;
    client.say(&json!({"text": "hi"})).await;
    client.until("accepted").await;
    assert!(host.view.get().last_inbound.is_some());
    assert_eq!(host.view.get().last_outbound, None);
    host.send("work", post("hi"), 1).await.unwrap();
    assert!(host.view.get().last_outbound.is_some());
}

/// The examples of the documentation are lines of the protocol, in both directions.
#[test]
fn the_documented_lines_are_lines() {
    let page = include_str!("../../../docs/channels/cli.md");
    let mut found = 0;
    for line in page.lines().filter(|line| line.starts_with('{')) {
        let from_client = decode::line(line.as_bytes()).is_ok();
        let to_client = serde_json::from_str::<ServerLine>(line).is_ok();
        assert!(from_client || to_client, "{line}");
        found += 1;
    }
    assert!(found > 10, "{found}");
}
