//! Finds files by their names.

use globset::GlobBuilder;
use serde::Deserialize;

use crate::tools::{ToolError, Tools, files};

pub(super) const TOOL: &str = "glob";
pub(super) const SPEC: (&str, &str) = (
    "Finds files by a pattern of their path, such as `**/*.rs` or `src/**/test_*.py`. Folders `.git` \
     and `node_modules` are left out.",
    r#"{"type":"object","properties":{"pattern":{"type":"string","description":"With *, ?, [a-z], {a,b}, and ** for folders at any depth"},"path":{"type":"string","description":"The folder to look in; the workspace if absent"}},"required":["pattern"],"additionalProperties":false}"#,
);

/// The most files that are named.
const FILES_LIMIT: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
}

pub(super) async fn call(tools: &Tools, arguments: Arguments) -> Result<String, ToolError> {
    let pattern = matcher(TOOL, &arguments.pattern)?;
    let (files, more) = files::below(&files::full(tools, &arguments.path)).await;
    let found: Vec<String> = files
        .into_iter()
        .filter(|path| pattern.is_match(path.as_str()))
        .map(camino::Utf8PathBuf::into_string)
        .collect();
    let mut text = match found.len() {
        0 => "no file has such a path".to_owned(),
        _ => found
            .get(..FILES_LIMIT.min(found.len()))
            .unwrap_or_default()
            .join("\n"),
    };
    if found.len() > FILES_LIMIT {
        let note = format!("\n({} more)", found.len() - FILES_LIMIT);
        text.push_str(&note);
    }
    if more {
        text.push_str("\n(there are too many files to look at all of them)");
    }
    Ok(text)
}

/// A pattern of paths.
pub(super) fn matcher(
    tool: &'static str,
    pattern: &str,
) -> Result<globset::GlobMatcher, ToolError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| ToolError::Value {
            tool,
            what: error.to_string(),
        })
}
