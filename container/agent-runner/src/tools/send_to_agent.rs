//! Asks another agent for something.

use anchorhold_sessiondb::Outbound;
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError, Tools, destinations,
        say::{self, Saying},
        send_message,
    },
};

pub(super) const TOOL: &str = "send_to_agent";
pub(super) const SPEC: (&str, &str) = (
    "Writes to another agent, see list_destinations. It has a conversation of its own with you, and \
     what it answers comes as a message of a later turn. Say all that it has to know.",
    r#"{"type":"object","properties":{"to":{"type":"string","description":"The name of the agent"},"text":{"type":"string","description":"What to say to it"},"files":{"type":"array","items":{"type":"string"},"maxItems":16,"description":"Files of the workspace to send with it"}},"required":["to","text"],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    to: String,
    text: String,
    #[serde(default)]
    files: Vec<String>,
}

pub(super) async fn call(
    tools: &Tools,
    io: &TurnIo,
    arguments: Arguments,
) -> Result<String, ToolError> {
    let Arguments { to, text, files } = arguments;
    let Outbound::Post { text, .. } = say::post(TOOL, text)? else {
        return Ok(String::new());
    };
    let known = destinations(io).await?;
    if !known.iter().any(|known| known.agent && known.name == to) {
        let agents = known.iter().filter(|known| known.agent);
        let names: Vec<&str> = agents.map(|known| known.name.as_str()).collect();
        let what = format!("there is no agent {to:?}; there are: {}", names.join(", "));
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let saying = Saying {
        op: Outbound::Post {
            text,
            files: Vec::new(),
        },
        files: send_message::taken(TOOL, tools, files)?,
        to: Some(to.clone()),
    };
    let (seq, added) = say::say(io, saying).await?;
    Ok(format!("{to:?} has got it as message {seq}{added}"))
}
