//! Answers of Chat Completions.

use serde_json::{Value, json};

use crate::server::{Api, Why};

/// How long the pieces of words and arguments are, in characters.
const PIECE: usize = 7;

pub(crate) struct Chat;

impl Api for Chat {
    fn words(&self, text: &str, why: Why) -> Vec<String> {
        let reason = match why {
            Why::Done => "stop",
            Why::Cut => "length",
            Why::Refused => "content_filter",
        };
        let letters: Vec<char> = text.chars().collect();
        let pieces = letters.chunks(PIECE).map(|piece| {
            let piece: String = piece.iter().collect();
            chunk(&json!({ "content": piece }), None)
        });
        let mut events = vec![chunk(&json!({ "role": "assistant", "content": "" }), None)];
        events.extend(pieces);
        events.extend(end(reason));
        events
    }

    fn calls(&self, calls: &[(&'static str, Value)]) -> Vec<String> {
        let mut events = vec![chunk(
            &json!({ "role": "assistant", "content": null }),
            None,
        )];
        for (index, (name, arguments)) in calls.iter().enumerate() {
            let id = format!("call_{index}");
            let function = json!({ "name": name, "arguments": "" });
            let begun =
                json!({ "index": index, "id": id, "type": "function", "function": function });
            events.push(chunk(&json!({ "tool_calls": [begun] }), None));
            let letters: Vec<char> = arguments.to_string().chars().collect();
            for piece in letters.chunks(PIECE) {
                let piece: String = piece.iter().collect();
                let more = json!({ "index": index, "function": { "arguments": piece } });
                events.push(chunk(&json!({ "tool_calls": [more] }), None));
            }
        }
        events.extend(end("tool_calls"));
        events
    }

    fn error(&self) -> String {
        let error = json!({ "code": 529, "message": "Overloaded" });
        format!("data: {}\n\n", json!({ "error": error }))
    }
}

fn chunk(delta: &Value, reason: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": reason });
    let chunk = json!({ "object": "chat.completion.chunk", "choices": [choice] });
    format!("data: {chunk}\n\n")
}

fn end(reason: &str) -> Vec<String> {
    let usage = json!({
        "prompt_tokens": 115,
        "completion_tokens": 20,
        "prompt_tokens_details": { "cached_tokens": 105 },
    });
    let told = json!({ "object": "chat.completion.chunk", "choices": [], "usage": usage });
    vec![
        chunk(&json!({}), Some(reason)),
        format!("data: {told}\n\n"),
        "data: [DONE]\n\n".to_owned(),
    ]
}
