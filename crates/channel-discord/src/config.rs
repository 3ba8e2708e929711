//! An instance's table: the token, and what the bot is allowed to read.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelFactory, FactoryContext, Problem, Secret, SecretRef, TableReader,
};
use anchorhold_channel_kit::pace::Pace;
use toml::Table;

use crate::adapter::DiscordAdapter;

/// Where the REST API is: <https://discord.com/developers/docs/reference#api-reference-base-url>.
const API: &str = "https://discord.com/api";

/// Builds adapters of this channel.
pub const FACTORY: ChannelFactory = ChannelFactory {
    type_name: "discord",
    build,
};

/// What an instance was told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The bot's token.
    pub(crate) token: Secret,
    /// Where the REST API is, without a `/` at its end.
    pub(crate) api: String,
    /// Does it ask for the texts of messages that don't address it?
    pub(crate) message_content: bool,
    /// How it waits.
    pub(crate) waits: Waits,
}

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// The pauses after what can't be had or taken.
    pub(crate) pace: Pace,
    /// How long the host may judge a click before Discord is told that it has come: it gives three
    /// seconds, <https://discord.com/developers/docs/interactions/receiving-and-responding>.
    pub(crate) click: Duration,
}

/// What is customary.
pub(crate) const WAITS: Waits = Waits {
    pace: Pace::CUSTOMARY,
    click: Duration::from_millis(1_500),
};

fn build(cx: &FactoryContext, table: Table) -> Result<Arc<dyn ChannelAdapter>, Vec<Problem>> {
    let settings = read(cx, table)?;
    let adapter = DiscordAdapter::new(cx, &settings).map_err(|error| {
        vec![Problem {
            key: vec!["api".to_owned()],
            what: error.to_string(),
        }]
    })?;
    Ok(Arc::new(adapter))
}

/// Reads the table.
pub(crate) fn read(cx: &FactoryContext, table: Table) -> Result<Settings, Vec<Problem>> {
    let mut reader = TableReader::new(table);
    let token = reader.required::<SecretRef>("token").and_then(|secret| {
        match secret.resolve(&cx.secrets) {
            Ok(token) => Some(token),
            Err(error) => {
                reader.problem("token", error.to_string());
                None
            }
        }
    });
    if token
        .as_ref()
        .is_some_and(|token| !is_token(token.expose()))
    {
        let what = "is no token of a bot: those are three words of letters, digits, `_` or `-` with \
                    dots between them, without \"Bot\" before them";
        reader.problem("token", what);
    }
    let message_content = reader.optional("message_content").unwrap_or(true);
    let api = reader.parsed("api", base);
    let settings = token.map(|token| Settings {
        token,
        api: api.unwrap_or_else(|| API.to_owned()),
        message_content,
        waits: WAITS,
    });
    reader.finish(settings)
}

/// Only the form: whether it is accepted is for Discord to say.
fn is_token(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let words: Vec<&str> = text.split('.').collect();
    (50..=120).contains(&text.len())
        && words.len() == 3
        && words
            .iter()
            .all(|word| !word.is_empty() && word.chars().all(plain))
}

/// The address of a REST API: the token goes there, so it is encrypted unless it stays on this machine.
fn base(text: &str) -> Result<String, &'static str> {
    let fine = |rest: &str| !rest.is_empty() && !rest.contains(['?', '#', '@']);
    if text.strip_prefix("https://").is_some_and(fine) || is_local("http", text) {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(
            "has to be an address like \"https://discord.com/api\"; without https:// only on \
             127.0.0.1",
        )
    }
}

/// Does a URL of this scheme lead to this machine, by an address that can't be anything else?
pub(crate) fn is_local(scheme: &str, url: &str) -> bool {
    let rest = url
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix("://127.0.0.1"));
    rest.is_some_and(|rest| {
        let port = rest.strip_prefix(':').unwrap_or(rest);
        let port = port.split('/').next().unwrap_or_default();
        port.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
