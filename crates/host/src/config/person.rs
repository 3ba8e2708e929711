//! The checks of the people, and of what they may do.

use std::collections::BTreeMap;

use anchorhold_core::ids::{ChannelName, FolderName, Handle};

use crate::config::{
    Person, Role, TITLE_LIMIT_CHARS, keys,
    problem::quote,
    report::Report,
    section::{Section, not_one_of},
    wire::{Names, known, reference, refuse_repeated},
};

/// Checks every person.
pub(super) fn people(report: &mut Report, root: &Section<'_>, names: &Names<'_>) -> Vec<Person> {
    let mut seen: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    let mut people = Vec::new();
    for section in root.listed(report, "people") {
        section.refuse_others(report, keys::PERSON);
        people.extend(person(report, &section, names));
        let key = |key| section.get(key).and_then(toml::Value::as_str);
        if let (Some(channel), Some(handle)) = (key("channel"), key("handle")) {
            let first = seen.get(&(channel, handle));
            refuse_repeated(report, &section, first, "is the same person as the one");
            seen.entry((channel, handle))
                .or_insert_with(|| section.at().to_vec());
        }
    }
    people
}

fn person(report: &mut Report, section: &Section<'_>, names: &Names<'_>) -> Option<Person> {
    let channel = reference(report, section, ("channel", "channel"), &names.channels);
    let hint = "; it is the platform's id of a person";
    let handle = section.required(report, "handle", hint);
    let name = section.title(report, "name", TITLE_LIMIT_CHARS);
    let roles = roles(report, section, names);
    let member_of = member_of(report, section, names);
    let handle = Handle::parse(handle?)
        .map_err(|error| report.add(&section.key("handle"), error.to_string()));
    Some(Person {
        // A name that is none was reported where the channel is defined.
        channel: ChannelName::parse(channel?).ok()?,
        handle: handle.ok()?,
        name: name.map(str::to_owned),
        roles,
        member_of,
    })
}

fn roles(report: &mut Report, section: &Section<'_>, names: &Names<'_>) -> Vec<Role> {
    let mut roles = Vec::new();
    for (at, text) in section.texts(report, "roles") {
        let role = role(report, &at, text, names);
        if role.as_ref().is_some_and(|role| roles.contains(role)) {
            report.add(&at, format!("{} is there twice", quote(text)));
        }
        roles.extend(role);
    }
    roles
}

fn role(report: &mut Report, at: &[String], text: &str, names: &Names<'_>) -> Option<Role> {
    match text.split_once(':') {
        None if text == "owner" => Some(Role::Owner),
        None if text == "admin" => Some(Role::Admin),
        Some(("admin", agent)) => {
            known(report, at, (agent, "agent"), &names.agents);
            FolderName::parse(agent).ok().map(Role::AdminOf)
        }
        Some(("owner", _)) => {
            let what = "an owner can't be bound to an agent; write \"owner\", or \"admin:AGENT\"";
            report.add(at, what);
            None
        }
        None | Some(_) => {
            let what = not_one_of(report, text, keys::ROLES);
            report.add(at, what);
            None
        }
    }
}

fn member_of(report: &mut Report, section: &Section<'_>, names: &Names<'_>) -> Vec<FolderName> {
    let mut folders = Vec::new();
    for (at, text) in section.texts(report, "member_of") {
        known(report, &at, (text, "agent"), &names.agents);
        let Ok(folder) = FolderName::parse(text) else {
            continue;
        };
        if folders.contains(&folder) {
            report.add(&at, format!("{} is there twice", quote(text)));
        }
        folders.push(folder);
    }
    folders
}

#[cfg(test)]
mod tests;
