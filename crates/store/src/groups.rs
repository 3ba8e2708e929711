//! Agent groups and what they are configured with.

use anchorhold_core::{
    entity::{AdminScope, AgentGroup, GroupLimits, ManagedBy, RuntimeChoice},
    guard::act::GroupChange,
    ids::{AgentGroupId, FolderName, SessionId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, int},
    store::{Durability, begin},
};

pub(crate) const ADMIN_SCOPE: &str = "SELECT c.admin_scope FROM group_config c
     JOIN agent_groups g ON g.id = c.agent_group_id AND g.retired_at IS NULL
     WHERE c.agent_group_id = ?1";

pub(crate) const IN_SESSION: &str = "SELECT g.* FROM agent_groups g
     JOIN sessions s ON s.agent_group_id = g.id WHERE s.id = ?1 AND s.closed_at IS NULL";

/// What a group has besides its [`AgentGroup`] row. The texts in JSON belong to their readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// The name the agent calls itself, if not the group's.
    pub assistant_name: Option<String>,
    /// How hard the model thinks, where the provider has levels.
    pub effort: Option<String>,
    /// The container image, if not the common one.
    pub image: Option<String>,
    /// The skills it sees: `"all"` or a list, as JSON.
    pub skills: String,
    /// Its MCP servers by name, as JSON.
    pub mcp_servers: String,
    /// Packages of its image by package manager, as JSON.
    pub packages: String,
    /// Folders of the host that it sees, as JSON.
    pub additional_mounts: String,
    /// How much of the administration it may ask for.
    pub admin_scope: AdminScope,
}

impl Store {
    /// All groups that are in use, by folder.
    pub async fn groups(&self) -> Result<Vec<AgentGroup>, Error> {
        let failed = |source| Error::Groups { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM agent_groups WHERE retired_at IS NULL ORDER BY folder")
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_group).collect())
            .map_err(failed)
    }

    /// One group, whether it is retired or not: its sessions may still have work.
    pub async fn group(&self, group: AgentGroupId) -> Result<Option<AgentGroup>, Error> {
        let failed = |source| Error::Group { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM agent_groups WHERE id = ?1")
            .bind(group.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_group).transpose())
            .map_err(failed)
    }

    /// The group of an open session; `None` where there is no such session any more.
    pub async fn group_in_session(&self, session: SessionId) -> Result<Option<AgentGroup>, Error> {
        let failed = |source| Error::GroupInSession { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(IN_SESSION)
            .bind(session.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_group).transpose())
            .map_err(failed)
    }

    /// The group with this folder, whether it is retired or not.
    pub async fn group_by_folder(&self, folder: &FolderName) -> Result<Option<AgentGroup>, Error> {
        let failed = |source| Error::GroupByFolder {
            folder: folder.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM agent_groups WHERE folder = ?1")
            .bind(folder.as_str())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_group).transpose())
            .map_err(failed)
    }

    /// Adds a group with the configuration that groups start with. Its folder must be free.
    pub async fn add_group(&self, group: &AgentGroup, now: Timestamp) -> Result<(), Error> {
        let failed = |source| Error::AddGroup {
            group: group.id,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        insert_group(&mut tx, group, now).await.map_err(failed)?;
        tx.commit().await.map_err(failed)
    }

    /// Deletes a group and everything that belongs to it: wirings, roles and memberships in it,
    /// sessions with their messages and deliveries. `false` if there is no such group.
    ///
    /// The files of its sessions and its workspace are the caller's.
    pub async fn delete_group(&self, group: AgentGroupId) -> Result<bool, Error> {
        let failed = |source| Error::DeleteGroup { group, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query("DELETE FROM agent_groups WHERE id = ?1")
            .bind(group.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// What the group is configured with; `None` if there is no such group.
    pub async fn group_config(&self, group: AgentGroupId) -> Result<Option<GroupConfig>, Error> {
        let failed = |source| Error::GroupConfig { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM group_config WHERE agent_group_id = ?1")
            .bind(group.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_config).transpose())
            .map_err(failed)
    }

    /// Replaces what the group is configured with. Text that is not JSON where it must be is
    /// refused by the database.
    pub async fn set_group_config(
        &self,
        group: AgentGroupId,
        config: &GroupConfig,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::SetGroupConfig { group, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO group_config (agent_group_id, assistant_name, effort, image, skills,
                 mcp_servers, packages, additional_mounts, admin_scope, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (agent_group_id) DO UPDATE SET assistant_name = excluded.assistant_name,
                 effort = excluded.effort, image = excluded.image, skills = excluded.skills,
                 mcp_servers = excluded.mcp_servers, packages = excluded.packages,
                 additional_mounts = excluded.additional_mounts,
                 admin_scope = excluded.admin_scope, updated_at = excluded.updated_at",
        )
        .bind(group.to_string())
        .bind(config.assistant_name.as_deref())
        .bind(config.effort.as_deref())
        .bind(config.image.as_deref())
        .bind(&config.skills)
        .bind(&config.mcp_servers)
        .bind(&config.packages)
        .bind(&config.additional_mounts)
        .bind(config.admin_scope.as_str())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Changes a group that was made at run time; one of the file is changed in the file.
    /// `false`, and nothing changed, if there is no such group or it is retired.
    pub async fn update_group(
        &self,
        group: AgentGroupId,
        change: &GroupChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::UpdateGroup { group, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let changed = apply_change(&mut tx, group, change, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(changed)
    }

    /// How far the group's agents may ask. A group that is not there, is retired, or has lost its
    /// configuration may not ask at all.
    pub async fn admin_scope(&self, group: AgentGroupId) -> Result<AdminScope, Error> {
        let failed = |source| Error::AdminScope { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query(ADMIN_SCOPE)
            .bind(group.to_string())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        let Some(row) = row else {
            return Ok(AdminScope::Disabled);
        };
        Fields::new("group_config", &row)
            .value("admin_scope", AdminScope::parse)
            .map_err(failed)
    }
}

async fn apply_change(
    conn: &mut SqliteConnection,
    group: AgentGroupId,
    change: &GroupChange,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE agent_groups SET name = COALESCE(?2, name), provider = COALESCE(?3, provider),
             model = NULLIF(COALESCE(?4, model), ''), runtime = COALESCE(?5, runtime),
             prompt_messages = COALESCE(?6, prompt_messages), tries = COALESCE(?7, tries)
         WHERE id = ?1 AND managed_by = 'runtime' AND retired_at IS NULL",
    )
    .bind(group.to_string())
    .bind(change.name.as_deref())
    .bind(change.provider.as_deref())
    .bind(change.model.as_deref())
    .bind(change.runtime.map(RuntimeChoice::as_str))
    .bind(change.prompt_messages)
    .bind(change.tries)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query(
        "INSERT INTO group_config (agent_group_id, assistant_name, admin_scope, updated_at)
         VALUES (?1, ?2, COALESCE(?3, 'group'), ?4)
         ON CONFLICT (agent_group_id) DO UPDATE SET
             assistant_name = NULLIF(COALESCE(?2, assistant_name), ''),
             admin_scope = COALESCE(?3, admin_scope), updated_at = ?4",
    )
    .bind(group.to_string())
    .bind(change.assistant_name.as_deref())
    .bind(change.admin_scope.map(AdminScope::as_str))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(true)
}

/// Inserts a group together with its configuration row, without which it could not start.
pub(crate) async fn insert_group(
    conn: &mut SqliteConnection,
    group: &AgentGroup,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "INSERT INTO agent_groups (id, name, folder, provider, model, runtime, memory_bytes,
             cpu_millis, pids, file_bytes, progress_ms, turn_ms, idle_ms, prompt_messages, tries,
             managed_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
    write_group(conn, sql, group, now).await?;
    sqlx::query("INSERT INTO group_config (agent_group_id, updated_at) VALUES (?1, ?2)")
        .bind(group.id.to_string())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Brings the row of a group to what `group` says; a retired one is in use again.
pub(crate) async fn update_group(
    conn: &mut SqliteConnection,
    group: &AgentGroup,
    now: Timestamp,
) -> sqlx::Result<()> {
    // The same parameters as the insert; ?17 is the time of creation, which stays.
    let sql = "UPDATE agent_groups SET name = ?2, folder = ?3, provider = ?4, model = ?5,
             runtime = ?6, memory_bytes = ?7, cpu_millis = ?8, pids = ?9, file_bytes = ?10,
             progress_ms = ?11, turn_ms = ?12, idle_ms = ?13, prompt_messages = ?14, tries = ?15,
             managed_by = ?16, retired_at = NULL, created_at = MIN(created_at, ?17)
         WHERE id = ?1";
    write_group(conn, sql, group, now).await
}

async fn write_group(
    conn: &mut SqliteConnection,
    sql: &'static str,
    group: &AgentGroup,
    now: Timestamp,
) -> sqlx::Result<()> {
    let limits = group.limits;
    sqlx::query(sql)
        .bind(group.id.to_string())
        .bind(&group.name)
        .bind(group.folder.as_str())
        .bind(&group.provider)
        .bind(group.model.as_deref())
        .bind(group.runtime.as_str())
        .bind(int(limits.memory_bytes)?)
        .bind(limits.cpu_millis)
        .bind(limits.pids)
        .bind(int(limits.file_bytes)?)
        .bind(int(limits.progress_ms)?)
        .bind(int(limits.turn_ms)?)
        .bind(int(limits.idle_ms)?)
        .bind(limits.prompt_messages)
        .bind(limits.tries)
        .bind(group.managed_by.as_str())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

pub(crate) fn parse_group(row: &SqliteRow) -> sqlx::Result<AgentGroup> {
    let fields = Fields::new("agent_groups", row);
    Ok(AgentGroup {
        id: fields.parsed("id", AgentGroupId::parse)?,
        name: fields.get("name")?,
        folder: fields.parsed("folder", FolderName::parse)?,
        provider: fields.get("provider")?,
        model: fields.get("model")?,
        runtime: fields.value("runtime", RuntimeChoice::parse)?,
        limits: GroupLimits {
            memory_bytes: fields.number("memory_bytes")?,
            cpu_millis: fields.number("cpu_millis")?,
            pids: fields.number("pids")?,
            file_bytes: fields.number("file_bytes")?,
            progress_ms: fields.number("progress_ms")?,
            turn_ms: fields.number("turn_ms")?,
            idle_ms: fields.number("idle_ms")?,
            prompt_messages: fields.number("prompt_messages")?,
            tries: fields.number("tries")?,
        },
        managed_by: fields.value("managed_by", ManagedBy::parse)?,
    })
}

fn parse_config(row: &SqliteRow) -> sqlx::Result<GroupConfig> {
    let fields = Fields::new("group_config", row);
    Ok(GroupConfig {
        assistant_name: fields.get("assistant_name")?,
        effort: fields.get("effort")?,
        image: fields.get("image")?,
        skills: fields.get("skills")?,
        mcp_servers: fields.get("mcp_servers")?,
        packages: fields.get("packages")?,
        additional_mounts: fields.get("additional_mounts")?,
        admin_scope: fields.value("admin_scope", AdminScope::parse)?,
    })
}

#[cfg(test)]
mod tests;
