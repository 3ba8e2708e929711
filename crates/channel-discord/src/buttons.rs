//! What a button carries: which question, and which of its options. It has to fit into 100 characters
//! (<https://discord.com/developers/docs/components/reference#button>) and to mean the same after a
//! restart.

use anchorhold_core::{
    ids::QuestionId,
    outbound::{OPTIONS_LIMIT, Question},
};
use serde_json::{Value, json};

/// What begins the id of a button of ours.
const PREFIX: &str = "q";
/// The longest label of a button, in characters.
const LABEL_LIMIT: usize = 80;
/// So many buttons stand in a row; there are at most five rows.
const ROW: usize = 5;

/// The id of the button for an option.
pub(crate) fn id(question: QuestionId, option: usize) -> String {
    format!("{PREFIX}:{}:{option}", question.uuid().simple())
}

/// The question and the option that a click is about; `None` for an id that is not ours.
pub(crate) fn read(id: &str) -> Option<(QuestionId, usize)> {
    let (prefix, rest) = id.split_once(':')?;
    let (question, option) = rest.split_once(':')?;
    let option: usize = option.parse().ok().filter(|at| *at < OPTIONS_LIMIT)?;
    let question = QuestionId::parse(question).ok()?;
    (prefix == PREFIX).then_some((question, option))
}

/// The buttons of a question.
pub(crate) fn rows(question: &Question) -> Value {
    let buttons: Vec<Value> = question
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| button(option, &id(question.id, at), Style::Open))
        .collect();
    buttons.chunks(ROW).map(row).collect()
}

/// What is left of the buttons once one was chosen. It still says which question it was: who presses it
/// is told that it is answered.
pub(crate) fn chosen(label: &str, id: &str) -> Value {
    let label = format!("✓ {label}");
    json!([row(&[button(&label, id, Style::Chosen)])])
}

/// The label of the button with this id, among the rows of a message.
pub(crate) fn label<'a>(rows: &'a Value, id: &str) -> Option<&'a str> {
    let rows = rows.as_array()?.iter();
    let mut buttons = rows
        .filter_map(|row| row.get("components")?.as_array())
        .flatten();
    let button = buttons.find(|button| button["custom_id"] == id)?;
    button["label"].as_str()
}

/// <https://discord.com/developers/docs/components/reference#button-button-styles>
#[derive(Clone, Copy)]
enum Style {
    Open,
    Chosen,
}

fn row(buttons: &[Value]) -> Value {
    json!({ "type": 1, "components": buttons })
}

fn button(label: &str, id: &str, style: Style) -> Value {
    let style = match style {
        Style::Open => 1,
        Style::Chosen => 3,
    };
    json!({ "type": 2, "style": style, "label": shortened(label), "custom_id": id })
}

/// A label that fits, with a sign that there is more of it.
fn shortened(label: &str) -> String {
    if label.encode_utf16().count() <= LABEL_LIMIT {
        return label.to_owned();
    }
    let mut shown = String::new();
    let mut units = 1;
    for c in label.chars() {
        units += c.len_utf16();
        if units > LABEL_LIMIT {
            break;
        }
        shown.push(c);
    }
    shown + "…"
}

#[cfg(test)]
mod tests;
