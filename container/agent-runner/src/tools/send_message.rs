//! Sends a message at once, into the conversation or to a destination.

use anchorhold_core::outbound::FILES_LIMIT;
use anchorhold_sessiondb::{Outbound, OutboxFile};
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError, Tools, check_text,
        say::{self, Saying},
        send_file,
    },
};

pub(super) const TOOL: &str = "send_message";
pub(super) const SPEC: (&str, &str) = (
    "Sends a message at once: into the conversation that you answer, or to one of your destinations, \
     see list_destinations. Use it for what goes elsewhere, and for word of what takes long; the \
     answer itself is what you write at the end of your turn.",
    r#"{"type":"object","properties":{"text":{"type":"string","description":"What to say, in Markdown"},"to":{"type":"string","description":"The name of the destination, if not this conversation"},"files":{"type":"array","items":{"type":"string"},"maxItems":16,"description":"Files of the workspace to send with it"}},"required":["text"],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    text: String,
    to: Option<String>,
    #[serde(default)]
    files: Vec<String>,
}

pub(super) async fn call(
    tools: &Tools,
    io: &TurnIo,
    arguments: Arguments,
) -> Result<String, ToolError> {
    let Arguments { text, to, files } = arguments;
    check_text(TOOL, &text)?;
    if text.trim().is_empty() && files.is_empty() {
        let what = "there is neither text nor a file".to_owned();
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let taken = taken(TOOL, tools, files)?;
    let place = to.clone();
    let saying = Saying {
        op: Outbound::Post {
            text,
            files: Vec::new(),
        },
        files: taken,
        to,
    };
    let (seq, added) = say::say(io, saying).await?;
    let to = place.map_or_else(String::new, |to| format!(" to {to:?}"));
    Ok(format!("sent{to} as message {seq}{added}"))
}

/// The files of these paths, as they are now.
pub(super) fn taken(
    tool: &'static str,
    tools: &Tools,
    paths: Vec<String>,
) -> Result<Vec<OutboxFile>, ToolError> {
    let wrong = |what: String| Err(ToolError::Value { tool, what });
    if paths.len() > FILES_LIMIT {
        return wrong(format!("there are more than {FILES_LIMIT} files"));
    }
    let mut taken: Vec<OutboxFile> = Vec::with_capacity(paths.len());
    for path in paths {
        let file = send_file::take(tools, &path, None)?;
        if taken.iter().any(|other| other.name == file.name) {
            return wrong(format!("two files are called {:?}", file.name));
        }
        taken.push(file);
    }
    Ok(taken)
}
