use proptest::prelude::*;

use super::*;

const FENCE: &str = "```";

fn check(text: &str, limit: usize, expect: &[&str]) {
    assert_eq!(fit(text, TextLimit::Chars(limit)), expect, "{text:?}");
}

#[test]
fn text_within_the_limit_is_one_unchanged_part() {
    for text in ["", " ", "hi", "a\n\n\nb\n", "```\nopen"] {
        assert_eq!(fit(text, TextLimit::Chars(100)), [text]);
        assert_eq!(fit(text, TextLimit::Unlimited), [text]);
    }
}

#[test]
fn the_best_place_is_cut() {
    check("one two\n\nthree\nfour", 16, &["one two", "three\nfour"]);
    check("one\ntwo three four", 10, &["one", "two three", "four"]);
    check("one two three", 9, &["one two", "three"]);
    check("abcdefghij", 4, &["abcd", "efgh", "ij"]);
    // A paragraph that fills too little is no good place.
    check("a\n\nbb cc dd ee ff gg", 18, &["a\n\nbb cc dd ee ff", "gg"]);
    check("   \n\n  \n\nabc", 3, &["abc"]);
}

#[test]
fn limits_count_in_the_platform_unit() {
    let text = "😀😀é";
    assert_eq!(fit(text, TextLimit::Chars(2)), ["😀😀", "é"]);
    assert_eq!(fit(text, TextLimit::Utf16(3)), ["😀", "😀é"]);
    assert_eq!(fit(text, TextLimit::Bytes(6)), ["😀", "😀é"]);
    assert_eq!(fit(text, TextLimit::Bytes(0)), ["😀", "😀", "é"]);
}

#[test]
fn a_code_fence_is_closed_and_opened_again() {
    check(
        "Look:\n```rust\nlet a = 1;\nlet b = 2;\nlet c = 3;\n```\nDone.",
        40,
        &[
            "Look:\n```rust\nlet a = 1;\nlet b = 2;\n```",
            "```rust\nlet c = 3;\n```\nDone.",
        ],
    );
    // Where the cut falls on the closing marker, nothing empty is opened again.
    check(
        "~~~\nabcdefgh\nijklmnop\n~~~\nand then some",
        30,
        &["~~~\nabcdefgh\nijklmnop\n~~~", "and then some"],
    );
    // Indentation of code is kept, in lists too.
    check(
        "- x\n  ```sh\n    one two\n    three four\n  ```\n",
        32,
        &[
            "- x\n  ```sh\n    one two\n  ```",
            "  ```sh\n    three four\n  ```\n",
        ],
    );
}

#[test]
fn a_limit_too_small_for_fences_still_loses_nothing() {
    let text = "```python\nprint(1)\n```";
    for limit in 1..12 {
        let parts = fit(text, TextLimit::Chars(limit));
        assert!(parts.iter().all(|part| part.chars().count() <= limit));
        assert_eq!(solid(&parts.concat()), solid(text), "{limit}");
    }
}

#[test]
fn large_and_odd_texts_are_split_in_reasonable_time() {
    let texts = [
        "word ".repeat(60_000),
        format!("{FENCE}\n{}", "x\n".repeat(100_000)),
        format!("{FENCE}\n{FENCE}\n").repeat(30_000),
        format!("a{}", "`".repeat(300_000)),
        format!("a{}{FENCE}", " ".repeat(300_000)),
        "\n".repeat(300_000),
    ];
    for text in texts {
        let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
        let parts = fit(&text, TextLimit::Utf16(2000));
        assert_eq!(letters(&parts.concat()), letters(&text));
    }
}

fn solid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// The text without whitespace and without lines that are fence markers.
fn content(text: &str) -> String {
    let lines = text.lines().filter(|line| !fence::looks_like_marker(line));
    solid(&lines.collect::<String>())
}

fn limits() -> impl Strategy<Value = TextLimit> {
    (4_usize..200, 0..3).prop_map(|(most, unit)| match unit {
        0 => TextLimit::Chars(most),
        1 => TextLimit::Utf16(most),
        _ => TextLimit::Bytes(most),
    })
}

/// Texts with words, blank lines, long runs, and fences that are closed.
fn documents() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[a-zé😀 ]{0,40}",
        "( {0,6}[a-z.]{1,9}){0,9}",
        "[a-z]{60,90}",
        Just(String::new()),
    ];
    let code = prop::collection::vec(line.clone(), 0..8)
        .prop_map(|lines| format!("{FENCE}rust\n{}\n{FENCE}", lines.join("\n")));
    let tilde = prop::collection::vec(line.clone(), 0..4)
        .prop_map(|lines| format!("  ~~~~\n{}\n  ~~~~", lines.join("\n")));
    prop::collection::vec(prop_oneof![4 => line, 1 => code, 1 => tilde], 0..20)
        .prop_map(|blocks| blocks.join("\n"))
}

/// Any text at all, rich in what fences are made of.
fn anything() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[`~ \n\ra-c😀]{0,300}", documents()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_part_exceeds_the_limit(text in anything(), limit in limits()) {
        for part in fit(&text, limit) {
            prop_assert!(
                measure::size(&part, limit) <= measure::room(limit, ""),
                "{part:?}"
            );
        }
    }

    #[test]
    fn no_text_is_lost(text in documents(), limit in limits()) {
        let parts = fit(&text, limit);
        // With limits too small to keep fences, even their markers may be cut in pieces.
        if measure::room(limit, "") < 64 {
            let found = solid(&parts.concat()).replace(['`', '~'], "").replace("rust", "");
            let expect = solid(&text).replace(['`', '~'], "").replace("rust", "");
            prop_assert_eq!(found, expect);
        } else {
            let found: String = parts.iter().map(|part| content(part)).collect();
            prop_assert_eq!(found, content(&text));
        }
    }

    #[test]
    fn anything_at_all_keeps_its_words(text in anything(), limit in limits()) {
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        let parts = fit(&text, limit);
        prop_assert!(letters(&parts.concat()) >= letters(&text));
    }

    #[test]
    fn no_fence_is_left_broken(text in documents(), most in 64_usize..200) {
        for part in fit(&text, TextLimit::Chars(most)) {
            let mut open = None;
            for line in part.lines() {
                open = fence::marker(line, open, TextLimit::Unlimited).after(open);
            }
            prop_assert_eq!(open, None, "{:?}", part);
        }
    }

    #[test]
    fn the_tiniest_limits_end(text in anything(), most in 0_usize..4) {
        for limit in [TextLimit::Chars(most), TextLimit::Utf16(most), TextLimit::Bytes(most)] {
            let parts = fit(&text, limit);
            prop_assert_eq!(solid(&parts.concat()), solid(&text));
        }
    }
}
