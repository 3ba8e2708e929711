//! Asks people something with fixed answers.

use anchorhold_sessiondb::{ASK_LIMIT, Outbound, Undecodable};
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError,
        say::{self, Saying},
    },
};

pub(super) const TOOL: &str = "ask_question";
pub(super) const SPEC: (&str, &str) = (
    "Asks the people of the conversation something with fixed answers, and does not wait: the answer \
     comes as a message of a later turn.",
    r#"{"type":"object","properties":{"title":{"type":"string","description":"A short heading"},"text":{"type":"string","description":"The question itself"},"options":{"type":"array","items":{"type":"string"},"minItems":2,"maxItems":20,"description":"The answers to choose from"},"expires_s":{"type":"integer","minimum":1,"maximum":2592000,"description":"How long there is for an answer, in seconds"}},"required":["title","options"],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    title: String,
    #[serde(default)]
    text: String,
    options: Vec<String>,
    expires_s: Option<u64>,
}

/// The answer is a message of a later turn.
pub(super) async fn call(io: &TurnIo, arguments: Arguments) -> Result<String, ToolError> {
    let limit_s = ASK_LIMIT.as_secs();
    if arguments
        .expires_s
        .is_some_and(|expires_s| !(1..=limit_s).contains(&expires_s))
    {
        let what = format!("expires_s is not from 1 to {limit_s}");
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let op = Outbound::Ask {
        title: arguments.title,
        text: arguments.text,
        options: arguments.options,
        expires_ms: arguments
            .expires_s
            .map(|expires_s| expires_s.saturating_mul(1_000)),
    };
    let saying = Saying::here(checked(TOOL, op)?);
    let (seq, added) = say::say(io, saying).await?;
    Ok(format!("the question is asked as message {seq}{added}"))
}

/// The question, if people can be asked it.
pub(super) fn checked(tool: &'static str, op: Outbound) -> Result<Outbound, ToolError> {
    match op.check() {
        Ok(()) => Ok(op),
        Err(Undecodable::Bad { what, .. }) => {
            let what = what.to_owned();
            Err(ToolError::Value { tool, what })
        }
        Err(unknown @ Undecodable::Unknown { .. }) => {
            let what = unknown.to_string();
            Err(ToolError::Value { tool, what })
        }
    }
}
