//! The checks of the host, the channels and the agents.

use std::{collections::BTreeMap, fmt};

use anchorhold_core::{
    entity::{GroupLimits, RuntimeChoice},
    ids::{ChannelName, FolderName},
};
use jiff::tz::TimeZone;
use toml::Table;

use crate::{
    agents,
    config::{
        Agent, Channel, ChannelType, Conversation, DOCKER_ENGINE, Destination, Harness, Host,
        Known, Lifetimes, Model, Person, Wiring,
        harness::{self, Harnesses},
        keys::{self, Choice},
        model::{self, Models},
        person, place,
        problem::quote,
        report::Report,
        secret,
        section::Section,
        wire::{self, Names},
    },
};

/// What the checks made of the file. It is worth something only if the report is empty.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) host: Host,
    pub(super) retention: Lifetimes,
    pub(super) channels: Vec<Channel>,
    pub(super) models: Vec<Model>,
    pub(super) harnesses: Vec<Harness>,
    pub(super) agents: Vec<Agent>,
    pub(super) wirings: Vec<Wiring>,
    pub(super) conversations: Vec<Conversation>,
    pub(super) people: Vec<Person>,
    pub(super) destinations: Vec<Destination>,
}

/// What an agent's table is checked against.
struct Around<'t> {
    runtime: RuntimeChoice,
    models: Models<'t>,
    harnesses: Harnesses<'t>,
    known: Known<'t>,
}

/// Checks the whole file.
pub(super) fn check(report: &mut Report, table: &Table, known: Known<'_>) -> Checked {
    let root = Section::root(table);
    root.refuse_others(report, keys::TOP);
    let host = host(report, &root);
    let retention = retention(report, &root);
    let channels: Vec<Channel> = root
        .named(report, "channels")
        .into_iter()
        .filter_map(|(name, section)| channel(report, name, &section, known.channel_types))
        .collect();
    let models = model::models(report, &root);
    let harnesses = harness::harnesses(report, &root);
    let sections = root.named(report, "agents");
    refuse_same_folders(report, &sections);
    let around = Around {
        runtime: host.runtime,
        models: Models::of(&root),
        harnesses: Harnesses::of(&root),
        known,
    };
    let agents = sections
        .into_iter()
        .filter_map(|(folder, section)| agent(report, folder, &section, &around))
        .collect();
    let names = Names::of(&root);
    Checked {
        host,
        retention,
        channels,
        models,
        harnesses,
        agents,
        wirings: wire::wirings(report, &root, &names),
        conversations: place::conversations(report, &root, &names),
        people: person::people(report, &root, &names),
        destinations: place::destinations(report, &root, &names),
    }
}

fn host(report: &mut Report, root: &Section<'_>) -> Host {
    let section = root.section(report, "host");
    section.refuse_others(report, keys::HOST);
    Host {
        runtime: section.choice(report, "runtime", &keys::RUNTIME),
        docker: docker(report, &section),
        image: image(report, &section),
        max_sandboxes: section.count(report, "max_sandboxes", &keys::MAX_SANDBOXES),
        stop_grace: section.duration(report, "stop_grace", &keys::STOP_GRACE),
        provider_patience: section.duration(report, "provider_patience", &keys::PROVIDER_PATIENCE),
    }
}

fn retention(report: &mut Report, root: &Section<'_>) -> Lifetimes {
    let section = root.section(report, "retention");
    section.refuse_others(report, keys::RETENTION);
    Lifetimes {
        idle_session: section.duration_or_never(report, "idle_session", &keys::IDLE_SESSION),
        messages: section.duration(report, "messages", &keys::MESSAGES_KEPT),
        sessions: section.duration(report, "sessions", &keys::SESSIONS_KEPT),
        dropped: section.duration(report, "dropped", &keys::DROPPED_KEPT),
        files: section.duration(report, "files", &keys::FILES_KEPT),
        people: section.duration(report, "people", &keys::PEOPLE_KEPT),
        trace: section.duration(report, "trace", &keys::TRACE_KEPT),
        approvals: section.duration(report, "approvals", &keys::APPROVALS_KEPT),
        requests: section.duration(report, "requests", &keys::REQUESTS_KEPT),
    }
}

/// Only sockets of this machine: an engine's address on the network is root for who can reach it.
fn docker(report: &mut Report, section: &Section<'_>) -> Option<String> {
    let limit = "unix://".len() + keys::SOCKET_LIMIT_BYTES;
    let address = section.text(report, "docker", limit)?;
    let path = address.strip_prefix("unix://").unwrap_or_default();
    if !path.starts_with('/') || path.len() > keys::SOCKET_LIMIT_BYTES {
        let what = format!("must be the address of a Unix socket, such as {DOCKER_ENGINE:?}");
        report.add(&section.key("docker"), what);
    }
    Some(address.to_owned())
}

fn image(report: &mut Report, section: &Section<'_>) -> String {
    let Some(image) = section.text(report, "image", keys::IMAGE_LIMIT_CHARS) else {
        return keys::IMAGE.to_owned();
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if !image.starts_with(|c: char| c.is_ascii_alphanumeric()) || !image.chars().all(plain) {
        let what = format!(
            "{} is not the name of an image, such as {:?}",
            quote(image),
            keys::IMAGE
        );
        report.add(&section.key("image"), what);
    }
    image.to_owned()
}

fn channel(
    report: &mut Report,
    name: &str,
    section: &Section<'_>,
    types: &[ChannelType<'_>],
) -> Option<Channel> {
    let parsed = named(report, section, ChannelName::parse(name));
    if name == agents::CHANNEL {
        let what = "is the name of the channel between agents; call this one otherwise";
        report.add(section.at(), what);
    }
    let names: Vec<&str> = types.iter().map(|known| known.name).collect();
    let kind = one_of(report, section, ("type", "channel type"), &names);
    let known = types.iter().find(|known| Some(known.name) == kind);
    let policy = Choice {
        default: known.map_or(keys::UNKNOWN_SENDERS.default, |known| known.unknown_senders),
        ..keys::UNKNOWN_SENDERS
    };
    let unknown_senders = section.choice(report, "unknown_senders", &policy);
    let settings: Table = section
        .iter()
        .filter(|(key, _)| !keys::CHANNEL.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    secret::refuse_inline(report, section.at(), &settings);
    Some(Channel {
        name: parsed?,
        kind: kind?.to_owned(),
        unknown_senders,
        settings,
    })
}

fn agent<'t>(
    report: &mut Report,
    folder: &str,
    section: &Section<'t>,
    around: &Around<'t>,
) -> Option<Agent> {
    let parsed = named(report, section, FolderName::parse(folder));
    section.refuse_others(report, keys::AGENT);
    let (harness, implied) = harness::of_agent(report, section, &around.harnesses);
    let known = (around.known, implied);
    let (model, provider) = model::of_agent(report, section, &around.models, known);
    let egress = model::egress(report, section);
    let time_zone = time_zone(report, section);
    let name = section.text(report, "name", keys::NAME_LIMIT_CHARS);
    let runtime = Choice {
        default: around.runtime,
        ..keys::RUNTIME
    };
    let runtime = section.choice(report, "runtime", &runtime);
    let assistant_name = section.text(report, "assistant_name", keys::NAME_LIMIT_CHARS);
    let admin_scope = section.choice(report, "admin_scope", &keys::ADMIN_SCOPE);
    let limits = limits(report, section);
    Some(Agent {
        name: name.unwrap_or(folder).to_owned(),
        folder: parsed?,
        provider: provider?,
        model: model.map(str::to_owned),
        harness: harness.map(str::to_owned),
        egress,
        time_zone,
        runtime,
        limits,
        assistant_name: assistant_name.map(str::to_owned),
        admin_scope,
    })
}

/// A zone that this machine knows.
fn time_zone(report: &mut Report, agent: &Section<'_>) -> Option<String> {
    let name = agent.text(report, "time_zone", keys::NAME_LIMIT_CHARS)?;
    if TimeZone::get(name).is_err() {
        let what = format!("{} is no time zone, such as \"Europe/Berlin\"", quote(name));
        report.add(&agent.key("time_zone"), what);
    }
    Some(name.to_owned())
}

fn limits(report: &mut Report, agent: &Section<'_>) -> GroupLimits {
    let section = agent.section(report, "limits");
    section.refuse_others(report, keys::LIMITS);
    GroupLimits {
        memory_bytes: section.size(report, "memory", &keys::MEMORY),
        cpu_millis: section.thousandths(report, "cpus", &keys::CPU_MILLIS),
        pids: section.count(report, "pids", &keys::PIDS),
        file_bytes: section.size(report, "file_size", &keys::FILE_SIZE),
        progress_ms: section.millis(report, "progress", &keys::PROGRESS),
        turn_ms: section.millis(report, "turn", &keys::TURN),
        idle_ms: section.millis(report, "idle", &keys::IDLE),
        prompt_messages: section.count(report, "prompt_messages", &keys::PROMPT_MESSAGES),
        tries: section.count(report, "tries", &keys::TRIES),
    }
}

/// The name of a table as an id; what is wrong with it belongs to the table.
fn named<T, E: fmt::Display>(
    report: &mut Report,
    section: &Section<'_>,
    parsed: Result<T, E>,
) -> Option<T> {
    parsed
        .map_err(|error| report.add(section.at(), error.to_string()))
        .ok()
}

/// The text of a key that has to be there and to be one of `names`; `what` is what they name.
pub(super) fn one_of<'t>(
    report: &mut Report,
    section: &Section<'t>,
    (key, what): (&str, &str),
    names: &[&str],
) -> Option<&'t str> {
    let text = section.required(report, key, &report.suggest("", names))?;
    if !names.contains(&text) {
        let suggestion = report.suggest(text, names);
        let what = format!("there is no {what} {}{suggestion}", quote(text));
        report.add(&section.key(key), what);
    }
    Some(text)
}

/// Folders that differ only in case are one folder on some file systems, and two agents in one
/// workspace could read each other's files.
fn refuse_same_folders(report: &mut Report, agents: &[(&str, Section<'_>)]) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (folder, section) in agents {
        if let Some(other) = seen.insert(folder.to_ascii_lowercase(), folder) {
            let what = format!("differs from the agent {} only in case", quote(other));
            report.add(section.at(), what);
        }
    }
}

#[cfg(test)]
mod tests;
