//! Sends a file of the workspace into the conversation.

use std::{fs::File, io::Read};

use anchorhold_core::outbound::FILE_LIMIT_BYTES;
use anchorhold_sessiondb::{Outbound, OutboxFile};
use camino::{Utf8Component, Utf8Path};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{
        ToolError, Tools, check_text,
        say::{self, Saying},
    },
};

pub(super) const TOOL: &str = "send_file";
pub(super) const SPEC: (&str, &str) = (
    "Sends a file of the workspace into the conversation, or to a destination, as it is now, at once.",
    r#"{"type":"object","properties":{"path":{"type":"string","description":"The file, relative to the workspace"},"text":{"type":"string","description":"What is said with it"},"name":{"type":"string","description":"The name to show, if not the file's"},"to":{"type":"string","description":"The name of the destination, if not this conversation"}},"required":["path"],"additionalProperties":false}"#,
);
/// The longest name to show, in bytes: what file systems take.
const NAME_LIMIT_BYTES: usize = 255;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    path: String,
    #[serde(default)]
    text: String,
    name: Option<String>,
    to: Option<String>,
}

/// The content is taken now: what the agent does to the file afterwards changes nothing.
pub(super) async fn call(
    tools: &Tools,
    io: &TurnIo,
    arguments: Arguments,
) -> Result<String, ToolError> {
    check_text(TOOL, &arguments.text)?;
    let file = take(tools, &arguments.path, arguments.name)?;
    let what = format!("{:?} ({} bytes)", file.name, file.content.len());
    let saying = Saying {
        op: Outbound::Post {
            text: arguments.text,
            files: Vec::new(),
        },
        files: vec![file],
        to: arguments.to,
    };
    let (seq, added) = say::say(io, saying).await?;
    Ok(format!("{what} is sent as message {seq}{added}"))
}

/// Takes a file of the workspace, to be sent by this name or its own.
pub(super) fn take(
    tools: &Tools,
    path: &str,
    name: Option<String>,
) -> Result<OutboxFile, ToolError> {
    let own = || {
        Utf8Path::new(path)
            .file_name()
            .unwrap_or_default()
            .to_owned()
    };
    let name = name.unwrap_or_else(own);
    check_name(&name)?;
    let content = read(&tools.workspace, path)?;
    Ok(OutboxFile { name, content })
}

/// The name becomes a path segment in the outbox.
fn check_name(name: &str) -> Result<(), ToolError> {
    let segment = matches!(
        Utf8Path::new(name).components().collect::<Vec<_>>().as_slice(),
        [Utf8Component::Normal(only)] if *only == name
    );
    if segment && name.len() <= NAME_LIMIT_BYTES && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let what = "the name is no plain file name".to_owned();
    Err(ToolError::Value { tool: TOOL, what })
}

fn read(workspace: &Utf8Path, path: &str) -> Result<Vec<u8>, ToolError> {
    let failed = |source| ToolError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let refused = |why: String| ToolError::Refused {
        path: path.to_owned(),
        why,
    };
    let root = workspace.canonicalize_utf8().map_err(failed)?;
    let full = root.join(path).canonicalize_utf8().map_err(failed)?;
    if !full.starts_with(&root) {
        return Err(refused("it is not in the workspace".to_owned()));
    }
    // Never waits for the other end of a pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = rustix::fs::open(full.as_str(), flags, Mode::empty())
        .map(File::from)
        .map_err(|errno| failed(errno.into()))?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(refused("it is no plain file".to_owned()));
    }
    let mut content = Vec::new();
    // One byte more than the limit tells that there is more.
    file.take(FILE_LIMIT_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(failed)?;
    if u64::try_from(content.len()).is_ok_and(|len| len <= FILE_LIMIT_BYTES) {
        return Ok(content);
    }
    Err(refused(format!(
        "it has more than {FILE_LIMIT_BYTES} bytes"
    )))
}
