//! Finds lines in files.

use std::fmt::Write;

use regex::RegexBuilder;
use serde::Deserialize;
use tokio::task::yield_now;

use crate::tools::{ToolError, Tools, files, glob::matcher};

pub(super) const TOOL: &str = "grep";
pub(super) const SPEC: (&str, &str) = (
    "Finds lines in files by a regular expression; gives path, number and text of each. Folders \
     `.git` and `node_modules` are left out, and files that are no text.",
    r#"{"type":"object","properties":{"pattern":{"type":"string","description":"A regular expression, without look-around and back-references"},"path":{"type":"string","description":"The file or folder to look in; the workspace if absent"},"glob":{"type":"string","description":"Look only into files whose path matches, such as **/*.py"},"ignore_case":{"type":"boolean"}},"required":["pattern"],"additionalProperties":false}"#,
);

/// The most lines that are given.
const LINES_LIMIT: usize = 200;
/// A longer line is cut, in characters.
const LINE_LIMIT: usize = 400;
/// The largest file that is looked into, in bytes.
const FILE_LIMIT_BYTES: u64 = 8 * 1024 * 1024;
/// How much is looked through altogether, in bytes.
const TOTAL_LIMIT_BYTES: usize = 512 * 1024 * 1024;
/// The largest compiled expression, in bytes.
const PATTERN_LIMIT_BYTES: usize = 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    pattern: String,
    #[serde(default)]
    path: String,
    glob: Option<String>,
    #[serde(default)]
    ignore_case: bool,
}

pub(super) async fn call(tools: &Tools, arguments: Arguments) -> Result<String, ToolError> {
    let pattern = RegexBuilder::new(&arguments.pattern)
        .case_insensitive(arguments.ignore_case)
        .size_limit(PATTERN_LIMIT_BYTES)
        .build()
        .map_err(|error| ToolError::Value {
            tool: TOOL,
            what: error.to_string(),
        })?;
    let glob = arguments.glob.as_deref();
    let glob = glob.map(|glob| matcher(TOOL, glob)).transpose()?;
    let root = files::full(tools, &arguments.path);
    let (names, mut more) = if root.is_file() {
        (vec![camino::Utf8PathBuf::new()], false)
    } else {
        files::below(&root).await
    };
    let (mut text, mut lines, mut total) = (String::new(), 0, 0_usize);
    'files: for name in names {
        if glob
            .as_ref()
            .is_some_and(|glob| !glob.is_match(name.as_str()))
        {
            continue;
        }
        // Others have their turn between two files.
        yield_now().await;
        let path = if name.as_str().is_empty() {
            root.clone()
        } else {
            root.join(&name)
        };
        // silent: what can't be read has no lines to find.
        let Ok(content) = files::read(&path, FILE_LIMIT_BYTES) else {
            continue;
        };
        total = total.saturating_add(content.len());
        if total > TOTAL_LIMIT_BYTES {
            more = true;
            break;
        }
        if files::is_binary(&content) {
            continue;
        }
        let shown = arguments.path.as_str();
        let shown = camino::Utf8Path::new(shown).join(&name);
        let shown = shown.as_str().trim_end_matches('/');
        for (at, line) in String::from_utf8_lossy(&content).lines().enumerate() {
            if !pattern.is_match(line) {
                continue;
            }
            if lines >= LINES_LIMIT {
                text.push_str("(there are more)\n");
                break 'files;
            }
            lines += 1;
            let cut: String = line.chars().take(LINE_LIMIT).collect();
            // Writing into a string can't fail.
            let _done = writeln!(text, "{shown}:{}:{cut}", at + 1);
        }
    }
    if text.is_empty() {
        text.push_str("no line matches\n");
    }
    if more {
        text.push_str("(there is too much to look at all of it)\n");
    }
    Ok(text.trim_end().to_owned())
}
