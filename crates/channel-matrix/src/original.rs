//! Looking at the message that another one is about.

use anchorhold_channel::ChannelError;
use anchorhold_channel_kit::http::harmless;
use anchorhold_core::{
    ids::ThreadId,
    inbound::{InboundEvent, What},
};
use matrix_sdk::{Room, ruma::EventId};
use tracing::debug;

use crate::{
    decode::{About, Original},
    failure,
    receive::value,
};

/// Fetches a message; `None` where it is not to be had.
pub(crate) async fn fetch(room: &Room, event: &str) -> Result<Option<Original>, ChannelError> {
    let Ok(event) = EventId::parse(event) else {
        return Ok(None);
    };
    match Box::pin(room.event(&event, None)).await {
        Ok(found) => Ok(value(&found).as_ref().and_then(Original::read)),
        Err(error) => match harmless(failure::of("looking a message up", error)) {
            ChannelError::Permanent { .. } => Ok(None),
            error @ (ChannelError::RateLimited { .. }
            | ChannelError::Transient { .. }
            | ChannelError::Ambiguous { .. }
            | ChannelError::Unauthorized { .. }
            | ChannelError::Absent) => Err(error),
        },
    }
}

/// Adds what is known from the message that an event is about; `None` where the event is worth nothing.
pub(crate) fn add(
    mut event: InboundEvent,
    about: &About,
    original: &Original,
    me: &str,
) -> Option<InboundEvent> {
    let is_mine = original.sender == me;
    let thread = original.thread.as_deref().map(ThreadId::parse);
    // silent: what is no id is no thread
    let thread = thread.and_then(Result::ok);
    match about {
        About::Quotes(_) => {
            if let Some(quote) = &mut event.reply_to {
                quote.sender = Some(original.sender.clone());
                quote.text.clone_from(&original.text);
            }
            event.addressed |= is_mine;
        }
        // Every client takes no notice of it: <https://spec.matrix.org/latest/client-server-api/#validity-of-replacement-events>.
        About::Edits(_) if original.sender != event.sender.handle.as_str() => {
            debug!("an edit of somebody else's words, ignored");
            return None;
        }
        About::Edits(_) => event.address.thread = thread,
        About::Reacts(_) => {
            event.address.thread = thread;
            event.addressed |= is_mine && matches!(event.what, What::Reaction { .. });
        }
    }
    Some(event)
}
