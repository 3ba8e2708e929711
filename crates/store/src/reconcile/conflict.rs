//! What the file wants and can't have.

use std::fmt;

use anchorhold_core::ids::{AgentGroupId, ChannelName, ChatId, FolderName, Handle};

/// One thing in the file that can't be done. With any of these, nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A group with this folder was made at run time and is retired: the file can't bring it back.
    RetiredGroup {
        /// The folder.
        folder: FolderName,
        /// The group that has it.
        group: AgentGroupId,
    },
    /// The wiring's group is neither in the file nor made at run time.
    UnknownGroup {
        /// The wiring of the file.
        key: WiringKey,
    },
    /// A role, membership or destination is about a group that is not there.
    UnknownFolder {
        /// The folder.
        folder: FolderName,
        /// What is about it.
        what: &'static str,
    },
    /// A destination leads to a conversation that is neither in the file nor known.
    UnknownConversation {
        /// The channel instance.
        channel: ChannelName,
        /// The chat.
        chat: ChatId,
    },
    /// The file has two groups with this folder.
    RepeatedGroup {
        /// The folder.
        folder: FolderName,
    },
    /// The file has this wiring twice.
    RepeatedWiring {
        /// The wiring.
        key: WiringKey,
    },
    /// The file has this conversation twice.
    RepeatedConversation {
        /// The channel instance.
        channel: ChannelName,
        /// The chat.
        chat: ChatId,
    },
    /// The file has this person twice.
    RepeatedPerson {
        /// The channel instance.
        channel: ChannelName,
        /// The handle.
        handle: Handle,
    },
    /// The file has two destinations of one name for a group.
    RepeatedDestination {
        /// The group's folder.
        group: FolderName,
        /// The name.
        name: String,
    },
}

/// What identifies a wiring in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WiringKey {
    /// The channel instance.
    pub channel: ChannelName,
    /// The chat; `None` is every chat of the instance.
    pub chat: Option<ChatId>,
    /// The folder of the agent group.
    pub group: FolderName,
}

impl fmt::Display for WiringKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chat {
            Some(chat) => write!(f, "{} of {} to {}", chat, self.channel, self.group),
            None => write!(f, "every chat of {} to {}", self.channel, self.group),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RetiredGroup { folder, group } => {
                write!(
                    f,
                    "group {folder} was made at run time, as {group}, and is retired"
                )
            }
            Self::UnknownGroup { key } => {
                write!(f, "the wiring of {key} is to a group that is not there")
            }
            Self::UnknownFolder { folder, what } => {
                write!(f, "{what} is about group {folder}, which is not there")
            }
            Self::UnknownConversation { channel, chat } => {
                write!(
                    f,
                    "a destination is {chat} of {channel}, which is not known"
                )
            }
            Self::RepeatedGroup { folder } => write!(f, "group {folder} is there twice"),
            Self::RepeatedWiring { key } => write!(f, "the wiring of {key} is there twice"),
            Self::RepeatedConversation { channel, chat } => {
                write!(f, "the conversation {chat} of {channel} is there twice")
            }
            Self::RepeatedPerson { channel, handle } => {
                write!(f, "the person {handle} of {channel} is there twice")
            }
            Self::RepeatedDestination { group, name } => {
                write!(f, "the destination {name} of group {group} is there twice")
            }
        }
    }
}
