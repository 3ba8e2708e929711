//! Reads a file, line by line with their numbers.

use std::fmt::Write;

use serde::Deserialize;

use crate::tools::{ToolError, Tools, files};

pub(super) const TOOL: &str = "read";
pub(super) const SPEC: (&str, &str) = (
    "Reads a text file; each line comes with its number. Long files come in pieces.",
    r#"{"type":"object","properties":{"path":{"type":"string","description":"The file, relative to the workspace or absolute"},"offset":{"type":"integer","minimum":1,"description":"The first line; 1 if absent"},"limit":{"type":"integer","minimum":1,"maximum":2000,"description":"So many lines; 2000 if absent"}},"required":["path"],"additionalProperties":false}"#,
);

const FILE_LIMIT_BYTES: u64 = 64 * 1024 * 1024;
const LINES_LIMIT: usize = 2000;
/// A longer line is cut, in characters.
const LINE_LIMIT: usize = 2000;
/// The most that comes at once, in bytes.
const TEXT_LIMIT_BYTES: usize = 64 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    path: String,
    offset: Option<usize>,
    limit: Option<usize>,
}

pub(super) fn call(tools: &Tools, arguments: &Arguments) -> Result<String, ToolError> {
    let content = files::content(tools, &arguments.path, FILE_LIMIT_BYTES)?;
    if files::is_binary(&content) {
        let what = format!(
            "{:?} is no text; it has {} bytes",
            arguments.path,
            content.len()
        );
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let text = String::from_utf8_lossy(&content);
    let first = arguments.offset.unwrap_or(1).max(1);
    let limit = arguments.limit.unwrap_or(LINES_LIMIT).min(LINES_LIMIT);
    let (mut shown, mut last) = (String::new(), first - 1);
    for (at, line) in text.lines().enumerate().skip(first - 1).take(limit) {
        if shown.len() > TEXT_LIMIT_BYTES {
            break;
        }
        let cut: String = line.chars().take(LINE_LIMIT).collect();
        let more = if cut.len() < line.len() { "…" } else { "" };
        // Writing into a string can't fail.
        let _done = writeln!(shown, "{}\t{cut}{more}", at + 1);
        last = at + 1;
    }
    let lines = text.lines().count();
    let note = match () {
        () if content.is_empty() => "(the file is empty)".to_owned(),
        () if last < first => format!("(the file has only {lines} lines)"),
        () if last < lines => format!("(there are {lines} lines; go on with offset {})", last + 1),
        () => String::new(),
    };
    shown.push_str(&note);
    Ok(shown.trim_end().to_owned())
}
