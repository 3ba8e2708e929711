use super::*;

#[track_caller]
fn check(name: &str, emoji: &str) {
    assert_eq!(unicode(name).as_deref(), Some(emoji), "{name}");
    assert!(
        names(emoji).contains(&name.to_owned()),
        "{emoji}: {:?}",
        names(emoji)
    );
}

#[test]
fn names_and_emoji_lead_to_each_other() {
    check("thumbsup", "👍");
    check("+1", "👍");
    check("tada", "🎉");
    check("heart", "❤️");
    check("eyes", "👀");
    check("white_check_mark", "✅");
    check("thinking_face", "🤔");
    check("+1::skin-tone-4", "👍🏽");
}

#[test]
fn what_is_a_workspaces_own_is_nothing_else() {
    assert_eq!(unicode("party-parrot"), None);
    assert_eq!(unicode("+1::skin-tone-9"), None);
    assert_eq!(names("x"), Vec::<String>::new());
}

/// Each of Slack's own names is one of a known emoji.
#[test]
fn the_table_is_good() {
    for (name, emoji) in OWN {
        assert!(emojis::get(emoji).is_some(), "{name}");
    }
}
