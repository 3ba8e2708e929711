//! The configuration file and the database are brought together, wholly or not at all.
//!
//! The file owns the rows it made and no others. What a person or an agent made at run time stays
//! untouched: where the file wants the same place, its wish counts as granted, and if it wanted
//! something else there, it is told how often it was overruled.

pub mod conflict;
pub mod desired;

mod conversations;
mod destinations;
mod people;
mod plan;

use anchorhold_core::{
    entity::AdminScope,
    ids::{AgentGroupId, WiringId},
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    conversations::{insert_wiring, parse_wiring, update_wiring},
    groups::{insert_group, parse_group, update_group},
    reconcile::{
        desired::FileConfig,
        plan::{Found, FoundGroup, FoundWiring, GroupRow, Plan},
    },
    rows::Fields,
    store::{Durability, begin},
};

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
    /// Conversations that were made.
    pub conversations: u64,
    /// Conversations whose policy changed.
    pub policies: u64,
    /// People who were made.
    pub users: u64,
    /// Roles.
    pub roles: Changes,
    /// Memberships.
    pub members: Changes,
    /// Destinations; those that went with their wiring are not counted as removed.
    pub destinations: Changes,
    /// Entries of the file for which something else was decided at run time, which stays.
    pub overruled: u64,
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

impl Store {
    /// Makes the rows of the file what the file says, in one transaction. Repeating it changes
    /// nothing.
    ///
    /// Rows of the file that it does not have any more are removed. A group is retired instead if
    /// it has sessions, or anything that was made at run time; it is not listed and hears nothing
    /// any more. Rows of run time count as what the file wants in their place. People stay, without
    /// what the file gave them. [`Error::Conflicts`] lists everything that can't be done, and then nothing is.
    pub async fn reconcile_file(
        &self,
        file: &FileConfig,
        now: Timestamp,
    ) -> Result<Reconciled, Error> {
        let failed = |source| Error::Reconcile { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let found = read(&mut tx).await.map_err(failed)?;
        let unknown = conversations::unknown(&mut tx, file)
            .await
            .map_err(failed)?;
        let plan = match plan::make(file, &found) {
            Ok(plan) if unknown.is_empty() => plan,
            Ok(_) => return Err(Error::Conflicts { conflicts: unknown }),
            Err(mut conflicts) => {
                conflicts.extend(unknown);
                return Err(Error::Conflicts { conflicts });
            }
        };
        let done = apply(&mut tx, file, &plan, now).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(done)
    }
}

/// Groups and wirings are configuration, as many as people have written: all are read.
async fn read(conn: &mut SqliteConnection) -> sqlx::Result<Found> {
    let groups = sqlx::query(
        "SELECT g.*, c.assistant_name, c.admin_scope FROM agent_groups g
         LEFT JOIN group_config c ON c.agent_group_id = g.id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let wirings = sqlx::query("SELECT * FROM wirings").fetch_all(conn).await?;
    Ok(Found {
        groups: groups
            .iter()
            .map(|row| {
                let fields = Fields::new("agent_groups", row);
                let of_config = Fields::new("group_config", row);
                Ok(FoundGroup {
                    row: GroupRow {
                        group: parse_group(row)?,
                        assistant_name: of_config.get("assistant_name")?,
                        admin_scope: match of_config.get::<Option<&str>>("admin_scope")? {
                            Some(_) => Some(of_config.value("admin_scope", AdminScope::parse)?),
                            None => None,
                        },
                    },
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
    file: &FileConfig,
    plan: &Plan,
    now: Timestamp,
) -> sqlx::Result<Reconciled> {
    let mut done = Reconciled {
        overruled: plan.overruled,
        ..Reconciled::default()
    };
    let ids = &plan.ids;
    // What is gone goes first, so that it doesn't count as a reason to keep its group.
    for wiring in &plan.remove_wirings {
        delete_wiring(conn, *wiring).await?;
        done.wirings.removed += 1;
    }
    people::remove(conn, &file.people, ids, &mut done).await?;
    destinations::remove(conn, &file.destinations, ids, &mut done).await?;
    apply_groups(conn, plan, now, &mut done).await?;
    conversations::apply(conn, file, now, &mut done).await?;
    for (wiring, priority) in &plan.add_wirings {
        insert_wiring(conn, wiring, *priority, now).await?;
        done.wirings.added += 1;
    }
    for (wiring, priority) in &plan.change_wirings {
        update_wiring(conn, wiring, *priority, now).await?;
        done.wirings.changed += 1;
    }
    people::add(conn, &file.people, ids, now, &mut done).await?;
    destinations::add(conn, &file.destinations, ids, now, &mut done).await?;
    destinations::imply(conn, now, &mut done).await?;
    Ok(done)
}

async fn apply_groups(
    conn: &mut SqliteConnection,
    plan: &Plan,
    now: Timestamp,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    for group in &plan.remove_groups {
        if has_something(conn, *group).await? {
            retire(conn, *group, now).await?;
            done.groups_retired += 1;
        } else {
            delete_group(conn, *group).await?;
            done.groups.removed += 1;
        }
    }
    for row in &plan.add_groups {
        insert_group(conn, &row.group, now).await?;
        set_config(conn, row, now).await?;
        done.groups.added += 1;
    }
    for (row, revived) in &plan.change_groups {
        update_group(conn, &row.group, now).await?;
        set_config(conn, row, now).await?;
        if *revived {
            done.groups.added += 1;
        } else {
            done.groups.changed += 1;
        }
    }
    Ok(())
}

/// Sets what the file says of a group's configuration, and leaves the rest of it.
async fn set_config(
    conn: &mut SqliteConnection,
    row: &GroupRow,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO group_config (agent_group_id, assistant_name, admin_scope, updated_at)
         VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (agent_group_id) DO UPDATE SET assistant_name = excluded.assistant_name,
             admin_scope = excluded.admin_scope, updated_at = excluded.updated_at",
    )
    .bind(row.group.id.to_string())
    .bind(row.assistant_name.as_deref())
    .bind(row.admin_scope.unwrap_or(AdminScope::Group).as_str())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
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
             OR EXISTS (SELECT 1 FROM approvals WHERE agent_group_id = ?1)
             OR EXISTS (SELECT 1 FROM approvals WHERE requesting_group_id = ?1)",
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

#[cfg(test)]
pub(super) mod tests;
