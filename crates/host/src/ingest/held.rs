//! A message that waits for an approval, as it is stored: its text, not its files.

use anchorhold_core::{
    address::Address,
    ids::PlatformMessageId,
    inbound::{ChatKind, InboundEvent, Quote, Sender, What},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The stored form. Files of somebody who is not let in are not kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Held {
    address: Address,
    message_id: PlatformMessageId,
    #[serde(default)]
    what: What,
    sender: Sender,
    chat_kind: ChatKind,
    addressed: bool,
    sent_at: Timestamp,
    text: String,
    reply_to: Option<Quote>,
    files_left_out: usize,
}

impl Held {
    /// What is kept of a message.
    pub(super) fn of(event: &InboundEvent) -> Self {
        Self {
            address: event.address.clone(),
            message_id: event.message_id.clone(),
            what: event.what.clone(),
            sender: event.sender.clone(),
            chat_kind: event.chat_kind,
            addressed: event.addressed,
            sent_at: event.sent_at,
            text: event.text.clone(),
            reply_to: event.reply_to.clone(),
            files_left_out: event.attachments.len(),
        }
    }

    /// The message again. Where files were left out, its text says so.
    pub(super) fn event(self) -> InboundEvent {
        let mut text = self.text;
        if self.files_left_out > 0 {
            let files = self.files_left_out;
            text = format!(
                "{text}\n[{files} files came with this message; they were not kept while it waited.]"
            );
        }
        InboundEvent {
            address: self.address,
            message_id: self.message_id,
            what: self.what,
            sender: self.sender,
            chat_kind: self.chat_kind,
            addressed: self.addressed,
            sent_at: self.sent_at,
            text,
            reply_to: self.reply_to,
            attachments: Vec::new(),
        }
    }
}
