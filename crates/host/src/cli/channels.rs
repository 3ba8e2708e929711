//! `anchorhold channels probe` and `verify`: what is asked of a platform without a running host.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anchorhold_channel::{BotIdentity, ChannelAdapter, Talk};
use anyhow::{Context, anyhow};
use async_trait::async_trait;
use clap::{Arg, ArgMatches, Command};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines, Stdin},
    sync::Mutex,
    time::timeout,
};

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

/// Which instance is asked, and what.
#[derive(Debug)]
pub struct Probe {
    name: String,
    what: Asked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// Who the bot is.
    Identity,
    /// That people can trust the bot's keys.
    Verification,
}

/// The catalog's command with what is only here.
pub(super) fn augment(command: Command) -> Command {
    let name = Arg::new("name")
        .value_name("NAME")
        .required(true)
        .help("The instance, as the configuration calls it");
    let about =
        "Ask the platform whether the credentials are good, who the bot is and what it sees";
    let probe = Command::new("probe").about(about).arg(name.clone());
    let about = "Let a person verify the bot's keys in their client, while no host runs";
    let verify = Command::new("verify").about(about).arg(name);
    command.subcommand(probe).subcommand(verify)
}

/// What is asked without a host; `None` for what the catalog says about.
pub(super) fn parse(matches: &ArgMatches) -> Option<Probe> {
    let (verb, inner) = matches.subcommand()?;
    let what = match verb {
        "probe" => Asked::Identity,
        "verify" => Asked::Verification,
        _ => return None,
    };
    let name = inner.get_one::<String>("name").cloned()?;
    Some(Probe { name, what })
}

/// Builds the instance as a host would, and asks. A probe changes nothing, also while a host runs.
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
    let adapter = instance.adapter.as_ref();
    match probe.what {
        Asked::Identity => identify(common, name.as_str(), adapter).await,
        Asked::Verification => {
            let verified = adapter.verify(&Operator::new()).await;
            verified.with_context(|| format!("{name} was not verified"))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn identify(
    common: &Common,
    name: &str,
    adapter: &dyn ChannelAdapter,
) -> anyhow::Result<ExitCode> {
    let asked = timeout(PATIENCE, adapter.probe()).await;
    let identity = asked
        .map_err(|_elapsed| anyhow!("the platform of {name} does not answer"))?
        .with_context(|| format!("{name} can't be used"))?;
    if common.json {
        output::json(&json!({
            "channel": name,
            "handle": identity.handle.as_str(),
            "name": identity.name,
            "sees": identity.sees,
        }))?;
    } else {
        output::data(&described(name, &identity));
    }
    Ok(ExitCode::SUCCESS)
}

/// Who sits at the terminal.
struct Operator {
    input: Mutex<Lines<BufReader<Stdin>>>,
}

impl Operator {
    fn new() -> Self {
        let input = Mutex::new(BufReader::new(tokio::io::stdin()).lines());
        Self { input }
    }
}

#[async_trait]
impl Talk for Operator {
    async fn say(&self, line: &str) {
        output::data(&plain(line, SENTENCE_LIMIT));
    }

    async fn agrees(&self, question: &str) -> bool {
        output::prompt(&format!("{} [y/N] ", plain(question, SENTENCE_LIMIT)));
        let answer = self.input.lock().await.next_line().await;
        // silent: an input that fails is no
        let answer = answer.ok().flatten().unwrap_or_default();
        matches!(answer.trim(), "y" | "Y" | "yes" | "Yes")
    }
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
