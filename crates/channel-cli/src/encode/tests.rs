use anchorhold_channel::fake::{part_key, question_id};
use anchorhold_core::outbound::{OutboundFile, Question, Voice};

use super::*;

fn check(op: &OutboundOp, expect: &str) {
    let line = bytes(&operation(op, part_key(1))).unwrap();
    let line = String::from_utf8(line).unwrap();
    let id = part_key(1).to_string();
    assert_eq!(line, format!("{}\n", expect.replace("KEY", &id)));
}

#[test]
fn operations_become_lines() {
    let target = PlatformMessageId::parse("t").unwrap();
    check(
        &OutboundOp::Post {
            text: "hi\nthere".into(),
            files: vec![],
            reply_to: None,
            voice: Voice::Agent,
        },
        r#"{"type":"message","id":"KEY","text":"hi\nthere"}"#,
    );
    check(
        &OutboundOp::Post {
            text: String::new(),
            files: vec![OutboundFile {
                name: "a.txt".into(),
                content: b"abc".to_vec(),
            }],
            reply_to: Some(target.clone()),
            voice: Voice::Host,
        },
        r#"{"type":"message","id":"KEY","in_reply_to":"t","voice":"host","text":"","files":[{"name":"a.txt","data":"YWJj"}]}"#,
    );
    check(
        &OutboundOp::Edit {
            target: target.clone(),
            text: "new".into(),
        },
        r#"{"type":"edit","id":"KEY","target":"t","text":"new"}"#,
    );
    check(
        &OutboundOp::Delete {
            target: target.clone(),
        },
        r#"{"type":"delete","id":"KEY","target":"t"}"#,
    );
    check(
        &OutboundOp::React {
            target,
            emoji: "👍".into(),
        },
        r#"{"type":"react","id":"KEY","target":"t","emoji":"👍"}"#,
    );
    check(
        &OutboundOp::Ask(Question {
            id: question_id(1),
            title: "Deploy".into(),
            text: "Now?".into(),
            options: vec!["yes".into(), "no".into()],
        }),
        &format!(
            r#"{{"type":"question","id":"KEY","question":"{}","title":"Deploy","text":"Now?","options":["yes","no"]}}"#,
            question_id(1)
        ),
    );
    check(&OutboundOp::Typing, r#"{"type":"typing"}"#);
}

#[test]
fn a_line_over_the_limit_is_not_made() {
    let line = ServerLine::Welcome {
        name: "x".repeat(LINE_LIMIT_BYTES),
    };
    assert_eq!(bytes(&line), Err(LINE_LIMIT_BYTES + 28));
}
