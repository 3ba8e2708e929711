//! Ids of what is about an earlier message: an edit, a reaction.
//!
//! Such an event needs an id of its own, so that the host can tell it from the message and from the
//! next edit; and whoever answers it means the message. So the id is the message's, with what makes
//! the event this one behind a character that no platform has in its ids.

use anchorhold_core::ids::{IdError, PlatformMessageId};

/// Between the message's id and the rest.
const SEPARATOR: char = '⁂';

/// The id of an event about `message`; `which` is the same each time for the same event, and another
/// for another one, as the platform's time of an edit is.
pub fn id(message: &str, which: &str) -> Result<PlatformMessageId, IdError> {
    PlatformMessageId::parse(&format!("{message}{SEPARATOR}{which}"))
}

/// The platform's own id of the message that `id` is or is about.
pub fn message(id: &PlatformMessageId) -> &str {
    match id.as_str().split_once(SEPARATOR) {
        Some((message, _which)) => message,
        None => id.as_str(),
    }
}

#[cfg(test)]
mod tests;
