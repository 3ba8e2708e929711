//! What both ends of the way out of a sandbox call things: the host's broker, and what asks inside.

use crate::entity::text_enum;

/// The broker's socket, in the session's `in/`.
pub const SOCKET: &str = "way-out";
/// Below this path is the configured model.
pub const MODEL_PREFIX: &str = "/model";
/// Here one page of a listed host is fetched; the header [`FETCH_HEADER`] says which.
pub const FETCH_PATH: &str = "/fetch";
/// The URL to fetch.
pub const FETCH_HEADER: &str = "x-fetch-url";
/// In an answer that is a refusal: the rule it goes by.
pub const RULE_HEADER: &str = "x-anchorhold-rule";
/// In a call of the model: the number of the first message of the turn that makes it.
pub const TURN_HEADER: &str = "x-anchorhold-turn";

text_enum! {
    /// How a model is spoken to.
    ModelApi {
        /// The Messages API.
        Anthropic = "anthropic",
        /// Chat Completions and Responses.
        OpenAi = "openai",
    }
}

impl ModelApi {
    /// Over which API a provider calls its model; `None` where it calls none, or any.
    pub fn of_provider(provider: &str) -> Option<Self> {
        match provider {
            "claude-code" => Some(Self::Anthropic),
            own => Self::parse(own),
        }
    }
}
