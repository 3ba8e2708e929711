//! Discord's objects in full, as it sends them.

use serde_json::{Value, json};

use super::{APPLICATION, BOT, BOT_NAME, FORUM, GENERAL, GUILD, RANDOM, ROLE};

/// When everything was made that is there from the beginning.
const LONG_AGO: &str = "2025-12-01T00:00:00.000000+00:00";
/// View, send, read back, react, attach, in threads as well.
const RIGHTS: &str = "2251800887427072";

/// The bot as a user.
pub(super) fn bot() -> Value {
    json!({
        "id": BOT.to_string(), "username": "anchorhold", "global_name": BOT_NAME,
        "discriminator": "0", "avatar": null, "bot": true, "public_flags": 0,
    })
}

/// The bot as itself.
pub(super) fn me() -> Value {
    let mut me = bot();
    for (key, value) in [
        ("verified", json!(true)),
        ("mfa_enabled", json!(false)),
        ("email", Value::Null),
        ("flags", json!(0)),
    ] {
        me[key] = value;
    }
    me
}

/// A person.
pub(super) fn person(id: u64) -> Value {
    json!({
        "id": id.to_string(), "username": format!("person{id}"),
        "global_name": format!("Person {id}"), "discriminator": "0", "avatar": null,
        "public_flags": 0,
    })
}

/// What somebody is in the server.
pub(super) fn member(roles: &[u64]) -> Value {
    let roles: Vec<String> = roles.iter().map(u64::to_string).collect();
    json!({
        "roles": roles, "joined_at": LONG_AGO, "deaf": false, "mute": false, "flags": 0,
        "nick": null, "avatar": null, "premium_since": null, "pending": false,
        "communication_disabled_until": null,
    })
}

/// The bot as a member, with who it is.
pub(super) fn my_membership() -> Value {
    let mut member = member(&[ROLE]);
    member["user"] = bot();
    member
}

/// What the application may do.
pub(super) fn application(content_allowed: bool) -> Value {
    let flags = if content_allowed { 1 << 19 } else { 0 };
    json!({
        "id": APPLICATION.to_string(), "name": BOT_NAME, "icon": null, "description": "",
        "bot_public": false, "bot_require_code_grant": false, "verify_key": "00", "flags": flags,
        "team": null, "summary": "", "owner": null,
    })
}

/// A channel of the server.
pub(super) fn channel(id: u64, kind: u8, name: &str) -> Value {
    json!({
        "id": id.to_string(), "type": kind, "guild_id": GUILD.to_string(), "name": name,
        "position": 0, "permission_overwrites": [], "parent_id": null, "topic": null,
        "nsfw": false, "last_message_id": null, "rate_limit_per_user": 0, "flags": 0,
        "available_tags": [], "default_reaction_emoji": null, "default_sort_order": null,
        "default_forum_layout": 0,
    })
}

/// A thread of a channel.
pub(super) fn thread(id: u64, parent: u64, owner: u64) -> Value {
    json!({
        "id": id.to_string(), "type": 11, "guild_id": GUILD.to_string(),
        "parent_id": parent.to_string(), "owner_id": owner.to_string(), "name": "A thread",
        "last_message_id": null, "rate_limit_per_user": 0, "flags": 0, "message_count": 0,
        "member_count": 1, "total_message_sent": 0,
        "thread_metadata": {
            "archived": false, "archive_timestamp": LONG_AGO, "auto_archive_duration": 1440,
            "locked": false, "create_timestamp": LONG_AGO,
        },
    })
}

/// A direct chat.
pub(super) fn direct(id: u64, with: u64) -> Value {
    json!({
        "id": id.to_string(), "type": 1, "last_message_id": null, "flags": 0,
        "recipients": [person(with)],
    })
}

/// The channels that are there from the beginning.
pub(super) fn channels() -> [(u64, Value); 3] {
    [
        (GENERAL, channel(GENERAL, 0, "general")),
        (RANDOM, channel(RANDOM, 0, "random")),
        (FORUM, channel(FORUM, 15, "forum")),
    ]
}

/// The server, with what is in it now.
pub(super) fn guild(channels: &[Value], threads: &[Value]) -> Value {
    let mut guild = json!({
        "id": GUILD.to_string(), "name": "The server", "icon": null, "splash": null,
        "discovery_splash": null, "owner_id": "1001", "afk_channel_id": null, "afk_timeout": 300,
        "verification_level": 0, "default_message_notifications": 0,
        "explicit_content_filter": 0, "roles": [role(GUILD, "@everyone"), role(ROLE, "Helpers")],
        "emojis": [], "features": [], "mfa_level": 0, "application_id": null,
        "system_channel_id": null, "system_channel_flags": 0, "rules_channel_id": null,
        "vanity_url_code": null, "description": null, "banner": null, "premium_tier": 0,
    });
    let more = json!({
        "premium_subscription_count": 0, "preferred_locale": "en-US",
        "public_updates_channel_id": null, "safety_alerts_channel_id": null, "nsfw": false,
        "nsfw_level": 0, "stickers": [], "premium_progress_bar_enabled": false,
        "joined_at": LONG_AGO, "large": false, "unavailable": false, "member_count": 3,
        "voice_states": [], "members": [my_membership()], "channels": channels,
        "threads": threads, "presences": [], "stage_instances": [],
        "guild_scheduled_events": [], "soundboard_sounds": [],
    });
    merge(&mut guild, more);
    guild
}

/// Is this text the id?
pub(super) fn is(text: &Value, id: u64) -> bool {
    text.as_str().and_then(|text| text.parse().ok()) == Some(id)
}

/// Gives an object further fields, or other ones.
pub(super) fn merge(object: &mut Value, fields: Value) {
    let Value::Object(fields) = fields else {
        return;
    };
    for (name, value) in fields {
        object[name] = value;
    }
}

fn role(id: u64, name: &str) -> Value {
    json!({
        "id": id.to_string(), "name": name, "color": 0, "hoist": false, "position": 0,
        "permissions": RIGHTS, "managed": false, "mentionable": true, "flags": 0, "icon": null,
        "unicode_emoji": null,
        "colors": { "primary_color": 0, "secondary_color": null, "tertiary_color": null },
    })
}

/// The first word of a session.
pub(super) fn ready(session: &str, gateway: &str, content_allowed: bool) -> Value {
    let flags = if content_allowed { 1 << 19 } else { 0 };
    json!({
        "v": 10, "user": me(), "session_id": session, "resume_gateway_url": gateway,
        "session_type": "normal", "shard": [0, 1], "private_channels": [], "relationships": [],
        "guilds": [{ "id": GUILD.to_string(), "unavailable": true }], "user_settings": {},
        "application": { "id": APPLICATION.to_string(), "flags": flags },
    })
}

/// A message of somebody, as the gateway tells of it.
pub(super) fn message((id, channel): (u64, &Value), author: &Value, sent_at: &str) -> Value {
    let mut message = json!({
        "id": id.to_string(), "channel_id": channel["id"], "author": author, "content": "",
        "timestamp": sent_at, "edited_timestamp": null, "tts": false, "mention_everyone": false,
        "mentions": [], "mention_roles": [], "attachments": [], "embeds": [], "pinned": false,
        "type": 0, "flags": 0, "components": [], "channel_type": channel["type"],
    });
    if !channel["guild_id"].is_null() {
        message["guild_id"] = channel["guild_id"].clone();
        message["member"] = if message["author"]["bot"] == true {
            member(&[ROLE])
        } else {
            member(&[])
        };
    }
    message
}
