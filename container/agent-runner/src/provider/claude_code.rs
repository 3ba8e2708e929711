//! Claude Code as the agent: its command line as a long-lived child, spoken to in JSON lines.
//! <https://docs.anthropic.com/en/docs/claude-code/sdk/sdk-headless>
//!
//! The child lives from turn to turn, and is begun anew where its conversation is not what is on
//! record: the record is the session's id and the last message of the last turn that ended. A turn
//! that came to nothing is therefore never part of the conversation, whatever the child has written
//! down of it.

mod child;
mod launch;
mod protocol;
mod talk;

use std::{collections::BTreeMap, sync::Arc};

use anchorhold_core::turn_failure::FailureClass;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    provider::{
        AgentProvider, Harness, ProviderCaps, Turn, TurnError, TurnIo, TurnOutcome,
        claude_code::{child::Running, launch::Launch, talk::Talk},
        gate::Gate,
        kept::{InTurn, Kept},
        model::{failure::Failure, prompt, reached, work::instructions},
    },
    report,
};

const CAPS: ProviderCaps = ProviderCaps {
    name: "claude-code",
    state_keys: &[KEY],
    follow_ups: true,
};
const KEY: &str = "claude-code";
/// The longest id, in characters.
const ID_LIMIT: usize = 64;

/// Claude Code.
#[derive(Debug)]
pub struct ClaudeCode {
    harness: Harness,
    kept: Kept<Running>,
}

/// How far the conversation is on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    session: String,
    /// The last message that counts.
    at: String,
}

impl ClaudeCode {
    /// Started as `harness` says.
    pub fn new(harness: Harness) -> Self {
        Self {
            harness,
            kept: Kept::default(),
        }
    }

    /// The child that is at `point`, with the gate it uses.
    async fn ready(
        &self,
        name: Option<&str>,
        point: Option<&Point>,
        io: &TurnIo,
    ) -> Result<(InTurn<Running>, Arc<Gate>), TurnError> {
        let (model, _way_out) = reached(io)?;
        let (mut in_turn, gate) = self.kept.take(io).await?;
        let kept = in_turn.child.as_ref();
        let system = match name {
            Some(name) => prompt::system(name, instructions(io.workspace()).as_deref()),
            // A compaction tells the agent nothing new of itself.
            None => kept.map_or_else(String::new, |child| child.launch().system.clone()),
        };
        let launch = Launch::of(&self.harness, model, gate.port(), system);
        let fits = kept.is_some_and(|child| child.point() == point && *child.launch() == launch);
        if !fits {
            in_turn.end().await;
            let start = Running::start(launch, point.cloned(), io, self.kept.tasks());
            in_turn.child = Some(start.map_err(|error| TurnError::Failed {
                why: format!("Claude Code can't be started: {}", report(&error)),
            })?);
        }
        Ok((in_turn, gate))
    }
}

#[async_trait]
impl AgentProvider for ClaudeCode {
    fn caps(&self) -> &ProviderCaps {
        &CAPS
    }

    async fn run_turn(&self, turn: Turn, io: TurnIo) -> Result<TurnOutcome, TurnError> {
        let point = remembered(&turn.state)?;
        let (_model, way_out) = reached(&io)?;
        let (mut in_turn, gate) =
            Box::pin(self.ready(Some(&turn.agent_name), point.as_ref(), &io)).await?;
        let open = gate.open(way_out, point.is_some());
        let Some(child) = &mut in_turn.child else {
            return Ok(TurnOutcome::default());
        };
        let talk = Talk::new(child, &io, &open);
        let answers = Box::pin(talk.answer(turn.messages)).await?;
        let state = kept(child.point());
        in_turn.keep();
        Ok(TurnOutcome {
            emit: answers.into_emit(),
            state,
        })
    }

    async fn compact(
        &self,
        state: BTreeMap<String, String>,
        io: TurnIo,
    ) -> Result<TurnOutcome, TurnError> {
        let point = remembered(&state)?;
        let (_model, way_out) = reached(&io)?;
        let (mut in_turn, gate) = Box::pin(self.ready(None, point.as_ref(), &io)).await?;
        let open = gate.open(way_out, point.is_some());
        let Some(child) = &mut in_turn.child else {
            return Ok(TurnOutcome::default());
        };
        let talk = Talk::new(child, &io, &open);
        let answers = Box::pin(talk.compact(point.is_some())).await?;
        let state = kept(child.point());
        in_turn.keep();
        Ok(TurnOutcome {
            emit: answers.into_emit(),
            state,
        })
    }
}

/// How far the conversation is on record. What can't be read is lost, and is not guessed at.
fn remembered(state: &BTreeMap<String, String>) -> Result<Option<Point>, TurnError> {
    let Some(kept) = state.get(KEY) else {
        return Ok(None);
    };
    let plain = |id: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !id.is_empty() && id.len() <= ID_LIMIT && !id.starts_with('-') && id.bytes().all(plain)
    };
    serde_json::from_str(kept)
        .ok()
        .filter(|point: &Point| plain(&point.session) && plain(&point.at))
        .map(Some)
        .ok_or_else(|| {
            let detail = "what was kept of the conversation can't be read";
            Failure::new(FailureClass::ContinuationLost, detail).into()
        })
}

fn kept(point: Option<&Point>) -> Vec<(String, Option<String>)> {
    let text = point.and_then(|point| serde_json::to_string(point).ok());
    vec![(KEY.to_owned(), text)]
}
