//! Which words are close enough.

use crate::config::suggest::{WORD_LIMIT_CHARS, distance, nearest, sentence};

#[test]
fn the_closest_name_wins_if_it_is_close() {
    let names = ["offline", "online", "cli", "helper", "stop_grace"];
    let cases = [
        ("ofline", Some("offline")),
        ("OFFLINE", Some("offline")),
        ("helepr", Some("helper")),
        ("grace_stop", None),
        ("stopgrace", Some("stop_grace")),
        ("cly", Some("cli")),
        ("c", None),
        ("", None),
        ("hélper", Some("helper")),
    ];
    for (word, expect) in cases {
        assert_eq!(nearest(word, &names), expect, "{word}");
    }
    let long = "x".repeat(WORD_LIMIT_CHARS + 1);
    assert_eq!(nearest(&long, &[&long]), None);
}

#[test]
fn distance_counts_single_changes() {
    let cases = [
        ("", "", 0),
        ("", "abc", 3),
        ("abc", "abc", 0),
        ("abc", "acb", 1),
        ("abc", "ab", 1),
        ("abc", "xbc", 1),
        ("kitten", "sitting", 3),
    ];
    for (a, b, expect) in cases {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        assert_eq!(distance(&a, &b, 3), Some(expect), "{a:?} {b:?}");
        assert_eq!(distance(&b, &a, expect), Some(expect), "{b:?} {a:?}");
        let less = expect.checked_sub(1);
        assert_eq!(
            less.and_then(|less| distance(&a, &b, less)),
            None,
            "{a:?} {b:?}"
        );
    }
}

#[test]
fn a_sentence_lists_what_there_is() {
    assert_eq!(sentence("x", &[]), "; there is none");
    assert_eq!(sentence("x", &["one"]), "; there is only \"one\"");
    assert_eq!(
        sentence("x", &["one", "two"]),
        "; there are \"one\", \"two\""
    );
    assert_eq!(sentence("tow", &["one", "two"]), "; did you mean \"two\"?");
    let many: Vec<String> = (10..30).map(|n| format!("agent{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let sentence = sentence("x", &many);
    assert!(sentence.ends_with("\"agent21\", …"), "{sentence}");
}
