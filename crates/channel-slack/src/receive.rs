//! One event or click on its way in.

use std::time::Duration;

use anchorhold_channel::{Answered, ChannelContext, ChannelError, IntakeError};
use anchorhold_channel_kit::media::{self, Fetched};
use anchorhold_core::{
    ids::IdError,
    inbound::{ATTACHMENTS_LIMIT, InboundEvent, Quote},
};
use serde_json::Value;
use tokio::time::sleep;
use tracing::warn;

use crate::{
    adapter::SlackAdapter,
    api::Params,
    blocks,
    decode::{Known, Said, clicked_in, named, offered, said},
    lanes::Work,
    place::Place,
    wire::{Click, Event, File, FileInfo, Me, Since},
};

/// How often a file is asked for before its message goes on without it.
const FETCH_TRIES: u32 = 5;

/// Why something is not taken now and is offered again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Later {
    /// The host can't take it.
    #[error(transparent)]
    Host(IntakeError),
    /// What belongs to it can't be had.
    #[error(transparent)]
    Platform(ChannelError),
}

impl SlackAdapter {
    /// Takes something on: returns once it is durable, or is nothing for the host.
    pub(crate) async fn take(&self, cx: &ChannelContext, me: &Me, work: &Work) {
        for failed in 0_u32.. {
            let taken = match work {
                Work::Event(event) => Box::pin(self.event(cx, event, (me, failed))).await,
                Work::Click(click) => Box::pin(self.click(cx, click, me)).await,
                Work::Missed(mark) => Box::pin(self.catch_up(cx, mark, (me, failed))).await,
            };
            match taken {
                Ok(()) => return,
                // The token of this run is about to fire.
                Err(Later::Host(IntakeError::Stopping)) => std::future::pending::<()>().await,
                Err(later) => {
                    warn!(error = %later, "something is not taken yet");
                    let pace = self.waits.pace;
                    let pause = pace.pause(failed.saturating_add(1));
                    let asked = match later {
                        Later::Platform(ChannelError::RateLimited { retry_after, .. }) => {
                            retry_after
                        }
                        Later::Platform(_) | Later::Host(_) => Duration::ZERO,
                    };
                    sleep(pause.unwrap_or(pace.longest).max(asked)).await;
                }
            }
        }
    }

    pub(crate) async fn event(
        &self,
        cx: &ChannelContext,
        event: &Event,
        (me, failed): (&Me, u32),
    ) -> Result<(), Later> {
        if matches!(event.kind.as_str(), "reaction_added" | "reaction_removed") {
            return self.reaction(cx, event, (me, failed)).await;
        }
        match said(event, me) {
            Some(said) => self.hear(cx, said, (me, failed)).await,
            None => Ok(()),
        }
    }

    async fn hear(
        &self,
        cx: &ChannelContext,
        said: Said<'_>,
        (me, failed): (&Me, u32),
    ) -> Result<(), Later> {
        let Some(id) = readable(said.id().map(Some)) else {
            return Ok(());
        };
        if self.has_taken(said.chat, &id) {
            return Ok(());
        }
        self.learn(&said.named()).await;
        let heard = self.known(me, |known| known.message(said));
        let Some(mut event) = readable(heard) else {
            return Ok(());
        };
        let place = said.place();
        if let Some(thread) = said.answers().filter(|_| !self.has_heard(&place)) {
            event.reply_to = self.first_of(said.chat, thread, me).await;
        }
        self.note_thread(said.chat, said.ts, place.thread.clone());
        // Of a change, the files are those that came with the message.
        let new = said.edited.is_none();
        for file in said.message.files.iter().filter(|_| new) {
            self.fetch(file, &mut event, failed).await?;
        }
        self.deliver(cx, event, &place).await?;
        self.note_taken(said.chat, id);
        if new {
            self.mark(cx, &place, said.ts).await;
        }
        Ok(())
    }

    /// Was anything of this thread heard?
    fn has_heard(&self, place: &Place) -> bool {
        self.marks(|marks| marks.has(place))
    }

    /// The message that began a thread, for who is called into it. `None` where it can't be had: what
    /// was said comes without.
    async fn first_of(&self, chat: &str, thread: &str, me: &Me) -> Option<Quote> {
        let params = Params::new()
            .with("channel", chat)
            .with("ts", thread)
            .with("limit", "1");
        let asked: Result<Since, _> = self.api.asked("conversations.replies", &params).await;
        let page = asked
            .inspect_err(|error| warn!(%error, "what began a thread is not known"))
            .ok()?;
        let mut messages = page.messages.into_iter();
        let first = messages.find(|message| message.event.ts.as_deref() == Some(thread))?;
        self.learn(&named(&first.event)).await;
        self.known(me, |known| known.quote(&first.event))
    }

    async fn reaction(
        &self,
        cx: &ChannelContext,
        event: &Event,
        (me, failed): (&Me, u32),
    ) -> Result<(), Later> {
        let item = event.item.as_ref();
        let on = item.and_then(|item| Some((item.channel.as_deref()?, item.ts.as_deref()?)));
        let Some((chat, ts)) = on else {
            return Ok(());
        };
        let place = match self.place_of(chat, ts).await {
            Ok(place) => place,
            Err(error) if failed + 1 < FETCH_TRIES => return Err(Later::Platform(error)),
            Err(error) => {
                warn!(%error, "the thread of a reaction is not known");
                Place::of_message(chat, ts, None)
            }
        };
        self.learn(&event.user.as_deref().into_iter().collect::<Vec<_>>())
            .await;
        let heard = self.known(me, |known| known.reaction(event, &place));
        match readable(heard) {
            Some(event) => self.deliver(cx, event, &place).await,
            None => Ok(()),
        }
    }

    fn known<T>(&self, me: &Me, read: impl FnOnce(Known<'_>) -> T) -> T {
        let channel = &self.name;
        self.names(|names| read(Known { channel, me, names }))
    }

    async fn deliver(
        &self,
        cx: &ChannelContext,
        event: InboundEvent,
        place: &Place,
    ) -> Result<(), Later> {
        match Box::pin(cx.inbox.deliver(event)).await {
            Ok(_accepted) => Ok(()),
            Err(IntakeError::Refused { why }) => {
                if let Err(error) = self.tell(place, &why).await {
                    warn!(%error, "nobody could be told that a message was refused");
                }
                Ok(())
            }
            Err(error) => Err(Later::Host(error)),
        }
    }

    /// Fetches a file, or says in the text why it is not there. What may pass is an error at first.
    async fn fetch(&self, file: &File, event: &mut InboundEvent, failed: u32) -> Result<(), Later> {
        let offered = offered(file);
        let name = offered
            .name
            .clone()
            .unwrap_or_else(|| offered.kind.to_owned());
        let why = match self.content(file).await {
            Ok(Fetched::All(content)) if event.attachments.len() < ATTACHMENTS_LIMIT => {
                event.attachments.push(offered.with(content));
                return Ok(());
            }
            Ok(Fetched::All(_)) => "there are too many of them".to_owned(),
            Ok(Fetched::Refused(why)) => why,
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

    /// The content of a file: <https://docs.slack.dev/reference/objects/file-object>.
    async fn content(&self, file: &File) -> Result<Fetched, ChannelError> {
        let refused = |why: &str| Ok(Fetched::Refused(why.to_owned()));
        match file.mode.as_deref() {
            Some("tombstone") => return refused("it was deleted"),
            Some("hidden_by_limit") => return refused("the workspace keeps it no longer"),
            Some(_) | None => {}
        }
        if offered(file).is_too_large() {
            return Ok(Fetched::Refused(media::too_large()));
        }
        let mut address = address_of(file);
        if address.is_none() {
            // What comes from another workspace comes without it.
            let params = Params::new().with("file", &file.id);
            let info = self.api.asked::<FileInfo>("files.info", &params).await;
            address = match info {
                Ok(info) => address_of(&info.file),
                Err(ChannelError::Permanent { reason }) => return Ok(Fetched::Refused(reason)),
                Err(error) => return Err(error),
            };
        }
        let request = address.and_then(|address| self.api.file(&address));
        let Some(request) = request.filter(|_| !file.is_external) else {
            return refused("it is not on Slack");
        };
        let fetched = media::fetch(request).await?;
        let html = file.mimetype.as_deref() == Some("text/html");
        Ok(match fetched {
            // Who may not have a file is shown the page to log in, as if that were the file.
            Fetched::All(content) if !html && is_page(&content) => {
                Fetched::Refused("the app lacks the scope files:read".to_owned())
            }
            fetched @ (Fetched::All(_) | Fetched::Refused(_)) => fetched,
        })
    }

    /// Hands a click on, shows who clicked what became of it, and everybody what was chosen.
    async fn click(&self, cx: &ChannelContext, click: &Click, me: &Me) -> Result<(), Later> {
        self.learn(&[&click.user.id]).await;
        let now = self.clock.now();
        let answer = self.known(me, |known| known.click(click, now));
        let (Some(answer), Some(place)) = (readable(answer), clicked_in(click)) else {
            return Ok(());
        };
        let answered = match cx.inbox.answer(answer).await {
            Ok(answered) => answered,
            Err(IntakeError::Refused { why }) => Answered::Refused(why),
            Err(error) => return Err(Later::Host(error)),
        };
        match answered {
            Answered::Taken(text) => {
                self.show(&place, &click.user.id, &text).await;
                self.show_choice(click, &place).await;
            }
            Answered::Refused(text) => self.show(&place, &click.user.id, &text).await,
        }
        Ok(())
    }

    /// Shows a short text to one person: <https://docs.slack.dev/reference/methods/chat.postEphemeral>.
    async fn show(&self, place: &Place, person: &str, text: &str) {
        let params = place
            .params()
            .with("user", person)
            .with("text", crate::mrkdwn::plain(text));
        let shown = self.api.asked::<Value>("chat.postEphemeral", &params).await;
        if let Err(error) = shown {
            warn!(%error, "a click was not answered");
        }
    }

    /// Leaves of a question what was chosen.
    async fn show_choice(&self, click: &Click, place: &Place) {
        let (Some(ts), Some(action)) = (&click.container.message_ts, click.actions.first()) else {
            return;
        };
        let label = &action.text.text;
        let blocks = blocks::chosen(&click.message["blocks"], label, &click.user.id);
        let words = click.message["text"].as_str().unwrap_or_default();
        let params = Params::new()
            .with("channel", &place.chat)
            .with("ts", ts)
            .with("text", words)
            .with_json("blocks", &blocks);
        if let Err(error) = self.api.asked::<Value>("chat.update", &params).await {
            warn!(%error, "the buttons of an answered question stay");
        }
    }
}

fn address_of(file: &File) -> Option<String> {
    let download = file.url_private_download.clone();
    download.or_else(|| file.url_private.clone())
}

/// Is it a page of the web?
fn is_page(content: &[u8]) -> bool {
    let start = content.trim_ascii_start();
    let begins = |with: &[u8]| {
        let head = start.get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with))
    };
    begins(b"<!doctype html") || begins(b"<html")
}

/// What was read, if it could be: an event with ids that can't be ids is for nobody.
fn readable<T>(read: Result<Option<T>, IdError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(%error, "an event can't be read");
        None
    })
}
