//! Questions as Block Kit: <https://docs.slack.dev/reference/block-kit/blocks/actions-block>.
//!
//! A button carries which question and which of its options it is, and means the same after a restart.

use anchorhold_channel::{TextLimit, fit::fit};
use anchorhold_core::{
    ids::QuestionId,
    outbound::{OPTIONS_LIMIT, Question},
};
use serde_json::{Value, json};

use crate::mrkdwn::{mrkdwn, plain};

/// What begins the id of a button of ours.
const PREFIX: &str = "q";
/// The longest text of one section, in characters.
const SECTION: usize = 3_000;
/// A piece of source that is within the limit of a section, however it is written.
const PIECE: TextLimit = TextLimit::Chars(2_000);
/// A message has at most 50 blocks, of which one has the buttons.
const SECTIONS_LIMIT: usize = 48;
/// How much of an option a button shows, in characters.
const LABEL_LIMIT: usize = 75;

/// The id of the button for an option.
pub(crate) fn action(question: QuestionId, option: usize) -> String {
    format!("{PREFIX}:{}:{option}", question.uuid().simple())
}

/// The question and the option that a button stands for; `None` for one that is not ours.
pub(crate) fn read(action: &str) -> Option<(QuestionId, usize)> {
    let (prefix, rest) = action.split_once(':')?;
    let (question, option) = rest.split_once(':')?;
    let option: usize = option.parse().ok().filter(|at| *at < OPTIONS_LIMIT)?;
    let question = QuestionId::parse(question).ok()?;
    (prefix == PREFIX).then_some((question, option))
}

/// A question in words, which are also what a notification shows.
pub(crate) fn words(question: &Question) -> String {
    let mut words = format!("**{}**", question.title);
    if !question.text.is_empty() {
        words.extend(["\n\n", &question.text]);
    }
    if question.options.iter().any(|option| is_long(option)) {
        words.push('\n');
        for (number, option) in (1..).zip(&question.options) {
            words.extend(["\n", &format!("{number}. {option}")]);
        }
    }
    words
}

/// A question with its buttons.
pub(crate) fn question(question: &Question) -> Value {
    let numbered = question.options.iter().any(|option| is_long(option));
    let mut blocks: Vec<Value> = fit(&words(question), PIECE)
        .iter()
        .take(SECTIONS_LIMIT)
        .map(|piece| section(piece))
        .collect();
    let buttons: Vec<Value> = question
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| {
            let label = if numbered {
                format!("{}. {option}", at + 1)
            } else {
                option.clone()
            };
            json!({
                "type": "button",
                "action_id": action(question.id, at),
                "text": { "type": "plain_text", "text": cut(&label), "emoji": false },
            })
        })
        .collect();
    blocks.push(json!({ "type": "actions", "elements": buttons }));
    Value::Array(blocks)
}

/// The blocks of an answered question: its words, and what was chosen by whom.
pub(crate) fn chosen(blocks: &Value, label: &str, by: &str) -> Value {
    let kept = blocks.as_array().into_iter().flatten();
    let mut blocks: Vec<Value> = kept
        .filter(|block| block["type"] == "section")
        .take(SECTIONS_LIMIT)
        .cloned()
        .collect();
    let text = format!("✓ {} – <@{by}>", plain(label));
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "mrkdwn", "text": text }],
    }));
    Value::Array(blocks)
}

fn section(source: &str) -> Value {
    let marked = mrkdwn(source).marked;
    let text = if marked.chars().count() <= SECTION && !marked.trim().is_empty() {
        json!({ "type": "mrkdwn", "text": marked })
    } else {
        json!({ "type": "plain_text", "text": source, "emoji": false })
    };
    json!({ "type": "section", "text": text })
}

fn is_long(option: &str) -> bool {
    option.chars().count() > LABEL_LIMIT
}

fn cut(label: &str) -> String {
    if !is_long(label) {
        return label.to_owned();
    }
    let kept: String = label.chars().take(LABEL_LIMIT - 1).collect();
    format!("{kept}…")
}

#[cfg(test)]
mod tests;
