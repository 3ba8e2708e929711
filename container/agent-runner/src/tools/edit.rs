//! Changes a part of a file.

use serde::Deserialize;

use crate::tools::{ToolError, Tools, files, write::put};

pub(super) const TOOL: &str = "edit";
pub(super) const SPEC: (&str, &str) = (
    "Replaces a text in a file by another. The old text has to be there exactly as it is given, and \
     only once unless all of them are meant.",
    r#"{"type":"object","properties":{"path":{"type":"string","description":"The file, relative to the workspace or absolute"},"old":{"type":"string","description":"The text to replace, with its line ends and indentation"},"new":{"type":"string","description":"What is to stand there"},"all":{"type":"boolean","description":"Replace every occurrence"}},"required":["path","old","new"],"additionalProperties":false}"#,
);

const FILE_LIMIT_BYTES: u64 = 16 * 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    path: String,
    old: String,
    new: String,
    #[serde(default)]
    all: bool,
}

pub(super) fn call(tools: &Tools, arguments: Arguments) -> Result<String, ToolError> {
    let wrong = |what: String| ToolError::Value { tool: TOOL, what };
    let Arguments {
        path,
        old,
        new,
        all,
    } = arguments;
    if old.is_empty() {
        return Err(wrong("the old text is empty".to_owned()));
    }
    let content = files::content(tools, &path, FILE_LIMIT_BYTES)?;
    let text = String::from_utf8(content)
        .map_err(|_no_text| wrong(format!("{path:?} is no text in UTF-8")))?;
    let count = text.matches(&old).count();
    let changed = match count {
        0 => return Err(wrong(format!("{path:?} does not have the old text"))),
        1 => text.replacen(&old, &new, 1),
        _ if all => text.replace(&old, &new),
        _ => {
            let what = format!("{path:?} has the old text {count} times: give more of it, or all");
            return Err(wrong(what));
        }
    };
    put(&files::full(tools, &path), &changed).map_err(|source| ToolError::File {
        doing: "write",
        path: path.clone(),
        source,
    })?;
    let times = if count == 1 { "once" } else { "everywhere" };
    Ok(format!("the text was replaced {times} in {path:?}"))
}
