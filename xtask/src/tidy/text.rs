//! Words that must not stand in code.

use super::{Finding, files::SourceFile};

/// Kinds of files that hold code or configuration.
const CODE: &[&str] = &["rs", "toml", "sql", "sh"];
/// Notes to self. They belong into an issue.
const MARKERS: &[&str] = &["FIXME", "TODO", "XXX"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    // These rules and their tests cannot but name what they forbid.
    if file.path.starts_with("xtask/src/tidy/") {
        return vec![];
    }
    let is_code =
        file.name() == "Dockerfile" || file.kind().is_some_and(|kind| CODE.contains(&kind));
    if !is_code {
        return vec![];
    }
    let mut findings = vec![];
    for (number, line) in file.lines() {
        if let Some(marker) = marker(line) {
            findings.push(Finding::at(
                file,
                number,
                format!("{marker}: do it, or file it"),
            ));
        }
        if file.is_rust()
            && let Some(message) = rust(file, line)
        {
            findings.push(Finding::at(file, number, message));
        }
    }
    findings
}

fn marker(line: &str) -> Option<&str> {
    line.split(|c: char| !c.is_alphanumeric())
        .find(|word| MARKERS.contains(word))
}

fn rust(file: &SourceFile, line: &str) -> Option<&'static str> {
    let code = line.split_once("//").map_or(line, |(code, _)| code);
    if code.contains("clippy::too_many_lines") {
        return Some("a function stays within the limit; there are no exceptions");
    }
    if code.contains("#[ignore") {
        return Some("a test runs, or is not there");
    }
    // Tests of others may need the value; programs get it from a runtime that watched the end.
    let may_observe = file.path.starts_with("crates/runner/") || file.is_test();
    if code.contains("Exited::observed") && !may_observe {
        return Some("only the runner crate can know that a sandbox is gone");
    }
    None
}

#[cfg(test)]
mod tests;
