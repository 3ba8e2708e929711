//! The agent: a model that is asked, calls tools, and is asked again until it has answered.
//!
//! It is the same over every API. What differs between them is a [`Dialect`], one file each: how a
//! conversation becomes a request, and how the events of the answer become parts of it.

pub(crate) mod failure;
pub(crate) mod history;
pub(crate) mod prompt;
pub(crate) mod reply;
pub(crate) mod sse;

pub(super) mod ask;
pub(super) mod work;

mod shorten;

use std::collections::BTreeMap;

use anchorhold_core::turn_failure::FailureClass;
use async_trait::async_trait;
use serde_json::Value;

use crate::{
    provider::{
        AgentProvider, Model, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
        model::{
            failure::Failure,
            history::{History, Part},
            work::Work,
        },
    },
    way_out::WayOut,
};

/// One API that models are called over.
pub(crate) trait Dialect: Send + Sync + 'static {
    /// Puts an answer together from the events of its stream.
    type Reader: Reader;

    fn caps(&self) -> &'static ProviderCaps;

    /// How much a model can read at once where nobody says otherwise, in tokens.
    fn context_tokens(&self) -> u32;

    /// The path below the model's base URL.
    fn path(&self) -> &'static str;

    /// Headers beside those of every request.
    fn headers(&self) -> &'static [(&'static str, &'static str)];

    /// The content of the request.
    fn request(&self, ask: &Ask<'_>) -> Value;
}

/// Puts one answer together.
pub(crate) trait Reader: Default + Send {
    /// The data of one event.
    fn event(&mut self, data: &str) -> Result<(), Failure>;

    /// What the model said, after the end of the stream.
    fn finish(self) -> Result<Answered, Failure>;
}

/// What a model is asked.
pub(crate) struct Ask<'a> {
    pub(crate) model: &'a Model,
    pub(crate) history: &'a History,
    /// May it call tools? Else it is told of them and has to answer.
    pub(crate) may_call: bool,
    /// The content of files by path, in base64, as far as they are still there.
    pub(crate) files: &'a BTreeMap<String, String>,
}

/// What a model said.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    pub(crate) parts: Vec<Part>,
    pub(crate) why: Why,
    /// How many tokens the conversation has by now, where the provider told.
    pub(crate) tokens: u64,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Why {
    /// It has said what it had to say, or calls tools.
    #[default]
    Done,
    /// One answer may not be longer.
    Length,
    /// It refuses.
    Refused,
    /// It could not read more.
    Full,
}

/// What runs turns over a dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agent<D>(pub(crate) D);

#[async_trait]
impl<D: Dialect> AgentProvider for Agent<D> {
    fn caps(&self) -> &ProviderCaps {
        self.0.caps()
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        let (model, way_out) = reached(&io)?;
        let history = remembered(self.0.caps(), &turn.state, model)?;
        let mut work = Work::new(&self.0, (model, way_out), &io, history);
        work.introduce(&turn.agent_name);
        work.hear(&turn.messages);
        Box::pin(work.run()).await?;
        Ok(work.into_outcome())
    }

    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        let (model, way_out) = reached(&io)?;
        let history = remembered(self.0.caps(), &state, model)?;
        let mut work = Work::new(&self.0, (model, way_out), &io, history);
        Box::pin(work.compact()).await?;
        Ok(work.into_outcome())
    }
}

pub(super) fn reached(io: &TurnIo) -> Result<(&Model, &WayOut), TurnError> {
    let failed = |why: &str| TurnError::Failed {
        why: why.to_owned(),
    };
    let model = io
        .model()
        .ok_or_else(|| failed("this agent has no model; its configuration has to name one"))?;
    let way_out = io
        .way_out()
        .ok_or_else(|| failed("this agent has no way out"))?;
    Ok((model, way_out))
}

/// The conversation so far. One that can't be read is lost, and is not guessed at.
fn remembered(
    caps: &ProviderCaps,
    state: &BTreeMap<String, String>,
    model: &Model,
) -> Result<History, TurnError> {
    let key = key(caps);
    let kept = state.get(key).map(String::as_str);
    History::read(kept, &model.id).map_err(|_corrupt| {
        let detail = "what was kept of the conversation can't be read";
        Failure::new(FailureClass::ContinuationLost, detail).into()
    })
}

/// Under which key the conversation is kept.
fn key(caps: &ProviderCaps) -> &'static str {
    caps.state_keys.first().copied().unwrap_or(caps.name)
}
