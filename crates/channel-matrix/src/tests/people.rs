//! People with clients of their own: another one of the SDK's, with its keys in memory.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use anchorhold_channel::conformance::Failure;
use anchorhold_core::outbound::OutboundFile;
use matrix_sdk::{
    Client, Room, SessionMeta, SessionTokens,
    authentication::matrix::MatrixSession,
    config::{SyncSettings, SyncToken},
    deserialized_responses::TimelineEventKind,
    media::{MediaFormat, MediaRequestParameters},
    ruma::{EventId, OwnedEventId, OwnedTransactionId, RoomId, UserId, events::room::MediaSource},
};
use serde_json::{Value, json};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::synapse::{Account, Synapse};
use crate::receive::value;

/// One person.
pub(crate) struct Person {
    pub(crate) account: Account,
    pub(crate) client: Client,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    /// How far the client has come in the stream.
    place: Arc<Mutex<SyncToken>>,
    /// There while the client is on.
    stop: Option<DropGuard>,
}

impl Person {
    /// A new person, whose client is on.
    pub(crate) async fn new(synapse: &Synapse, name: &str) -> Self {
        let account = synapse.register(name).await;
        Self::on(synapse, account).await
    }

    /// A known person, on another device.
    pub(crate) async fn log_in(synapse: &Synapse, user: &str) -> Self {
        let account = synapse.log_in(user).await;
        Self::on(synapse, account).await
    }

    async fn on(synapse: &Synapse, account: Account) -> Self {
        let client = Client::builder().homeserver_url(&synapse.base);
        let client = Box::pin(client.build()).await.unwrap();
        let session = MatrixSession {
            meta: SessionMeta {
                user_id: UserId::parse(&account.user).unwrap(),
                device_id: account.device.as_str().into(),
            },
            tokens: SessionTokens {
                access_token: account.token.clone(),
                refresh_token: None,
            },
        };
        Box::pin(client.restore_session(session)).await.unwrap();
        let mut person = Self {
            account,
            client,
            seen: Arc::default(),
            place: Arc::new(Mutex::new(SyncToken::NoToken)),
            stop: None,
        };
        person.come_back();
        person
    }

    /// Switches the client off.
    pub(crate) fn leave(&mut self) {
        self.stop = None;
    }

    /// Switches the client on, with what it knew before.
    pub(crate) fn come_back(&mut self) {
        let stop = CancellationToken::new();
        let (seen, place) = (Arc::clone(&self.seen), Arc::clone(&self.place));
        let watching = Box::pin(watch(self.client.clone(), seen, place));
        TaskTracker::new().spawn(stop.clone().run_until_cancelled_owned(watching));
        self.stop = Some(stop.drop_guard());
    }

    /// The room, once this client knows it.
    pub(crate) async fn room(&self, room: &str) -> Result<Room, Failure> {
        let id = RoomId::parse(room).unwrap();
        let look = async {
            loop {
                if let Some(room) = self.client.get_room(&id) {
                    return room;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let found = tokio::time::timeout(super::PATIENCE, look).await;
        found.map_err(|_elapsed| Failure::new("a room never showed"))
    }

    /// Sends an event; the same transaction again is the same event.
    pub(crate) async fn send(
        &self,
        room: &str,
        (kind, content): (&str, Value),
        transaction: &str,
    ) -> Result<OwnedEventId, Failure> {
        let room = self.room(room).await?;
        let transaction = OwnedTransactionId::from(transaction);
        let sending = room
            .send_raw(kind, content)
            .with_transaction_id(&transaction);
        let sent = Box::pin(async { sending.await }).await;
        sent.map(|sent| sent.response.event_id)
            .map_err(|error| Failure::new(format!("a person can't send: {error}")))
    }

    /// Looks at the devices of somebody anew, as clients do on what the server tells in time.
    pub(crate) async fn look_at(&self, user: &str) {
        let user = UserId::parse(user).unwrap();
        let encryption = self.client.encryption();
        Box::pin(encryption.request_user_identity(&user))
            .await
            .unwrap();
    }

    /// All events that this client has seen in a room, oldest first.
    pub(crate) fn events(&self, room: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let here = seen.iter().filter(|(at, _)| at == room);
        here.map(|(_, event)| event.clone()).collect()
    }

    /// The messages of somebody in a room, or in a thread of it: edits made, what was taken back gone.
    pub(crate) fn messages(&self, room: &str, thread: Option<&str>, by: &str) -> Vec<Value> {
        let events = self.events(room);
        let gone: Vec<&str> = events
            .iter()
            .filter(|event| event["type"] == "m.room.redaction")
            .filter_map(|event| {
                event["content"]["redacts"]
                    .as_str()
                    .or(event["redacts"].as_str())
            })
            .collect();
        let mut messages: Vec<Value> = Vec::new();
        for event in &events {
            if event["type"] != "m.room.message" || event["sender"] != by {
                continue;
            }
            let relation = &event["content"]["m.relates_to"];
            if relation["rel_type"] == "m.replace" {
                let of = messages
                    .iter_mut()
                    .find(|message| message["event_id"] == relation["event_id"]);
                if let Some(message) = of {
                    message["content"]["body"] = event["content"]["m.new_content"]["body"].clone();
                }
                continue;
            }
            let root = (relation["rel_type"] == "m.thread").then(|| relation["event_id"].as_str());
            if root.flatten() == thread {
                messages.push(event.clone());
            }
        }
        messages.retain(|message| !gone.iter().any(|gone| message["event_id"] == *gone));
        messages
    }

    /// The content of a message with a file, as this client makes it.
    pub(crate) async fn with_file(
        &self,
        words: &str,
        OutboundFile { name, content }: &OutboundFile,
        encrypted: bool,
    ) -> Value {
        let mut message = json!({
            "msgtype": "m.file", "body": words, "filename": name,
            "info": { "mimetype": "application/octet-stream", "size": content.len() },
        });
        if encrypted {
            let mut reader = content.as_slice();
            let uploading = self.client.upload_encrypted_file(&mut reader);
            let file = Box::pin(async { uploading.await }).await.unwrap();
            message["file"] = serde_json::to_value(file).unwrap();
        } else {
            let kind = "application/octet-stream".parse().unwrap();
            let uploading = self.client.media().upload(&kind, content.clone(), None);
            let uploaded = Box::pin(async { uploading.await }).await.unwrap();
            message["url"] = uploaded.content_uri.as_str().into();
        }
        message
    }

    /// The file of a message.
    pub(crate) async fn file(&self, message: &Value) -> Option<OutboundFile> {
        let content = &message["content"];
        let source = match (content.get("file"), content["url"].as_str()) {
            (Some(file), _) => {
                MediaSource::Encrypted(Box::new(serde_json::from_value(file.clone()).unwrap()))
            }
            (None, Some(url)) => MediaSource::Plain(url.into()),
            (None, None) => return None,
        };
        let request = MediaRequestParameters {
            source,
            format: MediaFormat::File,
        };
        let media = self.client.media();
        let found = Box::pin(media.get_media_content(&request, false)).await;
        Some(OutboundFile {
            name: content["filename"].as_str().unwrap().to_owned(),
            content: found.unwrap(),
        })
    }
}

/// The content of a plain message.
pub(crate) fn text(text: &str) -> (&'static str, Value) {
    (
        "m.room.message",
        json!({ "msgtype": "m.text", "body": text }),
    )
}

/// Notes what is said, again where it could not be decrypted at first.
async fn watch(
    client: Client,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
    place: Arc<Mutex<SyncToken>>,
) {
    let mut locked: Vec<(Room, OwnedEventId)> = Vec::new();
    loop {
        let token = place.lock().unwrap().clone();
        let settings = SyncSettings::new()
            .timeout(Duration::from_secs(20))
            .token(token);
        let Ok(response) = Box::pin(client.sync_once(settings)).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        *place.lock().unwrap() = SyncToken::Specific(response.next_batch);
        for (id, update) in response.rooms.joined {
            let Some(room) = client.get_room(&id) else {
                continue;
            };
            for event in update.timeline.events {
                let Some(value) = value(&event) else { continue };
                if matches!(event.kind, TimelineEventKind::UnableToDecrypt { .. }) {
                    let event = EventId::parse(value["event_id"].as_str().unwrap()).unwrap();
                    locked.push((room.clone(), event));
                } else {
                    seen.lock().unwrap().push((id.to_string(), value));
                }
            }
        }
        for (room, event) in std::mem::take(&mut locked) {
            let found = Box::pin(room.event(&event, None)).await;
            match found {
                Ok(found) if !matches!(found.kind, TimelineEventKind::UnableToDecrypt { .. }) => {
                    let here = room.room_id().to_string();
                    seen.lock().unwrap().push((here, value(&found).unwrap()));
                }
                Ok(_) | Err(_) => locked.push((room, event)),
            }
        }
    }
}
