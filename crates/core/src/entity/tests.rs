use super::*;

#[test]
fn every_value_has_one_spelling_everywhere() {
    for mode in EngageMode::ALL {
        assert_eq!(EngageMode::parse(mode.as_str()), Some(*mode));
        assert_eq!(
            serde_json::to_string(mode).unwrap(),
            format!("\"{}\"", mode.as_str())
        );
    }
    assert_eq!(EngageMode::parse("Pattern"), None);
    assert_eq!(RuntimeChoice::parse(""), None);
}
