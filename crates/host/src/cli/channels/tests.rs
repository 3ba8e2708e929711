use anchorhold_core::ids::Handle;

use super::*;

#[test]
fn a_name_can_not_pass_for_a_line() {
    let identity = BotIdentity {
        handle: Handle::parse("42").unwrap(),
        name: Some("@bot\n\u{1b}[2Jevil".to_owned()),
        sees: vec!["In groups it sees everything.".to_owned()],
    };
    let said = described("one", &identity);
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.starts_with("one is @bot"), "{said}");
    assert!(
        said.ends_with("(42)\nIn groups it sees everything."),
        "{said}"
    );
    assert!(!said.contains('\u{1b}'));
}
