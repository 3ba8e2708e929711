//! Markdown has one sentence a line, so that a change shows as the sentences it touches.
//!
//! Lenient: lists, tables, headings and code are left alone, and so are the documents that came
//! before the rule.

use super::{Finding, files::SourceFile};

/// Where the rule holds.
const PLACES: &[&str] = &["README.md", "changelog.d/", "container/", "docs/"];
/// What ends with a full stop in the middle of a sentence.
const ABBREVIATIONS: &[&str] = &["e.g", "i.e", "etc", "cf", "vs", "no", "approx"];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let placed = PLACES.iter().any(|place| file.path.starts_with(place));
    if !placed || file.kind() != Some("md") {
        return vec![];
    }
    let mut findings = vec![];
    let mut fenced = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && is_prose(line) && has_inner_end(line) {
            findings.push(Finding::at(
                file,
                number,
                "more than one sentence on a line",
            ));
        }
    }
    findings
}

fn is_prose(line: &str) -> bool {
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = digits.len() < line.len() && digits.starts_with(". ");
    let begin = line.trim_start().chars().next();
    !numbered
        && !begin.is_some_and(|c| matches!(c, '#' | '|' | '-' | '*' | '+' | '<'))
        && !line.starts_with("    ")
}

/// Whether a sentence ends before the line does: a full stop, a space, a capital.
fn has_inner_end(line: &str) -> bool {
    // Every second piece between backticks is code.
    let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
    let words: Vec<_> = prose.split_whitespace().collect();
    words.windows(2).any(|pair| {
        let [word, next] = pair else {
            return false;
        };
        let Some(stem) = word.strip_suffix(['.', '?', '!']) else {
            return false;
        };
        let stem = stem.trim_start_matches('(').to_lowercase();
        let capital = next.chars().next().is_some_and(char::is_uppercase);
        capital && stem.len() > 1 && !ABBREVIATIONS.contains(&stem.as_str())
    })
}

#[cfg(test)]
mod tests;
