use std::collections::BTreeMap;

use anchorhold_sessiondb::ModelOptions;

use super::*;
use crate::provider::{Model, model::history::History};

#[test]
fn a_conversation_becomes_items() {
    let mut history = History::fresh("m");
    history.system = "be good".to_owned();
    history.hear(vec![Part::text("list")]);
    let thought = json!({ "type": "reasoning", "id": "r", "encrypted_content": "x" });
    let call = Part::Call {
        id: "c".to_owned(),
        name: "bash".to_owned(),
        arguments: "{}".to_owned(),
    };
    let own = Part::Own {
        value: thought.clone(),
    };
    history.answer(vec![own, Part::text("wait"), call]);
    let result = Part::Result {
        call: "c".to_owned(),
        text: "x".to_owned(),
        failed: false,
    };
    let file = |name: &str, media_type: &str| Part::File {
        name: name.to_owned(),
        path: format!("/{name}"),
        media_type: media_type.to_owned(),
    };
    let shown = [file("a.png", "image/png"), file("b.pdf", "application/pdf")];
    history.hear([vec![result, Part::text("and this")], shown.to_vec()].concat());
    let model = Model {
        id: "m".to_owned(),
        options: ModelOptions {
            effort: Some("low".to_owned()),
            ..ModelOptions::default()
        },
    };
    let request = Responses.request(&Ask {
        model: &model,
        history: &history,
        may_call: false,
        files: &BTreeMap::from([("/a.png".to_owned(), "QQ==".to_owned())]),
    });
    assert_eq!(request["instructions"], "be good");
    assert_eq!(request["store"], false);
    assert_eq!(request["reasoning"]["effort"], "low");
    assert_eq!(request["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(request["tool_choice"], "none");
    let words =
        |role: &str, content: Value| json!({ "type": "message", "role": role, "content": content });
    assert_eq!(
        request["input"],
        json!([
            words("user", json!([{ "type": "input_text", "text": "list" }])),
            thought,
            words("assistant", json!([{ "type": "output_text", "text": "wait" }])),
            { "type": "function_call", "call_id": "c", "name": "bash", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c", "output": "x" },
            words("user", json!([
                { "type": "input_text", "text": "and this" },
                { "type": "input_image", "image_url": "data:image/png;base64,QQ==" },
                { "type": "input_text", "text": "(the file b.pdf is not shown)" },
            ])),
        ])
    );
}

fn read(events: &[Value]) -> Result<Answered, Failure> {
    let mut items = Items::default();
    for event in events {
        items.event(&event.to_string())?;
    }
    items.finish()
}

#[test]
fn what_is_no_answer_is_a_failure() {
    let failed = json!({ "type": "response.failed",
                         "response": { "error": { "code": "rate_limit_exceeded" } } });
    let error = json!({ "type": "error", "code": "server_error", "message": "down" });
    for events in [vec![], vec![failed], vec![error]] {
        assert!(read(&events).is_err(), "{events:?}");
    }
    let item = json!({ "type": "message", "content": [{ "type": "refusal", "refusal": "no" }] });
    let done = json!({ "type": "response.output_item.done", "item": item });
    let ended = json!({ "type": "response.completed",
                        "response": { "usage": { "input_tokens": 3, "output_tokens": 4 } } });
    let answered = read(&[done, ended]).unwrap();
    assert_eq!((answered.why, answered.tokens), (Why::Refused, 7));
    assert_eq!(answered.parts, []);
}
