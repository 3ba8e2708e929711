use serde_json::json;

use super::*;

fn inviters(entries: &[&str]) -> Result<Inviters, usize> {
    let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    Inviters::read(&entries)
}

#[test]
fn people_and_servers_are_told_apart() {
    let accepts = |entries: &[&str], person: &str| {
        inviters(entries)
            .unwrap()
            .accept(&UserId::parse(person).unwrap())
    };
    assert!(!accepts(&[], "@ann:mx.example"));
    assert!(accepts(&["*"], "@ann:mx.example"));
    assert!(accepts(&["@ann:mx.example"], "@ann:mx.example"));
    assert!(!accepts(&["@ann:mx.example"], "@ann:evil.example"));
    assert!(!accepts(&["@ann:mx.example"], "@ann2:mx.example"));
    assert!(accepts(&["mx.example"], "@ann:mx.example"));
    assert!(!accepts(&["mx.example"], "@ann:not-mx.example"));
}

#[test]
fn what_is_neither_is_named_by_its_number() {
    assert_eq!(inviters(&["*", "@nobody"]), Err(2));
    assert_eq!(inviters(&["https://mx.example"]), Err(1));
}

#[test]
fn an_invitation_is_that_of_the_bot() {
    let event = |who: &str, direct: bool| {
        json!({
            "type": "m.room.member", "state_key": who, "sender": "@ann:a.b",
            "content": { "membership": "invite", "is_direct": direct },
        })
    };
    let state = [event("@other:a.b", false), event("@bot:a.b", true)];
    let found = Invitation::find(&state, "@bot:a.b").unwrap();
    assert_eq!((found.by.as_str(), found.is_direct), ("@ann:a.b", true));
    assert_eq!(Invitation::find(&state, "@bob:a.b"), None);
    assert_eq!(Invitation::find(&[json!({ "type": [] })], "@bot:a.b"), None);
}
