use super::*;

const BOT: &str = "@bot:a.b";

fn member(membership: &str, was: Option<&str>) -> Value {
    json!({
        "type": "m.room.member", "state_key": BOT, "content": { "membership": membership },
        "unsigned": { "prev_content": { "membership": was } },
    })
}

fn said() -> Value {
    json!({ "type": "m.room.message" })
}

fn check(events: &[Value], expect: Option<usize>) {
    assert_eq!(entrance(events, BOT), expect);
}

#[test]
fn what_was_said_from_the_invitation_on_is_for_the_bot() {
    let invited = member("invite", None);
    let joined = member("join", Some("invite"));
    check(&[], None);
    check(&[said(), said()], None);
    check(&[said(), invited, said(), joined.clone()], Some(1));
    // The invitation is further back than the events that came.
    check(&[said(), joined], Some(0));
}

#[test]
fn who_comes_without_an_invitation_hears_from_there_on() {
    check(&[said(), member("join", None), said()], Some(1));
    check(&[said(), member("join", Some("leave")), said()], Some(1));
}

#[test]
fn another_name_is_no_entrance() {
    check(&[said(), member("join", Some("join")), said()], None);
}

#[test]
fn the_filter_can_be_made() {
    filter().unwrap();
}
