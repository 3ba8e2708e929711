//! `anchorhold sessions`

use std::process::ExitCode;

use anchorhold_core::ids::SessionId;
use anchorhold_store::{
    Store,
    sessions::{SessionRow, SessionSummary},
};
use anyhow::{Context, bail};
use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use crate::{cli::Common, dirs::Dirs, output};

/// The most sessions and messages that are shown.
const LIMIT: u32 = 1_000;
/// How many sessions are looked through.
const ALL_LIMIT: u32 = 100_000;

/// What is shown from the database itself; the catalog has what else there is.
#[derive(Debug)]
pub enum Sessions {
    /// The sessions, the latest active first.
    List {
        /// Of this agent, by folder or id.
        group: Option<String>,
        /// Closed ones, too.
        all: bool,
        /// At most so many.
        limit: u32,
    },
    /// One session: its messages that wait, its files and what its sandboxes logged.
    Show {
        /// The session's id, or its end.
        id: String,
    },
}

/// The catalog's command with what is only here.
pub(super) fn augment(command: Command) -> Command {
    let id = Arg::new("id")
        .value_name("ID")
        .required(true)
        .help("The session's id, or its end");
    let about = "Show one session: its messages that wait, its files and what its sandboxes logged";
    command.subcommand(Command::new("show").about(about).arg(id))
}

/// What is shown without asking a host; `None` for what the catalog says about.
pub(super) fn parse(matches: &ArgMatches) -> Option<Sessions> {
    match matches.subcommand()? {
        ("show", inner) => Some(Sessions::Show {
            id: inner.get_one::<String>("id")?.clone(),
        }),
        ("list", inner) => {
            let limit = inner.get_one::<String>("limit");
            Some(Sessions::List {
                group: inner.get_one::<String>("group").cloned(),
                all: inner.get_flag("all"),
                limit: limit.and_then(|limit| limit.parse().ok()).unwrap_or(LIMIT),
            })
        }
        _ => None,
    }
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
        Sessions::List { group, all, limit } => {
            let group = group.as_deref();
            let mut found = choose(&store, group, *all).await?;
            found.truncate(usize::try_from(*limit)?);
            list(common, &store, &found).await?;
        }
        Sessions::Show { id } => show(common, &store, &dirs, id).await?,
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The sessions that are asked for, all of them.
async fn choose(
    store: &Store,
    group: Option<&str>,
    all: bool,
) -> anyhow::Result<Vec<SessionSummary>> {
    let mut found = store.sessions(ALL_LIMIT).await?;
    found.retain(|summary| all || summary.row.closed_at.is_none());
    if let Some(name) = group {
        let groups = store.groups().await?;
        let named = groups
            .iter()
            .find(|group| group.folder.as_str() == name || group.id.to_string() == name);
        let named = named.context("there is no such group (--group)")?.id;
        found.retain(|summary| summary.row.session.key.agent_group == named);
    }
    Ok(found)
}

async fn list(common: &Common, store: &Store, found: &[SessionSummary]) -> anyhow::Result<()> {
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
    for summary in found {
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
        "dormant_at": row.dormant_at,
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
