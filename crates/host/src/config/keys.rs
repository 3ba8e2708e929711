//! Every key of the file, with its default and its range: the one place where they are decided.
//!
//! `docs/configuration.md` says the same for people; a test holds the two together.

use std::time::Duration;

use anchorhold_core::{
    entity::{
        AdminScope, IgnoredPolicy, RuntimeChoice, SenderScope, SessionMode, UnknownSenderPolicy,
    },
    inbound::ChatKind,
};

/// The keys of the file itself.
pub(super) const TOP: &[&str] = &[
    "host",
    "retention",
    "channels",
    "models",
    "harnesses",
    "agents",
    "wirings",
    "conversations",
    "people",
    "destinations",
];
/// The keys of `[host]`.
pub(super) const HOST: &[&str] = &[
    "runtime",
    "docker",
    "image",
    "max_sandboxes",
    "stop_grace",
    "provider_patience",
];
/// The keys of `[retention]`.
pub(super) const RETENTION: &[&str] = &[
    "idle_session",
    "messages",
    "sessions",
    "dropped",
    "files",
    "people",
    "trace",
    "approvals",
    "requests",
];
/// The keys of `[models.NAME]`.
pub(super) const MODEL: &[&str] = &[
    "provider",
    "base_url",
    "model",
    "key",
    "max_output_tokens",
    "context_tokens",
    "effort",
    "api",
    "prices",
];
/// The keys of `[models.NAME.prices]`.
pub(super) const PRICES: &[&str] = &["input", "output", "cache_read", "cache_write"];
/// The keys of `[harnesses.NAME]`.
pub(super) const HARNESS: &[&str] = &["provider", "folder", "command", "environment"];
/// `harnesses.NAME.provider`: the providers that are programs of others.
pub(super) const HARNESS_PROVIDERS: &[&str] = &["acp", "claude-code"];
/// The keys of `[channels.NAME]` that are the host's; the others are the channel's own.
pub(super) const CHANNEL: &[&str] = &["type", "unknown_senders"];
/// The keys of `[agents.NAME]`.
pub(super) const AGENT: &[&str] = &[
    "name",
    "provider",
    "model",
    "harness",
    "egress",
    "time_zone",
    "runtime",
    "assistant_name",
    "admin_scope",
    "limits",
];
/// The keys of `[agents.NAME.limits]`.
pub(super) const LIMITS: &[&str] = &[
    "memory",
    "cpus",
    "pids",
    "file_size",
    "progress",
    "turn",
    "idle",
    "prompt_messages",
    "tries",
];
/// The keys of `[[wirings]]`.
pub(super) const WIRING: &[&str] = &[
    "channel", "chat", "agent", "engage", "senders", "ignored", "session", "priority",
];
/// The keys of `engage` where it is a table.
pub(super) const ENGAGE: &[&str] = &["pattern"];

/// The keys of `[[conversations]]`.
pub(super) const CONVERSATION: &[&str] = &[
    "channel",
    "chat",
    "kind",
    "name",
    "unknown_senders",
    "declined",
];
/// The keys of `[[people]]`.
pub(super) const PERSON: &[&str] = &["channel", "handle", "name", "roles", "member_of"];
/// The keys of `[[destinations]]`.
pub(super) const DESTINATION: &[&str] = &["agent", "name", "channel", "chat", "to_agent"];

/// A number with a default and a range; both ends belong to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds<T> {
    pub(super) default: T,
    pub(super) least: T,
    pub(super) most: T,
}

/// A choice between words, and the one that is taken where the file has none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<T: 'static> {
    pub(super) default: T,
    pub(super) all: &'static [T],
    pub(super) word: fn(T) -> &'static str,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = KIB << 10;
const GIB: u64 = MIB << 10;
const TIB: u64 = GIB << 10;

const fn days(count: u64) -> Duration {
    Duration::from_hours(24 * count)
}

/// `host.runtime`, and with the host's answer as default `agents.NAME.runtime`.
pub(super) const RUNTIME: Choice<RuntimeChoice> = Choice {
    default: RuntimeChoice::Auto,
    all: RuntimeChoice::ALL,
    word: RuntimeChoice::as_str,
};
/// `host.image`.
pub(super) const IMAGE: &str = "anchorhold-agent:latest";
/// `host.max_sandboxes`.
pub(super) const MAX_SANDBOXES: Bounds<u32> = Bounds {
    default: 4,
    least: 1,
    most: 256,
};
/// `host.stop_grace`. Zero would kill an agent in the middle of a write.
pub(super) const STOP_GRACE: Bounds<Duration> = Bounds {
    default: Duration::from_secs(20),
    least: Duration::from_millis(100),
    most: Duration::from_mins(10),
};
/// `host.provider_patience`.
pub(super) const PROVIDER_PATIENCE: Bounds<Duration> = Bounds {
    default: Duration::from_hours(6),
    least: Duration::from_mins(1),
    most: days(7),
};
/// `retention.idle_session`, where it is not `never`.
pub(super) const IDLE_SESSION: Bounds<Duration> = Bounds {
    default: days(30),
    least: days(1),
    most: days(3650),
};
/// `retention.messages`. Below the least, a message could be handed over again as a new one.
pub(super) const MESSAGES_KEPT: Bounds<Duration> = Bounds {
    default: days(90),
    least: days(14),
    most: days(3650),
};
/// `retention.sessions`. Below the least, what a person closed by mistake would be gone too soon.
pub(super) const SESSIONS_KEPT: Bounds<Duration> = Bounds {
    default: days(365),
    least: days(14),
    most: days(3650),
};
/// `retention.dropped`.
pub(super) const DROPPED_KEPT: Bounds<Duration> = Bounds {
    default: days(90),
    least: days(1),
    most: days(3650),
};
/// `retention.files`.
pub(super) const FILES_KEPT: Bounds<Duration> = Bounds {
    default: days(30),
    least: days(1),
    most: days(3650),
};
/// `retention.people`.
pub(super) const PEOPLE_KEPT: Bounds<Duration> = Bounds {
    default: days(365),
    least: days(30),
    most: days(3650),
};
/// `retention.trace`.
pub(super) const TRACE_KEPT: Bounds<Duration> = Bounds {
    default: days(30),
    least: days(1),
    most: days(3650),
};
/// `retention.approvals`, of decided ones. Below the least, a refusal could be forgotten within the
/// time in which nobody is asked again.
pub(super) const APPROVALS_KEPT: Bounds<Duration> = Bounds {
    default: days(90),
    least: days(14),
    most: days(3650),
};
/// `retention.requests`. Below the least, a month could not be summed up.
pub(super) const REQUESTS_KEPT: Bounds<Duration> = Bounds {
    default: days(90),
    least: days(31),
    most: days(3650),
};
/// `models.NAME.max_output_tokens`, where the file has it.
pub(super) const OUTPUT_TOKENS: Bounds<u32> = Bounds {
    default: 16_384,
    least: 256,
    most: 1_000_000,
};
/// `models.NAME.context_tokens`, where the file has it. Below the least, no turn fits.
pub(super) const CONTEXT_TOKENS: Bounds<u32> = Bounds {
    default: 128_000,
    least: 8_000,
    most: 100_000_000,
};
/// `models.NAME.prices`, each, in thousandths of a dollar for a million tokens.
pub(super) const PRICE: Bounds<u32> = Bounds {
    default: 0,
    least: 0,
    most: 10_000_000,
};
/// `channels.NAME.unknown_senders`; its default is the channel type's.
pub(super) const UNKNOWN_SENDERS: Choice<UnknownSenderPolicy> = Choice {
    default: UnknownSenderPolicy::Strict,
    all: UnknownSenderPolicy::ALL,
    word: UnknownSenderPolicy::as_str,
};
/// `models.NAME.api`: is it Responses?
pub(super) const API: Choice<bool> = Choice {
    default: false,
    all: &[false, true],
    word: |responses| {
        if responses {
            "responses"
        } else {
            "chat-completions"
        }
    },
};
/// `agents.NAME.admin_scope`.
pub(super) const ADMIN_SCOPE: Choice<AdminScope> = Choice {
    default: AdminScope::Group,
    all: AdminScope::ALL,
    word: AdminScope::as_str,
};
/// `agents.NAME.limits.memory`. Below the least, the agent-runner itself does not start.
pub(super) const MEMORY: Bounds<u64> = Bounds {
    default: 512 * MIB,
    least: 32 * MIB,
    most: TIB,
};
/// `agents.NAME.limits.cpus`, in thousandths.
pub(super) const CPU_MILLIS: Bounds<u32> = Bounds {
    default: 1000,
    least: 50,
    most: 256_000,
};
/// `agents.NAME.limits.pids`. Below the least, the agent-runner can't start a tool.
pub(super) const PIDS: Bounds<u32> = Bounds {
    default: 256,
    least: 8,
    most: 32_768,
};
/// `agents.NAME.limits.file_size`. Below the least, the session's own files don't fit.
pub(super) const FILE_SIZE: Bounds<u64> = Bounds {
    default: GIB,
    least: MIB,
    most: TIB,
};
/// `agents.NAME.limits.progress`. Below the least, the host's own rounds would be the limit.
pub(super) const PROGRESS: Bounds<Duration> = Bounds {
    default: Duration::from_mins(5),
    least: Duration::from_secs(1),
    most: Duration::from_hours(24),
};
/// `agents.NAME.limits.turn`.
pub(super) const TURN: Bounds<Duration> = Bounds {
    default: Duration::from_mins(30),
    least: Duration::from_secs(1),
    most: Duration::from_hours(24),
};
/// `agents.NAME.limits.idle`.
pub(super) const IDLE: Bounds<Duration> = Bounds {
    default: Duration::from_mins(10),
    least: Duration::from_secs(1),
    most: Duration::from_hours(168),
};
/// `agents.NAME.limits.prompt_messages`.
pub(super) const PROMPT_MESSAGES: Bounds<u32> = Bounds {
    default: 20,
    least: 1,
    most: 200,
};
/// `agents.NAME.limits.tries`.
pub(super) const TRIES: Bounds<u32> = Bounds {
    default: 5,
    least: 1,
    most: 20,
};
/// `wirings.engage` where it is a word; `always` is a pattern that matches everything.
pub(super) const ENGAGE_WORDS: &[&str] = &["always", "mention", "mention-sticky"];
/// `wirings.senders`.
pub(super) const SENDERS: Choice<SenderScope> = Choice {
    default: SenderScope::All,
    all: SenderScope::ALL,
    word: SenderScope::as_str,
};
/// `wirings.ignored`.
pub(super) const IGNORED: Choice<IgnoredPolicy> = Choice {
    default: IgnoredPolicy::Drop,
    all: IgnoredPolicy::ALL,
    word: IgnoredPolicy::as_str,
};
/// `wirings.session`.
pub(super) const SESSION: Choice<SessionMode> = Choice {
    default: SessionMode::PerThread,
    all: SessionMode::ALL,
    word: SessionMode::as_str,
};
/// `wirings.priority`.
pub(super) const PRIORITY: Bounds<i32> = Bounds {
    default: 0,
    least: i32::MIN,
    most: i32::MAX,
};
/// `conversations.kind`, which has to be there.
pub(super) const KINDS: &[(&str, ChatKind)] =
    &[("direct", ChatKind::Direct), ("group", ChatKind::Group)];
/// `people.roles`, without that of one agent.
pub(super) const ROLES: &[&str] = &["owner", "admin", "admin:AGENT"];

/// The longest name of an agent, in characters.
pub(super) const NAME_LIMIT_CHARS: usize = 64;
/// The longest name of a destination, in bytes.
pub(super) const DESTINATION_LIMIT_BYTES: usize = 64;
/// The longest name that a provider has for a model, in characters.
pub(super) const MODEL_LIMIT_CHARS: usize = 128;
/// The longest base URL, in characters.
pub(super) const URL_LIMIT_CHARS: usize = 512;
/// The longest word for how hard a model thinks, in characters.
pub(super) const EFFORT_LIMIT_CHARS: usize = 32;
/// The longest name of an image, in characters.
pub(super) const IMAGE_LIMIT_CHARS: usize = 255;
/// The longest path of a folder, in characters.
pub(super) const PATH_LIMIT_CHARS: usize = 1024;
/// The longest argument of a command, or value of a variable, in bytes.
pub(super) const ARGUMENT_LIMIT_BYTES: usize = 4096;
/// The longest path of a Unix socket, in bytes; the kernel sets it.
pub(super) const SOCKET_LIMIT_BYTES: usize = 107;
