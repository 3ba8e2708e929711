//! `anchorhold sessions`

use std::process::ExitCode;

use anchorhold_core::ids::SessionId;
use anchorhold_store::{Store, sessions::SessionRow};
use anyhow::{Context, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::{cli::Common, dirs::Dirs, output};

/// The most sessions and messages that are shown.
const LIMIT: u32 = 1_000;

/// What to show.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// List sessions, the latest active first
    List,
    /// Show one session: its messages that wait, its files and what its sandboxes logged
    Show {
        /// The session's id, or its end
        id: String,
    },
}

/// Reads the central database; works with and without a running host.
pub async fn run(common: &Common, sessions: &Sessions) -> anyhow::Result<ExitCode> {
    let database = common.data_dir.join("anchorhold.db");
    if !database.is_file() {
        bail!("there is no installation in {}", common.data_dir);
    }
    let dirs = Dirs::look(&common.data_dir)?;
    let store = Store::open_reading(dirs.database().as_std_path()).await?;
    match sessions {
        Sessions::List => list(common, &store).await?,
        Sessions::Show { id } => show(common, &store, &dirs, id).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(common: &Common, store: &Store) -> anyhow::Result<()> {
    let mut rows = vec![
        [
            "session",
            "agent",
            "generation",
            "waiting",
            "last active",
            "fault",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for summary in store.sessions(LIMIT).await? {
        let described = describe(store, &summary.row, summary.pending).await?;
        if common.json {
            output::json(&described)?;
            continue;
        }
        let text = |key: &str| match described.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        rows.push(
            [
                "session",
                "agent",
                "generation",
                "waiting",
                "last_active_at",
                "fault",
            ]
            .map(text)
            .to_vec(),
        );
    }
    if !common.json {
        output::data(&output::table(&rows));
    }
    Ok(())
}

async fn describe(store: &Store, row: &SessionRow, pending: u64) -> anyhow::Result<Value> {
    let group = store.group(row.session.key.agent_group).await?;
    Ok(json!({
        "session": row.session.id,
        "agent": group.map(|group| group.name),
        "conversation": row.session.key.conversation,
        "thread": row.session.key.thread,
        "generation": row.session.generation.0,
        "waiting": pending,
        "last_active_at": row.last_active_at,
        "created_at": row.created_at,
        "closed_at": row.closed_at,
        "fault": row.fault.as_ref().map(|fault| &fault.what),
    }))
}

async fn show(common: &Common, store: &Store, dirs: &Dirs, id: &str) -> anyhow::Result<()> {
    let session = find(store, id).await?;
    let row = store
        .session(session)
        .await?
        .context("the session is gone")?;
    let pending = store.pending_messages(session, LIMIT).await?;
    let waiting = u64::try_from(pending.len())?;
    let mut described = describe(store, &row, waiting).await?;
    let messages: Vec<Value> = pending
        .iter()
        .map(|message| {
            json!({
                "seq": message.seq,
                "tries": message.tries,
                "next_at": message.next_at,
                "last_error": message.last_error,
                "created_at": message.created_at,
            })
        })
        .collect();
    let log = dirs.session_log(session);
    if let Value::Object(fields) = &mut described {
        fields.insert("messages".to_owned(), Value::Array(messages));
        fields.insert("files".to_owned(), json!(dirs.session(session)));
        fields.insert("log".to_owned(), json!(log));
    }
    if common.json {
        return Ok(output::json(&described)?);
    }
    output::data(&serde_json::to_string_pretty(&described)?);
    Ok(())
}

async fn find(store: &Store, id: &str) -> anyhow::Result<SessionId> {
    if let Ok(session) = SessionId::parse(id) {
        return Ok(session);
    }
    let mut found = store.sessions(LIMIT).await?;
    found.retain(|summary| summary.row.session.id.to_string().ends_with(id));
    match found.as_slice() {
        [one] => Ok(one.row.session.id),
        [] => bail!("there is no session {id}"),
        _ => bail!("several sessions end in {id}; say more of it"),
    }
}
