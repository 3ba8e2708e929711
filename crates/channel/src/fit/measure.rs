//! Sizes of text in a platform's unit.

use crate::caps::TextLimit;

/// The size of `text` in the limit's unit.
pub(super) fn size(text: &str, limit: TextLimit) -> usize {
    text.chars().map(|c| size_of(c, limit)).sum()
}

/// What is left of the limit after `text`.
pub(super) fn room(limit: TextLimit, text: &str) -> usize {
    let most = match limit {
        TextLimit::Chars(most) | TextLimit::Utf16(most) | TextLimit::Bytes(most) => most,
        TextLimit::Unlimited => usize::MAX,
    };
    most.saturating_sub(size(text, limit))
}

/// Where the longest start of `text` ends that has at most the size `room`. Looks no further.
pub(super) fn prefix_end(text: &str, limit: TextLimit, room: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += size_of(c, limit);
        if used > room {
            return at;
        }
    }
    text.len()
}

/// The same for a text that ends at `end` at most and has the size `used` up to there: looks back
/// from `end`, so that asking often about nearly the same room is cheap.
pub(super) fn shorter_end(
    text: &str,
    (end, mut used): (usize, usize),
    limit: TextLimit,
    room: usize,
) -> usize {
    let (text, _) = text.split_at(end);
    let mut end = end;
    for (at, c) in text.char_indices().rev() {
        if used <= room {
            break;
        }
        used -= size_of(c, limit);
        end = at;
    }
    end
}

fn size_of(c: char, limit: TextLimit) -> usize {
    match limit {
        TextLimit::Chars(_) => 1,
        TextLimit::Utf16(_) => c.len_utf16(),
        TextLimit::Bytes(_) => c.len_utf8(),
        TextLimit::Unlimited => 0,
    }
}
