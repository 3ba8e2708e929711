//! What ends the agent-runner, or makes it wait.

use std::{error, io};

use anchorhold_sessiondb as sessiondb;

/// A failed operation of the agent-runner.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument that it does not know.
    #[error("unknown argument {argument:?}")]
    UnknownArgument {
        /// The argument.
        argument: String,
    },
    /// An argument without its value.
    #[error("{argument} needs a value")]
    MissingValue {
        /// The argument.
        argument: &'static str,
    },
    /// Without its generation it could not mark what it claims.
    #[error("--generation N is missing")]
    MissingGeneration,
    /// A generation that is no number from 1 on.
    #[error("--generation {value:?} is no number from 1 on")]
    BadGeneration {
        /// What was given.
        value: String,
    },
    /// What runs the turns is not told as it should be.
    #[error("--harness is not what it should be")]
    BadHarness {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A session file could not be read or claimed in; it may work later.
    #[error("can't use the session's files")]
    Session {
        /// What went wrong.
        #[source]
        source: sessiondb::Error,
    },
    /// The end of a turn could not be written, for so long that it is given up.
    #[error("can't write the end of a turn after {tries} tries")]
    Finish {
        /// How often it was tried.
        tries: u32,
        /// What went wrong the last time.
        #[source]
        source: sessiondb::Error,
    },
    /// A request of the administration command could not be written for so long that it is given up.
    #[error("the session's files are in use; nothing was asked for")]
    NotAsked,
    /// The host has not replied to a request of the administration command.
    #[error("the host did not answer within {seconds} s; the request may still be carried out")]
    NoReply {
        /// How long it was waited for.
        seconds: u64,
    },
    /// The administration command could not begin to wait.
    #[error("can't start the runtime")]
    Runtime {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A signal can't be listened for.
    #[error("can't listen for signals")]
    Signals {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An error with everything that caused it, in one line.
pub fn report(error: &dyn error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
