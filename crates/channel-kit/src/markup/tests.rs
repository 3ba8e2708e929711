use proptest::prelude::*;

use super::*;

/// Marks that show what was opened and closed, and escapes what they are made of.
struct Tags;

impl Dialect for Tags {
    fn text(&self, text: &str, _within: Option<&Span>, out: &mut String) {
        out.push_str(&text.replace('<', "&lt;"));
    }

    fn open(&self, span: &Span, out: &mut String) {
        out.extend(["<", name(span), ">"]);
    }

    fn close(&self, span: &Span, out: &mut String) {
        out.extend(["</", name(span), ">"]);
    }
}

fn name(span: &Span) -> &'static str {
    match span {
        Span::Strong => "b",
        Span::Emphasis => "i",
        Span::Struck => "s",
        Span::Code => "code",
        Span::Block(_) => "pre",
        Span::Quote => "q",
        Span::Link(_) => "a",
    }
}

#[track_caller]
fn check(source: &str, marked: &str, visible: &str) {
    let expect = Rendered {
        marked: marked.to_owned(),
        visible: visible.to_owned(),
    };
    assert_eq!(render(source, &Tags), expect, "{source}");
}

#[test]
fn spans_nest_as_they_do_in_the_source() {
    check(
        "**bold _and_ `code`** ~~gone~~",
        "<b>bold <i>and</i> <code>code</code></b> <s>gone</s>",
        "bold and code gone",
    );
    check(
        "[a **link**](https://a.example/?b=1)",
        "<a>a <b>link</b></a>",
        "a link",
    );
    check("![a cat](https://a.example/c.png)", "<a>a cat</a>", "a cat");
    check("half **open", "half **open", "half **open");
    check("snake_case_name", "snake_case_name", "snake_case_name");
}

#[test]
fn blocks_are_kept_apart() {
    check("one\n\ntwo", "one\n\ntwo", "one\n\ntwo");
    check("one\ntwo", "one\ntwo", "one\ntwo");
    check("# Title\ntext", "<b>Title</b>\n\ntext", "Title\n\ntext");
    check("a\n\n---\n\nb", "a\n\n———\n\nb", "a\n\n———\n\nb");
    check(
        "> said\n> before\n\nafter",
        "<q>said\nbefore</q>\n\nafter",
        "said\nbefore\n\nafter",
    );
    check("x\n\n> a", "x\n\n<q>a</q>", "x\n\na");
    check("> a\n> > b\n\nc", "<q>a\n\nb</q>\n\nc", "a\n\nb\n\nc");
}

#[test]
fn code_stays_as_it_is() {
    check(
        "```rust\nlet a = \"**<b>**\";\n\n\nend\n```\nafter",
        "<pre>let a = \"**&lt;b>**\";\n\n\nend</pre>\n\nafter",
        "let a = \"**<b>**\";\n\n\nend\n\nafter",
    );
    let language = |source: &str| {
        let mut parser = Parser::new(source);
        match parser.next() {
            Some(Event::Start(Tag::CodeBlock(kind))) => language(&kind),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(language("```c++ title\n"), Some("c++".to_owned()));
    assert_eq!(language("```\n"), None);
    assert_eq!(language("```\"><script>\n"), None);
}

#[test]
fn an_empty_block_takes_nothing_of_what_is_before_it() {
    check("a\n~~~", "a\n\n<pre></pre>", "a\n\n");
}

#[test]
fn lists_are_lines() {
    check(
        "before\n\n- one\n- two\n  - three\n\nafter",
        "before\n\n• one\n• two\n  • three\n\nafter",
        "before\n\n• one\n• two\n  • three\n\nafter",
    );
    check("3. c\n4. d", "3. c\n4. d", "3. c\n4. d");
    check(
        "- [x] done\n- [ ] open",
        "• ☑ done\n• ☐ open",
        "• ☑ done\n• ☐ open",
    );
    check("- a\n\n- b", "• a\n• b", "• a\n• b");
}

#[test]
fn tables_are_laid_out_in_code() {
    check(
        "| name | n |\n|---|---|\n| a | 1 |\n| **bcd** | 22 |",
        "<pre>name │ n\n─────┼───\na    │ 1\nbcd  │ 22</pre>",
        "name │ n\n─────┼───\na    │ 1\nbcd  │ 22",
    );
    let wide = format!("| a |\n|---|\n| {} |\n| b |", "x".repeat(300));
    let widest = render(&wide, &Tags).visible;
    let lengths: Vec<_> = widest.lines().map(|line| line.chars().count()).collect();
    assert_eq!(lengths, [1, 40, 300, 1]);
}

#[test]
fn html_is_text() {
    check("a <b>c</b>", "a &lt;b>c&lt;/b>", "a <b>c</b>");
    check(
        "<div>\nx\n</div>",
        "&lt;div>\nx\n&lt;/div>",
        "<div>\nx\n</div>",
    );
}

#[test]
fn plain_text_keeps_what_counts() {
    let source = "**Look** at [this](https://a.example)\n\n> said";
    let rendered = render(source, &Plain);
    assert_eq!(
        rendered.marked,
        "Look at this (https://a.example)\n\n> said"
    );
}

proptest! {
    /// Whatever the text is, each span that begins also ends, in the right order.
    #[test]
    fn markup_is_always_well_nested(source in "[a-z<>*_~`\\[\\]()#>| \n-]{0,200}") {
        let marked = render(&source, &Tags).marked;
        let mut open = Vec::new();
        for piece in marked.split('<').skip(1) {
            let (tag, _) = piece.split_once('>').unwrap();
            match tag.strip_prefix('/') {
                Some(name) => prop_assert_eq!(open.pop(), Some(name)),
                None => open.push(tag),
            }
        }
        prop_assert!(open.is_empty());
    }
}

#[test]
fn tables_are_found_where_they_stand() {
    let source = "Before\n\n| a | `b` |\n|---|---|\n| **one** | 2 |\n\nbetween\n\n> | q |\n> |---|\n> | r |\n\n\
                  | last |\n|---|\n";
    let found = tables(source);
    let laid_out: Vec<&str> = found.iter().map(|(_, table)| table.as_str()).collect();
    assert_eq!(laid_out, ["a   │ b\n────┼──\none │ 2", "last"]);
    let first = source.get(found[0].0.clone()).unwrap().trim_end();
    assert!(
        first.starts_with("| a |") && first.ends_with("2 |"),
        "{first}"
    );
    assert_eq!(tables("no | table\n"), []);
}

/// Each line marked, as platforms want it whose quotations have no end mark.
struct Lines;

impl Dialect for Lines {
    fn text(&self, text: &str, _within: Option<&Span>, out: &mut String) {
        out.push_str(text);
    }

    fn open(&self, span: &Span, out: &mut String) {
        match span {
            Span::Quote => out.push_str(self.quoted_line()),
            Span::Block(_) => out.push_str("```"),
            Span::Strong | Span::Emphasis | Span::Struck | Span::Code | Span::Link(_) => {}
        }
    }

    fn close(&self, span: &Span, out: &mut String) {
        if matches!(span, Span::Block(_)) {
            out.push_str("```");
        }
    }

    fn quoted_line(&self) -> &'static str {
        "> "
    }
}

#[test]
fn what_is_important_already_gets_no_more_important() {
    check("# a **b** c", "<b>a b c</b>", "a b c");
    check("**a __b__ *c***", "<b>a b <i>c</i></b>", "a b c");
    check(
        "[![a](https://x.example/a.png) b](https://y.example)",
        "<a>a b</a>",
        "a b",
    );
}

#[test]
fn each_line_of_a_quotation_is_marked_where_the_platform_wants_that() {
    let marked = |source: &str| render(source, &Lines).marked;
    assert_eq!(marked("> a\n> b\n\nc"), "> a\n> b\n\nc");
    assert_eq!(marked("> a\n>\n> b"), "> a\n> \n> b");
    assert_eq!(marked("> - a\n> - b"), "> • a\n> • b");
    assert_eq!(marked("> ```\n> x\n> ```\n\nb"), "> ```x```\n\nb");
    assert_eq!(marked("> [a\n> b](https://x.example)"), "> a\nb");
    assert_eq!(render("> a\n> b", &Plain).marked, "> a\n> b");
}
