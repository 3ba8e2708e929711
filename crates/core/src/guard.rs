//! The one decision over privileged acts: allow, hold for an approval, or deny.
//!
//! Every change of who hears whom, who may what and how agents run is an [`Act`], whoever asks for
//! it. An act that is held is stored as it is, with its [`hash`]: what is approved is that act and no
//! other, and [`decide`] runs again when it is carried out.

pub mod act;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    access::{Role, Standing},
    entity::AdminScope,
    guard::act::Act,
    ids::{AgentGroupId, UserId},
};

/// Who wants something done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Whoever may open the host's control socket: the operator of the machine.
    Operator,
    /// A person in a chat.
    Person {
        /// Who.
        user: UserId,
        /// What they may do.
        standing: Standing,
    },
    /// An agent, from inside its sandbox.
    Agent {
        /// Which.
        group: AgentGroupId,
        /// How far it may ask.
        scope: AdminScope,
    },
}

impl Actor {
    /// The actor as it is recorded.
    pub fn label(&self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Person { user, .. } => format!("user {user}"),
            Self::Agent { group, .. } => format!("agent {group}"),
        }
    }
}

/// What is decided about an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It is carried out now.
    Allow,
    /// It waits until somebody who could do it themselves approves it.
    Hold,
    /// It is not carried out.
    Deny(Denial),
}

/// Why an act is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// Agents of this group may not ask for anything.
    #[error("agents of this group may not administer anything")]
    ScopeDisabled,
    /// The act is about more than the agent's own group.
    #[error("agents of this group may ask for changes of their own group only")]
    OutOfScope,
    /// No agent may ask for it, since it would widen what agents may ask for.
    #[error("no agent may ask for this")]
    NeverAgents,
    /// The person has not the role that it takes.
    #[error("this takes a role that you don't have")]
    NotEntitled,
}

/// Decides about `act` for `actor`.
pub fn decide(actor: &Actor, act: &Act) -> Ruling {
    match actor {
        Actor::Operator => Ruling::Allow,
        Actor::Person { standing, .. } if is_entitled(standing, act) => Ruling::Allow,
        Actor::Person { .. } => Ruling::Deny(Denial::NotEntitled),
        Actor::Agent { scope, .. } if *scope == AdminScope::Disabled => {
            Ruling::Deny(Denial::ScopeDisabled)
        }
        Actor::Agent { .. } if act.widens_agents() => Ruling::Deny(Denial::NeverAgents),
        Actor::Agent { scope, .. } if *scope == AdminScope::Global => Ruling::Hold,
        Actor::Agent { group, .. } => match act.reach() {
            Reach::Group(own) if own == *group => Ruling::Hold,
            Reach::Group(_) | Reach::Ears(_) | Reach::Everything | Reach::Ownership => {
                Ruling::Deny(Denial::OutOfScope)
            }
        },
    }
}

/// May somebody with this standing do the act, and so approve it for another?
pub fn is_entitled(standing: &Standing, act: &Act) -> bool {
    match act.reach() {
        Reach::Group(group) => standing.administers(group),
        Reach::Ears(groups) => {
            standing.administers_all()
                || (!groups.is_empty() && groups.iter().all(|group| standing.administers(*group)))
        }
        Reach::Everything => standing.administers_all(),
        Reach::Ownership => standing.owns(),
    }
}

/// How far an act reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// How one group runs and whom it knows.
    Group(AgentGroupId),
    /// What these groups hear.
    Ears(Vec<AgentGroupId>),
    /// All of the installation.
    Everything,
    /// Who owns or administers the installation.
    Ownership,
}

/// The hash that binds an approval to exactly this act: SHA-256 of its JSON, in hexadecimal.
pub fn hash(act: &Act) -> String {
    digest(act)
}

/// The act as it is put on record: what it would change, and of a text to an agent only the length.
pub fn record(act: &Act) -> String {
    if let Act::RestartGroup {
        group,
        message: Some(message),
    } = act
    {
        return format!("{group}, with {} bytes of text", message.len());
    }
    // silent: acts hold only text, numbers and lists, which always serialize
    serde_json::to_string(act).unwrap_or_default()
}

/// SHA-256 of a value's JSON, in hexadecimal. Fields have one order, so equal values have one hash.
fn digest(value: &impl Serialize) -> String {
    let mut hasher = Sha256::new();
    // silent: acts hold only text, numbers and lists, which always serialize
    hasher.update(serde_json::to_vec(value).unwrap_or_default());
    hex(&hasher.finalize())
}

/// The hash of a one-time code with its salt, in hexadecimal.
pub fn code_hash(salt: &str, code: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update([0]);
    hasher.update(code.as_bytes());
    hex(&hasher.finalize())
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Is it the role of somebody who could undo every other decision?
pub(crate) fn rules_all(role: Role) -> bool {
    matches!(role, Role::Owner | Role::Admin)
}

#[cfg(test)]
mod tests;
