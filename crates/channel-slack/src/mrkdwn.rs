//! Slack's own markup: <https://docs.slack.dev/messaging/formatting-message-text>.
//!
//! It has no way to write its marks as themselves, and knows a mark only at the edge of a word. A space
//! without width does both: before a mark it makes an edge, behind one it takes its meaning.

use anchorhold_channel_kit::markup::{Dialect, Rendered, Span, render};

/// The space that nobody sees.
const NOTHING: char = '\u{200b}';
/// The longest id of a person that is taken for one.
const ID_LIMIT: usize = 24;

/// Slack's markup.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mrkdwn;

impl Dialect for Mrkdwn {
    fn text(&self, text: &str, within: Option<&Span>, out: &mut String) {
        match within {
            _ if is_label(out) => escape(&text.replace('\n', " "), out),
            Some(Span::Code) => escape(&text.replace('`', "ˋ"), out),
            Some(Span::Block(_)) => escape(&text.replace("```", "`\u{200b}`\u{200b}`"), out),
            _ => words(text, within, out),
        }
    }

    fn open(&self, span: &Span, out: &mut String) {
        // The words of a link have no markup, and there is no link in them.
        if is_label(out) {
            return;
        }
        if let Span::Quote = span {
            return out.push_str(self.quoted_line());
        }
        if let Span::Link(url) = span {
            if is_link(url) {
                out.extend(["<", &target(url), "|"]);
            }
            return;
        }
        if out.chars().next_back().is_some_and(char::is_alphanumeric) {
            out.push(NOTHING);
        }
        out.push_str(match span {
            Span::Block(_) => "```\n",
            Span::Strong
            | Span::Emphasis
            | Span::Struck
            | Span::Code
            | Span::Quote
            | Span::Link(_) => mark(span),
        });
    }

    fn close(&self, span: &Span, out: &mut String) {
        match span {
            Span::Link(url) if is_link(url) => out.push('>'),
            _ if is_label(out) => {}
            Span::Link(url) => {
                out.push_str(" (");
                escape(url, out);
                out.push(')');
            }
            Span::Block(_) => out.push_str("\n```"),
            Span::Strong | Span::Emphasis | Span::Struck | Span::Code | Span::Quote => {
                out.push_str(mark(span));
            }
        }
    }

    fn quoted_line(&self) -> &'static str {
        "> "
    }
}

/// A text in Slack's markup.
pub(crate) fn mrkdwn(source: &str) -> Rendered {
    render(source, &Mrkdwn)
}

/// A text without markup.
pub(crate) fn plain(source: &str) -> String {
    let mut out = String::new();
    escape(source, &mut out);
    out
}

fn mark(span: &Span) -> &'static str {
    match span {
        Span::Strong => "*",
        Span::Emphasis => "_",
        Span::Struck => "~",
        Span::Code => "`",
        Span::Block(_) | Span::Quote | Span::Link(_) => "",
    }
}

/// Does a text end in the words of a link? Nothing but a link or a person begins with `<`, and these
/// end with `>`.
fn is_label(out: &str) -> bool {
    let last = out.rfind(['<', '>']);
    last.is_some_and(|at| out.as_bytes().get(at) == Some(&b'<'))
}

/// Words outside of code: people who are named by id are named, and no character is a mark.
fn words(text: &str, within: Option<&Span>, out: &mut String) {
    let last = out.chars().next_back();
    let opened = within.is_some_and(|span| last.is_some_and(|last| mark(span).contains(last)));
    let begins = text.chars().next().is_some_and(char::is_alphanumeric);
    if begins && !opened && last.is_some_and(is_mark) {
        out.push(NOTHING);
    }
    let mut rest = text;
    while let Some(at) = rest.find(['<', '*', '_', '~', '`']) {
        let (before, from) = rest.split_at(at);
        escape(before, out);
        if let Some((id, after)) = person(from) {
            out.extend(["<@", id, ">"]);
            rest = after;
            continue;
        }
        let mut chars = from.chars();
        let Some(mark) = chars.next() else { break };
        rest = chars.as_str();
        let edge = out
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace() || "([{\"'".contains(c));
        let opens = rest.chars().next().is_some_and(|c| !c.is_whitespace());
        escape(mark.encode_utf8(&mut [0; 4]), out);
        if is_mark(mark) && edge && opens {
            out.push(NOTHING);
        }
    }
    escape(rest, out);
}

fn is_mark(c: char) -> bool {
    matches!(c, '*' | '_' | '~' | '`')
}

/// The id of a person who is named at the beginning of `from`, as `<@ID>` or `<@ID|what they are called>`,
/// and what comes behind. Nothing else names anybody: no bare `@word`, no `<!channel>`.
fn person(from: &str) -> Option<(&str, &str)> {
    let (inner, after) = from.strip_prefix("<@")?.split_once('>')?;
    let id = inner.split_once('|').map_or(inner, |(id, _)| id);
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    let is_id =
        id.len() > 2 && id.len() <= ID_LIMIT && id.starts_with(['U', 'W']) && id.chars().all(plain);
    is_id.then_some((id, after))
}

/// Is it something that Slack makes a link of? Of everything else it would show nothing.
fn is_link(url: &str) -> bool {
    let schemes = ["https://", "http://", "mailto:", "tel:"];
    schemes.iter().any(|scheme| url.starts_with(scheme))
}

/// A URL between `<` and `|`, which nothing of it may end.
fn target(url: &str) -> String {
    let mut out = String::new();
    let url = url
        .replace('|', "%7C")
        .replace('<', "%3C")
        .replace('>', "%3E");
    escape(&url.replace(char::is_whitespace, "%20"), &mut out);
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
