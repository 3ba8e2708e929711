//! An instance's table: the tokens, and how events come.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelFactory, FactoryContext, Problem, Secret, SecretRef, TableReader,
};
use anchorhold_channel_kit::{pace::Pace, webhook::Listen};
use reqwest::Url;
use toml::Table;

use crate::adapter::SlackAdapter;

/// Where the Web API is.
const API: &str = "https://slack.com/api";

/// Builds adapters of this channel.
pub const FACTORY: ChannelFactory = ChannelFactory {
    type_name: "slack",
    build,
};

/// What an instance was told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The bot's token.
    pub(crate) bot_token: Secret,
    /// How events come.
    pub(crate) way: Way,
    /// Where the Web API is, without a `/` at its end.
    pub(crate) api: String,
    /// The proxy to reach it through.
    pub(crate) proxy: Option<String>,
    /// How it waits.
    pub(crate) waits: Waits,
}

/// How events come.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// Over a websocket that is opened with the app's own token.
    Socket {
        /// The app-level token.
        app_token: Secret,
    },
    /// By calls of Slack.
    Webhook(Webhook),
}

/// How an instance is called by Slack.
#[derive(Clone, Debug)]
pub(crate) struct Webhook {
    /// What calls are signed with.
    pub(crate) signing_secret: Secret,
    /// Where the calls come out on this machine.
    pub(crate) listen: Listen,
}

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// The silence after which the other side is asked whether it is there.
    pub(crate) silence: Duration,
    /// How long it may take to say so, and to greet.
    pub(crate) sign: Duration,
    /// How long a name may take; messages go on without.
    pub(crate) name: Duration,
    /// The pauses after what can't be read or taken.
    pub(crate) pace: Pace,
}

/// What is customary. Slack asks every few seconds whether we are there.
pub(crate) const WAITS: Waits = Waits {
    silence: Duration::from_secs(30),
    sign: Duration::from_secs(10),
    name: Duration::from_secs(1),
    pace: Pace::CUSTOMARY,
};

fn build(cx: &FactoryContext, table: Table) -> Result<Arc<dyn ChannelAdapter>, Vec<Problem>> {
    let settings = read(cx, table)?;
    let adapter = SlackAdapter::new(cx, settings).map_err(|error| {
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
    let bot_token = secret(&mut reader, "bot_token", cx, |text| {
        is_token(
            text,
            "xoxb-",
            "is no token of a bot: those begin with xoxb-",
        )
    });
    let mut hooked = false;
    let webhook = reader.table("webhook", |inner| {
        hooked = true;
        let signing_secret = secret(inner, "signing_secret", cx, |_any| Ok(()));
        let path = format!("/{}", cx.name);
        let listen = Listen::read(inner, &path);
        if listen.is_none() {
            inner.problem(
                "listen",
                "is missing or wrong: where do the calls come out?",
            );
        }
        Some(Webhook {
            signing_secret: signing_secret?,
            listen: listen?,
        })
    });
    let way = if hooked {
        if reader.optional::<SecretRef>("app_token").is_some() {
            let what = "is for Socket Mode, and `webhook` is not: take one of the two away";
            reader.problem("app_token", what);
        }
        webhook.map(Way::Webhook)
    } else {
        let app_token = secret(&mut reader, "app_token", cx, |text| {
            let what = "is no app-level token: those begin with xapp-";
            is_token(text, "xapp-", what)
        });
        app_token.map(|app_token| Way::Socket { app_token })
    };
    let api = reader.parsed("api", base);
    let proxy = reader.optional("proxy");
    let settings = bot_token.zip(way).map(|(bot_token, way)| Settings {
        bot_token,
        way,
        api: api.unwrap_or_else(|| API.to_owned()),
        proxy,
        waits: WAITS,
    });
    reader.finish(settings)
}

/// A secret that has to be there, and to have the form that `check` wants.
fn secret(
    reader: &mut TableReader,
    key: &'static str,
    cx: &FactoryContext,
    check: impl FnOnce(&str) -> Result<(), &'static str>,
) -> Option<Secret> {
    let resolved = reader.required::<SecretRef>(key)?.resolve(&cx.secrets);
    let checked = match resolved {
        Ok(secret) => check(secret.expose()).map(|()| secret),
        Err(error) => {
            reader.problem(key, error.to_string());
            return None;
        }
    };
    match checked {
        Ok(secret) => Some(secret),
        Err(what) => {
            reader.problem(key, what);
            None
        }
    }
}

/// Only the form: whether it is accepted is for Slack to say.
fn is_token(text: &str, begins: &str, what: &'static str) -> Result<(), &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.starts_with(begins) && text.chars().all(plain) {
        Ok(())
    } else {
        Err(what)
    }
}

/// The address of a Web API: Slack's own, or one that stands for it.
fn base(text: &str) -> Result<String, &'static str> {
    const WHAT: &str = "has to be an address like \"https://slack.com/api\"";
    let url = Url::parse(text).map_err(|_no_url| WHAT)?;
    let web = matches!(url.scheme(), "https" | "http");
    let bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if web && bare && url.has_host() {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err(WHAT)
    }
}

#[cfg(test)]
mod tests;
