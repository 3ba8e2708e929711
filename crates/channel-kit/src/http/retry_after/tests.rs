use super::*;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn check(text: &str, expect: Option<Duration>) {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, text.parse().unwrap());
    assert_eq!(retry_after(&headers, NOW), expect, "{text}");
}

#[test]
fn seconds_and_dates_are_read_and_nothing_else() {
    check("7", Some(Duration::from_secs(7)));
    check("0.5", Some(Duration::from_millis(500)));
    check("0", Some(Duration::ZERO));
    check(" 3 ", Some(Duration::from_secs(3)));
    check(
        "Thu, 01 Jan 2026 00:00:20 GMT",
        Some(Duration::from_secs(20)),
    );
    check("Wed, 31 Dec 2025 23:59:00 GMT", Some(Duration::ZERO));
    check("-1", None);
    check("soon", None);
    check("NaN", None);
    assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
}

#[test]
fn nobody_is_made_to_wait_for_ever() {
    check("86400", Some(LONGEST));
    check("Thu, 01 Jan 2099 00:00:20 GMT", Some(LONGEST));
    check("1e300", None);
}
