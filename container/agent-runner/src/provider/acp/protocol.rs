//! JSON-RPC as the protocol has it, as far as it is used here. What is not known is passed over.
//! <https://agentclientprotocol.com/protocol/schema>

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use camino::Utf8Path;
use serde_json::{Value, json};

use crate::{
    mcp,
    provider::model::{ask::content, history::Part},
};

/// The version that is spoken.
const VERSION: u32 = 1;

/// Something that an agent says.
pub(super) enum Event {
    /// The answer to the call of this number.
    Answer {
        call: u64,
        answer: Result<Value, Refused>,
    },
    /// A piece of what it says to the person.
    Words(String),
    /// It uses a tool.
    Acts,
    /// It asks for something, and waits.
    Asks {
        id: Value,
        method: String,
        params: Value,
    },
    /// Something else, which shows that it lives.
    Other,
}

/// What it does not do.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) text: String,
}

impl fmt::Debug for Event {
    /// What is said never reaches a log: only what kind of event it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answer { .. } => "Answer",
            Self::Words(_) => "Words",
            Self::Acts => "Acts",
            Self::Asks { .. } => "Asks",
            Self::Other => "Other",
        })
    }
}

/// Reads one line.
pub(super) fn read(line: &str) -> Event {
    // silent: what is no JSON was not written by its protocol.
    let mut event: Value = serde_json::from_str(line).unwrap_or_default();
    let method = text(&event, "method").to_owned();
    let id = event.get("id").cloned();
    match (method.as_str(), id) {
        ("", Some(id)) => match id.as_u64() {
            Some(call) => Event::Answer {
                call,
                answer: answer(&mut event),
            },
            None => Event::Other,
        },
        ("session/update", None) => update(&event),
        ("", None) => Event::Other,
        (_, Some(id)) => Event::Asks {
            id,
            method,
            params: event.get("params").cloned().unwrap_or_default(),
        },
        (_, None) => Event::Other,
    }
}

fn answer(event: &mut Value) -> Result<Value, Refused> {
    match event.get("error") {
        Some(error) => {
            let more = error.pointer("/data/message").and_then(Value::as_str);
            let message = text(error, "message");
            let more = more.map(|more| format!(": {more}")).unwrap_or_default();
            Err(Refused {
                text: format!("{message}{more}"),
            })
        }
        None => Ok(event.get_mut("result").map(Value::take).unwrap_or_default()),
    }
}

fn update(event: &Value) -> Event {
    let update = event.pointer("/params/update").unwrap_or(&Value::Null);
    match text(update, "sessionUpdate") {
        "agent_message_chunk" => {
            let words = update.pointer("/content/text").and_then(Value::as_str);
            Event::Words(words.unwrap_or_default().to_owned())
        }
        "tool_call" => Event::Acts,
        _ => Event::Other,
    }
}

pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn call(number: u64, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": params })
}

/// What we are, and that we do nothing for it: it has the files and a shell itself.
pub(super) fn initialize() -> Value {
    json!({
        "protocolVersion": VERSION,
        "clientCapabilities": {
            "fs": { "readTextFile": false, "writeTextFile": false },
            "terminal": false,
        },
    })
}

/// Where a session is, and with what; `session` is that of one that there is already.
pub(super) fn session(workspace: &Utf8Path, tools: &[String], session: Option<&str>) -> Value {
    let servers = tools.split_first().map(|(program, arguments)| {
        json!({ "name": mcp::NAME, "command": program, "args": arguments, "env": [] })
    });
    let servers: Vec<Value> = servers.into_iter().collect();
    let mut params = json!({ "cwd": workspace, "mcpServers": servers });
    if let (Some(id), Some(fields)) = (session, params.as_object_mut()) {
        fields.insert("sessionId".to_owned(), json!(id));
    }
    params
}

/// Something for it to answer.
pub(super) fn prompt(session: &str, parts: &[Part]) -> Value {
    let blocks: Vec<Value> = parts.iter().map(block).collect();
    json!({ "sessionId": session, "prompt": blocks })
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
            Ok(content) if media_type.starts_with("image/") => {
                let data = STANDARD.encode(content);
                json!({ "type": "image", "mimeType": media_type, "data": data })
            }
            // It has the path, and reads the file itself.
            Ok(_) => {
                json!({ "type": "resource_link", "uri": format!("file://{path}"), "name": name })
            }
            Err(_gone) => words(&format!("(the file {name} is not shown)")),
        },
        // Nobody says these to it.
        Part::Call { .. } | Part::Result { .. } | Part::Own { .. } => words("(nothing)"),
    }
}

/// Has it stop what it does.
pub(super) fn cancel(session: &str) -> Value {
    let params = json!({ "sessionId": session });
    json!({ "jsonrpc": "2.0", "method": "session/cancel", "params": params })
}

/// Answers what it asks for: a tool may always be used, since the sandbox is what holds it; nothing else
/// is done for it. It never waits for a person.
pub(super) fn reply(id: &Value, method: &str, params: &Value) -> Value {
    let options = params.get("options").and_then(Value::as_array);
    let options = || options.into_iter().flatten();
    let kind = |kind: &'static str| move |option: &&Value| text(option, "kind") == kind;
    let allowed = options()
        .find(kind("allow_always"))
        .or_else(|| options().find(kind("allow_once")));
    match (method, allowed) {
        ("session/request_permission", Some(option)) => {
            let chosen = json!({ "outcome": "selected", "optionId": text(option, "optionId") });
            json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": chosen } })
        }
        ("session/request_permission", None) => {
            let outcome = json!({ "outcome": "cancelled" });
            json!({ "jsonrpc": "2.0", "id": id, "result": { "outcome": outcome } })
        }
        _ => {
            let error = json!({ "code": -32601, "message": "there is no such thing here" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    }
}

#[cfg(test)]
mod tests;
