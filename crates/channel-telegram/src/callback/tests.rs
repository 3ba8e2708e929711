use anchorhold_channel::fake::question_id;

use super::*;

#[test]
fn a_button_carries_its_question_and_option_in_few_bytes() {
    for option in [0, 7, OPTIONS_LIMIT - 1] {
        let data = data(question_id(3), option);
        assert!(data.len() <= 64, "{data}");
        assert_eq!(read(&data), Some((question_id(3), option)));
    }
}

#[test]
fn what_is_not_ours_means_nothing() {
    let id = question_id(3).uuid().simple();
    for data in [
        String::new(),
        "q".into(),
        "q:x:0".into(),
        format!("p:{id}:0"),
        format!("q:{id}"),
        format!("q:{id}:-1"),
        format!("q:{id}:{OPTIONS_LIMIT}"),
    ] {
        assert_eq!(read(&data), None, "{data}");
    }
}

#[test]
fn a_choice_leaves_its_button() {
    let question = Question {
        id: question_id(1),
        title: "t".to_owned(),
        text: String::new(),
        options: vec!["yes".to_owned(), "ä".repeat(80)],
    };
    let keyboard = keyboard(&question);
    let rows = keyboard["inline_keyboard"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let data = data(question.id, 0);
    assert_eq!(label(&keyboard, &data), Some("yes"));
    assert_eq!(label(&keyboard, "other"), None);
    assert_eq!(label(&Value::Null, &data), None);
    let left = chosen("yes", &data);
    assert_eq!(label(&left, &data), Some("✓ yes"));
    let long = rows[1][0]["text"].as_str().unwrap();
    assert_eq!(long.chars().count(), LABEL_LIMIT + 1);
}
