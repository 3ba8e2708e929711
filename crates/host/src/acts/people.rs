//! Who is known, and what they may do.

use anchorhold_core::{
    access::Role,
    ids::{AgentGroupId, ChannelName, Handle, UserId},
};
use anchorhold_store::people::NewUser;

use crate::{
    acts::{ActError, Acts, Done, done, found, made},
    base::mint,
};

impl Acts {
    pub(super) async fn create_user(
        &self,
        channel: &ChannelName,
        handle: &Handle,
        name: Option<&str>,
    ) -> Result<Done, ActError> {
        let person = NewUser {
            id: mint!(self.base, UserId),
            channel: channel.clone(),
            handle: handle.clone(),
            display_name: name.map(str::to_owned),
        };
        let (store, now) = (&self.base.store, self.base.now());
        let id = store.ensure_user(&person, now).await?;
        Ok(made("The person is on record.", id))
    }

    pub(super) async fn rename_user(&self, user: UserId, name: &str) -> Result<Done, ActError> {
        found(self.base.store.rename_user(user, name).await?, "user")?;
        Ok(done("The person is renamed."))
    }

    pub(super) async fn grant_role(
        &self,
        user: UserId,
        role: Role,
        by: Option<UserId>,
    ) -> Result<Done, ActError> {
        self.user(user).await?;
        if let Role::GroupAdmin(group) = role {
            self.group(group).await?;
        }
        let (store, now) = (&self.base.store, self.base.now());
        store.grant_role(user, role, by, now).await?;
        Ok(done("The role is given."))
    }

    pub(super) async fn revoke_role(&self, user: UserId, role: Role) -> Result<Done, ActError> {
        let revoked = self.base.store.revoke_role(user, role).await?;
        found(revoked, "role of that person")?;
        Ok(done("The role is taken away."))
    }

    pub(super) async fn add_member(
        &self,
        user: UserId,
        group: AgentGroupId,
        by: Option<UserId>,
    ) -> Result<Done, ActError> {
        self.user(user).await?;
        self.group(group).await?;
        let (store, now) = (&self.base.store, self.base.now());
        store.add_member(user, group, by, now).await?;
        Ok(done("The person can talk to the agent now."))
    }

    pub(super) async fn remove_member(
        &self,
        user: UserId,
        group: AgentGroupId,
    ) -> Result<Done, ActError> {
        let removed = self.base.store.remove_member(user, group).await?;
        found(removed, "member")?;
        Ok(done("The person can't talk to the agent any more."))
    }

    /// Makes a stranger a member of every agent that is still there.
    pub(super) async fn admit(
        &self,
        user: UserId,
        groups: &[AgentGroupId],
        by: Option<UserId>,
    ) -> Result<Done, ActError> {
        self.user(user).await?;
        let (store, now) = (&self.base.store, self.base.now());
        for group in groups {
            if self.group(*group).await.is_ok() {
                store.add_member(user, *group, by, now).await?;
            }
        }
        Ok(done("The person is let in."))
    }

    async fn user(&self, user: UserId) -> Result<(), ActError> {
        let found = self.base.store.user(user).await?;
        found.map(drop).ok_or(ActError::NotFound("user"))
    }
}
