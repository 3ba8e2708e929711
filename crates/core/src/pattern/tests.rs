use super::*;

#[test]
fn a_pattern_matches_somewhere_and_minds_case() {
    let patterns = Patterns::default();
    for (pattern, text, expected) in [
        ("deploy", "please deploy now", true),
        ("^deploy", "please deploy now", false),
        ("deploy", "Deploy", false),
        ("(?i)deploy", "Deploy", true),
        (".", "", true),
        (".", "anything\nat all", true),
    ] {
        assert_eq!(patterns.is_match(pattern, text), Ok(expected), "{pattern}");
        assert_eq!(
            patterns.is_match(pattern, text),
            Ok(expected),
            "{pattern} kept"
        );
    }
}

#[test]
fn what_can_not_be_compiled_is_an_error_each_time() {
    let patterns = Patterns::default();
    for bad in ["(", "", &"a".repeat(PATTERN_LIMIT_BYTES + 1), "a{1000000}"] {
        assert!(patterns.is_match(bad, "text").is_err());
        assert!(patterns.is_match(bad, "text").is_err());
    }
}

#[test]
fn more_patterns_than_are_kept_still_match() {
    let patterns = Patterns::default();
    for number in 0..KEPT_LIMIT + 10 {
        let text = format!("<{number}>");
        assert_eq!(patterns.is_match(&text, &text), Ok(true));
    }
    assert_eq!(patterns.is_match("<0>", "<0>"), Ok(true));
}

/// Nested repetition takes a backtracking engine exponential time; this text would take it years.
#[test]
fn defect_62_a_pattern_takes_linear_time() {
    let text = format!("{}!", "a".repeat(50_000));
    assert_eq!(Patterns::default().is_match("^(a+)+$", &text), Ok(false));
}
