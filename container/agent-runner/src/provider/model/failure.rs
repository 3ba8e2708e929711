//! How a call of a model failed, told from what came back. Pure: what follows from it is decided in
//! [`anchorhold_core::turn_failure`].

use std::time::Duration;

use anchorhold_core::turn_failure::FailureClass;
use jiff::{Timestamp, fmt::rfc2822};
use serde_json::Value;

use crate::provider::TurnError;

/// How much of what a provider said is kept, in characters.
const DETAIL_LIMIT: usize = 500;

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    /// How long the provider wants not to be asked.
    pub(crate) after: Option<Duration>,
    /// What it said, for the operator.
    pub(crate) detail: String,
}

/// An answer that is no success.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refused<'a> {
    pub(crate) status: u16,
    /// The host's own rule, where it was the host that refused.
    pub(crate) rule: Option<&'a str>,
    /// In seconds, or as a date.
    pub(crate) retry_after: Option<&'a str>,
    /// When the answer was given, by the same clock as such a date.
    pub(crate) date: Option<&'a str>,
    pub(crate) retry_after_ms: Option<&'a str>,
    pub(crate) content: &'a [u8],
}

impl Failure {
    pub(crate) fn new(class: FailureClass, detail: &str) -> Self {
        Self {
            class,
            after: None,
            detail: bounded(detail),
        }
    }

    /// Something that may work the next time.
    pub(crate) fn transient(detail: &str) -> Self {
        Self::new(FailureClass::Transient, detail)
    }

    /// What an answer that is no success means. `goes_on` says whether there is a conversation from
    /// before this turn, which may be what the provider does not accept.
    pub(crate) fn of(refused: &Refused<'_>, goes_on: bool) -> Self {
        let (kind, message) = told(refused.content);
        let class = match refused.rule {
            Some(rule) => class_of_rule(rule),
            None => class_of(refused.status, &kind, &message, goes_on),
        };
        let status = refused.status;
        let detail = match (kind.as_str(), message.as_str()) {
            ("", "") => format!("status {status}"),
            ("", message) => format!("status {status}: {message}"),
            (kind, message) => format!("status {status}: {kind}: {message}"),
        };
        Self {
            after: wait(refused),
            ..Self::new(class, &detail)
        }
    }

    /// What an event means that is an error, in the middle of a stream.
    pub(crate) fn of_event(error: &Value, goes_on: bool) -> Self {
        let (kind, message) = fields(error);
        let status = match kind.as_str() {
            "rate_limit_error" | "rate_limit_exceeded" => 429,
            "authentication_error" => 401,
            "permission_error" => 403,
            "invalid_request_error" => 400,
            "request_too_large" => 413,
            _ => error
                .get("code")
                .and_then(Value::as_u64)
                .and_then(|code| u16::try_from(code).ok())
                .unwrap_or(500),
        };
        let class = class_of(status, &kind, &message, goes_on);
        Self::new(class, &format!("in the stream: {kind}: {message}"))
    }
}

impl From<Failure> for TurnError {
    fn from(failure: Failure) -> Self {
        Self::Provider {
            class: failure.class,
            after: failure.after,
            detail: failure.detail,
        }
    }
}

/// The host refuses by rules of its own; what it says of itself may pass, what it says of the call
/// will not.
fn class_of_rule(rule: &str) -> FailureClass {
    match rule {
        // The configuration has changed, and this sandbox is told of it before its next turn.
        "model-name" | "no-session" | "too-slow" => FailureClass::Transient,
        "too-large" => FailureClass::ContextFull,
        _ => FailureClass::Rejected,
    }
}

fn class_of(status: u16, kind: &str, message: &str, goes_on: bool) -> FailureClass {
    let said = format!("{kind} {message}").to_ascii_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    match status {
        400 | 404 | 413 | 422 | 429 if status == 413 || says(FULL) => FailureClass::ContextFull,
        402 => FailureClass::OutOfBudget,
        400 | 403 | 429 if says(BUDGET) => FailureClass::OutOfBudget,
        429 => FailureClass::RateLimited,
        401 => FailureClass::Unauthorised,
        403 if says(&["moderation", "content policy", "flagged"]) => FailureClass::Rejected,
        403 => FailureClass::Unauthorised,
        400 | 404 | 422 if goes_on && says(LOST) => FailureClass::ContinuationLost,
        408 | 409 | 425 | 500.. => FailureClass::Transient,
        _ => FailureClass::Rejected,
    }
}

/// What providers say when a conversation is longer than their model can read.
const FULL: &[&str] = &[
    "prompt is too long",
    "context_length_exceeded",
    "maximum context length",
    "context window",
    "context length",
    "input is too long",
    "too many tokens",
    "exceeds the available context size",
];
/// What they say when nobody pays for more.
const BUDGET: &[&str] = &[
    "insufficient_quota",
    "credit balance",
    "billing",
    "insufficient credits",
    "insufficient balance",
];
/// What they say when it is the conversation from before that they do not accept.
const LOST: &[&str] = &[
    "tool_use",
    "tool_result",
    "tool_call",
    "role 'tool'",
    "thinking",
    "signature",
    "roles must alternate",
    "previous response",
    "previous_response",
];

fn wait(refused: &Refused<'_>) -> Option<Duration> {
    let ms = refused.retry_after_ms.and_then(|ms| ms.parse::<f64>().ok());
    let after = refused.retry_after.map(str::trim);
    let seconds = after.and_then(|seconds| seconds.parse::<f64>().ok());
    let seconds = ms.map(|ms| ms / 1000.0).or(seconds);
    if let Some(seconds) = seconds {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let wait = time(after?)?.duration_since(time(refused.date?)?);
    // What is over is no wait.
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// A time as HTTP tells it. <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>
fn time(date: &str) -> Option<Timestamp> {
    let date = date.trim().strip_suffix("GMT")?;
    let told = rfc2822::parse(&format!("{date}+0000")).ok()?;
    Some(told.timestamp())
}

/// The kind of an error and its message, as the APIs tell them; what is no JSON is the message.
fn told(content: &[u8]) -> (String, String) {
    match serde_json::from_slice::<Value>(content) {
        Ok(Value::Array(list)) => list.first().map(of_answer).unwrap_or_default(),
        Ok(answer) => of_answer(&answer),
        Err(_no_json) => {
            let text = String::from_utf8_lossy(content);
            (String::new(), bounded(text.trim()))
        }
    }
}

fn of_answer(answer: &Value) -> (String, String) {
    match answer.get("error") {
        Some(Value::String(message)) => (String::new(), message.clone()),
        Some(error) => fields(error),
        None => fields(answer),
    }
}

fn fields(error: &Value) -> (String, String) {
    let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
    let kind = [text("code"), text("type")];
    let kind = kind.into_iter().find(|kind| !kind.is_empty());
    let message = match text("message") {
        "" if error.is_string() => error.as_str().unwrap_or_default(),
        message => message,
    };
    (kind.unwrap_or_default().to_owned(), message.to_owned())
}

fn bounded(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(DETAIL_LIMIT).map(blank).collect()
}

#[cfg(test)]
mod tests;
