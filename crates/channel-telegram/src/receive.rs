//! One update on its way in.

use anchorhold_channel::{Answered, ChannelContext, ChannelError, IntakeError};
use anchorhold_channel_kit::media::{self, Fetched};
use anchorhold_core::{
    ids::IdError,
    inbound::{ATTACHMENTS_LIMIT, InboundEvent},
};
use serde_json::{Value, json};
use tracing::warn;

use crate::{
    adapter::TelegramAdapter,
    callback,
    decode::{Heard, Known, Waiting},
    send::Place,
    wire::{CallbackQuery, Message, Update, User},
};

/// How often a file is asked for before its message goes on without it.
const FETCH_TRIES: u32 = 5;
/// The longest answer to a click that Telegram shows:
/// <https://core.telegram.org/bots/api#answercallbackquery>.
const ANSWER_LIMIT: usize = 200;

/// Why an update is not taken now and has to be offered again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Later {
    /// The host can't take it.
    #[error(transparent)]
    Host(IntakeError),
    /// What belongs to it can't be had.
    #[error(transparent)]
    Platform(ChannelError),
}

impl TelegramAdapter {
    /// Takes an update on; returns `Ok` once it is durable, or is nothing for the host. `failed` is how
    /// often it was not taken before.
    pub(crate) async fn take(
        &self,
        cx: &ChannelContext,
        update: &Update,
        (me, failed): (&User, u32),
    ) -> Result<(), Later> {
        if let Some(message) = update.message.as_ref().or(update.channel_post.as_ref()) {
            if self.has_moved(message) {
                return Ok(());
            }
            return self.hear(cx, (&[message], false), (me, failed)).await;
        }
        let edited = update.edited_message.as_ref();
        if let Some(message) = edited.or(update.edited_channel_post.as_ref()) {
            return self.hear(cx, (&[message], true), (me, failed)).await;
        }
        if let Some(reaction) = &update.message_reaction {
            let event = self.known(me, |known| known.reaction(reaction));
            return match readable(event) {
                Some(mut event) => {
                    event.addressed |= self.is_mine(reaction.chat.id, reaction.message_id);
                    Box::pin(self.deliver(cx, event)).await
                }
                None => Ok(()),
            };
        }
        match &update.callback_query {
            Some(query) => self.click(cx, query, me).await,
            None => Ok(()),
        }
    }

    /// Takes a message on, or an album's as one.
    pub(crate) async fn hear(
        &self,
        cx: &ChannelContext,
        (parts, edited): (&[&Message], bool),
        (me, failed): (&User, u32),
    ) -> Result<(), Later> {
        let heard = self.known(me, |known| known.message(parts, edited));
        let Some(Heard { mut event, files }) = readable(heard) else {
            return Ok(());
        };
        for waiting in files {
            self.fetch(waiting, &mut event, failed).await?;
        }
        Box::pin(self.deliver(cx, event)).await
    }

    /// Notes that a group has become a supergroup, of which both of them tell.
    fn has_moved(&self, message: &Message) -> bool {
        let here = message.chat.id;
        let moved = match (message.migrate_to_chat_id, message.migrate_from_chat_id) {
            (Some(to), _) => (here, to),
            (None, Some(from)) => (from, here),
            (None, None) => return false,
        };
        if self.moves(|moves| moves.note(moved.0, moved.1)) {
            tracing::info!(chat = moved.0, now = moved.1, "a group became a supergroup");
        }
        true
    }

    fn known<T>(&self, me: &User, read: impl FnOnce(Known<'_>) -> T) -> T {
        let channel = &self.name;
        self.moves(|moves| read(Known { channel, me, moves }))
    }

    async fn deliver(&self, cx: &ChannelContext, event: InboundEvent) -> Result<(), Later> {
        let (address, message_id) = (event.address.clone(), event.message_id.clone());
        match cx.inbox.deliver(event).await {
            Ok(_accepted) => Ok(()),
            Err(IntakeError::Refused { why }) => {
                let place = Place::of(self, &address);
                let told = match place {
                    Ok(place) => self.tell(&place, &why, &message_id).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = told {
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
        waiting: Waiting,
        event: &mut InboundEvent,
        failed: u32,
    ) -> Result<(), Later> {
        let name = waiting.offered.name.clone();
        let name = name.unwrap_or_else(|| waiting.offered.kind.to_owned());
        let why = match self.content(&waiting).await {
            Ok(Fetched::All(content)) if event.attachments.len() < ATTACHMENTS_LIMIT => {
                event.attachments.push(waiting.offered.with(content));
                return Ok(());
            }
            Ok(Fetched::All(_)) => "there are too many of them".to_owned(),
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

    async fn content(&self, waiting: &Waiting) -> Result<Fetched, ChannelError> {
        if waiting.offered.is_too_large() {
            return Ok(Fetched::Refused(media::too_large()));
        }
        match self.api.file(&waiting.file_id).await? {
            Some(request) => media::fetch(request).await,
            None => Ok(Fetched::Refused("Telegram does not give it out".to_owned())),
        }
    }

    /// Hands a click on and shows who clicked what became of it.
    async fn click(
        &self,
        cx: &ChannelContext,
        query: &CallbackQuery,
        me: &User,
    ) -> Result<(), Later> {
        let now = self.clock.now();
        let answer = self.known(me, |known| known.click(query, now));
        let Some(answer) = readable(answer) else {
            // The button would go on waiting for an answer.
            self.answer_click(&query.id, "This button has no meaning any more.")
                .await;
            return Ok(());
        };
        let answered = match cx.inbox.answer(answer).await {
            Ok(answered) => answered,
            Err(IntakeError::Refused { why }) => Answered::Refused(why),
            Err(error) => return Err(Later::Host(error)),
        };
        match answered {
            Answered::Taken(text) => {
                self.answer_click(&query.id, &text).await;
                self.show_choice(query).await;
            }
            Answered::Refused(text) => self.answer_click(&query.id, &text).await,
        }
        Ok(())
    }

    /// Shows a short text to who clicked. One that came too late for Telegram is shown nothing.
    async fn answer_click(&self, query: &str, text: &str) {
        let text: String = text.chars().take(ANSWER_LIMIT).collect();
        let params = json!({ "callback_query_id": query, "text": text });
        if let Err(error) = self
            .api
            .asked::<Value>("answerCallbackQuery", &params)
            .await
        {
            warn!(%error, "a click was not answered");
        }
    }

    /// Leaves the button that was chosen.
    async fn show_choice(&self, query: &CallbackQuery) {
        let (Some(message), Some(data)) = (&query.message, &query.data) else {
            return;
        };
        let Some(label) = callback::label(&message.reply_markup, data) else {
            return;
        };
        let params = json!({
            "chat_id": message.chat.id,
            "message_id": message.message_id,
            "reply_markup": callback::chosen(label, data),
        });
        if let Err(error) = self
            .api
            .asked::<Value>("editMessageReplyMarkup", &params)
            .await
        {
            warn!(%error, "the buttons of an answered question stay");
        }
    }
}

/// What was read, if it could be: an update with ids that can't be ids is for nobody.
fn readable<T>(read: Result<Option<T>, IdError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(%error, "an update can't be read");
        None
    })
}
