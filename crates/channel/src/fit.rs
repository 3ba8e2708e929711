//! Splitting text to a platform's limit.
//!
//! A cut is made at the end of a paragraph where one is near, else at the end of a line, else at a
//! space, else between two characters. A code fence is never left broken: it is closed before the
//! cut and opened again after it with the same opening line. What a cut may drop is the whitespace
//! it falls on; nothing else is lost.

use crate::caps::TextLimit;

mod fence;
mod measure;

use fence::{Fence, Marker};

/// A cut that fills less than one in so many parts of the limit is made only if there's no other.
const LEAST_FILL: usize = 4;

/// Splits `text` into parts that are within `limit` each, in order, without numbering them.
///
/// There is always at least one part; text within the limit is one part, unchanged (also when it is
/// empty). A single character that is larger than the limit itself is a part of its own and the
/// only thing that can exceed it: that needs a limit below 4 bytes or 2 UTF-16 units.
pub fn fit(text: &str, limit: TextLimit) -> Vec<String> {
    let mut parts = Vec::new();
    let mut place = Place {
        rest: text,
        fence: None,
        inside_line: false,
    };
    // Ends because each cut takes at least one character off.
    while let Some((part, next)) = place.step(limit, parts.is_empty()) {
        if let Some(part) = part {
            parts.push(part);
        }
        place = next;
    }
    if parts.is_empty() {
        parts.push(String::new());
    }
    parts
}

/// Is `text` within the limit as it is?
pub fn fits(text: &str, limit: TextLimit) -> bool {
    measure::prefix_end(text, limit, measure::room(limit, "")) == text.len()
}

/// How far the splitting has come.
#[derive(Clone)]
struct Place<'a> {
    rest: &'a str,
    /// The fence that is open where `rest` starts.
    fence: Option<Fence<'a>>,
    /// Does `rest` start inside a line? Then its first line is no fence marker.
    inside_line: bool,
}

/// How good a place for a cut is; later is better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Character,
    Space,
    Line,
    Paragraph,
}

/// A place where the rest can be cut.
struct Cut<'a> {
    rank: Rank,
    /// Where this part's text ends.
    end: usize,
    /// Where the next part's text starts.
    next: usize,
    /// The fence that is open at the end of this part's text.
    closes: Option<Fence<'a>>,
    /// The fence that the next part opens again: none where the cut falls on the closing marker.
    reopens: Option<Fence<'a>>,
    inside_line: bool,
}

impl<'a> Place<'a> {
    /// The next part (`None` if it would be blank) and the place after it; `None` at the end.
    fn step(&self, limit: TextLimit, first: bool) -> Option<(Option<String>, Self)> {
        if self.rest.is_empty() {
            return None;
        }
        let prefix = self.fence.map(Fence::opening).unwrap_or_default();
        let room = measure::room(limit, &prefix);
        let budget = measure::prefix_end(self.rest, limit, room);
        if budget == self.rest.len() {
            let blank = !first && prefix.is_empty() && self.rest.trim().is_empty();
            let part = (!blank).then(|| format!("{prefix}{}", self.rest));
            return Some((part, self.after(self.rest.len())));
        }
        let cut = self
            .best_cut(limit, room, budget)
            .unwrap_or_else(|| self.forced_cut(budget));
        let (content, _) = self.rest.split_at(cut.end);
        let suffix = cut.closes.map(Fence::closing).unwrap_or_default();
        let blank = prefix.is_empty() && suffix.is_empty() && content.trim().is_empty();
        let part = (!blank).then(|| {
            let bare = prefix.is_empty() && suffix.is_empty();
            let content = if bare { content.trim_end() } else { content };
            format!("{prefix}{content}{suffix}")
        });
        let (_, rest) = self.rest.split_at(cut.next);
        let rest = match cut.reopens {
            None if !cut.inside_line => without_blank_lines(rest),
            None | Some(_) => rest,
        };
        let next = Self {
            rest,
            fence: cut.reopens,
            inside_line: cut.inside_line,
        };
        Some((part, next))
    }

    fn after(&self, end: usize) -> Self {
        let (_, rest) = self.rest.split_at(end);
        Self {
            rest,
            fence: None,
            inside_line: false,
        }
    }

    /// The best cut whose part is within the limit.
    fn best_cut(&self, limit: TextLimit, room: usize, budget: usize) -> Option<Cut<'a>> {
        let mut cuts = Vec::new();
        let mut fence = self.fence;
        let mut inside_line = self.inside_line;
        let mut start = 0;
        let (within, _) = self.rest.split_at(budget);
        let used = measure::size(within, limit);
        while start <= budget && start < self.rest.len() {
            let (_, from) = self.rest.split_at(start);
            let line = from.lines().next().unwrap_or_default();
            let end = start + from.find('\n').unwrap_or(from.len());
            let marker = if inside_line {
                Marker::None
            } else {
                fence::marker(line, fence, limit)
            };
            // Where this line may be cut: what closes an open fence has to fit as well.
            let room_for = |fence: Option<Fence<'a>>| {
                let suffix = fence.map(Fence::closing).unwrap_or_default();
                let room = room.saturating_sub(measure::size(&suffix, limit));
                measure::shorter_end(self.rest, (budget, used), limit, room)
            };
            let within = room_for(fence);
            if marker == Marker::None && start < within && within < end {
                cuts.extend(self.cuts_inside(start, within, end, fence));
            }
            fence = marker.after(fence);
            if end < self.rest.len() && end <= room_for(fence) {
                cuts.extend(self.cut_after_line(end, marker, fence, limit));
            }
            inside_line = false;
            start = end + 1;
        }
        let least = budget / LEAST_FILL;
        let filled = cuts.iter().any(|cut| cut.end >= least);
        cuts.into_iter()
            .filter(|cut| !filled || cut.end >= least)
            .max_by_key(|cut| (cut.rank, cut.end))
    }

    /// The cut at the line end at `end`; none right after an opening marker, where it would leave an
    /// empty fence behind.
    fn cut_after_line(
        &self,
        end: usize,
        marker: Marker<'a>,
        fence: Option<Fence<'a>>,
        limit: TextLimit,
    ) -> Option<Cut<'a>> {
        if matches!(marker, Marker::Opens(opened) if opened.kept) {
            return None;
        }
        let (_, after) = self.rest.split_at(end + 1);
        let line = after.lines().next().unwrap_or_default();
        let mut cut = Cut {
            rank: Rank::Line,
            end,
            next: end + 1,
            closes: fence,
            reopens: fence,
            inside_line: false,
        };
        match fence {
            None if line.trim().is_empty() => cut.rank = Rank::Paragraph,
            Some(open) if open.kept && fence::marker(line, fence, limit) == Marker::Closes => {
                cut.next = end + 1 + after.find('\n').map_or(after.len(), |at| at + 1);
                cut.reopens = None;
            }
            None | Some(_) => {}
        }
        Some(cut)
    }

    /// The cuts inside the line from `start` to `end`, before `within`: at a space and hard.
    fn cuts_inside(
        &self,
        start: usize,
        within: usize,
        end: usize,
        fence: Option<Fence<'a>>,
    ) -> Vec<Cut<'a>> {
        let at = |rank, end, next| Cut {
            rank,
            end,
            next,
            closes: fence,
            reopens: fence,
            inside_line: true,
        };
        let (line, _) = self.rest.split_at(end);
        let (head, _) = self.rest.split_at(within);
        let (_, head) = head.split_at(start);
        let looks_like_marker = |next: usize| {
            let (_, rest) = line.split_at(next);
            fence::looks_like_marker(rest)
        };
        let mut cuts = Vec::new();
        // Code keeps its spaces: the cut is after one, and drops nothing.
        let in_code = fence.is_some();
        let spaces = head.char_indices().rev().filter(|(_, c)| c.is_whitespace());
        let space = spaces
            .map(|(offset, c)| (start + offset, start + offset + c.len_utf8()))
            .find(|(_, next)| *next < end && !looks_like_marker(*next));
        if let Some((space_at, next)) = space {
            let end = if in_code { next } else { space_at };
            cuts.push(at(Rank::Space, end, next));
        }
        // What follows a hard cut must not turn into a marker by starting a line.
        let mut hard = within;
        while hard > start && looks_like_marker(hard) {
            let (before, _) = self.rest.split_at(hard);
            hard -= before.chars().next_back().map_or(1, char::len_utf8);
        }
        let hard = if hard > start { hard } else { within };
        cuts.push(at(Rank::Character, hard, hard));
        cuts
    }

    /// Where nothing else can be cut: a marker line that is too long, or a limit below everything.
    fn forced_cut(&self, budget: usize) -> Cut<'a> {
        let one = self.rest.chars().next().map_or(0, char::len_utf8);
        let end = budget.max(one);
        Cut {
            rank: Rank::Character,
            end,
            next: end,
            closes: None,
            reopens: None,
            inside_line: true,
        }
    }
}

fn without_blank_lines(mut rest: &str) -> &str {
    while let Some((line, after)) = rest.split_once('\n') {
        if !line.trim().is_empty() {
            break;
        }
        rest = after;
    }
    rest
}

#[cfg(test)]
mod tests;
