//! Conversations, and which agent groups hear them.

use anchorhold_core::{
    entity::{
        Conversation, EngageMode, IgnoredPolicy, ManagedBy, SenderScope, SessionMode,
        UnknownSenderPolicy, Wiring,
    },
    guard::act::ConversationChange,
    ids::{AgentGroupId, ChannelName, ChatId, ConversationId, WiringId},
    inbound::ChatKind,
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    destinations::imply_destination,
    rows::{Fields, chat_kind_text, parse_chat_kind},
    store::{Durability, begin, memo::Memos},
};

pub(crate) const CONVERSATION: &str =
    "SELECT * FROM conversations WHERE channel = ?1 AND chat = ?2";

pub(crate) const WIRINGS_OF_CHAT: &str =
    "SELECT * FROM wirings WHERE channel = ?1 AND COALESCE(chat, '') = ?2";

// In this form, with the index on the same expression, only those two chats' rows are read.
pub(crate) const WIRINGS_FOR: &str = "SELECT w.* FROM wirings w
     JOIN agent_groups g ON g.id = w.agent_group_id AND g.retired_at IS NULL
     WHERE w.channel = ?1 AND COALESCE(w.chat, '') IN ('', ?2)
     ORDER BY w.priority DESC, w.created_at, w.id";

/// A chat that was seen for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConversation {
    /// The id it gets if it is not known yet.
    pub id: ConversationId,
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's chat id.
    pub chat: ChatId,
    /// Direct or group.
    pub kind: ChatKind,
    /// What the platform calls it; for show only.
    pub name: Option<String>,
    /// What happens to strangers' messages, until a person or the file says otherwise.
    pub unknown_senders: UnknownSenderPolicy,
}

/// Everything that is recorded of one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationRow {
    /// The conversation.
    pub conversation: Conversation,
    /// What it is called, for show only.
    pub name: Option<String>,
    /// When it was refused, if it is.
    pub declined_at: Option<Timestamp>,
    /// When it was first seen.
    pub created_at: Timestamp,
}

impl Store {
    /// The conversation of this chat, if it was ever seen.
    pub async fn conversation(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
    ) -> Result<Option<Conversation>, Error> {
        let failed = |source| Error::Conversation {
            channel: channel.clone(),
            chat: chat.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        let found = find(&mut conn, channel, chat).await.map_err(failed)?;
        Ok(found.map(|row| row.conversation))
    }

    /// As [`Self::conversation`], with everything that is recorded of it.
    pub async fn conversation_row(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
    ) -> Result<Option<ConversationRow>, Error> {
        let failed = |source| Error::Conversation {
            channel: channel.clone(),
            chat: chat.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        find(&mut conn, channel, chat).await.map_err(failed)
    }

    /// The conversation with this id.
    pub async fn conversation_by_id(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<ConversationRow>, Error> {
        let failed = |source| Error::ConversationById {
            conversation,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM conversations WHERE id = ?1")
            .bind(conversation.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_row).transpose())
            .map_err(failed)
    }

    /// The conversation of this chat, made if it was never seen, with the destinations that the
    /// wirings of the chat imply. A known one stays as it is.
    pub async fn ensure_conversation(
        &self,
        fresh: &NewConversation,
        now: Timestamp,
    ) -> Result<Conversation, Error> {
        // Nearly every call finds it, and finding needs no write.
        let Memos {
            changes,
            conversations,
            ..
        } = &*self.memos;
        let key = (fresh.channel.clone(), fresh.chat.clone());
        let read = self.conversation(&fresh.channel, &fresh.chat);
        let known = conversations.recall(changes, key, || Box::pin(read));
        if let Some(known) = known.await? {
            return Ok(known);
        }
        self.make_conversation(fresh, now)
            .await
            .map_err(|source| Error::EnsureConversation {
                channel: fresh.channel.clone(),
                chat: fresh.chat.clone(),
                source,
            })
    }

    async fn make_conversation(
        &self,
        fresh: &NewConversation,
        now: Timestamp,
    ) -> sqlx::Result<Conversation> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        insert_conversation(&mut tx, fresh, now).await?;
        let found = find(&mut tx, &fresh.channel, &fresh.chat).await?;
        tx.commit().await?;
        found
            .map(|row| row.conversation)
            .ok_or(sqlx::Error::RowNotFound)
    }

    /// Changes what is known of a conversation, by a person: a policy that is set here is not
    /// changed by the file again. A refusal that is set anew keeps its time; one can be taken back.
    /// `false` if there is no such conversation.
    pub async fn change_conversation(
        &self,
        conversation: ConversationId,
        change: &ConversationChange,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::ChangeConversation {
            conversation,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE conversations SET name = NULLIF(COALESCE(?2, name), ''),
                 unknown_senders = COALESCE(?3, unknown_senders),
                 policy_managed_by = CASE WHEN ?3 IS NULL THEN policy_managed_by ELSE 'runtime' END,
                 declined_at = CASE ?4 WHEN 1 THEN COALESCE(declined_at, ?5) WHEN 0 THEN NULL
                               ELSE declined_at END
             WHERE id = ?1",
        )
        .bind(conversation.to_string())
        .bind(change.name.as_deref())
        .bind(change.unknown_senders.map(UnknownSenderPolicy::as_str))
        .bind(change.declined)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Sets what happens to strangers' messages, by a person: the file does not change it again.
    /// `false` if there is no such conversation.
    pub async fn set_unknown_senders(
        &self,
        conversation: ConversationId,
        policy: UnknownSenderPolicy,
    ) -> Result<bool, Error> {
        let failed = |source| Error::SetUnknownSenders {
            conversation,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE conversations SET unknown_senders = ?2, policy_managed_by = 'runtime'
             WHERE id = ?1",
        )
        .bind(conversation.to_string())
        .bind(policy.as_str())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// The wirings that can apply to this chat, its own and the instance-wide ones, the highest
    /// priority first. Those to retired groups are left out.
    pub async fn wirings_for(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
    ) -> Result<Vec<Wiring>, Error> {
        let failed = |source| Error::WiringsFor {
            channel: channel.clone(),
            chat: chat.clone(),
            source,
        };
        let Memos {
            changes, wirings, ..
        } = &*self.memos;
        let read = async {
            let mut conn = self.reader().await?;
            let query = sqlx::query(WIRINGS_FOR)
                .bind(channel.as_str())
                .bind(chat.as_str());
            let rows = query.fetch_all(&mut *conn).await?;
            rows.iter().map(parse_wiring).collect()
        };
        let key = (channel.clone(), chat.clone());
        wirings
            .recall(changes, key, || Box::pin(read))
            .await
            .map_err(failed)
    }
}

async fn find(
    conn: &mut SqliteConnection,
    channel: &ChannelName,
    chat: &ChatId,
) -> sqlx::Result<Option<ConversationRow>> {
    let row = sqlx::query(CONVERSATION)
        .bind(channel.as_str())
        .bind(chat.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(parse_row).transpose()
}

/// Inserts a conversation that is not known yet, and what the wirings of its chat imply.
pub(crate) async fn insert_conversation(
    conn: &mut SqliteConnection,
    fresh: &NewConversation,
    now: Timestamp,
) -> sqlx::Result<()> {
    let done = sqlx::query(
        "INSERT INTO conversations (id, channel, chat, kind, name, unknown_senders,
             policy_managed_by, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'file', ?7)
         ON CONFLICT (channel, chat) DO NOTHING",
    )
    .bind(fresh.id.to_string())
    .bind(fresh.channel.as_str())
    .bind(fresh.chat.as_str())
    .bind(chat_kind_text(fresh.kind))
    .bind(fresh.name.as_deref())
    .bind(fresh.unknown_senders.as_str())
    .bind(now.as_millisecond())
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    let wirings = sqlx::query(WIRINGS_OF_CHAT)
        .bind(fresh.channel.as_str())
        .bind(fresh.chat.as_str())
        .fetch_all(&mut *conn)
        .await?;
    for row in &wirings {
        imply_destination(conn, &parse_wiring(row)?, now).await?;
    }
    Ok(())
}

/// Inserts a wiring, without the destination that it implies; see
/// [`crate::destinations::imply_destination`].
pub(crate) async fn insert_wiring(
    conn: &mut SqliteConnection,
    wiring: &Wiring,
    priority: impl Into<i64>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "INSERT INTO wirings (id, channel, chat, agent_group_id, engage, pattern,
             sender_scope, ignored, session_mode, managed_by, priority, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    write_wiring(conn, sql, wiring, priority.into(), now).await
}

/// Brings the row of a wiring to what `wiring` says.
pub(crate) async fn update_wiring(
    conn: &mut SqliteConnection,
    wiring: &Wiring,
    priority: impl Into<i64>,
    now: Timestamp,
) -> sqlx::Result<()> {
    // The same parameters as the insert; ?12 is the time of creation, which stays.
    let sql = "UPDATE wirings SET channel = ?2, chat = ?3, agent_group_id = ?4, engage = ?5,
             pattern = ?6, sender_scope = ?7, ignored = ?8, session_mode = ?9, managed_by = ?10,
             priority = ?11, created_at = MIN(created_at, ?12)
         WHERE id = ?1";
    write_wiring(conn, sql, wiring, priority.into(), now).await
}

async fn write_wiring(
    conn: &mut SqliteConnection,
    sql: &'static str,
    wiring: &Wiring,
    priority: i64,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(sql)
        .bind(wiring.id.to_string())
        .bind(wiring.channel.as_str())
        .bind(wiring.chat.as_ref().map(ChatId::as_str))
        .bind(wiring.agent_group.to_string())
        .bind(wiring.engage.as_str())
        .bind(wiring.pattern.as_deref())
        .bind(wiring.sender_scope.as_str())
        .bind(wiring.ignored.as_str())
        .bind(wiring.session_mode.as_str())
        .bind(wiring.managed_by.as_str())
        .bind(within_file_range(priority))
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// The configuration file has 32 bits for a priority, and every wiring must fit into one.
pub(crate) fn within_file_range(priority: i64) -> i64 {
    priority.clamp(i32::MIN.into(), i32::MAX.into())
}

pub(crate) fn parse_conversation(row: &SqliteRow) -> sqlx::Result<Conversation> {
    let fields = Fields::new("conversations", row);
    Ok(Conversation {
        id: fields.parsed("id", ConversationId::parse)?,
        channel: fields.parsed("channel", ChannelName::parse)?,
        chat: fields.parsed("chat", ChatId::parse)?,
        kind: fields.value("kind", parse_chat_kind)?,
        unknown_senders: fields.value("unknown_senders", UnknownSenderPolicy::parse)?,
    })
}

fn parse_row(row: &SqliteRow) -> sqlx::Result<ConversationRow> {
    let fields = Fields::new("conversations", row);
    Ok(ConversationRow {
        conversation: parse_conversation(row)?,
        name: fields.get("name")?,
        declined_at: fields.opt_time("declined_at")?,
        created_at: fields.time("created_at")?,
    })
}

pub(crate) fn parse_wiring(row: &SqliteRow) -> sqlx::Result<Wiring> {
    let fields = Fields::new("wirings", row);
    Ok(Wiring {
        id: fields.parsed("id", WiringId::parse)?,
        channel: fields.parsed("channel", ChannelName::parse)?,
        chat: fields.opt_parsed("chat", ChatId::parse)?,
        agent_group: fields.parsed("agent_group_id", AgentGroupId::parse)?,
        engage: fields.value("engage", EngageMode::parse)?,
        pattern: fields.get("pattern")?,
        sender_scope: fields.value("sender_scope", SenderScope::parse)?,
        ignored: fields.value("ignored", IgnoredPolicy::parse)?,
        session_mode: fields.value("session_mode", SessionMode::parse)?,
        managed_by: fields.value("managed_by", ManagedBy::parse)?,
    })
}

#[cfg(test)]
mod tests;
