//! Tells whom the agent may write to.

use anchorhold_sessiondb::{DestinationLine, Wish, WishReply};
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{ToolError, strange},
};

pub(super) const TOOL: &str = "list_destinations";
pub(super) const SPEC: (&str, &str) = (
    "Lists the conversations and agents that you may write to, by the names that send_message, \
     send_card and send_to_agent take.",
    r#"{"type":"object","properties":{},"required":[],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {}

pub(super) async fn call(io: &TurnIo, _none: Arguments) -> Result<String, ToolError> {
    let found = destinations(io).await?;
    if found.is_empty() {
        return Ok("you may write nowhere but in the conversation that you answer".to_owned());
    }
    let lines = found.iter().map(|line| {
        let kind = if line.agent { "agent" } else { "conversation" };
        format!("{}: {kind} {}", line.name, line.what)
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// Whom the agent may write to now.
pub(crate) async fn destinations(io: &TurnIo) -> Result<Vec<DestinationLine>, ToolError> {
    match io.desk().wish(&Wish::Destinations {}).await? {
        WishReply::Destinations(found) => Ok(found),
        WishReply::Status(_) | WishReply::Done {} | WishReply::Failed(_) => Err(strange()),
    }
}
