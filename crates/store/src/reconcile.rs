//! The configuration file and the database are brought together, wholly or not at all.
//!
//! The file owns the rows it made and no others. What a person or an agent made at run time stays
//! untouched, and where the file wants the same place it is told so.

mod plan;

use std::fmt;

use anchorhold_core::{
    entity::{
        EngageMode, GroupLimits, IgnoredPolicy, RuntimeChoice, SenderScope, SessionMode,
        UnknownSenderPolicy,
    },
    ids::{AgentGroupId, ChannelName, ChatId, FolderName, WiringId},
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    conversations::{insert_wiring, parse_wiring, update_wiring},
    groups::{insert_group, parse_group, update_group},
    reconcile::plan::{Found, FoundGroup, FoundWiring, Plan},
    rows::Fields,
    store::{Durability, begin},
};

/// What the file says, checked and with a fresh id for each entry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileConfig {
    /// The agent groups.
    pub groups: Vec<DesiredGroup>,
    /// The wirings.
    pub wirings: Vec<DesiredWiring>,
    /// What happens to strangers' messages, by channel instance. It applies to the conversations
    /// that are known; those for which a person has decided otherwise stay as they are.
    pub policies: Vec<DesiredPolicy>,
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

/// What has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Agent groups. One that was retired and is back counts as added.
    pub groups: Changes,
    /// Of the groups that are gone from the file, those that were retired instead of deleted,
    /// because something of theirs is worth keeping; not counted as removed.
    pub groups_retired: u64,
    /// Wirings.
    pub wirings: Changes,
    /// Conversations whose policy changed.
    pub policies: u64,
}

/// How many rows of one kind have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// They were not there.
    pub added: u64,
    /// They were different.
    pub changed: u64,
    /// They are not in the file any more.
    pub removed: u64,
}

/// One thing in the file that can't be done. With any of these, nothing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// A group with this folder was made at run time.
    RuntimeGroup {
        /// The folder.
        folder: FolderName,
        /// The group that has it.
        group: AgentGroupId,
    },
    /// The same wiring was made at run time.
    RuntimeWiring {
        /// The wiring of the file.
        key: WiringKey,
        /// The one that is there.
        wiring: WiringId,
    },
    /// The wiring's group is neither in the file nor made at run time.
    UnknownGroup {
        /// The wiring of the file.
        key: WiringKey,
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
            Self::RuntimeGroup { folder, group } => {
                write!(f, "group {folder} was made at run time, as {group}")
            }
            Self::RuntimeWiring { key, wiring } => {
                write!(f, "the wiring of {key} was made at run time, as {wiring}")
            }
            Self::UnknownGroup { key } => {
                write!(f, "the wiring of {key} is to a group that is not there")
            }
            Self::RepeatedGroup { folder } => write!(f, "group {folder} is there twice"),
            Self::RepeatedWiring { key } => write!(f, "the wiring of {key} is there twice"),
        }
    }
}

impl Store {
    /// Makes the rows of the file what the file says, in one transaction. Repeating it changes
    /// nothing.
    ///
    /// Rows of the file that it does not have any more are removed. A group is retired instead if
    /// it has sessions, or anything that was made at run time; it is not listed and hears nothing
    /// any more. [`Error::Conflicts`] lists everything that can't be done, and then nothing is.
    pub async fn reconcile_file(
        &self,
        file: &FileConfig,
        now: Timestamp,
    ) -> Result<Reconciled, Error> {
        let failed = |source| Error::Reconcile { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let found = read(&mut tx).await.map_err(failed)?;
        let plan = plan::make(file, &found).map_err(|conflicts| Error::Conflicts { conflicts })?;
        let mut done = apply(&mut tx, &plan, now).await.map_err(failed)?;
        for policy in &file.policies {
            done.policies += set_policy(&mut tx, policy).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)?;
        Ok(done)
    }
}

/// Groups and wirings are configuration, as many as people have written: all are read.
async fn read(conn: &mut SqliteConnection) -> sqlx::Result<Found> {
    let groups = sqlx::query("SELECT * FROM agent_groups")
        .fetch_all(&mut *conn)
        .await?;
    let wirings = sqlx::query("SELECT * FROM wirings").fetch_all(conn).await?;
    Ok(Found {
        groups: groups
            .iter()
            .map(|row| {
                let fields = Fields::new("agent_groups", row);
                Ok(FoundGroup {
                    group: parse_group(row)?,
                    retired: fields.opt_time("retired_at")?.is_some(),
                })
            })
            .collect::<sqlx::Result<_>>()?,
        wirings: wirings
            .iter()
            .map(|row| {
                let fields = Fields::new("wirings", row);
                Ok(FoundWiring {
                    wiring: parse_wiring(row)?,
                    priority: fields.number("priority")?,
                })
            })
            .collect::<sqlx::Result<_>>()?,
    })
}

async fn apply(
    conn: &mut SqliteConnection,
    plan: &Plan,
    now: Timestamp,
) -> sqlx::Result<Reconciled> {
    let mut done = Reconciled::default();
    // Wirings go first, so that they don't count as a reason to keep their group.
    for wiring in &plan.remove_wirings {
        delete_wiring(conn, *wiring).await?;
        done.wirings.removed += 1;
    }
    for group in &plan.remove_groups {
        if has_something(conn, *group).await? {
            retire(conn, *group, now).await?;
            done.groups_retired += 1;
        } else {
            delete_group(conn, *group).await?;
            done.groups.removed += 1;
        }
    }
    for group in &plan.add_groups {
        insert_group(conn, group, now).await?;
        done.groups.added += 1;
    }
    for (group, revived) in &plan.change_groups {
        update_group(conn, group, now).await?;
        if *revived {
            done.groups.added += 1;
        } else {
            done.groups.changed += 1;
        }
    }
    for (wiring, priority) in &plan.add_wirings {
        insert_wiring(conn, wiring, *priority, now).await?;
        done.wirings.added += 1;
    }
    for (wiring, priority) in &plan.change_wirings {
        update_wiring(conn, wiring, *priority, now).await?;
        done.wirings.changed += 1;
    }
    Ok(done)
}

/// Has the group sessions, or rows that people or agents made at run time?
async fn has_something(conn: &mut SqliteConnection, group: AgentGroupId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM sessions WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM wirings WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM roles WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM members WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM subscriptions WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM destinations WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM destinations WHERE target_agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM approvals WHERE agent_group_id = ?1)",
    )
    .bind(group.to_string())
    .fetch_one(conn)
    .await
}

async fn retire(
    conn: &mut SqliteConnection,
    group: AgentGroupId,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE agent_groups SET retired_at = ?2 WHERE id = ?1")
        .bind(group.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

async fn delete_group(conn: &mut SqliteConnection, group: AgentGroupId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM agent_groups WHERE id = ?1")
        .bind(group.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

async fn delete_wiring(conn: &mut SqliteConnection, wiring: WiringId) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM wirings WHERE id = ?1")
        .bind(wiring.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

async fn set_policy(conn: &mut SqliteConnection, policy: &DesiredPolicy) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE conversations SET unknown_senders = ?2
         WHERE channel = ?1 AND policy_managed_by = 'file' AND unknown_senders <> ?2",
    )
    .bind(policy.channel.as_str())
    .bind(policy.unknown_senders.as_str())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

#[cfg(test)]
mod tests;
