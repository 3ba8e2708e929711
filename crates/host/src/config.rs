//! `channels.toml`: parsed, checked and turned into one [`Config`] value.
//!
//! Parse, then check, then build: parsing keeps the line of every key, checking is pure and
//! collects every problem it finds, and building happens elsewhere, from a `Config` that has none.
//! A problem is one line of the form `file: key: what is wrong (line N)`.
//!
//! What a channel's own settings mean is the business of its crate: they are handed on as a table,
//! and [`Config::problem`] turns what the channel finds wrong with them into the same kind of line.
//!
//! Start at [`load`]; defaults and ranges of all keys are in `keys.rs`, for people in
//! `docs/configuration.md`.

pub mod problem;

mod check;
mod harness;
mod keys;
mod locate;
mod model;
mod parse;
mod person;
mod place;
mod quantity;
mod report;
mod secret;
mod section;
mod suggest;
mod wire;
mod write;

use std::{collections::BTreeMap, fmt, time::Duration};

use anchorhold_broker::{egress, ways::Prices};
use anchorhold_channel::SecretRef;
use anchorhold_core::{
    entity::{
        AdminScope, EngageMode, GroupLimits, IgnoredPolicy, RuntimeChoice, SenderScope,
        SessionMode, UnknownSenderPolicy,
    },
    ids::{ChannelName, ChatId, FolderName, Handle},
    inbound::ChatKind,
    way_out::ModelApi,
};
use camino::{Utf8Path, Utf8PathBuf};

use crate::config::{
    locate::Place,
    problem::{Problem, Problems},
    report::Report,
};

/// The largest file that is accepted, in bytes. Whoever reads the file stops after one byte more.
pub const FILE_LIMIT_BYTES: usize = 8 * 1024 * 1024;

/// The most channels, agents, wirings and so on that are accepted, of each.
pub const ENTRY_LIMIT: usize = 10_000;

/// The longest name of a conversation or a person, in characters. Those of platforms are not longer.
pub const TITLE_LIMIT_CHARS: usize = 255;

/// Where the container engine listens if neither the file nor `DOCKER_HOST` says otherwise.
pub const DOCKER_ENGINE: &str = "unix:///var/run/docker.sock";

/// What this build of the host can do: the file may ask for nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The providers by name.
    pub providers: &'a [&'a str],
    /// The channel types.
    pub channel_types: &'a [ChannelType<'a>],
}

/// One channel type, as far as the configuration needs to know it.
#[derive(Clone, Copy, Debug)]
pub struct ChannelType<'a> {
    /// What `type` has to say.
    pub name: &'a str,
    /// What happens to strangers' messages where the file does not say it.
    pub unknown_senders: UnknownSenderPolicy,
}

/// A whole configuration without a problem in it.
#[derive(Clone, Debug)]
pub struct Config {
    /// The host itself.
    pub host: Host,
    /// What is forgotten when.
    pub retention: Lifetimes,
    /// The channel instances, by name.
    pub channels: Vec<Channel>,
    /// The models, by name.
    pub models: Vec<Model>,
    /// The harnesses, by name.
    pub harnesses: Vec<Harness>,
    /// The agents, by folder.
    pub agents: Vec<Agent>,
    /// The wirings, in the order of the file.
    pub wirings: Vec<Wiring>,
    /// The conversations, in the order of the file.
    pub conversations: Vec<Conversation>,
    /// The people, in the order of the file.
    pub people: Vec<Person>,
    /// The destinations, in the order of the file.
    pub destinations: Vec<Destination>,
    /// What is allowed and yet probably not meant, as lines for the operator.
    pub notes: Vec<String>,
    written: Written,
    file: Utf8PathBuf,
    root: Place,
}

/// What only the file knows, as it was written there: the host, lifetimes, channel instances, models and
/// harnesses.
#[derive(Clone)]
struct Written(toml::Table);

/// The tables that only the file knows.
const WRITTEN: &[&str] = &["host", "retention", "channels", "models", "harnesses"];

/// Settings of the host itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The wall of agents that name none.
    pub runtime: RuntimeChoice,
    /// The container engine's address, where the file has one; see [`Host::engine`].
    pub docker: Option<String>,
    /// The image that agents run in under a container engine.
    pub image: String,
    /// How many sandboxes run at the same time.
    pub max_sandboxes: u32,
    /// How long a sandbox may take to stop before it is killed.
    pub stop_grace: Duration,
    /// How long messages wait for a provider that limits the rate, or whose account needs somebody.
    pub provider_patience: Duration,
}

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Silence after which a session that owes nothing sleeps until the next message; `None` for
    /// never.
    pub idle_session: Option<Duration>,
    /// Messages that have ended, with their deliveries and attempts.
    pub messages: Duration,
    /// Sessions that sleep or are closed, with their folders.
    pub sessions: Duration,
    /// Records of who was declined.
    pub dropped: Duration,
    /// Files of messages and deliveries that have ended.
    pub files: Duration,
    /// People without any tie.
    pub people: Duration,
    /// What became of each message, step by step.
    pub trace: Duration,
    /// Requests for approval that are decided or have expired.
    pub approvals: Duration,
    /// What went through the ways out, with what it cost.
    pub requests: Duration,
}

/// One channel instance.
#[derive(Clone, PartialEq)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Its type, one of [`Known::channel_types`].
    pub kind: String,
    /// What happens to strangers' messages in its conversations.
    pub unknown_senders: UnknownSenderPolicy,
    /// Everything else its table has, for the channel's own crate to read.
    pub settings: toml::Table,
}

/// One model that agents may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What the file calls it.
    pub name: String,
    /// How it is spoken to.
    pub provider: ModelApi,
    /// Where, without a slash at the end.
    pub base_url: String,
    /// What the provider calls it.
    pub model: String,
    /// Where the key is, if it needs one.
    pub key: Option<SecretRef>,
    /// What it costs, where the file says so.
    pub prices: Option<Prices>,
    /// The most tokens of one answer.
    pub max_output_tokens: Option<u32>,
    /// How many tokens it can read at once.
    pub context_tokens: Option<u32>,
    /// How hard it thinks, in the provider's own word.
    pub effort: Option<String>,
    /// Is it spoken to over Responses instead of Chat Completions?
    pub responses: bool,
}

/// One program of others that agents may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Harness {
    /// What the file calls it.
    pub name: String,
    /// How it is spoken to.
    pub provider: String,
    /// The folder of the machine that has it; `None` where the sandbox has it already.
    pub folder: Option<Utf8PathBuf>,
    /// The program and its arguments; empty for the usual ones.
    pub command: Vec<String>,
    /// Its environment, beside that of every command inside.
    pub environment: BTreeMap<String, String>,
}

/// One agent group, before the store has given it an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The folder of its workspace.
    pub folder: FolderName,
    /// The name it goes by.
    pub name: String,
    /// Which provider runs its turns, one of [`Known::providers`].
    pub provider: String,
    /// Its model, one of [`Config::models`].
    pub model: Option<String>,
    /// The program that it is, one of [`Config::harnesses`].
    pub harness: Option<String>,
    /// The hosts it may reach.
    pub egress: Vec<egress::Entry>,
    /// Where its people live, as the zone's IANA name: what it is told of times is in their time.
    pub time_zone: Option<String>,
    /// Which wall.
    pub runtime: RuntimeChoice,
    /// What its sandboxes may use.
    pub limits: GroupLimits,
    /// The name the agent calls itself, if not [`Agent::name`].
    pub assistant_name: Option<String>,
    /// How much of the administration it may ask for.
    pub admin_scope: AdminScope,
}

/// One wiring, by the names of its ends. Both exist in the same [`Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat; `None` for every chat of the instance.
    pub chat: Option<ChatId>,
    /// The agent that hears.
    pub agent: FolderName,
    /// When it is woken.
    pub engage: EngageMode,
    /// The pattern of [`EngageMode::Pattern`]; `.` matches everything.
    pub pattern: Option<String>,
    /// Whose messages count.
    pub sender_scope: SenderScope,
    /// What becomes of the others.
    pub ignored: IgnoredPolicy,
    /// Which session.
    pub session_mode: SessionMode,
    /// The higher one is asked first.
    pub priority: i32,
}

/// One conversation. Its channel exists in the same [`Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat.
    pub chat: ChatId,
    /// Direct or group.
    pub kind: ChatKind,
    /// What it is called, where the platform does not say.
    pub name: Option<String>,
    /// What happens to strangers' messages; `None` is the channel's policy.
    pub unknown_senders: Option<UnknownSenderPolicy>,
    /// Is it declined?
    pub declined: bool,
}

/// One person. Their channel and the agents exist in the same [`Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's id of them.
    pub handle: Handle,
    /// What they are called, where the platform does not say.
    pub name: Option<String>,
    /// What they may do.
    pub roles: Vec<Role>,
    /// The agents they may talk to.
    pub member_of: Vec<FolderName>,
}

/// What a person may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything, everywhere.
    Owner,
    /// Administers every agent.
    Admin,
    /// Administers one agent.
    AdminOf(FolderName),
}

/// One place that an agent may write to. Both ends exist in the same [`Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The agent.
    pub agent: FolderName,
    /// What it calls the place.
    pub name: String,
    /// The place.
    pub target: Target,
}

/// What a destination leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A conversation.
    Chat {
        /// The channel instance.
        channel: ChannelName,
        /// The chat.
        chat: ChatId,
    },
    /// Another agent.
    Agent(FolderName),
}

/// Turns the text of the file at `path` into a configuration, or into every problem it has.
///
/// Nothing is read but the text; `path` only stands in front of the problems.
pub fn load(text: &str, path: &Utf8Path, known: Known<'_>) -> Result<Config, Problems> {
    let parsed = parse::parse(text, path)?;
    let mut report = Report::new(path, parsed.root);
    for fault in parsed.faults {
        report.add(&fault.at, fault.what);
    }
    let checked = check::check(&mut report, &parsed.table, known);
    let root = report.finish()?;
    let notes = wire::notes(path, &root, &checked);
    Ok(Config {
        host: checked.host,
        retention: checked.retention,
        channels: checked.channels,
        models: checked.models,
        harnesses: checked.harnesses,
        agents: checked.agents,
        wirings: checked.wirings,
        conversations: checked.conversations,
        people: checked.people,
        destinations: checked.destinations,
        notes,
        written: Written::of(&parsed.table),
        file: path.to_owned(),
        root,
    })
}

/// Is this how the file writes every chat of a channel?
pub fn is_every_chat(chat: &str) -> bool {
    chat == wire::EVERY_CHAT
}

/// Can a destination of the file have this name?
pub fn is_destination_name(name: &str) -> bool {
    place::is_slug(name)
}

/// What of an agent's name the file may have: no control character, and not too much of it.
pub fn plain_agent_name(name: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    name.chars()
        .take(keys::NAME_LIMIT_CHARS)
        .map(blank)
        .collect()
}

impl Config {
    /// The line of a key, counted from 1; an item of a list is named by its index.
    ///
    /// Of a key that is not in the file, the line of the table it is missing from.
    pub fn locate(&self, at: &[&str]) -> usize {
        self.root.find(at).line
    }

    /// A problem that somebody else found with the value at this key.
    pub fn problem(&self, at: &[&str], what: &str) -> Problem {
        Problem::new(&self.file, self.root.find(at), what)
    }

    /// The text of a file that says the same, in which only what differs from a default is written.
    /// The host, lifetimes, channels, models and harnesses are as they were written, without their comments.
    ///
    /// [`load`] reads it to an equal configuration, as far as the values are ones it accepts.
    pub fn to_text(&self) -> Result<String, toml::ser::Error> {
        write::text(self)
    }
}

impl Written {
    fn of(table: &toml::Table) -> Self {
        let kept = table
            .iter()
            .filter(|(key, _)| WRITTEN.contains(&key.as_str()));
        Self(
            kept.map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        )
    }
}

impl Host {
    /// The engine's address: the file's, else that of the variable `DOCKER_HOST`, else
    /// [`DOCKER_ENGINE`]. A variable that is empty counts as not set.
    pub fn engine<'a>(&'a self, docker_host: Option<&'a str>) -> &'a str {
        self.docker
            .as_deref()
            .or(docker_host.filter(|address| !address.is_empty()))
            .unwrap_or(DOCKER_ENGINE)
    }
}

/// Prints the settings' keys only: a secret that strayed into them is not to reach a log.
impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("unknown_senders", &self.unknown_senders)
            .field("settings", &self.settings.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Prints nothing of it: a secret that strayed into a channel's settings is not to reach a log.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Written").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
