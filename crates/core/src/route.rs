//! Who hears a message: one pure decision for each wired agent group.

use crate::{
    entity::{
        Conversation, EngageMode, IgnoredPolicy, SenderScope, SessionKey, SessionMode,
        UnknownSenderPolicy, Wiring,
    },
    ids::{AgentGroupId, ChatId},
    inbound::{ChatKind, InboundEvent},
    pattern::{PATTERN_LIMIT_BYTES, Patterns},
};

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

/// Why a message was not stored. The order is that of their weight: where several agents decline a
/// message for different reasons, the first of these is the one on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nobody has decided yet who is to hear the conversation; an owner is asked.
    AwaitsWiring,
    /// An owner has refused the conversation.
    ConversationRefused,
    /// Nothing is wired to the conversation, and the bot was not addressed.
    NotWired,
    /// Somebody has to let the sender in first, and is asked.
    AwaitsApproval,
    /// Strangers are not heard in this conversation.
    UnknownSender,
    /// The wiring hears only known people.
    OutOfScope,
    /// The wiring's pattern can't be used; it was changed behind the host's back.
    BadPattern,
    /// The wiring's engagement rule did not match, and its policy is to drop.
    NotEngaged,
}

impl Reason {
    /// The reason's name, as it is recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitsWiring => "awaits_wiring",
            Self::ConversationRefused => "conversation_refused",
            Self::NotWired => "not_wired",
            Self::AwaitsApproval => "awaits_approval",
            Self::UnknownSender => "unknown_sender",
            Self::OutOfScope => "out_of_scope",
            Self::BadPattern => "bad_pattern",
            Self::NotEngaged => "not_engaged",
        }
    }

    /// The reason as a sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AwaitsWiring => "nobody has decided yet which agent is to hear the conversation",
            Self::ConversationRefused => "an owner has refused the conversation",
            Self::NotWired => {
                "no agent is wired to the conversation, and the bot was not addressed"
            }
            Self::AwaitsApproval => "the sender is not known, and somebody is asked to let them in",
            Self::UnknownSender => "the sender is not known, and strangers are not heard here",
            Self::OutOfScope => "the sender is not known, and the wiring hears only known people",
            Self::BadPattern => "the wiring's pattern can't be used",
            Self::NotEngaged => "the wiring's rule does not match, and it drops what does not",
        }
    }
}

/// Decides what the agent group of `wiring` does with `event`.
///
/// Access comes before everything: what it refuses is neither stored nor kept as context. A reaction
/// is context where a message would have woken the agent: nobody is woken by it, or asked about it.
pub fn route(
    event: &InboundEvent,
    conversation: &Conversation,
    wiring: &Wiring,
    facts: Facts,
    patterns: &Patterns,
) -> Decision {
    let engaged = engages(event, wiring, facts, patterns);
    if !facts.sender_known {
        match conversation.unknown_senders {
            // Somebody is asked only about a message that an agent would have answered.
            UnknownSenderPolicy::RequestApproval
                if engaged == Ok(true) && !event.what.is_reaction() =>
            {
                return Decision::Decline(Reason::AwaitsApproval);
            }
            UnknownSenderPolicy::Strict | UnknownSenderPolicy::RequestApproval => {
                return Decision::Decline(Reason::UnknownSender);
            }
            UnknownSenderPolicy::Public => {}
        }
        if wiring.sender_scope == SenderScope::Known {
            return Decision::Decline(Reason::OutOfScope);
        }
    }
    let engaged = match engaged {
        Ok(engaged) => engaged,
        Err(reason) => return Decision::Decline(reason),
    };
    let session = session_key(event, conversation, wiring, facts.threads);
    match (engaged, wiring.ignored) {
        (true, _) if event.what.is_reaction() => Decision::Keep(session),
        (true, _) => {
            let subscribe =
                wiring.engage == EngageMode::MentionSticky && event.addressed && !facts.subscribed;
            Decision::Wake { session, subscribe }
        }
        (false, IgnoredPolicy::Accumulate) => Decision::Keep(session),
        (false, IgnoredPolicy::Drop) => Decision::Decline(Reason::NotEngaged),
    }
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

/// The rule by which `route` came to its decision, as a sentence for people.
pub fn rule(wiring: &Wiring, facts: Facts, addressed: bool, decision: &Decision) -> String {
    match decision {
        Decision::Decline(reason) => reason.sentence().to_owned(),
        Decision::Keep(_) if wiring.ignored == IgnoredPolicy::Drop => {
            "a reaction wakes nobody, and is kept as context".to_owned()
        }
        Decision::Keep(_) => {
            "the wiring's rule does not match, and it keeps what does not as context".to_owned()
        }
        Decision::Wake { .. } => match wiring.engage {
            EngageMode::Pattern => {
                let pattern = wiring.pattern.as_deref().unwrap_or_default();
                format!("the text matches the pattern {pattern:?}")
            }
            EngageMode::Mention => "the bot was addressed".to_owned(),
            EngageMode::MentionSticky if addressed => "the bot was addressed".to_owned(),
            EngageMode::MentionSticky if facts.subscribed => {
                "the agent follows here since it was addressed".to_owned()
            }
            EngageMode::MentionSticky => "the bot was addressed or is followed".to_owned(),
        },
    }
}

fn engages(
    event: &InboundEvent,
    wiring: &Wiring,
    facts: Facts,
    patterns: &Patterns,
) -> Result<bool, Reason> {
    match wiring.engage {
        EngageMode::Pattern => match wiring.pattern.as_deref() {
            Some(pattern) if pattern.len() <= PATTERN_LIMIT_BYTES => patterns
                .is_match(pattern, &event.text)
                .map_err(|_unusable| Reason::BadPattern),
            Some(_) | None => Err(Reason::BadPattern),
        },
        EngageMode::Mention => Ok(event.addressed),
        EngageMode::MentionSticky => Ok(event.addressed || facts.subscribed),
    }
}

/// Threads of a group chat have sessions of their own where the wiring says so; direct chats
/// never split, and a channel without threads has none.
pub fn session_key(
    event: &InboundEvent,
    conversation: &Conversation,
    wiring: &Wiring,
    threads: bool,
) -> SessionKey {
    let agent_group = wiring.agent_group;
    let conversation_id = Some(conversation.id);
    match wiring.session_mode {
        SessionMode::AgentShared => SessionKey {
            agent_group,
            conversation: None,
            thread: None,
        },
        SessionMode::PerThread if threads && event.chat_kind == ChatKind::Group => {
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
