//! Changes a message that was sent before.

use anchorhold_sessiondb::Outbound;
use serde::Deserialize;

use crate::tools::{Called, Effect, ToolError, check_text, message};

pub(super) const TOOL: &str = "edit_message";
pub(super) const SPEC: (&str, &str) = (
    "Changes the text of a message that you sent before, when the turn ends.",
    r#"{"type":"object","properties":{"seq":{"type":"integer","description":"The number of your message"},"text":{"type":"string","description":"Its new text"}},"required":["seq","text"],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    seq: i64,
    text: String,
}

pub(super) fn call(arguments: Arguments) -> Result<Called, ToolError> {
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
    Ok(Called {
        text: format!("message {target} is changed when the turn ends"),
        effect: Some(Effect {
            op,
            files: Vec::new(),
        }),
    })
}
