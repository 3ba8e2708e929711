//! What is put on record of a request: who, where, how much, never what.

use std::time::Duration;

use anchorhold_core::ids::SessionId;
use jiff::Timestamp;

use crate::{refusal::Rule, usage::Usage};

/// The longest host, method or path on record, in bytes.
pub const TEXT_LIMIT_BYTES: usize = 256;

/// One request, after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Who asked.
    pub session: SessionId,
    /// When it came.
    pub at: Timestamp,
    /// The method, e.g. `POST`.
    pub method: String,
    /// The host it went to, or was to go to; empty where it named none.
    pub host: String,
    /// The path without its query; empty for a tunnel.
    pub path: String,
    /// The turn that called the model, by its first message's number, as the inside told it.
    pub turn: Option<i64>,
    /// The configured model's id, for a call of it.
    pub model: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Bytes of content from the inside to the outside.
    pub sent_bytes: u64,
    /// Bytes of content from the outside to the inside.
    pub received_bytes: u64,
    /// Tokens, where it was a call of a model and the provider told.
    pub usage: Option<Usage>,
    /// What it cost in millionths of a dollar, where prices are known.
    pub cost_micros: Option<u64>,
    /// How long it took.
    pub took: Duration,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, with this status; 200 for a tunnel that was made.
    Answered(u16),
    /// This rule refused it.
    Refused(Rule),
    /// Whoever asked went away before there was an answer.
    Abandoned,
    /// It was allowed, and the other side could not be reached.
    Unreachable,
}

/// At most [`TEXT_LIMIT_BYTES`] of a text, without control characters.
pub(crate) fn bounded(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > TEXT_LIMIT_BYTES {
            break;
        }
        kept.push(if c.is_control() { '?' } else { c });
    }
    kept
}
