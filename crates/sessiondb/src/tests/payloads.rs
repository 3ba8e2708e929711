//! Every kind there and back, and what is refused.

use super::*;
use crate::{Answer, Control, Note, Task, Undecodable, payload::Encoded};

fn ask(title: &str, options: &[&str], expires_ms: Option<u64>) -> Outbound {
    Outbound::Ask {
        title: title.to_owned(),
        text: "Really?".to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        expires_ms,
    }
}

fn answer() -> Answer {
    Answer {
        question_seq: Seq::new(3).unwrap(),
        title: "secret".to_owned(),
        option: 1,
        text: "secret".to_owned(),
        channel: "cli".to_owned(),
        sender: "u1".to_owned(),
        sender_name: Some("secret".to_owned()),
        answered_at: at(5),
    }
}

fn task() -> Task {
    Task {
        id: "7".to_owned(),
        name: "secret".to_owned(),
        run: 2,
        prompt: "secret".to_owned(),
        script: Some("secret".to_owned()),
        due_at: at(5),
        zone: "Europe/Berlin".to_owned(),
        offset_s: 3600,
        missed: 3,
        found: None,
    }
}

#[test]
fn what_the_host_says_comes_back_as_it_was() {
    let note = Note {
        text: "secret".to_owned(),
    };
    for (payload, expect) in [
        (Inbound::Note(note), r#"{"text":"secret"}"#),
        (
            Inbound::Answer(answer()),
            r#"{"question_seq":3,"title":"secret","option":1,"text":"secret","channel":"cli","sender":"u1","sender_name":"secret","answered_at":"1970-01-01T00:00:00.005Z"}"#,
        ),
        (
            Inbound::Task(Box::new(task())),
            r#"{"id":"7","name":"secret","run":2,"prompt":"secret","script":"secret","due_at":"1970-01-01T00:00:00.005Z","zone":"Europe/Berlin","offset_s":3600,"missed":3}"#,
        ),
        (Inbound::Control(Control::Stop), r#"{"command":"stop"}"#),
        (
            Inbound::Control(Control::Compact),
            r#"{"command":"compact"}"#,
        ),
    ] {
        let Encoded {
            kind,
            version,
            payload: json,
        } = payload.encode().unwrap();
        assert_eq!((version, json.as_str()), (1, expect));
        assert_eq!(Inbound::decode(kind, version, &json).unwrap(), payload);
        let shown = format!("{payload:?}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn a_command_of_the_future_is_told_apart() {
    let found = Inbound::decode("control", 1, r#"{"command":"dance"}"#).unwrap_err();
    assert!(matches!(found, Undecodable::Bad { .. }), "{found:?}");
    let found = Inbound::decode("control", 2, "{}").unwrap_err();
    assert!(matches!(found, Undecodable::Unknown { .. }), "{found:?}");
}

#[test]
fn questions_keep_their_bounds() {
    let (longest, long) = ("x".repeat(200), "x".repeat(201));
    let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let month_ms = 30 * 24 * 3600 * 1000;
    for (question, expect) in [
        (ask("Go?", &["yes", "no"], None), None),
        (ask("Go?", &many[..20], Some(month_ms)), None),
        (ask(&longest, &["yes", &longest], Some(1)), None),
        (
            ask("", &["yes", "no"], None),
            Some("the title is empty or too long"),
        ),
        (
            ask(" \n", &["yes", "no"], None),
            Some("the title is empty or too long"),
        ),
        (
            ask(&long, &["yes", "no"], None),
            Some("the title is empty or too long"),
        ),
        (
            ask("Go?", &["yes"], None),
            Some("too few or too many options"),
        ),
        (ask("Go?", &many, None), Some("too few or too many options")),
        (
            ask("Go?", &["yes", " "], None),
            Some("an option is empty or too long"),
        ),
        (
            ask("Go?", &["yes", &long], None),
            Some("an option is empty or too long"),
        ),
        (
            ask("Go?", &["yes", "yes "], None),
            Some("two options are the same"),
        ),
        (
            ask("Go?", &["yes", "no"], Some(0)),
            Some("it expires at once or too late"),
        ),
        (
            ask("Go?", &["yes", "no"], Some(month_ms + 1)),
            Some("it expires at once or too late"),
        ),
    ] {
        let Encoded {
            kind,
            version,
            payload,
        } = question.encode().unwrap();
        let found = Outbound::decode(kind, version, &payload);
        let expect = match expect {
            None => Ok(question),
            Some(what) => Err(Undecodable::Bad { kind: "ask", what }),
        };
        assert_eq!(found, expect);
    }
}

#[test]
fn a_question_is_not_shown_in_logs() {
    let question = ask("secret", &["secret", "other secret"], None);
    assert_eq!(
        format!("{question:?}"),
        "Ask { text_bytes: 7, options: 2, expires_ms: None, .. }"
    );
}
