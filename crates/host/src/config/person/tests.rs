//! Every rule of the people.

use anchorhold_core::ids::{ChannelName, FolderName, Handle};

use crate::config::{
    Person, Role,
    tests::{check, read},
};

const WHO: &str = "channels.c.type = \"fake\"\nagents.helper.provider = \"offline\"\n\
                   [[people]]\nchannel = \"c\"\nhandle = \"a:b\\\"c\"\n";

#[test]
fn a_person_is_read_to_the_last_key() {
    let text = format!(
        "{WHO}name = \"A\\nB\"\nroles = [\"admin:helper\", \"owner\", \"admin\"]\n\
         member_of = [\"helper\"]\n"
    );
    let folder = FolderName::parse("helper").unwrap();
    let expect = Person {
        channel: ChannelName::parse("c").unwrap(),
        handle: Handle::parse("a:b\"c").unwrap(),
        name: Some("A\nB".to_owned()),
        roles: vec![Role::AdminOf(folder.clone()), Role::Owner, Role::Admin],
        member_of: vec![folder],
    };
    assert_eq!(read(&text).unwrap().people, [expect]);
}

#[test]
fn rules_of_one_person() {
    let cases = [
        (
            "roles = [\"owner:helper\"]",
            "roles[0]: an owner can't be bound to an agent; write \"owner\", or \"admin:AGENT\"",
        ),
        (
            "roles = [\"admin\", \"admin:helpr\"]",
            "roles[1]: there is no agent \"helpr\"; did you mean \"helper\"?",
        ),
        (
            "roles = [\"onwer\"]",
            "roles[0]: \"onwer\" is not possible here; did you mean \"owner\"?",
        ),
        (
            "roles = [\"admin\", \"owner\", \"admin\"]",
            "roles[2]: \"admin\" is there twice",
        ),
        (
            "roles = \"owner\"",
            "roles: must be a list of texts in quotes, and is text",
        ),
        (
            "roles = [1]",
            "roles[0]: must be text in quotes, and is a whole number",
        ),
        (
            "member_of = [\"other\"]",
            "member_of[0]: there is no agent \"other\"; there is only \"helper\"",
        ),
        (
            "member_of = [\"helper\", \"helper\"]",
            "member_of[1]: \"helper\" is there twice",
        ),
        ("name = \"\"", "name: is empty"),
        (
            "role = [\"owner\"]",
            "role: unknown key; did you mean \"roles\"?",
        ),
    ];
    for (line, expect) in cases {
        let expect = format!("people[0].{expect} (line 6)");
        check(&format!("{WHO}{line}\n"), &[&expect]);
    }
    let name = |length| format!("{WHO}name = \"{}\"\n", "é".repeat(length));
    check(&name(255), &[]);
    check(
        &name(256),
        &["people[0].name: is longer than 255 characters (line 6)"],
    );
}

#[test]
fn a_person_is_a_channel_and_a_handle_once() {
    check(
        "[[people]]\nroles = [\"x\"]\n",
        &[
            "people[0].channel: is missing; there is none (line 1)",
            "people[0].handle: is missing; it is the platform's id of a person (line 1)",
            "people[0].roles[0]: \"x\" is not possible here; there are \"owner\", \"admin\", \
             \"admin:AGENT\" (line 2)",
        ],
    );
    check(
        &WHO.replace("a:b\\\"c", "a\\u0000"),
        &["people[0].handle: handle has a control character (line 5)"],
    );
    check(
        &WHO.replace("channel = \"c\"", "channel = \"d\""),
        &["people[0].channel: there is no channel \"d\"; did you mean \"c\"? (line 4)"],
    );
    let again = "[[people]]\nchannel = \"c\"\nhandle = \"a:b\\\"c\"\n";
    check(
        &format!("{WHO}{again}"),
        &["people[1]: is the same person as the one in line 3 (line 6)"],
    );
    check(&format!("{WHO}{}", again.replace("a:b", "a:d")), &[]);
}
