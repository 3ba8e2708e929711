use super::*;

fn check(source: &str, expect: Option<&str>) {
    assert_eq!(
        html(source, &["@ann:mx.test".to_owned()]).as_deref(),
        expect,
        "{source}"
    );
}

#[test]
fn plain_words_stay_plain() {
    check("hello", None);
    check("a < b & \"c\"", None);
    check("two\nlines", None);
}

#[test]
fn marks_become_html() {
    check(
        "**a** *b* ~~c~~ `d<`",
        Some("<strong>a</strong> <em>b</em> <del>c</del> <code>d&lt;</code>"),
    );
    check(
        "```rust\nlet a = 1;\nlet b = 2;\n```",
        Some("<pre><code class=\"language-rust\">let a = 1;\nlet b = 2;</code></pre>"),
    );
    check(
        "[a](https://b.c/?d=\"e\")",
        Some("<a href=\"https://b.c/?d=&quot;e&quot;\">a</a>"),
    );
    check("[a](javascript:b)", Some("a (javascript:b)"));
    check("a <b>x</b> *y*", Some("a &lt;b&gt;x&lt;/b&gt; <em>y</em>"));
}

#[test]
fn who_may_be_mentioned_is_linked_to() {
    check(
        "ask @ann:mx.test.",
        Some("ask <a href=\"https://matrix.to/#/@ann:mx.test\">@ann:mx.test</a>."),
    );
    check("ask @bob:mx.test", None);
    check("mail a@ann:mx.test", None);
}

#[test]
fn people_are_found_outside_of_code_each_once() {
    let found =
        people("@a:b.c, (@a:b.c) @d:e:8448 `@f:g` x@h:i @noserver [@j:k](https://l) **@m:n**");
    assert_eq!(found, ["@a:b.c", "@d:e:8448", "@m:n"]);
    assert_eq!(people("@"), Vec::<String>::new());
    assert_eq!(people("@@@:::@ü:ß"), Vec::<String>::new());
}
