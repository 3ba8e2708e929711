//! Any agent that speaks the Agent Client Protocol, by its command line: a long-lived child and
//! JSON-RPC over its pipes. <https://agentclientprotocol.com/protocol/overview>
//!
//! What it remembers is its own business: on record is the id of its session, which another child is
//! asked to load. A prompt can't be added to while it runs, so what comes meanwhile is the next one of
//! the same turn.

mod agent;
mod protocol;
mod talk;

use std::collections::BTreeMap;

use anchorhold_core::{turn_failure::FailureClass, way_out::MODEL_PREFIX};
use async_trait::async_trait;

use crate::{
    provider::{
        AgentProvider, Harness, Model, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
        acp::{agent::Agent, talk::Talk},
        answers::{Answers, NOTHING_TO_SHORTEN},
        harness::KEY,
        kept::Kept,
        model::{failure::Failure, prompt, reached, work::instructions},
    },
    report,
};

const CAPS: ProviderCaps = ProviderCaps {
    name: "acp",
    state_keys: &[STATE],
    follow_ups: true,
};
const STATE: &str = "acp";
/// Where agents keep what they remember, by the variables that tell them.
const FOLDERS: &[(&str, &str)] = &[
    ("CODEX_HOME", "codex"),
    ("XDG_CACHE_HOME", "cache"),
    ("XDG_CONFIG_HOME", "config"),
    ("XDG_DATA_HOME", "data"),
    ("XDG_STATE_HOME", "state"),
];
/// The longest id of a session, in bytes.
const ID_LIMIT_BYTES: usize = 256;

/// An agent of others.
#[derive(Debug)]
pub struct Acp {
    harness: Harness,
    kept: Kept<Agent>,
}

/// What an agent is started with. One that differs needs another child.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Launch {
    command: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Acp {
    /// Started as `harness` says.
    pub fn new(harness: Harness) -> Self {
        Self {
            harness,
            kept: Kept::default(),
        }
    }

    fn launch(&self, model: &Model, port: u16) -> Launch {
        let base_url = format!("http://127.0.0.1:{port}{MODEL_PREFIX}");
        let told = |text: &String| {
            let text = text.replace("{base_url}", &base_url);
            text.replace("{model}", &model.id).replace("{key}", KEY)
        };
        let home = &self.harness.home;
        let folders = FOLDERS.iter();
        let folders =
            folders.map(|(name, folder)| ((*name).to_owned(), home.join(folder).into_string()));
        let own = self.harness.environment.iter();
        let own = own.map(|(name, value)| (name.clone(), told(value)));
        Launch {
            command: self.harness.command.iter().map(told).collect(),
            environment: folders.chain(own).collect(),
        }
    }
}

#[async_trait]
impl AgentProvider for Acp {
    fn caps(&self) -> &ProviderCaps {
        &CAPS
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        let session = remembered(&turn.state)?;
        let (model, way_out) = reached(&io)?;
        if self.harness.command.is_empty() {
            let why =
                "this agent has no command; its configuration has to name a harness".to_owned();
            return Err(TurnError::Failed { why });
        }
        let (mut in_turn, gate) = self.kept.take(&io).await?;
        let launch = self.launch(model, gate.port());
        let open = gate.open(way_out, session.is_some());
        let fits = in_turn
            .child
            .as_ref()
            .is_some_and(|agent| agent.session() == session && *agent.launch() == launch);
        if !fits {
            in_turn.end().await;
            let start = Agent::start(launch, &self.harness, &io, self.kept.tasks());
            in_turn.child = Some(start.map_err(|error| TurnError::Failed {
                why: format!("the agent can't be started: {}", report(&error)),
            })?);
        }
        let Some(agent) = &mut in_turn.child else {
            return Ok(TurnOutcome::default());
        };
        let system = prompt::system(&turn.agent_name, instructions(io.workspace()).as_deref());
        let mut talk = Talk::new(agent, &io, &open);
        if !fits {
            Box::pin(talk.begin(session, system)).await?;
        }
        let answers = Box::pin(talk.answer(turn.messages)).await?;
        let session = agent.session().map(str::to_owned);
        in_turn.keep();
        Ok(TurnOutcome {
            emit: answers.into_emit(),
            state: vec![(STATE.to_owned(), session)],
        })
    }

    /// The protocol has no word for it: agents make room themselves.
    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        _io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        let mut answers = Answers::default();
        let told = match state.get(STATE) {
            Some(_) => "This agent makes room for itself when it has to.",
            None => NOTHING_TO_SHORTEN,
        };
        answers.tell(told.to_owned());
        Ok(TurnOutcome {
            emit: answers.into_emit(),
            state: Vec::new(),
        })
    }
}

/// The session on record. What can't be one is lost.
fn remembered(state: &BTreeMap<String, String>) -> Result<Option<&str>, TurnError> {
    match state.get(STATE).map(String::as_str) {
        Some(id) if id.is_empty() || id.len() > ID_LIMIT_BYTES => {
            let detail = "what was kept of the conversation can't be read";
            Err(Failure::new(FailureClass::ContinuationLost, detail).into())
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests;
