//! From a room's event, as the server tells it, to what the host hears. Pure; nothing in it is trusted.

use anchorhold_channel_kit::{media::Offered, revision};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, Handle, IdError, PlatformMessageId, ThreadId},
    inbound::{ChatKind, InboundEvent, Quote, Sender, What},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::reactions::{Reaction, Reactions};

/// What is known where an event is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    pub(crate) channel: &'a ChannelName,
    /// The bot's own id.
    pub(crate) me: &'a str,
    /// The room's id as the host knows it.
    pub(crate) chat: &'a str,
    pub(crate) is_direct: bool,
    pub(crate) now: Timestamp,
}

/// Something for the host, and what has to be had for it first.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) event: InboundEvent,
    /// The message that it is about or replies to, which has to be looked at.
    pub(crate) about: Option<About>,
    pub(crate) file: Option<Waiting>,
}

/// What to do with the message that another one is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// It is quoted.
    Quotes(String),
    /// It is changed, which only who said it can do.
    Edits(String),
    /// Somebody has put a reaction on it.
    Reacts(String),
}

impl About {
    pub(crate) fn event(&self) -> &str {
        match self {
            Self::Quotes(event) | Self::Edits(event) | Self::Reacts(event) => event,
        }
    }
}

/// A file that is still on the server.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) offered: Offered,
    pub(crate) place: FilePlace,
}

/// Where a file is.
#[derive(Clone, Debug)]
pub(crate) enum FilePlace {
    /// In the open, at this `mxc` address.
    Plain(String),
    /// Encrypted, with the key beside its address.
    Encrypted(Value),
}

/// A message that another one is about, as far as it matters there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Original {
    pub(crate) sender: String,
    pub(crate) text: String,
    pub(crate) thread: Option<String>,
}

impl Original {
    /// Reads it; `None` where it is no message.
    pub(crate) fn read(event: &Value) -> Option<Self> {
        let content = &event["content"];
        Some(Self {
            sender: event["sender"].as_str()?.to_owned(),
            text: body(content).to_owned(),
            thread: thread(content).map(str::to_owned),
        })
    }
}

impl Known<'_> {
    /// What an event is to the host; `None` where it is nothing.
    pub(crate) fn event(
        &self,
        event: &Value,
        reactions: &mut Reactions,
    ) -> Result<Option<Heard>, IdError> {
        if event["sender"] == self.me || event.get("state_key").is_some() {
            return Ok(None);
        }
        match event["type"].as_str() {
            Some("m.room.message" | "m.sticker") => self.message(event),
            Some("m.reaction") => self.reaction(event, reactions),
            Some("m.room.redaction") => self.redaction(event, reactions),
            Some(_) | None => Ok(None),
        }
    }

    fn message(&self, event: &Value) -> Result<Option<Heard>, IdError> {
        let content = &event["content"];
        let relation = &content["m.relates_to"];
        if relation["rel_type"] == "m.replace" {
            return self.edit(event);
        }
        let Some(mut heard) = self.base(event, text_of(event))? else {
            return Ok(None);
        };
        heard.event.addressed |= self.is_addressed(content);
        heard.event.address.thread = thread(content).map(ThreadId::parse).transpose()?;
        let replied = relation["m.in_reply_to"]["event_id"].as_str();
        if let Some(replied) = replied.filter(|_| relation["is_falling_back"] != true) {
            heard.event.reply_to = Some(Quote {
                sender: None,
                text: String::new(),
                message_id: Some(PlatformMessageId::parse(replied)?),
            });
            heard.about = Some(About::Quotes(replied.to_owned()));
        }
        heard.file = file(event);
        let is_empty = heard.event.text.is_empty() && heard.file.is_none();
        Ok((!is_empty).then_some(heard))
    }

    fn edit(&self, event: &Value) -> Result<Option<Heard>, IdError> {
        let content = &event["content"];
        let now = &content["m.new_content"];
        let of = content["m.relates_to"]["event_id"].as_str();
        let (Some(of), Some(heard)) = (of, self.base(event, body(now).to_owned())?) else {
            return Ok(None);
        };
        let mut heard = heard;
        heard.event.what = What::Edit {
            of: PlatformMessageId::parse(of)?,
        };
        heard.event.message_id = revision::id(of, heard.event.message_id.as_str())?;
        heard.event.addressed |= self.is_addressed(now);
        heard.event.address.thread = thread(now).map(ThreadId::parse).transpose()?;
        heard.about = Some(About::Edits(of.to_owned()));
        Ok(Some(heard))
    }

    fn reaction(&self, event: &Value, reactions: &mut Reactions) -> Result<Option<Heard>, IdError> {
        let relation = &event["content"]["m.relates_to"];
        let parts = (
            event["event_id"].as_str(),
            relation["event_id"].as_str(),
            relation["key"].as_str(),
            event["sender"].as_str(),
        );
        let (Some(id), Some(to), Some(emoji), Some(by)) = parts else {
            return Ok(None);
        };
        let text = reactions.add(&Reaction {
            event: id.to_owned(),
            to: to.to_owned(),
            by: by.to_owned(),
            emoji: emoji.to_owned(),
        });
        self.about_reaction(event, to, text)
    }

    /// A reaction that was taken back is one with less in it. Other redactions are nothing to the host.
    fn redaction(
        &self,
        event: &Value,
        reactions: &mut Reactions,
    ) -> Result<Option<Heard>, IdError> {
        let redacted = event["redacts"]
            .as_str()
            .or_else(|| event["content"]["redacts"].as_str());
        match redacted.and_then(|redacted| reactions.remove(redacted)) {
            Some((reaction, left)) if event["sender"] == reaction.by.as_str() => {
                self.about_reaction(event, &reaction.to, left)
            }
            Some(_) | None => Ok(None),
        }
    }

    fn about_reaction(
        &self,
        event: &Value,
        to: &str,
        text: String,
    ) -> Result<Option<Heard>, IdError> {
        let Some(mut heard) = self.base(event, text)? else {
            return Ok(None);
        };
        heard.event.what = What::Reaction {
            to: PlatformMessageId::parse(to)?,
        };
        heard.event.message_id = revision::id(to, heard.event.message_id.as_str())?;
        heard.about = Some(About::Reacts(to.to_owned()));
        Ok(Some(heard))
    }

    /// What every event has.
    fn base(&self, event: &Value, text: String) -> Result<Option<Heard>, IdError> {
        let (Some(id), Some(sender)) = (event["event_id"].as_str(), event["sender"].as_str())
        else {
            return Ok(None);
        };
        let sent_at = event["origin_server_ts"].as_i64();
        let sent_at = sent_at.and_then(|at| Timestamp::from_millisecond(at).ok());
        let chat_kind = if self.is_direct {
            ChatKind::Direct
        } else {
            ChatKind::Group
        };
        let event = InboundEvent {
            address: Address {
                channel: self.channel.clone(),
                chat: ChatId::parse(self.chat)?,
                thread: None,
            },
            message_id: PlatformMessageId::parse(id)?,
            what: What::Message,
            sender: Sender {
                handle: Handle::parse(sender)?,
                name: None,
            },
            chat_kind,
            addressed: self.is_direct,
            sent_at: sent_at.unwrap_or(self.now),
            text,
            reply_to: None,
            attachments: Vec::new(),
        };
        let (about, file) = (None, None);
        Ok(Some(Heard { event, about, file }))
    }

    /// Does the message name the bot? What other programs say never does: two of them would talk for
    /// ever: <https://spec.matrix.org/latest/client-server-api/#mnotice>.
    fn is_addressed(&self, content: &Value) -> bool {
        if content["msgtype"] == "m.notice" {
            return false;
        }
        // Who mentions somebody says so: <https://spec.matrix.org/latest/client-server-api/#user-and-room-mentions>.
        if let Some(mentions) = content.get("m.mentions") {
            let people = mentions["user_ids"].as_array();
            return people.is_some_and(|people| people.iter().any(|person| person == self.me));
        }
        // Clients from before that link to whom they mean.
        let formatted = content["formatted_body"].as_str().unwrap_or_default();
        formatted.contains(&format!("https://matrix.to/#/{}\"", self.me))
            || own_words(content, body(content)).contains(self.me)
    }
}

/// The thread that a message is in.
fn thread(content: &Value) -> Option<&str> {
    let relation = &content["m.relates_to"];
    let root = relation["event_id"].as_str()?;
    (relation["rel_type"] == "m.thread").then_some(root)
}

fn body(content: &Value) -> &str {
    content["body"].as_str().unwrap_or_default()
}

/// The words of a message: with a file its caption, without one what stands for the file elsewhere is
/// no word of anybody.
fn text_of(event: &Value) -> String {
    let content = &event["content"];
    let words = own_words(content, body(content));
    if !is_file(event) {
        let emote = content["msgtype"] == "m.emote";
        let mark = if emote { "* " } else { "" };
        return format!("{mark}{words}");
    }
    match content["filename"].as_str() {
        Some(name) if name != words => words.to_owned(),
        Some(_) | None => String::new(),
    }
}

/// A reply without the quotation that older clients put in front of it:
/// <https://spec.matrix.org/v1.12/client-server-api/#stripping-the-fallback>.
fn own_words<'a>(content: &Value, body: &'a str) -> &'a str {
    let replied = content["m.relates_to"]["m.in_reply_to"].is_object();
    if !replied || !(body.starts_with("> <") || body.starts_with("> * <")) {
        return body;
    }
    let mut rest = body;
    while rest.starts_with("> ") {
        match rest.split_once('\n') {
            Some((_quoted, after)) => rest = after,
            None => return "",
        }
    }
    rest.strip_prefix('\n').unwrap_or(rest)
}

fn is_file(event: &Value) -> bool {
    let kind = event["content"]["msgtype"].as_str();
    event["type"] == "m.sticker"
        || matches!(kind, Some("m.image" | "m.video" | "m.audio" | "m.file"))
}

/// The file of a message, if it has one.
fn file(event: &Value) -> Option<Waiting> {
    if !is_file(event) {
        return None;
    }
    let content = &event["content"];
    let place = match (content["url"].as_str(), content.get("file")) {
        (_, Some(file)) if file.is_object() => FilePlace::Encrypted(file.clone()),
        (Some(url), _) => FilePlace::Plain(url.to_owned()),
        (None, _) => return None,
    };
    let kind = match content["msgtype"].as_str() {
        Some("m.video") => "video",
        Some("m.audio") => "audio",
        Some("m.file") => "file",
        Some(_) | None => "image",
    };
    // Without a name of its own, the body is the file's name.
    let name = content["filename"].as_str().or(content["body"].as_str());
    let offered = Offered {
        name: name.map(str::to_owned),
        kind,
        media_type: content["info"]["mimetype"].as_str().map(str::to_owned),
        bytes: content["info"]["size"].as_u64(),
    };
    Some(Waiting { offered, place })
}

#[cfg(test)]
mod tests;
