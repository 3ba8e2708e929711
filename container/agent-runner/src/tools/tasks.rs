//! Has the host do something at a time: the agent's tasks. Each answer is what the host did.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anchorhold_admin::{
    render,
    request::{Reply, Request},
};
use anchorhold_core::clock::Clock;
use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::{
    admin::{PATIENCE, ask_async},
    provider::TurnIo,
    tools::{ToolError, Tools},
};

pub(super) const SCHEDULE: &str = "schedule_task";
pub(super) const LIST: &str = "list_tasks";
pub(super) const UPDATE: &str = "update_task";
pub(super) const PAUSE: &str = "pause_task";
pub(super) const RESUME: &str = "resume_task";
pub(super) const CANCEL: &str = "cancel_task";

pub(super) const SCHEDULE_SPEC: (&str, &str) = (
    "Has you woken to do something: once (`at` or `in`) or again and again (`cron`). Each run is a turn \
     of its own; what you say in it goes to the conversation that asked. Give `zone`, the time zone \
     of the person, whenever a time of day is meant; ask if you don't know it. With `script` you are \
     woken only if there is something to do: it is run first, in your workspace, within a minute, \
     and its last line has to be JSON, {\"wakeAgent\": true, \"data\": ...} or {\"wakeAgent\": false}.",
    r#"{"type":"object","properties":{"prompt":{"type":"string","description":"What you are to do then, with all that you need to know; at most 4096 bytes"},"at":{"type":"string","description":"Once at this time, e.g. 2026-12-24 18:30, local in the zone"},"in":{"type":"string","description":"Once after this time, e.g. 20 minutes"},"cron":{"type":"string","description":"Again and again: minute hour day month weekday, e.g. 30 9 * * 1-5; every 5 minutes at most"},"zone":{"type":"string","description":"The time zone, e.g. Europe/Berlin; UTC if absent"},"name":{"type":"string","description":"A short name of letters, digits and dashes"},"script":{"type":"string","description":"A command line that says whether to wake you"},"to":{"type":"string","description":"The destination that your answers go to, if not this conversation"},"message":{"type":"integer","description":"The number of the message that asks for it, if not the first of this turn"},"in_conversation":{"type":"boolean","description":"True: it runs in the memory of this conversation, not in one of its own"}},"required":["prompt"],"additionalProperties":false}"#,
);
pub(super) const LIST_SPEC: (&str, &str) = (
    "Lists your tasks: when each runs next, and how its last run ended.",
    r#"{"type":"object","properties":{"all":{"type":"boolean","description":"Those that have ended, too"}},"required":[],"additionalProperties":false}"#,
);
pub(super) const UPDATE_SPEC: (&str, &str) = (
    "Changes what one of your tasks does, or when. What is absent stays as it is.",
    r#"{"type":"object","properties":{"task":{"type":"string","description":"Its name or id"},"prompt":{"type":"string"},"at":{"type":"string"},"in":{"type":"string"},"cron":{"type":"string"},"zone":{"type":"string"},"name":{"type":"string"},"script":{"type":"string","description":"Empty for none"}},"required":["task"],"additionalProperties":false}"#,
);
pub(super) const PAUSE_SPEC: (&str, &str) = (
    "Lets one of your tasks rest until it is resumed.",
    ONE_SCHEMA,
);
pub(super) const RESUME_SPEC: (&str, &str) = (
    "Lets one of your tasks run again that rests. What it missed is left out.",
    ONE_SCHEMA,
);
pub(super) const CANCEL_SPEC: (&str, &str) = ("Ends one of your tasks for good.", ONE_SCHEMA);
const ONE_SCHEMA: &str = r#"{"type":"object","properties":{"task":{"type":"string","description":"Its name or id"}},"required":["task"],"additionalProperties":false}"#;

/// The way to the host for what is neither said nor fetched.
#[derive(Clone)]
pub struct Host {
    /// The session's `in/`.
    pub in_dir: Utf8PathBuf,
    /// The session's `out/`.
    pub out_dir: Utf8PathBuf,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("in_dir", &self.in_dir)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Schedule {
    prompt: String,
    at: Option<String>,
    r#in: Option<String>,
    cron: Option<String>,
    zone: Option<String>,
    name: Option<String>,
    script: Option<String>,
    to: Option<String>,
    message: Option<i64>,
    #[serde(default)]
    in_conversation: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    #[serde(default)]
    all: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Update {
    task: String,
    prompt: Option<String>,
    at: Option<String>,
    r#in: Option<String>,
    cron: Option<String>,
    zone: Option<String>,
    name: Option<String>,
    script: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct One {
    task: String,
}

pub(super) async fn schedule(
    tools: &Tools,
    io: &TurnIo,
    wanted: Schedule,
) -> Result<String, ToolError> {
    // The conversation of this turn, whatever else is said meanwhile.
    let turn = wanted.message.or_else(|| io.turn());
    let message = turn.filter(|_| wanted.to.is_none());
    let fields = [
        ("prompt", Some(wanted.prompt)),
        ("at", wanted.at),
        ("in", wanted.r#in),
        ("cron", wanted.cron),
        ("zone", wanted.zone),
        ("name", wanted.name),
        ("script", wanted.script),
        ("to", wanted.to),
        ("message", message.map(|seq| seq.to_string())),
        ("in-conversation", flag(wanted.in_conversation)),
    ];
    ask(tools, io, "add", fields).await
}

pub(super) async fn list(tools: &Tools, io: &TurnIo, wanted: List) -> Result<String, ToolError> {
    ask(tools, io, "list", [("all", flag(wanted.all))]).await
}

pub(super) async fn update(
    tools: &Tools,
    io: &TurnIo,
    wanted: Update,
) -> Result<String, ToolError> {
    let fields = [
        ("id", Some(wanted.task)),
        ("prompt", wanted.prompt),
        ("at", wanted.at),
        ("in", wanted.r#in),
        ("cron", wanted.cron),
        ("zone", wanted.zone),
        ("name", wanted.name),
        ("script", wanted.script),
    ];
    ask(tools, io, "update", fields).await
}

/// Pauses, resumes or cancels one.
pub(super) async fn one(
    tools: &Tools,
    io: &TurnIo,
    verb: &str,
    wanted: One,
) -> Result<String, ToolError> {
    ask(tools, io, verb, [("id", Some(wanted.task))]).await
}

fn flag(given: bool) -> Option<String> {
    given.then(|| "true".to_owned())
}

async fn ask<const N: usize>(
    tools: &Tools,
    io: &TurnIo,
    verb: &str,
    fields: [(&str, Option<String>); N],
) -> Result<String, ToolError> {
    let given = fields.into_iter();
    let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let request = Request {
        resource: "tasks".to_owned(),
        verb: verb.to_owned(),
        args: given.collect::<BTreeMap<_, _>>(),
    };
    let Some(host) = tools.host() else {
        return Err(ToolError::Host("there is no way to it".to_owned()));
    };
    io.progress(Some(PATIENCE + Duration::from_secs(5)));
    let now = host.clock.now();
    let reply = ask_async(&host.in_dir, &host.out_dir, &request, now).await;
    match reply.map_err(|error| ToolError::Host(error.to_string()))? {
        Reply::Failed { what, .. } => Err(ToolError::Host(what)),
        reply @ (Reply::Rows { .. } | Reply::One(_) | Reply::Done { .. } | Reply::Held { .. }) => {
            Ok(render::text(&reply).trim_end().to_owned())
        }
    }
}
