//! The way in: from an adapter to the host.

use std::{fmt, sync::Arc};

use anchorhold_core::{
    address::Address,
    ids::ChannelName,
    inbound::{
        ATTACHMENT_LIMIT_BYTES, ATTACHMENTS_LIMIT, InboundAnswer, InboundEvent, TEXT_LIMIT_BYTES,
    },
    outbound::OPTIONS_LIMIT,
};
use async_trait::async_trait;

use crate::error::IntakeError;

/// The longest name of a person or a file that is kept, in bytes; the rest is cut, it is only shown.
pub const NAME_LIMIT_BYTES: usize = 255;

/// What became of an event that the host has taken on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is durable.
    Stored,
    /// The same `(chat, message_id)` was durable already.
    Duplicate,
    /// It was heard and deliberately not stored, for the reason given; that decision is on record.
    Declined(String),
}

/// What became of a click on an answer. The text is a short sentence for who clicked, to be shown to
/// nobody else where the platform allows that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is the answer.
    Taken(String),
    /// It is not, e.g. since the question is closed or this person may not answer it; that is on
    /// record.
    Refused(String),
}

/// The host's side of the way in.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Takes an event on; returns `Ok` only when it is durable (or declined on record).
    ///
    /// The caller may drop the future at any await point: then the event is durable or it is not,
    /// never in between, and offering it again is safe.
    async fn deliver(&self, event: InboundEvent) -> Result<Accepted, IntakeError>;

    /// Judges a click on an answer; returns `Ok` only when what became of it is durable.
    ///
    /// A repeated click is harmless: it answers nothing twice. The caller may drop the future at any
    /// await point and offer the click again.
    async fn answer(&self, answer: InboundAnswer) -> Result<Answered, IntakeError>;

    /// Somebody has come to `address` and can read: what waits for it can be sent now.
    ///
    /// Must not wait for a send: the adapter may call it from the task that serves that reader.
    async fn present(&self, address: &Address);
}

/// The adapter's handle on the host's intake. Cheap to clone.
///
/// Checks each event's bounds once, so that no intake has to.
#[derive(Clone)]
pub struct Inbox {
    channel: ChannelName,
    intake: Arc<dyn Intake>,
}

impl Inbox {
    /// The way in for the instance `channel`.
    pub fn new(channel: ChannelName, intake: Arc<dyn Intake>) -> Self {
        Self { channel, intake }
    }

    /// Hands an event to the host; returns `Ok` only when it is durable. Safe to drop and repeat.
    ///
    /// Text or files over core's limits are refused. What is only shown (the quoted text, the names
    /// of people and files) is cut to its limit instead: nobody loses a message over a long name.
    pub async fn deliver(&self, event: InboundEvent) -> Result<Accepted, IntakeError> {
        let event = self.checked(event)?;
        self.intake.deliver(event).await
    }

    /// Hands a click on an answer to the host; returns `Ok` only when what became of it is durable.
    /// Safe to drop and repeat.
    ///
    /// An option that no question can have is refused; the name of who clicked is cut to its limit.
    pub async fn answer(&self, mut answer: InboundAnswer) -> Result<Answered, IntakeError> {
        self.check_channel(&answer.address)?;
        if answer.option >= OPTIONS_LIMIT {
            return refuse(format!("a question has at most {OPTIONS_LIMIT} options"));
        }
        if let Some(name) = &mut answer.sender.name {
            cut(name, NAME_LIMIT_BYTES);
        }
        self.intake.answer(answer).await
    }

    /// Tells the host that somebody can read at `address` now. Harmless when repeated.
    pub async fn present(&self, address: &Address) {
        self.intake.present(address).await;
    }

    fn check_channel(&self, address: &Address) -> Result<(), IntakeError> {
        if address.channel != self.channel {
            return refuse("it claims to come from another channel".into());
        }
        Ok(())
    }

    fn checked(&self, mut event: InboundEvent) -> Result<InboundEvent, IntakeError> {
        self.check_channel(&event.address)?;
        if event.text.len() > TEXT_LIMIT_BYTES {
            return refuse(format!(
                "the text has {} bytes, at most {TEXT_LIMIT_BYTES} are taken",
                event.text.len()
            ));
        }
        if event.attachments.len() > ATTACHMENTS_LIMIT {
            return refuse(format!(
                "it has {} files, at most {ATTACHMENTS_LIMIT} are taken",
                event.attachments.len()
            ));
        }
        let sizes = event.attachments.iter().map(|file| file.content.len());
        if let Some(size) = sizes.max().filter(|size| *size > ATTACHMENT_LIMIT_BYTES) {
            return refuse(format!(
                "a file has {size} bytes, at most {ATTACHMENT_LIMIT_BYTES} are taken"
            ));
        }
        for file in &mut event.attachments {
            cut(&mut file.name, NAME_LIMIT_BYTES);
            if let Some(media_type) = &mut file.media_type {
                cut(media_type, NAME_LIMIT_BYTES);
            }
        }
        if let Some(name) = &mut event.sender.name {
            cut(name, NAME_LIMIT_BYTES);
        }
        if let Some(quote) = &mut event.reply_to {
            cut(&mut quote.text, TEXT_LIMIT_BYTES);
            if let Some(sender) = &mut quote.sender {
                cut(sender, NAME_LIMIT_BYTES);
            }
        }
        Ok(event)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

fn refuse<T>(why: String) -> Result<T, IntakeError> {
    Err(IntakeError::Refused { why })
}

fn cut(text: &mut String, limit_bytes: usize) {
    let end = text.floor_char_boundary(limit_bytes);
    text.truncate(end);
}

#[cfg(test)]
mod tests;
