//! `anchorhold backup` and `anchorhold restore`

use std::process::ExitCode;

use anchorhold_core::ids::InstallId;
use camino::Utf8PathBuf;
use clap::Args;

use crate::{
    app::World,
    backup::{self, check},
    cli::Common,
    dirs::Dirs,
    output,
};

/// What is backed up, and where to.
#[derive(Debug, Args)]
pub struct Backup {
    /// A new file, or a folder for one that is named by the time; the default is this folder
    #[arg(long, value_name = "FILE|DIR", default_value = ".")]
    to: Utf8PathBuf,
    /// Leave the agents' workspaces out
    #[arg(long)]
    without_workspaces: bool,
}

/// What is restored, to the place that `--data-dir` names.
#[derive(Debug, Args)]
pub struct Restore {
    /// The archive
    archive: Utf8PathBuf,
}

/// Takes a backup, beside a host that may be running.
pub async fn backup(common: &Common, backup: &Backup, world: &World) -> anyhow::Result<ExitCode> {
    let now = world.clock.now();
    let to = if backup.to.is_dir() {
        let name = now.strftime("anchorhold-%Y%m%dT%H%M%SZ.tar").to_string();
        backup.to.join(name)
    } else {
        backup.to.clone()
    };
    let dirs = Dirs::look(&common.data_dir)?;
    let made = backup::make(&dirs, &to, !backup.without_workspaces, now).await?;
    if common.json {
        output::json(&serde_json::json!({
            "path": made.path,
            "sessions": made.sessions,
            "entries": made.entries,
            "left_out": made.left_out,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(made.path.as_str());
    let (sessions, entries) = (made.sessions, made.entries);
    output::note(&format!("{sessions} sessions, {entries} files and folders"));
    for line in &made.left_out {
        output::note(&format!("left out: {line}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Restores a backup to a new place.
pub async fn restore(
    common: &Common,
    restore: &Restore,
    world: &World,
) -> anyhow::Result<ExitCode> {
    let id = InstallId::mint(world.clock.now(), world.entropy.bytes());
    let to = &common.data_dir;
    let restored = Box::pin(check::restore(&restore.archive, to, id)).await?;
    let counts = restored.counts;
    if common.json {
        output::json(&serde_json::json!({
            "path": to,
            "schema": restored.schema,
            "sessions": restored.sessions,
            "messages_pending": counts.messages_pending,
            "deliveries_pending": counts.deliveries_pending,
            "notes": restored.notes,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::data(to.as_str());
    output::note(&format!(
        "everything opens: schema {}, {} sessions, {} messages wait for an answer, {} deliveries \
         for being sent",
        restored.schema, restored.sessions, counts.messages_pending, counts.deliveries_pending
    ));
    for note in &restored.notes {
        output::note(&format!("note: {note}"));
    }
    Ok(ExitCode::SUCCESS)
}
