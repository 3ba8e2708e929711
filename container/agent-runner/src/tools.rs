//! What an agent can do besides talk.

mod add_reaction;
mod ask_question;
mod ask_user_question;
mod bash;
mod edit;
mod edit_message;
mod files;
mod glob;
mod grep;
mod html;
mod list_destinations;
mod memory_search;
mod read;
mod say;
mod send_card;
mod send_file;
mod send_message;
mod send_to_agent;
mod status;
mod tasks;
mod web_fetch;
mod write;

use std::{
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use anchorhold_core::outbound::TEXT_LIMIT_BYTES;
use anchorhold_sessiondb::Seq;
use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    children::Children, desk::DeskError, memory::MemoryError, provider::TurnIo,
    way_out::WayOutError,
};

pub(crate) use list_destinations::destinations;

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
    send_message::TOOL,
    send_to_agent::TOOL,
    send_file::TOOL,
    send_card::TOOL,
    edit_message::TOOL,
    add_reaction::TOOL,
    ask_user_question::TOOL,
    ask_question::TOOL,
    list_destinations::TOOL,
    memory_search::TOOL,
    status::TOOL,
    tasks::SCHEDULE,
    tasks::LIST,
    tasks::UPDATE,
    tasks::PAUSE,
    tasks::RESUME,
    tasks::CANCEL,
];

/// The tools that a harness has itself: an agent's hands in its sandbox.
pub const HANDS: &[&str] = &[
    bash::TOOL,
    read::TOOL,
    write::TOOL,
    edit::TOOL,
    glob::TOOL,
    grep::TOOL,
    web_fetch::TOOL,
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
        send_message::SPEC,
        send_to_agent::SPEC,
        send_file::SPEC,
        send_card::SPEC,
        edit_message::SPEC,
        add_reaction::SPEC,
        ask_user_question::SPEC,
        ask_question::SPEC,
        list_destinations::SPEC,
        memory_search::SPEC,
        status::SPEC,
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
    /// What was said did not arrive, or nobody can say whether it did.
    #[error("message {seq}: {why}")]
    Undelivered {
        /// Its number.
        seq: Seq,
        /// Why.
        why: String,
    },
    /// The memory could not be searched.
    #[error("can't search the memory")]
    Memory(#[from] MemoryError),
    /// It could not be said, or the host not be asked.
    #[error(transparent)]
    Desk(#[from] DeskError),
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
    ) -> Result<String, ToolError> {
        match tool {
            bash::TOOL => bash::call(self, io, parse(bash::TOOL, arguments)?).await,
            read::TOOL => read::call(self, &parse(read::TOOL, arguments)?),
            write::TOOL => write::call(self, &parse(write::TOOL, arguments)?),
            edit::TOOL => edit::call(self, parse(edit::TOOL, arguments)?),
            glob::TOOL => glob::call(self, parse(glob::TOOL, arguments)?).await,
            grep::TOOL => grep::call(self, parse(grep::TOOL, arguments)?).await,
            web_fetch::TOOL => web_fetch::call(io, parse(web_fetch::TOOL, arguments)?).await,
            _ => self.speak(io, tool, arguments).await,
        }
    }

    /// The tools by which an agent reaches people and the host.
    async fn speak(&self, io: &TurnIo, tool: &str, arguments: &str) -> Result<String, ToolError> {
        match tool {
            send_message::TOOL => {
                send_message::call(self, io, parse(send_message::TOOL, arguments)?).await
            }
            send_to_agent::TOOL => {
                send_to_agent::call(self, io, parse(send_to_agent::TOOL, arguments)?).await
            }
            send_file::TOOL => send_file::call(self, io, parse(send_file::TOOL, arguments)?).await,
            send_card::TOOL => send_card::call(io, parse(send_card::TOOL, arguments)?).await,
            edit_message::TOOL => {
                edit_message::call(io, parse(edit_message::TOOL, arguments)?).await
            }
            add_reaction::TOOL => {
                add_reaction::call(io, parse(add_reaction::TOOL, arguments)?).await
            }
            ask_user_question::TOOL => {
                ask_user_question::call(io, parse(ask_user_question::TOOL, arguments)?).await
            }
            ask_question::TOOL => {
                ask_question::call(io, parse(ask_question::TOOL, arguments)?).await
            }
            list_destinations::TOOL => {
                list_destinations::call(io, parse(list_destinations::TOOL, arguments)?).await
            }
            memory_search::TOOL => {
                memory_search::call(self, &parse(memory_search::TOOL, arguments)?)
            }
            status::TOOL => status::call(io, parse(status::TOOL, arguments)?).await,
            _ => self.plan(io, tool, arguments).await,
        }
    }

    /// The tools by which an agent plans its tasks.
    async fn plan(&self, io: &TurnIo, tool: &str, arguments: &str) -> Result<String, ToolError> {
        match tool {
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

/// The error for a reply that is not one to what was asked.
fn strange() -> ToolError {
    ToolError::Desk(DeskError::Refused {
        why: "the host answered something else".to_owned(),
    })
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
