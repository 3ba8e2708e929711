//! From the configuration file to what the host is built from: adapters, groups, wirings.

mod desired;
mod export;

use std::{fs::File, io::Read, sync::Arc};

use anchorhold_channel::{
    ChannelAdapter, FactoryContext, SecretSource,
    health::{self, HealthReporter, HealthView},
};
use anchorhold_core::{
    clock::{Clock, Entropy},
    ids::ChannelName,
};
use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use crate::{
    channels::{compiled, types},
    config::{self, Channel, Config, FILE_LIMIT_BYTES, Known, problem::Problems},
    registry::Instance,
};

pub use crate::settings::{
    desired::desired,
    export::{ExportError, Exported, export, policies},
};

/// The providers that the agent-runner of this build has.
pub const PROVIDERS: &[&str] = &["offline", "anthropic", "openai", "claude-code", "acp"];

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("can't read the configuration {path}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// What is in the file is wrong.
    #[error("{0}")]
    Wrong(Problems),
}

/// What adapters get besides their tables.
#[derive(Clone)]
pub struct Surroundings {
    /// A folder for sockets and the like.
    pub data_dir: Utf8PathBuf,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Secrets.
    pub secrets: Arc<SecretSource>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Reads and checks the file; nothing is built yet.
pub fn read(path: &Utf8Path) -> Result<(Config, Vec<u8>), SettingsError> {
    let failed = |source| SettingsError::Read {
        path: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_LIMIT_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(failed)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|source| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, source)))?;
    let config = load(text, path).map_err(SettingsError::Wrong)?;
    Ok((config, bytes))
}

/// Checks the text of a file against what this build can do.
fn load(text: &str, path: &Utf8Path) -> Result<Config, Problems> {
    let compiled = compiled();
    let types = types(&compiled);
    let known = Known {
        providers: PROVIDERS,
        channel_types: &types,
    };
    config::load(text, path, known)
}

/// Builds every channel instance, or says all that is wrong with their tables.
pub fn build_channels(
    config: &Config,
    around: &Surroundings,
) -> Result<Vec<(ChannelName, Instance)>, SettingsError> {
    let compiled = compiled();
    let mut problems = Vec::new();
    let mut built = Vec::new();
    for channel in &config.channels {
        let Some(found) = compiled
            .iter()
            .find(|c| c.factory.type_name == channel.kind)
        else {
            let at = ["channels", channel.name.as_str(), "type"];
            problems.push(config.problem(&at, "this build has no such channel"));
            continue;
        };
        let cx = FactoryContext {
            name: channel.name.clone(),
            data_dir: around.data_dir.clone(),
            clock: Arc::clone(&around.clock),
            entropy: Arc::clone(&around.entropy),
            secrets: Arc::clone(&around.secrets),
        };
        match (found.factory.build)(&cx, channel.settings.clone()) {
            Ok(adapter) => {
                let health = health::pair(Arc::clone(&around.clock));
                let table = channel.settings.clone();
                let made = instance(adapter, health, channel, table);
                built.push((channel.name.clone(), made));
            }
            Err(found) => problems.extend(found.iter().map(|problem| {
                let mut at = vec!["channels", channel.name.as_str()];
                at.extend(problem.key.iter().map(String::as_str));
                config.problem(&at, &problem.what)
            })),
        }
    }
    match Problems::collect(problems) {
        Some(problems) => Err(SettingsError::Wrong(problems)),
        None => Ok(built),
    }
}

fn instance(
    adapter: Arc<dyn ChannelAdapter>,
    (reporter, health): (HealthReporter, HealthView),
    channel: &Channel,
    table: toml::Table,
) -> Instance {
    let shutdown = CancellationToken::new();
    Instance {
        adapter,
        health,
        reporter,
        unknown_senders: channel.unknown_senders,
        kind: channel.kind.clone(),
        table,
        shutdown,
    }
}

#[cfg(test)]
mod tests;
