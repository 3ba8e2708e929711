//! What is asked of the stream, and where in it a room begins for the bot.

use anchorhold_channel::ChannelError;
use matrix_sdk::ruma::{
    UserId,
    api::client::{
        filter::FilterDefinition,
        room::create_room::v3::{Request as NewRoom, RoomPreset},
        sync::sync_events::v3::Filter,
    },
    events::{InitialStateEvent, room::encryption::RoomEncryptionEventContent},
};
use serde_json::{Value, json};

use crate::failure::transient;

/// So many events of one room come with one answer; what is before them is asked for.
pub(crate) const TIMELINE_LIMIT: u32 = 100;

/// Where in a room's events those begin that are for the bot, if it has come into the room with them:
/// what was said from its invitation on, or from when it came without one.
pub(crate) fn entrance(events: &[Value], me: &str) -> Option<usize> {
    let own = |event: &Value| event["type"] == "m.room.member" && event["state_key"] == me;
    let was = |event: &Value| event["unsigned"]["prev_content"]["membership"].clone();
    let joined = events.iter().rposition(|event| {
        own(event) && event["content"]["membership"] == "join" && was(event) != "join"
    })?;
    if was(&events[joined]) != "invite" {
        return Some(joined);
    }
    let invited = events
        .iter()
        .take(joined)
        .rposition(|event| own(event) && event["content"]["membership"] == "invite");
    Some(invited.unwrap_or_default())
}

/// What is asked for: <https://spec.matrix.org/latest/client-server-api/#filtering>.
pub(crate) fn filter() -> Result<Filter, ChannelError> {
    let filter = json!({
        "presence": { "not_types": ["*"] },
        "room": {
            "timeline": { "limit": TIMELINE_LIMIT, "lazy_load_members": true },
            "state": { "lazy_load_members": true },
            "ephemeral": { "not_types": ["*"] },
        },
    });
    match serde_json::from_value::<FilterDefinition>(filter) {
        Ok(filter) => Ok(Filter::FilterDefinition(filter)),
        Err(_error) => Err(transient("receiving", "the filter can't be made")),
    }
}

/// A new room for the bot and one person.
pub(crate) fn direct_room(person: &UserId, encrypts: bool) -> NewRoom {
    let mut request = NewRoom::new();
    request.invite = vec![person.to_owned()];
    request.is_direct = true;
    request.preset = Some(RoomPreset::TrustedPrivateChat);
    if encrypts {
        let content = RoomEncryptionEventContent::with_recommended_defaults();
        let event = InitialStateEvent::with_empty_state_key(content);
        request.initial_state = vec![event.to_raw_any()];
    }
    request
}

#[cfg(test)]
mod tests;
