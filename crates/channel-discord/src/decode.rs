//! From what the gateway tells to what the host takes. Nothing here speaks to anybody.

use anchorhold_channel_kit::{media::Offered, revision};
use anchorhold_core::{
    ids::{ChannelName, Handle, IdError, PlatformMessageId},
    inbound::{InboundEvent, Quote, Sender, What},
};
use jiff::Timestamp;

use crate::{
    places::Place,
    text::plain,
    wire::{Attachment, Member, Message, Reaction, Snowflake, User},
};

/// What somebody says, and what answers something: everything else is a notice of the service
/// (<https://discord.com/developers/docs/resources/message#message-object-message-types>).
const SAID: [u8; 2] = [0, 19];
/// A reference to what is forwarded, not to what is answered.
const FORWARD: u8 = 1;

/// What decoding needs to know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) channel: &'a ChannelName,
    pub(crate) me: Snowflake,
    /// The bot's roles in the server where it was said.
    pub(crate) roles: &'a [Snowflake],
}

/// A file that came with a message, to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) url: String,
    pub(crate) offered: Offered,
}

/// A message without its files' contents.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) event: InboundEvent,
    pub(crate) files: Vec<Waiting>,
}

impl Known<'_> {
    /// A message, or with `edited` a change of one. `None` for what is for nobody: notices of the
    /// service, what bots say, and changes that are none of the words.
    pub(crate) fn message(
        &self,
        message: &Message,
        place: &Place,
        edited: bool,
    ) -> Result<Option<Heard>, IdError> {
        let Some(sender) = sender(message)? else {
            return Ok(None);
        };
        let changed = message.edited_timestamp.as_deref();
        let Some((message_id, what, sent_at)) = (if edited {
            changed.map(|at| edit(message.id, at)).transpose()?
        } else {
            Some((id(message.id)?, What::Message, message.id.time()))
        }) else {
            return Ok(None);
        };
        let text = self.said(message);
        let files = files(message);
        if text.is_empty() && files.is_empty() {
            return Ok(None);
        }
        let event = InboundEvent {
            address: place.address(self.channel)?,
            message_id,
            what,
            sender,
            chat_kind: place.kind(),
            addressed: place.direct || self.is_addressed(message),
            sent_at,
            text,
            reply_to: self.quoted(message)?,
            attachments: Vec::new(),
        };
        Ok(Some(Heard { event, files }))
    }

    /// A reaction put on a message or taken back. `which` tells it from another one by the same person.
    pub(crate) fn reaction(
        &self,
        (reaction, added): (&Reaction, bool),
        place: &Place,
        (which, now): (&str, Timestamp),
    ) -> Result<Option<InboundEvent>, IdError> {
        let user = reaction.member.as_ref().and_then(|m| m.user.as_ref());
        if reaction.user_id == self.me || user.is_some_and(|user| user.bot) {
            return Ok(None);
        }
        let of_ours = reaction.emoji.id.is_some();
        let text = match (&reaction.emoji.name, added) {
            (_, false) => String::new(),
            (Some(name), true) if of_ours => format!(":{name}:"),
            (Some(name), true) => name.clone(),
            (None, true) => "[a custom emoji]".to_owned(),
        };
        let message = reaction.message_id.to_string();
        Ok(Some(InboundEvent {
            address: place.address(self.channel)?,
            message_id: revision::id(&message, &format!("r{}-{which}", reaction.user_id))?,
            what: What::Reaction {
                to: id(reaction.message_id)?,
            },
            sender: Sender {
                handle: handle(reaction.user_id)?,
                name: name(reaction.member.as_ref(), user),
            },
            chat_kind: place.kind(),
            addressed: place.direct || reaction.message_author_id == Some(self.me),
            sent_at: now,
            text,
            reply_to: None,
            attachments: Vec::new(),
        }))
    }

    /// What a message says, whatever it is that says it.
    fn said(&self, message: &Message) -> String {
        let mut said = Vec::new();
        for snapshot in &message.message_snapshots {
            let forwarded = plain(&snapshot.message.content, &message.mentions, self.me);
            said.push(format!("[Forwarded]\n{forwarded}").trim().to_owned());
        }
        if let Some(poll) = &message.poll {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let answers = poll.answers.iter();
            let answers: Vec<String> = answers.map(|a| text(&a.poll_media.text)).collect();
            let question = text(&poll.question.text);
            said.push(format!("[Poll: {question} ({})]", answers.join(" / ")));
        }
        let stickers = message.sticker_items.iter();
        said.extend(stickers.map(|sticker| format!("[Sticker {}]", sticker.name)));
        if !message.content.is_empty() {
            said.push(plain(&message.content, &message.mentions, self.me));
        }
        said.join("\n")
    }

    /// Does it name the bot, or a role that the bot has, or answer something that the bot has said?
    fn is_addressed(&self, message: &Message) -> bool {
        let answered = message.referenced_message.as_ref();
        let mine = |user: &User| user.id == self.me;
        message.mentions.iter().any(mine)
            || message
                .mention_roles
                .iter()
                .any(|role| self.roles.contains(role))
            || answered.is_some_and(|answered| answered.author.as_ref().is_some_and(mine))
    }

    fn quoted(&self, message: &Message) -> Result<Option<Quote>, IdError> {
        let reference = message.message_reference.as_ref();
        let forwards = reference.is_some_and(|reference| reference.kind == FORWARD);
        let Some(answered) = message.referenced_message.as_ref().filter(|_| !forwards) else {
            return Ok(None);
        };
        Ok(Some(Quote {
            sender: answered.author.as_ref().and_then(User::name),
            text: self.said(answered),
            message_id: Some(id(answered.id)?),
        }))
    }
}

/// The id of a message as the host knows it.
pub(crate) fn id(message: Snowflake) -> Result<PlatformMessageId, IdError> {
    PlatformMessageId::parse(&message.to_string())
}

/// The id of a person, or of the bot.
pub(crate) fn handle(user: Snowflake) -> Result<Handle, IdError> {
    Handle::parse(&user.to_string())
}

/// What somebody is called where they act.
pub(crate) fn name(member: Option<&Member>, user: Option<&User>) -> Option<String> {
    let nick = member.and_then(|member| member.nick.clone());
    nick.filter(|nick| !nick.is_empty())
        .or_else(|| user.and_then(User::name))
}

/// Who said it: a person. What another bot or a webhook says is for nobody, or bots would talk for ever.
fn sender(message: &Message) -> Result<Option<Sender>, IdError> {
    let person = message.author.as_ref().filter(|author| !author.bot);
    let Some(author) = person.filter(|_| message.webhook_id.is_none()) else {
        return Ok(None);
    };
    if !SAID.contains(&message.kind) {
        return Ok(None);
    }
    Ok(Some(Sender {
        handle: handle(author.id)?,
        name: name(message.member.as_ref(), Some(author)),
    }))
}

/// What an edit is known by: the same each time that Discord tells of it.
fn edit(message: Snowflake, at: &str) -> Result<(PlatformMessageId, What, Timestamp), IdError> {
    let of = id(message)?;
    let message_id = revision::id(of.as_str(), &format!("e{at}"))?;
    let sent_at = at.parse().unwrap_or_else(|_unknown_form| message.time());
    Ok((message_id, What::Edit { of }, sent_at))
}

fn files(message: &Message) -> Vec<Waiting> {
    let forwarded = message.message_snapshots.iter();
    let forwarded = forwarded.flat_map(|snapshot| &snapshot.message.attachments);
    message
        .attachments
        .iter()
        .chain(forwarded)
        .map(waiting)
        .collect()
}

fn waiting(file: &Attachment) -> Waiting {
    Waiting {
        url: file.url.clone(),
        offered: Offered {
            name: Some(file.filename.clone()),
            kind: "file",
            media_type: file.content_type.clone(),
            bytes: file.size,
        },
    }
}

#[cfg(test)]
mod tests;
