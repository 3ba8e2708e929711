//! Changes a message that was sent before.

use anchorhold_sessiondb::Outbound;
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError, check_text, message,
        say::{self, Saying},
    },
};

pub(super) const TOOL: &str = "edit_message";
pub(super) const SPEC: (&str, &str) = (
    "Changes the text of a message that you sent before, at once.",
    r#"{"type":"object","properties":{"seq":{"type":"integer","description":"The number of your message"},"text":{"type":"string","description":"Its new text"}},"required":["seq","text"],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    seq: i64,
    text: String,
}

pub(super) async fn call(io: &TurnIo, arguments: Arguments) -> Result<String, ToolError> {
    let target = message(TOOL, arguments.seq)?;
    check_text(TOOL, &arguments.text)?;
    if arguments.text.is_empty() {
        let what = "the text is empty".to_owned();
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let op = Outbound::Edit {
        target,
        text: arguments.text,
    };
    let (_seq, added) = say::say(io, Saying::here(op)).await?;
    Ok(format!("message {target} is changed{added}"))
}
