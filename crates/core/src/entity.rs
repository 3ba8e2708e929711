//! The entities of the central database and their closed sets of values.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, FolderName, SessionId, ThreadId,
        WiringId,
    },
    inbound::ChatKind,
    sandbox::Generation,
};

/// A closed set of values that has one spelling everywhere: database, configuration, output.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value's one spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value that `text` spells, if any.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

pub(crate) use text_enum;

text_enum! {
    /// When a message wakes a wired agent.
    EngageMode {
        /// When its text matches the wiring's pattern.
        Pattern = "pattern",
        /// When the platform confirms that the bot was addressed.
        Mention = "mention",
        /// As `mention`, and from then on every message of that conversation or thread.
        MentionSticky = "mention-sticky",
    }
}

text_enum! {
    /// Whose messages can engage a wired agent.
    SenderScope {
        /// Everybody's that the conversation lets in.
        All = "all",
        /// Those of people with a role or membership.
        Known = "known",
    }
}

text_enum! {
    /// What becomes of a message that did not engage the agent.
    IgnoredPolicy {
        /// It is not stored.
        Drop = "drop",
        /// It is kept as context for the next message that engages.
        Accumulate = "accumulate",
    }
}

text_enum! {
    /// Which session of the agent group a message belongs to.
    SessionMode {
        /// One for the conversation.
        Shared = "shared",
        /// One for each thread.
        PerThread = "per-thread",
        /// One for all conversations that are wired so.
        AgentShared = "agent-shared",
    }
}

text_enum! {
    /// What happens to a message of somebody who has no role and no membership.
    UnknownSenderPolicy {
        /// It is declined.
        Strict = "strict",
        /// It is declined until an owner lets the sender in.
        RequestApproval = "request_approval",
        /// It is heard.
        Public = "public",
    }
}

text_enum! {
    /// Who is the author of a row: the configuration file, or somebody at run time.
    ManagedBy {
        /// `channels.toml`; the file may change and remove it.
        File = "file",
        /// A person or an agent, while the host ran; the file never touches it.
        Runtime = "runtime",
    }
}

text_enum! {
    /// Which wall a group's agents live behind.
    RuntimeChoice {
        /// Docker where an engine answers at start, else the sandbox.
        Auto = "auto",
        /// A container engine that speaks Docker's API.
        Docker = "docker",
        /// Namespaces made with bubblewrap.
        Sandbox = "sandbox",
    }
}

text_enum! {
    /// How far the agents of a group may look at and ask to change what the host knows.
    AdminScope {
        /// Not at all.
        Disabled = "disabled",
        /// Their own group.
        Group = "group",
        /// Everything.
        Global = "global",
    }
}

text_enum! {
    /// Where one request for an approval stands.
    ApprovalStatus {
        /// Somebody is yet to decide.
        Pending = "pending",
        /// It was granted.
        Approved = "approved",
        /// It was refused.
        Rejected = "rejected",
        /// Nobody decided in time.
        Expired = "expired",
    }
}

text_enum! {
    /// Where one inbound message of one session stands.
    MessageStatus {
        /// Owned by the host or a sandbox, to be answered.
        Pending = "pending",
        /// Context only: it waits for a message that engages.
        Context = "context",
        /// A turn that saw it has ended well.
        Done = "done",
        /// Given up, visibly.
        Failed = "failed",
    }
}

text_enum! {
    /// Where one delivery stands.
    DeliveryStatus {
        /// To be sent, now or later.
        Pending = "pending",
        /// The platform took it.
        Sent = "sent",
        /// Nobody can say whether the platform took it, and it can't be repeated safely.
        Unknown = "unknown",
        /// Given up, visibly.
        Dead = "dead",
    }
}

/// One agent: its identity, its folder and how it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentGroup {
    /// Its id.
    pub id: AgentGroupId,
    /// The name it goes by; not unique.
    pub name: String,
    /// The folder of its workspace; unique.
    pub folder: FolderName,
    /// Which provider runs its turns, e.g. `offline`.
    pub provider: String,
    /// Which model, where the provider has several.
    pub model: Option<String>,
    /// Which wall.
    pub runtime: RuntimeChoice,
    /// What its sandboxes may use.
    pub limits: GroupLimits,
    /// Who manages it.
    pub managed_by: ManagedBy,
}

/// What one sandbox of a group may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLimits {
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// CPU time, in thousandths of a core.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
    /// The largest file it may write, in bytes.
    pub file_bytes: u64,
    /// Silence of a working turn until it counts as stalled, in milliseconds.
    pub progress_ms: u64,
    /// The longest turn, in milliseconds.
    pub turn_ms: u64,
    /// Idle time until the sandbox is stopped, in milliseconds.
    pub idle_ms: u64,
    /// The most messages of one prompt.
    pub prompt_messages: u32,
    /// How often a message is tried before it is given up.
    pub tries: u32,
}

impl GroupLimits {
    /// What a group gets where nobody says otherwise.
    pub const USUAL: Self = Self {
        memory_bytes: 512 * 1024 * 1024,
        cpu_millis: 1_000,
        pids: 256,
        file_bytes: 1024 * 1024 * 1024,
        progress_ms: 5 * 60 * 1_000,
        turn_ms: 30 * 60 * 1_000,
        idle_ms: 10 * 60 * 1_000,
        prompt_messages: 20,
        tries: 5,
    };
}

/// One chat on one channel instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's chat id.
    pub chat: ChatId,
    /// Direct or group.
    pub kind: ChatKind,
    /// What happens to strangers' messages.
    pub unknown_senders: UnknownSenderPolicy,
}

/// The link between conversations and an agent group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Its id.
    pub id: WiringId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat; `None` wires every chat of the instance that has no wiring of its own to this agent.
    pub chat: Option<ChatId>,
    /// The agent group that hears.
    pub agent_group: AgentGroupId,
    /// When it is woken.
    pub engage: EngageMode,
    /// The pattern of [`EngageMode::Pattern`]; `.` matches everything.
    pub pattern: Option<String>,
    /// Whose messages count.
    pub sender_scope: SenderScope,
    /// What becomes of the others.
    pub ignored: IgnoredPolicy,
    /// Which session.
    pub session_mode: SessionMode,
    /// Who manages it.
    pub managed_by: ManagedBy,
}

/// What identifies a session: the same key always finds the same session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// The agent group.
    pub agent_group: AgentGroupId,
    /// The conversation; `None` for the one agent-shared session of the group.
    pub conversation: Option<ConversationId>,
    /// The thread, in per-thread mode.
    pub thread: Option<ThreadId>,
}

/// One agent's memory of one conversation (or thread).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id; also the name of its folder.
    pub id: SessionId,
    /// What finds it.
    pub key: SessionKey,
    /// Its latest sandbox; 0 before the first.
    pub generation: Generation,
}

#[cfg(test)]
mod tests;
