//! From an update to what the host takes. Nothing here speaks to anybody.

use anchorhold_channel_kit::{media::Offered, revision};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, IdError, ThreadId},
    inbound::{ChatKind, InboundAnswer, InboundEvent, Quote, Sender, What},
};
use jiff::Timestamp;

use crate::{
    adapter::handle,
    callback,
    moves::{self, Moves},
    text::Marked,
    wire::{CallbackQuery, Chat, File, Message, Origin, Reaction, User},
};

/// What decoding needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) me: &'a User,
    pub(crate) moves: &'a Moves,
}

/// A file that came with a message, to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) file_id: String,
    pub(crate) offered: Offered,
}

/// A message without its files' contents.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) event: InboundEvent,
    pub(crate) files: Vec<Waiting>,
}

impl Known<'_> {
    /// A message, or an album's messages as one: the first of `parts` gives it its id, and `edited`
    /// says that it is a change of what was said. `None` for what is for nobody: the service's own
    /// messages, those of other bots, and positions that move.
    pub(crate) fn message(
        &self,
        parts: &[&Message],
        edited: bool,
    ) -> Result<Option<Heard>, IdError> {
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        let Some(sender) = sender(first)? else {
            return Ok(None);
        };
        if edited && first.location.is_some() {
            return Ok(None);
        }
        let said: Vec<String> = parts.iter().filter_map(|part| self.said(part)).collect();
        let files: Vec<Waiting> = parts.iter().flat_map(|part| files(part)).collect();
        if said.is_empty() && files.is_empty() {
            return Ok(None);
        }
        let number = self.moves.message_id(first.chat.id, first.message_id);
        let text = forwarded(first) + &said.join("\n");
        let (message_id, what) = if edited {
            let which = format!("e{}-{:x}", first.edit_date.unwrap_or(0), digest(&text));
            let of = moves::id(self.moves, first.chat.id, first.message_id)?;
            (revision::id(&number, &which)?, What::Edit { of })
        } else {
            let id = moves::id(self.moves, first.chat.id, first.message_id)?;
            (id, What::Message)
        };
        let private = first.chat.is_private();
        let event = InboundEvent {
            address: self.address(&first.chat, thread(first))?,
            message_id,
            what,
            sender,
            chat_kind: kind(&first.chat),
            addressed: private || parts.iter().any(|part| self.is_addressed(part)),
            sent_at: time(if edited {
                first.edit_date.unwrap_or(first.date)
            } else {
                first.date
            }),
            text,
            reply_to: self.quoted(first)?,
            attachments: Vec::new(),
        };
        Ok(Some(Heard { event, files }))
    }

    /// A reaction; `None` where the platform says of nobody who reacted.
    pub(crate) fn reaction(&self, reaction: &Reaction) -> Result<Option<InboundEvent>, IdError> {
        let who = match (&reaction.user, &reaction.actor_chat) {
            (Some(user), _) if user.is_bot => None,
            (Some(user), _) => Some((user.id, user.name())),
            (None, Some(chat)) => Some((chat.id, chat.title.clone())),
            (None, None) => None,
        };
        let Some((id, name)) = who else {
            return Ok(None);
        };
        let emoji: Vec<&str> = reaction
            .new_reaction
            .iter()
            .map(|kind| kind.emoji.as_deref().unwrap_or("[a custom emoji]"))
            .collect();
        let text = emoji.join(" ");
        let chat = &reaction.chat;
        let number = self.moves.message_id(chat.id, reaction.message_id);
        let which = format!("r{id}-{}-{:x}", reaction.date, digest(&text));
        Ok(Some(InboundEvent {
            address: self.address(chat, None)?,
            message_id: revision::id(&number, &which)?,
            what: What::Reaction {
                to: moves::id(self.moves, chat.id, reaction.message_id)?,
            },
            sender: Sender {
                handle: handle(id)?,
                name,
            },
            chat_kind: kind(chat),
            addressed: chat.is_private(),
            sent_at: time(reaction.date),
            text,
            reply_to: None,
            attachments: Vec::new(),
        }))
    }

    /// A click; `None` for a button that is not one of ours.
    pub(crate) fn click(
        &self,
        query: &CallbackQuery,
        now: Timestamp,
    ) -> Result<Option<InboundAnswer>, IdError> {
        let read = query.data.as_deref().and_then(callback::read);
        let (Some((question, option)), Some(message)) = (read, &query.message) else {
            return Ok(None);
        };
        Ok(Some(InboundAnswer {
            address: self.address(&message.chat, thread(message))?,
            question,
            option,
            sender: Sender {
                handle: handle(query.from.id)?,
                name: query.from.name(),
            },
            at: now,
        }))
    }

    fn address(&self, chat: &Chat, thread: Option<i64>) -> Result<Address, IdError> {
        Ok(Address {
            channel: self.channel.clone(),
            chat: ChatId::parse(&self.moves.first(chat.id).to_string())?,
            thread: thread
                .map(|thread| ThreadId::parse(&thread.to_string()))
                .transpose()?,
        })
    }

    /// What a message says, whatever it is that says it.
    fn said(&self, message: &Message) -> Option<String> {
        let marked = marked(message).map(|marked| marked.plain(self.me));
        let other = described(message);
        let said: Vec<String> = [other, marked].into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }

    fn is_addressed(&self, message: &Message) -> bool {
        let replied = message.reply_to_message.as_ref().is_some_and(|replied| {
            let mine = replied
                .from
                .as_ref()
                .is_some_and(|from| from.id == self.me.id);
            // Everything in a topic answers the message that made the topic, unless it answers another.
            mine && replied.forum_topic_created.is_none()
        });
        replied || marked(message).is_some_and(|marked| marked.names(self.me))
    }

    fn quoted(&self, message: &Message) -> Result<Option<Quote>, IdError> {
        let replied = message.reply_to_message.as_ref();
        let Some(replied) = replied.filter(|replied| replied.forum_topic_created.is_none()) else {
            return Ok(None);
        };
        let chosen = message.quote.as_ref().map(|quote| quote.text.clone());
        let text = chosen.or_else(|| self.said(replied)).unwrap_or_default();
        let by_chat = replied
            .sender_chat
            .as_ref()
            .and_then(|chat| chat.title.clone());
        let by_user = replied.from.as_ref().and_then(User::name);
        Ok(Some(Quote {
            sender: by_chat.or(by_user),
            text,
            message_id: Some(moves::id(self.moves, replied.chat.id, replied.message_id)?),
        }))
    }
}

/// Who said it. An administrator without a name and a channel speak as the chat that they speak for:
/// that is all that is proven of them. What another bot says is for nobody, or bots would talk for ever.
fn sender(message: &Message) -> Result<Option<Sender>, IdError> {
    Ok(match (&message.sender_chat, &message.from) {
        (Some(chat), _) => Some(Sender {
            handle: handle(chat.id)?,
            name: chat.title.clone(),
        }),
        (None, Some(from)) if !from.is_bot => Some(Sender {
            handle: handle(from.id)?,
            name: from.name(),
        }),
        (None, Some(_) | None) => None,
    })
}

/// The topic of a forum that a message is in. Other threads are only answers to one message, and the
/// topic “General” has no number to write to.
pub(crate) fn thread(message: &Message) -> Option<i64> {
    message
        .message_thread_id
        .filter(|thread| message.is_topic_message && *thread != 1)
}

fn kind(chat: &Chat) -> ChatKind {
    if chat.is_private() {
        ChatKind::Direct
    } else {
        ChatKind::Group
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn marked(message: &Message) -> Option<Marked<'_>> {
    let text = message
        .text
        .as_deref()
        .map(|text| (text, &message.entities));
    let caption = || {
        message
            .caption
            .as_deref()
            .map(|text| (text, &message.caption_entities))
    };
    let (text, entities) = text.or_else(caption)?;
    Some(Marked { text, entities })
}

/// What a message without words is, in words.
fn described(message: &Message) -> Option<String> {
    if let Some(venue) = &message.venue {
        return Some(format!("[Place: {}, {}]", venue.title, venue.address));
    }
    if let Some(location) = &message.location {
        let (latitude, longitude) = (location.latitude, location.longitude);
        return Some(format!("[Position: {latitude}, {longitude}]"));
    }
    if let Some(contact) = &message.contact {
        let last = contact.last_name.as_deref().unwrap_or_default();
        let name = format!("{} {last}", contact.first_name);
        return Some(format!(
            "[Contact: {}, {}]",
            name.trim(),
            contact.phone_number
        ));
    }
    if let Some(poll) = &message.poll {
        let options: Vec<&str> = poll.options.iter().map(|o| o.text.as_str()).collect();
        return Some(format!(
            "[Poll: {} ({})]",
            poll.question,
            options.join(" / ")
        ));
    }
    if let Some(dice) = &message.dice {
        return Some(format!("[{} shows {}]", dice.emoji, dice.value));
    }
    let sticker = message.sticker.as_ref()?;
    Some(format!(
        "[Sticker {}]",
        sticker.emoji.as_deref().unwrap_or("without a meaning")
    ))
}

/// Whose words a forwarded message has, on a line before them.
fn forwarded(message: &Message) -> String {
    let Some(origin) = &message.forward_origin else {
        return String::new();
    };
    let Origin {
        sender_user,
        sender_user_name,
        sender_chat,
        chat,
    } = origin;
    let by_chat = sender_chat
        .as_ref()
        .or(chat.as_ref())
        .and_then(|chat| chat.title.clone());
    let by_user = sender_user.as_ref().and_then(User::name);
    let name = by_chat.or(by_user).or_else(|| sender_user_name.clone());
    let name = name.unwrap_or_else(|| "somebody".to_owned());
    format!("[Forwarded from {name}]\n")
}

/// The files of a message. A photo comes in several sizes, of which the largest counts.
fn files(message: &Message) -> Vec<Waiting> {
    let photo = message
        .photo
        .iter()
        .max_by_key(|size| (size.width, size.file_size));
    // An animation comes as a document as well.
    let document = message
        .document
        .as_ref()
        .filter(|_| message.animation.is_none());
    [
        ("photo", photo),
        ("document", document),
        ("video", message.video.as_ref()),
        ("animation", message.animation.as_ref()),
        ("audio", message.audio.as_ref()),
        ("voice", message.voice.as_ref()),
        ("video-note", message.video_note.as_ref()),
        ("sticker", message.sticker.as_ref()),
    ]
    .into_iter()
    .filter_map(|(kind, file)| Some(waiting(kind, file?)))
    .collect()
}

fn waiting(kind: &'static str, file: &File) -> Waiting {
    Waiting {
        file_id: file.file_id.clone(),
        offered: Offered {
            name: file.file_name.clone(),
            kind,
            media_type: file.mime_type.clone(),
            bytes: file.file_size,
        },
    }
}

/// Tells one text from another, the same in each version of this program: FNV-1a.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
