//! Asks people something with fixed answers.

use anchorhold_sessiondb::{ASK_LIMIT, Outbound, Undecodable};
use serde::Deserialize;

use crate::tools::{Called, Effect, ToolError, check_text};

pub(super) const TOOL: &str = "ask_question";
pub(super) const SPEC: (&str, &str) = (
    "Asks the people of the conversation something with fixed answers, when the turn ends. The answer \
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
pub(super) fn call(arguments: Arguments) -> Result<Called, ToolError> {
    let wrong = |what: String| ToolError::Value { tool: TOOL, what };
    check_text(TOOL, &arguments.text)?;
    let limit_s = ASK_LIMIT.as_secs();
    if arguments
        .expires_s
        .is_some_and(|expires_s| !(1..=limit_s).contains(&expires_s))
    {
        return Err(wrong(format!("expires_s is not from 1 to {limit_s}")));
    }
    let op = Outbound::Ask {
        title: arguments.title,
        text: arguments.text,
        options: arguments.options,
        expires_ms: arguments
            .expires_s
            .map(|expires_s| expires_s.saturating_mul(1_000)),
    };
    match op.check() {
        Ok(()) => Ok(Called {
            text: "the question is asked when the turn ends".to_owned(),
            effect: Some(Effect {
                op,
                files: Vec::new(),
            }),
        }),
        Err(Undecodable::Bad { what, .. }) => Err(wrong(what.to_owned())),
        Err(unknown @ Undecodable::Unknown { .. }) => Err(wrong(unknown.to_string())),
    }
}
