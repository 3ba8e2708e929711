//! Answers of the Messages API.

use serde_json::{Value, json};

use crate::server::{Api, Why};

/// How long the pieces of words and arguments are, in characters.
const PIECE: usize = 7;

/// Answers the call of this number.
pub(crate) struct Messages(pub(crate) usize);

impl Api for Messages {
    fn words(&self, text: &str, why: Why) -> Vec<String> {
        let reason = match why {
            Why::Done => "end_turn",
            Why::Cut => "max_tokens",
            Why::Refused => "refusal",
        };
        let mut events = vec![self.start()];
        if !text.is_empty() {
            let block = json!({ "type": "text", "text": "" });
            let delta = |piece: String| json!({ "type": "text_delta", "text": piece });
            events.extend(block_of(0, &block, text, delta));
        }
        events.extend(end(reason));
        events
    }

    fn calls(&self, calls: &[(&'static str, Value)]) -> Vec<String> {
        let mut events = vec![self.start()];
        for (index, (name, input)) in calls.iter().enumerate() {
            let id = format!("toolu_{}_{index}", self.0);
            let block = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
            let delta =
                |piece: String| json!({ "type": "input_json_delta", "partial_json": piece });
            events.extend(block_of(index, &block, &input.to_string(), delta));
        }
        events.extend(end("tool_use"));
        events
    }

    fn error(&self) -> String {
        let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
        event("error", &json!({ "type": "error", "error": error }))
    }
}

impl Messages {
    fn start(&self) -> String {
        let usage = json!({
            "input_tokens": 10,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 5,
            "output_tokens": 1,
        });
        let message = json!({
            "id": format!("msg_{}", self.0),
            "type": "message",
            "role": "assistant",
            "model": "m-1",
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage,
        });
        event(
            "message_start",
            &json!({ "type": "message_start", "message": message }),
        )
    }
}

fn end(reason: &str) -> Vec<String> {
    let delta = json!({
        "type": "message_delta",
        "delta": { "stop_reason": reason, "stop_sequence": null },
        "usage": { "output_tokens": 20 },
    });
    vec![
        event("message_delta", &delta),
        event("message_stop", &json!({ "type": "message_stop" })),
    ]
}

fn block_of(
    index: usize,
    block: &Value,
    text: &str,
    delta: impl Fn(String) -> Value,
) -> Vec<String> {
    let mut events = vec![
        event(
            "content_block_start",
            &json!({ "type": "content_block_start", "index": index, "content_block": block }),
        ),
        event("ping", &json!({ "type": "ping" })),
    ];
    let letters: Vec<char> = text.chars().collect();
    for piece in letters.chunks(PIECE) {
        let delta = delta(piece.iter().collect());
        events.push(event(
            "content_block_delta",
            &json!({ "type": "content_block_delta", "index": index, "delta": delta }),
        ));
    }
    events.push(event(
        "content_block_stop",
        &json!({ "type": "content_block_stop", "index": index }),
    ));
    events
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}
