//! Sends a file of the workspace into the conversation.

use std::{fs::File, io::Read};

use anchorhold_core::outbound::FILE_LIMIT_BYTES;
use anchorhold_sessiondb::{Outbound, OutboxFile};
use camino::{Utf8Component, Utf8Path};
use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

use crate::tools::{Called, Effect, ToolError, Tools, check_text};

pub(super) const TOOL: &str = "send_file";
pub(super) const SPEC: (&str, &str) = (
    "Sends a file of the workspace into the conversation, as it is now, when the turn ends.",
    r#"{"type":"object","properties":{"path":{"type":"string","description":"The file, relative to the workspace"},"text":{"type":"string","description":"What is said with it"},"name":{"type":"string","description":"The name to show, if not the file's"}},"required":["path"],"additionalProperties":false}"#,
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
}

/// The content is taken now: what the agent does to the file afterwards changes nothing.
pub(super) fn call(tools: &Tools, arguments: Arguments) -> Result<Called, ToolError> {
    check_text(TOOL, &arguments.text)?;
    let path = arguments.path;
    let name = match arguments.name {
        Some(name) => name,
        None => Utf8Path::new(&path)
            .file_name()
            .unwrap_or_default()
            .to_owned(),
    };
    check_name(&name)?;
    let content = read(&tools.workspace, &path)?;
    let text = format!(
        "{name:?} ({} bytes) is sent when the turn ends",
        content.len()
    );
    let op = Outbound::Post {
        text: arguments.text,
        files: Vec::new(),
    };
    let files = vec![OutboxFile { name, content }];
    Ok(Called {
        text,
        effect: Some(Effect { op, files }),
    })
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
