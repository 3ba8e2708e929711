//! Puts a reaction on a message.

use anchorhold_sessiondb::Outbound;
use serde::Deserialize;

use crate::tools::{Called, Effect, ToolError, message};

pub(super) const TOOL: &str = "add_reaction";
pub(super) const SPEC: (&str, &str) = (
    "Puts a reaction on a message, when the turn ends.",
    r#"{"type":"object","properties":{"seq":{"type":"integer","description":"The number of the message"},"emoji":{"type":"string","description":"One Unicode emoji"}},"required":["seq","emoji"],"additionalProperties":false}"#,
);
/// The longest emoji, in bytes: joined ones are long, but not longer.
const EMOJI_LIMIT_BYTES: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    seq: i64,
    emoji: String,
}

pub(super) fn call(arguments: Arguments) -> Result<Called, ToolError> {
    let target = message(TOOL, arguments.seq)?;
    let emoji = arguments.emoji;
    if emoji.is_empty() || emoji.len() > EMOJI_LIMIT_BYTES {
        let what = format!(
            "the emoji has {} bytes, not 1 to {EMOJI_LIMIT_BYTES}",
            emoji.len()
        );
        return Err(ToolError::Value { tool: TOOL, what });
    }
    Ok(Called {
        text: format!("message {target} gets {emoji} when the turn ends"),
        effect: Some(Effect {
            op: Outbound::React { target, emoji },
            files: Vec::new(),
        }),
    })
}
