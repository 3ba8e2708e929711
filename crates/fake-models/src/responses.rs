//! Answers of Responses.

use serde_json::{Value, json};

use crate::server::{Api, Why};

/// How long the pieces of words and arguments are, in characters.
const PIECE: usize = 7;

/// Answers the call of this number.
pub(crate) struct Responses(pub(crate) usize);

impl Api for Responses {
    fn words(&self, text: &str, why: Why) -> Vec<String> {
        let content = match why {
            Why::Refused => json!([{ "type": "refusal", "refusal": "I can't do that." }]),
            Why::Done | Why::Cut => json!([{ "type": "output_text", "text": text }]),
        };
        let item = self.item(
            "message",
            &json!({ "role": "assistant", "content": content }),
        );
        let delta = |piece: &str| {
            let id = item.get("id");
            json!({ "item_id": id, "output_index": 0, "content_index": 0, "delta": piece })
        };
        let mut events = vec![created()];
        events.extend(item_of(0, &item, "response.output_text.delta", text, delta));
        events.push(ended(why, &[item]));
        events
    }

    fn calls(&self, calls: &[(&'static str, Value)]) -> Vec<String> {
        let mut events = vec![created()];
        let mut items = Vec::new();
        for (index, (name, arguments)) in calls.iter().enumerate() {
            let arguments = arguments.to_string();
            let call = format!("call_{}_{index}", self.0);
            let fields = json!({ "call_id": call, "name": name, "arguments": arguments });
            let item = self.item("function_call", &fields);
            let delta = |piece: &str| json!({ "item_id": item.get("id"), "output_index": index, "delta": piece });
            let name = "response.function_call_arguments.delta";
            events.extend(item_of(index, &item, name, &arguments, delta));
            items.push(item);
        }
        events.push(ended(Why::Done, &items));
        events
    }

    fn error(&self) -> String {
        let error = json!({ "code": "server_error", "message": "Overloaded" });
        let response = json!({ "status": "failed", "error": error });
        event("response.failed", json!({ "response": response }))
    }
}

impl Responses {
    fn item(&self, kind: &str, fields: &Value) -> Value {
        let mut item =
            json!({ "type": kind, "id": format!("item_{}", self.0), "status": "completed" });
        let fields = fields.as_object().cloned().unwrap_or_default();
        if let Some(item) = item.as_object_mut() {
            item.extend(fields);
        }
        item
    }
}

fn created() -> String {
    let response = json!({ "id": "resp_1", "status": "in_progress" });
    event("response.created", json!({ "response": response }))
}

fn item_of(
    index: usize,
    item: &Value,
    name: &str,
    text: &str,
    delta: impl Fn(&str) -> Value,
) -> Vec<String> {
    let mut begun = item.clone();
    for field in ["content", "arguments"] {
        if let Some(value) = begun.get_mut(field) {
            *value = if value.is_string() {
                json!("")
            } else {
                json!([])
            };
        }
    }
    let whole = |item: &Value| json!({ "output_index": index, "item": item });
    let mut events = vec![event("response.output_item.added", whole(&begun))];
    let letters: Vec<char> = text.chars().collect();
    for piece in letters.chunks(PIECE) {
        let piece: String = piece.iter().collect();
        events.push(event(name, delta(&piece)));
    }
    events.push(event("response.output_item.done", whole(item)));
    events
}

fn ended(why: Why, items: &[Value]) -> String {
    let usage = json!({
        "input_tokens": 115,
        "input_tokens_details": { "cached_tokens": 105 },
        "output_tokens": 20,
        "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": 135,
    });
    let (name, status, details) = match why {
        Why::Cut => {
            let details = json!({ "reason": "max_output_tokens" });
            ("response.incomplete", "incomplete", details)
        }
        Why::Done | Why::Refused => ("response.completed", "completed", Value::Null),
    };
    let response = json!({
        "id": "resp_1",
        "status": status,
        "incomplete_details": details,
        "output": items,
        "usage": usage,
    });
    event(name, json!({ "response": response }))
}

fn event(name: &str, mut data: Value) -> String {
    if let Some(fields) = data.as_object_mut() {
        fields.insert("type".to_owned(), json!(name));
    }
    format!("event: {name}\ndata: {data}\n\n")
}
