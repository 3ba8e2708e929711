//! What became of somebody's last message, with every agent that heard it: for the person who asks.

use anchorhold_core::{
    entity::{DeliveryStatus, MessageStatus},
    ids::{ConversationId, MessageId, SessionId, UserId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{Error, Store, rows::Fields};

/// The most agents, and for each the most deliveries, that are told of.
const TRACES_LIMIT: u32 = 20;

pub(crate) const NEWEST: &str = "SELECT channel, chat, platform_message_id FROM messages
     WHERE sender_user_id = ?1 AND conversation_id = ?2 AND platform_message_id IS NOT NULL
     ORDER BY created_at DESC LIMIT 1";

pub(crate) const ROWS: &str = "SELECT m.*, g.name AS group_name FROM messages m
     JOIN sessions s ON s.id = m.session_id
     JOIN agent_groups g ON g.id = s.agent_group_id
     WHERE m.platform_message_id = ?3 AND m.chat = ?2 AND m.channel = ?1
     ORDER BY m.created_at, m.id LIMIT ?4";

pub(crate) const ANSWERS: &str = "SELECT kind, status, last_error, ended_at FROM deliveries
     WHERE in_reply_to = ?1 ORDER BY position LIMIT ?2";

/// Where one message stands with one agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTrace {
    /// The agent's name.
    pub group: String,
    /// Its session.
    pub session: SessionId,
    /// The message's number in the session.
    pub seq: i64,
    /// Where it stands.
    pub status: MessageStatus,
    /// How often it was tried in vain.
    pub tries: u32,
    /// When it is tried next; only of a pending one.
    pub next_at: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What was said in answer, in order.
    pub deliveries: Vec<DeliveryTrace>,
}

/// Where one answer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTrace {
    /// What kind of operation.
    pub kind: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Store {
    /// Where the person's newest message in a conversation stands, once for each agent that heard
    /// it. Empty if no agent has heard one.
    pub async fn last_message_of(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Vec<MessageTrace>, Error> {
        self.last_message_inner(user, conversation)
            .await
            .map_err(|source| Error::LastMessageOf {
                user,
                conversation,
                source,
            })
    }

    async fn last_message_inner(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> sqlx::Result<Vec<MessageTrace>> {
        let mut conn = self.reader().await?;
        let newest = sqlx::query(NEWEST)
            .bind(user.to_string())
            .bind(conversation.to_string())
            .fetch_optional(&mut *conn)
            .await?;
        let Some(newest) = newest else {
            return Ok(Vec::new());
        };
        let fields = Fields::new("messages", &newest);
        let (channel, chat): (&str, &str) = (fields.get("channel")?, fields.get("chat")?);
        let message_id: &str = fields.get("platform_message_id")?;
        let rows = sqlx::query(ROWS)
            .bind(channel)
            .bind(chat)
            .bind(message_id)
            .bind(TRACES_LIMIT)
            .fetch_all(&mut *conn)
            .await?;
        let mut traces = Vec::new();
        for row in &rows {
            let id = Fields::new("messages", row).parsed("id", MessageId::parse)?;
            let deliveries = answers(&mut conn, id).await?;
            traces.push(parse_trace(row, deliveries)?);
        }
        Ok(traces)
    }
}

async fn answers(
    conn: &mut SqliteConnection,
    message: MessageId,
) -> sqlx::Result<Vec<DeliveryTrace>> {
    let rows = sqlx::query(ANSWERS)
        .bind(message.to_string())
        .bind(TRACES_LIMIT)
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let fields = Fields::new("deliveries", row);
            Ok(DeliveryTrace {
                kind: fields.get("kind")?,
                status: fields.value("status", DeliveryStatus::parse)?,
                last_error: fields.get("last_error")?,
                ended_at: fields.opt_time("ended_at")?,
            })
        })
        .collect()
}

fn parse_trace(row: &SqliteRow, deliveries: Vec<DeliveryTrace>) -> sqlx::Result<MessageTrace> {
    let fields = Fields::new("messages", row);
    Ok(MessageTrace {
        group: fields.get("group_name")?,
        session: fields.parsed("session_id", SessionId::parse)?,
        seq: fields.get("seq")?,
        status: fields.value("status", MessageStatus::parse)?,
        tries: fields.number("tries")?,
        next_at: fields.opt_time("next_at")?,
        last_error: fields.get("last_error")?,
        created_at: fields.time("created_at")?,
        ended_at: fields.opt_time("ended_at")?,
        deliveries,
    })
}

#[cfg(test)]
mod tests;
