//! Which agent groups hear which chats, as people add, change and remove it.
//!
//! A wiring to one chat implies a destination, made with it and gone with it: who hears a chat can
//! write to it.

use anchorhold_core::{
    entity::Wiring,
    guard::act::WiringRules,
    ids::{AgentGroupId, WiringId},
};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    conversations::{
        NewConversation, insert_conversation, insert_wiring, parse_wiring, within_file_range,
    },
    destinations::imply_destination,
    rows::Fields,
    store::{Durability, begin},
};

pub(crate) const OF_GROUP: &str = "SELECT * FROM wirings WHERE agent_group_id = ?1
     ORDER BY priority DESC, created_at, id";

/// Everything that is recorded of one wiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WiringRow {
    /// The wiring.
    pub wiring: Wiring,
    /// The higher one is judged first; 32 bits of it are kept.
    pub priority: i64,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Store {
    /// Adds a wiring, with the destination that it implies if its conversation is known; if not,
    /// the destination is made when the conversation is. There may be no wiring yet of the same
    /// chat (or instance) to the same group.
    pub async fn add_wiring(
        &self,
        wiring: &Wiring,
        priority: i64,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.add_wiring_inner(wiring, priority, None, now)
            .await
            .map_err(|source| Error::AddWiring {
                wiring: wiring.id,
                source,
            })
    }

    /// As [`Self::add_wiring`], and makes the conversation if it is not known, all in one
    /// transaction. `conversation` is that of the wiring's chat.
    pub async fn add_wiring_of_chat(
        &self,
        wiring: &Wiring,
        priority: i64,
        conversation: &NewConversation,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.add_wiring_inner(wiring, priority, Some(conversation), now)
            .await
            .map_err(|source| Error::AddWiring {
                wiring: wiring.id,
                source,
            })
    }

    async fn add_wiring_inner(
        &self,
        wiring: &Wiring,
        priority: i64,
        conversation: Option<&NewConversation>,
        now: Timestamp,
    ) -> sqlx::Result<()> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        if let Some(conversation) = conversation {
            insert_conversation(&mut tx, conversation, now).await?;
        }
        insert_wiring(&mut tx, wiring, priority, now).await?;
        imply_destination(&mut tx, wiring, now).await?;
        tx.commit().await
    }

    /// One wiring.
    pub async fn wiring(&self, wiring: WiringId) -> Result<Option<WiringRow>, Error> {
        let failed = |source| Error::Wiring { wiring, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM wirings WHERE id = ?1")
            .bind(wiring.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_row).transpose())
            .map_err(failed)
    }

    /// What the agents of a group hear, the highest priority first.
    pub async fn wirings_of_group(&self, group: AgentGroupId) -> Result<Vec<WiringRow>, Error> {
        let failed = |source| Error::WiringsOfGroup { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(OF_GROUP)
            .bind(group.to_string())
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_row).collect())
            .map_err(failed)
    }

    /// Gives a wiring that was added at run time other rules; one of the file is changed in the
    /// file. `false`, and nothing changed, if there is no such wiring.
    pub async fn update_wiring(
        &self,
        wiring: WiringId,
        rules: &WiringRules,
    ) -> Result<bool, Error> {
        let failed = |source| Error::UpdateWiring { wiring, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE wirings SET engage = ?2, pattern = ?3, sender_scope = ?4, ignored = ?5,
                 session_mode = ?6, priority = ?7
             WHERE id = ?1 AND managed_by = 'runtime'",
        )
        .bind(wiring.to_string())
        .bind(rules.engage.as_str())
        .bind(rules.pattern.as_deref())
        .bind(rules.sender_scope.as_str())
        .bind(rules.ignored.as_str())
        .bind(rules.session_mode.as_str())
        .bind(within_file_range(rules.priority))
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a wiring that was added at run time, with the destination that it implied; one of
    /// the file is removed in the file. `false` if there is no such wiring.
    pub async fn remove_wiring(&self, wiring: WiringId) -> Result<bool, Error> {
        let failed = |source| Error::RemoveWiring { wiring, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query("DELETE FROM wirings WHERE id = ?1 AND managed_by = 'runtime'")
            .bind(wiring.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}

fn parse_row(row: &SqliteRow) -> sqlx::Result<WiringRow> {
    let fields = Fields::new("wirings", row);
    Ok(WiringRow {
        wiring: parse_wiring(row)?,
        priority: fields.get("priority")?,
        created_at: fields.time("created_at")?,
    })
}

#[cfg(test)]
mod tests;
