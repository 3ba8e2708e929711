use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &str, expect: &str) {
    let name = |id: &str| match id {
        "U1" => Some("Ann".to_owned()),
        "U2" => Some("<B|b>".to_owned()),
        "C1" => Some("general".to_owned()),
        _ => None,
    };
    let reader = Reader {
        me: ("UBOT", "bot"),
        name: &name,
    };
    assert_eq!(reader.read(text), expect, "{text}");
}

#[test]
fn people_and_channels_have_names_and_people_keep_their_ids() {
    check("hi <@U1> and <@U9>", "hi <@U1|Ann> and <@U9>");
    check("<@U9|nine>", "<@U9|nine>");
    check("<@U2>", "<@U2|Bb>");
    check(
        "in <#C1> or <#C2|random> or <#C3>",
        "in #general or #random or #C3",
    );
}

#[test]
fn the_bots_own_name_at_the_beginning_says_only_whom_it_is_for() {
    check("<@UBOT> hello", "hello");
    check("<@UBOT>: /status", "/status");
    check("hello <@UBOT>", "hello @bot");
    check("<@UBOT>", "@bot");
    check("@bot hello", "@bot hello");
}

#[test]
fn links_say_where_they_lead() {
    check("<https://x.example>", "https://x.example");
    check("<https://x.example|x.example>", "x.example");
    check("<mailto:a@x.example|a@x.example>", "a@x.example");
    check(
        "<https://x.example/?a=1&amp;b|here>",
        "[here](https://x.example/?a=1&b)",
    );
}

#[test]
fn what_is_slacks_own_is_put_in_words() {
    check("<!here> <!channel>", "@here @channel");
    check("<!subteam^S1|@devs> <!subteam^S1>", "@devs @group");
    check("<!date^1392734382^{date}|yesterday>", "yesterday");
}

#[test]
fn the_rest_is_as_it_was_typed() {
    check(
        "1 &lt; 2 &amp;&amp; 3 &gt; 2 &amp;lt;",
        "1 < 2 && 3 > 2 &lt;",
    );
    check("half <open", "half <open");
}

#[test]
fn who_is_named_is_told() {
    assert!(names("hi <@UBOT|bot>!", "UBOT"));
    assert!(!names("hi @UBOT &lt;@UBOT&gt;", "UBOT"));
    assert_eq!(
        named("<@U1> <#C1> <#C2|x> <https://x.example>"),
        ["U1", "C1"]
    );
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "[<>@#!|&;a-zA-Z0-9^ ]{0,80}") {
        let name = |_: &str| None;
        let reader = Reader { me: ("U1", "bot"), name: &name };
        prop_assert!(reader.read(&text).len() <= text.len() * 3 + 8);
    }
}
