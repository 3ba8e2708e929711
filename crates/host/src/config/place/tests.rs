//! Every rule of the conversations and destinations.

use anchorhold_core::{
    entity::UnknownSenderPolicy,
    ids::{ChannelName, ChatId, FolderName},
    inbound::ChatKind,
};

use crate::config::{
    Conversation, Destination, Target,
    tests::{check, read},
};

const CHAT: &str = "channels.c.type = \"fake\"\nagents.helper.provider = \"offline\"\n\
                    [[conversations]]\nchannel = \"c\"\nchat = \"C-1\"\nkind = \"group\"\n";
const TO: &str = "[[destinations]]\nagent = \"helper\"\nname = \"team\"\n";

#[test]
fn a_conversation_is_read_to_the_last_key() {
    let bare = Conversation {
        channel: ChannelName::parse("c").unwrap(),
        chat: ChatId::parse("C-1").unwrap(),
        kind: ChatKind::Group,
        name: None,
        unknown_senders: None,
        declined: false,
    };
    assert_eq!(read(CHAT).unwrap().conversations, vec![bare.clone()]);
    let text = CHAT.replace("group", "direct");
    let text =
        format!("{text}name = \"\\u0000é\"\nunknown_senders = \"public\"\ndeclined = true\n");
    let full = Conversation {
        kind: ChatKind::Direct,
        name: Some("\0é".to_owned()),
        unknown_senders: Some(UnknownSenderPolicy::Public),
        declined: true,
        ..bare
    };
    assert_eq!(read(&text).unwrap().conversations, [full]);
}

#[test]
fn rules_of_one_conversation() {
    let cases = [
        (
            "unknown_senders = \"pubic\"",
            "unknown_senders: \"pubic\" is not possible here; did you mean \"public\"?",
        ),
        (
            "declined = 1",
            "declined: must be true or false, and is a whole number",
        ),
        (
            "decline = true",
            "decline: unknown key; did you mean \"declined\"?",
        ),
    ];
    for (line, expect) in cases {
        let expect = format!("conversations[0].{expect} (line 7)");
        check(&format!("{CHAT}{line}\n"), &[&expect]);
    }
    check(
        &CHAT.replace("\"group\"", "\"grup\""),
        &["conversations[0].kind: \"grup\" is not possible here; did you mean \"group\"? (line 6)"],
    );
    check(
        &CHAT.replace("\"C-1\"", "\"*\""),
        &[
            "conversations[0].chat: has to be one chat; every chat of a channel can only be wired \
           (line 5)",
        ],
    );
    check(
        "[[conversations]]\n",
        &[
            "conversations[0].channel: is missing; there is none (line 1)",
            "conversations[0].chat: is missing; it is the platform's id of a chat (line 1)",
            "conversations[0].kind: is missing; there are \"direct\", \"group\" (line 1)",
        ],
    );
    let again = "[[conversations]]\nchannel = \"c\"\nchat = \"C-1\"\nkind = \"direct\"\n";
    check(
        &format!("{CHAT}{again}"),
        &["conversations[1]: is the same conversation as the one in line 3 (line 7)"],
    );
}

#[test]
fn a_destination_is_a_conversation_or_an_agent() {
    let helper = FolderName::parse("helper").unwrap();
    let expect = |target| Destination {
        agent: helper.clone(),
        name: "team".to_owned(),
        target,
    };
    let text = format!("{CHAT}{TO}channel = \"c\"\nchat = \"C-1\"\n");
    let chat = Target::Chat {
        channel: ChannelName::parse("c").unwrap(),
        chat: ChatId::parse("C-1").unwrap(),
    };
    assert_eq!(read(&text).unwrap().destinations, [expect(chat)]);
    let text = format!("{CHAT}{TO}to_agent = \"helper\"\n");
    let agent = Target::Agent(helper.clone());
    assert_eq!(read(&text).unwrap().destinations, [expect(agent)]);
}

#[test]
fn rules_of_one_destination() {
    let cases: [(&str, &[&str]); 6] = [
        (
            "",
            &[": leads nowhere; it needs a channel and a chat, or to_agent (line 7)"],
        ),
        (
            "to_agent = \"helpr\"",
            &[".to_agent: there is no agent \"helpr\"; did you mean \"helper\"? (line 10)"],
        ),
        (
            "channel = \"c\"\nchat = \"C-1\"\nto_agent = \"helper\"",
            &[
                ".to_agent: can't stand beside a channel and chat: a destination is one place (line \
               12)",
            ],
        ),
        (
            "channel = \"c\"\nchat = \"C-2\"",
            &[
                ".chat: there is no conversation \"C-2\" under [[conversations]]; did you mean \
               \"C-1\"? (line 11)",
            ],
        ),
        (
            "channel = \"d\"\nchat = \"C-1\"",
            &[".channel: there is no channel \"d\"; did you mean \"c\"? (line 10)"],
        ),
        (
            "chat = \"C-1\"\nto_agents = 1",
            &[
                ".channel: is missing; there is only \"c\" (line 7)",
                ".to_agents: unknown key; did you mean \"to_agent\"? (line 11)",
            ],
        ),
    ];
    for (lines, expect) in cases {
        let expect: Vec<String> = expect
            .iter()
            .map(|line| format!("destinations[0]{line}"))
            .collect();
        let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
        check(&format!("{CHAT}{TO}{lines}\n"), &expect);
    }
}

#[test]
fn a_destination_is_named_by_one_plain_word_once() {
    let to_agent = "to_agent = \"helper\"\n";
    let long = "a".repeat(65);
    for name in ["", "A", "a b", "a--b", "-a", "a-", "é", &long] {
        let text = TO.replace("team", name);
        check(
            &format!("{CHAT}{text}{to_agent}"),
            &[
                "destinations[0].name: may have only a-z, 0-9 and single dashes between them, and at \
               most 64 of them (line 9)",
            ],
        );
    }
    for name in ["a", "team-2", "2", &"a".repeat(64)] {
        let text = TO.replace("team", name);
        check(&format!("{CHAT}{text}{to_agent}"), &[]);
    }
    check(
        &format!("{CHAT}{TO}{to_agent}{TO}{to_agent}"),
        &["destinations[1]: has the same agent and name as the destination in line 7 (line 11)"],
    );
}
