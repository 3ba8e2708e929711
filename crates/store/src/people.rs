//! Who people are, what they may do, and what agents follow.
//!
//! A person is a channel and a handle, in two columns, never one text that is split again: a
//! handle may hold any character, `:` included.

use anchorhold_core::{
    access::{Role, RoleHolder, Standing},
    ids::{AgentGroupId, ChannelName, ConversationId, Handle, ThreadId, UserId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, opt_id, opt_thread},
    store::{Durability, memo::Memos},
};

pub(crate) const USER: &str = "SELECT * FROM users WHERE channel = ?1 AND handle = ?2";

pub(crate) const STANDING: &str = "SELECT role, agent_group_id FROM roles WHERE user_id = ?1
     UNION ALL SELECT 'member', agent_group_id FROM members WHERE user_id = ?1";

pub(crate) const HAS_OWNER: &str =
    "SELECT EXISTS (SELECT 1 FROM roles WHERE agent_group_id IS NULL AND role = 'owner')";

pub(crate) const SENDER_KNOWN: &str = "SELECT
         EXISTS (SELECT 1 FROM roles
                 WHERE user_id = ?1 AND (agent_group_id IS NULL OR agent_group_id = ?2))
      OR EXISTS (SELECT 1 FROM members WHERE user_id = ?1 AND agent_group_id = ?2)";

pub(crate) const SUBSCRIBED: &str = "SELECT EXISTS (SELECT 1 FROM subscriptions
     WHERE agent_group_id = ?1 AND conversation_id = ?2 AND COALESCE(thread, '') = COALESCE(?3, ''))";

/// Somebody who wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    /// The id they get if they are not known yet.
    pub id: UserId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's stable id of them.
    pub handle: Handle,
    /// What they call themselves now; for show only.
    pub display_name: Option<String>,
}

/// Somebody who is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's stable id of them.
    pub handle: Handle,
    /// What they called themselves last, or were called by an administrator; for show only.
    pub display_name: Option<String>,
}

/// An agent that follows a conversation or one thread of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The agent group.
    pub agent_group: AgentGroupId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The thread; `None` for what is said outside of threads.
    pub thread: Option<ThreadId>,
}

impl Store {
    /// The user with this channel and handle, made if never seen. A new display name replaces
    /// the old one; none leaves it.
    pub async fn ensure_user(&self, fresh: &NewUser, now: Timestamp) -> Result<UserId, Error> {
        self.ensure_user_inner(fresh, now)
            .await
            .map_err(|source| Error::EnsureUser {
                channel: fresh.channel.clone(),
                handle: fresh.handle.clone(),
                source,
            })
    }

    async fn ensure_user_inner(&self, fresh: &NewUser, now: Timestamp) -> sqlx::Result<UserId> {
        // Nearly every call finds them unchanged, and finding needs no write.
        let Memos { changes, users, .. } = &*self.memos;
        let key = (fresh.channel.clone(), fresh.handle.clone());
        let read = async { find(&mut *self.reader().await?, &fresh.channel, &fresh.handle).await };
        let known = users.recall(changes, key, || Box::pin(read)).await?;
        if let Some(user) = known
            && (fresh.display_name.is_none() || fresh.display_name == user.display_name)
        {
            return Ok(user.id);
        }
        let mut conn = self.writer(Durability::Process).await?;
        sqlx::query(
            "INSERT INTO users (id, channel, handle, display_name, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (channel, handle)
             DO UPDATE SET display_name = COALESCE(excluded.display_name, display_name)",
        )
        .bind(fresh.id.to_string())
        .bind(fresh.channel.as_str())
        .bind(fresh.handle.as_str())
        .bind(fresh.display_name.as_deref())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
        match find(&mut conn, &fresh.channel, &fresh.handle).await? {
            Some(user) => Ok(user.id),
            None => Err(sqlx::Error::RowNotFound),
        }
    }

    /// The user with this id.
    pub async fn user(&self, user: UserId) -> Result<Option<User>, Error> {
        let failed = |source| Error::User { user, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM users WHERE id = ?1")
            .bind(user.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_user).transpose())
            .map_err(failed)
    }

    /// The user with this channel and handle, if they were ever seen.
    pub async fn find_user(
        &self,
        channel: &ChannelName,
        handle: &Handle,
    ) -> Result<Option<User>, Error> {
        let failed = |source| Error::FindUser {
            channel: channel.clone(),
            handle: handle.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        find(&mut conn, channel, handle).await.map_err(failed)
    }

    /// Sets what a user is called, for show. A name that they give themselves later replaces it.
    /// `false` if there is no such user.
    pub async fn rename_user(&self, user: UserId, name: &str) -> Result<bool, Error> {
        let failed = |source| Error::RenameUser { user, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query("UPDATE users SET display_name = ?2 WHERE id = ?1")
            .bind(user.to_string())
            .bind(name)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Everything that a user may do; empty for one who is not known.
    pub async fn standing(&self, user: UserId) -> Result<Standing, Error> {
        let failed = |source| Error::Standing { user, source };
        let Memos {
            changes, standings, ..
        } = &*self.memos;
        let read = async {
            let mut conn = self.reader().await?;
            let query = sqlx::query(STANDING).bind(user.to_string());
            parse_standing(&query.fetch_all(&mut *conn).await?)
        };
        standings
            .recall(changes, user, || Box::pin(read))
            .await
            .map_err(failed)
    }

    /// Everybody who has a role, once for each, the longest standing first.
    pub async fn role_holders(&self) -> Result<Vec<RoleHolder>, Error> {
        let failed = |source| Error::RoleHolders { source };
        let mut conn = self.reader().await.map_err(failed)?;
        // Roles are configuration, as many as people have given: all are read.
        sqlx::query(
            "SELECT r.user_id, r.role, r.agent_group_id, r.granted_at, u.channel
             FROM roles r JOIN users u ON u.id = r.user_id ORDER BY r.granted_at, r.user_id",
        )
        .fetch_all(&mut *conn)
        .await
        .and_then(|rows| rows.iter().map(parse_holder).collect())
        .map_err(failed)
    }

    /// Does anybody own the installation?
    pub async fn has_owner(&self) -> Result<bool, Error> {
        let failed = |source| Error::HasOwner { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(HAS_OWNER)
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Has the user a role that counts for this group, or a membership in it?
    pub async fn sender_known(&self, user: UserId, group: AgentGroupId) -> Result<bool, Error> {
        let failed = |source| Error::SenderKnown {
            user,
            group,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(SENDER_KNOWN)
            .bind(user.to_string())
            .bind(group.to_string())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Gives a role; one that is there already stays as it was granted.
    pub async fn grant_role(
        &self,
        user: UserId,
        role: Role,
        granted_by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::GrantRole { user, role, source };
        let (name, group) = role.columns();
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO roles (user_id, role, agent_group_id, granted_by, granted_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (user_id, role, COALESCE(agent_group_id, '')) DO NOTHING",
        )
        .bind(user.to_string())
        .bind(name)
        .bind(opt_id(group))
        .bind(opt_id(granted_by))
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Takes a role away. `false` if the user did not have it.
    pub async fn revoke_role(&self, user: UserId, role: Role) -> Result<bool, Error> {
        let failed = |source| Error::RevokeRole { user, role, source };
        let (name, group) = role.columns();
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "DELETE FROM roles WHERE user_id = ?1 AND role = ?2
                 AND COALESCE(agent_group_id, '') = COALESCE(?3, '')",
        )
        .bind(user.to_string())
        .bind(name)
        .bind(opt_id(group))
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Lets a user talk to a group; a membership that is there already stays as it was.
    pub async fn add_member(
        &self,
        user: UserId,
        group: AgentGroupId,
        added_by: Option<UserId>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::AddMember {
            user,
            group,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO members (user_id, agent_group_id, added_by, added_at)
             VALUES (?1, ?2, ?3, ?4) ON CONFLICT (user_id, agent_group_id) DO NOTHING",
        )
        .bind(user.to_string())
        .bind(group.to_string())
        .bind(opt_id(added_by))
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Ends a membership. `false` if there was none.
    pub async fn remove_member(&self, user: UserId, group: AgentGroupId) -> Result<bool, Error> {
        let failed = |source| Error::RemoveMember {
            user,
            group,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query("DELETE FROM members WHERE user_id = ?1 AND agent_group_id = ?2")
            .bind(user.to_string())
            .bind(group.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Notes that the agent follows; `why` is for people. One that does already stays as it was.
    pub async fn subscribe(
        &self,
        subscription: &Subscription,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::Subscribe {
            group: subscription.agent_group,
            conversation: subscription.conversation,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO subscriptions (agent_group_id, conversation_id, thread, why, began_at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (agent_group_id, conversation_id, COALESCE(thread, '')) DO NOTHING",
        )
        .bind(subscription.agent_group.to_string())
        .bind(subscription.conversation.to_string())
        .bind(opt_thread(subscription.thread.as_ref()))
        .bind(why)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Does the agent follow?
    pub async fn is_subscribed(&self, subscription: &Subscription) -> Result<bool, Error> {
        let failed = |source| Error::IsSubscribed {
            group: subscription.agent_group,
            conversation: subscription.conversation,
            source,
        };
        let Memos {
            changes,
            subscriptions,
            ..
        } = &*self.memos;
        let Subscription {
            agent_group,
            conversation,
            thread,
        } = subscription;
        let read = async {
            let mut conn = self.reader().await?;
            sqlx::query_scalar(SUBSCRIBED)
                .bind(agent_group.to_string())
                .bind(conversation.to_string())
                .bind(opt_thread(thread.as_ref()))
                .fetch_one(&mut *conn)
                .await
        };
        let key = (*agent_group, *conversation, thread.clone());
        subscriptions
            .recall(changes, key, || Box::pin(read))
            .await
            .map_err(failed)
    }

    /// The agent follows no longer. `false` if it did not.
    pub async fn unsubscribe(&self, subscription: &Subscription) -> Result<bool, Error> {
        let failed = |source| Error::Unsubscribe {
            group: subscription.agent_group,
            conversation: subscription.conversation,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "DELETE FROM subscriptions WHERE agent_group_id = ?1 AND conversation_id = ?2
                 AND COALESCE(thread, '') = COALESCE(?3, '')",
        )
        .bind(subscription.agent_group.to_string())
        .bind(subscription.conversation.to_string())
        .bind(opt_thread(subscription.thread.as_ref()))
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}

async fn find(
    conn: &mut SqliteConnection,
    channel: &ChannelName,
    handle: &Handle,
) -> sqlx::Result<Option<User>> {
    let row = sqlx::query(USER)
        .bind(channel.as_str())
        .bind(handle.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(parse_user).transpose()
}

fn parse_user(row: &SqliteRow) -> sqlx::Result<User> {
    let fields = Fields::new("users", row);
    Ok(User {
        id: fields.parsed("id", UserId::parse)?,
        channel: fields.parsed("channel", ChannelName::parse)?,
        handle: fields.parsed("handle", Handle::parse)?,
        display_name: fields.get("display_name")?,
    })
}

fn parse_standing(rows: &[SqliteRow]) -> sqlx::Result<Standing> {
    let mut standing = Standing::default();
    for row in rows {
        let fields = Fields::new("roles", row);
        let name: &str = fields.get("role")?;
        if name == "member" {
            let group = fields.parsed("agent_group_id", AgentGroupId::parse)?;
            standing.member_of.push(group);
        } else {
            standing.roles.push(parse_role(fields)?);
        }
    }
    Ok(standing)
}

fn parse_role(fields: Fields<'_>) -> sqlx::Result<Role> {
    let group = fields.opt_parsed("agent_group_id", AgentGroupId::parse)?;
    fields.value("role", |name| Role::of_columns(name, group))
}

fn parse_holder(row: &SqliteRow) -> sqlx::Result<RoleHolder> {
    let fields = Fields::new("roles", row);
    Ok(RoleHolder {
        user: fields.parsed("user_id", UserId::parse)?,
        channel: fields.parsed("channel", ChannelName::parse)?,
        role: parse_role(fields)?,
        granted_at: fields.time("granted_at")?,
    })
}

#[cfg(test)]
mod tests;
