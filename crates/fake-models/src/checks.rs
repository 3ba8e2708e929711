//! What the real APIs refuse, in about their words.

use std::collections::BTreeSet;

use hyper::HeaderMap;
use serde_json::{Value, json};

/// The most marks for the cache that the Messages API takes.
const CACHE_MARKS_LIMIT: usize = 4;

/// Checks a call of the Messages API.
pub(crate) fn messages(
    headers: &HeaderMap,
    content: &Value,
    window: Option<usize>,
) -> Result<(), String> {
    if headers.get("anthropic-version").is_none() {
        return Err("anthropic-version: header is required".to_owned());
    }
    for field in ["model", "max_tokens"] {
        if content.get(field).is_none() {
            return Err(format!("{field}: Field required"));
        }
    }
    let list = list(content, "messages");
    if list.is_empty() {
        return Err("messages: at least one message is required".to_owned());
    }
    let marks = content.to_string().matches("\"cache_control\"").count();
    if marks > CACHE_MARKS_LIMIT {
        return Err(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {marks}."
        ));
    }
    let mut open: BTreeSet<String> = BTreeSet::new();
    for (at, (role, blocks)) in combined(&list).into_iter().enumerate() {
        let expect = if at % 2 == 0 { "user" } else { "assistant" };
        if role != expect {
            return Err(format!("messages.{at}: unexpected role {role:?}"));
        }
        if blocks.is_empty() {
            return Err(format!(
                "messages.{at}: all messages must have non-empty content"
            ));
        }
        let given: BTreeSet<String> = kinds(&blocks, "tool_result", "tool_use_id");
        if given != open {
            return Err(format!(
                "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after"
            ));
        }
        for block in &blocks {
            if text(block, "type") == "text" && text(block, "text").is_empty() {
                return Err("messages: text content blocks must be non-empty".to_owned());
            }
        }
        open = kinds(&blocks, "tool_use", "id");
    }
    if !open.is_empty() {
        return Err("messages: the last one has `tool_use` without `tool_result`".to_owned());
    }
    fits(&list, window)
        .map_err(|(is, most)| format!("prompt is too long: {is} tokens > {most} maximum"))
}

/// Messages as they are read: those in a row that have the same role are one, and what the system
/// says between them is of none.
fn combined(list: &[Value]) -> Vec<(String, Vec<Value>)> {
    let mut combined: Vec<(String, Vec<Value>)> = Vec::new();
    for message in list {
        let role = text(message, "role");
        let blocks = match message.get("content") {
            Some(Value::String(words)) => vec![json!({ "type": "text", "text": words })],
            Some(_) | None => self::list(message, "content"),
        };
        match combined.last_mut() {
            _ if role == "system" => {}
            Some((last, content)) if *last == role => content.extend(blocks),
            Some(_) | None => combined.push((role, blocks)),
        }
    }
    combined
}

/// Checks a call of Chat Completions.
pub(crate) fn chat(content: &Value, window: Option<usize>) -> Result<(), String> {
    if content.get("model").is_none() {
        return Err("you must provide a model parameter".to_owned());
    }
    let list = list(content, "messages");
    let mut open: BTreeSet<String> = BTreeSet::new();
    for message in &list {
        match text(message, "role").as_str() {
            "tool" => {
                if !open.remove(&text(message, "tool_call_id")) {
                    return Err(
                        "messages with role 'tool' must be a response to a preceding message with \
                         'tool_calls'"
                            .to_owned(),
                    );
                }
            }
            role => {
                if !open.is_empty() {
                    return Err(
                        "an assistant message with 'tool_calls' must be followed by tool messages"
                            .to_owned(),
                    );
                }
                if role == "assistant" {
                    let calls = self::list(message, "tool_calls");
                    open = calls.iter().map(|call| text(call, "id")).collect();
                }
            }
        }
    }
    if !open.is_empty() {
        return Err("the last 'tool_calls' have no tool messages".to_owned());
    }
    fits(&list, window).map_err(|(is, most)| {
        format!("context_length_exceeded: maximum context length is {most} tokens, this has {is}")
    })
}

/// Checks a call of Responses.
pub(crate) fn responses(content: &Value, window: Option<usize>) -> Result<(), String> {
    if content.get("model").is_none() {
        return Err("Missing required parameter: 'model'.".to_owned());
    }
    let list = list(content, "input");
    let of = |kind: &str| kinds(&list, kind, "call_id");
    let (calls, outputs) = (of("function_call"), of("function_call_output"));
    if let Some(call) = calls.difference(&outputs).next() {
        return Err(format!("No tool output found for function call {call}."));
    }
    if let Some(call) = outputs.difference(&calls).next() {
        return Err(format!(
            "No tool call found for function call output with call_id {call}."
        ));
    }
    fits(&list, window).map_err(|(is, most)| {
        format!("context_length_exceeded: the context window has {most} tokens, this has {is}")
    })
}

fn fits(messages: &[Value], window: Option<usize>) -> Result<(), (usize, usize)> {
    let length: usize = messages
        .iter()
        .map(|message| message.to_string().len())
        .sum();
    match window {
        Some(most) if length > most => Err((length, most)),
        Some(_) | None => Ok(()),
    }
}

fn list(value: &Value, name: &str) -> Vec<Value> {
    let list = value.get(name).and_then(Value::as_array);
    list.cloned().unwrap_or_default()
}

fn text(value: &Value, name: &str) -> String {
    let text = value.get(name).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The ids of the blocks of one kind.
fn kinds(blocks: &[Value], kind: &str, id: &str) -> BTreeSet<String> {
    let blocks = blocks.iter().filter(|block| text(block, "type") == kind);
    blocks.map(|block| text(block, id)).collect()
}
