//! What is wrong with the file, as lines for the person who wrote it.

use std::{cmp::Ordering, fmt};

use camino::{Utf8Path, Utf8PathBuf};

use crate::config::locate::Found;

/// The most problems that are kept; of the others only the number is.
pub const PROBLEMS_LIMIT: usize = 100;

/// The most characters of the file's own text that a line quotes in one piece.
const QUOTE_LIMIT_CHARS: usize = 64;

/// One problem: `file: key: what is wrong (line N)`, always a single line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    file: Utf8PathBuf,
    key: String,
    what: String,
    line: usize,
}

/// All problems of one file, by line. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    list: Vec<Problem>,
    omitted: usize,
}

impl Problem {
    /// `what` may come from anywhere: its control characters become blanks.
    pub(super) fn new(file: &Utf8Path, found: Found, what: &str) -> Self {
        let blank = |c: char| if c.is_control() { ' ' } else { c };
        Self {
            file: file.to_owned(),
            key: found.key,
            what: what.chars().map(blank).collect(),
            line: found.line,
        }
    }

    /// The line in the file, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The key; empty if the problem is with the text and not with a value.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn order(&self, other: &Self) -> Ordering {
        (self.line, &self.key).cmp(&(other.line, &other.key))
    }
}

impl Problems {
    /// Puts problems in order; `None` if there are none.
    pub fn collect(list: Vec<Problem>) -> Option<Self> {
        Self::with_omitted(list, 0)
    }

    /// As [`Problems::collect`], after `omitted` others were already left out.
    pub(super) fn with_omitted(mut list: Vec<Problem>, omitted: usize) -> Option<Self> {
        if list.is_empty() {
            return None;
        }
        list.sort_by(Problem::order);
        let over = list.len().saturating_sub(PROBLEMS_LIMIT);
        list.truncate(PROBLEMS_LIMIT);
        Some(Self {
            list,
            omitted: omitted.saturating_add(over),
        })
    }

    /// The problems, by line.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// How many more there are that [`Problems::list`] does not have.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self {
            list: vec![problem],
            omitted: 0,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} (line {})", self.what, self.line)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        if self.omitted > 0 {
            write!(f, "\n… and {} more", self.omitted)?;
        }
        Ok(())
    }
}

/// Text of the file in quotes: escaped, and cut where it is too long for a line.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(QUOTE_LIMIT_CHARS).collect();
    let cut = if short.len() < text.len() { "…" } else { "" };
    format!("{short:?}{cut}")
}
