//! Making the code that makes an owner.

use std::time::Duration;

use anchorhold_admin::request::Reply;
use anchorhold_core::ids::ChannelName;
use anchorhold_store::views::{Filter, Rows, View};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    admin::{lookup::Lookup, refusal::Refusal},
    pairing::Pairing,
};

/// How long the platform is asked what the bot is called there.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many roles are looked through for owners.
const ROLES_LIMIT: u32 = 1000;

/// Answers `pair`: the code, where it goes, until when, and who is an owner already.
pub(super) async fn pair(lookup: &Lookup<'_>, pairing: &Pairing) -> Result<Reply, Refusal> {
    let channel = lookup.channel("channel")?;
    let bot = bot(lookup, &channel).await;
    let listed = lookup
        .base
        .store
        .view(View::Roles, &Filter::default(), ROLES_LIMIT)
        .await?;
    let Some(code) = pairing.open(&channel).await? else {
        return Err(lookup.absent("channel", "channel"));
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("code", code.digits.into());
    put("channel", channel.as_str().into());
    put("bot", bot.map_or(Value::Null, Value::String));
    put("expires_at", code.expires_at.as_millisecond().into());
    put("owners", owners(&listed).into());
    Ok(Reply::One(fields))
}

/// What people call the bot there, where the platform says so in time.
async fn bot(lookup: &Lookup<'_>, channel: &ChannelName) -> Option<String> {
    let instance = lookup.registry.get(channel)?;
    // silent: the name is for show, and how the platform fares is reported elsewhere
    let probed = timeout(PATIENCE, instance.adapter.probe()).await.ok()?;
    let identity = probed.ok()?;
    Some(match identity.name {
        Some(name) => name,
        None => identity.handle.as_str().to_owned(),
    })
}

fn owners(listed: &Rows) -> Vec<Value> {
    let column = |name: &str| listed.columns.iter().position(|column| *column == name);
    let (role, channel) = (column("role"), column("channel"));
    let (handle, name) = (column("handle"), column("name"));
    let cell = |row: &Vec<Value>, at: Option<usize>| -> Value {
        at.and_then(|at| row.get(at)).cloned().unwrap_or_default()
    };
    let own = listed
        .rows
        .iter()
        .filter(|row| cell(row, role) == "owner")
        .map(|row| {
            json!({
                "channel": cell(row, channel),
                "handle": cell(row, handle),
                "name": cell(row, name),
            })
        });
    own.collect()
}
