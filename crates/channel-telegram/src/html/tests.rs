use proptest::prelude::*;

use super::*;
use crate::fake::visible;

#[track_caller]
fn check(source: &str, marked: &str) {
    let rendered = html(source);
    assert_eq!(rendered.marked, marked, "{source}");
    assert_eq!(visible(&rendered.marked), Ok(rendered.visible));
}

#[test]
fn markup_becomes_tags_and_text_stays_text() {
    check(
        "**a** _b_ ~~c~~ `d`",
        "<b>a</b> <i>b</i> <s>c</s> <code>d</code>",
    );
    check("1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2");
    check("<b>not bold</b>", "&lt;b&gt;not bold&lt;/b&gt;");
    check(
        "[x](https://a.example/?a=1&b=\"2\")",
        "<a href=\"https://a.example/?a=1&amp;b=&quot;2&quot;\">x</a>",
    );
    check("> a\n> > b", "<blockquote>a\n\nb</blockquote>");
    check("`**`", "<code>**</code>");
}

#[test]
fn what_leads_nowhere_on_telegram_still_says_where() {
    let rendered = html("see [the notes](docs/a&b.md) and [x](javascript:1)");
    assert_eq!(
        rendered.marked,
        "see the notes (docs/a&amp;b.md) and x (javascript:1)"
    );
}

#[test]
fn code_keeps_its_language() {
    check(
        "```rust\nlet a = \"<\";\n```",
        "<pre><code class=\"language-rust\">let a = &quot;&lt;&quot;;</code></pre>",
    );
    check("```\nx\n```", "<pre>x</pre>");
}

proptest! {
    /// Telegram can read whatever is rendered, and shows what was meant to be seen.
    #[test]
    fn telegram_can_read_all_of_it(source in "[a-z<>&\"*_~`\\[\\]()#>|!. \n-]{0,300}") {
        let rendered = html(&source);
        // Links that are none say more than is counted.
        let seen = visible(&rendered.marked);
        prop_assert!(seen.is_ok(), "{:?}", seen);
        if !source.contains("](") {
            prop_assert_eq!(seen, Ok(rendered.visible));
        }
    }
}
