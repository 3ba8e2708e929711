//! What an act is, for the person who decides: what it does to whom, and never in words that the
//! requester chose without saying so.

use anchorhold_core::{
    access::Role,
    guard::act::{Act, Target},
    ids::{AgentGroupId, ConversationId, UserId},
};
use anchorhold_store::Error as StoreError;

use crate::approvals::Approvals;

/// How much of a name that somebody gave themselves is shown, in characters.
const NAME_LIMIT: usize = 60;
/// How much of a value is shown, in characters.
const VALUE_LIMIT: usize = 3_000;

/// An act for people.
pub(super) struct Described {
    /// A short heading.
    pub(super) title: String,
    /// The act itself.
    pub(super) text: String,
}

impl Approvals {
    /// The act in words.
    pub(super) async fn describe(&self, act: &Act) -> Result<Described, StoreError> {
        let (title, text) = if let Act::AdmitSender {
            conversation,
            user,
            groups,
        } = act
        {
            let person = self.person(*user).await?;
            let place = self.place(*conversation).await?;
            let mut agents = Vec::with_capacity(groups.len());
            for group in groups {
                agents.push(self.agent(*group).await?);
            }
            let agents = agents.join(", ");
            let text = format!(
                "{person} wrote in {place} and is not known. \
                     Approve to let them talk to {agents}."
            );
            ("Let somebody in?", text)
        } else if let Act::WireConversation {
            conversation,
            asked_by,
            ..
        } = act
        {
            let person = self.person(*asked_by).await?;
            let place = self.place(*conversation).await?;
            let text = format!(
                "{person} addressed the bot in {place}, which no agent hears. \
                     Which agent is to answer there?"
            );
            ("Connect a conversation?", text)
        } else {
            ("Approve a change?", self.change(act).await?)
        };
        Ok(Described {
            title: title.to_owned(),
            text,
        })
    }

    /// Any other act: its name, whom it is about, and every value that it would set.
    async fn change(&self, act: &Act) -> Result<String, StoreError> {
        let about = match act {
            Act::UpdateGroup { group, .. }
            | Act::DeleteGroup { group }
            | Act::RestartGroup { group, .. }
            | Act::CloseSession { group, .. }
            | Act::UpdateWiring { group, .. }
            | Act::DeleteWiring { group, .. }
            | Act::RemoveDestination { group, .. } => self.agent(*group).await?,
            Act::CreateWiring(new) => self.agent(new.group).await?,
            Act::AddDestination { group, target, .. } => {
                let to = match target {
                    Target::Conversation(conversation) => self.place(*conversation).await?,
                    Target::Agent(group) => self.agent(*group).await?,
                };
                format!("{}, to {to}", self.agent(*group).await?)
            }
            Act::AddMember { user, group } | Act::RemoveMember { user, group } => {
                let (person, agent) = (self.person(*user).await?, self.agent(*group).await?);
                format!("{person}, {agent}")
            }
            Act::GrantRole { user, role } | Act::RevokeRole { user, role } => {
                let role = match role {
                    Role::Owner => "owner of everything".to_owned(),
                    Role::Admin => "admin of everything".to_owned(),
                    Role::GroupAdmin(group) => format!("admin of {}", self.agent(*group).await?),
                };
                format!("{}, {role}", self.person(*user).await?)
            }
            Act::RenameUser { user, .. } | Act::DeleteUser { user } => self.person(*user).await?,
            Act::UpdateConversation { conversation, .. }
            | Act::DeleteConversation { conversation } => self.place(*conversation).await?,
            Act::CreateGroup(_)
            | Act::CreateUser { .. }
            | Act::Restore { .. }
            | Act::AdmitSender { .. }
            | Act::WireConversation { .. } => "the installation".to_owned(),
        };
        // silent: acts hold only text, numbers and lists, which always serialize
        let exact = serde_json::to_string(act).unwrap_or_default();
        let shown = plain(&exact, VALUE_LIMIT).replace('`', "'");
        let cut = if shown.ends_with('…') {
            " That is not all of it: `anchorhold approvals get` shows the rest."
        } else {
            ""
        };
        Ok(format!(
            "An agent asks for `{}` of {about}. Exactly: `{shown}`{cut}",
            act.name(),
        ))
    }

    async fn agent(&self, group: AgentGroupId) -> Result<String, StoreError> {
        let found = self.base.store.group(group).await?;
        Ok(found.map_or_else(
            || "an agent that is gone".to_owned(),
            |group| format!("the agent “{}”", plain(&group.name, NAME_LIMIT)),
        ))
    }

    async fn person(&self, user: UserId) -> Result<String, StoreError> {
        let Some(person) = self.base.store.user(user).await? else {
            return Ok("somebody who is gone".to_owned());
        };
        let handle = plain(person.handle.as_str(), NAME_LIMIT);
        let channel = person.channel;
        Ok(match person.display_name {
            Some(name) => format!("“{}” ({handle} on {channel})", plain(&name, NAME_LIMIT)),
            None => format!("{handle} on {channel}"),
        })
    }

    async fn place(&self, conversation: ConversationId) -> Result<String, StoreError> {
        let Some(row) = self.base.store.conversation_by_id(conversation).await? else {
            return Ok("a conversation that is gone".to_owned());
        };
        let chat = plain(row.conversation.chat.as_str(), NAME_LIMIT);
        let channel = row.conversation.channel;
        Ok(match row.name {
            Some(name) => format!("“{}” ({chat} on {channel})", plain(&name, NAME_LIMIT)),
            None => format!("{chat} on {channel}"),
        })
    }
}

/// `text` in one line of at most `limit` characters: whoever chose it can't forge a second one.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect();
    if text.chars().nth(limit).is_some() {
        shown.push('…');
    }
    shown
}
