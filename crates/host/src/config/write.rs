//! A configuration as the text of a file: the way back from [`load`](crate::config::load).
//!
//! What only the file knows is serialised by the `toml` crate; an editor that keeps comments would
//! add a dependency for two tables. The entries are written here, a key a line: the crate would write
//! text with line ends over several, and a stranger's name must not look like an entry of its own.

use std::{fmt::Write, time::Duration};

use anchorhold_core::{
    entity::{EngageMode, GroupLimits, RuntimeChoice},
    ids::FolderName,
    inbound::ChatKind,
    pattern::EVERYTHING,
};
use toml::{Table, ser::Error};

use crate::config::{
    Agent, Config, Conversation, Destination, Person, Role, Target, WRITTEN, Wiring,
    keys::{self, Bounds, Choice},
    quantity::{format_duration, format_size, format_thousandths},
    wire::EVERY_CHAT,
};

/// See [`Config::to_text`].
pub(super) fn text(config: &Config) -> Result<String, Error> {
    let mut text = Text(String::new());
    for key in WRITTEN {
        if let Some(value) = config.written.0.get(*key) {
            let table = Table::from_iter([((*key).to_owned(), value.clone())]);
            text.part(&toml::to_string(&table)?);
        }
    }
    for agent in &config.agents {
        write_agent(&mut text, agent, config.host.runtime);
    }
    for wiring in &config.wirings {
        write_wiring(&mut text, wiring);
    }
    for conversation in &config.conversations {
        write_conversation(&mut text, conversation);
    }
    for person in &config.people {
        write_person(&mut text, person);
    }
    for destination in &config.destinations {
        write_destination(&mut text, destination);
    }
    Ok(text.0)
}

/// The file as it grows.
struct Text(String);

impl Text {
    /// Adds whole lines, after an empty one.
    fn part(&mut self, lines: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(lines);
    }

    fn heading(&mut self, heading: &str) {
        self.part(heading);
        self.0.push('\n');
    }

    /// Adds a key with text.
    fn quoted(&mut self, key: &str, text: &str) {
        self.plain(key, Some(quote(text)));
    }

    /// Adds a key with text, where there is some.
    fn opt_quoted(&mut self, key: &str, text: Option<&str>) {
        self.plain(key, text.map(quote));
    }

    /// Adds a key with a list, unless it is empty.
    fn list(&mut self, key: &str, items: &[String]) {
        let items: Vec<String> = items.iter().map(|item| quote(item)).collect();
        let list = format!("[{}]", items.join(", "));
        self.plain(key, Some(list).filter(|_| !items.is_empty()));
    }

    /// Adds a key with a value that is TOML already, where there is one.
    fn plain(&mut self, key: &str, value: Option<String>) {
        if let Some(value) = value {
            self.0.extend([key, " = ", &value, "\n"]);
        }
    }
}

/// A basic string of TOML, on one line. Besides what has to be escaped, this does it with what moves
/// the text around it: other line ends, and marks of direction.
fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        let moves = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || moves => {
                // Writing into a string can't fail.
                let _done = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn write_agent(text: &mut Text, agent: &Agent, default_runtime: RuntimeChoice) {
    // The name of a folder is a bare key.
    let folder = agent.folder.as_str();
    let runtime = Choice {
        default: default_runtime,
        ..keys::RUNTIME
    };
    text.heading(&format!("[agents.{folder}]"));
    let name = Some(agent.name.as_str()).filter(|name| *name != folder);
    text.opt_quoted("name", name);
    text.quoted("provider", &agent.provider);
    text.opt_quoted("model", agent.model.as_deref());
    text.opt_quoted("harness", agent.harness.as_deref());
    let egress: Vec<String> = agent.egress.iter().map(ToString::to_string).collect();
    text.list("egress", &egress);
    text.opt_quoted("time_zone", agent.time_zone.as_deref());
    text.opt_quoted("runtime", word(agent.runtime, &runtime));
    text.opt_quoted("assistant_name", agent.assistant_name.as_deref());
    text.opt_quoted("admin_scope", word(agent.admin_scope, &keys::ADMIN_SCOPE));
    let limits: Vec<_> = limits(&agent.limits)
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .collect();
    if !limits.is_empty() {
        text.heading(&format!("[agents.{folder}.limits]"));
    }
    for (key, value) in limits {
        text.plain(key, value);
    }
}

/// Each limit, with its value where that is not the default.
fn limits(limits: &GroupLimits) -> [(&'static str, Option<String>); 9] {
    let duration = |ms, bounds: &Bounds<Duration>| {
        let time = Duration::from_millis(ms);
        (time != bounds.default).then(|| quote(&format_duration(time)))
    };
    let size =
        |bytes, bounds: &Bounds<u64>| (bytes != bounds.default).then(|| quote(&format_size(bytes)));
    let count =
        |number: u32, bounds: &Bounds<u32>| (number != bounds.default).then(|| number.to_string());
    let cpus = limits.cpu_millis;
    [
        ("memory", size(limits.memory_bytes, &keys::MEMORY)),
        (
            "cpus",
            (cpus != keys::CPU_MILLIS.default).then(|| format_thousandths(cpus)),
        ),
        ("pids", count(limits.pids, &keys::PIDS)),
        ("file_size", size(limits.file_bytes, &keys::FILE_SIZE)),
        ("progress", duration(limits.progress_ms, &keys::PROGRESS)),
        ("turn", duration(limits.turn_ms, &keys::TURN)),
        ("idle", duration(limits.idle_ms, &keys::IDLE)),
        (
            "prompt_messages",
            count(limits.prompt_messages, &keys::PROMPT_MESSAGES),
        ),
        ("tries", count(limits.tries, &keys::TRIES)),
    ]
}

fn write_wiring(text: &mut Text, wiring: &Wiring) {
    let chat = wiring
        .chat
        .as_ref()
        .map_or(EVERY_CHAT, |chat| chat.as_str());
    let engage = match (wiring.engage, &wiring.pattern) {
        (EngageMode::Mention | EngageMode::MentionSticky, _) => Some(quote(wiring.engage.as_str())),
        (EngageMode::Pattern, Some(pattern)) if pattern != EVERYTHING => {
            Some(format!("{{ pattern = {} }}", quote(pattern)))
        }
        (EngageMode::Pattern, _) => None,
    };
    let priority = Some(wiring.priority).filter(|number| *number != keys::PRIORITY.default);
    text.heading("[[wirings]]");
    text.quoted("channel", wiring.channel.as_str());
    text.quoted("chat", chat);
    text.quoted("agent", wiring.agent.as_str());
    text.plain("engage", engage);
    text.opt_quoted("senders", word(wiring.sender_scope, &keys::SENDERS));
    text.opt_quoted("ignored", word(wiring.ignored, &keys::IGNORED));
    text.opt_quoted("session", word(wiring.session_mode, &keys::SESSION));
    text.plain("priority", priority.map(|number| number.to_string()));
}

fn write_conversation(text: &mut Text, conversation: &Conversation) {
    let policy = conversation.unknown_senders.map(keys::UNKNOWN_SENDERS.word);
    text.heading("[[conversations]]");
    text.quoted("channel", conversation.channel.as_str());
    text.quoted("chat", conversation.chat.as_str());
    text.quoted("kind", kind(conversation.kind));
    text.opt_quoted("name", conversation.name.as_deref());
    text.opt_quoted("unknown_senders", policy);
    if conversation.declined {
        text.plain("declined", Some("true".to_owned()));
    }
}

fn kind(kind: ChatKind) -> &'static str {
    match kind {
        ChatKind::Direct => "direct",
        ChatKind::Group => "group",
    }
}

fn write_person(text: &mut Text, person: &Person) {
    let role = |role: &Role| match role {
        Role::Owner => "owner".to_owned(),
        Role::Admin => "admin".to_owned(),
        Role::AdminOf(agent) => format!("admin:{agent}"),
    };
    let roles: Vec<String> = person.roles.iter().map(role).collect();
    let folders: Vec<String> = person.member_of.iter().map(FolderName::to_string).collect();
    text.heading("[[people]]");
    text.quoted("channel", person.channel.as_str());
    text.quoted("handle", person.handle.as_str());
    text.opt_quoted("name", person.name.as_deref());
    text.list("roles", &roles);
    text.list("member_of", &folders);
}

fn write_destination(text: &mut Text, destination: &Destination) {
    text.heading("[[destinations]]");
    text.quoted("agent", destination.agent.as_str());
    text.quoted("name", &destination.name);
    match &destination.target {
        Target::Chat { channel, chat } => {
            text.quoted("channel", channel.as_str());
            text.quoted("chat", chat.as_str());
        }
        Target::Agent(agent) => text.quoted("to_agent", agent.as_str()),
    }
}

/// The word of a choice, unless it is the default.
fn word<T: Copy + PartialEq>(value: T, choice: &Choice<T>) -> Option<&'static str> {
    (value != choice.default).then(|| (choice.word)(value))
}

#[cfg(test)]
mod tests;
