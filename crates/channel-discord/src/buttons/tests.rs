use anchorhold_channel::fake::question_id;

use super::*;

#[test]
fn an_id_reads_back() {
    let of = question_id(7);
    for option in 0..OPTIONS_LIMIT {
        let id = id(of, option);
        assert!(id.len() <= 100, "{id}");
        assert_eq!(read(&id), Some((of, option)));
    }
    for forged in [
        "",
        "q",
        "q:",
        "q::0",
        "x:0:0",
        "q:00000000000000000000000000000000:20",
    ] {
        assert_eq!(read(forged), None, "{forged}");
    }
}

#[test]
fn a_label_that_is_too_long_shows_that_there_is_more() {
    assert_eq!(shortened(&"x".repeat(80)), "x".repeat(80));
    assert_eq!(shortened(&"x".repeat(81)), format!("{}…", "x".repeat(79)));
    let faces = shortened(&"😀".repeat(60));
    assert_eq!(faces.encode_utf16().count(), 79);
}

#[test]
fn what_was_chosen_is_known_by_its_id() {
    let question = Question {
        id: question_id(1),
        title: "t".to_owned(),
        text: String::new(),
        options: vec!["yes".to_owned(), "no".to_owned()],
    };
    let rows = rows(&question);
    assert_eq!(label(&rows, &id(question.id, 1)), Some("no"));
    assert_eq!(label(&rows, "q:x"), None);
    assert_eq!(label(&Value::Null, "q:x"), None);
    let left = chosen("no", &id(question.id, 1));
    assert_eq!(label(&left, &id(question.id, 1)), Some("✓ no"));
}
