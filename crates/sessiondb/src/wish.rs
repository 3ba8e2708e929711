//! What tools ask the host for, beside what they say: a request in the table that the administration
//! command uses, too.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Seq;

/// Something that a tool wants to know, or have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wish {
    /// Whom may the agent write to?
    Destinations {},
    /// How are things?
    Status {},
    /// The agent's question was answered in words: nobody can choose an answer any more.
    CloseQuestion {
        /// Which question.
        seq: Seq,
    },
}

/// What the host says to a [`Wish`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WishReply {
    /// Whom the agent may write to.
    Destinations(Vec<DestinationLine>),
    /// How things are.
    Status(Facts),
    /// It is done.
    Done {},
    /// It is not done, for this reason.
    Failed(String),
}

/// One place that the agent may write to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DestinationLine {
    /// By what name.
    pub name: String,
    /// What is there: a channel's chat, or another agent.
    pub what: String,
    /// Is it another agent?
    #[serde(default)]
    pub agent: bool,
}

/// How things are with a session, as its host sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The agent's name.
    pub agent: String,
    /// What answers for it.
    pub provider: String,
    /// Its model, if it has one.
    #[serde(default)]
    pub model: Option<String>,
    /// The version of the host.
    pub version: String,
    /// What time it is on the host.
    pub now: Timestamp,
    /// Messages of people that wait for an answer, those of this turn included.
    pub waiting: u64,
    /// What the agent said that is on its way.
    pub unsent: u64,
    /// Questions that nobody has answered.
    pub questions: u64,
}
