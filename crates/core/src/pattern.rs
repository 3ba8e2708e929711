//! The patterns of wirings: compiled once, matched in linear time, never failed open.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use regex::Regex;

/// The longest pattern that is accepted, in bytes; the `regex` crate bounds its compiled size.
pub const PATTERN_LIMIT_BYTES: usize = 1024;

/// The pattern that matches everything, the empty text included.
pub const EVERYTHING: &str = ".";

/// How many compiled patterns are kept. Beyond it all are forgotten and compiled anew when needed.
const KEPT_LIMIT: usize = 1024;

/// A pattern that can't be used, and why, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is none.
    #[error("the pattern is empty; `.` matches everything")]
    Empty,
    /// It is longer than [`PATTERN_LIMIT_BYTES`].
    #[error("the pattern is {len} bytes long; at most {PATTERN_LIMIT_BYTES} are accepted")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// It is no regular expression, or one that would be too large.
    #[error("the pattern is not a usable regular expression: {why}")]
    Unusable {
        /// What is wrong.
        why: String,
    },
}

/// Compiles a wiring's pattern: run when it is set, so that a bad one is refused there.
pub fn compile(pattern: &str) -> Result<Regex, PatternError> {
    if pattern.is_empty() {
        return Err(PatternError::Empty);
    }
    if pattern.len() > PATTERN_LIMIT_BYTES {
        let len = pattern.len();
        return Err(PatternError::TooLong { len });
    }
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| {
            // The last line says what is wrong, the others draw a picture of where.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            let why = last.strip_prefix("error: ").unwrap_or(last).to_owned();
            PatternError::Unusable { why }
        })
}

/// Patterns that were compiled before. Cheap to clone; clones share what they keep.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    kept: Arc<Mutex<HashMap<Box<str>, Regex>>>,
}

impl Patterns {
    /// Does `pattern` match somewhere in `text`?
    pub fn is_match(&self, pattern: &str, text: &str) -> Result<bool, PatternError> {
        if pattern == EVERYTHING {
            return Ok(true);
        }
        Ok(self.compiled(pattern)?.is_match(text))
    }

    fn compiled(&self, pattern: &str) -> Result<Regex, PatternError> {
        // Nothing in here can leave the map half changed.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(regex) = kept.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = compile(pattern)?;
        if kept.len() >= KEPT_LIMIT {
            kept.clear();
        }
        kept.insert(pattern.into(), regex.clone());
        Ok(regex)
    }
}

#[cfg(test)]
mod tests;
