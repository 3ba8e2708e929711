//! Carries out privileged acts that were allowed or approved. Nobody else changes what they change.
//!
//! Each is safe to repeat: an approved act whose host died is carried out again by the next.

mod groups;
mod hearing;
mod people;

use anchorhold_core::{
    entity::AgentGroup,
    guard::act::Act,
    ids::{AgentGroupId, QuestionId, UserId},
};
use anchorhold_store::{
    Error as StoreError,
    undo::{Restored, What},
};
use tracing::info;

use crate::{
    base::{Base, mint},
    registry::Registry,
    sessions::{SessionError, Sessions},
};

/// Carries acts out. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Acts {
    base: Base,
    registry: Registry,
    sessions: Sessions,
}

/// What was done, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// One sentence.
    pub what: String,
    /// The id of what was made, if something was.
    pub id: Option<String>,
}

/// Why an act was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// It is about something that is not there (any more).
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It contradicts what is there.
    #[error("{0}")]
    Conflict(String),
    /// It asks for something that can't be.
    #[error("{0}")]
    Invalid(String),
    /// The central database failed.
    #[error(transparent)]
    Store(#[from] anchorhold_store::Error),
    /// A session could not be changed.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Acts {
    /// Carries out with what the host works with.
    pub fn new(base: Base, registry: Registry, sessions: Sessions) -> Self {
        Self {
            base,
            registry,
            sessions,
        }
    }

    /// Carries `act` out for `by`; a person, or the operator where it is `None`. Where it was
    /// approved, `approval` makes doing it again the same wish.
    pub async fn perform(
        &self,
        act: &Act,
        (by, approval): (Option<UserId>, Option<QuestionId>),
    ) -> Result<Done, ActError> {
        let wish = approval.unwrap_or_else(|| mint!(self.base, QuestionId));
        let done = self.carry_out(act, by, wish).await?;
        info!(act = act.name(), "act carried out");
        Ok(done)
    }

    async fn carry_out(
        &self,
        act: &Act,
        by: Option<UserId>,
        wish: QuestionId,
    ) -> Result<Done, ActError> {
        match act {
            Act::CreateGroup(new) => self.create_group(mint!(self.base, AgentGroupId), new).await,
            Act::UpdateGroup { group, change } => self.update_group(*group, change).await,
            Act::DeleteGroup { group } => self.delete_group(*group).await,
            Act::RestartGroup { group, message } => {
                self.restart_group(*group, message.as_deref(), wish).await
            }
            Act::CloseSession { session, .. } => self.close_session(*session).await,
            Act::CreateWiring(new) => self.create_wiring(new).await,
            Act::UpdateWiring { wiring, rules, .. } => self.update_wiring(*wiring, rules).await,
            Act::DeleteWiring { wiring, .. } => self.delete_wiring(*wiring).await,
            Act::UpdateConversation {
                conversation,
                change,
            } => self.update_conversation(*conversation, change).await,
            Act::DeleteConversation { conversation } => {
                self.delete_conversation(*conversation).await
            }
            Act::AddDestination {
                group,
                name,
                target,
            } => self.add_destination(*group, name, target).await,
            Act::RemoveDestination { group, name } => self.remove_destination(*group, name).await,
            Act::CreateUser {
                channel,
                handle,
                name,
            } => self.create_user(channel, handle, name.as_deref()).await,
            Act::RenameUser { user, name } => self.rename_user(*user, name).await,
            Act::DeleteUser { user } => self.delete(What::User(*user), "user").await,
            Act::GrantRole { user, role } => self.grant_role(*user, *role, by).await,
            Act::RevokeRole { user, role } => self.revoke_role(*user, *role).await,
            Act::AddMember { user, group } => self.add_member(*user, *group, by).await,
            Act::RemoveMember { user, group } => self.remove_member(*user, *group).await,
            Act::AdmitSender { user, groups, .. } => self.admit(*user, groups, by).await,
            Act::Restore { undo } => self.restore(*undo).await,
            // What becomes of it is chosen with the approval; see `connect` and `fresh_agent`.
            Act::WireConversation { .. } => Ok(done("Nothing was chosen.")),
        }
    }

    async fn delete(&self, what: What, kind: &'static str) -> Result<Done, ActError> {
        let now = self.base.now();
        let deleted = match self.base.store.delete_with_copy(what, now).await {
            Ok(Some(deleted)) => deleted,
            Ok(None) => return Err(ActError::NotFound(kind)),
            Err(StoreError::OwnedByFile { .. }) => return Err(owned_by_file(kind)),
            Err(failure) => return Err(failure.into()),
        };
        let with: Vec<String> = deleted
            .goes_with
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(table, count)| format!("{count} of {table}"))
            .collect();
        let with = if with.is_empty() {
            String::new()
        } else {
            format!(" With it went {}.", with.join(", "))
        };
        Ok(Done {
            what: format!(
                "The {kind} is deleted.{with} Have it back with: anchorhold undo restore {}",
                deleted.undo
            ),
            id: Some(deleted.undo.to_string()),
        })
    }

    async fn restore(&self, undo: i64) -> Result<Done, ActError> {
        match self.base.store.restore(undo, self.base.now()).await? {
            Restored::Done { what, left_out: 0 } => Ok(done(&format!("Back again: {what}."))),
            Restored::Done { what, left_out } => Ok(done(&format!(
                "Back again: {what}; {left_out} rows were left out, since what they belong to is gone."
            ))),
            Restored::Conflict(why) => Err(ActError::Conflict(why)),
            Restored::Already => Err(ActError::Conflict("it was restored already".to_owned())),
            Restored::Gone => Err(ActError::NotFound("undo copy")),
        }
    }

    async fn group(&self, group: AgentGroupId) -> Result<AgentGroup, ActError> {
        // A deleted one keeps its record for what it once said, and is nobody to connect.
        let present = self.base.store.groups().await?;
        let found = present.into_iter().find(|known| known.id == group);
        found.ok_or(ActError::NotFound("group"))
    }
}

/// What the configuration file says is changed there, or it would come back with the next reload.
fn owned_by_file(kind: &str) -> ActError {
    ActError::Conflict(format!(
        "the {kind}, or something that belongs to it, is in channels.toml: change it there"
    ))
}

fn found(is: bool, what: &'static str) -> Result<(), ActError> {
    if is {
        Ok(())
    } else {
        Err(ActError::NotFound(what))
    }
}

fn done(what: &str) -> Done {
    Done {
        what: what.to_owned(),
        id: None,
    }
}

fn made(what: &str, id: impl std::fmt::Display) -> Done {
    Done {
        what: what.to_owned(),
        id: Some(id.to_string()),
    }
}
