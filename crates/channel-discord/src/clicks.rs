//! Clicks on buttons: <https://discord.com/developers/docs/interactions/receiving-and-responding>.
//!
//! Each has to be answered within three seconds, so clicks wait neither for messages nor for one another.
//! A host that takes longer to judge one gains time by a sign that the click has come.

use std::pin::pin;

use anchorhold_channel::{Answered, ChannelContext, ChannelError, IntakeError};
use anchorhold_core::{
    ids::IdError,
    inbound::{InboundAnswer, Sender},
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::timeout};
use tracing::warn;

use crate::{
    adapter::DiscordAdapter,
    api::Body,
    buttons,
    decode::{handle, name},
    places::Place,
    receive::readable,
    wire::Interaction,
};

/// So many clicks are judged at once.
const AT_ONCE: usize = 16;
/// The longest text that is shown, in characters.
const TEXT_LIMIT: usize = 1_000;
/// A click on a button.
const COMPONENT: u8 = 3;
/// Shown to nobody but who clicked: `EPHEMERAL`.
const FOR_ONE: u32 = 1 << 6;

/// Judges clicks, for ever.
pub(crate) async fn run(
    adapter: &DiscordAdapter,
    cx: &ChannelContext,
    mut clicks_rx: mpsc::Receiver<Box<Interaction>>,
) {
    let mut open = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(click) = clicks_rx.recv(), if open.len() < AT_ONCE => {
                open.push(Box::pin(judge(adapter, cx, *click)));
            }
            Some(()) = open.next() => {}
            else => return,
        }
    }
}

async fn judge(adapter: &DiscordAdapter, cx: &ChannelContext, click: Interaction) {
    if click.kind != COMPONENT {
        return;
    }
    let Some(answer) = readable(read(adapter, &click)) else {
        let text = "This button has no meaning any more.";
        return told(show(adapter, &click, text).await);
    };
    let mut judging = pin!(cx.inbox.answer(answer));
    let (answered, shown) = match timeout(adapter.waits.click, &mut judging).await {
        Ok(answered) => (answered, false),
        Err(_elapsed) => {
            told(wait(adapter, &click).await);
            (judging.await, true)
        }
    };
    let (text, taken) = match answered {
        Ok(Answered::Taken(text)) => (text, true),
        Ok(Answered::Refused(text)) | Err(IntakeError::Refused { why: text }) => (text, false),
        Err(error @ (IntakeError::Unavailable(_) | IntakeError::Stopping)) => {
            warn!(%error, "a click could not be judged");
            let text = "This could not be taken just now. Please press it again in a moment.";
            (text.to_owned(), false)
        }
    };
    told(if shown {
        show_later(adapter, &click, &text).await
    } else {
        show(adapter, &click, &text).await
    });
    if taken {
        told(show_choice(adapter, &click).await);
    }
}

/// The click as the host takes it; `None` for a button that is not one of ours.
fn read(adapter: &DiscordAdapter, click: &Interaction) -> Result<Option<InboundAnswer>, IdError> {
    let id = click
        .data
        .as_ref()
        .and_then(|data| data.custom_id.as_deref());
    let member = click.member.as_ref();
    let user = member.and_then(|m| m.user.as_ref()).or(click.user.as_ref());
    let channel = click.channel.as_ref();
    let place = channel
        .map(|channel| Place::of(channel, click.guild_id))
        .or_else(|| click.channel_id.map(|id| Place::plain(id, click.guild_id)));
    let (Some((question, option)), Some(user), Some(place)) =
        (id.and_then(buttons::read), user, place)
    else {
        return Ok(None);
    };
    Ok(Some(InboundAnswer {
        address: place.address(&adapter.name)?,
        question,
        option,
        sender: Sender {
            handle: handle(user.id)?,
            name: name(member, Some(user)),
        },
        at: adapter.clock.now(),
    }))
}

/// Shows a text to who clicked.
async fn show(
    adapter: &DiscordAdapter,
    click: &Interaction,
    text: &str,
) -> Result<(), ChannelError> {
    respond(adapter, click, json!({ "type": 4, "data": private(text) })).await
}

/// Says that the click has come, without showing anything.
async fn wait(adapter: &DiscordAdapter, click: &Interaction) -> Result<(), ChannelError> {
    respond(adapter, click, json!({ "type": 6 })).await
}

async fn respond(
    adapter: &DiscordAdapter,
    click: &Interaction,
    body: Value,
) -> Result<(), ChannelError> {
    let path = format!(
        "/interactions/{}/{}/callback",
        click.id,
        word(&click.token)?
    );
    adapter.api.respond("answering a click", &path, &body).await
}

/// Shows a text to who clicked, after it was said that the click has come.
async fn show_later(
    adapter: &DiscordAdapter,
    click: &Interaction,
    text: &str,
) -> Result<(), ChannelError> {
    let path = format!("/webhooks/{}/{}", click.application_id, word(&click.token)?);
    let body = private(text);
    adapter.api.respond("answering a click", &path, &body).await
}

/// Leaves the button that was chosen.
async fn show_choice(adapter: &DiscordAdapter, click: &Interaction) -> Result<(), ChannelError> {
    const DOING: &str = "showing what was chosen";
    let id = click
        .data
        .as_ref()
        .and_then(|data| data.custom_id.as_deref());
    let (Some(message), Some(id)) = (&click.message, id) else {
        return Ok(());
    };
    let Some(label) = buttons::label(&message.components, id) else {
        return Ok(());
    };
    let path = format!("/channels/{}/messages/{}", message.channel_id, message.id);
    let body = json!({ "components": buttons::chosen(label, id) });
    let done = adapter
        .api
        .ask(DOING, (Method::PATCH, &path), Body::Json(&body))
        .await;
    let scope = anchorhold_channel::LimitScope::Chat;
    done.map(|_done| ())
        .map_err(|failed| failed.into_error(DOING, scope))
}

fn private(text: &str) -> Value {
    let text: String = text.chars().take(TEXT_LIMIT).collect();
    json!({ "content": text, "flags": FOR_ONE, "allowed_mentions": { "parse": [] } })
}

/// What becomes a part of a path has to be one word.
fn word(token: &str) -> Result<&str, ChannelError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-=".contains(c);
    if !token.is_empty() && token.chars().all(plain) {
        return Ok(token);
    }
    Err(ChannelError::Permanent {
        reason: "the click has no proof that could be used".to_owned(),
    })
}

/// What could not be shown is only not shown: the click is judged.
fn told(shown: Result<(), ChannelError>) {
    if let Err(error) = shown {
        warn!(%error, "who clicked sees less than they should");
    }
}
