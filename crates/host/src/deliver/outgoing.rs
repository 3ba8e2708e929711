//! What a delivery carries, and the operations on the platform that it becomes.

use std::mem;

use anchorhold_channel::{
    ChannelCaps, FilesOut, Questions, TextLimit,
    fit::{fit, fits},
};
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
            let parts = fit(&text, caps.text);
            let groups = grouped(resolved.files, caps)?;
            let said = Said {
                voice,
                reply_to: resolved.reply_to.or(reply_to),
            };
            Ok(said.posts(parts, groups))
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
        Questions::Native { max_options }
            if question.options.len() <= max_options && fits(&heading(&question), caps.text) =>
        {
            vec![OutboundOp::Ask(question)]
        }
        Questions::Native { .. } | Questions::Text => {
            let parts = fit(&in_words(&question), caps.text);
            let reply_to = None;
            Said { voice, reply_to }.posts(parts, Groups::default())
        }
    }
}

/// The question without its options. Where it takes more than one message, it is asked in words.
fn heading(question: &Question) -> String {
    let title = format!("**{}**", question.title);
    if question.text.is_empty() {
        title
    } else {
        format!("{title}\n\n{}", question.text)
    }
}

fn in_words(question: &Question) -> String {
    let mut lines = vec![heading(question)];
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

/// Who says something, and in answer to what.
struct Said {
    voice: Voice,
    reply_to: Option<PlatformMessageId>,
}

/// Files, as messages take them.
#[derive(Default)]
struct Groups {
    /// The files of each message; none of them is empty.
    groups: Vec<Vec<OutboundFile>>,
    /// The longest text that goes with one of them.
    beside: Option<TextLimit>,
}

impl Said {
    fn post(&self, text: String, files: Vec<OutboundFile>) -> OutboundOp {
        OutboundOp::Post {
            text,
            files,
            reply_to: self.reply_to.clone(),
            voice: self.voice,
        }
    }

    /// One post for each part of the text, then one for each group of files. The last part goes with
    /// the first group if it is short enough: text comes in full and before files, never without.
    fn posts(&self, mut parts: Vec<String>, files: Groups) -> Vec<OutboundOp> {
        let beside = |text: &String, limit| text.is_empty() || fits(text, limit);
        let together = match (files.beside, parts.last()) {
            (Some(limit), Some(last)) if beside(last, limit) => parts.pop(),
            (Some(_) | None, _) => None,
        };
        let words = parts.into_iter().map(|text| self.post(text, Vec::new()));
        let mut operations: Vec<_> = words.collect();
        let mut text = together.unwrap_or_default();
        for group in files.groups {
            operations.push(self.post(mem::take(&mut text), group));
        }
        operations
    }
}

/// The files in as few messages as the platform allows, in their order.
fn grouped(files: Vec<OutboundFile>, caps: &ChannelCaps) -> Result<Groups, String> {
    if files.is_empty() {
        return Ok(Groups::default());
    }
    let FilesOut::UpTo {
        text,
        count,
        each_bytes,
        total_bytes,
    } = caps.files
    else {
        return Err("this channel takes no files".to_owned());
    };
    let mut groups: Vec<Vec<OutboundFile>> = Vec::new();
    let mut room = 0;
    for file in files {
        let size = u64::try_from(file.content.len()).unwrap_or(u64::MAX);
        if size > each_bytes.min(total_bytes) {
            return Err(format!(
                "a file has {size} bytes, this channel takes {each_bytes}"
            ));
        }
        match groups.last_mut() {
            Some(group) if group.len() < count && size <= room => {
                group.push(file);
                room -= size;
            }
            Some(_) | None => {
                groups.push(vec![file]);
                room = total_bytes - size;
            }
        }
    }
    let beside = Some(text);
    Ok(Groups { groups, beside })
}

#[cfg(test)]
mod tests;
