use std::collections::BTreeMap;

use super::*;
use crate::provider::{Model, model::history::History};

fn history() -> History {
    let mut history = History::fresh("m");
    history.system = "be good".to_owned();
    history.hear(vec![
        Part::text("see"),
        Part::File {
            name: "a.png".to_owned(),
            path: "/a".to_owned(),
            media_type: "image/png".to_owned(),
        },
        Part::File {
            name: "b.pdf".to_owned(),
            path: "/b".to_owned(),
            media_type: "application/pdf".to_owned(),
        },
    ]);
    history.answer(vec![
        Part::Own {
            value: json!({ "type": "thinking", "thinking": "hm", "signature": "s" }),
        },
        Part::Call {
            id: "c".to_owned(),
            name: "bash".to_owned(),
            arguments: "{\"cmd\":\"ls\"}".to_owned(),
        },
    ]);
    history.hear(vec![Part::Result {
        call: "c".to_owned(),
        text: "x".to_owned(),
        failed: true,
    }]);
    history
}

#[test]
fn a_conversation_becomes_messages_with_marks_for_the_cache() {
    let model = Model {
        id: "m".to_owned(),
        options: anchorhold_sessiondb::ModelOptions::default(),
    };
    let files = BTreeMap::from([("/b".to_owned(), "QQ==".to_owned())]);
    let request = Anthropic.request(&Ask {
        model: &model,
        history: &history(),
        may_call: false,
        files: &files,
    });
    let kept = json!({ "type": "ephemeral" });
    assert_eq!(request["max_tokens"], OUTPUT_TOKENS);
    assert_eq!(request["tool_choice"], json!({ "type": "none" }));
    assert_eq!(
        request["system"],
        json!([{ "type": "text", "text": "be good", "cache_control": kept }])
    );
    let document = json!({
        "type": "document",
        "source": { "type": "base64", "media_type": "application/pdf", "data": "QQ==" },
        "cache_control": kept,
    });
    assert_eq!(
        request["messages"],
        json!([
            { "role": "user", "content": [
                { "type": "text", "text": "see" },
                { "type": "text", "text": "(the file a.png is not shown)" },
                document,
            ]},
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "hm", "signature": "s" },
                { "type": "tool_use", "id": "c", "name": "bash", "input": { "cmd": "ls" } },
            ]},
            { "role": "user", "content": [{
                "type": "tool_result",
                "tool_use_id": "c",
                "content": "x",
                "is_error": true,
                "cache_control": kept,
            }]},
        ])
    );
}

#[test]
fn effort_is_a_word_or_a_number_of_tokens() {
    for (effort, expect) in [
        ("none", None),
        ("low", Some(2048)),
        ("high", Some(24_576)),
        ("10", Some(1024)),
        ("5000", Some(5000)),
        ("99999999", Some(65_536)),
        ("very", None),
    ] {
        assert_eq!(thinking(effort), expect, "{effort}");
    }
}

fn read(events: &[Value]) -> Result<Answered, Failure> {
    let mut blocks = Blocks::default();
    for event in events {
        blocks.event(&event.to_string())?;
    }
    blocks.finish()
}

#[test]
fn thinking_is_kept_as_it_was_and_what_is_new_is_left_aside() {
    let delta = |delta: Value| json!({ "type": "content_block_delta", "delta": delta });
    let start = |block: Value| json!({ "type": "content_block_start", "content_block": block });
    let answered = read(&[
        start(json!({ "type": "thinking", "thinking": "" })),
        delta(json!({ "type": "thinking_delta", "thinking": "a" })),
        delta(json!({ "type": "thinking_delta", "thinking": "b" })),
        delta(json!({ "type": "signature_delta", "signature": "s" })),
        start(json!({ "type": "from_the_future" })),
        delta(json!({ "type": "future_delta", "x": 1 })),
        start(json!({ "type": "tool_use", "id": "c", "name": "n", "input": {} })),
        json!({ "type": "news" }),
        json!({ "type": "message_stop" }),
    ])
    .unwrap();
    let thinking = json!({ "type": "thinking", "thinking": "ab", "signature": "s" });
    let expect = [
        Part::Own { value: thinking },
        Part::Call {
            id: "c".to_owned(),
            name: "n".to_owned(),
            arguments: "{}".to_owned(),
        },
    ];
    assert_eq!(answered.parts, expect);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for events in [
        vec![],
        vec![json!({ "type": "content_block_delta", "delta": {} })],
        vec![json!({ "type": "error", "error": { "type": "overloaded_error" } })],
    ] {
        assert!(read(&events).is_err(), "{events:?}");
    }
    let many = vec![json!({ "type": "content_block_start" }); BLOCKS_LIMIT + 1];
    assert!(read(&many).is_err());
}
