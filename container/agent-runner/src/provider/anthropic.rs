//! The Messages API. <https://docs.anthropic.com/en/api/messages-streaming>

use serde_json::{Map, Value, json};

use crate::{
    provider::{
        ProviderCaps,
        model::{
            Answered, Ask, Dialect, Reader, Why,
            failure::Failure,
            history::{Message, Part, Role},
        },
    },
    tools,
};

const CAPS: ProviderCaps = ProviderCaps {
    name: "anthropic",
    state_keys: &["anthropic"],
    follow_ups: true,
};
/// The most tokens of one answer, where nobody says otherwise.
const OUTPUT_TOKENS: u32 = 16_384;
/// What its models can read, where nobody says otherwise.
const CONTEXT_TOKENS: u32 = 200_000;
/// The least that a model may think, in tokens, by the API.
const THINKING_LEAST: u32 = 1024;
/// The most blocks and calls of one answer that are put together.
const BLOCKS_LIMIT: usize = 256;

/// Models that speak the Messages API.
#[derive(Clone, Copy, Debug)]
pub struct Anthropic;

impl Dialect for Anthropic {
    type Reader = Blocks;

    fn caps(&self) -> &'static ProviderCaps {
        &CAPS
    }

    fn context_tokens(&self) -> u32 {
        CONTEXT_TOKENS
    }

    fn path(&self) -> &'static str {
        "/v1/messages"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn request(&self, ask: &Ask<'_>) -> Value {
        let options = &ask.model.options;
        let output = options.max_output_tokens.unwrap_or(OUTPUT_TOKENS);
        let thinking = options.effort.as_deref().and_then(thinking);
        let mut request = json!({
            "model": ask.model.id,
            "stream": true,
            "max_tokens": output + thinking.unwrap_or(0),
            "system": [{
                "type": "text",
                "text": ask.history.system,
                "cache_control": { "type": "ephemeral" },
            }],
            "tools": tools::specs().iter().map(|spec| json!({
                "name": spec.name,
                "description": spec.about,
                "input_schema": spec.schema,
            })).collect::<Vec<_>>(),
            "messages": messages(ask),
        });
        if let Some(fields) = request.as_object_mut() {
            if let Some(budget) = thinking {
                let thinks = json!({ "type": "enabled", "budget_tokens": budget });
                fields.insert("thinking".to_owned(), thinks);
            }
            if !ask.may_call {
                fields.insert("tool_choice".to_owned(), json!({ "type": "none" }));
            }
        }
        request
    }
}

/// How many tokens a model may think: in words, or as a number of them.
fn thinking(effort: &str) -> Option<u32> {
    match effort {
        "none" => None,
        "low" => Some(2 * THINKING_LEAST),
        "medium" => Some(8 * THINKING_LEAST),
        "high" => Some(24 * THINKING_LEAST),
        number => number.parse().ok().map(|budget: u32| {
            let most = 64 * THINKING_LEAST;
            budget.clamp(THINKING_LEAST, most)
        }),
    }
}

fn messages(ask: &Ask<'_>) -> Vec<Value> {
    let mut messages: Vec<Value> = ask
        .history
        .messages
        .iter()
        .map(|message| message_of(message, ask))
        .collect();
    // What was read up to here is in the cache for the next call: the newest question, and the one
    // before it, where the last call has put it.
    let users = messages.iter_mut().rev().step_by(2).take(2);
    for message in users {
        let last = message
            .get_mut("content")
            .and_then(Value::as_array_mut)
            .and_then(|blocks| blocks.last_mut())
            .and_then(Value::as_object_mut);
        if let Some(block) = last {
            let kept = json!({ "type": "ephemeral" });
            block.insert("cache_control".to_owned(), kept);
        }
    }
    messages
}

fn message_of(message: &Message, ask: &Ask<'_>) -> Value {
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let blocks: Vec<Value> = message
        .parts
        .iter()
        .map(|part| block_of(part, ask))
        .collect();
    json!({ "role": role, "content": blocks })
}

fn block_of(part: &Part, ask: &Ask<'_>) -> Value {
    match part {
        Part::Text { text } => json!({ "type": "text", "text": text }),
        Part::File {
            name,
            path,
            media_type,
        } => match ask.files.get(path) {
            Some(data) => {
                let kind = if media_type.starts_with("image/") {
                    "image"
                } else {
                    "document"
                };
                let source = json!({ "type": "base64", "media_type": media_type, "data": data });
                json!({ "type": kind, "source": source })
            }
            None => json!({ "type": "text", "text": format!("(the file {name} is not shown)") }),
        },
        Part::Call {
            id,
            name,
            arguments,
        } => {
            // What is no object was an error, of which the model was told.
            let input: Map<String, Value> = serde_json::from_str(arguments).unwrap_or_default();
            json!({ "type": "tool_use", "id": id, "name": name, "input": input })
        }
        Part::Result { call, text, failed } => json!({
            "type": "tool_result",
            "tool_use_id": call,
            "content": text,
            "is_error": failed,
        }),
        Part::Own { value } => value.clone(),
    }
}

/// The blocks of an answer, as they come.
#[derive(Debug, Default)]
pub struct Blocks {
    parts: Vec<Block>,
    why: Option<Why>,
    /// Input by the start of the answer, and output so far.
    tokens: (u64, u64),
    ended: bool,
}

#[derive(Debug)]
enum Block {
    Text(String),
    Call {
        id: String,
        name: String,
        arguments: String,
        /// What the start of the block has of them, where nothing follows.
        whole: Value,
    },
    /// Thinking, which the API wants back as it was.
    Thinking(Map<String, Value>),
    Unknown,
}

impl Reader for Blocks {
    fn event(&mut self, data: &str) -> Result<(), Failure> {
        let malformed = || Failure::transient("an event of the stream is no JSON");
        let event: Value = serde_json::from_str(data).map_err(|_no_json| malformed())?;
        let kind = event
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match kind {
            "message_start" => {
                let usage = event.pointer("/message/usage");
                self.tokens.0 = usage.map(input_tokens).unwrap_or_default();
            }
            "content_block_start" => {
                if self.parts.len() >= BLOCKS_LIMIT {
                    return Err(Failure::transient("the answer has too many parts"));
                }
                let block = event.get("content_block").unwrap_or(&Value::Null);
                self.parts.push(begun(block));
            }
            "content_block_delta" => {
                let delta = event.get("delta").unwrap_or(&Value::Null);
                let block = self.parts.last_mut();
                let block = block.ok_or_else(|| Failure::transient("a part without a start"))?;
                block.go_on(delta);
            }
            "message_delta" => {
                let why = event.pointer("/delta/stop_reason").and_then(Value::as_str);
                self.why = why.map(why_of).or(self.why);
                let output = event
                    .pointer("/usage/output_tokens")
                    .and_then(Value::as_u64);
                self.tokens.1 = output.unwrap_or(self.tokens.1);
            }
            "message_stop" => self.ended = true,
            "error" => {
                let error = event.get("error").unwrap_or(&Value::Null);
                return Err(Failure::of_event(error, false));
            }
            // Signs of life, ends of blocks, and what comes to be later.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Answered, Failure> {
        if !self.ended {
            return Err(Failure::transient("the stream broke off"));
        }
        let parts = self.parts.into_iter().filter_map(Block::part).collect();
        Ok(Answered {
            parts,
            why: self.why.unwrap_or_default(),
            tokens: self.tokens.0 + self.tokens.1,
        })
    }
}

fn input_tokens(usage: &Value) -> u64 {
    let names = [
        "input_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
    ];
    let counts = names.iter().filter_map(|name| usage.get(name)?.as_u64());
    counts.sum()
}

fn why_of(reason: &str) -> Why {
    match reason {
        "max_tokens" => Why::Length,
        "refusal" => Why::Refused,
        "model_context_window_exceeded" => Why::Full,
        _ => Why::Done,
    }
}

fn begun(block: &Value) -> Block {
    let text = |name: &str| {
        let text = block.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    match text("type").as_str() {
        "text" => Block::Text(text("text")),
        "tool_use" => Block::Call {
            id: text("id"),
            name: text("name"),
            arguments: String::new(),
            whole: block.get("input").cloned().unwrap_or_default(),
        },
        "thinking" | "redacted_thinking" => {
            Block::Thinking(block.as_object().cloned().unwrap_or_default())
        }
        _ => Block::Unknown,
    }
}

impl Block {
    fn go_on(&mut self, delta: &Value) {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default();
        match self {
            Self::Text(so_far) => so_far.push_str(text("text")),
            Self::Call { arguments, .. } => arguments.push_str(text("partial_json")),
            Self::Thinking(fields) => {
                for name in ["thinking", "signature"] {
                    let more = text(name);
                    if more.is_empty() {
                        continue;
                    }
                    let so_far = fields.get(name).and_then(Value::as_str);
                    let whole = format!("{}{more}", so_far.unwrap_or_default());
                    fields.insert(name.to_owned(), Value::String(whole));
                }
            }
            Self::Unknown => {}
        }
    }

    fn part(self) -> Option<Part> {
        match self {
            Self::Text(text) if text.is_empty() => None,
            Self::Text(text) => Some(Part::Text { text }),
            Self::Call {
                id,
                name,
                arguments,
                whole,
            } => {
                let arguments = if arguments.is_empty() {
                    whole.to_string()
                } else {
                    arguments
                };
                Some(Part::Call {
                    id,
                    name,
                    arguments,
                })
            }
            Self::Thinking(fields) => Some(Part::Own {
                value: Value::Object(fields),
            }),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests;
