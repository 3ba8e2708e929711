//! What an agent can do besides talk.

mod add_reaction;
mod ask_question;
mod bash;
mod edit;
mod edit_message;
mod files;
mod glob;
mod grep;
mod html;
mod read;
mod send_file;
mod tasks;
mod web_fetch;
mod write;

use std::{
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use anchorhold_core::outbound::TEXT_LIMIT_BYTES;
use anchorhold_sessiondb::{Outbound, OutboxFile, Seq};
use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use serde_json::Value;

use crate::{children::Children, provider::TurnIo, way_out::WayOutError};

pub use tasks::Host;

/// The names of all tools.
pub const NAMES: &[&str] = &[
    bash::TOOL,
    read::TOOL,
    write::TOOL,
    edit::TOOL,
    glob::TOOL,
    grep::TOOL,
    web_fetch::TOOL,
    send_file::TOOL,
    edit_message::TOOL,
    add_reaction::TOOL,
    ask_question::TOOL,
    tasks::SCHEDULE,
    tasks::LIST,
    tasks::UPDATE,
    tasks::PAUSE,
    tasks::RESUME,
    tasks::CANCEL,
];

/// What a model is told of a tool.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// What it does, and what to know of it.
    pub about: &'static str,
    /// The JSON schema of its arguments.
    pub schema: Value,
}

static SPECS: LazyLock<Vec<Spec>> = LazyLock::new(|| {
    let all = [
        bash::SPEC,
        read::SPEC,
        write::SPEC,
        edit::SPEC,
        glob::SPEC,
        grep::SPEC,
        web_fetch::SPEC,
        send_file::SPEC,
        edit_message::SPEC,
        add_reaction::SPEC,
        ask_question::SPEC,
        tasks::SCHEDULE_SPEC,
        tasks::LIST_SPEC,
        tasks::UPDATE_SPEC,
        tasks::PAUSE_SPEC,
        tasks::RESUME_SPEC,
        tasks::CANCEL_SPEC,
    ];
    let spec = |(name, (about, schema)): (&&'static str, (&'static str, &str))| Spec {
        name,
        about,
        // silent: a test reads them all
        schema: serde_json::from_str(schema).unwrap_or_default(),
    };
    NAMES.iter().zip(all).map(spec).collect()
});

/// What models are told of all tools, in an order that stays: a changed one empties their caches.
pub fn specs() -> &'static [Spec] {
    &SPECS
}

/// The tools of one sandbox.
#[derive(Debug)]
pub struct Tools {
    workspace: Utf8PathBuf,
    environment: Vec<(String, String)>,
    /// What commands have in their environment besides.
    extra: Vec<(String, String)>,
    children: Arc<Children>,
    host: Option<Host>,
}

/// What a tool did.
#[derive(Debug, PartialEq, Eq)]
pub struct Called {
    /// For the agent to read.
    pub text: String,
    /// For the conversation; it happens when the turn ends.
    pub effect: Option<Effect>,
}

/// Something that a turn does in the conversation.
#[derive(Debug, PartialEq, Eq)]
pub struct Effect {
    /// What.
    pub op: Outbound,
    /// Files that go with it.
    pub files: Vec<OutboxFile>,
}

/// A tool call that failed; the agent is told.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// No tool has that name.
    #[error("there is no such tool; there are {}", NAMES.join(", "))]
    UnknownTool,
    /// The arguments are not those of the tool.
    #[error("bad arguments for {tool}")]
    Arguments {
        /// The tool.
        tool: &'static str,
        /// What serde said.
        #[source]
        source: serde_json::Error,
    },
    /// An argument has a value that it can't have.
    #[error("bad arguments for {tool}: {what}")]
    Value {
        /// The tool.
        tool: &'static str,
        /// What is wrong.
        what: String,
    },
    /// The shell could not be run.
    #[error("can't {doing}")]
    Shell {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The host did not do what it was asked for.
    #[error("not done: {0}")]
    Host(String),
    /// The way out gave nothing.
    #[error("can't fetch {url:?}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: WayOutError,
    },
    /// A file could not be read or written.
    #[error("can't {doing} {path:?}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file as it was named.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file that is not sent.
    #[error("{path:?} is not sent: {why}")]
    Refused {
        /// The file as it was named.
        path: String,
        /// Why not.
        why: String,
    },
}

impl Tools {
    /// Tools that work in `workspace`. `environment` is this process's, which tools inherit.
    pub fn new(
        workspace: Utf8PathBuf,
        environment: Vec<(String, String)>,
        children: Arc<Children>,
    ) -> Self {
        Self {
            workspace,
            environment,
            extra: Vec::new(),
            children,
            host: None,
        }
    }

    /// The same with a way to ask the host.
    #[must_use]
    pub fn with_host(self, host: Host) -> Self {
        Self {
            host: Some(host),
            ..self
        }
    }

    fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// See [`TurnIo::run_script`].
    pub(crate) async fn run_script(
        &self,
        io: &TurnIo,
        script: &str,
        limit: Duration,
    ) -> Result<Result<String, String>, ToolError> {
        let ran = bash::run(self, io, script, limit).await?;
        io.progress(None);
        Ok(ran.whole(limit))
    }

    /// The same, whose commands have these variables, too.
    #[must_use]
    pub fn with_environment(mut self, extra: Vec<(String, String)>) -> Self {
        let names: Vec<&str> = extra.iter().map(|(name, _)| name.as_str()).collect();
        self.environment
            .retain(|(name, _)| !names.contains(&name.as_str()));
        self.environment.extend(extra.iter().cloned());
        self.extra = extra;
        self
    }

    /// The environment that commands have.
    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    pub(crate) fn workspace(&self) -> &Utf8Path {
        &self.workspace
    }

    pub(crate) async fn call(
        &self,
        io: &TurnIo,
        tool: &str,
        arguments: &str,
    ) -> Result<Called, ToolError> {
        match tool {
            bash::TOOL => bash::call(self, io, parse(bash::TOOL, arguments)?).await,
            read::TOOL => read::call(self, &parse(read::TOOL, arguments)?),
            write::TOOL => write::call(self, &parse(write::TOOL, arguments)?),
            edit::TOOL => edit::call(self, parse(edit::TOOL, arguments)?),
            glob::TOOL => glob::call(self, parse(glob::TOOL, arguments)?).await,
            grep::TOOL => grep::call(self, parse(grep::TOOL, arguments)?).await,
            web_fetch::TOOL => web_fetch::call(io, parse(web_fetch::TOOL, arguments)?).await,
            send_file::TOOL => send_file::call(self, parse(send_file::TOOL, arguments)?),
            edit_message::TOOL => edit_message::call(parse(edit_message::TOOL, arguments)?),
            add_reaction::TOOL => add_reaction::call(parse(add_reaction::TOOL, arguments)?),
            ask_question::TOOL => ask_question::call(parse(ask_question::TOOL, arguments)?),
            tasks::SCHEDULE => tasks::schedule(self, io, parse(tasks::SCHEDULE, arguments)?).await,
            tasks::LIST => tasks::list(self, io, parse(tasks::LIST, arguments)?).await,
            tasks::UPDATE => tasks::update(self, io, parse(tasks::UPDATE, arguments)?).await,
            tasks::PAUSE => tasks::one(self, io, "pause", parse(tasks::PAUSE, arguments)?).await,
            tasks::RESUME => tasks::one(self, io, "resume", parse(tasks::RESUME, arguments)?).await,
            tasks::CANCEL => tasks::one(self, io, "cancel", parse(tasks::CANCEL, arguments)?).await,
            _ => Err(ToolError::UnknownTool),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(tool: &'static str, json: &'a str) -> Result<T, ToolError> {
    serde_json::from_str(json).map_err(|source| ToolError::Arguments { tool, source })
}

/// What a tool that changes nothing in the conversation gave.
fn told(text: String) -> Called {
    Called { text, effect: None }
}

fn message(tool: &'static str, seq: i64) -> Result<Seq, ToolError> {
    Seq::new(seq).ok_or_else(|| ToolError::Value {
        tool,
        what: format!("{seq} is no message's number"),
    })
}

fn check_text(tool: &'static str, text: &str) -> Result<(), ToolError> {
    if text.len() <= TEXT_LIMIT_BYTES {
        return Ok(());
    }
    Err(ToolError::Value {
        tool,
        what: format!(
            "the text has {} bytes, at most {TEXT_LIMIT_BYTES} are sent",
            text.len()
        ),
    })
}

#[cfg(test)]
mod tests;
