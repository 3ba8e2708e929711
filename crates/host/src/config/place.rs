//! The checks of the conversations, and of the destinations that agents may write to.

use std::collections::BTreeMap;

use anchorhold_core::{
    ids::{ChannelName, ChatId, FolderName},
    inbound::ChatKind,
};
use toml::Value;

use crate::config::{
    Conversation, Destination, TITLE_LIMIT_CHARS, Target, keys,
    problem::quote,
    report::Report,
    section::{Section, not_one_of},
    wire::{EVERY_CHAT, Names, chat_id, reference, refuse_repeated},
};

/// The chats that the file has conversations for, by channel; good or bad, as [`Names`].
type Chats<'t> = BTreeMap<&'t str, Vec<&'t str>>;

/// Checks every conversation.
pub(super) fn conversations(
    report: &mut Report,
    root: &Section<'_>,
    names: &Names<'_>,
) -> Vec<Conversation> {
    let mut seen: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut conversations = Vec::new();
    for section in root.listed(report, "conversations") {
        section.refuse_others(report, keys::CONVERSATION);
        let channel = reference(report, &section, ("channel", "channel"), &names.channels);
        let chat = section.required(report, "chat", "; it is the platform's id of a chat");
        conversations.extend(conversation(report, &section, (channel, chat)));
        if let (Some(channel), Some(chat)) = (channel, chat) {
            let first = seen.get(&(channel, chat));
            refuse_repeated(
                report,
                &section,
                first,
                "is the same conversation as the one",
            );
            seen.entry((channel, chat))
                .or_insert_with(|| section.at().to_vec());
        }
    }
    conversations
}

/// Reads all of a conversation, also where a part of its key is missing.
fn conversation(
    report: &mut Report,
    section: &Section<'_>,
    (channel, chat): (Option<&str>, Option<&str>),
) -> Option<Conversation> {
    let kind = kind(report, section);
    let name = section.title(report, "name", TITLE_LIMIT_CHARS);
    let unknown_senders = section.opt_choice(report, "unknown_senders", &keys::UNKNOWN_SENDERS);
    let declined = section.flag(report, "declined");
    let chat = one_chat(report, section, chat?)?;
    Some(Conversation {
        // A name that is none was reported where the channel is defined.
        channel: ChannelName::parse(channel?).ok()?,
        chat,
        kind: kind?,
        name: name.map(str::to_owned),
        unknown_senders,
        declined,
    })
}

fn kind(report: &mut Report, section: &Section<'_>) -> Option<ChatKind> {
    let words: Vec<&str> = keys::KINDS.iter().map(|(word, _)| *word).collect();
    let text = section.required(report, "kind", &report.suggest("", &words))?;
    let found = keys::KINDS.iter().find(|(word, _)| *word == text);
    if found.is_none() {
        let what = not_one_of(report, text, &words);
        report.add(&section.key("kind"), what);
    }
    found.map(|(_, kind)| *kind)
}

fn one_chat(report: &mut Report, section: &Section<'_>, chat: &str) -> Option<ChatId> {
    if chat == EVERY_CHAT {
        let what = "has to be one chat; every chat of a channel can only be wired";
        report.add(&section.key("chat"), what);
        return None;
    }
    chat_id(report, section, chat)
}

/// Checks every destination.
pub(super) fn destinations(
    report: &mut Report,
    root: &Section<'_>,
    names: &Names<'_>,
) -> Vec<Destination> {
    let chats = chats(root);
    let mut seen: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut destinations = Vec::new();
    for section in root.listed(report, "destinations") {
        section.refuse_others(report, keys::DESTINATION);
        let agent = reference(report, &section, ("agent", "agent"), &names.agents);
        let name = name(report, &section);
        let target = target(report, &section, names, &chats);
        if let (Some(agent), Some(name)) = (agent, name) {
            let first = seen.get(&(agent, name));
            let what = "has the same agent and name as the destination";
            refuse_repeated(report, &section, first, what);
            seen.entry((agent, name))
                .or_insert_with(|| section.at().to_vec());
            let agent = FolderName::parse(agent).ok();
            destinations.extend(agent.zip(target).map(|(agent, target)| Destination {
                agent,
                name: name.to_owned(),
                target,
            }));
        }
    }
    destinations
}

/// Agents type the name, so it is one plain word.
fn name<'t>(report: &mut Report, section: &Section<'t>) -> Option<&'t str> {
    let name = section.required(report, "name", "; it is what the agent calls the place")?;
    if is_slug(name) {
        return Some(name);
    }
    let limit = keys::DESTINATION_LIMIT_BYTES;
    let what = format!(
        "may have only a-z, 0-9 and single dashes between them, and at most {limit} of them"
    );
    report.add(&section.key("name"), what);
    None
}

/// Can a destination have this name?
pub(super) fn is_slug(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= keys::DESTINATION_LIMIT_BYTES
        && name
            .split('-')
            .all(|word| !word.is_empty() && word.chars().all(plain))
}

fn target(
    report: &mut Report,
    section: &Section<'_>,
    names: &Names<'_>,
    chats: &Chats<'_>,
) -> Option<Target> {
    let to_chat = section.get("channel").or(section.get("chat")).is_some();
    match (section.get("to_agent"), to_chat) {
        (Some(_), true) => {
            let what = "can't stand beside a channel and chat: a destination is one place";
            report.add(&section.key("to_agent"), what);
            None
        }
        (Some(_), false) => {
            let agent = reference(report, section, ("to_agent", "agent"), &names.agents)?;
            FolderName::parse(agent).ok().map(Target::Agent)
        }
        (None, true) => to_conversation(report, section, names, chats),
        (None, false) => {
            let what = "leads nowhere; it needs a channel and a chat, or to_agent";
            report.add(section.at(), what);
            None
        }
    }
}

fn to_conversation(
    report: &mut Report,
    section: &Section<'_>,
    names: &Names<'_>,
    chats: &Chats<'_>,
) -> Option<Target> {
    let channel = reference(report, section, ("channel", "channel"), &names.channels);
    let chat = section.required(report, "chat", "; it is the platform's id of a chat");
    let (channel, id) = (channel?, chat?);
    let chat = one_chat(report, section, id)?;
    let there = chats.get(channel).map_or(&[][..], Vec::as_slice);
    if there.binary_search(&id).is_err() && names.channels.binary_search(&channel).is_ok() {
        let suggestion = report.suggest(id, there);
        let what = format!(
            "there is no conversation {} under [[conversations]]{suggestion}",
            quote(id)
        );
        report.add(&section.key("chat"), what);
    }
    Some(Target::Chat {
        channel: ChannelName::parse(channel).ok()?,
        chat,
    })
}

fn chats<'t>(root: &Section<'t>) -> Chats<'t> {
    let mut chats: Chats<'t> = BTreeMap::new();
    let items = root.get("conversations").and_then(Value::as_array);
    for item in items.into_iter().flatten() {
        let text = |key| item.get(key).and_then(Value::as_str);
        if let (Some(channel), Some(chat)) = (text("channel"), text("chat")) {
            chats.entry(channel).or_default().push(chat);
        }
    }
    for ids in chats.values_mut() {
        ids.sort_unstable();
    }
    chats
}

#[cfg(test)]
mod tests;
