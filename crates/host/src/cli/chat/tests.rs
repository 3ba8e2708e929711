use super::*;

fn check(title: &str, text: &str, options: &[&str], expect: &str) {
    let question = QuestionId::parse("01900000-0000-7000-8000-000000a1b2c3").unwrap();
    let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
    assert_eq!(asked(question, title, text, &options), expect);
}

#[test]
fn a_question_is_shown_with_numbered_options_and_how_to_answer() {
    check(
        "Deploy",
        "Now?",
        &["yes", "no"],
        "Deploy\nNow?\n1. yes\n2. no\nAnswer with: /answer a1b2c3 <number>",
    );
    check(
        "",
        "Now?",
        &["yes\n2. no", " \r\n"],
        "Now?\n1. yes 2. no\n2. \nAnswer with: /answer a1b2c3 <number>",
    );
}
