//! Every rule of the host, the channels and the agents.

use std::time::Duration;

use anchorhold_broker::{egress::Entry, ways::Prices};
use anchorhold_core::{
    entity::{
        AdminScope, EngageMode, GroupLimits, IgnoredPolicy, RuntimeChoice, SenderScope,
        SessionMode, UnknownSenderPolicy,
    },
    ids::{ChannelName, ChatId, FolderName},
    way_out::ModelApi,
};

use crate::config::{
    Agent, Channel, Host, Lifetimes, Model, Wiring,
    tests::{check, read},
};

const FULL: &str = r#"
[host]
runtime = "docker"
docker = "unix:///run/engine.sock"
image = "registry:5000/agents/base@sha256:0a"
max_sandboxes = 256
stop_grace = "300ms"
provider_patience = "2h"
[channels.work]
type = "fake"
unknown_senders = "request_approval"
bot_token = "env:WORK_TOKEN"
[channels.work.proxy]
port = 8080
[models.large]
provider = "openai"
base_url = "http://localhost:11434/v1/"
model = "large:1b"
max_output_tokens = 4096
context_tokens = 32_000
effort = "high"
[models.large.prices]
input = 3
output = 15.5
cache_read = 0.3
[agents.helper]
name = "Hélper"
provider = "paid"
model = "large"
egress = ["example.org", "*.example.org:8443"]
time_zone = "Europe/Berlin"
runtime = "sandbox"
assistant_name = "Hal"
admin_scope = "global"
[agents.helper.limits]
memory = "1GiB"
cpus = 0.29
pids = 1_000
file_size = "100MB"
progress = "1s"
turn = "2h"
idle = "90m"
prompt_messages = 1
tries = 0x14
[[wirings]]
channel = "work"
chat = "C-1"
agent = "helper"
engage = { pattern = "(?i)^help" }
senders = "known"
ignored = "accumulate"
session = "agent-shared"
priority = -7
"#;

/// Checks the problem of one line in `section`, without the section and the line number.
#[track_caller]
fn check_line(section: &str, line: &str, expect: &str) {
    let heading = match section.strip_prefix("agents.") {
        Some(_) => format!("[agents.a]\nprovider = \"offline\"\n[{section}]\n{line}\n"),
        None => format!("[{section}]\n{line}\n"),
    };
    let number = heading.lines().count();
    let expect: Vec<String> = [expect]
        .iter()
        .filter(|expect| !expect.is_empty())
        .map(|expect| format!("{section}.{expect} (line {number})"))
        .collect();
    let expect: Vec<&str> = expect.iter().map(String::as_str).collect();
    check(&heading, &expect);
}

#[test]
fn the_host_of_a_full_configuration_is_read_to_the_last_key() {
    let config = read(FULL).unwrap();
    assert_eq!(
        config.host,
        Host {
            runtime: RuntimeChoice::Docker,
            docker: Some("unix:///run/engine.sock".to_owned()),
            image: "registry:5000/agents/base@sha256:0a".to_owned(),
            max_sandboxes: 256,
            stop_grace: Duration::from_millis(300),
            provider_patience: Duration::from_hours(2),
        }
    );
}

#[test]
fn a_full_configuration_is_read_to_the_last_key() {
    let config = read(FULL).unwrap();
    let settings = "bot_token = \"env:WORK_TOKEN\"\nproxy.port = 8080\n";
    assert_eq!(
        config.channels,
        [Channel {
            name: ChannelName::parse("work").unwrap(),
            kind: "fake".to_owned(),
            unknown_senders: UnknownSenderPolicy::RequestApproval,
            settings: settings.parse().unwrap(),
        }]
    );
    assert_eq!(
        config.models,
        [Model {
            name: "large".to_owned(),
            provider: ModelApi::OpenAi,
            base_url: "http://localhost:11434/v1".to_owned(),
            model: "large:1b".to_owned(),
            key: None,
            prices: Some(Prices {
                input: 3000,
                output: 15_500,
                cache_read: 300,
                cache_write: 3000,
            }),
            max_output_tokens: Some(4096),
            context_tokens: Some(32_000),
            effort: Some("high".to_owned()),
            responses: false,
        }]
    );
    assert_eq!(
        config.agents,
        [Agent {
            folder: FolderName::parse("helper").unwrap(),
            name: "Hélper".to_owned(),
            provider: "paid".to_owned(),
            model: Some("large".to_owned()),
            harness: None,
            egress: vec![
                Entry::parse("example.org").unwrap(),
                Entry::parse("*.example.org:8443").unwrap(),
            ],
            time_zone: Some("Europe/Berlin".to_owned()),
            runtime: RuntimeChoice::Sandbox,
            limits: GroupLimits {
                memory_bytes: 1 << 30,
                cpu_millis: 290,
                pids: 1000,
                file_bytes: 100_000_000,
                progress_ms: 1000,
                turn_ms: 7_200_000,
                idle_ms: 5_400_000,
                prompt_messages: 1,
                tries: 20,
            },
            assistant_name: Some("Hal".to_owned()),
            admin_scope: AdminScope::Global,
        }]
    );
}

#[test]
fn a_full_configuration_is_nothing_to_wonder_at() {
    assert_eq!(read(FULL).unwrap().notes, Vec::<String>::new());
}

#[test]
fn lifetimes_are_read_and_have_their_bounds() {
    let day = Duration::from_hours(24);
    let plain = Lifetimes {
        idle_session: Some(30 * day),
        messages: 90 * day,
        sessions: 365 * day,
        dropped: 90 * day,
        files: 30 * day,
        people: 365 * day,
        trace: 30 * day,
        approvals: 90 * day,
        requests: 90 * day,
    };
    assert_eq!(read("").unwrap().retention, plain);
    let text = "[retention]\nidle_session = \"never\"\nmessages = \"14d\"\nsessions = \"15d\"\n\
                dropped = \"24h\"\nfiles = \"2d\"\npeople = \"31d\"\ntrace = \"3d\"\n\
                approvals = \"16d\"\nrequests = \"32d\"\n";
    let given = Lifetimes {
        idle_session: None,
        messages: 14 * day,
        sessions: 15 * day,
        dropped: day,
        files: 2 * day,
        people: 31 * day,
        trace: 3 * day,
        approvals: 16 * day,
        requests: 32 * day,
    };
    let config = read(text).unwrap();
    assert_eq!(config.retention, given);
    let again = read(&config.to_text().unwrap()).unwrap();
    assert_eq!(again.retention, given);
    for (line, expect) in [
        (
            "messages = \"13d\"",
            "retention.messages: must be from 14d to 3650d (line 2)",
        ),
        (
            "files = \"never\"",
            "retention.files: must be a whole number and a unit, one of ms, s, m, h, d, without a \
             space (line 2)",
        ),
        (
            "idle_session = \"23h\"",
            "retention.idle_session: must be from 1d to 3650d (line 2)",
        ),
        (
            "event = \"30d\"",
            "retention.event: unknown key; there are \"idle_session\", \"messages\", \"sessions\", \
             \"dropped\", \"files\", \"people\", \"trace\", \"approvals\", \"requests\" (line 2)",
        ),
    ] {
        check(&format!("[retention]\n{line}\n"), &[expect]);
    }
}

#[test]
fn a_full_wiring_is_read_to_the_last_key() {
    let config = read(FULL).unwrap();
    assert_eq!(
        config.wirings,
        [Wiring {
            channel: ChannelName::parse("work").unwrap(),
            chat: Some(ChatId::parse("C-1").unwrap()),
            agent: FolderName::parse("helper").unwrap(),
            engage: EngageMode::Pattern,
            pattern: Some("(?i)^help".to_owned()),
            sender_scope: SenderScope::Known,
            ignored: IgnoredPolicy::Accumulate,
            session_mode: SessionMode::AgentShared,
            priority: -7,
        }]
    );
}

#[test]
fn defaults_are_those_of_keys() {
    let text = "host.runtime = \"sandbox\"\n[channels.c]\ntype = \"cli\"\n[channels.f]\n\
                type = \"fake\"\n[agents.a]\nprovider = \"offline\"\n";
    let config = read(text).unwrap();
    assert_eq!(
        config.host,
        Host {
            runtime: RuntimeChoice::Sandbox,
            docker: None,
            image: "anchorhold-agent:latest".to_owned(),
            max_sandboxes: 4,
            stop_grace: Duration::from_secs(20),
            provider_patience: Duration::from_hours(6),
        }
    );
    let policies: Vec<_> = config
        .channels
        .iter()
        .map(|channel| channel.unknown_senders)
        .collect();
    assert_eq!(
        policies,
        [UnknownSenderPolicy::Public, UnknownSenderPolicy::Strict]
    );
    let agent = Agent {
        folder: FolderName::parse("a").unwrap(),
        name: "a".to_owned(),
        provider: "offline".to_owned(),
        model: None,
        harness: None,
        egress: Vec::new(),
        time_zone: None,
        runtime: RuntimeChoice::Sandbox,
        limits: GroupLimits {
            memory_bytes: 512 << 20,
            cpu_millis: 1000,
            pids: 256,
            file_bytes: 1 << 30,
            progress_ms: 5 * 60_000,
            turn_ms: 30 * 60_000,
            idle_ms: 10 * 60_000,
            prompt_messages: 20,
            tries: 5,
        },
        assistant_name: None,
        admin_scope: AdminScope::Group,
    };
    assert_eq!(config.agents, [agent]);
}

const HOST_RULES: &[(&str, &str)] = &[
    (
        "runtime = \"dokcer\"",
        "runtime: \"dokcer\" is not possible here; did you mean \"docker\"?",
    ),
    (
        "runtime = \"none at all\"",
        "runtime: \"none at all\" is not possible here; there are \"auto\", \"docker\", \
             \"sandbox\"",
    ),
    (
        "runtime = 1",
        "runtime: must be text in quotes, and is a whole number",
    ),
    ("docker = \"unix:///x\"", ""),
    (
        "docker = \"tcp://10.0.0.1:2375\"",
        "docker: must be the address of a Unix socket, such as \"unix:///var/run/docker.sock\"",
    ),
    (
        "docker = \"unix://relative\"",
        "docker: must be the address of a Unix socket, such as \"unix:///var/run/docker.sock\"",
    ),
    ("docker = \"\"", "docker: is empty"),
    ("image = \"a\\u0007b\"", "image: has a control character"),
    (
        "image = \"-x\"",
        "image: \"-x\" is not the name of an image, such as \"anchorhold-agent:latest\"",
    ),
    ("max_sandboxes = 1", ""),
    ("max_sandboxes = 0", "max_sandboxes: must be from 1 to 256"),
    (
        "max_sandboxes = 257",
        "max_sandboxes: must be from 1 to 256",
    ),
    (
        "max_sandboxes = -9223372036854775808",
        "max_sandboxes: must be from 1 to 256",
    ),
    (
        "max_sandboxes = 4.0",
        "max_sandboxes: must be a whole number, and is a number",
    ),
    (
        "max_sandboxes = 9223372036854775808",
        "max_sandboxes: is too large a number",
    ),
    ("stop_grace = \"100ms\"", ""),
    (
        "stop_grace = \"99ms\"",
        "stop_grace: must be from 100ms to 10m",
    ),
    (
        "stop_grace = \"601s\"",
        "stop_grace: must be from 100ms to 10m",
    ),
    (
        "stop_grace = \"99999999999999999999h\"",
        "stop_grace: is too large",
    ),
    (
        "stop_grace = \"20 s\"",
        "stop_grace: must be a whole number and a unit, one of ms, s, m, h, d, without a space",
    ),
    (
        "max_sandbox = 4",
        "max_sandbox: unknown key; did you mean \"max_sandboxes\"?",
    ),
];

#[test]
fn rules_of_the_host() {
    for (line, expect) in HOST_RULES {
        check_line("host", line, expect);
    }
    let image = format!("image = \"{}\"", "i".repeat(256));
    check_line("host", &image, "image: is longer than 255 characters");
    let docker = format!("docker = \"unix:///{}\"", "d".repeat(107));
    check_line("host", &docker, "docker: is longer than 114 characters");
    check(
        "host = 1\n",
        &["host: must be a table, and is a whole number (line 1)"],
    );
    check(
        "[hosts]\n",
        &["hosts: unknown key; did you mean \"host\"? (line 1)"],
    );
}

#[test]
fn rules_of_channels() {
    check(
        "[channels.c]\n[channels.'-d']\ntype = \"fake\"\n[channels.e]\ntype = \"pigeon\"\n\
         unknown_senders = \"all\"\n[channels]\nf = 1\n",
        &[
            "channels.c.type: is missing; there are \"cli\", \"fake\" (line 1)",
            "channels.-d: channel name may have only a-z, A-Z, 0-9, `-` and `_`, and starts with \
             a letter or a digit (line 2)",
            "channels.e.type: there is no channel type \"pigeon\"; there are \"cli\", \"fake\" \
             (line 5)",
            "channels.e.unknown_senders: \"all\" is not possible here; there are \"strict\", \
             \"request_approval\", \"public\" (line 6)",
            "channels.f: must be a table, and is a whole number (line 8)",
        ],
    );
    check(
        "channels = []\n",
        &["channels: must be a table, and is a list (line 1)"],
    );
}

#[test]
fn a_channels_secrets_are_references() {
    check(
        "[channels.c]\ntype = \"fake\"\nbot-token = \"123:abc\"\n[channels.c.deep]\n\
         apiKey = \"env:9\"\ntokens = [\"env:A\", \"file:b\"]\nmax_tokens = 5\nask_password = true\n",
        &[
            "channels.c.bot-token: a secret is given as `env:NAME` or `file:PATH`, never in the \
             file itself (line 3)",
            "channels.c.deep.apiKey: after `env:` comes the name of a variable: letters, digits \
             and `_` (line 5)",
            "channels.c.deep.tokens[1]: after `file:` comes an absolute path (line 6)",
        ],
    );
}

#[test]
fn rules_of_agents() {
    let cases = [
        ("name = \"\"", "name: is empty"),
        (
            "name = [\"A\"]",
            "name: must be text in quotes, and is a list",
        ),
        ("name = \"\\u0000\"", "name: has a control character"),
        (
            "model = 5.1",
            "model: must be text in quotes, and is a number",
        ),
        (
            "time_zone = \"Berlin\"",
            "time_zone: \"Berlin\" is no time zone, such as \"Europe/Berlin\"",
        ),
        (
            "runtime = true",
            "runtime: must be text in quotes, and is true or false",
        ),
        (
            "token = \"x\"",
            "token: unknown key; there are \"name\", \"provider\", \"model\", \
             \"harness\", \"egress\", \"time_zone\", \"runtime\", \
             \"assistant_name\", \"admin_scope\", \"limits\"",
        ),
        (
            "limits = 2020-02-02",
            "limits: must be a table, and is a date",
        ),
    ];
    for (line, expect) in cases {
        let text = format!("[agents.a]\nprovider = \"offline\"\n{line}\n");
        check(&text, &[&format!("agents.a.{expect} (line 3)")]);
    }
    let name = format!(
        "[agents.a]\nprovider = \"offline\"\nname = \"{}\"\n",
        "é".repeat(65)
    );
    check(
        &name,
        &["agents.a.name: is longer than 64 characters (line 3)"],
    );
    check(
        "[agents.'../x']\nprovider = 1\n[agents.Ab]\nprovider = \"paid\"\n[agents.aB]\n",
        &[
            "agents.\"../x\": folder name may have only a-z, A-Z, 0-9, `-` and `_`, and starts \
             with a letter or a digit (line 1)",
            "agents.\"../x\".provider: must be text in quotes, and is a whole number (line 2)",
            "agents.aB: differs from the agent \"Ab\" only in case (line 5)",
            "agents.aB.provider: is missing; there are \"offline\", \"paid\", \"anthropic\", \
             \"openai\", \"claude-code\" (line 5)",
        ],
    );
}

#[test]
fn rules_of_limits() {
    let cases = [
        ("memory = \"32MiB\"", ""),
        ("memory = \"31MiB\"", "memory: must be from 32MiB to 1TiB"),
        ("memory = \"1025GiB\"", "memory: must be from 32MiB to 1TiB"),
        ("memory = \"99999999TiB\"", "memory: is too large"),
        (
            "memory = 512",
            "memory: must be a size such as \"512MiB\", and is a whole number",
        ),
        (
            "memory = \"512M\"",
            "memory: must be a whole number and a unit, one of B, kB, MB, GB, TB, KiB, MiB, GiB, \
             TiB, without a space",
        ),
        ("cpus = 0.05", ""),
        ("cpus = 256", ""),
        ("cpus = 0.049", "cpus: must be from 0.05 to 256"),
        ("cpus = 256.001", "cpus: must be from 0.05 to 256"),
        ("cpus = -1", "cpus: must be from 0.05 to 256"),
        ("cpus = -0.0", "cpus: must be from 0.05 to 256"),
        ("cpus = 1e300", "cpus: must be from 0.05 to 256"),
        (
            "cpus = 9223372036854775807",
            "cpus: must be from 0.05 to 256",
        ),
        ("cpus = nan", "cpus: is not a finite number"),
        ("cpus = inf", "cpus: is not a finite number"),
        ("cpus = 1e999", "cpus: is not a finite number"),
        (
            "cpus = \"1\"",
            "cpus: must be a number such as 1.5, and is text",
        ),
        ("pids = 8", ""),
        ("pids = 7", "pids: must be from 8 to 32768"),
        ("file_size = \"1MiB\"", ""),
        (
            "file_size = \"1MB\"",
            "file_size: must be from 1MiB to 1TiB",
        ),
        ("progress = \"999ms\"", "progress: must be from 1s to 1d"),
        ("turn = \"25h\"", "turn: must be from 1s to 1d"),
        ("idle = \"168h\"", ""),
        ("idle = \"0s\"", "idle: must be from 1s to 7d"),
        (
            "prompt_messages = 201",
            "prompt_messages: must be from 1 to 200",
        ),
        ("tries = 0", "tries: must be from 1 to 20"),
        ("tris = 1", "tris: unknown key; did you mean \"tries\"?"),
    ];
    for (line, expect) in cases {
        check_line("agents.a.limits", line, expect);
    }
}

#[test]
fn ten_thousand_entries_are_enough() {
    let agents = |count: usize| -> String {
        let agent = |n| {
            [
                format!("[agents.a{n}]\n"),
                "provider = \"offline\"\n".to_owned(),
            ]
        };
        (0..count).flat_map(agent).collect()
    };
    assert_eq!(read(&agents(10_000)).unwrap().agents.len(), 10_000);
    check(
        &agents(10_001),
        &["agents: has 10001 entries; at most 10000 are accepted (line 1)"],
    );
    let channels: Vec<String> = (0..10_001).map(|n| format!("[channels.c{n}]\n")).collect();
    check(
        &channels.concat(),
        &["channels: has 10001 entries; at most 10000 are accepted (line 1)"],
    );
    let wirings = "[[wirings]]\n".repeat(10_001);
    check(
        &wirings,
        &["wirings: has 10001 entries; at most 10000 are accepted (line 1)"],
    );
}
