use super::*;

#[test]
fn a_chat_that_moved_stays_what_it_was() {
    let mut moves = Moves::default();
    assert!(moves.note(-12, -1_001));
    assert!(!moves.note(-12, -1_001));
    assert!(!moves.note(-5, -5));
    assert_eq!((moves.first(-1_001), moves.current(-12)), (-12, -1_001));
    assert_eq!((moves.first(-7), moves.current(-7)), (-7, -7));
}

/// The supergroup counts its messages from 1 again, as the group did.
#[test]
fn the_same_number_after_a_move_is_another_message() {
    let mut moves = Moves::default();
    let before = id(&moves, -12, 5).unwrap();
    moves.note(-12, -1_001);
    let after = id(&moves, -1_001, 5).unwrap();
    assert_ne!(before, after);
    assert_eq!(target(&before, -12), Some((-12, 5)));
    assert_eq!(target(&after, -12), Some((-1_001, 5)));
    let edit = revision::id(after.as_str(), "e1").unwrap();
    assert_eq!(target(&edit, -12), Some((-1_001, 5)));
    let foreign = PlatformMessageId::parse("a message").unwrap();
    assert_eq!(target(&foreign, 1), None);
}

#[test]
fn what_is_remembered_has_a_limit_and_a_form() {
    let mut moves = Moves::default();
    for n in 0..1_500 {
        moves.note(-n, -10_000 - n);
    }
    assert_eq!(moves.current(-499), -499);
    assert_eq!(moves.current(-500), -10_500);
    let mut few = Moves::default();
    few.note(-12, -1_001);
    assert_eq!(serde_json::to_string(&few).unwrap(), "[[-12,-1001]]");
    let mut restored = Moves::default();
    restored.restore(serde_json::from_str("[[-12,-1001]]").unwrap());
    assert_eq!(restored, few);
    assert!(serde_json::to_string(&moves).unwrap().len() < 64 * 1024);
}
