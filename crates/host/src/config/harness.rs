//! The checks of harnesses: programs of others that run the turns of agents.

use std::collections::BTreeMap;

use anchorhold_core::ids::FolderName;
use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use toml::Value;

use crate::config::{
    Harness, check, keys, problem::quote, report::Report, secret, section::Section, wire,
};

/// What programs get that want to have a key.
const KEY: &str = "{key}";

/// The file's harnesses by name, good or bad, each with its provider, where that can be told.
pub(super) struct Harnesses<'t> {
    names: Vec<&'t str>,
    providers: BTreeMap<&'t str, &'t str>,
}

impl<'t> Harnesses<'t> {
    pub(super) fn of(root: &Section<'t>) -> Self {
        let table = root.get("harnesses").and_then(Value::as_table);
        let mut names = Vec::new();
        let mut providers = BTreeMap::new();
        for (name, harness) in table.into_iter().flatten() {
            names.push(name.as_str());
            let provider = harness.as_table().and_then(|table| table.get("provider"));
            if let Some(provider) = provider.and_then(Value::as_str)
                && keys::HARNESS_PROVIDERS.contains(&provider)
            {
                providers.insert(name.as_str(), provider);
            }
        }
        names.sort_unstable();
        Self { names, providers }
    }
}

/// Checks every harness.
pub(super) fn harnesses(report: &mut Report, root: &Section<'_>) -> Vec<Harness> {
    let sections = root.named(report, "harnesses").into_iter();
    sections
        .filter_map(|(name, section)| harness(report, name, &section))
        .collect()
}

fn harness(report: &mut Report, name: &str, section: &Section<'_>) -> Option<Harness> {
    section.refuse_others(report, keys::HARNESS);
    // The same characters as all names in the file.
    if let Err(error) = FolderName::parse(name) {
        let what = error.to_string();
        report.add(section.at(), what);
    }
    let words = keys::HARNESS_PROVIDERS;
    let provider = check::one_of(report, section, ("provider", "harness"), words);
    let folder = folder(report, section);
    let command = command(report, section);
    let environment = environment(report, section);
    Some(Harness {
        name: name.to_owned(),
        provider: provider?.to_owned(),
        folder,
        command,
        environment,
    })
}

fn folder(report: &mut Report, section: &Section<'_>) -> Option<Utf8PathBuf> {
    let text = section.text(report, "folder", keys::PATH_LIMIT_CHARS)?;
    let path = Utf8Path::new(text);
    let plain =
        |part: Utf8Component<'_>| matches!(part, Utf8Component::RootDir | Utf8Component::Normal(_));
    // All of the machine, or what is the host's own, is no program.
    if !path.is_absolute() || !path.components().all(plain) || path.parent().is_none() {
        let what = "must be the path of a folder from the root on, such as \"/opt/claude-code\"";
        report.add(&section.key("folder"), what);
    }
    Some(path.to_owned())
}

fn command(report: &mut Report, section: &Section<'_>) -> Vec<String> {
    let texts = section.texts(report, "command");
    if section.get("command").is_some_and(Value::is_array) && texts.is_empty() {
        report.add(&section.key("command"), "is empty: leave it away");
    }
    for (at, text) in &texts {
        let odd = text.is_empty() || text.contains('\0');
        if odd || text.len() > keys::ARGUMENT_LIMIT_BYTES {
            report.add(at, "is empty, too long, or no argument");
        }
    }
    texts.into_iter().map(|(_, text)| text.to_owned()).collect()
}

fn environment(report: &mut Report, section: &Section<'_>) -> BTreeMap<String, String> {
    let table = section.section(report, "environment");
    let mut environment = BTreeMap::new();
    for (name, _) in table.iter() {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(plain) {
            report.add(&table.key(name), "is no name of a variable");
        }
        if let Some(value) = table.text(report, name, keys::ARGUMENT_LIMIT_BYTES) {
            environment.insert(name.clone(), value.to_owned());
        }
    }
    if let Some(settings) = section.get("environment").and_then(Value::as_table) {
        let mut settings = settings.clone();
        // That is what stands for a key inside.
        settings.retain(|_, value| value.as_str() != Some(KEY));
        secret::refuse_inline(report, table.at(), &settings);
    }
    environment
}

/// The harness of an agent, and the provider that comes with it.
pub(super) fn of_agent<'t>(
    report: &mut Report,
    section: &Section<'t>,
    harnesses: &Harnesses<'t>,
) -> (Option<&'t str>, Option<&'t str>) {
    let name = section.text(report, "harness", keys::NAME_LIMIT_CHARS);
    if let Some(name) = name {
        let at = section.key("harness");
        wire::known(report, &at, (name, "harness"), &harnesses.names);
    }
    let provider = name.and_then(|name| harnesses.providers.get(name).copied());
    let given = section.get("provider").and_then(Value::as_str);
    if let (Some(name), Some(provider), Some(given)) = (name, provider, given)
        && provider != given
    {
        let what = format!(
            "is not that of the harness {}, which has {}: leave it away",
            quote(name),
            quote(provider)
        );
        report.add(&section.key("provider"), what);
    }
    (name, provider)
}

#[cfg(test)]
mod tests;
