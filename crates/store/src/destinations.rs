//! Whom an agent may write to, and by what name: address book and permission in one.

use anchorhold_core::{
    entity::Wiring,
    guard::act::Target,
    ids::{AgentGroupId, ChatId, ConversationId, FolderName, WiringId},
    slug::{distinct, slug},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, opt_id},
    store::Durability,
};

pub(crate) const OF_GROUP: &str =
    "SELECT * FROM destinations WHERE agent_group_id = ?1 ORDER BY name";

pub(crate) const HAS_CONVERSATION: &str = "SELECT EXISTS (SELECT 1 FROM destinations
     WHERE target_conversation_id = ?2 AND agent_group_id = ?1)";

/// One place that an agent may write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The name that the agent uses; unique in its group.
    pub name: FolderName,
    /// Where to.
    pub target: Target,
    /// When it was added.
    pub created_at: Timestamp,
    /// The wiring that implied it; it goes with that wiring.
    pub wiring: Option<WiringId>,
}

impl Store {
    /// Where the agents of a group may write to, by name.
    pub async fn destinations(&self, group: AgentGroupId) -> Result<Vec<Destination>, Error> {
        let failed = |source| Error::Destinations { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(OF_GROUP)
            .bind(group.to_string())
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_destination).collect())
            .map_err(failed)
    }

    /// Lets the agents of a group write to a place by a name. `false`, and nothing changed, if the
    /// name is taken. A place may have several names.
    pub async fn add_destination(
        &self,
        group: AgentGroupId,
        name: &FolderName,
        target: &Target,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::AddDestination {
            group,
            name: name.clone(),
            source,
        };
        let (kind, conversation, agent) = match target {
            Target::Conversation(conversation) => ("channel", Some(*conversation), None),
            Target::Agent(agent) => ("agent", None, Some(*agent)),
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "INSERT INTO destinations (agent_group_id, name, target_type, target_conversation_id,
                 target_agent_group_id, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (agent_group_id, name) DO NOTHING",
        )
        .bind(group.to_string())
        .bind(name.as_str())
        .bind(kind)
        .bind(opt_id(conversation))
        .bind(opt_id(agent))
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// The agents of the group may write there no longer by this name, whether it was added or a
    /// wiring implied it. `false` if there was no such name.
    pub async fn remove_destination(
        &self,
        group: AgentGroupId,
        name: &FolderName,
    ) -> Result<bool, Error> {
        let failed = |source| Error::RemoveDestination {
            group,
            name: name.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query("DELETE FROM destinations WHERE agent_group_id = ?1 AND name = ?2")
            .bind(group.to_string())
            .bind(name.as_str())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}

/// Makes the destination that a wiring implies: who hears a chat can write to it. Its name comes
/// from the conversation's name, or else from the chat's id. Returns whether one was made.
///
/// None is where the wiring is of a whole instance, where the conversation is not known yet (it is
/// made when the conversation is), and where the group has a destination for it already.
///
/// It counts as made at run time also if the wiring is the file's: it goes with the wiring, and is
/// not the file's to list.
pub(crate) async fn imply_destination(
    conn: &mut SqliteConnection,
    wiring: &Wiring,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let Some(chat) = &wiring.chat else {
        return Ok(false);
    };
    let row = sqlx::query("SELECT id, name FROM conversations WHERE channel = ?1 AND chat = ?2")
        .bind(wiring.channel.as_str())
        .bind(chat.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else {
        return Ok(false);
    };
    let fields = Fields::new("conversations", &row);
    let conversation = fields.parsed("id", ConversationId::parse)?;
    let known: bool = sqlx::query_scalar(HAS_CONVERSATION)
        .bind(wiring.agent_group.to_string())
        .bind(conversation.to_string())
        .fetch_one(&mut *conn)
        .await?;
    if known {
        return Ok(false);
    }
    let called: Option<&str> = fields.get("name")?;
    let name = free_name(conn, wiring.agent_group, called, chat).await?;
    sqlx::query(
        "INSERT INTO destinations (agent_group_id, name, target_type, target_conversation_id,
             created_at, wiring_id)
         VALUES (?1, ?2, 'channel', ?3, ?4, ?5)",
    )
    .bind(wiring.agent_group.to_string())
    .bind(name)
    .bind(conversation.to_string())
    .bind(now.as_millisecond())
    .bind(wiring.id.to_string())
    .execute(conn)
    .await?;
    Ok(true)
}

async fn free_name(
    conn: &mut SqliteConnection,
    group: AgentGroupId,
    called: Option<&str>,
    chat: &ChatId,
) -> sqlx::Result<String> {
    let taken: Vec<String> =
        sqlx::query_scalar("SELECT name FROM destinations WHERE agent_group_id = ?1")
            .bind(group.to_string())
            .fetch_all(conn)
            .await?;
    let wanted = slug(called.unwrap_or(chat.as_str()));
    Ok(distinct(&wanted, |name| {
        taken.iter().any(|other| other == name)
    }))
}

fn parse_destination(row: &SqliteRow) -> sqlx::Result<Destination> {
    let fields = Fields::new("destinations", row);
    let conversation = fields.opt_parsed("target_conversation_id", ConversationId::parse)?;
    let target = match conversation {
        Some(conversation) => Target::Conversation(conversation),
        None => Target::Agent(fields.parsed("target_agent_group_id", AgentGroupId::parse)?),
    };
    Ok(Destination {
        name: fields.parsed("name", FolderName::parse)?,
        target,
        created_at: fields.time("created_at")?,
        wiring: fields.opt_parsed("wiring_id", WiringId::parse)?,
    })
}

#[cfg(test)]
mod tests;
