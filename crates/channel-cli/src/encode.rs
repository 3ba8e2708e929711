//! From what the host wants done to a line for clients.

use anchorhold_channel::PartKey;
use anchorhold_core::{ids::PlatformMessageId, outbound::OutboundOp};

use crate::wire::{LINE_LIMIT_BYTES, ServerLine, WireFile};

/// The line that tells a client of an operation.
pub(crate) fn operation(op: &OutboundOp, key: PartKey) -> ServerLine {
    let id = key.to_string();
    match op {
        OutboundOp::Post {
            text,
            files,
            reply_to,
            voice,
        } => ServerLine::Message {
            id,
            in_reply_to: reply_to.as_ref().map(plain),
            voice: *voice,
            text: text.clone(),
            files: files
                .iter()
                .map(|file| WireFile {
                    name: file.name.clone(),
                    data: file.content.clone(),
                })
                .collect(),
        },
        OutboundOp::Edit { target, text } => ServerLine::Edit {
            id,
            target: plain(target),
            text: text.clone(),
        },
        OutboundOp::Delete { target } => ServerLine::Delete {
            id,
            target: plain(target),
        },
        OutboundOp::React { target, emoji } => ServerLine::React {
            id,
            target: plain(target),
            emoji: emoji.clone(),
        },
        OutboundOp::Ask(question) => ServerLine::Question {
            id,
            question: question.id,
            title: question.title.clone(),
            text: question.text.clone(),
            options: question.options.clone(),
        },
        OutboundOp::Typing => ServerLine::Typing,
    }
}

/// Does the operation make a message of its own, with an id to return?
pub(crate) fn makes_message(op: &OutboundOp) -> bool {
    match op {
        OutboundOp::Post { .. } | OutboundOp::Ask(_) => true,
        OutboundOp::Edit { .. }
        | OutboundOp::Delete { .. }
        | OutboundOp::React { .. }
        | OutboundOp::Typing => false,
    }
}

/// A line as bytes, its end included; `Err` has its length where that is over the limit.
pub(crate) fn bytes(line: &impl serde::Serialize) -> Result<Vec<u8>, usize> {
    // silent: these types hold only text, flags and lists, which always serialize
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    if bytes.len() > LINE_LIMIT_BYTES {
        return Err(bytes.len());
    }
    bytes.push(b'\n');
    Ok(bytes)
}

fn plain(id: &PlatformMessageId) -> String {
    id.as_str().to_owned()
}

#[cfg(test)]
mod tests;
