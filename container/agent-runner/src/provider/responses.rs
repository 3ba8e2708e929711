//! The newer API of the maker of Chat Completions. <https://platform.openai.com/docs/api-reference/responses>
//!
//! Nothing is stored there: the conversation goes with each call, as over the other APIs.

use serde_json::{Value, json};

use crate::{
    provider::{
        ProviderCaps,
        model::{
            Answered, Ask, Dialect, Reader, Why,
            failure::Failure,
            history::{Message, Part, Role},
        },
        openai::OpenAi,
    },
    tools,
};

/// The most items of one answer that are put together.
const ITEMS_LIMIT: usize = 256;

/// Models that speak Responses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Responses;

impl Dialect for Responses {
    type Reader = Items;

    fn caps(&self) -> &'static ProviderCaps {
        OpenAi.caps()
    }

    fn context_tokens(&self) -> u32 {
        OpenAi.context_tokens()
    }

    fn path(&self) -> &'static str {
        "/responses"
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    fn request(&self, ask: &Ask<'_>) -> Value {
        let messages = ask.history.messages.iter();
        let input: Vec<Value> = messages.flat_map(|message| items(message, ask)).collect();
        let mut request = json!({
            "model": ask.model.id,
            "stream": true,
            "store": false,
            "instructions": ask.history.system,
            "input": input,
            "tools": tools::specs().iter().map(|spec| json!({
                "type": "function",
                "name": spec.name,
                "description": spec.about,
                "parameters": spec.schema,
                "strict": false,
            })).collect::<Vec<_>>(),
        });
        let options = &ask.model.options;
        if let Some(fields) = request.as_object_mut() {
            if let Some(output) = options.max_output_tokens {
                fields.insert("max_output_tokens".to_owned(), json!(output));
            }
            if let Some(effort) = &options.effort {
                fields.insert("reasoning".to_owned(), json!({ "effort": effort }));
                // What it thought goes back with the next call, since nothing is stored there.
                let thoughts = json!(["reasoning.encrypted_content"]);
                fields.insert("include".to_owned(), thoughts);
            }
            if !ask.may_call {
                fields.insert("tool_choice".to_owned(), json!("none"));
            }
        }
        request
    }
}

/// What a message is here: its words, and an item for each call and for what it gave.
fn items(message: &Message, ask: &Ask<'_>) -> Vec<Value> {
    let (mut items, mut content) = (Vec::new(), Vec::new());
    let (role, kind) = match message.role {
        Role::User => ("user", "input_text"),
        Role::Assistant => ("assistant", "output_text"),
    };
    for part in &message.parts {
        match part {
            Part::Text { text } => content.push(json!({ "type": kind, "text": text })),
            Part::File {
                name,
                path,
                media_type,
            } => content.push(file(name, media_type, ask.files.get(path))),
            Part::Call {
                id,
                name,
                arguments,
            } => items.push(json!({
                "type": "function_call",
                "call_id": id,
                "name": name,
                "arguments": arguments,
            })),
            Part::Result { call, text, .. } => items.push(json!({
                "type": "function_call_output",
                "call_id": call,
                "output": text,
            })),
            Part::Own { value } => items.push(value.clone()),
        }
    }
    if !content.is_empty() {
        let words = json!({ "type": "message", "role": role, "content": content });
        // What a model says comes before what it calls, what a person says after what that gave.
        let at = match message.role {
            Role::User => items.len(),
            Role::Assistant => items.iter().position(is_call).unwrap_or(items.len()),
        };
        items.insert(at, words);
    }
    items
}

fn is_call(item: &Value) -> bool {
    item.get("type").and_then(Value::as_str) == Some("function_call")
}

fn file(name: &str, media_type: &str, data: Option<&String>) -> Value {
    let Some(data) = data else {
        let text = format!("(the file {name} is not shown)");
        return json!({ "type": "input_text", "text": text });
    };
    let url = format!("data:{media_type};base64,{data}");
    if media_type.starts_with("image/") {
        json!({ "type": "input_image", "image_url": url })
    } else {
        json!({ "type": "input_file", "filename": name, "file_data": url })
    }
}

/// The items of an answer, as they come.
#[derive(Debug, Default)]
pub(crate) struct Items {
    parts: Vec<Part>,
    why: Option<Why>,
    tokens: u64,
    ended: bool,
}

impl Reader for Items {
    fn event(&mut self, data: &str) -> Result<(), Failure> {
        let malformed = || Failure::transient("an event of the stream is no JSON");
        let event: Value = serde_json::from_str(data).map_err(|_no_json| malformed())?;
        let response = event.get("response").unwrap_or(&Value::Null);
        match text(&event, "type") {
            "response.output_item.done" => self.item(event.get("item").unwrap_or(&Value::Null))?,
            "response.completed" | "response.incomplete" => self.end(response),
            "response.failed" => {
                let error = response.get("error").unwrap_or(&Value::Null);
                return Err(Failure::of_event(error, false));
            }
            "error" => return Err(Failure::of_event(&event, false)),
            // Everything else comes whole with its item.
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Answered, Failure> {
        if !self.ended {
            return Err(Failure::transient("the stream broke off"));
        }
        Ok(Answered {
            parts: self.parts,
            why: self.why.unwrap_or_default(),
            tokens: self.tokens,
        })
    }
}

impl Items {
    fn item(&mut self, item: &Value) -> Result<(), Failure> {
        if self.parts.len() >= ITEMS_LIMIT {
            return Err(Failure::transient("the answer has too many parts"));
        }
        match text(item, "type") {
            "message" => {
                let content = item.get("content").and_then(Value::as_array);
                for part in content.into_iter().flatten() {
                    match text(part, "type") {
                        "output_text" if !text(part, "text").is_empty() => {
                            self.parts.push(Part::text(text(part, "text")));
                        }
                        "refusal" => self.why = Some(Why::Refused),
                        _ => {}
                    }
                }
            }
            "function_call" => {
                let arguments = match text(item, "arguments").trim() {
                    "" => "{}",
                    arguments => arguments,
                };
                self.parts.push(Part::Call {
                    id: text(item, "call_id").to_owned(),
                    name: text(item, "name").to_owned(),
                    arguments: arguments.to_owned(),
                });
            }
            "reasoning" if item.get("encrypted_content").is_some_and(Value::is_string) => {
                let value = item.clone();
                self.parts.push(Part::Own { value });
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, response: &Value) {
        self.ended = true;
        let tokens = |name: &str| {
            let path = format!("/usage/{name}");
            response.pointer(&path).and_then(Value::as_u64)
        };
        self.tokens = tokens("input_tokens").unwrap_or(0) + tokens("output_tokens").unwrap_or(0);
        let reason = response.pointer("/incomplete_details/reason");
        match reason.and_then(Value::as_str) {
            Some("max_output_tokens") => self.why = Some(Why::Length),
            Some("content_filter") => self.why = Some(Why::Refused),
            Some(_) | None => {}
        }
    }
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests;
