//! The privileged acts, as they are asked for, approved, recorded and carried out.

use serde::{Deserialize, Serialize};

use crate::{
    access::Role,
    entity::{
        AdminScope, EngageMode, IgnoredPolicy, RuntimeChoice, SenderScope, SessionMode,
        UnknownSenderPolicy,
    },
    guard::{Reach, rules_all},
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, FolderName, Handle, SessionId, UserId,
        WiringId,
    },
};

/// One privileged act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Make an agent.
    CreateGroup(NewGroup),
    /// Change how an agent runs.
    UpdateGroup {
        /// Which.
        group: AgentGroupId,
        /// What.
        change: GroupChange,
    },
    /// Remove an agent with its wirings; its sessions are closed.
    DeleteGroup {
        /// Which.
        group: AgentGroupId,
    },
    /// Replace the sandboxes of an agent by fresh ones.
    RestartGroup {
        /// Which.
        group: AgentGroupId,
        /// What each fresh sandbox is told first.
        message: Option<String>,
    },
    /// Change what is known of a conversation.
    UpdateConversation {
        /// Which.
        conversation: ConversationId,
        /// What.
        change: ConversationChange,
    },
    /// Forget a conversation with its sessions.
    DeleteConversation {
        /// Which.
        conversation: ConversationId,
    },
    /// Let an agent hear a conversation.
    CreateWiring(NewWiring),
    /// Change how an agent hears a conversation.
    UpdateWiring {
        /// Which.
        wiring: WiringId,
        /// Whose ears it is.
        group: AgentGroupId,
        /// The rules it gets.
        rules: WiringRules,
    },
    /// Let an agent hear a conversation no longer.
    DeleteWiring {
        /// Which.
        wiring: WiringId,
        /// Whose ears it was.
        group: AgentGroupId,
    },
    /// Put a person on record who has not written yet.
    CreateUser {
        /// The channel instance.
        channel: ChannelName,
        /// The platform's stable id of the person.
        handle: Handle,
        /// What they are called, for show.
        name: Option<String>,
    },
    /// Change what a person is called, for show.
    RenameUser {
        /// Who.
        user: UserId,
        /// The name.
        name: String,
    },
    /// Forget a person with their roles and memberships.
    DeleteUser {
        /// Who.
        user: UserId,
    },
    /// Give a role.
    GrantRole {
        /// To whom.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// Take a role away.
    RevokeRole {
        /// From whom.
        user: UserId,
        /// Which.
        role: Role,
    },
    /// Let a person talk to an agent.
    AddMember {
        /// Who.
        user: UserId,
        /// To which.
        group: AgentGroupId,
    },
    /// Let a person talk to an agent no longer.
    RemoveMember {
        /// Who.
        user: UserId,
        /// To which.
        group: AgentGroupId,
    },
    /// Let an agent write somewhere, by a name.
    AddDestination {
        /// Which agent.
        group: AgentGroupId,
        /// The name it uses.
        name: FolderName,
        /// Where to.
        target: Target,
    },
    /// Let an agent write there no longer.
    RemoveDestination {
        /// Which agent.
        group: AgentGroupId,
        /// The name it used.
        name: FolderName,
    },
    /// Close a session: the next message begins a fresh one.
    CloseSession {
        /// Which.
        session: SessionId,
        /// Whose memory it is.
        group: AgentGroupId,
    },
    /// Have back what was deleted.
    Restore {
        /// The number of the undo copy.
        undo: i64,
    },
    /// Let a stranger in a conversation talk to the agents that hear it.
    AdmitSender {
        /// Where they wrote.
        conversation: ConversationId,
        /// Who.
        user: UserId,
        /// To which agents.
        groups: Vec<AgentGroupId>,
    },
    /// Decide what becomes of a conversation that nobody hears.
    WireConversation {
        /// Which.
        conversation: ConversationId,
        /// The agents that are offered.
        offered: Vec<AgentGroupId>,
        /// The person whose message brought it up.
        asked_by: UserId,
    },
}

/// An agent to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGroup {
    /// The folder of its workspace.
    pub folder: FolderName,
    /// The name it goes by; the folder's if none.
    pub name: Option<String>,
    /// Who runs its turns; the built-in scripted one if none.
    pub provider: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// Which wall; the host's choice if none.
    pub runtime: Option<RuntimeChoice>,
    /// How far its agents may ask.
    pub admin_scope: Option<AdminScope>,
}

/// What of an agent changes; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupChange {
    /// The name it goes by.
    pub name: Option<String>,
    /// Who runs its turns.
    pub provider: Option<String>,
    /// Which model.
    pub model: Option<String>,
    /// Which wall.
    pub runtime: Option<RuntimeChoice>,
    /// How far its agents may ask.
    pub admin_scope: Option<AdminScope>,
    /// The most messages of one prompt.
    pub prompt_messages: Option<u32>,
    /// How often a message is tried.
    pub tries: Option<u32>,
    /// The name that its assistant signs with.
    pub assistant_name: Option<String>,
}

/// What of a conversation changes; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConversationChange {
    /// What it is called, for show.
    pub name: Option<String>,
    /// What happens to strangers' messages.
    pub unknown_senders: Option<UnknownSenderPolicy>,
    /// Is it refused for good? `false` lets it be asked about again.
    pub declined: Option<bool>,
}

/// A wiring to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewWiring {
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat; `None` for every chat of the instance.
    pub chat: Option<ChatId>,
    /// The agent that hears.
    pub group: AgentGroupId,
    /// By which rules.
    pub rules: WiringRules,
}

/// The rules of a wiring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WiringRules {
    /// When the agent is woken.
    pub engage: EngageMode,
    /// The pattern of [`EngageMode::Pattern`].
    pub pattern: Option<String>,
    /// Whose messages count.
    pub sender_scope: SenderScope,
    /// What becomes of the others.
    pub ignored: IgnoredPolicy,
    /// Which session.
    pub session_mode: SessionMode,
    /// Higher ones are judged first.
    pub priority: i64,
}

/// Where an agent may write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// A conversation.
    Conversation(ConversationId),
    /// Another agent.
    Agent(AgentGroupId),
}

impl Act {
    /// The act's name, as it is recorded.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateGroup(_) => "create_group",
            Self::UpdateGroup { .. } => "update_group",
            Self::DeleteGroup { .. } => "delete_group",
            Self::RestartGroup { .. } => "restart_group",
            Self::UpdateConversation { .. } => "update_conversation",
            Self::DeleteConversation { .. } => "delete_conversation",
            Self::CreateWiring(_) => "create_wiring",
            Self::UpdateWiring { .. } => "update_wiring",
            Self::DeleteWiring { .. } => "delete_wiring",
            Self::CreateUser { .. } => "create_user",
            Self::RenameUser { .. } => "rename_user",
            Self::DeleteUser { .. } => "delete_user",
            Self::GrantRole { .. } => "grant_role",
            Self::RevokeRole { .. } => "revoke_role",
            Self::AddMember { .. } => "add_member",
            Self::RemoveMember { .. } => "remove_member",
            Self::AddDestination { .. } => "add_destination",
            Self::RemoveDestination { .. } => "remove_destination",
            Self::CloseSession { .. } => "close_session",
            Self::Restore { .. } => "restore",
            Self::AdmitSender { .. } => "admit_sender",
            Self::WireConversation { .. } => "wire_conversation",
        }
    }

    /// How far the act reaches.
    pub fn reach(&self) -> Reach {
        match self {
            Self::GrantRole { role, .. } | Self::RevokeRole { role, .. } if rules_all(*role) => {
                Reach::Ownership
            }
            Self::UpdateGroup { change, .. } if change.admin_scope.is_some() => Reach::Everything,
            Self::UpdateGroup { group, .. }
            | Self::RestartGroup { group, .. }
            | Self::AddMember { group, .. }
            | Self::RemoveMember { group, .. }
            | Self::AddDestination { group, .. }
            | Self::RemoveDestination { group, .. }
            | Self::CloseSession { group, .. } => Reach::Group(*group),
            Self::CreateWiring(NewWiring { group, .. })
            | Self::UpdateWiring { group, .. }
            | Self::DeleteWiring { group, .. } => Reach::Ears(vec![*group]),
            Self::AdmitSender { groups, .. } => Reach::Ears(groups.clone()),
            Self::CreateGroup(_)
            | Self::DeleteGroup { .. }
            | Self::UpdateConversation { .. }
            | Self::DeleteConversation { .. }
            | Self::CreateUser { .. }
            | Self::RenameUser { .. }
            | Self::DeleteUser { .. }
            | Self::GrantRole { .. }
            | Self::RevokeRole { .. }
            | Self::Restore { .. }
            | Self::WireConversation { .. } => Reach::Everything,
        }
    }

    /// Would it let agents ask for more than they may now, or bring back what was taken away?
    pub fn widens_agents(&self) -> bool {
        let scope = if let Self::CreateGroup(new) = self {
            new.admin_scope
        } else if let Self::UpdateGroup { change, .. } = self {
            change.admin_scope
        } else {
            None
        };
        scope.is_some() || self.reach() == Reach::Ownership || matches!(self, Self::Restore { .. })
    }

    /// The groups it concerns, for choosing whom to ask; none where it concerns the installation.
    pub fn groups(&self) -> Vec<AgentGroupId> {
        match self.reach() {
            Reach::Group(group) => vec![group],
            Reach::Ears(groups) => groups,
            Reach::Everything | Reach::Ownership => Vec::new(),
        }
    }

    /// What it is about, so that the same thing is asked for once at a time.
    pub fn subject(&self) -> String {
        if let Self::AdmitSender {
            conversation, user, ..
        } = self
        {
            return format!("{conversation} {user}");
        }
        if let Self::WireConversation { conversation, .. } = self {
            return conversation.to_string();
        }
        String::new()
    }
}
