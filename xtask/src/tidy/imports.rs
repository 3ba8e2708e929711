//! Imports stand in three groups, and each crate in one `use`.
//!
//! rustfmt can do this only with options that are not stable, so it is checked here.

use super::{Finding, files::SourceFile};

/// Whose item a `use` brings in; groups stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Std,
    Others,
    Own,
}

/// One `use` at the top level of a file.
#[derive(Debug)]
struct Import<'a> {
    line: usize,
    /// The first part of its path.
    root: &'a str,
    /// Whether blank lines stand between it and the one before.
    after_blank: bool,
    /// Whether an attribute stands on it; it may then repeat a crate.
    conditional: bool,
}

impl Import<'_> {
    fn group(&self) -> Group {
        match self.root {
            "std" | "core" | "alloc" => Group::Std,
            "crate" | "self" | "super" => Group::Own,
            _ => Group::Others,
        }
    }
}

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    if !file.is_rust() {
        return vec![];
    }
    blocks(file)
        .iter()
        .flat_map(|block| judge(file, block))
        .collect()
}

fn judge(file: &SourceFile, block: &[Import<'_>]) -> Vec<Finding> {
    let mut findings = vec![];
    for (before, import) in block.iter().zip(block.iter().skip(1)) {
        let message = match (before.group().cmp(&import.group()), import.after_blank) {
            (std::cmp::Ordering::Greater, _) => "imports stand in the order std, others, own",
            (std::cmp::Ordering::Less, false) => "a blank line separates groups of imports",
            (std::cmp::Ordering::Equal, true) => "no blank line inside a group of imports",
            (std::cmp::Ordering::Less, true) | (std::cmp::Ordering::Equal, false) => continue,
        };
        findings.push(Finding::at(file, import.line, message));
    }
    let plain: Vec<_> = block.iter().filter(|import| !import.conditional).collect();
    for (index, import) in plain.iter().enumerate() {
        if plain
            .iter()
            .take(index)
            .any(|before| before.root == import.root)
        {
            let message = format!("one `use` for all of {}", import.root);
            findings.push(Finding::at(file, import.line, message));
        }
    }
    findings
}

/// The runs of imports that only blank lines, comments and attributes interrupt.
fn blocks(file: &SourceFile) -> Vec<Vec<Import<'_>>> {
    let mut blocks = vec![];
    let mut block: Vec<Import<'_>> = vec![];
    let mut after_blank = false;
    let mut conditional = false;
    let mut inside = false;
    for (number, line) in file.lines() {
        if inside {
            inside = !line.trim_end().ends_with(';');
        } else if let Some(path) = line.strip_prefix("use ") {
            let path = path.trim_start_matches("::");
            let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_'));
            let (root, _) = path.split_at(end.unwrap_or(path.len()));
            block.push(Import {
                line: number,
                root,
                after_blank,
                conditional,
            });
            inside = !line.trim_end().ends_with(';');
            after_blank = false;
            conditional = false;
        } else if line.trim().is_empty() {
            after_blank = true;
        } else if line.starts_with("#[") {
            conditional = true;
        } else if !line.starts_with("//") {
            blocks.push(std::mem::take(&mut block));
            conditional = false;
        }
    }
    blocks.push(block);
    blocks
}

#[cfg(test)]
mod tests;
