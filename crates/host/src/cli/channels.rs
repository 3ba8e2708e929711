//! `anchorhold channels probe`: what a platform says to the credentials, without a running host.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anchorhold_channel::BotIdentity;
use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    app::World,
    approvals::plain,
    cli::Common,
    dirs::absolute,
    output,
    settings::{self, Surroundings},
};

/// How long the platform may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of a sentence is shown, in characters.
const SENTENCE_LIMIT: usize = 400;

/// Which instance is asked about.
#[derive(Debug)]
pub struct Probe {
    name: String,
}

/// The catalog's command with what is only here.
pub(super) fn augment(command: Command) -> Command {
    let name = Arg::new("name")
        .value_name("NAME")
        .required(true)
        .help("The instance, as the configuration calls it");
    let about =
        "Ask the platform whether the credentials are good, who the bot is and what it sees";
    command.subcommand(Command::new("probe").about(about).arg(name))
}

/// What is asked without a host; `None` for what the catalog says about.
pub(super) fn parse(matches: &ArgMatches) -> Option<Probe> {
    let (verb, inner) = matches.subcommand()?;
    let name = || inner.get_one::<String>("name").cloned();
    (verb == "probe").then(name)?.map(|name| Probe { name })
}

/// Builds the instance as a host would, and asks. Changes nothing, also while a host runs.
pub async fn run(common: &Common, probe: &Probe, world: &World) -> anyhow::Result<ExitCode> {
    let (config, _) = settings::read(&common.config)?;
    let around = Surroundings {
        data_dir: absolute(&common.data_dir)?,
        clock: Arc::clone(&world.clock),
        entropy: Arc::clone(&world.entropy),
        secrets: Arc::clone(&world.secrets),
    };
    let mut built = settings::build_channels(&config, &around)?.into_iter();
    let found = built.find(|(name, _)| name.as_str() == probe.name);
    let (name, instance) = found.ok_or_else(|| {
        let file = &common.config;
        anyhow!("{file} has no channel `{}`", plain(&probe.name, 80))
    })?;
    let asked = timeout(PATIENCE, instance.adapter.probe()).await;
    let identity = asked
        .map_err(|_elapsed| anyhow!("the platform of {name} does not answer"))?
        .with_context(|| format!("{name} can't be used"))?;
    if common.json {
        output::json(&json!({
            "channel": name.as_str(),
            "handle": identity.handle.as_str(),
            "name": identity.name,
            "sees": identity.sees,
        }))?;
    } else {
        output::data(&described(name.as_str(), &identity));
    }
    Ok(ExitCode::SUCCESS)
}

/// Who the bot is in one line, and what it sees in one each.
fn described(channel: &str, identity: &BotIdentity) -> String {
    let handle = plain(identity.handle.as_str(), 80);
    let mut lines = vec![match &identity.name {
        Some(name) => format!("{channel} is {} ({handle})", plain(name, 80)),
        None => format!("{channel} is {handle}"),
    }];
    let sees = identity.sees.iter();
    lines.extend(sees.map(|sentence| plain(sentence, SENTENCE_LIMIT)));
    lines.join("\n")
}

#[cfg(test)]
mod tests;
