//! What is looked at in the content of a model's call, and no more: which model, and whether the
//! provider would reach other places on the agent's behalf.
//!
//! A provider that fetches an image from a URL, or runs a search, is a way out that no egress list
//! sees. A field that is there twice is refused, since the provider might take the other one.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::refusal::{Refusal, Rule};

/// The largest content of a model's call, in bytes: what the Messages API takes.
pub const LIMIT_BYTES: usize = 32 * 1024 * 1024;

/// Kinds of tools that run inside, by the beginnings of their names.
const OWN_TOOLS: &[&str] = &["bash_", "text_editor_", "memory_", "computer_"];

/// Judges the content of a call of the model `id`.
pub fn judge(content: &[u8], id: &str) -> Result<(), Refusal> {
    // serde's message can quote the content, so it is not kept.
    let call: Content<'_> = serde_json::from_slice(content)
        .map_err(|_quotes_content| Rule::Malformed.refuses("the content is no call in JSON"))?;
    if call.model.as_deref() != Some(id) {
        return Err(Rule::ModelName.refuses(format!("this agent has {id}")));
    }
    let foreign = |tool: &Tool<'_>| {
        let kind = tool.kind.as_deref().unwrap_or("custom");
        let own = OWN_TOOLS.iter().any(|start| kind.starts_with(start));
        !own && !matches!(kind, "custom" | "function")
    };
    if call.tools.iter().flatten().any(foreign) {
        return Err(Rule::ServerSide.refuses("a tool that runs at the provider"));
    }
    if call.mcp_servers.is_some() || call.web_search_options.is_some() {
        return Err(Rule::ServerSide.refuses("servers or searches that the provider calls"));
    }
    let parts = [&call.messages, &call.input, &call.system];
    if parts.into_iter().flatten().any(|parts| parts.remote) {
        return Err(Rule::ServerSide.refuses("content by URL"));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tools: Option<Vec<Tool<'a>>>,
    mcp_servers: Option<IgnoredAny>,
    web_search_options: Option<IgnoredAny>,
    messages: Option<Parts>,
    input: Option<Parts>,
    system: Option<Parts>,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
}

/// Text, or a list of messages or parts, at any depth: is anything in it to be fetched?
#[derive(Clone, Copy, Default)]
struct Parts {
    remote: bool,
}

/// A message, or a part of one.
#[derive(Deserialize)]
struct Part {
    content: Option<Parts>,
    output: Option<Parts>,
    source: Option<Source>,
    image_url: Option<Source>,
    file_url: Option<IgnoredAny>,
    file: Option<FilePart>,
}

#[derive(Deserialize)]
struct FilePart {
    file_url: Option<IgnoredAny>,
}

/// Where a part's data is: a text, or an object with a type or URL.
#[derive(Clone, Copy)]
struct Source {
    remote: bool,
    /// A text that is a URL, and not the data itself.
    link: bool,
}

#[derive(Deserialize)]
struct SourceFields<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    content: Option<Parts>,
}

impl Part {
    fn remote(&self) -> bool {
        let nested = [&self.content, &self.output];
        nested.into_iter().flatten().any(|parts| parts.remote)
            || self.source.is_some_and(|source| source.remote)
            || self
                .image_url
                .is_some_and(|source| source.remote || source.link)
            || self.file_url.is_some()
            || self
                .file
                .as_ref()
                .is_some_and(|file| file.file_url.is_some())
    }
}

fn is_link(url: &str) -> bool {
    !url.starts_with("data:")
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Parts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of parts")
            }

            fn visit_str<E>(self, _text: &str) -> Result<Parts, E> {
                Ok(Parts::default())
            }

            fn visit_unit<E>(self) -> Result<Parts, E> {
                Ok(Parts::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Parts, A::Error> {
                let mut remote = false;
                while let Some(part) = parts.next_element::<OnePart>()? {
                    remote |= part.0;
                }
                Ok(Parts { remote })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Parts, A::Error> {
                let part = Part::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Parts {
                    remote: part.remote(),
                })
            }
        }
        deserializer.deserialize_any(Look)
    }
}

/// An element of a list: a part, or a plain text.
struct OnePart(bool);

impl<'de> Deserialize<'de> for OnePart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Parts::deserialize(deserializer).map(|parts| Self(parts.remote))
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;
        impl<'de> Visitor<'de> for Look {
            type Value = Source;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an object")
            }

            fn visit_str<E>(self, text: &str) -> Result<Source, E> {
                let link = is_link(text);
                let remote = false;
                Ok(Source { remote, link })
            }

            fn visit_unit<E>(self) -> Result<Source, E> {
                let (remote, link) = (false, false);
                Ok(Source { remote, link })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Source, A::Error> {
                let fields = SourceFields::deserialize(MapAccessDeserializer::new(map))?;
                let remote = fields.kind.as_deref() == Some("url")
                    || fields.url.as_deref().is_some_and(is_link)
                    || fields.content.is_some_and(|parts| parts.remote);
                let link = false;
                Ok(Source { remote, link })
            }
        }
        deserializer.deserialize_any(Look)
    }
}

#[cfg(test)]
mod tests;
