//! HTML as the Bot API reads it: <https://core.telegram.org/bots/api#html-style>.

/// The tags that there are.
const TAGS: &[&str] = &[
    "b",
    "strong",
    "i",
    "em",
    "u",
    "ins",
    "s",
    "strike",
    "del",
    "span",
    "tg-spoiler",
    "a",
    "code",
    "pre",
    "blockquote",
    "tg-emoji",
];

/// What is read of a text, or why it can't be parsed.
pub(crate) fn visible(html: &str) -> Result<String, String> {
    let mut seen = String::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        let (before, from) = rest.split_at(at);
        seen.push_str(before);
        rest = if from.starts_with('&') {
            character(from, &mut seen)
        } else {
            tag(from, &mut open, html.len() - from.len())?
        };
    }
    seen.push_str(rest);
    match open.pop() {
        Some(tag) => Err(format!(
            "Can't find end tag corresponding to start tag \"{tag}\""
        )),
        None => Ok(seen),
    }
}

/// Reads a character reference; what is none is text.
fn character<'a>(from: &'a str, seen: &mut String) -> &'a str {
    for (name, c) in [
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&amp;", '&'),
        ("&quot;", '"'),
    ] {
        if let Some(rest) = from.strip_prefix(name) {
            seen.push(c);
            return rest;
        }
    }
    seen.push('&');
    from.strip_prefix('&').unwrap_or_default()
}

/// Reads a tag and gives what comes behind it.
fn tag<'a>(from: &'a str, open: &mut Vec<String>, at: usize) -> Result<&'a str, String> {
    let inner = from.strip_prefix('<').unwrap_or_default();
    let Some((tag, rest)) = inner.split_once('>') else {
        return Err(format!("Unclosed start tag at byte offset {at}"));
    };
    if let Some(name) = tag.strip_prefix('/') {
        return match open.pop() {
            Some(opened) if opened == name => Ok(rest),
            Some(_) | None => Err(format!(
                "Unmatched end tag at byte offset {at}, found \"</{name}>\""
            )),
        };
    }
    let name = tag.split(' ').next().unwrap_or_default();
    if !TAGS.contains(&name) {
        return Err(format!(
            "Unsupported start tag \"{name}\" at byte offset {at}"
        ));
    }
    let inside = |tag: &str| open.iter().any(|open| open == tag);
    if name == "blockquote" && inside("blockquote") {
        return Err(format!("Nested blockquote at byte offset {at}"));
    }
    if inside("code") || (inside("pre") && name != "code") {
        return Err(format!("Entity inside code at byte offset {at}"));
    }
    open.push(name.to_owned());
    Ok(rest)
}
