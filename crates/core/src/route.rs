//! Who hears a message: one pure decision for each wired agent group.

use regex::Regex;

use crate::{
    entity::{
        Conversation, EngageMode, IgnoredPolicy, SenderScope, SessionKey, SessionMode,
        UnknownSenderPolicy, Wiring,
    },
    ids::{AgentGroupId, ChatId},
    inbound::{ChatKind, InboundEvent},
};

/// The longest pattern that is accepted, in bytes; the `regex` crate bounds its compiled size.
pub const PATTERN_LIMIT_BYTES: usize = 1024;

/// What the decision needs to know besides the message and the wiring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Has the sender a role, or a membership in this agent group?
    pub sender_known: bool,
    /// Has a mention subscribed the agent to this conversation or thread?
    pub subscribed: bool,
    /// Has the channel threads?
    pub threads: bool,
}

/// What one agent group does with one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is stored in this session, and the agent is woken.
    Wake {
        /// The session that hears it.
        session: SessionKey,
        /// Does the message subscribe the agent to what follows?
        subscribe: bool,
    },
    /// It is stored in this session as context; nobody is woken.
    Keep(SessionKey),
    /// It is not stored, for this reason.
    Decline(Reason),
}

/// Why a message was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing is wired to the conversation.
    NotWired,
    /// The wiring's engagement rule did not match, and its policy is to drop.
    NotEngaged,
    /// The wiring's pattern can't be used; it was changed behind the host's back.
    BadPattern,
    /// Strangers are not heard in this conversation.
    UnknownSender,
    /// The wiring hears only known people.
    OutOfScope,
}

impl Reason {
    /// The reason's name, as it is recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotWired => "not_wired",
            Self::NotEngaged => "not_engaged",
            Self::BadPattern => "bad_pattern",
            Self::UnknownSender => "unknown_sender",
            Self::OutOfScope => "out_of_scope",
        }
    }
}

/// Decides what the agent group of `wiring` does with `event`.
///
/// Access comes before everything: what it refuses is neither stored nor kept as context.
pub fn route(
    event: &InboundEvent,
    conversation: &Conversation,
    wiring: &Wiring,
    facts: Facts,
) -> Decision {
    if !facts.sender_known {
        if conversation.unknown_senders != UnknownSenderPolicy::Public {
            return Decision::Decline(Reason::UnknownSender);
        }
        if wiring.sender_scope == SenderScope::Known {
            return Decision::Decline(Reason::OutOfScope);
        }
    }
    let engaged = match engages(event, wiring, facts) {
        Ok(engaged) => engaged,
        Err(reason) => return Decision::Decline(reason),
    };
    let session = session_key(event, conversation, wiring, facts);
    match (engaged, wiring.ignored) {
        (true, _) => {
            let subscribe =
                wiring.engage == EngageMode::MentionSticky && event.addressed && !facts.subscribed;
            Decision::Wake { session, subscribe }
        }
        (false, IgnoredPolicy::Accumulate) => Decision::Keep(session),
        (false, IgnoredPolicy::Drop) => Decision::Decline(Reason::NotEngaged),
    }
}

/// Compiles a wiring's pattern: run when it is set, so that a bad one is refused there.
pub fn compile_pattern(pattern: &str) -> Result<Regex, regex::Error> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
}

/// The wirings that apply to one chat: its own, and for every other agent the instance-wide ones.
pub fn applicable<'a>(wirings: &'a [Wiring], chat: &ChatId) -> Vec<&'a Wiring> {
    let own = |agent: AgentGroupId| {
        wirings
            .iter()
            .any(|w| w.chat.as_ref() == Some(chat) && w.agent_group == agent)
    };
    wirings
        .iter()
        .filter(|w| match &w.chat {
            Some(wired) => wired == chat,
            None => !own(w.agent_group),
        })
        .collect()
}

fn engages(event: &InboundEvent, wiring: &Wiring, facts: Facts) -> Result<bool, Reason> {
    match wiring.engage {
        EngageMode::Pattern => match wiring.pattern.as_deref() {
            Some(".") => Ok(true),
            Some(pattern) if pattern.len() <= PATTERN_LIMIT_BYTES => compile_pattern(pattern)
                .map(|regex| regex.is_match(&event.text))
                .map_err(|_unusable| Reason::BadPattern),
            Some(_) | None => Err(Reason::BadPattern),
        },
        EngageMode::Mention => Ok(event.addressed),
        EngageMode::MentionSticky => Ok(event.addressed || facts.subscribed),
    }
}

/// Threads of a group chat have sessions of their own where the wiring says so; direct chats
/// never split, and a channel without threads has none.
fn session_key(
    event: &InboundEvent,
    conversation: &Conversation,
    wiring: &Wiring,
    facts: Facts,
) -> SessionKey {
    let agent_group = wiring.agent_group;
    let conversation_id = Some(conversation.id);
    match wiring.session_mode {
        SessionMode::AgentShared => SessionKey {
            agent_group,
            conversation: None,
            thread: None,
        },
        SessionMode::PerThread if facts.threads && event.chat_kind == ChatKind::Group => {
            let thread = event.address.thread.clone();
            SessionKey {
                agent_group,
                conversation: conversation_id,
                thread,
            }
        }
        SessionMode::Shared | SessionMode::PerThread => SessionKey {
            agent_group,
            conversation: conversation_id,
            thread: None,
        },
    }
}

#[cfg(test)]
mod tests;
