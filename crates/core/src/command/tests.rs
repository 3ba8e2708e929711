use proptest::prelude::*;

use super::*;

const STRANGER: Talks = Talks {
    admin: false,
    direct: false,
    memory_is_shared: false,
};

#[test]
fn commands_are_whole_words_that_stand_alone() {
    for (text, expected) in [
        ("/help", Some(Command::Help)),
        ("  /HELP\n", Some(Command::Help)),
        ("/new", Some(Command::New)),
        ("/clear", Some(Command::New)),
        ("/stop", Some(Command::Stop)),
        ("/compact", Some(Command::Compact)),
        ("/cost", Some(Command::Cost)),
        ("/agent", Some(Command::Agent)),
        ("/where", Some(Command::Where)),
        ("/status", Some(Command::Status)),
        ("/new and tell me a joke", None),
        ("please /new", None),
        ("/", None),
        ("/unknown", None),
        ("//help", None),
        ("help", None),
        ("", None),
    ] {
        assert_eq!(parse(text), expected, "{text:?}");
    }
}

#[test]
fn defect_08_a_longer_word_is_not_the_command_it_begins_with() {
    for text in [
        "/clearx",
        "/clear-all",
        "/clear/",
        "/clear\u{200b}",
        "/newest",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn an_answer_names_its_question_and_counts_from_one() {
    let answer = |question: &str, option| {
        Some(Command::Answer {
            question: question.to_owned(),
            option,
        })
    };
    assert_eq!(parse("/answer 3fa9c1 1"), answer("3fa9c1", 0));
    assert_eq!(parse("/answer 3FA9C1  12"), answer("3fa9c1", 11));
    for text in [
        "/answer",
        "/answer 3fa9c1",
        "/answer 3fa9c1 0",
        "/answer 3fa9c1 -1",
        "/answer a 1 x",
    ] {
        assert_eq!(parse(text), None, "{text:?}");
    }
}

#[test]
fn only_a_keeper_decides_over_the_memory() {
    let direct = Talks {
        direct: true,
        ..STRANGER
    };
    let fed_by_others = Talks {
        memory_is_shared: true,
        ..direct
    };
    let admin = Talks {
        admin: true,
        ..STRANGER
    };
    for (talks, keeps) in [
        (STRANGER, false),
        (direct, true),
        (fed_by_others, false),
        (admin, true),
        (
            Talks {
                memory_is_shared: true,
                ..admin
            },
            true,
        ),
    ] {
        for command in [Command::New, Command::Compact, Command::Cost] {
            assert_eq!(command.is_allowed(talks), keeps, "{command:?} {talks:?}");
        }
        for command in [
            Command::Help,
            Command::Stop,
            Command::Where,
            Command::Status,
        ] {
            assert!(command.is_allowed(talks), "{command:?} {talks:?}");
        }
    }
}

#[test]
fn help_lists_what_the_person_can_use() {
    let lines = help(STRANGER);
    assert!(lines.iter().any(|line| line.starts_with("/stop: ")));
    assert!(!lines.iter().any(|line| line.starts_with("/new: ")));
    let all = help(Talks {
        admin: true,
        ..STRANGER
    });
    assert_eq!(all.len(), PLAIN.len());
}

#[test]
fn every_command_knows_its_word() {
    for (_, command, _) in PLAIN {
        assert_eq!(parse(command.word()).as_ref(), Some(command));
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_what_is_no_command_is_left_alone(text in "[/ a-z0-9\\n\u{e9}\u{1f600}]{0,40}") {
        if let Some(command) = parse(&text) {
            prop_assert!(text.trim().to_ascii_lowercase().starts_with(command.word()) || command == Command::New);
        }
    }
}
