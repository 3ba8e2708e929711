use super::{End, Task, of_word, task, text, words};

#[test]
fn a_task_survives_its_text() {
    let given = Task {
        posts: 2,
        words: 3,
        takes: 40,
        listens: 500,
        end: End::Exit,
    };
    assert_eq!(task(&text(17, &given)), Some((17, given)));
    assert_eq!(task("hello"), None);
}

#[test]
fn words_name_their_message() {
    let given = Task {
        posts: 2,
        words: 2,
        takes: 0,
        listens: 0,
        end: End::Well,
    };
    assert_eq!(words(3, &given), ["m3.0", "m3.1", "m3.2", "m3.3"]);
    assert_eq!(of_word("m3.2"), Some(3));
    assert_eq!(of_word("message"), None);
}
