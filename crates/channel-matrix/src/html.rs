//! `CommonMark` as the HTML of messages:
//! <https://spec.matrix.org/latest/client-server-api/#mroommessage-msgtypes>.

use std::{cell::RefCell, collections::BTreeSet};

use anchorhold_channel_kit::markup::{Dialect, Span, render};
use matrix_sdk::ruma::UserId;

/// So many people one message mentions at most.
const MENTIONS_LIMIT: usize = 50;

/// Writes HTML, with the people who may be mentioned.
#[derive(Debug, Default)]
struct Html {
    people: BTreeSet<String>,
    /// Ids of people that were found outside of code and links.
    found: RefCell<BTreeSet<String>>,
}

impl Dialect for Html {
    fn text(&self, text: &str, within: Option<&Span>, out: &mut String) {
        let verbatim = matches!(within, Some(Span::Code | Span::Block(_) | Span::Link(_)));
        let in_block = matches!(within, Some(Span::Block(_)));
        if verbatim {
            return escape(text, in_block, out);
        }
        let mut rest = text;
        while let Some((before, person, after)) = next_person(rest) {
            escape(before, false, out);
            self.person(person, out);
            rest = after;
        }
        escape(rest, false, out);
    }

    fn open(&self, span: &Span, out: &mut String) {
        match span {
            Span::Strong => out.push_str("<strong>"),
            Span::Emphasis => out.push_str("<em>"),
            Span::Struck => out.push_str("<del>"),
            Span::Code => out.push_str("<code>"),
            Span::Block(None) => out.push_str("<pre><code>"),
            Span::Block(Some(language)) => {
                out.push_str("<pre><code class=\"language-");
                escape(language, true, out);
                out.push_str("\">");
            }
            Span::Quote => out.push_str("<blockquote>"),
            Span::Link(url) if is_link(url) => {
                out.push_str("<a href=\"");
                escape(url, true, out);
                out.push_str("\">");
            }
            Span::Link(_) => {}
        }
    }

    fn close(&self, span: &Span, out: &mut String) {
        if let Span::Link(url) = span
            && !is_link(url)
        {
            out.push_str(" (");
            escape(url, true, out);
            return out.push(')');
        }
        out.push_str(match span {
            Span::Strong => "</strong>",
            Span::Emphasis => "</em>",
            Span::Struck => "</del>",
            Span::Code => "</code>",
            Span::Block(_) => "</code></pre>",
            Span::Quote => "</blockquote>",
            Span::Link(_) => "</a>",
        });
    }
}

impl Html {
    fn person(&self, person: &str, out: &mut String) {
        let mut found = self.found.borrow_mut();
        if found.len() < MENTIONS_LIMIT {
            found.insert(person.to_owned());
        }
        if self.people.contains(person) {
            out.push_str("<a href=\"https://matrix.to/#/");
            escape(person, true, out);
            out.push_str("\">");
            escape(person, true, out);
            out.push_str("</a>");
        } else {
            escape(person, true, out);
        }
    }
}

/// The first full id of a person: what is before it, the id, and what is behind it.
fn next_person(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(at) = text.get(from..)?.find('@') {
        let start = from + at;
        let (before, rest) = text.split_at_checked(start)?;
        let alone = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.');
        let allowed = |c: char| c.is_ascii_alphanumeric() || "@._=-/+:".contains(c);
        let end = rest.find(|c: char| !allowed(c)).unwrap_or(rest.len());
        let (word, _) = rest.split_at_checked(end)?;
        let word = word.trim_end_matches(['.', ':', '/', '-']);
        if alone && word.contains(':') && UserId::parse(word).is_ok() {
            let (_, after) = rest.split_at_checked(word.len())?;
            return Some((before, word, after));
        }
        from = start + 1;
    }
    None
}

/// The ids of people that a text has outside of code and links, each once.
pub(crate) fn people(source: &str) -> Vec<String> {
    let html = Html::default();
    render(source, &html);
    html.found.into_inner().into_iter().collect()
}

/// A text in HTML in which these people are mentioned; `None` where it would be no more than the text.
pub(crate) fn html(source: &str, people: &[String]) -> Option<String> {
    let html = Html {
        people: people.iter().cloned().collect(),
        found: RefCell::default(),
    };
    let rendered = render(source, &html);
    let mut plain = String::new();
    escape(source, false, &mut plain);
    let differs = rendered.marked != plain && !rendered.visible.trim().is_empty();
    differs.then_some(rendered.marked)
}

/// Clients make nothing of other addresses.
fn is_link(url: &str) -> bool {
    let schemes = ["https://", "http://", "ftp://", "mailto:", "magnet:"];
    schemes.iter().any(|scheme| url.starts_with(scheme))
}

/// Writes characters so that they are seen as they are; `verbatim` keeps line ends.
fn escape(text: &str, verbatim: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' if !verbatim => out.push_str("<br>"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
