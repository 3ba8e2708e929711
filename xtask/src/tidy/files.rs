//! The project's own files, their lengths and names.

use std::{fs, io, path::Path};

use anyhow::{Context, Result};

use super::Finding;

/// The longest file of code.
const CODE_LIMIT: usize = 500;
/// The longest file of tests.
const TESTS_LIMIT: usize = 1_000;
/// Folders that hold nothing of ours.
const SKIPPED: &[&str] = &[".git", "data", "target"];
/// The kinds of files that rules look at.
const KINDS: &[&str] = &["rs", "toml", "md", "sql", "json", "sh"];

/// One file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SourceFile {
    /// Its path from the root, with `/` between the parts.
    pub(super) path: String,
    /// What is in it.
    pub(super) text: String,
}

impl SourceFile {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Whether it is Rust.
    pub(super) fn is_rust(&self) -> bool {
        self.kind() == Some("rs")
    }

    /// What comes after the last dot of its name.
    pub(super) fn kind(&self) -> Option<&str> {
        let (_, kind) = self.name().rsplit_once('.')?;
        Some(kind)
    }

    /// Its name without folders.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it is a test and no part of a program.
    pub(super) fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').any(|part| part == "tests")
    }

    /// Its lines, numbered from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }
}

/// Reads all files of the project that a rule may look at.
pub(super) fn read_all(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = vec![];
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in entries(&folder)? {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if wanted(&name)
                && let Some(text) = read(&path)?
            {
                let path = path.strip_prefix(root)?.display().to_string();
                files.push(SourceFile { path, text });
            }
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<fs::DirEntry>> {
    fs::read_dir(folder)
        .and_then(Iterator::collect)
        .with_context(|| format!("read {}", folder.display()))
}

/// The text of a file, unless it went away meanwhile.
fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(err) => Err(err).with_context(|| format!("read {}", path.display())),
    }
}

fn wanted(name: &str) -> bool {
    name == "Dockerfile"
        || name
            .rsplit_once('.')
            .is_some_and(|(_, kind)| KINDS.contains(&kind))
}

/// Files stay short enough to be read at once.
pub(super) fn length(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return vec![];
    }
    let limit = if file.is_test() {
        TESTS_LIMIT
    } else {
        CODE_LIMIT
    };
    let lines = file.text.lines().count();
    if lines <= limit {
        return vec![];
    }
    let message = format!("{lines} lines, and at most {limit} are allowed");
    vec![Finding::of(&file.path, message)]
}

/// A module is `foo.rs`, with what belongs to it in `foo/`.
pub(super) fn name(file: &SourceFile) -> Vec<Finding> {
    if file.name() != "mod.rs" {
        return vec![];
    }
    vec![Finding::of(
        &file.path,
        "name the file after its module, beside the folder",
    )]
}

#[cfg(test)]
mod tests;
