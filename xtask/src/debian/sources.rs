//! Where this machine's apt fetches its release from: the mirror that works here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// One archive a release can be fetched from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Archive {
    /// Its address.
    pub(crate) uri: String,
    /// The release, by code name.
    pub(crate) suite: String,
    /// Its parts, `main` first.
    pub(crate) components: Vec<String>,
}

/// The archive with the release that this machine runs.
pub(crate) fn of_this_machine() -> Result<Archive> {
    let release = fs::read_to_string("/etc/os-release").context("read /etc/os-release")?;
    let suite = code_name(&release)
        .context("/etc/os-release names no release, so there is none to build an image from")?;
    for file in files(Path::new("/etc/apt"))? {
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let archives = if file.extension().is_some_and(|end| end == "sources") {
            stanzas(&text)
        } else {
            one_line(&text)
        };
        if let Some(archive) = choose(archives, &suite) {
            return Ok(archive);
        }
    }
    bail!("apt knows no archive with the release {suite}")
}

fn files(apt: &Path) -> Result<Vec<PathBuf>> {
    let mut files = vec![];
    let single = apt.join("sources.list");
    if single.is_file() {
        files.push(single);
    }
    let folder = apt.join("sources.list.d");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(files),
        Err(err) => return Err(err).with_context(|| format!("read {}", folder.display())),
    };
    for entry in entries {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|end| end == "sources" || end == "list")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn code_name(os_release: &str) -> Option<String> {
    os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
}

/// Reads the format of `sources.list`: one archive a line.
fn one_line(text: &str) -> Vec<Archive> {
    let mut archives = vec![];
    for line in text.lines() {
        let Some(rest) = line.trim().strip_prefix("deb ") else {
            continue;
        };
        let rest = match rest.trim_start().strip_prefix('[') {
            Some(options) => options
                .split_once(']')
                .map_or("", |(_, after_options)| after_options),
            None => rest,
        };
        let mut words = rest
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'));
        if let (Some(uri), Some(suite)) = (words.next(), words.next()) {
            archives.push(Archive {
                uri: uri.to_owned(),
                suite: suite.to_owned(),
                components: words.map(str::to_owned).collect(),
            });
        }
    }
    archives
}

/// Reads the format of `*.sources`: paragraphs of fields.
fn stanzas(text: &str) -> Vec<Archive> {
    let text: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let mut archives = vec![];
    for stanza in text.split(|line| line.trim().is_empty()) {
        let field = |name: &str| -> Vec<String> {
            stanza
                .iter()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.split_whitespace().map(str::to_owned).collect())
                .unwrap_or_default()
        };
        let off = field("Enabled").first().is_some_and(|value| value == "no");
        if off || !field("Types").contains(&"deb".to_owned()) {
            continue;
        }
        for uri in field("URIs") {
            for suite in field("Suites") {
                archives.push(Archive {
                    uri: uri.clone(),
                    suite,
                    components: field("Components"),
                });
            }
        }
    }
    archives
}

/// The archive that debootstrap can use: the release itself, with the part `main`, over HTTP.
fn choose(archives: Vec<Archive>, suite: &str) -> Option<Archive> {
    archives.into_iter().find(|archive| {
        archive.suite == suite
            && archive.components.iter().any(|part| part == "main")
            && ["http://", "https://", "file:/"]
                .iter()
                .any(|scheme| archive.uri.starts_with(scheme))
    })
}

#[cfg(test)]
mod tests;
