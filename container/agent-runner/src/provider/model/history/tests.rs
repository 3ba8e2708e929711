use super::*;

fn call(id: &str) -> Part {
    Part::Call {
        id: id.to_owned(),
        name: "bash".to_owned(),
        arguments: "{}".to_owned(),
    }
}

fn result(call: &str, text: &str) -> Part {
    Part::Result {
        call: call.to_owned(),
        text: text.to_owned(),
        failed: false,
    }
}

/// A conversation of `turns` turns, each with a call of a tool.
fn long(turns: usize) -> History {
    let mut history = History::fresh("m");
    for turn in 0..turns {
        let id = format!("c{turn}");
        history.hear(vec![Part::text(format!("question {turn}"))]);
        history.answer(vec![call(&id)]);
        history.hear(vec![result(&id, "output")]);
        history.answer(vec![Part::text(format!("answer {turn}"))]);
    }
    history
}

#[test]
fn what_is_written_is_read_again() {
    let history = long(3);
    assert_eq!(History::read(Some(&history.write()), "m"), Ok(history));
    assert_eq!(History::read(None, "m"), Ok(History::fresh("m")));
}

#[test]
fn what_is_not_what_was_written_is_corrupt() {
    let whole = long(2).write();
    let half = whole.get(..whole.len() / 2).unwrap();
    let check = |text: &str| assert_eq!(History::read(Some(text), "m"), Err(Corrupt), "{text}");
    for text in ["", "{}", "null", half] {
        check(text);
    }
    check(&whole.replace("\"version\":1", "\"version\":2"));
    check(&whole.replace("\"call\":\"c1\"", "\"call\":\"c0\""));
    check(&whole.replace("\"role\":\"assistant\"", "\"role\":\"user\""));
    let mut unfinished = long(1);
    unfinished.messages.truncate(2);
    check(&unfinished.write());
}

#[test]
fn another_model_does_not_get_what_was_the_first_ones_own() {
    let mut history = long(1);
    let value = serde_json::json!({"type": "thinking"});
    history.answer(vec![Part::Own { value }]);
    let kept = history.write();
    assert_eq!(History::read(Some(&kept), "m").unwrap(), history);
    let other = History::read(Some(&kept), "n").unwrap();
    assert_eq!(other.messages, long(1).messages);
}

#[test]
fn half_of_it_begins_with_a_question() {
    let mut history = long(4);
    assert!(history.forget_half());
    assert_eq!(history.messages, long(4).messages[8..]);
    assert!(history.is_sound());
    history = long(1);
    history.hear(vec![Part::text("last")]);
    assert!(history.forget_half());
    assert_eq!(history.messages.len(), 1);
    assert!(!history.forget_half());
    assert!(!History::fresh("m").forget_half());
}

#[test]
fn texts_are_cut_between_characters() {
    let mut history = History::fresh("m");
    history.hear(vec![Part::text("q")]);
    history.answer(vec![call("c")]);
    history.hear(vec![result("c", "aéb")]);
    history.cut(2);
    assert_eq!(history.messages[2].parts, [result("c", "a\n(cut)")]);
}
