//! `CommonMark` as Telegram's HTML: <https://core.telegram.org/bots/api#html-style>.
//!
//! HTML needs three characters escaped; the two dialects of Markdown that Telegram reads need more, in
//! ways that differ from place to place.

use anchorhold_channel_kit::markup::{Dialect, Rendered, Span, render};

/// Telegram's HTML.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Html;

impl Dialect for Html {
    fn text(&self, text: &str, _within: Option<&Span>, out: &mut String) {
        escape(text, out);
    }

    fn open(&self, span: &Span, out: &mut String) {
        match span {
            Span::Strong => out.push_str("<b>"),
            Span::Emphasis => out.push_str("<i>"),
            Span::Struck => out.push_str("<s>"),
            Span::Code => out.push_str("<code>"),
            Span::Block(None) => out.push_str("<pre>"),
            Span::Block(Some(language)) => {
                out.push_str("<pre><code class=\"language-");
                escape(language, out);
                out.push_str("\">");
            }
            Span::Quote => out.push_str("<blockquote>"),
            Span::Link(url) if is_link(url) => {
                out.push_str("<a href=\"");
                escape(url, out);
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
            escape(url, out);
            return out.push(')');
        }
        out.push_str(match span {
            Span::Strong => "</b>",
            Span::Emphasis => "</i>",
            Span::Struck => "</s>",
            Span::Code => "</code>",
            Span::Block(None) => "</pre>",
            Span::Block(Some(_)) => "</code></pre>",
            Span::Quote => "</blockquote>",
            Span::Link(_) => "</a>",
        });
    }
}

/// Is it something that Telegram makes a link of? Of everything else it would show the words and drop
/// where they lead.
fn is_link(url: &str) -> bool {
    let schemes = ["https://", "http://", "mailto:", "tel:", "tg://"];
    schemes.iter().any(|scheme| url.starts_with(scheme))
}

/// A text in Telegram's HTML.
pub(crate) fn html(source: &str) -> Rendered {
    render(source, &Html)
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
