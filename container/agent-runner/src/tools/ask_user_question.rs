//! Asks people something, and waits for the answer.
//!
//! Where the turn is run again after it died, the same question is not asked twice: the row that asks
//! it is found again, and so is its answer.

use std::{fmt::Write, time::Duration};

use anchorhold_core::sandbox::IN_DIR;
use anchorhold_sessiondb::{Inbound, InboundRow, Outbound, Seq, Wish};
use serde::Deserialize;

use crate::{
    desk::Answered,
    provider::TurnIo,
    tools::{
        ToolError, ask_question,
        say::{self, Saying, undelivered},
    },
};

pub(super) const TOOL: &str = "ask_user_question";
pub(super) const SPEC: (&str, &str) = (
    "Asks the people of this conversation something and waits for the answer. With options they are \
     offered to choose from, and people may still answer in their own words; without options they write. \
     If nobody answers in time, an answer that comes later is a message of a later turn.",
    r#"{"type":"object","properties":{"question":{"type":"string","description":"The question, one short line"},"text":{"type":"string","description":"What to know for it, in Markdown"},"options":{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":20,"description":"The answers to choose from"},"timeout_s":{"type":"integer","minimum":1,"maximum":1500,"description":"How long to wait, in seconds; 600 if you don't say"}},"required":["question"],"additionalProperties":false}"#,
);
/// How long is waited where nobody says, and at most: less than a turn may take.
const TIMEOUT: Duration = Duration::from_mins(10);
const TIMEOUT_LIMIT: Duration = Duration::from_mins(25);
/// How long is waited for the host to close a question.
const CLOSING: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    question: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    options: Vec<String>,
    timeout_s: Option<u64>,
}

pub(super) async fn call(io: &TurnIo, arguments: Arguments) -> Result<String, ToolError> {
    let limit_s = TIMEOUT_LIMIT.as_secs();
    let timeout = match arguments.timeout_s {
        None => TIMEOUT,
        Some(timeout_s) if (1..=limit_s).contains(&timeout_s) => Duration::from_secs(timeout_s),
        Some(_) => {
            let what = format!("timeout_s is not from 1 to {limit_s}");
            return Err(ToolError::Value { tool: TOOL, what });
        }
    };
    let options = arguments.options.clone();
    let op = question(arguments)?;
    io.progress(Some(timeout));
    let (seq, place) = io.desk().say(Saying::here(op).emit()).await?;
    match io.desk().answer(seq, place, timeout).await {
        Answered::By(row) => Ok(answered(io, seq, &row, &options).await),
        Answered::Never(failure) => Err(undelivered(seq, failure)),
        Answered::NotYet => Ok(format!(
            "nobody has answered within {} s; an answer that comes later is a message of a later turn",
            timeout.as_secs()
        )),
    }
}

fn question(arguments: Arguments) -> Result<Outbound, ToolError> {
    let Arguments {
        question,
        text,
        options,
        ..
    } = arguments;
    if !options.is_empty() {
        let op = Outbound::Ask {
            title: question,
            text,
            options,
            expires_ms: None,
        };
        return ask_question::checked(TOOL, op);
    }
    if question.trim().is_empty() {
        let what = "the question is empty".to_owned();
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let text = if text.trim().is_empty() {
        question
    } else {
        format!("**{}**\n\n{text}", question.trim())
    };
    say::post(TOOL, text)
}

/// What the agent is told of an answer.
async fn answered(io: &TurnIo, seq: Seq, row: &InboundRow, options: &[String]) -> String {
    if let Inbound::Answer(answer) = &row.payload {
        let who = who(answer.sender_name.as_deref(), &answer.sender);
        return format!("{who} chose: {}", answer.text);
    }
    let Inbound::Chat(chat) = &row.payload else {
        return "somebody answered, but not in words".to_owned();
    };
    if !options.is_empty() {
        let wish = Wish::CloseQuestion { seq };
        let closing = tokio::time::timeout(CLOSING, io.desk().wish(&wish));
        // silent: at worst somebody can still choose, and the agent hears of it later
        drop(closing.await);
    }
    let who = who(chat.sender_name.as_deref(), &chat.sender);
    let mut told = match chosen(&chat.text, options) {
        Some(option) => format!("{who} chose: {option}"),
        None => format!("{who} wrote: {}", chat.text),
    };
    for file in &chat.files {
        // Writing into a string can't fail.
        let _done = write!(told, "\nwith the file {IN_DIR}/{}", file.path);
    }
    told
}

fn who(name: Option<&str>, sender: &str) -> String {
    let line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match name {
        Some(name) => format!("{} ({})", line(name), line(sender)),
        None => line(sender),
    }
}

/// The option that a text means: by its number, or in its words.
fn chosen<'a>(text: &str, options: &'a [String]) -> Option<&'a String> {
    let text = text.trim().trim_end_matches(['.', ')']);
    if let Ok(number) = text.parse::<usize>() {
        return options.get(number.checked_sub(1)?);
    }
    let meant = text.to_lowercase();
    options
        .iter()
        .find(|option| option.trim().to_lowercase() == meant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_meant_by_its_number_or_its_words() {
        let options = ["Yes".to_owned(), "No, later".to_owned()];
        let check = |text, expect: Option<usize>| {
            assert_eq!(
                chosen(text, &options),
                expect.map(|at| &options[at]),
                "{text}"
            );
        };
        check("1", Some(0));
        check(" 2. ", Some(1));
        check("yes", Some(0));
        check("NO, LATER", Some(1));
        check("0", None);
        check("3", None);
        check("-1", None);
        check("yes, but", None);
        check("", None);
    }
}
