use anchorhold_channel::fake::question_id;

use super::*;

fn asked(options: &[&str]) -> Question {
    Question {
        id: question_id(1),
        title: "Which?".to_owned(),
        text: String::new(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    }
}

#[test]
fn a_button_says_which_question_and_which_option() {
    let id = question_id(7);
    assert_eq!(read(&action(id, 19)), Some((id, 19)));
    for other in ["", "q", "q:x:1", "other:thing:1"] {
        assert_eq!(read(other), None, "{other}");
    }
    assert_eq!(read(&format!("q:{}:20", id.uuid().simple())), None);
    assert_eq!(read(&format!("p:{}:1", id.uuid().simple())), None);
}

#[test]
fn an_option_that_no_button_has_room_for_is_written_out() {
    let long = "a very long option ".repeat(8);
    let blocks = question(&asked(&["short", &long]));
    let text = blocks[0]["text"]["text"].as_str().unwrap();
    assert!(text.contains("1. short"), "{text}");
    assert!(text.contains(long.trim()), "{text}");
    let label = |at: usize| {
        blocks[1]["elements"][at]["text"]["text"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(label(0), "1. short");
    assert!(label(1).starts_with("2. a very long"));
    assert_eq!(label(1).chars().count(), 75);
}

#[test]
fn a_long_question_has_several_sections() {
    let mut long = asked(&["yes"]);
    long.text = "why? ".repeat(2_000);
    let blocks = question(&long);
    let blocks = blocks.as_array().unwrap();
    assert!(blocks.len() > 3, "{}", blocks.len());
    for block in blocks.iter().filter(|block| block["type"] == "section") {
        assert!(block["text"]["text"].as_str().unwrap().chars().count() <= SECTION);
    }
}

#[test]
fn what_was_chosen_takes_the_place_of_the_buttons() {
    let before = question(&asked(&["yes", "no"]));
    let after = chosen(&before, "yes & more", "U1");
    let kinds: Vec<_> = after
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["type"])
        .collect();
    assert_eq!(kinds, ["section", "context"]);
    assert_eq!(after[1]["elements"][0]["text"], "✓ yes &amp; more – <@U1>");
}
