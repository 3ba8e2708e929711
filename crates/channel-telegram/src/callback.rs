//! What a button carries: which question, and which of its options. It has to fit into 64 bytes
//! (<https://core.telegram.org/bots/api#inlinekeyboardbutton>) and to mean the same after a restart.

use anchorhold_core::{
    ids::QuestionId,
    outbound::{OPTIONS_LIMIT, Question},
};
use serde_json::{Value, json};

/// What begins the data of a button of ours.
const PREFIX: &str = "q";
/// How much of an option a button shows, in characters: more is cut off by Telegram's apps.
const LABEL_LIMIT: usize = 60;

/// The data of the button for an option: 37 bytes at most.
pub(crate) fn data(question: QuestionId, option: usize) -> String {
    format!("{PREFIX}:{}:{option}", question.uuid().simple())
}

/// The question and the option that a click is about; `None` for data that is not ours.
pub(crate) fn read(data: &str) -> Option<(QuestionId, usize)> {
    let (prefix, rest) = data.split_once(':')?;
    let (question, option) = rest.split_once(':')?;
    let option: usize = option.parse().ok().filter(|at| *at < OPTIONS_LIMIT)?;
    let question = QuestionId::parse(question).ok()?;
    (prefix == PREFIX).then_some((question, option))
}

/// The buttons of a question, one a row, so that none is cut short beside another.
pub(crate) fn keyboard(question: &Question) -> Value {
    let rows: Vec<Value> = question
        .options
        .iter()
        .enumerate()
        .map(|(at, option)| json!([button(option, &data(question.id, at))]))
        .collect();
    json!({ "inline_keyboard": rows })
}

/// What is left of the buttons once one was chosen. It still says which question it was: who presses it
/// is told that it is answered.
pub(crate) fn chosen(label: &str, data: &str) -> Value {
    json!({ "inline_keyboard": [[button(&format!("✓ {label}"), data)]] })
}

/// The label of the button with this data, among the buttons of a message.
pub(crate) fn label<'a>(keyboard: &'a Value, data: &str) -> Option<&'a str> {
    let rows = keyboard.get("inline_keyboard")?.as_array()?;
    let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
    let button = buttons.find(|button| button["callback_data"] == data)?;
    button["text"].as_str()
}

fn button(label: &str, data: &str) -> Value {
    let mut shown: String = label.chars().take(LABEL_LIMIT).collect();
    if shown.len() < label.len() {
        shown.push('…');
    }
    json!({ "text": shown, "callback_data": data })
}

#[cfg(test)]
mod tests;
