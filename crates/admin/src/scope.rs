//! How far an agent's request reaches: rules that know only the catalog, and refuse in doubt.
//!
//! People on the host are not judged here; their requests need [`Request::check`] alone.
//!
//! What passes for an agent of scope `group`, or is its own ([`Agents::Own`]), names the agent's own group in one of its fields
//! ([`Agents::Group`]), put there or replaced by this module. Whoever carries a request out only
//! follows that field. Where it stands beside an id, as in `sessions get`, something of another
//! group must be answered with the very words for something that doesn't exist.

use anchorhold_core::{
    entity::AdminScope,
    ids::{AgentGroupId, FolderName},
};

use crate::{
    catalog::Agents,
    request::{Checked, FailCode, Reply, Request, Usage},
};

/// The group whose agent asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRef {
    /// Its id.
    pub id: AgentGroupId,
    /// Its folder.
    pub folder: FolderName,
}

/// Why an agent's request goes no further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The scope is `disabled`.
    #[error("agents of this group may not administer anything")]
    Disabled,
    /// The scope is `group`, and the verb is not for it.
    #[error("`{command}` is not open to agents that administer only their own group")]
    OwnGroupOnly {
        /// The command.
        command: String,
    },
    /// The scope is `group`, and another group is named, whether it exists or not.
    #[error("`{command}` may name only the agent's own group")]
    OtherGroup {
        /// The command.
        command: String,
    },
    /// Only people may do that, whatever the scope.
    #[error("only people may do that, on the host: `{what}`")]
    PeopleOnly {
        /// The command or the field.
        what: String,
    },
    /// The request is not one.
    #[error(transparent)]
    Usage(#[from] Usage),
}

/// Judges a request that came out of a sandbox, fills in the agent's own group, and checks it.
///
/// The result is what is to be asked of the guard and carried out; the request itself is not.
pub fn agent_scope(
    scope: AdminScope,
    own: &GroupRef,
    request: &Request,
) -> Result<Checked, Refusal> {
    let found = request.find();
    let is_own = matches!(&found, Ok((_, verb)) if matches!(verb.agents, Agents::Own(_)));
    if scope == AdminScope::Disabled && !is_own {
        return Err(Refusal::Disabled);
    }
    let (resource, verb) = found?;
    let command = resource.command(verb);
    if verb.agents == Agents::Never {
        return Err(Refusal::PeopleOnly { what: command });
    }
    let people_only = |name: &&String| verb.field(name).is_some_and(|field| field.host_only);
    if let Some(name) = request.args.keys().find(people_only) {
        let what = format!("{command} --{name}");
        return Err(Refusal::PeopleOnly { what });
    }
    match (scope, verb.agents) {
        (_, Agents::Own(field)) => within(own, field, request, command),
        (AdminScope::Disabled, _) => Err(Refusal::Disabled),
        (_, Agents::Never) => Err(Refusal::PeopleOnly { what: command }),
        (AdminScope::Global, Agents::Global | Agents::Group(_)) => Ok(request.check()?),
        (AdminScope::Group, Agents::Global) => Err(Refusal::OwnGroupOnly { command }),
        (AdminScope::Group, Agents::Group(field)) => within(own, field, request, command),
    }
}

/// The request with the agent's own group in a field, which may hold no other.
fn within(
    own: &GroupRef,
    field: &str,
    request: &Request,
    command: String,
) -> Result<Checked, Refusal> {
    let mut request = request.clone();
    let named = request.args.insert(field.to_owned(), own.id.to_string());
    if named.is_some_and(|named| !own.is_called(&named)) {
        return Err(Refusal::OtherGroup { command });
    }
    Ok(request.check()?)
}

impl GroupRef {
    /// Whether `name` is the group's id or folder.
    fn is_called(&self, name: &str) -> bool {
        name == self.folder.as_str() || AgentGroupId::parse(name) == Ok(self.id)
    }
}

impl Refusal {
    /// What kind of failure it is.
    pub fn code(&self) -> FailCode {
        match self {
            Self::Usage(_) => FailCode::Usage,
            Self::Disabled
            | Self::OwnGroupOnly { .. }
            | Self::OtherGroup { .. }
            | Self::PeopleOnly { .. } => FailCode::Forbidden,
        }
    }
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        Self::Failed {
            code: refusal.code(),
            what: refusal.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
