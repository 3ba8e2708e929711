//! Chat Completions, as the servers of many makers speak it.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>
//!
//! What one of them leaves away or does otherwise is read all the same: calls without ids or
//! indexes, calls that end an answer which says that it stopped, a stream without its last line.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    provider::{
        AgentProvider, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
        model::{
            Agent, Answered, Ask, Dialect, Reader, Why,
            failure::Failure,
            history::{Message, Part, Role},
        },
        responses::Responses,
    },
    tools,
};

const CAPS: ProviderCaps = ProviderCaps {
    name: "openai",
    state_keys: &["openai"],
    follow_ups: true,
};
/// What models can read, where nobody says otherwise.
const CONTEXT_TOKENS: u32 = 128_000;
/// The most calls of one answer that are put together.
const CALLS_LIMIT: usize = 256;
/// The last line of a stream.
const DONE: &str = "[DONE]";

/// Models that speak Chat Completions.
#[derive(Clone, Copy, Debug)]
pub struct OpenAi;

impl Dialect for OpenAi {
    type Reader = Chunks;

    fn caps(&self) -> &'static ProviderCaps {
        &CAPS
    }

    fn context_tokens(&self) -> u32 {
        CONTEXT_TOKENS
    }

    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn request(&self, ask: &Ask<'_>) -> Value {
        let system = json!({ "role": "system", "content": ask.history.system });
        let mut messages = vec![system];
        for message in &ask.history.messages {
            add(&mut messages, message, ask);
        }
        let mut request = json!({
            "model": ask.model.id,
            "stream": true,
            "stream_options": { "include_usage": true },
            "messages": messages,
            "tools": tools::specs().iter().map(|spec| json!({
                "type": "function",
                "function": {
                    "name": spec.name,
                    "description": spec.about,
                    "parameters": spec.schema,
                },
            })).collect::<Vec<_>>(),
        });
        let options = &ask.model.options;
        if let Some(fields) = request.as_object_mut() {
            if let Some(output) = options.max_output_tokens {
                fields.insert(limit_of(&ask.model.id).to_owned(), json!(output));
            }
            if let Some(effort) = &options.effort {
                fields.insert("reasoning_effort".to_owned(), json!(effort));
            }
            if !ask.may_call {
                fields.insert("tool_choice".to_owned(), json!("none"));
            }
        }
        request
    }
}

/// What the most tokens of an answer are called: the maker's own models know only the newer name,
/// most other servers only the older one.
fn limit_of(model: &str) -> &'static str {
    let name = model.rsplit('/').next().unwrap_or(model);
    let newer = ["gpt-", "o1", "o3", "o4", "chatgpt-"];
    if newer.iter().any(|start| name.starts_with(start)) && !name.starts_with("gpt-oss") {
        "max_completion_tokens"
    } else {
        "max_tokens"
    }
}

/// Adds what a message is here: results of tools are messages of their own, before the rest.
fn add(messages: &mut Vec<Value>, message: &Message, ask: &Ask<'_>) {
    match message.role {
        Role::Assistant => messages.push(assistant(message)),
        Role::User => {
            let mut content = Vec::new();
            for part in &message.parts {
                match part {
                    Part::Result { call, text, .. } => messages.push(json!({
                        "role": "tool",
                        "tool_call_id": call,
                        "content": text,
                    })),
                    Part::Text { text } => content.push(json!({ "type": "text", "text": text })),
                    Part::File {
                        name,
                        path,
                        media_type,
                    } => {
                        let data = ask.files.get(path).map(String::as_str);
                        content.push(file(name, media_type, data));
                    }
                    Part::Call { .. } | Part::Own { .. } => {}
                }
            }
            match content.as_slice() {
                [] => {}
                // Some servers know no other content than text.
                [only] if only.get("text").is_some() => {
                    let text = only.get("text").cloned().unwrap_or_default();
                    messages.push(json!({ "role": "user", "content": text }));
                }
                _ => messages.push(json!({ "role": "user", "content": content })),
            }
        }
    }
}

fn assistant(message: &Message) -> Value {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for part in &message.parts {
        match part {
            Part::Text { text: more } => text.push_str(more),
            Part::Call {
                id,
                name,
                arguments,
            } => calls.push(json!({
                "id": id,
                "type": "function",
                "function": { "name": name, "arguments": arguments },
            })),
            Part::File { .. } | Part::Result { .. } | Part::Own { .. } => {}
        }
    }
    let mut message = json!({ "role": "assistant", "content": text });
    if let Some(fields) = message.as_object_mut()
        && !calls.is_empty()
    {
        fields.insert("tool_calls".to_owned(), Value::Array(calls));
    }
    message
}

fn file(name: &str, media_type: &str, data: Option<&str>) -> Value {
    let Some(data) = data else {
        let text = format!("(the file {name} is not shown)");
        return json!({ "type": "text", "text": text });
    };
    let url = format!("data:{media_type};base64,{data}");
    if media_type.starts_with("image/") {
        json!({ "type": "image_url", "image_url": { "url": url } })
    } else {
        json!({ "type": "file", "file": { "filename": name, "file_data": url } })
    }
}

/// Models that speak Chat Completions, or Responses where their options say so. The conversation is
/// the same one.
#[derive(Clone, Copy, Debug)]
pub struct EitherApi;

#[async_trait]
impl AgentProvider for EitherApi {
    fn caps(&self) -> &ProviderCaps {
        &CAPS
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        match io.model() {
            Some(model) if model.options.responses => Agent(Responses).run_turn(turn, io).await,
            Some(_) | None => Agent(OpenAi).run_turn(turn, io).await,
        }
    }

    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        match io.model() {
            Some(model) if model.options.responses => Agent(Responses).compact(state, io).await,
            Some(_) | None => Agent(OpenAi).compact(state, io).await,
        }
    }
}

/// The chunks of an answer, as they come.
#[derive(Debug, Default)]
pub struct Chunks {
    text: String,
    calls: Vec<Call>,
    why: Option<Why>,
    tokens: u64,
    done: bool,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

impl Reader for Chunks {
    fn event(&mut self, data: &str) -> Result<(), Failure> {
        if data == DONE {
            self.done = true;
            return Ok(());
        }
        let malformed = || Failure::transient("a chunk of the stream is not what it should be");
        let chunk: Chunk = serde_json::from_str(data).map_err(|_no_chunk| malformed())?;
        if let Some(error) = chunk.error {
            return Err(Failure::of_event(&error, false));
        }
        if let Some(usage) = chunk.usage {
            let parts = [usage.prompt_tokens, usage.completion_tokens];
            self.tokens = parts.into_iter().flatten().sum();
        }
        for choice in chunk.choices.into_iter().take(1) {
            if let Some(text) = choice.delta.content {
                self.text.push_str(&text);
            }
            if choice
                .delta
                .refusal
                .is_some_and(|refusal| !refusal.is_empty())
            {
                self.why = Some(Why::Refused);
            }
            for delta in choice.delta.tool_calls.into_iter().flatten() {
                self.call(delta)?;
            }
            if let Some(reason) = choice.finish_reason {
                self.why.get_or_insert(why_of(&reason));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Answered, Failure> {
        if !self.done && self.why.is_none() {
            return Err(Failure::transient("the stream broke off"));
        }
        let mut parts = Vec::new();
        if !self.text.is_empty() {
            parts.push(Part::Text { text: self.text });
        }
        for (at, call) in self.calls.into_iter().enumerate() {
            let id = if call.id.is_empty() {
                format!("call_{at}")
            } else {
                call.id
            };
            let arguments = if call.arguments.trim().is_empty() {
                "{}".to_owned()
            } else {
                call.arguments
            };
            let name = call.name;
            parts.push(Part::Call {
                id,
                name,
                arguments,
            });
        }
        Ok(Answered {
            parts,
            why: self.why.unwrap_or_default(),
            tokens: self.tokens,
        })
    }
}

impl Chunks {
    /// Goes on with a call, or begins one.
    fn call(&mut self, delta: CallDelta) -> Result<(), Failure> {
        let id = delta.id.unwrap_or_default();
        let function = delta.function;
        let (name, arguments) = function.map_or((None, None), |f| (f.name, f.arguments));
        let name = name.unwrap_or_default();
        let same = |call: &Call| match delta.index {
            Some(index) => call.index == Some(index),
            // Without an index what names something begins it.
            None => name.is_empty() && (id.is_empty() || call.id == id),
        };
        let at = match self.calls.iter().rposition(same) {
            Some(at) => at,
            None if self.calls.len() >= CALLS_LIMIT => {
                return Err(Failure::transient("the answer has too many calls"));
            }
            None => {
                self.calls.push(Call {
                    index: delta.index,
                    ..Call::default()
                });
                self.calls.len() - 1
            }
        };
        if let Some(call) = self.calls.get_mut(at) {
            if call.id.is_empty() {
                call.id = id;
            }
            call.name.push_str(&name);
            match arguments {
                Some(Value::String(more)) => call.arguments.push_str(&more),
                // Some give an object where text belongs.
                Some(whole) if !whole.is_null() => call.arguments = whole.to_string(),
                Some(_) | None => {}
            }
        }
        Ok(())
    }
}

fn why_of(reason: &str) -> Why {
    match reason {
        "length" => Why::Length,
        "content_filter" => Why::Refused,
        _ => Why::Done,
    }
}

#[cfg(test)]
mod tests;
