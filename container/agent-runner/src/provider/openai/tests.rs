use std::collections::BTreeMap;

use super::*;
use crate::provider::{Model, model::history::History};

fn call(id: &str, arguments: &str) -> Part {
    Part::Call {
        id: id.to_owned(),
        name: "bash".to_owned(),
        arguments: arguments.to_owned(),
    }
}

#[test]
fn a_conversation_becomes_messages() {
    let mut history = History::fresh("m");
    history.system = "be good".to_owned();
    history.hear(vec![Part::text("list")]);
    history.answer(vec![Part::text("wait"), call("c", "{}")]);
    history.hear(vec![
        Part::Result {
            call: "c".to_owned(),
            text: "x".to_owned(),
            failed: false,
        },
        Part::text("and this"),
        Part::File {
            name: "a.png".to_owned(),
            path: "/a".to_owned(),
            media_type: "image/png".to_owned(),
        },
    ]);
    let model = Model {
        id: "m".to_owned(),
        options: anchorhold_sessiondb::ModelOptions::default(),
    };
    let files = BTreeMap::from([("/a".to_owned(), "QQ==".to_owned())]);
    let request = OpenAi.request(&Ask {
        model: &model,
        history: &history,
        may_call: true,
        files: &files,
    });
    let function = json!({ "name": "bash", "arguments": "{}" });
    let image = json!({ "url": "data:image/png;base64,QQ==" });
    assert_eq!(
        request["messages"],
        json!([
            { "role": "system", "content": "be good" },
            { "role": "user", "content": "list" },
            { "role": "assistant", "content": "wait", "tool_calls": [
                { "id": "c", "type": "function", "function": function },
            ]},
            { "role": "tool", "tool_call_id": "c", "content": "x" },
            { "role": "user", "content": [
                { "type": "text", "text": "and this" },
                { "type": "image_url", "image_url": image },
            ]},
        ])
    );
    assert_eq!(request.get("tool_choice"), None);
}

#[test]
fn the_limit_has_the_name_that_the_model_knows() {
    for (model, name) in [
        ("gpt-5-mini", "max_completion_tokens"),
        ("openai/o3", "max_completion_tokens"),
        ("gpt-oss:20b", "max_tokens"),
        ("llama3.2", "max_tokens"),
        ("mistral-large", "max_tokens"),
    ] {
        assert_eq!(limit_of(model), name, "{model}");
    }
}

fn read(chunks: &[&str]) -> Result<Answered, Failure> {
    let mut reader = Chunks::default();
    for chunk in chunks {
        reader.event(chunk)?;
    }
    reader.finish()
}

#[track_caller]
fn check(chunks: &[&str], expect: &[Part]) {
    assert_eq!(read(chunks).unwrap().parts, expect, "{chunks:?}");
}

#[test]
fn each_servers_way_of_calling_is_read() {
    // A piece at a time, by index.
    check(
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"bash","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"bash","arguments":"{\"x\":2}"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":1}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            "[DONE]",
        ],
        &[call("a", "{\"x\":1}"), call("b", "{\"x\":2}")],
    );
    // Whole calls without index, one without an id, and an end that says stop.
    check(
        &[
            r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"name":"bash","arguments":{"x":1}}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"bash","arguments":""}}]},"finish_reason":"stop"}]}"#,
        ],
        &[call("a", "{\"x\":1}"), call("call_1", "{}")],
    );
}

#[test]
fn what_is_no_answer_is_an_error() {
    for chunks in [
        &[][..],
        &["{}"],
        &["no json"],
        &[r#"{"error":{"message":"upstream","code":502}}"#],
        &[r#"{"choices":[{"delta":{"content":"half"}}]}"#],
    ] {
        assert!(read(chunks).is_err(), "{chunks:?}");
    }
    let refusal = r#"{"choices":[{"delta":{"refusal":"no"},"finish_reason":"stop"}]}"#;
    assert_eq!(read(&[refusal]).unwrap().why, Why::Refused);
}
