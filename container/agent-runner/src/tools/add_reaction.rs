//! Puts a reaction on a message.

use anchorhold_sessiondb::Outbound;
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError, message,
        say::{self, Saying},
    },
};

pub(super) const TOOL: &str = "add_reaction";
pub(super) const SPEC: (&str, &str) = (
    "Puts a reaction on a message, at once.",
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

pub(super) async fn call(io: &TurnIo, arguments: Arguments) -> Result<String, ToolError> {
    let target = message(TOOL, arguments.seq)?;
    let emoji = arguments.emoji;
    if emoji.is_empty() || emoji.len() > EMOJI_LIMIT_BYTES {
        let what = format!(
            "the emoji has {} bytes, not 1 to {EMOJI_LIMIT_BYTES}",
            emoji.len()
        );
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let done = format!("message {target} has {emoji} on it");
    let saying = Saying::here(Outbound::React { target, emoji });
    let (_seq, added) = say::say(io, saying).await?;
    Ok(done + &added)
}
