//! A program of others that is the agent: how it is started, and what it finds around it.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use serde::Deserialize;

/// What stands for a key inside: programs want to have one, and the host has it.
pub(super) const KEY: &str = "the-host-has-the-key";

/// A program that runs the turns of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Harness {
    /// The program and its arguments; empty for the provider's own name of it.
    #[serde(default)]
    pub command: Vec<String>,
    /// Its environment, beside that of every command.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What it starts as the server of its tools; empty for none.
    #[serde(skip)]
    pub tools: Vec<String>,
    /// Where it keeps what it remembers: a folder of the session's own, made where it is not there.
    #[serde(skip)]
    pub home: Utf8PathBuf,
}
