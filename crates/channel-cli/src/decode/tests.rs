use anchorhold_channel::fake::question_id;

use super::*;

fn check(input: &str, expect: Result<ClientLine, &str>) {
    let expect = expect.map_err(str::to_owned);
    assert_eq!(line(input.as_bytes()), expect, "{input}");
}

fn message(id: Option<&str>, text: &str, files: Vec<WireFile>) -> ClientLine {
    ClientLine::Message {
        id: id.map(str::to_owned),
        text: text.to_owned(),
        files,
    }
}

#[test]
fn good_lines_are_read() {
    check(r#"{"text":"hi"}"#, Ok(message(None, "hi", vec![])));
    let file = WireFile {
        name: "a.txt".into(),
        data: b"abc".to_vec(),
    };
    check(
        r#"{"type":"message","id":"1","text":"hi","files":[{"name":"a.txt","data":"YWJj"}]}"#,
        Ok(message(Some("1"), "hi", vec![file])),
    );
    let hello = |name: &str, acks| ClientLine::Hello {
        name: name.to_owned(),
        acks,
    };
    check(r#"{"type":"hello"}"#, Ok(hello("local", false)));
    check(
        r#"{"type":"hello","name":"work","acks":true}"#,
        Ok(hello("work", true)),
    );
    check(
        r#"{"type":"ack","id":"7"}"#,
        Ok(ClientLine::Ack { id: "7".into() }),
    );
    let question = question_id(1);
    check(
        &format!(r#"{{"type":"answer","question":"{question}","option":2}}"#),
        Ok(ClientLine::Answer {
            question,
            option: 2,
        }),
    );
}

#[test]
fn defect_11_nobody_can_claim_to_be_somebody_else() {
    for key in ["sender", "senderId", "to", "reply_to", "channel", "handle"] {
        let found = line(format!(r#"{{"text":"hi","{key}":"x"}}"#).as_bytes());
        let expect = format!("unknown field `{key}`, expected one of `id`, `text`, `files`");
        assert_eq!(found, Err(expect));
    }
}

#[test]
fn an_answer_has_a_question_and_an_option_and_nothing_else() {
    let question = question_id(1);
    for bad in [
        r#""question":"7","option":1"#.to_owned(),
        format!(r#""question":"{question}""#),
        r#""option":1"#.to_owned(),
        format!(r#""question":"{question}","option":"1""#),
        format!(r#""question":"{question}","option":-1"#),
        format!(r#""question":"{question}","option":1.5"#),
        format!(r#""question":"{question}","option":99999999999999999999"#),
        format!(r#""question":"{question}","option":1,"sender":"boss""#),
    ] {
        let found = line(format!(r#"{{"type":"answer",{bad}}}"#).as_bytes());
        assert!(found.is_err(), "{bad}: {found:?}");
    }
}

#[test]
fn options_count_from_one() {
    let outside = || Err("an option is a number from 1 to 20".to_owned());
    assert_eq!(option(0), outside());
    assert_eq!(option(1), Ok(0));
    assert_eq!(option(20), Ok(19));
    assert_eq!(option(21), outside());
    assert_eq!(option(usize::MAX), outside());
}

#[test]
fn garbage_is_an_error_in_few_words() {
    check("7", Err("a line has to be a JSON object"));
    check("nonsense", Err("expected ident at line 1 column 2"));
    check(
        r#"{"type":"leave"}"#,
        Err("unknown variant `leave`, expected one of `hello`, `message`, `answer`, `ack`"),
    );
    check(
        r#"{"files":[{"name":"a","data":"%%%secret"}]}"#,
        Err("the data of a file is not base64"),
    );
    assert!(line(&[0xff, 0xfe]).is_err());
    assert!(line("[".repeat(100_000).as_bytes()).is_err());
    let long = format!(r#"{{"type":"{}"}}"#, "é".repeat(10_000));
    assert!(line(long.as_bytes()).unwrap_err().len() <= ERROR_LIMIT_BYTES);
}

#[test]
fn an_id_is_the_clients_or_made() {
    let id = |given| message_id(given, || "made".into()).map(String::from);
    assert_eq!(id(None), Ok("made".into()));
    assert_eq!(id(Some("mine")), Ok("mine".into()));
    assert_eq!(id(Some("")), Err("platform message id is empty".into()));
    assert_eq!(
        id(Some(&"x".repeat(129))),
        Err("an id has at most 128 bytes".into())
    );
}
