//! `anchorhold pair`

use std::process::ExitCode;

use anchorhold_admin::{
    render::{self, Output, Style},
    request::{Reply, Request},
};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::cli::{Common, admin};

/// Asks the running host for a code, and says what to do with it.
pub async fn run(common: &Common, request: Request) -> anyhow::Result<ExitCode> {
    let reply = admin::ask(common, request).await?;
    let style = admin::style(common);
    let shown = render::output(&reply, style);
    Ok(admin::print(&match (reply, style) {
        // A platform may let names be anything: they are shown as a table shows them.
        (Reply::One(fields), Style::Text) => Output {
            stdout: describe(&fields),
            ..shown
        },
        _ => shown,
    }))
}

/// The code alone in a line, then what it is for.
pub(super) fn describe(fields: &Map<String, Value>) -> String {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).map(plain);
    let code = text("code").unwrap_or_default();
    let channel = text("channel").unwrap_or_default();
    let bot = match text("bot") {
        Some(bot) => format!("the bot ({bot})"),
        None => "the bot".to_owned(),
    };
    let until = fields
        .get("expires_at")
        .and_then(Value::as_i64)
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .map_or_else(String::new, |at| {
            format!(" before {}", at.strftime("%Y-%m-%d %H:%M:%SZ"))
        });
    format!(
        "{code}\n\
         Send this code to {bot} on {channel}, in a direct chat,{until}.\n\
         Whoever sends it becomes an owner: may do everything, and is asked for approvals.\n\
         {}\n",
        owners(fields)
    )
}

fn owners(fields: &Map<String, Value>) -> String {
    let owners = fields.get("owners").and_then(Value::as_array);
    let named: Vec<String> = owners
        .into_iter()
        .flatten()
        .map(|owner| {
            let text = |name: &str| owner.get(name).and_then(Value::as_str).map(plain);
            let known_as = format!(
                "{} on {}",
                text("handle").unwrap_or_default(),
                text("channel").unwrap_or_default()
            );
            match text("name") {
                Some(name) => format!("{name} ({known_as})"),
                None => known_as,
            }
        })
        .collect();
    if named.is_empty() {
        return "Nobody is an owner yet.".to_owned();
    }
    format!("Owners now: {}.", named.join(", "))
}

/// Names that people gave themselves can't move the cursor or pass for another line.
fn plain(text: &str) -> String {
    crate::approvals::plain(text, 80)
}
