//! The lines that go both ways. What is not known is passed over: the program grows.
//! <https://docs.anthropic.com/en/api/agent-sdk/typescript#message-types>

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::provider::model::{ask::content, history::Part};

/// Something that the child says.
pub(super) enum Event {
    /// It begins to work.
    Begins,
    /// It has taken up a message of ours.
    Heard { uuid: String },
    /// A message of the conversation.
    Message(Message),
    /// The conversation was made shorter.
    Compacted,
    /// It asks for something, and waits.
    Asks { id: String, request: Value },
    /// It has ended what it was told.
    Ended(Ended),
    /// Something else, which shows that it lives.
    Other,
}

/// One message of the conversation.
pub(super) struct Message {
    pub(super) session: String,
    pub(super) uuid: String,
    /// What the model says.
    pub(super) text: String,
    /// Does it call a tool?
    pub(super) calls: bool,
}

/// How it ended.
pub(super) struct Ended {
    pub(super) failed: bool,
    /// Does the model refuse?
    pub(super) refused: bool,
    /// What it says of it.
    pub(super) text: String,
}

impl fmt::Debug for Event {
    /// What is said never reaches a log: only what kind of event it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begins => "Begins",
            Self::Heard { .. } => "Heard",
            Self::Message(_) => "Message",
            Self::Compacted => "Compacted",
            Self::Asks { .. } => "Asks",
            Self::Ended(_) => "Ended",
            Self::Other => "Other",
        })
    }
}

/// Reads one line.
pub(super) fn read(line: &str) -> Event {
    // silent: what is no JSON was not written by its protocol.
    let event: Value = serde_json::from_str(line).unwrap_or_default();
    match (text(&event, "type"), text(&event, "subtype")) {
        ("system", "init") => Event::Begins,
        ("system", "compact_boundary") => Event::Compacted,
        // What its own agents say is no part of the conversation.
        ("assistant" | "user", _)
            if event
                .get("parent_tool_use_id")
                .is_some_and(Value::is_string) =>
        {
            Event::Other
        }
        ("assistant", _) => message(&event),
        ("user", _) => user(&event),
        ("result", subtype) => Event::Ended(ended(&event, subtype)),
        ("control_request", _) => Event::Asks {
            id: text(&event, "request_id").to_owned(),
            request: event.get("request").cloned().unwrap_or_default(),
        },
        _ => Event::Other,
    }
}

fn user(event: &Value) -> Event {
    let replayed = event.get("isReplay").and_then(Value::as_bool) == Some(true);
    let told = event.pointer("/message/content");
    // A command of its own is told as text, a message as blocks.
    if replayed && told.is_some_and(Value::is_array) {
        let uuid = text(event, "uuid").to_owned();
        return Event::Heard { uuid };
    }
    message(event)
}

fn message(event: &Value) -> Event {
    let blocks = event.pointer("/message/content").and_then(Value::as_array);
    let blocks = || blocks.into_iter().flatten();
    // What stands for an answer that failed is none.
    let counts = text(event, "type") == "assistant" && event.get("error").is_none();
    let words = blocks().filter(|block| counts && text(block, "type") == "text");
    Event::Message(Message {
        session: text(event, "session_id").to_owned(),
        uuid: text(event, "uuid").to_owned(),
        text: words.map(|block| text(block, "text")).collect(),
        calls: blocks().any(|block| text(block, "type") == "tool_use"),
    })
}

fn ended(event: &Value, subtype: &str) -> Ended {
    let failed = event.get("is_error").and_then(Value::as_bool) == Some(true);
    let errors = event.get("errors").and_then(Value::as_array);
    let errors = errors.into_iter().flatten().filter_map(Value::as_str);
    let said = match text(event, "result") {
        "" => errors.collect::<Vec<_>>().join("; "),
        said => said.to_owned(),
    };
    Ended {
        failed: failed || subtype != "success",
        refused: text(event, "stop_reason") == "refusal",
        text: said,
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A message for it, under an id of ours.
pub(super) fn tell(uuid: &str, parts: &[Part]) -> Value {
    let blocks: Vec<Value> = parts.iter().map(block).collect();
    json!({
        "type": "user",
        "uuid": uuid,
        "message": { "role": "user", "content": blocks },
    })
}

fn block(part: &Part) -> Value {
    let words = |text: &str| json!({ "type": "text", "text": text });
    match part {
        Part::Text { text } => words(text),
        Part::File {
            name,
            path,
            media_type,
        } => match content(path) {
            Ok(content) => {
                let kind = if media_type.starts_with("image/") {
                    "image"
                } else {
                    "document"
                };
                let data = STANDARD.encode(content);
                let source = json!({ "type": "base64", "media_type": media_type, "data": data });
                json!({ "type": kind, "source": source })
            }
            // It is told, and has the path.
            Err(_gone) => words(&format!("(the file {name} is not shown)")),
        },
        // Nobody says these to it.
        Part::Call { .. } | Part::Result { .. } | Part::Own { .. } => words("(nothing)"),
    }
}

/// A command of its own.
pub(super) fn command(text: &str) -> Value {
    json!({ "type": "user", "message": { "role": "user", "content": text } })
}

/// Has it stop what it does.
pub(super) fn interrupt() -> Value {
    json!({
        "type": "control_request",
        "request_id": "interrupt",
        "request": { "subtype": "interrupt" },
    })
}

/// Answers what it asks for: a tool may always be used, since the sandbox is what holds it; what else
/// it may want there is not. It never waits for a person.
pub(super) fn answer(id: &str, request: &Value) -> Value {
    let response = if text(request, "subtype") == "can_use_tool" {
        let input = request.get("input").cloned().unwrap_or_else(|| json!({}));
        let allowed = json!({ "behavior": "allow", "updatedInput": input });
        json!({ "subtype": "success", "request_id": id, "response": allowed })
    } else {
        json!({ "subtype": "error", "request_id": id, "error": "there is no such thing here" })
    };
    json!({ "type": "control_response", "response": response })
}

#[cfg(test)]
mod tests;
