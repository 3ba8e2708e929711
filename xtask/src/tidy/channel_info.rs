//! Each channel's page begins with its Channel Info, which has the same lines for all of them: whoever
//! wires a conversation reads there what to ask and what to offer.

use super::{Finding, files::SourceFile};

/// Where the pages are, and which of them is none of a channel.
const PLACE: &str = "docs/channels/";
const FRONT: &str = "docs/channels/README.md";
/// The lines that each has, in this order.
const LINES: &[&str] = &[
    "Type",
    "What its words mean",
    "How to find the id",
    "Threads",
    "Typical use",
    "Default isolation",
];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let page = file.path.starts_with(PLACE) && file.path != FRONT;
    if !page || file.kind() != Some("md") {
        return vec![];
    }
    let lines: Vec<&str> = file.lines().map(|(_, line)| line).collect();
    let section = lines
        .iter()
        .skip_while(|line| **line != "## Channel Info")
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let first_cells: Vec<&str> = section
        .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
        .collect();
    let mut findings = vec![];
    let mut rest = first_cells.as_slice();
    for wanted in LINES {
        if let Some(at) = rest.iter().position(|cell| cell == wanted) {
            rest = rest.get(at + 1..).unwrap_or_default();
        } else {
            let message = format!("the Channel Info has no line “{wanted}” in its place");
            findings.push(Finding::of(&file.path, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
