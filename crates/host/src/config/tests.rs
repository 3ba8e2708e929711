//! The configuration as a whole: the sample, the page for people, and hostile text.

use std::{collections::BTreeMap, time::Duration};

use anchorhold_core::entity::{RuntimeChoice, UnknownSenderPolicy};
use camino::Utf8Path;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};

use crate::config::{
    ChannelType, Config, DOCKER_ENGINE, Host, Known,
    keys::{self, Bounds, Choice},
    load,
    problem::{PROBLEMS_LIMIT, Problems},
    quantity::{format_duration, format_size, format_thousandths},
};

const SAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../channels.toml"));
const PAGE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/configuration.md"
));

/// What the tests' host can do.
pub(super) const KNOWN: Known<'static> = Known {
    providers: &["offline", "paid", "anthropic", "openai", "claude-code"],
    channel_types: &[
        ChannelType {
            name: "cli",
            unknown_senders: UnknownSenderPolicy::Public,
        },
        ChannelType {
            name: "fake",
            unknown_senders: UnknownSenderPolicy::Strict,
        },
    ],
};

pub(super) fn read(input: &str) -> Result<Config, Problems> {
    load(input, Utf8Path::new("c.toml"), KNOWN)
}

/// Checks that `input` has exactly these problems, without the file's name.
#[track_caller]
pub(super) fn check(input: &str, expect: &[&str]) {
    let lines: Vec<String> = match read(input) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.to_string().lines().map(bare).collect(),
    };
    assert_eq!(lines, expect, "{input}");
}

fn bare(line: &str) -> String {
    line.strip_prefix("c.toml: ").unwrap_or(line).to_owned()
}

fn notes(input: &str) -> Vec<String> {
    let config = read(input).unwrap();
    config.notes.iter().map(|note| bare(note)).collect()
}

#[test]
fn the_sample_works_as_it_stands() {
    let config = load(SAMPLE, Utf8Path::new("channels.toml"), KNOWN).unwrap();
    assert_eq!(config.notes, Vec::<String>::new());
    assert_eq!(config.channels.len(), 1);
    assert_eq!(
        config.channels[0].unknown_senders,
        UnknownSenderPolicy::Public
    );
    assert_eq!(config.agents[0].provider, "offline");
    assert_eq!(config.wirings[0].chat, None);
}

#[test]
fn the_samples_comments_are_its_defaults() {
    let plain = load(SAMPLE, Utf8Path::new("channels.toml"), KNOWN).unwrap();
    let uncommented: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if setting.contains(" = ") && !setting.contains('…') => setting,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let spelt_out = load(&uncommented, Utf8Path::new("channels.toml"), KNOWN).unwrap();
    let docker = Some(DOCKER_ENGINE.to_owned());
    assert_eq!(
        spelt_out.host,
        Host {
            docker,
            ..plain.host
        }
    );
    assert_eq!(spelt_out.channels, plain.channels);
    assert_eq!(spelt_out.agents, plain.agents);
    assert_eq!(spelt_out.wirings, plain.wirings);
    for section in [
        keys::HOST,
        keys::CHANNEL,
        keys::MODEL,
        keys::PRICES,
        keys::HARNESS,
        keys::AGENT,
        keys::LIMITS,
        keys::WIRING,
        keys::CONVERSATION,
        keys::PERSON,
        keys::DESTINATION,
    ] {
        for key in section {
            let there = format!("{key} = ");
            assert!(
                matches!(*key, "limits" | "prices") || SAMPLE.contains(&there),
                "the sample lacks {key}"
            );
        }
    }
}

/// A line that begins with `#` and a letter or bracket is an example.
#[test]
fn the_samples_examples_work_too() {
    let plain = load(SAMPLE, Utf8Path::new("channels.toml"), KNOWN).unwrap();
    let starts = |c: char| c.is_ascii_lowercase() || c == '[';
    let with_examples: String = SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(example) if example.starts_with(starts) => example,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let config = load(&with_examples, Utf8Path::new("channels.toml"), KNOWN).unwrap();
    assert_eq!(config.wirings, plain.wirings);
    assert_eq!(config.models.len(), 1);
    assert_eq!(config.harnesses.len(), 1);
    assert_eq!(config.conversations.len(), 1);
    assert_eq!(config.people.len(), 1);
    assert_eq!(config.destinations.len(), 1);
}

/// Every key as the page names it, with its default and range where they are numbers, and its
/// default where it is a word.
fn all_keys() -> BTreeMap<String, Option<String>> {
    let sections = [
        ("host", keys::HOST),
        ("retention", keys::RETENTION),
        ("channels.NAME", keys::CHANNEL),
        ("models.NAME", keys::MODEL),
        ("models.NAME.prices", keys::PRICES),
        ("harnesses.NAME", keys::HARNESS),
        ("agents.NAME", keys::AGENT),
        ("agents.NAME.limits", keys::LIMITS),
        ("wirings", keys::WIRING),
        ("wirings.engage", keys::ENGAGE),
        ("conversations", keys::CONVERSATION),
        ("people", keys::PERSON),
        ("destinations", keys::DESTINATION),
    ];
    let mut all: BTreeMap<String, Option<String>> = sections
        .iter()
        .flat_map(|(section, keys)| {
            keys.iter()
                .map(move |key| (format!("{section}.{key}"), None))
        })
        .collect();
    for (key, detail) in details() {
        assert_eq!(all.insert(key.clone(), Some(detail)), Some(None), "{key}");
    }
    all
}

/// What the page has to say of keys that are a number or a word.
fn details() -> Vec<(String, String)> {
    let limits = "agents.NAME.limits";
    vec![
        ("host.runtime".to_owned(), choice(&keys::RUNTIME)),
        (
            "host.max_sandboxes".to_owned(),
            bounds(&keys::MAX_SANDBOXES, |n| n.to_string()),
        ),
        lasting("host.stop_grace", &keys::STOP_GRACE),
        lasting("host.provider_patience", &keys::PROVIDER_PATIENCE),
        (
            "retention.idle_session".to_owned(),
            bounds(&keys::IDLE_SESSION, format_duration) + ", or `never`",
        ),
        kept("messages", &keys::MESSAGES_KEPT),
        kept("sessions", &keys::SESSIONS_KEPT),
        kept("dropped", &keys::DROPPED_KEPT),
        kept("files", &keys::FILES_KEPT),
        kept("people", &keys::PEOPLE_KEPT),
        kept("requests", &keys::REQUESTS_KEPT),
        (
            format!("{limits}.memory"),
            bounds(&keys::MEMORY, format_size),
        ),
        (
            format!("{limits}.cpus"),
            bounds(&keys::CPU_MILLIS, format_thousandths),
        ),
        (
            format!("{limits}.pids"),
            bounds(&keys::PIDS, |n| n.to_string()),
        ),
        (
            format!("{limits}.file_size"),
            bounds(&keys::FILE_SIZE, format_size),
        ),
        (
            format!("{limits}.progress"),
            bounds(&keys::PROGRESS, format_duration),
        ),
        (
            format!("{limits}.turn"),
            bounds(&keys::TURN, format_duration),
        ),
        (
            format!("{limits}.idle"),
            bounds(&keys::IDLE, format_duration),
        ),
        (
            format!("{limits}.prompt_messages"),
            bounds(&keys::PROMPT_MESSAGES, |n| n.to_string()),
        ),
        (
            format!("{limits}.tries"),
            bounds(&keys::TRIES, |n| n.to_string()),
        ),
        ("models.NAME.api".to_owned(), choice(&keys::API)),
        ("wirings.senders".to_owned(), choice(&keys::SENDERS)),
        ("wirings.ignored".to_owned(), choice(&keys::IGNORED)),
        ("wirings.session".to_owned(), choice(&keys::SESSION)),
        (
            "wirings.priority".to_owned(),
            bounds(&keys::PRIORITY, |n| n.to_string()),
        ),
        (
            "agents.NAME.admin_scope".to_owned(),
            choice(&keys::ADMIN_SCOPE),
        ),
    ]
}

fn kept(key: &str, lifetime: &Bounds<Duration>) -> (String, String) {
    lasting(&format!("retention.{key}"), lifetime)
}

fn lasting(key: &str, time: &Bounds<Duration>) -> (String, String) {
    (key.to_owned(), bounds(time, format_duration))
}

fn bounds<T: Copy>(bounds: &Bounds<T>, show: impl Fn(T) -> String) -> String {
    format!(
        "- Default: `{}`\n- Range: `{}` to `{}`",
        show(bounds.default),
        show(bounds.least),
        show(bounds.most)
    )
}

fn choice<T: Copy>(choice: &Choice<T>) -> String {
    let words: Vec<String> = choice
        .all
        .iter()
        .map(|value| format!("`{}`", (choice.word)(*value)))
        .collect();
    let default = (choice.word)(choice.default);
    format!("- Default: `{default}`\n- Values: {}", words.join(", "))
}

#[test]
fn the_page_has_every_key_and_no_other() {
    let mut page: BTreeMap<String, &str> = BTreeMap::new();
    for part in PAGE.split("\n### `").skip(1) {
        let (key, rest) = part.split_once("`\n").unwrap();
        let text = rest.split("\n## ").next().unwrap();
        assert!(
            page.insert(key.to_owned(), text.trim()).is_none(),
            "{key} is there twice"
        );
    }
    let all = all_keys();
    assert_eq!(
        page.keys().collect::<Vec<_>>(),
        all.keys().collect::<Vec<_>>()
    );
    for (key, text) in page {
        assert!(text.contains("- Default: "), "{key} lacks its default");
        if let Some(detail) = &all[&key] {
            assert!(
                text.ends_with(detail),
                "{key} should end in\n{detail}\nand is\n{text}"
            );
        }
    }
    let image = format!("- Default: `{}`\n", keys::IMAGE);
    assert!(PAGE.contains(&image), "the image differs");
    assert!(PAGE.contains(DOCKER_ENGINE), "the engine differs");
    for section in keys::TOP {
        let heading = [
            format!("\n## `[{section}]`"),
            format!("\n## `[{section}.NAME]`"),
        ];
        let list = format!("\n## `[[{section}]]`");
        assert!(
            PAGE.contains(&heading[0]) || PAGE.contains(&heading[1]) || PAGE.contains(&list),
            "{section} has no heading"
        );
    }
    for word in keys::ENGAGE_WORDS {
        assert!(PAGE.contains(&format!("`{word}`")), "engage lacks {word}");
    }
}

#[test]
fn an_empty_file_is_allowed_and_noted() {
    assert_eq!(
        notes(""),
        [
            "channels: there is no channel, so nobody can be heard (line 1)",
            "agents: there is no agent, so nobody can answer (line 1)",
        ]
    );
    assert_eq!(
        notes("[channels.c]\ntype = \"cli\"\n[agents.a]\nprovider = \"offline\"\n"),
        [
            "channels.c: no wiring starts here, so nobody answers (line 1)",
            "agents.a: no wiring leads here, so it hears nobody (line 3)",
        ]
    );
}

#[test]
fn problems_come_all_at_once_and_by_line() {
    check(
        "[agents.helper]\nprovder = \"offline\"\n[agents.other]\nprovider = \"ofline\"\n\
         [[wirings]]\nchannel = \"cli\"\nchat = \"*\"\nagent = \"helpr\"\n\
         [channels.cli]\ntype = \"clii\"\n[host]\nstop_grace = 20\n",
        &[
            "agents.helper.provider: is missing; there are \"offline\", \"paid\", \
             \"anthropic\", \"openai\", \"claude-code\" (line 1)",
            "agents.helper.provder: unknown key; did you mean \"provider\"? (line 2)",
            "agents.other.provider: there is no provider \"ofline\"; did you mean \"offline\"? \
             (line 4)",
            "wirings[0].agent: there is no agent \"helpr\"; did you mean \"helper\"? (line 8)",
            "channels.cli.type: there is no channel type \"clii\"; did you mean \"cli\"? (line 10)",
            "host.stop_grace: must be a time such as \"20s\", and is a whole number (line 12)",
        ],
    );
}

#[test]
fn there_is_a_limit_to_problems() {
    let many: Vec<String> = (0..250).map(|n| format!("key{n} = 1\n")).collect();
    let problems = read(&many.concat()).unwrap_err();
    assert_eq!(problems.list().len(), PROBLEMS_LIMIT);
    assert_eq!(problems.omitted(), 150);
    assert!(problems.to_string().ends_with("\n… and 150 more"));
}

#[test]
fn the_host_can_print_what_a_channel_finds() {
    let config =
        read("[channels.c]\ntype = \"fake\"\n\n[channels.c.api]\nurls = [1,\n2]\n").unwrap();
    let cases: [(&[&str], usize, &str); 5] = [
        (
            &["channels", "c", "api", "urls", "1"],
            6,
            "channels.c.api.urls[1]",
        ),
        (&["channels", "c", "api", "urls"], 5, "channels.c.api.urls"),
        (&["channels", "c", "api", "port"], 4, "channels.c.api.port"),
        (&["channels", "c", "a b"], 1, "channels.c.\"a b\""),
        (&[], 1, ""),
    ];
    for (at, line, key) in cases {
        assert_eq!(config.locate(at), line, "{at:?}");
        let problem = config.problem(at, "is\nwrong");
        assert_eq!((problem.line(), problem.key()), (line, key));
        let colon = if key.is_empty() { "" } else { ": " };
        assert_eq!(
            problem.to_string(),
            format!("c.toml: {key}{colon}is wrong (line {line})")
        );
    }
    assert_eq!(Problems::collect(Vec::new()), None);
}

#[test]
fn the_engines_address_has_an_order() {
    let host = |docker: Option<&str>| Host {
        docker: docker.map(str::to_owned),
        ..read("").unwrap().host
    };
    assert_eq!(
        host(Some("unix:///a")).engine(Some("unix:///b")),
        "unix:///a"
    );
    assert_eq!(host(None).engine(Some("unix:///b")), "unix:///b");
    assert_eq!(host(None).engine(Some("")), DOCKER_ENGINE);
    assert_eq!(host(None).engine(None), DOCKER_ENGINE);
    assert_eq!(host(None).runtime, RuntimeChoice::Auto);
}

#[test]
fn settings_are_never_printed() {
    let config = read("[channels.c]\ntype = \"fake\"\nurl = \"hidden\"\n").unwrap();
    assert_eq!(config.channels[0].settings["url"].as_str(), Some("hidden"));
    let printed = format!("{config:?}");
    assert!(
        printed.contains("url") && !printed.contains("hidden"),
        "{printed}"
    );
}

/// Text that often gets past the parser: lines of real keys and headers with odd values.
fn toml_ish() -> impl Strategy<Value = String> {
    let words = [
        keys::TOP,
        keys::HOST,
        keys::CHANNEL,
        keys::MODEL,
        keys::PRICES,
        keys::AGENT,
        keys::LIMITS,
        keys::WIRING,
        keys::CONVERSATION,
        keys::PERSON,
        keys::DESTINATION,
    ];
    let words: Vec<&str> = words.concat();
    let name = prop_oneof![
        4 => prop::sample::select(words),
        1 => Just("\"a b\""),
        1 => Just("A"),
        1 => Just("'\u{202e}'"),
        1 => Just("\"\\u0000\""),
    ];
    let value = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| format!("{text:?}")),
        "[0-9]{1,30}(ms|s|m|h|B|MiB|TiB|)".prop_map(|text| format!("\"{text}\"")),
        prop::sample::select(vec![
            "nan",
            "-inf",
            "0x7fffffffffffffff",
            "99999999999999999999",
            "1e999",
            "true",
            "[]",
            "{}",
            "[[{}]]",
            "[{ a.b.c = 1 }]",
            "1979-05-27",
            "\"*\"",
            "\"\\u0007\"",
            "\"offline\"",
            "\"cli\"",
            "{ pattern = \"(\" }",
            "[\"owner\", \"admin:A\", \"owner:\", \":\"]",
            "-9223372036854775808",
            "{ pattern = '(a{999}){999}' }",
            "\"env:\"",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    let path = prop::collection::vec(name, 1..4).prop_map(|parts| parts.join("."));
    let list = prop::sample::select(vec!["wirings", "conversations", "people", "destinations"]);
    let line = (path, value, list, 0..8_u8).prop_map(|(path, value, list, shape)| match shape {
        0 | 1 => format!("[{path}]"),
        2 => format!("[[{path}]]"),
        3 => format!("[[{list}]]"),
        _ => format!("{path} = {value}"),
    });
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

fn each_line_is_a_problem(text: &str) {
    let Err(problems) = read(text) else { return };
    let most = text.lines().count().max(1) + 1;
    for problem in problems.list() {
        let line = problem.to_string();
        assert!(!line.contains(char::is_control), "{line:?}");
        assert!((1..=most).contains(&problem.line()), "{line}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        each_line_is_a_problem(&text);
    }

    #[test]
    fn no_configuration_panics(text in toml_ish()) {
        each_line_is_a_problem(&text);
    }

    #[test]
    fn no_change_of_the_sample_panics(from in 0..SAMPLE.len(), len in 0..40_usize, with in ".{0,6}") {
        let head: String = SAMPLE.chars().take(from).collect();
        let tail: String = SAMPLE.chars().skip(from + len).collect();
        each_line_is_a_problem(&format!("{head}{with}{tail}"));
    }
}
