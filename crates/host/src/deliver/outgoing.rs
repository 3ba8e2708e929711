//! What a delivery carries, and the operations on the platform that it becomes.

use anchorhold_channel::{ChannelCaps, FilesOut, Questions, fit::fit};
use anchorhold_core::{
    address::Address,
    ids::{MessageId, OutboundId, PlatformMessageId, QuestionId},
    outbound::{OutboundFile, OutboundOp, Question, Voice},
};
use anchorhold_store::deliveries::NewDelivery;
use serde::{Deserialize, Serialize};

/// What is to be done, as it is stored with the delivery. Targets are numbers of the session; they
/// become platform ids only when it is sent, since what they point to may itself be on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Outgoing {
    /// Say something.
    Post {
        /// `CommonMark` text, not yet split.
        text: String,
        /// Names of files in the session's outbox.
        #[serde(default)]
        files: Vec<String>,
        /// Who says it.
        voice: Voice,
        /// The platform's message that it answers, where no agent has that message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<PlatformMessageId>,
    },
    /// Change a message.
    Edit {
        /// Which.
        target: i64,
        /// Its new text.
        text: String,
    },
    /// Take a message back.
    Delete {
        /// Which.
        target: i64,
    },
    /// React to a message.
    React {
        /// Which.
        target: i64,
        /// With what.
        emoji: String,
    },
    /// Ask something with fixed answers.
    Ask {
        /// What an answer names it by.
        question: QuestionId,
        /// A short heading.
        title: String,
        /// The question itself.
        text: String,
        /// The answers to choose from.
        options: Vec<String>,
        /// Who asks.
        voice: Voice,
        /// For how long an agent waits for the answer, in milliseconds.
        #[serde(default)]
        expires_ms: Option<u64>,
    },
}

impl Outgoing {
    /// A text in the host's own voice.
    pub fn notice(text: String) -> Self {
        Self::Post {
            text,
            files: Vec::new(),
            voice: Voice::Host,
            reply_to: None,
        }
    }

    /// A text in the host's own voice, in answer to a message of the platform.
    pub fn answer(text: String, reply_to: PlatformMessageId) -> Self {
        Self::Post {
            text,
            files: Vec::new(),
            voice: Voice::Host,
            reply_to: Some(reply_to),
        }
    }

    /// The operation's name, as it is recorded.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Post { .. } => "post",
            Self::Edit { .. } => "edit",
            Self::Delete { .. } => "delete",
            Self::React { .. } => "react",
            Self::Ask { .. } => "ask",
        }
    }

    /// Can it be made ready without looking anything up?
    pub fn is_plain(&self) -> bool {
        matches!(self, Self::Post { files, .. } if files.is_empty())
    }

    /// Is doing it twice the same as doing it once, whatever the platform?
    pub fn is_idempotent(&self) -> bool {
        match self {
            Self::Edit { .. } | Self::Delete { .. } | Self::React { .. } => true,
            Self::Post { .. } | Self::Ask { .. } => false,
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// What is put on record for it to be sent to `address`.
    pub fn delivery(
        &self,
        id: OutboundId,
        address: Address,
        in_reply_to: Option<MessageId>,
    ) -> Result<NewDelivery, serde_json::Error> {
        Ok(NewDelivery {
            id,
            address,
            in_reply_to,
            kind: self.kind().to_owned(),
            payload: self.encode()?,
        })
    }
}

/// What the numbers in an [`Outgoing`] stand for by now.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The platform's id of the target.
    pub target: Option<PlatformMessageId>,
    /// The platform's id of the message that is answered.
    pub reply_to: Option<PlatformMessageId>,
    /// The files, read.
    pub files: Vec<OutboundFile>,
}

/// The operations that carry out `outgoing` on a platform with these caps, in order; always the
/// same for the same arguments, so that a delivery can go on at the part that failed.
///
/// An error says, for people, why it can't be done there at all.
pub fn operations(
    outgoing: Outgoing,
    resolved: Resolved,
    caps: &ChannelCaps,
) -> Result<Vec<OutboundOp>, String> {
    let target = || {
        resolved
            .target
            .clone()
            .ok_or("the message it is about was never sent")
    };
    match outgoing {
        Outgoing::Post {
            text,
            voice,
            reply_to,
            ..
        } => {
            let files = resolved.files;
            check_files(&files, caps)?;
            let parts = fit(&text, caps.text);
            Ok(posts(parts, files, voice, resolved.reply_to.or(reply_to)))
        }
        Outgoing::Edit { .. } if !caps.edits.is_yes() => {
            Err("this channel can't change a message".to_owned())
        }
        Outgoing::Edit { text, .. } => {
            let mut parts = fit(&text, caps.text);
            if parts.len() != 1 {
                return Err("the new text is too long for one message".to_owned());
            }
            Ok(vec![OutboundOp::Edit {
                target: target()?,
                text: parts.remove(0),
            }])
        }
        Outgoing::Delete { .. } if !caps.deletes.is_yes() => {
            Err("this channel can't take a message back".to_owned())
        }
        Outgoing::Delete { .. } => Ok(vec![OutboundOp::Delete { target: target()? }]),
        Outgoing::React { .. } if !caps.reactions.is_yes() => {
            Err("this channel has no reactions".to_owned())
        }
        Outgoing::React { emoji, .. } => Ok(vec![OutboundOp::React {
            target: target()?,
            emoji,
        }]),
        Outgoing::Ask {
            question,
            title,
            text,
            options,
            voice,
            ..
        } => {
            let asked = Question {
                id: question,
                title,
                text,
                options,
            };
            Ok(ask(asked, voice, caps))
        }
    }
}

/// A question as the platform's own where it can ask so much, else in words.
fn ask(question: Question, voice: Voice, caps: &ChannelCaps) -> Vec<OutboundOp> {
    match caps.questions {
        Questions::Native { max_options } if question.options.len() <= max_options => {
            vec![OutboundOp::Ask(question)]
        }
        Questions::Native { .. } | Questions::Text => {
            let parts = fit(&in_words(&question), caps.text);
            posts(parts, Vec::new(), voice, None)
        }
    }
}

fn in_words(question: &Question) -> String {
    let mut lines = vec![format!("**{}**", question.title)];
    if !question.text.is_empty() {
        lines.push(question.text.clone());
    }
    let numbered = question.options.iter().zip(1_u32..);
    let options: Vec<String> = numbered
        .map(|(option, number)| format!("{number}. {option}"))
        .collect();
    lines.push(options.join("\n"));
    let code = question.id.code();
    lines.push(format!(
        "Answer with: `/answer {code} 1`, or another number."
    ));
    lines.join("\n\n")
}

/// One post for each part of the text; the files go with the last, so that they come after it.
fn posts(
    mut parts: Vec<String>,
    files: Vec<OutboundFile>,
    voice: Voice,
    reply_to: Option<PlatformMessageId>,
) -> Vec<OutboundOp> {
    let last = parts.pop().unwrap_or_default();
    let earlier = parts.into_iter().map(|text| OutboundOp::Post {
        text,
        files: Vec::new(),
        reply_to: reply_to.clone(),
        voice,
    });
    let mut operations: Vec<_> = earlier.collect();
    operations.push(OutboundOp::Post {
        text: last,
        files,
        reply_to,
        voice,
    });
    operations
}

fn check_files(files: &[OutboundFile], caps: &ChannelCaps) -> Result<(), String> {
    let FilesOut::UpTo {
        count,
        each_bytes,
        total_bytes,
    } = caps.files
    else {
        return if files.is_empty() {
            Ok(())
        } else {
            Err("this channel takes no files".to_owned())
        };
    };
    let sizes: Vec<u64> = files
        .iter()
        .map(|file| u64::try_from(file.content.len()).unwrap_or(u64::MAX))
        .collect();
    if files.len() > count {
        return Err(format!(
            "it has {} files, this channel takes {count}",
            files.len()
        ));
    }
    if let Some(size) = sizes.iter().find(|size| **size > each_bytes) {
        return Err(format!(
            "a file has {size} bytes, this channel takes {each_bytes}"
        ));
    }
    let total = sizes
        .iter()
        .fold(0_u64, |sum, size| sum.saturating_add(*size));
    if total > total_bytes {
        return Err(format!(
            "its files have {total} bytes, this channel takes {total_bytes}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
