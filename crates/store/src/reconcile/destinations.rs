//! The file's destinations, and those that its wirings imply.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_core::{
    entity::ManagedBy,
    ids::{AgentGroupId, FolderName},
    slug,
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    reconcile::{
        Reconciled, conversations,
        desired::{DesiredDestination, DesiredTarget},
    },
    rows::Fields,
};

/// The groups that the file can speak about, by folder.
type Ids = BTreeMap<FolderName, AgentGroupId>;

const OWN: &str = "SELECT d.rowid AS row, d.agent_group_id, d.name,
         g.retired_at IS NOT NULL AS retired
     FROM destinations d JOIN agent_groups g ON g.id = d.agent_group_id
     WHERE d.managed_by = 'file' AND d.wiring_id IS NULL";

/// Wirings of the file whose conversation their group can't write to yet.
const NOT_IMPLIED: &str = "SELECT w.id, w.agent_group_id, c.id AS conversation,
         COALESCE(NULLIF(c.name, ''), c.chat) AS called
     FROM wirings w JOIN agent_groups g ON g.id = w.agent_group_id AND g.retired_at IS NULL
     JOIN conversations c ON c.channel = w.channel AND c.chat = w.chat
     WHERE w.managed_by = 'file'
         AND NOT EXISTS (SELECT 1 FROM destinations d WHERE d.agent_group_id = w.agent_group_id
                         AND d.target_conversation_id = c.id)
     ORDER BY w.channel, w.chat, g.folder";

// The same parameters as the insert; ?6 is the time of creation, which stays.
const UPDATE: &str = "UPDATE destinations SET target_type = ?3, target_conversation_id = ?4,
         target_agent_group_id = ?5, wiring_id = NULL, created_at = MIN(created_at, ?6)
     WHERE agent_group_id = ?1 AND name = ?2";

const INSERT: &str = "INSERT INTO destinations (agent_group_id, name, target_type,
         target_conversation_id, target_agent_group_id, created_at, managed_by)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'file')";

/// A target as its columns: type, conversation, group.
type Target = (&'static str, Option<String>, Option<String>);

/// Removes what the file does not have any more. What wirings imply goes with the wirings.
pub(super) async fn remove(
    conn: &mut SqliteConnection,
    wanted: &[DesiredDestination],
    ids: &Ids,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    let wanted: BTreeSet<(String, &str)> = wanted
        .iter()
        .filter_map(|d| Some((ids.get(&d.group)?.to_string(), d.name.as_str())))
        .collect();
    let awake: BTreeSet<String> = ids.values().map(ToString::to_string).collect();
    let rows = sqlx::query(OWN).fetch_all(&mut *conn).await?;
    for row in &rows {
        let fields = Fields::new("destinations", row);
        let group: String = fields.get("agent_group_id")?;
        let retired: bool = fields.get("retired")?;
        if (retired && !awake.contains(&group)) || wanted.contains(&(group, fields.get("name")?)) {
            continue;
        }
        sqlx::query("DELETE FROM destinations WHERE rowid = ?1")
            .bind(fields.get::<i64>("row")?)
            .execute(&mut *conn)
            .await?;
        done.destinations.removed += 1;
    }
    Ok(())
}

/// Makes what the file has. A name that was taken at run time stays as it is; one that a wiring only
/// implied gives way.
pub(super) async fn add(
    conn: &mut SqliteConnection,
    wanted: &[DesiredDestination],
    ids: &Ids,
    now: Timestamp,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    for desired in wanted {
        // What is not there was found before, as a conflict.
        let Some(group) = ids.get(&desired.group).copied() else {
            continue;
        };
        let Some(target) = target(conn, &desired.target, ids).await? else {
            continue;
        };
        match found(conn, group, &desired.name).await? {
            None => {
                write(conn, INSERT, (group, &desired.name), &target, now).await?;
                done.destinations.added += 1;
            }
            Some((_, there)) if there == (target.1.clone(), target.2.clone()) => {}
            Some((ManagedBy::Runtime, _)) => done.overruled += 1,
            Some((ManagedBy::File, _)) => {
                write(conn, UPDATE, (group, &desired.name), &target, now).await?;
                done.destinations.changed += 1;
            }
        }
    }
    Ok(())
}

/// Who hears a conversation may write to it: each wiring of the file to one conversation that is
/// known makes a destination, unless its group has one that leads there.
pub(super) async fn imply(
    conn: &mut SqliteConnection,
    now: Timestamp,
    done: &mut Reconciled,
) -> sqlx::Result<()> {
    let rows = sqlx::query(NOT_IMPLIED).fetch_all(&mut *conn).await?;
    let mut taken: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &rows {
        let fields = Fields::new("wirings", row);
        let group: String = fields.get("agent_group_id")?;
        if !taken.contains_key(&group) {
            let names =
                sqlx::query_scalar("SELECT name FROM destinations WHERE agent_group_id = ?1")
                    .bind(&group)
                    .fetch_all(&mut *conn)
                    .await?;
            taken.insert(group.clone(), names.into_iter().collect());
        }
        let names = taken.entry(group.clone()).or_default();
        let name = slug::distinct(&slug::slug(fields.get("called")?), |name| {
            names.contains(name)
        });
        sqlx::query(
            "INSERT INTO destinations (agent_group_id, name, target_type, target_conversation_id,
                 created_at, managed_by, wiring_id)
             VALUES (?1, ?2, 'channel', ?3, ?4, 'file', ?5)",
        )
        .bind(&group)
        .bind(&name)
        .bind(fields.get::<String>("conversation")?)
        .bind(now.as_millisecond())
        .bind(fields.get::<String>("id")?)
        .execute(&mut *conn)
        .await?;
        names.insert(name);
        done.destinations.added += 1;
    }
    Ok(())
}

async fn target(
    conn: &mut SqliteConnection,
    target: &DesiredTarget,
    ids: &Ids,
) -> sqlx::Result<Option<Target>> {
    Ok(match target {
        DesiredTarget::Agent(folder) => ids
            .get(folder)
            .map(|group| ("agent", None, Some(group.to_string()))),
        DesiredTarget::Chat { channel, chat } => conversations::find(conn, channel, chat)
            .await?
            .map(|id| ("channel", Some(id.to_string()), None)),
    })
}

/// Who manages the destination of this name, and the conversation or group it leads to.
async fn found(
    conn: &mut SqliteConnection,
    group: AgentGroupId,
    name: &str,
) -> sqlx::Result<Option<(ManagedBy, (Option<String>, Option<String>))>> {
    let row = sqlx::query("SELECT * FROM destinations WHERE agent_group_id = ?1 AND name = ?2")
        .bind(group.to_string())
        .bind(name)
        .fetch_optional(conn)
        .await?;
    row.as_ref()
        .map(|row| {
            let fields = Fields::new("destinations", row);
            let leads = (
                fields.get("target_conversation_id")?,
                fields.get("target_agent_group_id")?,
            );
            Ok((fields.value("managed_by", ManagedBy::parse)?, leads))
        })
        .transpose()
}

async fn write(
    conn: &mut SqliteConnection,
    sql: &'static str,
    (group, name): (AgentGroupId, &str),
    (kind, conversation, to_group): &Target,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(sql)
        .bind(group.to_string())
        .bind(name)
        .bind(kind)
        .bind(conversation.as_deref())
        .bind(to_group.as_deref())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
