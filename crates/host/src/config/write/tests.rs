//! What is written is read to the same.

use anchorhold_broker::egress::Entry;
use anchorhold_core::{
    entity::{
        AdminScope, IgnoredPolicy, RuntimeChoice, SenderScope, SessionMode, UnknownSenderPolicy,
    },
    ids::{ChannelName, ChatId, FolderName, Handle},
};
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};

use super::*;
use crate::config::tests::read;

const HEAD: &str = "[host]\nruntime = \"docker\"\nstop_grace = \"5s\"\n\n[channels.c]\n\
                    bot_token = \"env:TOKEN\"\nunknown_senders = \"strict\"\ntype = \"fake\"\n\n\
                    [channels.c.api]\nurls = [\"a\", 'b\"c']\nratio = 0.1\nsince = 1979-05-27\n";

#[test]
fn only_what_differs_is_written_and_in_order() {
    let text = format!(
        "{HEAD}# A comment.\n[agents.b]\nprovider = \"offline\"\nname = \"b\"\nruntime = \"docker\"\n\
         limits = {{ pids = 256, tries = 5, cpus = 0.5, memory = \"1GiB\" }}\n\
         [agents.a]\nprovider = \"paid\"\nruntime = \"auto\"\nadmin_scope = \"disabled\"\n\
         [[wirings]]\nchannel = \"c\"\nchat = \"*\"\nagent = \"b\"\nsession = \"per-thread\"\n\
         engage = {{ pattern = '.' }}\nsenders = \"known\"\n\
         [[wirings]]\nchannel = \"c\"\nchat = \"1\"\nagent = \"a\"\npriority = -1\n\
         engage = {{ pattern = '^\\d\"' }}\n"
    );
    let config = read(&text).unwrap();
    let expect = r#"[host]
runtime = "docker"
stop_grace = "5s"

[channels.c]
bot_token = "env:TOKEN"
type = "fake"
unknown_senders = "strict"

[channels.c.api]
ratio = 0.1
since = 1979-05-27
urls = ["a", 'b"c']

[agents.a]
provider = "paid"
runtime = "auto"
admin_scope = "disabled"

[agents.b]
provider = "offline"

[agents.b.limits]
memory = "1GiB"
cpus = 0.5

[[wirings]]
channel = "c"
chat = "*"
agent = "b"
senders = "known"

[[wirings]]
channel = "c"
chat = "1"
agent = "a"
engage = { pattern = "^\\d\"" }
priority = -1
"#;
    let written = config.to_text().unwrap();
    assert_eq!(written, expect);
    assert_eq!(read(&written).unwrap().to_text().unwrap(), expect);
}

#[test]
fn a_file_without_anything_is_empty() {
    assert_eq!(read("").unwrap().to_text().unwrap(), "");
}

#[test]
fn a_name_does_not_look_like_an_entry() {
    let mut config = read(HEAD).unwrap();
    let name = "a\n[[people]]\nroles = [\"owner\"]\r\u{2028}\u{202e}\u{1b}[2J\u{7f}\u{85}'\"\"\"\\";
    config.people = vec![Person {
        channel: ChannelName::parse("c").unwrap(),
        handle: Handle::parse("'\"x").unwrap(),
        name: Some(name.to_owned()),
        roles: Vec::new(),
        member_of: Vec::new(),
    }];
    let text = config.to_text().unwrap();
    let lines: Vec<&str> = text.lines().rev().take(4).collect();
    let expect = [
        r#"name = "a\n[[people]]\nroles = [\"owner\"]\r\u2028\u202e\u001b[2J\u007f\u0085'\"\"\"\\""#,
        r#"handle = "'\"x""#,
        r#"channel = "c""#,
        "[[people]]",
    ];
    assert_eq!(lines, expect);
    assert_eq!(read(&text).unwrap().people, config.people);
}

/// Names as people give them: quotes, line ends, controls, other scripts.
fn title() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::collection::vec(any::<char>(), 1..20).prop_map(String::from_iter))
}

fn platform_id() -> impl Strategy<Value = String> {
    let plain = any::<char>().prop_filter("no control character", |c| !c.is_control());
    prop::collection::vec(plain, 2..20).prop_map(String::from_iter)
}

fn one<T: Copy + std::fmt::Debug>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn agent() -> impl Strategy<Value = Agent> {
    let numbers = (
        (32_u64 << 20)..=(1 << 40),
        50_u32..=256_000,
        (1_u64 << 20)..=(1 << 40),
        1000_u64..=86_400_000,
        1_u32..=20,
    );
    let name = "[^\\p{Cc}]{1,64}";
    let words = (name, prop::option::of(name), any::<bool>());
    (
        numbers,
        words,
        one(RuntimeChoice::ALL),
        one(AdminScope::ALL),
    )
        .prop_map(
            |(numbers, (name, assistant_name, reaches), runtime, admin_scope)| Agent {
                folder: FolderName::parse("a").unwrap(),
                name,
                provider: "offline".to_owned(),
                model: None,
                harness: None,
                egress: ["*.example.org:8443", "[2001:db8::1]"]
                    .iter()
                    .filter(|_| reaches)
                    .map(|host| Entry::parse(host).unwrap())
                    .collect(),
                time_zone: reaches.then(|| "Europe/Berlin".to_owned()),
                runtime,
                limits: GroupLimits {
                    memory_bytes: numbers.0,
                    cpu_millis: numbers.1,
                    pids: 8,
                    file_bytes: numbers.2,
                    progress_ms: numbers.3,
                    turn_ms: 1000,
                    idle_ms: 600_000,
                    prompt_messages: 1,
                    tries: numbers.4,
                },
                assistant_name,
                admin_scope,
            },
        )
}

fn wiring() -> impl Strategy<Value = Wiring> {
    let engage = one(EngageMode::ALL).prop_map(|engage| match engage {
        EngageMode::Pattern => (engage, Some("a\"'\\n\\\\é".to_owned())),
        EngageMode::Mention | EngageMode::MentionSticky => (engage, None),
    });
    (
        prop::option::of(platform_id()),
        engage,
        one(SenderScope::ALL),
        one(IgnoredPolicy::ALL),
        one(SessionMode::ALL),
        any::<i32>(),
    )
        .prop_map(
            |(chat, (engage, pattern), sender_scope, ignored, session_mode, priority)| Wiring {
                channel: ChannelName::parse("c").unwrap(),
                chat: chat.map(|chat| ChatId::parse(&chat).unwrap()),
                agent: FolderName::parse("a").unwrap(),
                engage,
                pattern,
                sender_scope,
                ignored,
                session_mode,
                priority,
            },
        )
}

fn conversation() -> impl Strategy<Value = Conversation> {
    (
        platform_id(),
        title(),
        prop::option::of(one(UnknownSenderPolicy::ALL)),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(chat, name, unknown_senders, declined, direct)| Conversation {
                channel: ChannelName::parse("c").unwrap(),
                chat: ChatId::parse(&chat).unwrap(),
                kind: if direct {
                    ChatKind::Direct
                } else {
                    ChatKind::Group
                },
                name,
                unknown_senders,
                declined,
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_to_the_same(
        agent in agent(),
        wiring in wiring(),
        conversation in conversation(),
        handle in platform_id(),
        name in title(),
        owner in any::<bool>(),
    ) {
        let mut config = read(HEAD).unwrap();
        let folder = agent.folder.clone();
        let target = Target::Chat {
            channel: conversation.channel.clone(),
            chat: conversation.chat.clone(),
        };
        config.destinations = [("there", target), ("agent", Target::Agent(folder.clone()))]
            .map(|(name, target)| Destination {
                agent: folder.clone(),
                name: name.to_owned(),
                target,
            })
            .to_vec();
        config.people = vec![Person {
            channel: conversation.channel.clone(),
            handle: Handle::parse(&handle).unwrap(),
            name,
            roles: if owner { vec![Role::Owner] } else { vec![Role::AdminOf(folder.clone())] },
            member_of: if owner { Vec::new() } else { vec![folder] },
        }];
        config.agents = vec![agent];
        config.wirings = vec![wiring];
        config.conversations = vec![conversation];
        let again = read(&config.to_text().unwrap()).unwrap();
        prop_assert_eq!(again.host, config.host);
        prop_assert_eq!(again.channels, config.channels);
        prop_assert_eq!(again.agents, config.agents);
        prop_assert_eq!(again.wirings, config.wirings);
        prop_assert_eq!(again.conversations, config.conversations);
        prop_assert_eq!(again.people, config.people);
        prop_assert_eq!(again.destinations, config.destinations);
    }
}
