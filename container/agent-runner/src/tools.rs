//! What an agent can do besides talk.

mod add_reaction;
mod ask_question;
mod edit_message;
mod send_file;
mod sh;

use std::{io, sync::Arc};

use anchorhold_core::outbound::TEXT_LIMIT_BYTES;
use anchorhold_sessiondb::{Outbound, OutboxFile, Seq};
use camino::Utf8PathBuf;
use serde::Deserialize;

use crate::{children::Children, provider::TurnIo};

/// The names of all tools.
pub const NAMES: &[&str] = &[
    "sh",
    "send_file",
    "edit_message",
    "add_reaction",
    "ask_question",
];

/// The tools of one sandbox.
#[derive(Debug)]
pub struct Tools {
    workspace: Utf8PathBuf,
    environment: Vec<(String, String)>,
    children: Arc<Children>,
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
    /// A file could not be read.
    #[error("can't read {path:?}")]
    File {
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
            children,
        }
    }

    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    pub(crate) async fn call(
        &self,
        io: &TurnIo,
        tool: &str,
        arguments: &str,
    ) -> Result<Called, ToolError> {
        match tool {
            "sh" => sh::call(self, io, parse("sh", arguments)?).await,
            "send_file" => send_file::call(self, parse("send_file", arguments)?),
            "edit_message" => edit_message::call(parse("edit_message", arguments)?),
            "add_reaction" => add_reaction::call(parse("add_reaction", arguments)?),
            "ask_question" => ask_question::call(parse("ask_question", arguments)?),
            _ => Err(ToolError::UnknownTool),
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(tool: &'static str, json: &'a str) -> Result<T, ToolError> {
    serde_json::from_str(json).map_err(|source| ToolError::Arguments { tool, source })
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
