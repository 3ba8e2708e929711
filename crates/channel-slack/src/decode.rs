//! From an event to what the host takes. Nothing here speaks to anybody.

use anchorhold_channel_kit::{media::Offered, revision};
use anchorhold_core::{
    ids::{ChannelName, Handle, IdError, PlatformMessageId},
    inbound::{ChatKind, InboundAnswer, InboundEvent, Quote, Sender, What},
};
use jiff::Timestamp;

use crate::{
    blocks, emoji,
    ledger::time,
    names::Names,
    place::{Place, is_direct},
    text::{self, Reader, unescaped},
    wire::{Click, Event, File, Me},
};

/// Slack's own bot, which speaks to everybody.
const SLACKBOT: &str = "USLACKBOT";
/// Messages that people say; every other subtype is about the conversation, or about a message:
/// <https://docs.slack.dev/reference/events/message#subtypes>.
const SAYINGS: &[&str] = &["file_share", "me_message", "thread_broadcast"];

/// What decoding needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) me: &'a Me,
    pub(crate) names: &'a Names,
}

/// A message of a person, or the change of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) chat: &'a str,
    pub(crate) ts: &'a str,
    pub(crate) by: &'a str,
    pub(crate) message: &'a Event,
    /// When it was changed, if this is a change.
    pub(crate) edited: Option<&'a str>,
}

/// What a person said in an event. `None` for what is for nobody: what the app itself and other bots
/// say, and what is said of the conversation. A mention of the app comes twice, as a message and as a
/// mention, and is the same both times.
pub(crate) fn said<'a>(event: &'a Event, me: &Me) -> Option<Said<'a>> {
    let chat = event.channel.as_deref()?;
    let subtype = event.subtype.as_deref();
    let (message, edited) = match (event.kind.as_str(), subtype) {
        ("message", Some("message_changed")) => {
            let now = event.message.as_deref()?;
            let edited = now.edited.as_ref()?;
            let before = event.previous_message.as_deref();
            // E.g. only a preview was added.
            let same = |before: &Event| before.text == now.text && before.files == now.files;
            if before.is_some_and(same) {
                return None;
            }
            (now, Some(edited.ts.as_str()))
        }
        ("message" | "app_mention", None) => (event, None),
        ("message" | "app_mention", Some(subtype)) if SAYINGS.contains(&subtype) => (event, None),
        _ => return None,
    };
    let by = message.user.as_deref()?;
    if message.bot_id.is_some() || by == me.user_id || by == SLACKBOT {
        return None;
    }
    Some(Said {
        chat,
        ts: message.ts.as_deref()?,
        by,
        message,
        edited,
    })
}

impl Said<'_> {
    /// Where it was said.
    pub(crate) fn place(&self) -> Place {
        Place::of_message(self.chat, self.ts, self.message.thread_ts.as_deref())
    }

    /// Its id, the same each time.
    pub(crate) fn id(&self) -> Result<PlatformMessageId, IdError> {
        match self.edited {
            Some(at) => revision::id(self.ts, &format!("e{at}")),
            None => PlatformMessageId::parse(self.ts),
        }
    }

    /// The message that began the thread which it is in, if that is another one.
    pub(crate) fn answers(&self) -> Option<&str> {
        let thread = self.message.thread_ts.as_deref();
        thread.filter(|thread| *thread != self.ts && self.edited.is_none())
    }

    /// The people and channels whose names it needs.
    pub(crate) fn named(&self) -> Vec<&str> {
        named(self.message)
    }

    fn text(&self) -> &str {
        text_of(self.message)
    }
}

/// The people and channels whose names a message needs.
pub(crate) fn named(message: &Event) -> Vec<&str> {
    let mut ids = text::named(text_of(message));
    ids.extend(message.user.as_deref());
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn text_of(message: &Event) -> &str {
    message.text.as_deref().unwrap_or_default()
}

impl Known<'_> {
    /// A message without its files' contents; `None` for one that says nothing.
    pub(crate) fn message(&self, said: Said<'_>) -> Result<Option<InboundEvent>, IdError> {
        let mut text = self.read(said.text());
        for shared in &said.message.attachments {
            if shared.is_share || shared.is_msg_unfurl {
                let by = shared.author_name.as_deref().unwrap_or("somebody");
                let words = self.read(shared.text.as_deref().unwrap_or_default());
                if !text.is_empty() {
                    text.push('\n');
                }
                text.extend(["[Forwarded from ", &unescaped(by), "]\n", &words]);
            }
        }
        if text.is_empty() && said.message.files.is_empty() {
            return Ok(None);
        }
        let what = match said.edited {
            Some(_) => What::Edit {
                of: PlatformMessageId::parse(said.ts)?,
            },
            None => What::Message,
        };
        let direct = is_direct(said.chat);
        Ok(Some(InboundEvent {
            address: said.place().address(self.channel)?,
            message_id: said.id()?,
            what,
            sender: self.sender(said.by)?,
            chat_kind: kind(said.chat),
            addressed: direct
                || said.message.kind == "app_mention"
                || text::names(said.text(), &self.me.user_id),
            sent_at: time(said.edited.unwrap_or(said.ts)).unwrap_or(Timestamp::UNIX_EPOCH),
            text,
            reply_to: None,
            attachments: Vec::new(),
        }))
    }

    /// What a message says, to be quoted.
    pub(crate) fn quote(&self, message: &Event) -> Option<Quote> {
        let by = message.user.as_deref();
        Some(Quote {
            sender: by.and_then(|by| self.names.known(by)),
            text: self.read(text_of(message)),
            message_id: Some(PlatformMessageId::parse(message.ts.as_deref()?).ok()?),
        })
    }

    /// A reaction on a message at a place; `None` for one of the app's own.
    pub(crate) fn reaction(
        &self,
        event: &Event,
        place: &Place,
    ) -> Result<Option<InboundEvent>, IdError> {
        let (Some(by), Some(name)) = (&event.user, &event.reaction) else {
            return Ok(None);
        };
        let on = event.item.as_ref().and_then(|item| item.ts.as_deref());
        let Some(on) = on.filter(|_| *by != self.me.user_id) else {
            return Ok(None);
        };
        let text = if event.kind == "reaction_removed" {
            String::new()
        } else {
            emoji::unicode(name).unwrap_or_else(|| format!(":{name}:"))
        };
        let at = event.event_ts.as_deref().unwrap_or_default();
        Ok(Some(InboundEvent {
            address: place.address(self.channel)?,
            message_id: revision::id(on, &format!("r{by}-{at}"))?,
            what: What::Reaction {
                to: PlatformMessageId::parse(on)?,
            },
            sender: self.sender(by)?,
            chat_kind: kind(&place.chat),
            addressed: is_direct(&place.chat)
                || event.item_user.as_deref() == Some(self.me.user_id.as_str()),
            sent_at: time(at).unwrap_or(Timestamp::UNIX_EPOCH),
            text,
            reply_to: None,
            attachments: Vec::new(),
        }))
    }

    /// A click; `None` for a button that is not one of ours.
    pub(crate) fn click(
        &self,
        click: &Click,
        now: Timestamp,
    ) -> Result<Option<InboundAnswer>, IdError> {
        let action = click.actions.first();
        let read = action.and_then(|action| blocks::read(&action.action_id));
        let (Some((question, option)), Some(place)) = (read, clicked_in(click)) else {
            return Ok(None);
        };
        Ok(Some(InboundAnswer {
            address: place.address(self.channel)?,
            question,
            option,
            sender: self.sender(&click.user.id)?,
            at: now,
        }))
    }

    fn sender(&self, id: &str) -> Result<Sender, IdError> {
        Ok(Sender {
            handle: Handle::parse(id)?,
            name: self.names.known(id),
        })
    }

    fn read(&self, text: &str) -> String {
        let reader = Reader {
            me: (&self.me.user_id, &self.me.user),
            name: &|id| self.names.known(id),
        };
        reader.read(text)
    }
}

/// The place of the message whose button was clicked. One that began a thread is not in it.
pub(crate) fn clicked_in(click: &Click) -> Option<Place> {
    let container = &click.container;
    let in_message = || click.message["thread_ts"].as_str().map(str::to_owned);
    let thread = container.thread_ts.clone().or_else(in_message);
    Some(Place {
        chat: container.channel_id.clone()?,
        thread: thread.filter(|thread| Some(thread) != container.message_ts.as_ref()),
    })
}

/// What a file is offered as.
pub(crate) fn offered(file: &File) -> Offered {
    Offered {
        name: file.name.clone(),
        kind: "file",
        media_type: file.mimetype.clone(),
        bytes: file.size,
    }
}

fn kind(chat: &str) -> ChatKind {
    if is_direct(chat) {
        ChatKind::Direct
    } else {
        ChatKind::Group
    }
}

#[cfg(test)]
mod tests;
