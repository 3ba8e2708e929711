//! Names that are derived from what people call things: folders of agents, names of destinations.

/// The longest name that is derived, in bytes; a suffix that tells two apart comes on top.
const LIMIT_BYTES: usize = 48;

/// `text` in small letters, digits and single dashes; `unnamed` if nothing of it is left.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        let plain = c.to_ascii_lowercase();
        if plain.is_ascii_lowercase() || plain.is_ascii_digit() {
            slug.push(plain);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= LIMIT_BYTES {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        return "unnamed".to_owned();
    }
    slug.to_owned()
}

/// `slug`, with `-2`, `-3` and so on behind it where it is `taken`.
pub fn distinct(slug: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(slug) {
        return slug.to_owned();
    }
    let mut number = 2_u32;
    loop {
        let name = format!("{slug}-{number}");
        if number == u32::MAX || !taken(&name) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests;
