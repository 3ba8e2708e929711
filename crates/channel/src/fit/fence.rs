//! Code fences, as `CommonMark` has them, except that they may be indented as far as lists push them.

use super::measure;
use crate::caps::TextLimit;

/// The room for code that a kept fence leaves at least: one character of any unit.
const LEAST_ROOM: usize = 4;

/// A marker that is indented further is none; keeps the looking for one bounded.
const INDENT_LIMIT: usize = 40;

/// An open code fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fence<'a> {
    /// The whole opening line.
    line: &'a str,
    /// Its indentation and its marker, which also close it.
    close: &'a str,
    /// The marker alone.
    marker: &'a str,
    /// Is it closed and opened again around a cut? Not when that takes over half the limit.
    pub(super) kept: bool,
}

impl Fence<'_> {
    /// What opens the fence again at the start of a part.
    pub(super) fn opening(self) -> String {
        if self.kept {
            format!("{}\n", self.line)
        } else {
            String::new()
        }
    }

    /// What closes the fence at the end of a part.
    pub(super) fn closing(self) -> String {
        if self.kept {
            format!("\n{}", self.close)
        } else {
            String::new()
        }
    }
}

/// What a line means for the fences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    /// Nothing.
    None,
    /// It opens one.
    Opens(Fence<'a>),
    /// It closes the open one.
    Closes,
}

impl<'a> Marker<'a> {
    /// The fence that is open after the line, where `before` was open before it.
    pub(super) fn after(self, before: Option<Fence<'a>>) -> Option<Fence<'a>> {
        match self {
            Self::None => before,
            Self::Opens(fence) => Some(fence),
            Self::Closes => None,
        }
    }
}

/// What `line` means where `open` is open.
pub(super) fn marker<'a>(line: &'a str, open: Option<Fence<'a>>, limit: TextLimit) -> Marker<'a> {
    let Some((indented, marker, info)) = parts(line) else {
        return Marker::None;
    };
    let Some(open) = open else {
        if marker.starts_with('`') && info.contains('`') {
            return Marker::None;
        }
        let line = line.trim_end();
        let overhead = measure::size(line, limit) + measure::size(indented, limit) + 2;
        let all = measure::room(limit, "");
        return Marker::Opens(Fence {
            line,
            close: indented,
            marker,
            kept: overhead <= all / 2 && all - overhead >= LEAST_ROOM,
        });
    };
    let closes = marker.starts_with(open.marker) && info.trim().is_empty();
    if closes { Marker::Closes } else { Marker::None }
}

/// Would `line` be taken for a marker? Looks at its start only, however long it is.
pub(super) fn looks_like_marker(line: &str) -> bool {
    let Some(indent) = indent(line) else {
        return false;
    };
    let (_, unindented) = line.split_at(indent);
    unindented.starts_with("```") || unindented.starts_with("~~~")
}

/// How far the line is indented; `None` where that is too far for a marker.
fn indent(line: &str) -> Option<usize> {
    let blanks = line.bytes().take(INDENT_LIMIT + 1);
    let indent = blanks.take_while(|b| matches!(b, b' ' | b'\t')).count();
    (indent <= INDENT_LIMIT).then_some(indent)
}

/// The indentation with the marker, the marker alone, and what follows it.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let indent = indent(line)?;
    let (_, unindented) = line.split_at(indent);
    let sign = unindented
        .chars()
        .next()
        .filter(|c| matches!(c, '`' | '~'))?;
    let info = unindented.trim_start_matches(sign);
    let (indented, _) = line.split_at(line.len() - info.len());
    let (_, marker) = indented.split_at(indent);
    (marker.len() >= 3).then_some((indented, marker, info))
}
