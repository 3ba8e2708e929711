//! One operation on its way out: each is one event, under a transaction id made of its key, so that the
//! server takes a second try for the same event:
//! <https://spec.matrix.org/latest/client-server-api/#transaction-identifiers>.

use anchorhold_channel::{ChannelError, PartKey, Sent};
use anchorhold_channel_kit::revision;
use anchorhold_core::{
    address::Address,
    ids::PlatformMessageId,
    outbound::{OutboundFile, OutboundOp, Voice},
};
use matrix_sdk::{
    Client, Room, RoomState,
    ruma::{EventId, OwnedEventId, OwnedTransactionId, RoomId, UserId},
};
use serde_json::{Value, json};

use crate::{
    adapter::MatrixAdapter,
    failure::{self, refused},
    html,
};

const DOING: &str = "sending";
/// With its markup, an event is at most so long: encrypted it grows by a third, and then a server takes
/// 65,536 bytes: <https://spec.matrix.org/latest/client-server-api/#size-limits>.
const CONTENT_LIMIT_BYTES: usize = 45_000;

impl MatrixAdapter {
    /// Carries an operation out.
    pub(crate) async fn carry_out(
        &self,
        client: &Client,
        to: &Address,
        (op, key): (&OutboundOp, PartKey),
    ) -> Result<Sent, ChannelError> {
        let room = self.room(client, to)?;
        let transaction = Some(OwnedTransactionId::from(key.to_string()));
        match op {
            OutboundOp::Post {
                text,
                files,
                reply_to,
                voice,
            } => {
                let words = (text.as_str(), *voice);
                let content = match files.as_slice() {
                    [] => self.words(&room, to, words, reply_to.as_ref()).await,
                    [file] => {
                        let content = self.words(&room, to, words, reply_to.as_ref()).await;
                        share(client, &room, file, content).await?
                    }
                    _ => return Err(refused("one message takes one file")),
                };
                self.say(&room, content, transaction).await
            }
            OutboundOp::Edit { target, text } => {
                let target = event(target)?;
                let words = (text.as_str(), Voice::Agent);
                let now = self.words(&room, to, words, None).await;
                self.say(&room, edited(now, &target), transaction).await?;
                Ok(Sent { message_id: None })
            }
            OutboundOp::Delete { target } => {
                let target = event(target)?;
                let redacted = room.redact(&target, None, transaction);
                let redacted = Box::pin(redacted).await;
                redacted.map_err(|error| failure::http(DOING, error))?;
                Ok(Sent { message_id: None })
            }
            OutboundOp::React { target, emoji } => {
                let target = event(target)?;
                self.react(&room, &target, emoji, transaction).await
            }
            OutboundOp::Ask(_) => Err(refused("Matrix has no questions with buttons")),
            OutboundOp::Typing => {
                let shown = Box::pin(room.typing_notice(true)).await;
                shown.map_err(|error| failure::of(DOING, error))?;
                Ok(Sent { message_id: None })
            }
        }
    }

    /// The room that an address leads to, if the bot is in it.
    fn room(&self, client: &Client, to: &Address) -> Result<Room, ChannelError> {
        let current = self.moves(|moves| moves.current(to.chat.as_str()).to_owned());
        let room = RoomId::parse(&current);
        let room = room.map_err(|_no_id| refused("Matrix has no room with such an id"))?;
        let room = client.get_room(&room);
        room.filter(|room| room.state() == RoomState::Joined)
            .ok_or_else(|| refused("the bot is not in this room"))
    }

    /// The content of a message: its words, whom they mention, what it answers, and its thread.
    pub(crate) async fn words(
        &self,
        room: &Room,
        to: &Address,
        (text, voice): (&str, Voice),
        reply_to: Option<&PlatformMessageId>,
    ) -> Value {
        let mut people = html::people(text);
        people.retain(|person| person != self.me_known().as_deref().unwrap_or_default());
        let people = members(room, people).await;
        let kind = match voice {
            Voice::Agent => "m.text",
            Voice::Host => "m.notice",
        };
        let mut content = json!({
            "msgtype": kind,
            "body": text,
            // Always there, or older rules would look for names in the words.
            "m.mentions": {},
        });
        if !people.is_empty() {
            content["m.mentions"]["user_ids"] = json!(people);
        }
        if let Some(formatted) = html::html(text, &people) {
            let mut marked = content.clone();
            marked["format"] = "org.matrix.custom.html".into();
            marked["formatted_body"] = formatted.into();
            if marked.to_string().len() <= CONTENT_LIMIT_BYTES {
                content = marked;
            }
        }
        // silent: an answer to what is no message is said without
        let replied = reply_to.and_then(|id| event(id).ok());
        relate(&mut content, to, replied.as_deref());
        content
    }

    /// Sends a message.
    pub(crate) async fn say(
        &self,
        room: &Room,
        content: Value,
        transaction: Option<OwnedTransactionId>,
    ) -> Result<Sent, ChannelError> {
        let mut sending = room.send_raw("m.room.message", content);
        if let Some(transaction) = &transaction {
            sending = sending.with_transaction_id(transaction);
        }
        let sent = Box::pin(async { sending.await }).await;
        let sent = sent.map_err(|error| failure::of(DOING, error))?;
        // silent: one that can't be an id is left out, it was sent
        let message_id = PlatformMessageId::parse(sent.response.event_id.as_str()).ok();
        Ok(Sent { message_id })
    }

    async fn react(
        &self,
        room: &Room,
        target: &EventId,
        emoji: &str,
        transaction: Option<OwnedTransactionId>,
    ) -> Result<Sent, ChannelError> {
        if emoji.is_empty() {
            return Err(refused("a reaction needs an emoji"));
        }
        let content = json!({
            "m.relates_to": { "rel_type": "m.annotation", "event_id": target, "key": emoji },
        });
        let mut sending = room.send_raw("m.reaction", content);
        if let Some(transaction) = &transaction {
            sending = sending.with_transaction_id(transaction);
        }
        match Box::pin(async { sending.await }).await {
            Ok(_sent) => Ok(Sent { message_id: None }),
            Err(error) if is_there_already(&error) => Ok(Sent { message_id: None }),
            Err(error) => Err(failure::of(DOING, error)),
        }
    }
}

/// Does the server say that this reaction of ours is there?
/// <https://spec.matrix.org/latest/client-server-api/#avoiding-duplicate-annotations>
fn is_there_already(error: &matrix_sdk::Error) -> bool {
    let kind = error.client_api_error_kind();
    kind.is_some_and(|kind| kind.errcode().to_string() == "M_DUPLICATE_ANNOTATION")
}

/// The event that the host means.
fn event(id: &PlatformMessageId) -> Result<OwnedEventId, ChannelError> {
    let event = EventId::parse(revision::message(id));
    event.map_err(|_no_id| refused("Matrix has no message with such an id"))
}

/// Of these people, those who are in the room: nobody else is mentioned.
async fn members(room: &Room, people: Vec<String>) -> Vec<String> {
    let mut members = Vec::new();
    for person in people {
        let Ok(id) = UserId::parse(&person) else {
            continue;
        };
        // silent: who is not known to be there is not mentioned
        if let Ok(Some(_member)) = Box::pin(room.get_member(&id)).await {
            members.push(person);
        }
    }
    members
}

fn relate(content: &mut Value, to: &Address, reply_to: Option<&EventId>) {
    let replied = |event: &str| json!({ "event_id": event });
    match (&to.thread, reply_to) {
        (Some(root), replied_to) => {
            let root = root.as_str();
            // Clients without threads show an answer to the message that began it.
            let shown = replied_to.map_or(root, EventId::as_str);
            content["m.relates_to"] = json!({
                "rel_type": "m.thread",
                "event_id": root,
                "m.in_reply_to": replied(shown),
                "is_falling_back": replied_to.is_none(),
            });
        }
        (None, Some(event)) => {
            content["m.relates_to"] = json!({ "m.in_reply_to": replied(event.as_str()) });
        }
        (None, None) => {}
    }
}

/// The content that gives a message other words.
fn edited(mut now: Value, target: &EventId) -> Value {
    if let Some(now) = now.as_object_mut() {
        now.remove("m.relates_to");
    }
    let body = now["body"].as_str().unwrap_or_default();
    let mut content = json!({
        "msgtype": now["msgtype"],
        // For clients that know no edits. Who is mentioned was told when it was said.
        "body": format!("* {body}"),
        "m.mentions": {},
        "m.relates_to": { "rel_type": "m.replace", "event_id": target },
    });
    content["m.new_content"] = now;
    content
}

/// Uploads a file and puts it into a message, with the words as its caption.
async fn share(
    client: &Client,
    room: &Room,
    file: &OutboundFile,
    mut content: Value,
) -> Result<Value, ChannelError> {
    let seen = infer::get(&file.content).map(|kind| kind.mime_type());
    let media_type = seen.unwrap_or("application/octet-stream");
    let state = Box::pin(room.latest_encryption_state()).await;
    let state = state.map_err(|error| failure::of(DOING, error))?;
    if state.is_encrypted() {
        let mut reader = file.content.as_slice();
        let uploading = client.upload_encrypted_file(&mut reader);
        let place = Box::pin(async { uploading.await }).await;
        let place = place.map_err(|error| failure::of("uploading", error))?;
        let place = serde_json::to_value(place);
        content["file"] = place.map_err(|_error| refused("the file's key can't be written"))?;
    } else {
        let kind = media_type.parse();
        let kind = kind.map_err(|_no_type| refused("the file has no type"))?;
        let uploading = client.media().upload(&kind, file.content.clone(), None);
        let uploaded = Box::pin(async { uploading.await }).await;
        let uploaded = uploaded.map_err(|error| failure::of("uploading", error))?;
        content["url"] = uploaded.content_uri.as_str().into();
    }
    content["msgtype"] = match media_type.split_once('/') {
        Some(("image", _)) => "m.image",
        Some(("video", _)) => "m.video",
        Some(("audio", _)) => "m.audio",
        Some(_) | None => "m.file",
    }
    .into();
    content["filename"] = file.name.as_str().into();
    content["info"] = json!({ "mimetype": media_type, "size": file.content.len() });
    if content["body"] == "" {
        content["body"] = file.name.as_str().into();
    }
    Ok(content)
}

#[cfg(test)]
mod tests;
