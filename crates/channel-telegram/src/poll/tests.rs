use super::*;

#[test]
fn what_outlives_a_run_has_a_form() {
    let mut kept = Kept {
        offset: Some(7),
        moved: Moves::default(),
    };
    kept.moved.note(-1, -2);
    let text = r#"{"offset":7,"moved":[[-1,-2]]}"#;
    assert_eq!(serde_json::to_string(&kept).unwrap(), text);
    assert_eq!(serde_json::from_str::<Kept>(text).unwrap(), kept);
    let nothing: Kept = serde_json::from_str("{}").unwrap();
    assert_eq!(nothing, Kept::default());
}
