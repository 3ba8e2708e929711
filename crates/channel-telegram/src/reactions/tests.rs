use super::*;

#[test]
fn only_what_telegram_has_can_be_given() {
    assert_eq!(allowed("👍"), Some("👍"));
    assert_eq!(allowed("❤\u{fe0f}"), Some("❤"));
    assert_eq!(allowed("❤\u{fe0f}‍🔥"), Some("❤‍🔥"));
    for emoji in ["✅", "👍👍", "", "thumbsup"] {
        assert_eq!(allowed(emoji), None, "{emoji}");
    }
    let mut all = ALLOWED.to_vec();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), ALLOWED.len());
    assert_eq!(all.len(), 73);
}
