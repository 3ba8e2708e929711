//! `cargo xtask tidy`: the rules of `STYLE.md` and `ARCHITECTURE.md` that no compiler knows.
//!
//! Each rule is a pure function from a file (or from what cargo knows) to findings, and has a test
//! with text that it must refuse and text that it must let pass.

mod channel_info;
mod crate_docs;
mod dependencies;
mod files;
mod imports;
mod markdown;
mod platforms;
mod secrets;
mod text;

use std::{fmt, process::ExitCode};

use anyhow::{Result, bail};

use self::files::SourceFile;
use crate::{output::Console, workspace::Workspace};

/// Something that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    message: String,
}

impl Finding {
    fn at(file: &SourceFile, line: usize, message: impl Into<String>) -> Self {
        Self {
            place: format!("{}:{line}", file.path),
            message: message.into(),
        }
    }

    fn of(place: &str, message: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// One rule about one file.
type Rule = fn(&SourceFile) -> Vec<Finding>;

const RULES: &[Rule] = &[
    channel_info::check,
    files::length,
    files::name,
    imports::check,
    markdown::check,
    platforms::check,
    secrets::check,
    text::check,
];

/// `cargo xtask tidy`
pub(crate) fn run(workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    let note = all(workspace)?;
    console.say(&note);
    Ok(ExitCode::SUCCESS)
}

/// Checks everything; says how much that was, or fails with all findings.
pub(crate) fn all(workspace: &Workspace) -> Result<String> {
    let files = files::read_all(&workspace.root)?;
    let mut findings = dependencies::check(&workspace.packages);
    findings.extend(platforms::known(&workspace.packages));
    findings.extend(crate_docs::check(&files));
    findings.extend(
        files
            .iter()
            .flat_map(|file| RULES.iter().flat_map(|rule| rule(file))),
    );
    if findings.is_empty() {
        return Ok(format!("{} files", files.len()));
    }
    let lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    bail!("{} findings\n{}", lines.len(), lines.join("\n"))
}
