use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(source: &str, marked: &str) {
    assert_eq!(mrkdwn(source).marked, marked, "{source}");
}

#[test]
fn markup_is_slacks_own() {
    check("**a** _b_ ~~c~~ `d`", "*a* _b_ ~c~ `d`");
    check("# Title\n\ntext", "*Title*\n\ntext");
    check("- a\n- b", "• a\n• b");
    check(
        "```rust\nlet a = 1 < 2;\n```",
        "```\nlet a = 1 &lt; 2;\n```",
    );
    check("> a\n> b\n\nc", "> a\n> b\n\nc");
    check(
        "[x](https://a.example/?a=1&b=2|3)",
        "<https://a.example/?a=1&amp;b=2%7C3|x>",
    );
    check("[the notes](docs/a.md)", "the notes (docs/a.md)");
}

/// In them, Slack shows marks as they are.
#[test]
fn the_words_of_a_link_have_no_markup() {
    check(
        "[**a** `b` c](https://x.example)",
        "<https://x.example|a b c>",
    );
    check("[a\nb](https://x.example)", "<https://x.example|a b>");
    check(
        "> [a\n> b](https://x.example)\n> c",
        "> <https://x.example|a b>\n> c",
    );
    check(
        "[![cat](https://x.example/c.png)](https://y.example)",
        "<https://y.example|cat>",
    );
    check("## **Summary** of *it*", "*Summary of _it_*");
}

/// Slack knows a mark only at the edge of a word.
#[test]
fn a_mark_inside_a_word_has_an_edge() {
    check("foo**bar**baz", "foo\u{200b}*bar*\u{200b}baz");
    check("a **b**c", "a *b*\u{200b}c");
    check("**a _b_ c**", "*a _b_ c*");
}

#[test]
fn what_is_no_mark_is_none() {
    check("\\*not bold\\*", "*\u{200b}not bold*");
    check(
        "2 * 3 * 4, snake_case_name, a_b_c",
        "2 * 3 * 4, snake_case_name, a_b_c",
    );
    check("https://a.example/a_b*c", "https://a.example/a_b*c");
    check("`` a`b ``", "`aˋb`");
    check("~~~\n```\n~~~", "```\n`\u{200b}`\u{200b}`\n```");
}

#[test]
fn people_are_named_by_id_alone() {
    check("<@U012AB3CD> hi", "<@U012AB3CD> hi");
    check("<@U012AB3CD|Ann Lee> hi", "<@U012AB3CD> hi");
    for text in [
        "<@ann>",
        "<!channel>",
        "<!here|here>",
        "<#C1>",
        "<!subteam^S1>",
        "<@U1 >",
    ] {
        let escaped = text.replace('<', "&lt;").replace('>', "&gt;");
        check(text, &escaped);
    }
    check("`<@U012AB3CD>`", "`&lt;@U012AB3CD&gt;`");
    check("@ann a@b.example", "@ann a@b.example");
}

proptest! {
    /// Whatever is rendered, nothing between `<` and `>` is anything but a person or a link.
    #[test]
    fn nothing_of_a_text_is_slacks_own(source in "[a-zU0-9<>@#!|&\"*_~`\\[\\]()>. \n-]{0,200}") {
        for piece in crate::text::pieces(&mrkdwn(&source).marked) {
            use crate::text::Piece;
            let fine = match piece {
                Piece::Text(text) => !text.contains('<'),
                Piece::Person(id, label) => label.is_none() && id.starts_with(['U', 'W']),
                Piece::Link(url, _) => is_link(url),
                Piece::Channel(..) | Piece::Special(..) => false,
            };
            prop_assert!(fine, "{:?}", piece);
        }
    }
}
