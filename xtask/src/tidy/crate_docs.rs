//! Each crate says at its front door what it is for.

use super::{Finding, files::SourceFile};

/// How many lines a crate's documentation has at least.
const CRATE_LINES: usize = 3;
/// A program that stands beside its library only has to say what it adds.
const BESIDE_LIBRARY_LINES: usize = 1;

pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    files
        .iter()
        .filter_map(|file| {
            let least = least(file, files)?;
            let lines = documentation(&file.text);
            (lines < least).then(|| {
                let message = format!(
                    "begins with {lines} lines of documentation, and {least} are the least: \
                     what is it for, what does it not do, what must stay true, where to start"
                );
                Finding::of(&file.path, message)
            })
        })
        .collect()
}

/// How much documentation a file needs, if it is the front of a crate or program.
fn least(file: &SourceFile, files: &[SourceFile]) -> Option<usize> {
    if file.path.ends_with("/src/lib.rs") {
        return Some(CRATE_LINES);
    }
    let folder = file.path.strip_suffix("main.rs")?;
    if !folder.ends_with("/src/") {
        return None;
    }
    let library = format!("{folder}lib.rs");
    let beside_library = files.iter().any(|other| other.path == library);
    Some(if beside_library {
        BESIDE_LIBRARY_LINES
    } else {
        CRATE_LINES
    })
}

/// Counts the lines at the top that say something.
fn documentation(text: &str) -> usize {
    text.lines()
        .take_while(|line| line.starts_with("//!"))
        .filter(|line| line.trim_start_matches("//!").trim().len() > 1)
        .count()
}

#[cfg(test)]
mod tests;
