//! The checks of the wirings, which tie channels and agents together, and the notes about them.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_core::{
    entity::EngageMode,
    ids::{ChannelName, ChatId, FolderName},
    pattern::{self, EVERYTHING, PATTERN_LIMIT_BYTES, PatternError},
};
use camino::Utf8Path;
use toml::{Table, Value};

use crate::config::{
    Wiring,
    check::Checked,
    keys,
    locate::Place,
    problem::{Problem, quote},
    report::Report,
    section::{Section, not_one_of, wrong_kind},
};

/// The chat that stands for every chat of a channel.
pub(super) const EVERY_CHAT: &str = "*";

/// What identifies a wiring: channel, chat and agent as they are written.
type Ends<'t> = (&'t str, &'t str, &'t str);

/// The names of the file's channels and agents, good or bad: who misspells one key of an agent is
/// not told, too, that the agent does not exist.
pub(super) struct Names<'t> {
    pub(super) channels: Vec<&'t str>,
    pub(super) agents: Vec<&'t str>,
}

impl<'t> Names<'t> {
    pub(super) fn of(root: &Section<'t>) -> Self {
        Self {
            channels: names(root, "channels"),
            agents: names(root, "agents"),
        }
    }
}

/// Checks every wiring.
pub(super) fn wirings(report: &mut Report, root: &Section<'_>, names: &Names<'_>) -> Vec<Wiring> {
    let mut seen: BTreeMap<Ends<'_>, Vec<String>> = BTreeMap::new();
    let mut wirings = Vec::new();
    for section in root.listed(report, "wirings") {
        section.refuse_others(report, keys::WIRING);
        let ends = ends(report, &section, names);
        wirings.extend(wiring(report, &section, ends));
        if let Some(ends) = ends {
            let what = "ties the same channel, chat and agent as the wiring";
            refuse_repeated(report, &section, seen.get(&ends), what);
            seen.entry(ends).or_insert_with(|| section.at().to_vec());
        }
    }
    wirings
}

/// The names under a key of the file, sorted.
fn names<'t>(root: &Section<'t>, key: &str) -> Vec<&'t str> {
    let table = root.get(key).and_then(Value::as_table);
    let names = table.into_iter().flat_map(Table::keys);
    let mut names: Vec<&str> = names.map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn ends<'t>(report: &mut Report, section: &Section<'t>, names: &Names<'_>) -> Option<Ends<'t>> {
    let channel = reference(report, section, ("channel", "channel"), &names.channels);
    let hint = format!("; it is the platform's id of a chat, or {EVERY_CHAT:?} for every chat");
    let chat = section.required(report, "chat", &hint);
    let agent = reference(report, section, ("agent", "agent"), &names.agents);
    Some((channel?, chat?, agent?))
}

/// The name of something that the file has under another key; `what` is what it names.
pub(super) fn reference<'t>(
    report: &mut Report,
    section: &Section<'t>,
    (key, what): (&str, &str),
    names: &[&str],
) -> Option<&'t str> {
    let name = section.required(report, key, &report.suggest("", names))?;
    known(report, &section.key(key), (name, what), names);
    Some(name)
}

/// Reports a name that is none of the sorted `names`.
pub(super) fn known(
    report: &mut Report,
    at: &[String],
    (name, what): (&str, &str),
    names: &[&str],
) {
    if names.binary_search(&name).is_err() {
        let suggestion = report.suggest(name, names);
        report.add(
            at,
            format!("there is no {what} {}{suggestion}", quote(name)),
        );
    }
}

/// Reads all of a wiring, also where an end is missing, so that every problem is found at once.
fn wiring(report: &mut Report, section: &Section<'_>, ends: Option<Ends<'_>>) -> Option<Wiring> {
    let (engage, pattern) = engage(report, section);
    let sender_scope = section.choice(report, "senders", &keys::SENDERS);
    let ignored = section.choice(report, "ignored", &keys::IGNORED);
    let session_mode = section.choice(report, "session", &keys::SESSION);
    let priority = section.integer(report, "priority", &keys::PRIORITY);
    let (channel, chat, agent) = ends?;
    let chat = match chat {
        EVERY_CHAT => None,
        id => Some(chat_id(report, section, id)?),
    };
    Some(Wiring {
        // A name that is none was reported where the channel or agent is defined.
        channel: ChannelName::parse(channel).ok()?,
        chat,
        agent: FolderName::parse(agent).ok()?,
        engage,
        pattern,
        sender_scope,
        ignored,
        session_mode,
        priority,
    })
}

pub(super) fn chat_id(report: &mut Report, section: &Section<'_>, id: &str) -> Option<ChatId> {
    let parsed = ChatId::parse(id);
    parsed
        .map_err(|error| report.add(&section.key("chat"), error.to_string()))
        .ok()
}

fn engage(report: &mut Report, section: &Section<'_>) -> (EngageMode, Option<String>) {
    let always = (EngageMode::Pattern, Some(EVERYTHING.to_owned()));
    let at = section.key("engage");
    match section.get("engage") {
        None => always,
        Some(Value::String(word)) => match word.as_str() {
            "always" => always,
            "mention" => (EngageMode::Mention, None),
            "mention-sticky" => (EngageMode::MentionSticky, None),
            "pattern" => {
                report.add(&at, "needs the pattern, too: write { pattern = \"…\" }");
                always
            }
            word => {
                let what = not_one_of(report, word, keys::ENGAGE_WORDS);
                report.add(&at, what);
                always
            }
        },
        Some(Value::Table(_)) => (EngageMode::Pattern, pattern(report, section)),
        Some(other) => {
            report.add(&at, wrong_kind("a word or { pattern = \"…\" }", other));
            always
        }
    }
}

fn pattern(report: &mut Report, section: &Section<'_>) -> Option<String> {
    let engage = section.section(report, "engage");
    engage.refuse_others(report, keys::ENGAGE);
    let source = engage.required(report, "pattern", "; it is a regular expression")?;
    let Err(error) = pattern::compile(source) else {
        return Some(source.to_owned());
    };
    let what = match error {
        PatternError::Empty => "is empty; write engage = \"always\" to match everything".to_owned(),
        PatternError::TooLong { len } => {
            format!("is {len} bytes long; at most {PATTERN_LIMIT_BYTES} are accepted")
        }
        PatternError::Unusable { why } => format!("is not a usable regular expression: {why}"),
    };
    report.add(&engage.key("pattern"), what);
    None
}

/// Reports an entry that is there twice; `what` says so, up to the line of the first one.
pub(super) fn refuse_repeated(
    report: &mut Report,
    section: &Section<'_>,
    first: Option<&Vec<String>>,
    what: &str,
) {
    if let Some(first) = first {
        let line = report.line(first);
        report.add(section.at(), format!("{what} in line {line}"));
    }
}

/// What is allowed and yet probably not meant.
pub(super) fn notes(file: &Utf8Path, root: &Place, checked: &Checked) -> Vec<String> {
    let note = |at: &[&str], what: &str| Problem::new(file, root.find(at), what).to_string();
    let mut notes = Vec::new();
    if checked.channels.is_empty() {
        notes.push(note(
            &["channels"],
            "there is no channel, so nobody can be heard",
        ));
    }
    if checked.agents.is_empty() {
        notes.push(note(&["agents"], "there is no agent, so nobody can answer"));
    }
    let heard: BTreeSet<_> = checked.wirings.iter().map(|w| &w.channel).collect();
    let hearing: BTreeSet<_> = checked.wirings.iter().map(|w| &w.agent).collect();
    for channel in &checked.channels {
        let name = channel.name.as_str();
        if !heard.contains(&channel.name) {
            notes.push(note(
                &["channels", name],
                "no wiring starts here, so nobody answers",
            ));
        }
    }
    for agent in &checked.agents {
        let folder = agent.folder.as_str();
        if !hearing.contains(&agent.folder) {
            notes.push(note(
                &["agents", folder],
                "no wiring leads here, so it hears nobody",
            ));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
