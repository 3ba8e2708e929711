use super::*;

fn reaction(event: &str, by: &str, emoji: &str) -> Reaction {
    Reaction {
        event: event.to_owned(),
        to: "$m".to_owned(),
        by: by.to_owned(),
        emoji: emoji.to_owned(),
    }
}

#[test]
fn a_person_has_all_their_reactions_on_a_message_and_nobody_elses() {
    let mut reactions = Reactions::default();
    assert_eq!(reactions.add(&reaction("$1", "@ann", "👍")), "👍");
    assert_eq!(reactions.add(&reaction("$2", "@bob", "👎")), "👎");
    assert_eq!(reactions.add(&reaction("$3", "@ann", "🎉")), "👍 🎉");
    assert_eq!(reactions.add(&reaction("$3", "@ann", "🎉")), "👍 🎉");
    let (taken, left) = reactions.remove("$1").unwrap();
    assert_eq!((taken.by.as_str(), left.as_str()), ("@ann", "🎉"));
    assert_eq!(reactions.remove("$1"), None);
}
