//! An instance's table: the token, and how updates come.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelFactory, FactoryContext, Problem, Secret, SecretRef, TableReader,
};
use anchorhold_channel_kit::{pace::Pace, webhook::Listen};
use toml::Table;

use crate::adapter::TelegramAdapter;

/// Where the Bot API is.
const API: &str = "https://api.telegram.org";

/// Builds adapters of this channel.
pub const FACTORY: ChannelFactory = ChannelFactory {
    type_name: "telegram",
    build,
};

/// What an instance was told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The bot's token.
    pub(crate) token: Secret,
    /// Where the Bot API is, without a `/` at its end.
    pub(crate) api: String,
    /// The proxy to reach it through.
    pub(crate) proxy: Option<String>,
    /// How it is called, if it does not poll.
    pub(crate) webhook: Option<Webhook>,
    /// How it waits.
    pub(crate) waits: Waits,
}

/// How an instance is called by Telegram.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    /// The public address that Telegram calls.
    pub(crate) url: String,
    /// Where those calls come out on this machine.
    pub(crate) listen: Listen,
}

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// How long a poll stays open while nothing comes, in whole seconds.
    pub(crate) poll: Duration,
    /// How long an album is waited for after the part that came last.
    pub(crate) album: Duration,
    /// The pauses after what can't be read or taken.
    pub(crate) pace: Pace,
}

/// What is customary.
pub(crate) const WAITS: Waits = Waits {
    poll: Duration::from_secs(25),
    album: Duration::from_millis(700),
    pace: Pace::CUSTOMARY,
};

fn build(cx: &FactoryContext, table: Table) -> Result<Arc<dyn ChannelAdapter>, Vec<Problem>> {
    let settings = read(cx, table)?;
    let adapter = TelegramAdapter::new(cx, settings).map_err(|error| {
        vec![Problem {
            key: vec!["proxy".to_owned()],
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
        let what =
            "is no token of a bot: those are a number, `:` and 35 letters, digits, `_` or `-`";
        reader.problem("token", what);
    }
    let api = reader.parsed("api", base);
    let proxy = reader.optional("proxy");
    let webhook = reader.table("webhook", |inner| {
        let url: Option<String> = inner.required("url");
        if url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            inner.problem(
                "url",
                "has to begin with https://, Telegram calls nothing else",
            );
        }
        let path = format!("/{}", cx.name);
        let listen = Listen::read(inner, &path);
        if listen.is_none() {
            inner.problem(
                "listen",
                "is missing or wrong: where do the calls come out?",
            );
        }
        let (url, listen) = (url?, listen?);
        Some(Webhook { url, listen })
    });
    let settings = token.map(|token| Settings {
        token,
        api: api.unwrap_or_else(|| API.to_owned()),
        proxy,
        webhook,
        waits: WAITS,
    });
    reader.finish(settings)
}

/// Only the form: whether it is accepted is for Telegram to say.
fn is_token(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.split_once(':').is_some_and(|(number, secret)| {
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && (30..=64).contains(&secret.len())
            && secret.chars().all(plain)
    })
}

/// The address of a Bot API server: Telegram's own, or one that is run by oneself.
fn base(text: &str) -> Result<String, &'static str> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', '@']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some(_) | None => Err("has to be an address like \"https://api.telegram.org\""),
    }
}

#[cfg(test)]
mod tests;
