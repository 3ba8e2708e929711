//! No chat platform is named outside its own crate, in code or in comments.
//!
//! The one exception is `host/src/channels.rs`, which puts the crates together.

use super::{Finding, files::SourceFile};
use crate::workspace::Package;

/// Platforms whose names mean nothing else. "signal", "teams" and "line" are words too.
const PLATFORMS: &[&str] = &[
    "dingtalk",
    "discord",
    "feishu",
    "imessage",
    "irc",
    "matrix",
    "mattermost",
    "msteams",
    "nostr",
    "rocketchat",
    "slack",
    "telegram",
    "twitch",
    "viber",
    "webex",
    "wechat",
    "whatsapp",
    "xmpp",
    "zulip",
];
/// Channels that are no platform, or called like an everyday word, and what they share.
const EVERYDAY: &[&str] = &[
    "cli", "email", "github", "kit", "line", "signal", "teams", "web",
];
const CHANNEL_PREFIX: &str = "anchorhold-channel-";

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let Some(name) = owner(&file.path) else {
        return vec![];
    };
    if !file.is_rust() || file.path == "crates/host/src/channels.rs" {
        return vec![];
    }
    let own = name.strip_prefix("channel-");
    let mut findings = vec![];
    for (number, line) in file.lines() {
        for platform in named(line) {
            if own != Some(platform) {
                let message = format!("{platform} is named outside its own crate");
                findings.push(Finding::at(file, number, message));
            }
        }
    }
    findings
}

/// Each channel's crate must be known here, or its name could stand anywhere.
pub(super) fn known(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .filter(|package| {
            package
                .name
                .strip_prefix(CHANNEL_PREFIX)
                .is_some_and(|name| !PLATFORMS.contains(&name) && !EVERYDAY.contains(&name))
        })
        .map(|package| {
            Finding::of(
                &package.name,
                "add the platform's name to xtask/src/tidy/platforms.rs",
            )
        })
        .collect()
}

/// The crate whose source this is.
fn owner(path: &str) -> Option<&str> {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["crates" | "container", name, "src", ..] => Some(name),
        _ => None,
    }
}

/// The platforms named in a line, as words or as parts of identifiers in any case.
fn named(line: &str) -> Vec<&'static str> {
    let mut found = vec![];
    for token in line.split(|c: char| !c.is_alphanumeric()) {
        let words = words(token);
        for from in 0..words.len() {
            let mut joined = String::new();
            for word in words.iter().skip(from) {
                joined.push_str(word);
                found.extend(PLATFORMS.iter().copied().filter(|name| *name == joined));
            }
        }
    }
    found
}

/// The words of an identifier, in small letters: `WhatsAppBot` is `whats`, `app`, `bot`.
fn words(token: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![];
    let mut after_small = false;
    for c in token.chars() {
        let small = c.to_lowercase();
        match words.last_mut() {
            Some(word) if !(after_small && c.is_uppercase()) => word.extend(small),
            _ => words.push(small.collect()),
        }
        after_small = !c.is_uppercase();
    }
    words
}

#[cfg(test)]
mod tests;
