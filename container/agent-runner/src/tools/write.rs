//! Writes a whole file.

use std::{fs, io};

use camino::Utf8Path;
use serde::Deserialize;

use crate::tools::{ToolError, Tools, files};

pub(super) const TOOL: &str = "write";
pub(super) const SPEC: (&str, &str) = (
    "Writes a text file, in the place of one that is there, and makes the folders it is in.",
    r#"{"type":"object","properties":{"path":{"type":"string","description":"The file, relative to the workspace or absolute"},"content":{"type":"string","description":"All of its text"}},"required":["path","content"],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    path: String,
    content: String,
}

pub(super) fn call(tools: &Tools, arguments: &Arguments) -> Result<String, ToolError> {
    let path = files::full(tools, &arguments.path);
    let bytes = arguments.content.len();
    put(&path, &arguments.content).map_err(|source| ToolError::File {
        doing: "write",
        path: arguments.path.clone(),
        source,
    })?;
    Ok(format!("{:?} has {bytes} bytes now", arguments.path))
}

/// Writes the file, if nothing else is there that is no plain file.
pub(super) fn put(path: &Utf8Path, content: &str) -> io::Result<()> {
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("it is no plain file"));
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)
}
