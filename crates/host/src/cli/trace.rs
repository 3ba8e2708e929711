//! `anchorhold trace`

use std::process::ExitCode;

use anchorhold_admin::{render, request::Request};
use anchorhold_store::Store;
use anyhow::{Context, bail};
use jiff::Timestamp;

use crate::{
    cli::{
        Common,
        admin::{print, style},
    },
    dirs::Dirs,
    output,
    trace::{Asked, Found, look, show},
};

/// Reads the central database; works with and without a running host.
pub async fn run(common: &Common, request: &Request, now: Timestamp) -> anyhow::Result<ExitCode> {
    let database = common.data_dir.join("anchorhold.db");
    if !database.is_file() {
        bail!("there is no installation in {}", common.data_dir);
    }
    let dirs = Dirs::look(&common.data_dir)?;
    let store = Store::open_reading(dirs.database().as_std_path()).await?;
    let field = |name: &str| request.args.get(name).map(String::as_str);
    let group = match field("group") {
        Some(name) => {
            let groups = store.groups().await?;
            let named = groups
                .iter()
                .find(|group| group.folder.as_str() == name || group.id.to_string() == name);
            Some(named.context("there is no such group (--group)")?.id)
        }
        None => None,
    };
    let asked = Asked {
        id: field("id").unwrap_or_default(),
        conversation: field("conversation"),
        group,
        thorough: true,
        now,
    };
    let found = look(&store, &|session| dirs.session(session), &asked).await?;
    store.close().await;
    match &found {
        Found::One(timeline) if common.json => output::json(timeline)?,
        Found::One(timeline) => output::data(&show::text(timeline)),
        Found::Several(_) | Found::Nothing | Found::Conversation(_) => {
            let reply = show::reply(&found);
            return Ok(print(&render::output(&reply, style(common))));
        }
    }
    Ok(ExitCode::SUCCESS)
}
