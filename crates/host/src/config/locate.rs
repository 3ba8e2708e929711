//! Where each key of the file stands.

use std::collections::BTreeMap;

use crate::config::problem::quote;

/// The lines of a text.
#[derive(Debug)]
pub(super) struct Lines {
    starts: Vec<usize>,
}

/// One key of the file and what is below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The line of the key, counted from 1.
    pub(super) line: usize,
    /// Are the children items of a list, and their names indexes?
    pub(super) list: bool,
    /// What is below.
    pub(super) children: BTreeMap<String, Place>,
}

/// The answer for one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The key as it is printed, e.g. `agents.helper.limits.memory` or `wirings[0].chat`.
    pub(super) key: String,
    /// Its line, or that of the closest table above it that is in the file.
    pub(super) line: usize,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let after_break = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            starts: std::iter::once(0).chain(after_break).collect(),
        }
    }

    /// The line that the byte at `offset` is in, counted from 1.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }
}

impl Place {
    pub(super) fn new(line: usize) -> Self {
        Self {
            line,
            list: false,
            children: BTreeMap::new(),
        }
    }

    /// Finds a key. Its parts are separate, so a dot in a name does no harm.
    pub(super) fn find<S: AsRef<str>>(&self, at: &[S]) -> Found {
        let mut place = Some(self);
        let mut found = Found {
            key: String::new(),
            line: self.line,
        };
        for part in at.iter().map(AsRef::as_ref) {
            push_part(&mut found.key, part, place.is_some_and(|above| above.list));
            place = place.and_then(|above| above.children.get(part));
            if let Some(here) = place {
                found.line = here.line;
            }
        }
        found
    }
}

fn push_part(key: &mut String, part: &str, item: bool) {
    if item {
        key.push('[');
        key.push_str(part);
        key.push(']');
        return;
    }
    if !key.is_empty() {
        key.push('.');
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !part.is_empty() && part.len() <= 64 && part.chars().all(plain) {
        key.push_str(part);
    } else {
        key.push_str(&quote(part));
    }
}

#[cfg(test)]
mod tests;
