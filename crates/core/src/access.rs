//! What people may do: roles, memberships, and who is asked when something needs an approval.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AgentGroupId, ChannelName, UserId};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, everywhere.
    Owner,
    /// Administers every group.
    Admin,
    /// Administers one group.
    GroupAdmin(AgentGroupId),
}

impl Role {
    /// The role's name and the group it is bound to, as they are recorded.
    pub fn columns(self) -> (&'static str, Option<AgentGroupId>) {
        match self {
            Self::Owner => ("owner", None),
            Self::Admin => ("admin", None),
            Self::GroupAdmin(group) => ("admin", Some(group)),
        }
    }

    /// The role that its recorded form spells; an owner is never bound to a group.
    pub fn of_columns(name: &str, group: Option<AgentGroupId>) -> Option<Self> {
        match (name, group) {
            ("owner", None) => Some(Self::Owner),
            ("admin", None) => Some(Self::Admin),
            ("admin", Some(group)) => Some(Self::GroupAdmin(group)),
            _ => None,
        }
    }
}

/// Everything one person may do. Somebody who is not known has an empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Their roles.
    pub roles: Vec<Role>,
    /// The groups they may talk to.
    pub member_of: Vec<AgentGroupId>,
}

impl Standing {
    /// Is the person an owner?
    pub fn owns(&self) -> bool {
        self.roles.contains(&Role::Owner)
    }

    /// May the person administer everything?
    pub fn administers_all(&self) -> bool {
        self.owns() || self.roles.contains(&Role::Admin)
    }

    /// May the person administer this group?
    pub fn administers(&self, group: AgentGroupId) -> bool {
        self.administers_all() || self.roles.contains(&Role::GroupAdmin(group))
    }

    /// Is the person known to this group: as a member, or by a role that counts for it?
    pub fn is_known_to(&self, group: AgentGroupId) -> bool {
        self.administers(group) || self.member_of.contains(&group)
    }
}

/// Somebody who has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleHolder {
    /// Who.
    pub user: UserId,
    /// The channel instance they are known on.
    pub channel: ChannelName,
    /// Their role.
    pub role: Role,
    /// Since when.
    pub granted_at: Timestamp,
}

/// Who is asked about something that concerns `groups`, the nearest first: those who administer all
/// of the groups, then global admins, then owners; of each, who is on the channel where it came up,
/// then who has had the role for longest. Nobody twice.
///
/// Group admins are asked only where there is a group at all.
pub fn approvers(
    holders: &[RoleHolder],
    groups: &[AgentGroupId],
    near: Option<&ChannelName>,
) -> Vec<UserId> {
    let rank = |user: UserId| {
        let roles = || {
            holders
                .iter()
                .filter(move |h| h.user == user)
                .map(|h| h.role)
        };
        let of_all = !groups.is_empty()
            && groups
                .iter()
                .all(|group| roles().any(|role| role == Role::GroupAdmin(*group)));
        if of_all {
            Some(0)
        } else if roles().any(|role| role == Role::Admin) {
            Some(1)
        } else if roles().any(|role| role == Role::Owner) {
            Some(2)
        } else {
            None
        }
    };
    let mut ranked: Vec<_> = holders
        .iter()
        .filter_map(|holder| {
            let far = near.is_some_and(|near| *near != holder.channel);
            Some((rank(holder.user)?, far, holder.granted_at, holder.user))
        })
        .collect();
    ranked.sort();
    let mut users: Vec<UserId> = Vec::new();
    for (_, _, _, user) in ranked {
        if !users.contains(&user) {
            users.push(user);
        }
    }
    users
}

#[cfg(test)]
mod tests;
