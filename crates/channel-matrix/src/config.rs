//! An instance's table: the homeserver, the account, and who may invite it.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelFactory, FactoryContext, Problem, Secret, SecretRef, TableReader,
};
use anchorhold_channel_kit::pace::Pace;
use matrix_sdk::ruma::UserId;
use toml::Table;

use crate::{adapter::MatrixAdapter, invites::Inviters};

/// Builds adapters of this channel.
pub const FACTORY: ChannelFactory = ChannelFactory {
    type_name: "matrix",
    build,
};

/// What an instance was told.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the homeserver is, without a `/` at its end.
    pub(crate) homeserver: String,
    /// How it logs in.
    pub(crate) login: Login,
    /// What opens the account's secrets.
    pub(crate) recovery_key: Option<Secret>,
    /// Whose invitations are accepted.
    pub(crate) inviters: Inviters,
    /// Are the chats encrypted that it opens itself?
    pub(crate) encrypts: bool,
    /// The proxy to reach the server through.
    pub(crate) proxy: Option<String>,
    /// How it waits.
    pub(crate) waits: Waits,
}

/// How an instance logs in.
#[derive(Debug)]
pub(crate) enum Login {
    /// With a password, once; what came of it is kept.
    Password {
        /// The account.
        user: String,
        /// Its password.
        password: Secret,
    },
    /// As a device that somebody has logged in.
    Token(Secret),
}

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// How long a poll stays open while nothing comes.
    pub(crate) poll: Duration,
    /// How long a message's key is waited for before the sender is told.
    pub(crate) key: Duration,
    /// The pauses after what can't be read or taken.
    pub(crate) pace: Pace,
}

/// What is customary.
pub(crate) const WAITS: Waits = Waits {
    poll: Duration::from_secs(25),
    key: Duration::from_mins(5),
    pace: Pace::CUSTOMARY,
};

fn build(cx: &FactoryContext, table: Table) -> Result<Arc<dyn ChannelAdapter>, Vec<Problem>> {
    let settings = read(cx, table)?;
    let adapter = MatrixAdapter::new(cx, settings).map_err(|error| {
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
    let homeserver = reader.required::<String>("homeserver").and_then(|text| {
        let read = base(&text);
        if let Err(what) = read {
            reader.problem("homeserver", what);
        }
        // silent: the problem was noted
        read.ok()
    });
    let user = reader.parsed("user", account);
    let password = secret(&mut reader, cx, "password");
    let token = secret(&mut reader, cx, "token");
    let recovery_key = secret(&mut reader, cx, "recovery_key");
    let inviters = reader
        .optional::<Vec<String>>("invites")
        .unwrap_or_default();
    let inviters = Inviters::read(&inviters);
    if let Err(at) = &inviters {
        let what = format!("entry {at} has to be \"*\", \"@name:server\" or \"server\"");
        reader.problem("invites", what);
    }
    let login = match (user, password, token) {
        (Some(user), Some(password), None) => Some(Login::Password { user, password }),
        (None, None, Some(token)) => Some(Login::Token(token)),
        (_, Some(_), Some(_)) | (Some(_), None, Some(_)) => {
            reader.problem(
                "token",
                "stands alone: with it neither `user` nor `password`",
            );
            None
        }
        (Some(_), None, None) => {
            reader.problem(
                "password",
                "is missing, it has to be `env:NAME` or `file:PATH`",
            );
            None
        }
        (None, Some(_), None) => {
            reader.problem("user", "is missing, it has to be like \"@bot:example.org\"");
            None
        }
        (None, None, None) => {
            reader.problem("user", "is missing: give `user` and `password`, or `token`");
            None
        }
    };
    let encrypts = reader.optional("encrypt_directs").unwrap_or(true);
    let proxy = reader.optional("proxy");
    let settings = (|| {
        Some(Settings {
            homeserver: homeserver?,
            login: login?,
            recovery_key,
            inviters: inviters.ok()?,
            encrypts,
            proxy,
            waits: WAITS,
        })
    })();
    reader.finish(settings)
}

/// A secret that is there, if the key is.
fn secret(reader: &mut TableReader, cx: &FactoryContext, key: &'static str) -> Option<Secret> {
    let secret = reader.optional::<SecretRef>(key)?;
    match secret.resolve(&cx.secrets) {
        Ok(secret) => Some(secret),
        Err(error) => {
            reader.problem(key, error.to_string());
            None
        }
    }
}

fn base(text: &str) -> Result<String, &'static str> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', '@']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        Some(_) | None => Err("has to be an address like \"https://matrix.example.org\""),
    }
}

fn account(text: &str) -> Result<String, &'static str> {
    match UserId::parse(text) {
        Ok(user) => Ok(user.to_string()),
        Err(_no_user_id) => Err("has to be like \"@bot:example.org\""),
    }
}

#[cfg(test)]
mod tests;
