//! Every rule of the wirings.

use anchorhold_core::entity::{EngageMode, SessionMode};

use crate::config::tests::{check, read};

const ENDS: &str = "channels.c.type = \"fake\"\nagents.a.provider = \"offline\"\n\
                    [[wirings]]\nchannel = \"c\"\nchat = \"1\"\nagent = \"a\"\n";

#[test]
fn each_way_to_engage() {
    let cases = [
        ("", EngageMode::Pattern, Some(".")),
        ("engage = \"always\"", EngageMode::Pattern, Some(".")),
        ("engage = \"mention\"", EngageMode::Mention, None),
        (
            "engage = \"mention-sticky\"",
            EngageMode::MentionSticky,
            None,
        ),
        (
            "engage = { pattern = '^\\d' }",
            EngageMode::Pattern,
            Some("^\\d"),
        ),
    ];
    for (line, mode, pattern) in cases {
        let config = read(&format!("{ENDS}{line}\n")).unwrap();
        let wiring = &config.wirings[0];
        assert_eq!(
            (wiring.engage, wiring.pattern.as_deref()),
            (mode, pattern),
            "{line}"
        );
    }
}

#[test]
fn rules_of_one_wiring() {
    let cases = [
        (
            "engage = \"pattern\"",
            "engage: needs the pattern, too: write { pattern = \"…\" }",
        ),
        (
            "engage = \"mentions\"",
            "engage: \"mentions\" is not possible here; did you mean \"mention\"?",
        ),
        (
            "engage = true",
            "engage: must be a word or { pattern = \"…\" }, and is true or false",
        ),
        (
            "engage = {}",
            "engage.pattern: is missing; it is a regular expression",
        ),
        (
            "engage = { pattern = \".\", flags = \"i\" }",
            "engage.flags: unknown key; there is only \"pattern\"",
        ),
        (
            "engage = { pattern = \"\" }",
            "engage.pattern: is empty; write engage = \"always\" to match everything",
        ),
        (
            "engage = { pattern = \"(\" }",
            "engage.pattern: is not a usable regular expression: unclosed group",
        ),
        (
            "engage = { pattern = '(\\w{100}){100}' }",
            "engage.pattern: is not a usable regular expression: Compiled regex exceeds size limit \
             of 1048576 bytes.",
        ),
        (
            "senders = \"Known\"",
            "senders: \"Known\" is not possible here; did you mean \"known\"?",
        ),
        (
            "ignored = \"keep\"",
            "ignored: \"keep\" is not possible here; there are \"drop\", \"accumulate\"",
        ),
        (
            "session = 1",
            "session: must be text in quotes, and is a whole number",
        ),
        (
            "priority = 2147483648",
            "priority: must be from -2147483648 to 2147483647",
        ),
        (
            "priority = \"1\"",
            "priority: must be a whole number, and is text",
        ),
        (
            "sessions = 1",
            "sessions: unknown key; did you mean \"session\"?",
        ),
    ];
    for (line, expect) in cases {
        let expect = format!("wirings[0].{expect} (line 7)");
        check(&format!("{ENDS}{line}\n"), &[&expect]);
    }
    let long = format!("{ENDS}engage = {{ pattern = \"{}\" }}\n", "p".repeat(1025));
    check(
        &long,
        &["wirings[0].engage.pattern: is 1025 bytes long; at most 1024 are accepted (line 7)"],
    );
}

#[test]
fn a_thread_has_its_own_session_where_nothing_else_is_said() {
    let wiring = &read(ENDS).unwrap().wirings[0];
    assert_eq!(wiring.session_mode, SessionMode::PerThread);
    assert_eq!(wiring.priority, 0);
}

#[test]
fn both_ends_exist() {
    check(
        "[[wirings]]\n[[wirings]]\nchannel = \"c\"\nchat = \"*\"\nagent = 1\n",
        &[
            "wirings[0].agent: is missing; there is none (line 1)",
            "wirings[0].channel: is missing; there is none (line 1)",
            "wirings[0].chat: is missing; it is the platform's id of a chat, or \"*\" for every \
             chat (line 1)",
            "wirings[1].channel: there is no channel \"c\"; there is none (line 3)",
            "wirings[1].agent: must be text in quotes, and is a whole number (line 5)",
        ],
    );
}

#[test]
fn a_missing_end_hides_no_other_problem() {
    let text = ENDS.replace(
        "agent = \"a\"",
        "engage = \"x\"\nsenders = \"x\"\nsession = \"x\"",
    );
    check(
        &text,
        &[
            "wirings[0].agent: is missing; there is only \"a\" (line 3)",
            "wirings[0].engage: \"x\" is not possible here; there are \"always\", \"mention\", \
             \"mention-sticky\" (line 6)",
            "wirings[0].senders: \"x\" is not possible here; there are \"all\", \"known\" (line 7)",
            "wirings[0].session: \"x\" is not possible here; there are \"shared\", \
             \"per-thread\", \"agent-shared\" (line 8)",
        ],
    );
}

#[test]
fn a_bad_agent_is_still_one_to_wire_to() {
    check(
        &ENDS.replace("offline", "offlin"),
        &["agents.a.provider: there is no provider \"offlin\"; did you mean \"offline\"? (line 2)"],
    );
}

#[test]
fn a_chat_is_a_platform_id() {
    let cases = [
        ("\"\"", "chat id is empty"),
        ("\"a\\nb\"", "chat id has a control character"),
        ("-1001", "must be text in quotes, and is a whole number"),
    ];
    for (chat, expect) in cases {
        let text = ENDS.replace("\"1\"", chat);
        check(&text, &[&format!("wirings[0].chat: {expect} (line 5)")]);
    }
    let text = ENDS.replace("\"1\"", &format!("\"{}\"", "c".repeat(513)));
    check(
        &text,
        &["wirings[0].chat: chat id is 513 bytes long, at most 512 are accepted (line 5)"],
    );
}

#[test]
fn the_same_ends_are_tied_once() {
    let again = "[[wirings]]\nchannel = \"c\"\nchat = \"1\"\nagent = \"a\"\nengage = \"mention\"\n";
    check(
        &format!("{ENDS}{again}{again}"),
        &[
            "wirings[1]: ties the same channel, chat and agent as the wiring in line 3 (line 7)",
            "wirings[2]: ties the same channel, chat and agent as the wiring in line 3 (line 12)",
        ],
    );
    let other = again.replace("\"1\"", "\"*\"");
    check(&format!("{ENDS}{other}"), &[]);
}

#[test]
fn wirings_are_a_list_of_tables() {
    check(
        "[wirings]\nchannel = \"c\"\n",
        &["wirings: must be a list of tables, each under [[wirings]], and is a table (line 1)"],
    );
    check(
        "wirings = [1]\n",
        &["wirings[0]: must be a table, and is a whole number (line 1)"],
    );
}
