//! Sends something laid out: a heading, a text, facts by name, links.
//!
//! It is written in Markdown, so that it comes out well on every channel.

use std::fmt::Write;

use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError,
        say::{self, Saying},
    },
};

pub(super) const TOOL: &str = "send_card";
pub(super) const SPEC: (&str, &str) = (
    "Sends a card at once: a heading with a text, facts by name and links. To be chosen from it offers \
     nothing: ask_user_question does that.",
    r#"{"type":"object","properties":{"title":{"type":"string","description":"The heading, one line"},"text":{"type":"string","description":"What it says, in Markdown"},"fields":{"type":"array","maxItems":25,"items":{"type":"object","properties":{"name":{"type":"string"},"value":{"type":"string"}},"required":["name","value"],"additionalProperties":false},"description":"Facts, in order"},"links":{"type":"array","maxItems":10,"items":{"type":"object","properties":{"label":{"type":"string"},"url":{"type":"string"}},"required":["label","url"],"additionalProperties":false},"description":"Where to read on"},"to":{"type":"string","description":"The name of the destination, if not this conversation"}},"required":["title"],"additionalProperties":false}"#,
);
const FIELDS_LIMIT: usize = 25;
const LINKS_LIMIT: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    title: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    fields: Vec<Field>,
    #[serde(default)]
    links: Vec<Link>,
    to: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    label: String,
    url: String,
}

pub(super) async fn call(io: &TurnIo, mut arguments: Arguments) -> Result<String, ToolError> {
    let to = arguments.to.take();
    let saying = Saying {
        op: say::post(TOOL, written(&arguments)?)?,
        files: Vec::new(),
        to,
    };
    let (seq, added) = say::say(io, saying).await?;
    Ok(format!("the card is sent as message {seq}{added}"))
}

fn written(card: &Arguments) -> Result<String, ToolError> {
    let wrong = |what: &str| {
        let what = what.to_owned();
        ToolError::Value { tool: TOOL, what }
    };
    let title = one_line(&card.title);
    if title.is_empty() {
        return Err(wrong("the title is empty"));
    }
    if card.fields.len() > FIELDS_LIMIT || card.links.len() > LINKS_LIMIT {
        return Err(wrong("there are too many fields or links"));
    }
    let mut text = format!("**{title}**");
    if !card.text.trim().is_empty() {
        // Writing into a string can't fail.
        let _done = write!(text, "\n\n{}", card.text.trim());
    }
    let mut before = "\n\n";
    for Field { name, value } in &card.fields {
        let _done = write!(
            text,
            "{before}- **{}**: {}",
            one_line(name),
            one_line(value)
        );
        before = "\n";
    }
    let mut before = "\n\n";
    for Link { label, url } in &card.links {
        if !(url.starts_with("https://") || url.starts_with("http://"))
            || url.contains(|c: char| c.is_whitespace() || c.is_control() || "<>".contains(c))
        {
            return Err(wrong("a link is no URL with https:// or http://"));
        }
        let label = one_line(label).replace(['[', ']'], " ");
        let _done = write!(text, "{before}[{label}](<{url}>)");
        before = "\n";
    }
    Ok(text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_markdown() {
        let check = |json: &str, expect: &str| {
            let card = serde_json::from_str(json).unwrap();
            assert_eq!(written(&card).unwrap(), expect, "{json}");
        };
        check(r#"{"title":" One\nline "}"#, "**One line**");
        check(
            r#"{"title":"T","text":"two\nlines","fields":[{"name":"a","value":"1"},
                {"name":"b","value":"2\n3"}],"links":[{"label":"[l]","url":"https://x.org/(y)"}]}"#,
            "**T**\n\ntwo\nlines\n\n- **a**: 1\n- **b**: 2 3\n\n[ l ](<https://x.org/(y)>)",
        );
        let bad = r#"{"title":"T","links":[{"label":"l","url":"javascript:x"}]}"#;
        let card = serde_json::from_str(bad).unwrap();
        assert!(written(&card).is_err());
    }
}
