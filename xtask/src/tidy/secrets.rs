//! Recorded platform traffic must not carry anybody's credentials.

use super::{Finding, files::SourceFile};

/// How tokens of known makers begin.
const BEGINNINGS: &[&str] = &[
    "AIza",
    "AKIA",
    "EAA",
    "eyJ",
    "ghp_",
    "ghs_",
    "gho_",
    "github_pat_",
    "glpat-",
    "sk-",
    "syt_",
    "xapp-",
    "xoxa-",
    "xoxb-",
    "xoxe-",
    "xoxp-",
    "xoxs-",
    "ya29.",
];
/// Shorter ones are words of the text, or plainly made up.
const SHORTEST: usize = 16;

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let recorded = file.path.split('/').any(|part| part == "testdata");
    if !recorded || file.kind() != Some("json") {
        return vec![];
    }
    let mut findings = vec![];
    for (number, line) in file.lines() {
        if line.contains("PRIVATE KEY-----") {
            findings.push(Finding::at(file, number, "holds a private key"));
        }
        // The token itself stays out of the finding: that is printed in logs.
        if line.split(outside).any(is_token) {
            findings.push(Finding::at(file, number, "holds what looks like a token"));
        }
    }
    findings
}

fn outside(c: char) -> bool {
    !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':'))
}

fn is_token(text: &str) -> bool {
    let known = text.len() >= SHORTEST && BEGINNINGS.iter().any(|begin| text.starts_with(begin));
    known || is_number_and_secret(text) || is_three_parts(text)
}

/// `123456789:AA…`: a bot's number and 35 characters of secret.
fn is_number_and_secret(text: &str) -> bool {
    text.split_once(':').is_some_and(|(number, secret)| {
        number.len() >= 8
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && secret.len() == 35
            && !secret.contains([':', '.'])
    })
}

/// `id.time.signature`: an account, a time and a signature, all in base 64.
fn is_three_parts(text: &str) -> bool {
    let lengths: Vec<_> = text.split('.').map(str::len).collect();
    matches!(lengths.as_slice(), [23..=30, 6, 27..=40])
}

#[cfg(test)]
mod tests;
