//! From a client's line to what it means.

use anchorhold_channel::FactoryContext;
use anchorhold_core::{
    address::Address,
    ids::{ChatId, Handle, IdError, PlatformMessageId, QuestionId},
    inbound::{Attachment, ChatKind, InboundAnswer, InboundEvent, Sender, What},
    outbound::OPTIONS_LIMIT,
};
use serde_json::Value;

use crate::wire::{ClientLine, ID_LIMIT_BYTES, WireFile};

/// The owner of a socket, as the host knows them.
const OWNER: &str = "local";
/// The longest error that is sent back, in bytes: it may quote the line.
const ERROR_LIMIT_BYTES: usize = 300;

/// Reads a line; an error says what is wrong with it. A line without a type is a message.
pub(crate) fn line(line: &[u8]) -> Result<ClientLine, String> {
    let value = serde_json::from_slice(line).map_err(|error| short(&error))?;
    let Value::Object(mut object) = value else {
        return Err("a line has to be a JSON object".to_owned());
    };
    object
        .entry("type")
        .or_insert_with(|| Value::from("message"));
    serde_json::from_value(Value::Object(object)).map_err(|error| short(&error))
}

/// The conversation that a client names.
pub(crate) fn name(name: &str) -> Result<ChatId, String> {
    ChatId::parse(name).map_err(|error| error.to_string())
}

/// The id of a message: the client's own, or the one made for it.
pub(crate) fn message_id(
    given: Option<&str>,
    made: impl FnOnce() -> String,
) -> Result<PlatformMessageId, String> {
    let id = match given {
        Some(id) if id.len() > ID_LIMIT_BYTES => {
            return Err(format!("an id has at most {ID_LIMIT_BYTES} bytes"));
        }
        Some(id) => id.to_owned(),
        None => made(),
    };
    PlatformMessageId::parse(&id).map_err(|error| error.to_string())
}

/// A message as the host takes it. The sender is the socket's owner, whoever wrote the line: only
/// the owner can open the socket, and no line can say otherwise.
pub(crate) fn event(
    cx: &FactoryContext,
    chat: &ChatId,
    message_id: PlatformMessageId,
    text: String,
    files: Vec<WireFile>,
) -> Result<InboundEvent, String> {
    if text.trim().is_empty() && files.is_empty() {
        return Err("there is nothing in the message".to_owned());
    }
    if files.iter().any(|file| file.name.is_empty()) {
        return Err("a file needs a name".to_owned());
    }
    let attachment = |file: WireFile| Attachment {
        name: file.name,
        media_type: None,
        content: file.data,
    };
    Ok(InboundEvent {
        address: Address {
            channel: cx.name.clone(),
            chat: chat.clone(),
            thread: None,
        },
        message_id,
        what: What::Message,
        sender: sender()?,
        chat_kind: ChatKind::Direct,
        addressed: true,
        sent_at: cx.clock.now(),
        text,
        reply_to: None,
        attachments: files.into_iter().map(attachment).collect(),
    })
}

/// Which option a client chooses, counted from 0.
pub(crate) fn option(number: usize) -> Result<usize, String> {
    let index = number.checked_sub(1).filter(|at| *at < OPTIONS_LIMIT);
    index.ok_or_else(|| format!("an option is a number from 1 to {OPTIONS_LIMIT}"))
}

/// An answer as the host takes it, from the same person as messages. `option` counts from 0.
pub(crate) fn answer(
    cx: &FactoryContext,
    chat: &ChatId,
    question: QuestionId,
    option: usize,
) -> Result<InboundAnswer, String> {
    Ok(InboundAnswer {
        address: Address {
            channel: cx.name.clone(),
            chat: chat.clone(),
            thread: None,
        },
        question,
        option,
        sender: sender()?,
        at: cx.clock.now(),
    })
}

/// The person on this channel: there is one.
pub(crate) fn owner() -> Result<Handle, IdError> {
    Handle::parse(OWNER)
}

fn sender() -> Result<Sender, String> {
    let handle = owner().map_err(|error| error.to_string())?;
    Ok(Sender { handle, name: None })
}

fn short(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    text.truncate(text.floor_char_boundary(ERROR_LIMIT_BYTES));
    text
}

#[cfg(test)]
mod tests;
