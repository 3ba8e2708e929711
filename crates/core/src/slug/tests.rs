use proptest::prelude::*;

use super::*;
use crate::ids::FolderName;

#[test]
fn a_slug_keeps_letters_and_digits() {
    for (text, expected) in [
        ("General", "general"),
        ("  Dev & Ops!! ", "dev-ops"),
        ("Zoë's Büro 2", "zo-s-b-ro-2"),
        ("日本", "unnamed"),
        ("", "unnamed"),
        ("../../x", "x"),
    ] {
        assert_eq!(slug(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_taken_gets_a_number() {
    let taken = ["gen", "gen-2"];
    assert_eq!(distinct("gen", |name| taken.contains(&name)), "gen-3");
    assert_eq!(distinct("dev", |name| taken.contains(&name)), "dev");
}

proptest! {
    #[test]
    fn a_slug_is_always_a_folder(text in ".{0,200}") {
        prop_assert!(FolderName::parse(&slug(&text)).is_ok());
    }
}
