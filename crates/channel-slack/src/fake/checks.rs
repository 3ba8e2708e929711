//! What Slack refuses of a message.

use std::collections::HashSet;

use serde_json::Value;

use super::{params::Params, state::Button};
use crate::text::{Piece, pieces, unescaped};

/// A text has at most so many characters: <https://docs.slack.dev/reference/methods/chat.postMessage>.
const TEXT_LIMIT: usize = 40_000;
/// What is read of a message has at most so many where it is changed.
const UPDATE_LIMIT: usize = 4_000;
/// <https://docs.slack.dev/reference/block-kit/blocks/>
const BLOCKS_LIMIT: usize = 50;
const SECTION_LIMIT: usize = 3_000;
const ELEMENTS_LIMIT: usize = 25;
const LABEL_LIMIT: usize = 75;
const ID_LIMIT: usize = 255;

/// The text of a message and its blocks, or the word that Slack has for what is wrong with them.
pub(super) fn content(params: &Params, update: bool) -> Result<(String, Value), &'static str> {
    let text = params.text("text").unwrap_or_default();
    let blocks = params.object("blocks").unwrap_or(Value::Null);
    let limit = if update { UPDATE_LIMIT } else { TEXT_LIMIT };
    if text.chars().count() > limit {
        return Err("msg_too_long");
    }
    if text.trim().is_empty() && blocks.is_null() {
        return Err("no_text");
    }
    check_blocks(&blocks)?;
    Ok((text.to_owned(), blocks))
}

fn check_blocks(blocks: &Value) -> Result<(), &'static str> {
    const WORD: &str = "invalid_blocks";
    let blocks: Vec<&Value> = blocks.as_array().into_iter().flatten().collect();
    if blocks.len() > BLOCKS_LIMIT {
        return Err(WORD);
    }
    for block in blocks {
        let fine = match block["type"].as_str() {
            Some("section") => is_text(&block["text"], SECTION_LIMIT),
            Some("context") => {
                let elements: Vec<_> = block["elements"].as_array().into_iter().flatten().collect();
                !elements.is_empty() && elements.iter().all(|text| is_text(text, SECTION_LIMIT))
            }
            Some("actions") => is_actions(block),
            Some("divider") => true,
            _ => false,
        };
        if !fine {
            return Err(WORD);
        }
    }
    Ok(())
}

fn is_text(text: &Value, limit: usize) -> bool {
    let words = text["text"].as_str().unwrap_or_default();
    let kind = text["type"].as_str().unwrap_or_default();
    matches!(kind, "mrkdwn" | "plain_text")
        && !words.is_empty()
        && words.chars().count() <= limit
        && (kind == "plain_text" || text["emoji"].is_null())
}

fn is_actions(block: &Value) -> bool {
    let elements: Vec<&Value> = block["elements"].as_array().into_iter().flatten().collect();
    let mut ids = HashSet::new();
    let fine = |button: &Value| {
        let id = button["action_id"].as_str().unwrap_or_default();
        button["type"] == "button"
            && button["text"]["type"] == "plain_text"
            && is_text(&button["text"], LABEL_LIMIT)
            && id.len() <= ID_LIMIT
            && ids.insert(id.to_owned())
    };
    !elements.is_empty() && elements.len() <= ELEMENTS_LIMIT && elements.into_iter().all(fine)
}

/// The buttons in blocks.
pub(super) fn buttons(blocks: &Value) -> Vec<Button> {
    let blocks = blocks.as_array().into_iter().flatten();
    let elements = blocks
        .filter_map(|block| block["elements"].as_array())
        .flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    elements
        .filter(|element| element["type"] == "button")
        .map(|button| Button {
            label: text(&button["text"]["text"]),
            action: text(&button["action_id"]),
        })
        .collect()
}

/// What is read of a text.
pub(super) fn visible(text: &str) -> String {
    let read = |piece: Piece<'_>| match piece {
        Piece::Text(text) => unescaped(text),
        Piece::Person(id, label) => format!("@{}", label.unwrap_or(id)),
        Piece::Channel(id, label) => format!("#{}", label.unwrap_or(id)),
        Piece::Special(what, label) => format!("@{}", label.unwrap_or(what)),
        Piece::Link(url, label) => unescaped(label.unwrap_or(url)),
    };
    let seen: String = pieces(text).into_iter().map(read).collect();
    seen.replace('\u{200b}', "")
}
