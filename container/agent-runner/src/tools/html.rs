//! The words of a page without its markup: as much as a model needs of it, and no more.

/// Elements whose content nobody reads.
const UNREAD: &[&str] = &["script", "style", "noscript", "template", "svg", "head"];
/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "dd",
    "div",
    "dl",
    "dt",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "td",
    "th",
    "title",
    "tr",
    "ul",
];
/// The longest name of a character, in characters.
const ENTITY_LIMIT: usize = 10;

/// The text of a page. Blank lines are left away.
pub(super) fn text(html: &str) -> String {
    let mut text = String::new();
    // As long as the page itself, byte for byte.
    let lower = html.to_ascii_lowercase();
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let Some((tag, after)) = after.split_once('>') else {
            break;
        };
        let closes = tag.starts_with('/');
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        rest = after;
        if UNREAD.contains(&name.as_str()) && !closes && !tag.ends_with('/') {
            rest = after_element(after, &lower, &name);
        } else if BLOCKS.contains(&name.as_str()) {
            text.push('\n');
        } else if name.is_empty() && !tag.starts_with(['/', '!', '?']) {
            // No tag at all.
            text.push('<');
            text.push_str(tag);
            text.push('>');
        }
    }
    if !rest.contains('<') {
        text.push_str(rest);
    }
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        decoded(&words.join(" "))
    });
    let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
    lines.join("\n")
}

/// What follows the end of an element.
fn after_element<'a>(html: &'a str, lower: &str, name: &str) -> &'a str {
    let end = format!("</{name}");
    let lower = lower.get(lower.len() - html.len()..).unwrap_or_default();
    let at = lower.find(&end).unwrap_or(html.len());
    let rest = html.get(at..).unwrap_or_default();
    rest.split_once('>').map_or("", |(_, rest)| rest)
}

/// The text with the characters that it names.
fn decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        decoded.push_str(before);
        let name: String = after
            .chars()
            .take(ENTITY_LIMIT)
            .take_while(|c| *c != ';')
            .collect();
        match character(&name) {
            Some(c)
                if after
                    .get(name.len()..)
                    .is_some_and(|rest| rest.starts_with(';')) =>
            {
                decoded.push(c);
                rest = after.get(name.len() + 1..).unwrap_or_default();
            }
            Some(_) | None => {
                decoded.push('&');
                rest = after;
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn character(name: &str) -> Option<char> {
    let number = |digits: &str, radix| char::from_u32(u32::from_str_radix(digits, radix).ok()?);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        "mdash" => Some('—'),
        "ndash" => Some('–'),
        "hellip" => Some('…'),
        _ => match name.strip_prefix("#x").or(name.strip_prefix("#X")) {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, expect: &str) {
        assert_eq!(text(html), expect, "{html}");
    }

    #[test]
    fn the_words_are_kept_and_the_markup_is_not() {
        check("", "");
        check("plain & simple", "plain & simple");
        check(
            "<!doctype html><html><head><title>T</title></head><body class=\"a\"><h1>One</h1>\
             <p>two <b>three</b>\n four<br/>five</p><!-- <p>no --><ul><li>six</ul></body>",
            "One\ntwo three\nfour\nfive\nsix",
        );
        check(
            "a<script>if (1 < 2) { '</p>' }</SCRIPT>b<style>p{}</style>c",
            "abc",
        );
        check(
            "x &lt;b&gt; &#228;&#xe4;&nbsp;&unknown; &amp;lt; AT&T",
            "x <b> ää &unknown; &lt; AT&T",
        );
        check("1 < 2 and 3 > 2", "1 < 2 and 3 > 2");
        check("<script>never closed", "");
        check("<b", "");
    }
}
