//! What answers: the one interface between the loop and a model, or a script that stands for one.

pub mod offline;

pub mod acp;
pub mod anthropic;
pub mod claude_code;
pub mod openai;

mod answers;
mod draft;
mod gate;
mod harness;
mod kept;
mod model;
mod pipe;
mod pulse;
mod responses;
mod waits;

pub use harness::Harness;

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use anchorhold_core::turn_failure::FailureClass;
use anchorhold_sessiondb::{Emit, InboundRow, ModelOptions};
use async_trait::async_trait;
use jiff::tz::TimeZone;

use crate::{
    desk::Desk,
    follow_ups::FollowUps,
    provider::{
        acp::Acp, anthropic::Anthropic, claude_code::ClaudeCode, model::Agent, offline::Offline,
        openai::EitherApi, waits::Waits,
    },
    tools::{ToolError, Tools},
    way_out::WayOut,
};

/// Something that answers messages.
#[async_trait]
pub trait AgentProvider: Send + Sync + 'static {
    /// What it is.
    fn caps(&self) -> &ProviderCaps;

    /// Answers the messages of one turn: exactly one outcome, whatever happens.
    ///
    /// It calls [`TurnIo::progress`] at each event, since one that is silent for too long is taken
    /// for stalled. Dropping the future abandons the turn, and nothing of it is said.
    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError>;

    /// Shortens what it remembers, between two turns, because a person asked for it. What the
    /// outcome says without naming a message answers that person.
    ///
    /// `state` is what [`Turn::state`] would be. As with a turn: it shows progress, and dropping the
    /// future abandons it.
    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        io: TurnIo,
    ) -> Result<TurnOutcome, TurnError>;
}

/// What a provider is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderCaps {
    /// The name that an agent group's configuration chooses it by.
    pub name: &'static str,
    /// What it remembers from turn to turn: handed to it in [`Turn::state`].
    pub state_keys: &'static [&'static str],
    /// Can a running turn take what comes meanwhile, with [`TurnIo::follow_ups`]?
    pub follow_ups: bool,
}

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The name the agent goes by.
    pub agent_name: String,
    /// The messages, oldest first; those that don't trigger are context.
    pub messages: Vec<InboundRow>,
    /// What the provider remembers.
    pub state: BTreeMap<String, String>,
    /// How often a provider has failed with these messages before this try.
    pub failures: u32,
}

/// The end of a turn that went well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TurnOutcome {
    /// What the agent says, in order.
    pub emit: Vec<Emit>,
    /// What to remember; `None` forgets a key.
    pub state: Vec<(String, Option<String>)>,
}

/// The end of a turn that did not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// The provider could not answer. What follows depends on the class alone, see
    /// [`anchorhold_core::turn_failure`].
    #[error("the provider failed: {}", class.as_str())]
    Provider {
        /// What kind of failure it is.
        class: FailureClass,
        /// How long the provider wants not to be asked.
        after: Option<Duration>,
        /// What the provider said. It is for the operator; no chat ever shows it.
        detail: String,
    },
    /// The messages can't be answered, for a reason of the agent-runner's own.
    #[error("the turn failed: {why}")]
    Failed {
        /// A short sentence for the person who wrote.
        why: String,
    },
    /// The process is to die at once, with the turn neither ended nor answered, as if it crashed.
    #[error("the turn ends the process with exit status {code}")]
    Exit {
        /// The exit status.
        code: u8,
    },
}

/// The model of an agent, and the way to it. Where it really is and what lets one in, only the host
/// knows.
#[derive(Clone, Debug)]
pub struct Model {
    /// What its provider calls it.
    pub id: String,
    /// How it is called.
    pub options: ModelOptions,
}

/// What a turn can do while it runs.
#[derive(Clone)]
pub struct TurnIo {
    waits: Waits,
    tools: Arc<Tools>,
    follow_ups: Arc<FollowUps>,
    desk: Arc<Desk>,
    way_out: Option<WayOut>,
    model: Option<Model>,
    zone: TimeZone,
}

impl fmt::Debug for TurnIo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TurnIo")
            .field("tools", &self.tools)
            .finish_non_exhaustive()
    }
}

impl TurnIo {
    /// `beat` is called at each event of the turn. It has no follow-ups, and nobody hears what its
    /// tools say.
    pub fn new(beat: impl Fn(Option<Duration>) + Send + Sync + 'static, tools: Arc<Tools>) -> Self {
        Self {
            waits: Waits::new(beat),
            tools,
            follow_ups: Arc::new(FollowUps::none()),
            desk: Arc::new(Desk::closed()),
            way_out: None,
            model: None,
            zone: TimeZone::UTC,
        }
    }

    /// The same with follow-ups.
    #[must_use]
    pub fn with_follow_ups(self, follow_ups: Arc<FollowUps>) -> Self {
        Self { follow_ups, ..self }
    }

    /// The same with a desk that is served.
    #[must_use]
    pub fn with_desk(self, desk: Arc<Desk>) -> Self {
        Self { desk, ..self }
    }

    /// The same for people of this time zone; one that is not known here is UTC.
    #[must_use]
    pub fn with_zone(self, name: Option<&str>) -> Self {
        // silent: each time says its zone
        let zone = name.and_then(|name| TimeZone::get(name).ok());
        Self {
            zone: zone.unwrap_or(TimeZone::UTC),
            ..self
        }
    }

    /// In whose time the agent is told of times.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Where tools say something at once.
    pub(crate) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Have tools said or done something in the conversation, in this try of the turn?
    pub fn has_spoken(&self) -> bool {
        self.desk.has_spoken()
    }

    /// The same with a way out, and with a model at its other end.
    #[must_use]
    pub fn with_way_out(self, way_out: WayOut, model: Option<Model>) -> Self {
        Self {
            way_out: Some(way_out),
            model,
            ..self
        }
    }

    /// The agent's model, if it has one.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// The way out, if there is one.
    pub fn way_out(&self) -> Option<&WayOut> {
        self.way_out.as_ref()
    }

    /// What came since the turn began: waits up to `patience` for at least one message, see
    /// [`FollowUps::take`]. From here on these messages are of the turn, and end with it.
    ///
    /// Only messages that were not tried before, never more than one turn may have; none for a
    /// provider that does not say [`ProviderCaps::follow_ups`].
    pub async fn follow_ups(&self, patience: Duration) -> Vec<InboundRow> {
        self.follow_ups.take(patience).await
    }

    /// Something happened; from now on it may be quiet for `declared`, or for as long as a call that
    /// runs beside this one has declared.
    pub fn progress(&self, declared: Option<Duration>) {
        self.waits.declare(declared);
    }

    /// Calls a tool with its arguments in JSON, and shows progress around it. Several calls may run
    /// at once; dropping the future ends the call.
    pub async fn call(&self, tool: &str, arguments: &str) -> Result<String, ToolError> {
        let io = Self {
            waits: self.waits.beside(),
            ..self.clone()
        };
        let called = self.tools.call(&io, tool, arguments).await;
        io.progress(None);
        called
    }

    /// Runs a command line for at most `limit`, and gives its whole output; an inner error says why it
    /// has none to believe.
    pub(crate) async fn run_script(
        &self,
        script: &str,
        limit: Duration,
    ) -> Result<Result<String, String>, ToolError> {
        self.tools.run_script(self, script, limit).await
    }

    /// The number of the turn's first message, if it is known.
    pub(crate) fn turn(&self) -> Option<i64> {
        self.way_out.as_ref().and_then(WayOut::turn)
    }

    /// The workspace that tools work in.
    pub(crate) fn workspace(&self) -> &camino::Utf8Path {
        self.tools.workspace()
    }

    /// The environment that tools see.
    pub fn environment(&self) -> &[(String, String)] {
        self.tools.environment()
    }
}

/// The providers that this program has.
#[derive(Clone)]
pub struct Providers {
    all: Vec<Arc<dyn AgentProvider>>,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Providers {
    /// Every provider that is built in, `harness` for those that are programs of others.
    pub fn builtin(harness: Harness) -> Self {
        Self::of(vec![
            Arc::new(Offline),
            Arc::new(Agent(Anthropic)),
            Arc::new(EitherApi),
            Arc::new(ClaudeCode::new(harness.clone())),
            Arc::new(Acp::new(harness)),
        ])
    }

    /// Just these.
    pub fn of(all: Vec<Arc<dyn AgentProvider>>) -> Self {
        Self { all }
    }

    /// The one of that name.
    pub fn find(&self, name: &str) -> Option<Arc<dyn AgentProvider>> {
        let found = self
            .all
            .iter()
            .find(|provider| provider.caps().name == name);
        found.map(Arc::clone)
    }

    /// All names.
    pub fn names(&self) -> Vec<&'static str> {
        self.all
            .iter()
            .map(|provider| provider.caps().name)
            .collect()
    }
}
