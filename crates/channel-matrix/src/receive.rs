//! One event on its way in.

use std::io::{Cursor, Read as _};

use anchorhold_channel::{ChannelContext, ChannelError, IntakeError};
use anchorhold_channel_kit::{
    http::harmless,
    media::{self, Fetched},
};
use anchorhold_core::{inbound::InboundEvent, outbound::Voice};
use matrix_sdk::{
    Room,
    deserialized_responses::TimelineEvent,
    encryption::MediaEncryptionInfo,
    ruma::{MxcUri, UserId, events::room::EncryptedFile},
};
use matrix_sdk_crypto::AttachmentDecryptor;
use serde_json::Value;
use tracing::warn;

use crate::{
    adapter::MatrixAdapter,
    decode::{FilePlace, Heard, Known, Waiting},
    failure::transient,
    original,
};

/// How often what belongs to a message is asked for before the message goes on without it.
const FETCH_TRIES: u32 = 5;

/// Why an event is not taken now and has to be offered again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Later {
    /// The host can't take it.
    #[error(transparent)]
    Host(IntakeError),
    /// What belongs to it can't be had.
    #[error(transparent)]
    Platform(ChannelError),
}

/// An event as JSON; `None` for what is none.
pub(crate) fn value(event: &TimelineEvent) -> Option<Value> {
    // silent: the caller says what it leaves out
    serde_json::from_str(event.raw().json().get()).ok()
}

impl MatrixAdapter {
    /// Takes an event on; returns `Ok` once it is durable, or is nothing for the host. `failed` is how
    /// often it was not taken before.
    pub(crate) async fn take(
        &self,
        cx: &ChannelContext,
        (room, me): (&Room, &str),
        event: &Value,
        failed: u32,
    ) -> Result<(), Later> {
        let chat = self.moves(|moves| moves.first(room.room_id().as_str()).to_owned());
        let known = Known {
            channel: &self.name,
            me,
            chat: &chat,
            is_direct: !room.direct_targets().is_empty(),
            now: self.clock.now(),
        };
        let heard = self.reactions(|reactions| known.event(event, reactions));
        let heard = match heard {
            Ok(Some(heard)) => heard,
            Ok(None) => return Ok(()),
            Err(error) => {
                warn!(%error, "an event can't be read");
                return Ok(());
            }
        };
        let Some(mut event) = complete((room, me), &heard, failed).await? else {
            return Ok(());
        };
        event.sender.name = name(room, event.sender.handle.as_str()).await;
        if let Some(waiting) = heard.file {
            self.fetch(room, waiting, &mut event, failed).await?;
        }
        Box::pin(self.deliver(cx, room, event)).await
    }

    async fn deliver(
        &self,
        cx: &ChannelContext,
        room: &Room,
        event: InboundEvent,
    ) -> Result<(), Later> {
        let (address, message_id) = (event.address.clone(), event.message_id.clone());
        match cx.inbox.deliver(event).await {
            Ok(_accepted) => Ok(()),
            Err(IntakeError::Refused { why }) => {
                let text = format!("This message was not taken: {why}");
                let told = self.tell(room, &address, &text, Some(&message_id));
                if let Err(error) = told.await {
                    warn!(%error, "nobody could be told that a message was refused");
                }
                Ok(())
            }
            Err(error) => Err(Later::Host(error)),
        }
    }

    /// Fetches a file, or says in the text why it is not there. What may pass is an error at first.
    async fn fetch(
        &self,
        room: &Room,
        waiting: Waiting,
        event: &mut InboundEvent,
        failed: u32,
    ) -> Result<(), Later> {
        let name = waiting.offered.name.clone();
        let name = name.unwrap_or_else(|| waiting.offered.kind.to_owned());
        let why = match self.content(room, &waiting).await {
            Ok(Fetched::All(content)) => {
                event.attachments.push(waiting.offered.with(content));
                return Ok(());
            }
            Ok(Fetched::Refused(why)) => why,
            Err(error @ ChannelError::Unauthorized { .. }) => return Err(Later::Platform(error)),
            Err(error) if failed + 1 < FETCH_TRIES => return Err(Later::Platform(error)),
            Err(error) => {
                warn!(%error, "a file is left out");
                "it could not be fetched".to_owned()
            }
        };
        let line = media::left_out(&name, &why);
        event.text = if event.text.is_empty() {
            line
        } else {
            format!("{}\n{line}", event.text)
        };
        Ok(())
    }

    /// A file's content: <https://spec.matrix.org/latest/client-server-api/#get_matrixclientv1mediadownloadservernamemediaid>.
    async fn content(&self, room: &Room, waiting: &Waiting) -> Result<Fetched, ChannelError> {
        const DOING: &str = "fetching a file";
        if waiting.offered.is_too_large() {
            return Ok(Fetched::Refused(media::too_large()));
        }
        let unreadable = || Ok(Fetched::Refused("its address can't be read".to_owned()));
        let key = match &waiting.place {
            FilePlace::Plain(_) => None,
            FilePlace::Encrypted(file) => {
                match serde_json::from_value::<EncryptedFile>(file.clone()) {
                    Ok(file) => Some(file),
                    Err(_unreadable) => return unreadable(),
                }
            }
        };
        let url = match (&waiting.place, &key) {
            (FilePlace::Plain(url), _) => url.as_str(),
            (FilePlace::Encrypted(_), Some(file)) => file.url.as_str(),
            (FilePlace::Encrypted(_), None) => return unreadable(),
        };
        let Ok((server, id)) = <&MxcUri>::from(url).parts() else {
            return unreadable();
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !id.chars().all(plain) {
            return unreadable();
        }
        let token = room.client().access_token();
        let token = token.ok_or_else(|| transient(DOING, "the bot is not logged in"))?;
        let url = self.url(&format!("_matrix/client/v1/media/download/{server}/{id}"));
        let request = self.http.client().get(url).bearer_auth(token);
        let fetched = media::fetch(request).await?;
        match (fetched, key) {
            (Fetched::All(content), Some(file)) => Ok(match decrypt(content, file) {
                Some(content) => Fetched::All(content),
                None => Fetched::Refused("it can't be decrypted".to_owned()),
            }),
            (fetched, _) => Ok(fetched),
        }
    }

    /// Tells people in a room something that the host has to say.
    pub(crate) async fn tell(
        &self,
        room: &Room,
        address: &anchorhold_core::address::Address,
        text: &str,
        about: Option<&anchorhold_core::ids::PlatformMessageId>,
    ) -> Result<(), ChannelError> {
        let content = self.words(room, address, (text, Voice::Host), about).await;
        self.say(room, content, None).await.map(|_sent| ())
    }
}

/// An event with what is known from the message that it is about.
async fn complete(
    (room, me): (&Room, &str),
    heard: &Heard,
    failed: u32,
) -> Result<Option<InboundEvent>, Later> {
    let event = heard.event.clone();
    let Some(about) = &heard.about else {
        return Ok(Some(event));
    };
    match original::fetch(room, about.event()).await {
        Ok(Some(original)) => Ok(original::add(event, about, &original, me)),
        Ok(None) => Ok(Some(event)),
        Err(error) if failed + 1 < FETCH_TRIES => Err(Later::Platform(harmless(error))),
        Err(error) => {
            warn!(%error, "the message that another one is about stays unknown");
            Ok(Some(event))
        }
    }
}

/// What a person calls themselves in a room.
async fn name(room: &Room, person: &str) -> Option<String> {
    // silent: a name is only shown
    let person = UserId::parse(person).ok()?;
    let member = room.get_member_no_sync(&person).await.ok()??;
    member.display_name().map(str::to_owned)
}

/// Decrypts a file; `None` where it is not what its sender has encrypted.
fn decrypt(content: Vec<u8>, file: EncryptedFile) -> Option<Vec<u8>> {
    let mut content = Cursor::new(content);
    // silent: `None` says it
    let mut reader =
        AttachmentDecryptor::new(&mut content, MediaEncryptionInfo::from(file)).ok()?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).ok()?;
    Some(plain)
}
