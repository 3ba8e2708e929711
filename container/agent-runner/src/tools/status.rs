//! Tells how things are with the agent.

use anchorhold_sessiondb::{Facts, Wish, WishReply};
use serde::Deserialize;

use crate::{
    provider::TurnIo,
    tools::{ToolError, strange},
};

pub(super) const TOOL: &str = "status";
pub(super) const SPEC: (&str, &str) = (
    "Tells who you are to the system you run in, what time it is, and what of yours waits: messages, \
     what you sent, questions.",
    r#"{"type":"object","properties":{},"required":[],"additionalProperties":false}"#,
);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {}

pub(super) async fn call(io: &TurnIo, _none: Arguments) -> Result<String, ToolError> {
    match io.desk().wish(&Wish::Status {}).await? {
        WishReply::Status(facts) => Ok(told(&facts)),
        WishReply::Destinations(_) | WishReply::Done {} | WishReply::Failed(_) => Err(strange()),
    }
}

fn told(facts: &Facts) -> String {
    let model = facts.model.as_deref().unwrap_or("none");
    [
        format!("agent: {}", facts.agent),
        format!("provider: {}, model: {model}", facts.provider),
        format!("host: version {}", facts.version),
        format!("time: {}", facts.now.strftime("%Y-%m-%d %H:%M:%S UTC")),
        format!("messages that wait for an answer: {}", facts.waiting),
        format!("messages of yours on their way: {}", facts.unsent),
        format!("questions that nobody has answered: {}", facts.questions),
    ]
    .join("\n")
}
