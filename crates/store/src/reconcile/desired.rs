//! What the configuration file says, in the words of the database.

use anchorhold_core::{
    entity::{
        AdminScope, EngageMode, GroupLimits, IgnoredPolicy, RuntimeChoice, SenderScope,
        SessionMode, UnknownSenderPolicy,
    },
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, FolderName, Handle, UserId, WiringId,
    },
    inbound::ChatKind,
};

/// What the file says, checked and with a fresh id for each entry that has one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileConfig {
    /// The agent groups.
    pub groups: Vec<DesiredGroup>,
    /// The wirings.
    pub wirings: Vec<DesiredWiring>,
    /// What happens to strangers' messages, by channel instance. It applies to the conversations
    /// that are known; those for which a person has decided otherwise stay as they are.
    pub policies: Vec<DesiredPolicy>,
    /// The conversations that are named.
    pub conversations: Vec<DesiredConversation>,
    /// The people with roles and memberships.
    pub people: Vec<DesiredPerson>,
    /// The destinations, without those that wirings imply.
    pub destinations: Vec<DesiredDestination>,
}

/// One agent group of the file; its folder identifies it.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredGroup {
    /// The id it gets if it is new.
    pub fresh: AgentGroupId,
    /// The name it goes by.
    pub name: String,
    /// The folder of its workspace.
    pub folder: FolderName,
    /// Which provider runs its turns.
    pub provider: String,
    /// Which model.
    pub model: Option<String>,
    /// Which wall.
    pub runtime: RuntimeChoice,
    /// What its sandboxes may use.
    pub limits: GroupLimits,
    /// The name the agent calls itself, if not the group's.
    pub assistant_name: Option<String>,
    /// How much of the administration it may ask for.
    pub admin_scope: AdminScope,
}

/// One wiring of the file; channel, chat and group identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredWiring {
    /// The id it gets if it is new.
    pub fresh: WiringId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat; `None` is every chat of the instance.
    pub chat: Option<ChatId>,
    /// The folder of the agent group that hears.
    pub group: FolderName,
    /// When it is woken.
    pub engage: EngageMode,
    /// The pattern of [`EngageMode::Pattern`].
    pub pattern: Option<String>,
    /// Whose messages count.
    pub sender_scope: SenderScope,
    /// What becomes of the others.
    pub ignored: IgnoredPolicy,
    /// Which session.
    pub session_mode: SessionMode,
    /// The higher one is asked first.
    pub priority: i32,
}

/// What happens to strangers' messages on one channel instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPolicy {
    /// The channel instance.
    pub channel: ChannelName,
    /// What happens.
    pub unknown_senders: UnknownSenderPolicy,
}

/// One conversation of the file; channel and chat identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredConversation {
    /// The id it gets if it is new.
    pub fresh: ConversationId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's chat id.
    pub chat: ChatId,
    /// Direct or group; the platform knows better, so it counts only if the conversation is new.
    pub kind: ChatKind,
    /// What it is called, where nobody has told a name yet.
    pub name: Option<String>,
    /// What happens to strangers' messages; `None` is the channel's policy.
    pub unknown_senders: Option<UnknownSenderPolicy>,
    /// Is it declined? `false` leaves it as it is.
    pub declined: bool,
}

/// One person of the file; channel and handle identify them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredPerson {
    /// The id they get if they are new.
    pub fresh: UserId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's stable id of them.
    pub handle: Handle,
    /// What they are called, where nobody has told a name yet.
    pub name: Option<String>,
    /// What they may do.
    pub roles: Vec<DesiredRole>,
    /// The folders of the groups they may talk to.
    pub member_of: Vec<FolderName>,
}

/// A role, with a folder where the database has a group's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DesiredRole {
    /// Everything, everywhere.
    Owner,
    /// Administers every group.
    Admin,
    /// Administers the group with this folder.
    AdminOf(FolderName),
}

/// One destination of the file; group and name identify it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredDestination {
    /// The folder of the group that may write there.
    pub group: FolderName,
    /// What the group calls it.
    pub name: String,
    /// What it is.
    pub target: DesiredTarget,
}

/// What a destination leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesiredTarget {
    /// A conversation; it is in the file, too, or is known.
    Chat {
        /// The channel instance.
        channel: ChannelName,
        /// The platform's chat id.
        chat: ChatId,
    },
    /// The agent group with this folder.
    Agent(FolderName),
}
