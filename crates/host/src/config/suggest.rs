//! What a misspelt word was probably meant to be.

use std::mem;

use crate::config::problem::quote;

/// Longer words get no suggestion.
const WORD_LIMIT_CHARS: usize = 64;
/// The most names that are listed where nothing is close.
const LIST_LIMIT: usize = 12;

/// `; did you mean "name"?`, else `; there is …` with the first names, else that there is none.
pub(super) fn sentence(word: &str, names: &[&str]) -> String {
    if let Some(name) = nearest(word, names) {
        return format!("; did you mean {}?", quote(name));
    }
    let listed: Vec<String> = names
        .iter()
        .take(LIST_LIMIT)
        .map(|name| quote(name))
        .collect();
    let more = names.len() > listed.len();
    match (listed.is_empty(), more) {
        (true, _) => "; there is none".to_owned(),
        (false, true) => format!("; there are {}, …", listed.join(", ")),
        (false, false) if listed.len() == 1 => format!("; there is only {}", listed.join("")),
        (false, false) => format!("; there are {}", listed.join(", ")),
    }
}

/// The name that is closest to `word`, if one is close enough to have been meant.
fn nearest<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    let word = letters(word)?;
    let allowed = (word.len() / 3).clamp(1, 3);
    names
        .iter()
        .filter_map(|name| Some((distance(&word, &letters(name)?, allowed)?, *name)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The letters to compare, without regard to case; `None` if there are too many or none.
fn letters(word: &str) -> Option<Vec<char>> {
    if word.is_empty() || word.chars().nth(WORD_LIMIT_CHARS).is_some() {
        return None;
    }
    Some(word.chars().flat_map(char::to_lowercase).collect())
}

/// How many letters were added, left out, changed or swapped with their neighbour, if at most
/// `limit` were.
fn distance(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut two_back: Vec<usize> = vec![0; b.len() + 1];
    let mut back: Vec<usize> = (0..=b.len()).collect();
    let mut row = back.clone();
    for i in 1..=a.len() {
        row[0] = i;
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (back[j] + 1).min(row[j - 1] + 1).min(back[j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(two_back[j - 2] + 1);
            }
            row[j] = best;
        }
        // Later rows build on these two alone and only add, so most names are done with early.
        if row.iter().chain(&back).all(|distance| *distance > limit) {
            return None;
        }
        mem::swap(&mut two_back, &mut back);
        mem::swap(&mut back, &mut row);
    }
    Some(back[b.len()]).filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests;
