//! The file's people: their roles and memberships, and no others.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_core::ids::{AgentGroupId, FolderName, UserId};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    reconcile::{
        Reconciled,
        desired::{DesiredPerson, DesiredRole},
    },
    rows::Fields,
};

/// The groups that the file can speak about, by folder.
type Ids = BTreeMap<FolderName, AgentGroupId>;

/// A role or membership in the words of its row: channel, handle, role, group. A membership has no
/// role's name.
type Grant = (String, String, &'static str, Option<String>);

const ROLES: &str = "SELECT r.rowid AS row, u.channel, u.handle, r.role, r.agent_group_id,
         g.retired_at IS NOT NULL AS retired
     FROM roles r JOIN users u ON u.id = r.user_id LEFT JOIN agent_groups g ON g.id = r.agent_group_id
     WHERE r.managed_by = 'file'";

const MEMBERS: &str = "SELECT m.rowid AS row, u.channel, u.handle, '' AS role, m.agent_group_id,
         g.retired_at IS NOT NULL AS retired
     FROM members m JOIN users u ON u.id = m.user_id JOIN agent_groups g ON g.id = m.agent_group_id
     WHERE m.managed_by = 'file'";

/// Takes away what the file gave and gives no more. The people themselves stay.
pub(super) async fn remove(
    conn: &mut SqliteConnection,
    people: &[DesiredPerson],
    ids: &Ids,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    let wanted: BTreeSet<Grant> = people
        .iter()
        .flat_map(|person| grants(person, ids).into_iter())
        .collect();
    let awake: BTreeSet<String> = ids.values().map(ToString::to_string).collect();
    for row in given(conn, ROLES, &wanted, &awake).await? {
        delete(conn, "DELETE FROM roles WHERE rowid = ?1", row).await?;
        done.roles.removed += 1;
    }
    for row in given(conn, MEMBERS, &wanted, &awake).await? {
        delete(conn, "DELETE FROM members WHERE rowid = ?1", row).await?;
        done.members.removed += 1;
    }
    Ok(())
}

/// Gives what the file gives, and makes the people who are not there. What was given at run time
/// counts, and stays what it is.
pub(super) async fn add(
    conn: &mut SqliteConnection,
    people: &[DesiredPerson],
    ids: &Ids,
    now: Timestamp,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    for person in people {
        let user = ensure(conn, person, now, done).await?;
        for (_, _, role, group) in grants(person, ids) {
            if role.is_empty() {
                done.members.added += add_member(conn, user, group, now).await?;
            } else {
                done.roles.added += add_role(conn, user, (role, group), now).await?;
            }
        }
    }
    Ok(())
}

/// A folder without a group was found before, as a conflict.
fn grants(person: &DesiredPerson, ids: &Ids) -> Vec<Grant> {
    let id = |folder: &FolderName| ids.get(folder).map(ToString::to_string);
    let roles = person.roles.iter().filter_map(|role| match role {
        DesiredRole::Owner => Some(("owner", None)),
        DesiredRole::Admin => Some(("admin", None)),
        DesiredRole::AdminOf(folder) => Some(("admin", Some(id(folder)?))),
    });
    let members = person
        .member_of
        .iter()
        .filter_map(|folder| Some(("", Some(id(folder)?))));
    let (channel, handle) = (person.channel.as_str(), person.handle.as_str());
    roles
        .chain(members)
        .map(|(role, group)| (channel.to_owned(), handle.to_owned(), role, group))
        .collect()
}

/// The rows that the file made and does not want any more, but for those of retired groups that stay
/// retired: they count for nothing, and are there if the group comes back.
async fn given(
    conn: &mut SqliteConnection,
    sql: &'static str,
    wanted: &BTreeSet<Grant>,
    awake: &BTreeSet<String>,
) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query(sql).fetch_all(conn).await?;
    let mut unwanted = Vec::new();
    for row in &rows {
        let fields = Fields::new("roles and members", row);
        let role = fields.value("role", |text| {
            ["owner", "admin", ""]
                .into_iter()
                .find(|role| *role == text)
        })?;
        let group: Option<String> = fields.get("agent_group_id")?;
        let retired: bool = fields.get("retired")?;
        let asleep = retired && group.as_ref().is_some_and(|group| !awake.contains(group));
        let grant = (fields.get("channel")?, fields.get("handle")?, role, group);
        if !asleep && !wanted.contains(&grant) {
            unwanted.push(fields.get("row")?);
        }
    }
    Ok(unwanted)
}

async fn delete(conn: &mut SqliteConnection, sql: &'static str, row: i64) -> sqlx::Result<()> {
    sqlx::query(sql).bind(row).execute(conn).await?;
    Ok(())
}

async fn ensure(
    conn: &mut SqliteConnection,
    person: &DesiredPerson,
    now: Timestamp,
    done: &mut Reconciled,
) -> sqlx::Result<UserId> {
    let made = sqlx::query(
        "INSERT INTO users (id, channel, handle, display_name, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (channel, handle) DO NOTHING",
    )
    .bind(person.fresh.to_string())
    .bind(person.channel.as_str())
    .bind(person.handle.as_str())
    .bind(person.name.as_deref())
    .bind(now.as_millisecond())
    .execute(&mut *conn)
    .await?;
    done.users += made.rows_affected();
    sqlx::query(
        "UPDATE users SET display_name = ?3
         WHERE channel = ?1 AND handle = ?2 AND display_name IS NULL AND ?3 IS NOT NULL",
    )
    .bind(person.channel.as_str())
    .bind(person.handle.as_str())
    .bind(person.name.as_deref())
    .execute(&mut *conn)
    .await?;
    let row = sqlx::query("SELECT id FROM users WHERE channel = ?1 AND handle = ?2")
        .bind(person.channel.as_str())
        .bind(person.handle.as_str())
        .fetch_one(conn)
        .await?;
    Fields::new("users", &row).parsed("id", UserId::parse)
}

async fn add_role(
    conn: &mut SqliteConnection,
    user: UserId,
    (role, group): (&str, Option<String>),
    now: Timestamp,
) -> sqlx::Result<u64> {
    let made = sqlx::query(
        "INSERT INTO roles (user_id, role, agent_group_id, granted_at, managed_by)
         VALUES (?1, ?2, ?3, ?4, 'file')
         ON CONFLICT (user_id, role, COALESCE(agent_group_id, '')) DO NOTHING",
    )
    .bind(user.to_string())
    .bind(role)
    .bind(group)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

async fn add_member(
    conn: &mut SqliteConnection,
    user: UserId,
    group: Option<String>,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let made = sqlx::query(
        "INSERT INTO members (user_id, agent_group_id, added_at, managed_by)
         VALUES (?1, ?2, ?3, 'file') ON CONFLICT (user_id, agent_group_id) DO NOTHING",
    )
    .bind(user.to_string())
    .bind(group)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(made.rows_affected())
}

#[cfg(test)]
mod tests;
