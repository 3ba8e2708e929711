use super::*;

#[test]
fn an_event_about_a_message_leads_to_it() {
    let plain = PlatformMessageId::parse("57").unwrap();
    assert_eq!(message(&plain), "57");
    let first = id("57", "edit 1").unwrap();
    let second = id("57", "edit 2").unwrap();
    assert_ne!(first, second);
    assert_eq!((message(&first), message(&second)), ("57", "57"));
    assert!(id("57", &"x".repeat(600)).is_err());
}
