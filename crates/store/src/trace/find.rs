//! Which message is meant.

use anchorhold_core::ids::{
    AgentGroupId, ChannelName, ChatId, ConversationId, MessageId, OutboundId, PlatformMessageId,
    SessionId, UserId,
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{Error, Store, rows::Fields};

/// The most candidates that are told of.
pub const CANDIDATES_LIMIT: u32 = 20;

pub(crate) const BY_ID: &str =
    "SELECT channel, chat, platform_message_id, session_id, seq, created_at
     FROM messages WHERE id = ?1";

pub(crate) const BY_SEQ: &str = "SELECT channel, chat, platform_message_id, session_id, seq,
         created_at FROM messages WHERE session_id = ?1 AND seq = ?2";

pub(crate) const BY_OUTBOUND: &str =
    "SELECT m.channel, m.chat, m.platform_message_id, m.session_id,
         m.seq, m.created_at FROM deliveries d JOIN messages m ON m.id = d.in_reply_to
     WHERE d.id = ?1";

pub(crate) const BY_OUTBOUND_SEQ: &str = "SELECT m.channel, m.chat, m.platform_message_id,
         m.session_id, m.seq, m.created_at FROM deliveries d JOIN messages m ON m.id = d.in_reply_to
     WHERE d.session_id = ?1 AND d.seq = ?2";

// A message that nobody heard is only in the trace.
pub(crate) const BY_PLATFORM: &str = "SELECT channel, chat, message_id AS platform_message_id,
         NULL AS session_id, NULL AS seq, MIN(at) AS created_at FROM trace
     WHERE message_id = ?1 AND message_id IS NOT NULL GROUP BY chat, channel LIMIT ?2";

pub(crate) const BY_PLATFORM_HEARD: &str = "SELECT channel, chat, platform_message_id,
         NULL AS session_id, NULL AS seq, MIN(created_at) AS created_at FROM messages
     WHERE platform_message_id = ?1 GROUP BY chat, channel LIMIT ?2";

pub(crate) const LAST_OF_PERSON: &str =
    "SELECT channel, chat, platform_message_id, session_id, seq,
         created_at FROM messages
     WHERE sender_user_id = ?1 AND conversation_id = ?2 AND platform_message_id IS NOT NULL
     ORDER BY created_at DESC LIMIT 1";

// Reads back from the newest row, so far: in a chat that is in use it is soon found.
const LAST_OF_CHAT: &str = "SELECT channel, chat, message_id AS platform_message_id,
         NULL AS session_id, NULL AS seq, at AS created_at FROM trace
     WHERE id > (SELECT MAX(id) FROM trace) - 200000
         AND what = 'received' AND channel = ?1 AND chat = ?2
         AND (?3 IS NULL OR EXISTS (
             SELECT 1 FROM messages m JOIN sessions s ON s.id = m.session_id
             WHERE m.platform_message_id = trace.message_id AND m.chat = trace.chat
                 AND m.channel = trace.channel AND s.agent_group_id = ?3))
     ORDER BY id DESC LIMIT 1";

// For people at a command line: there are as many rows as there are chats.
const CALLED: &str =
    "SELECT channel, chat FROM conversations WHERE chat = ?1 OR name = ?1 LIMIT ?2";

const BY_ANSWER: &str = "SELECT m.channel, m.chat, m.platform_message_id, m.session_id, m.seq,
         m.created_at FROM deliveries d JOIN messages m ON m.id = d.in_reply_to
     WHERE d.platform_message_id = ?1 LIMIT ?2";

const BY_HOST_ANSWER: &str = "SELECT channel, chat, message_id AS platform_message_id,
         NULL AS session_id, NULL AS seq, at AS created_at FROM trace
     WHERE what = 'received' AND json_extract(detail, '$.answer') = ?1 LIMIT ?2";

/// One message that can be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A platform's message, with every agent that heard it.
    Said {
        /// The channel instance.
        channel: ChannelName,
        /// The chat.
        chat: ChatId,
        /// The platform's id.
        id: PlatformMessageId,
    },
    /// A word of the host's own to one session.
    Word {
        /// Which session.
        session: SessionId,
        /// Its number there.
        seq: i64,
    },
}

/// A message that can be meant, and since when it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub subject: Subject,
    /// When it was received.
    pub at: Timestamp,
}

impl Store {
    /// The messages that `text` can mean, at most [`CANDIDATES_LIMIT`]: a platform's id of a message,
    /// our id of it or of something that was said in answer, or `SESSION:SEQ`. Where these are none, a
    /// `thorough` look reads all that was sent for the platform's id of an answer.
    pub async fn find_traced(&self, text: &str, thorough: bool) -> Result<Vec<Candidate>, Error> {
        let failed = |source| Error::FindTraced { source };
        let mut conn = self.reader().await.map_err(failed)?;
        find(&mut conn, text, thorough).await.map_err(failed)
    }

    /// The newest message of a chat; with a group, the newest that one of its agents heard.
    pub async fn last_traced(
        &self,
        (channel, chat): (&ChannelName, &ChatId),
        group: Option<AgentGroupId>,
    ) -> Result<Option<Candidate>, Error> {
        let failed = |source| Error::FindTraced { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query(LAST_OF_CHAT)
            .bind(channel.as_str())
            .bind(chat.as_str())
            .bind(group.map(|group| group.to_string()))
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref().map(parse).transpose().map_err(failed)
    }

    /// The chats whose id or name is `name`, at most `limit`.
    pub async fn conversations_called(
        &self,
        name: &str,
        limit: u32,
    ) -> Result<Vec<(ChannelName, ChatId)>, Error> {
        let failed = |source| Error::FindTraced { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let rows = sqlx::query(CALLED)
            .bind(name)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .map_err(failed)?;
        let place = |row: &SqliteRow| {
            let fields = Fields::new("conversations", row);
            Ok((
                fields.parsed("channel", ChannelName::parse)?,
                fields.parsed("chat", ChatId::parse)?,
            ))
        };
        rows.iter()
            .map(place)
            .collect::<sqlx::Result<_>>()
            .map_err(failed)
    }

    /// A person's newest message in a conversation that an agent has heard.
    pub async fn last_traced_of(
        &self,
        user: UserId,
        conversation: ConversationId,
    ) -> Result<Option<Candidate>, Error> {
        let failed = |source| Error::FindTraced { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query(LAST_OF_PERSON)
            .bind(user.to_string())
            .bind(conversation.to_string())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref().map(parse).transpose().map_err(failed)
    }
}

async fn find(
    conn: &mut SqliteConnection,
    text: &str,
    thorough: bool,
) -> sqlx::Result<Vec<Candidate>> {
    if let Some((session, seq)) = text.rsplit_once(':')
        && let (Ok(session), Ok(seq)) = (SessionId::parse(session), seq.parse::<i64>())
    {
        for sql in [BY_SEQ, BY_OUTBOUND_SEQ] {
            let found = sqlx::query(sql).bind(session.to_string()).bind(seq);
            let found = found.fetch_all(&mut *conn).await?;
            if !found.is_empty() {
                return found.iter().map(parse).collect();
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(id) = MessageId::parse(text) {
        let rows = sqlx::query(BY_ID).bind(id.to_string());
        take(&mut found, &rows.fetch_all(&mut *conn).await?)?;
    }
    if let Ok(id) = OutboundId::parse(text) {
        let rows = sqlx::query(BY_OUTBOUND).bind(id.to_string());
        take(&mut found, &rows.fetch_all(&mut *conn).await?)?;
    }
    for sql in [BY_PLATFORM_HEARD, BY_PLATFORM] {
        let rows = sqlx::query(sql).bind(text).bind(CANDIDATES_LIMIT);
        take(&mut found, &rows.fetch_all(&mut *conn).await?)?;
    }
    if found.is_empty() && thorough {
        for sql in [BY_HOST_ANSWER, BY_ANSWER] {
            let rows = sqlx::query(sql).bind(text).bind(CANDIDATES_LIMIT);
            take(&mut found, &rows.fetch_all(&mut *conn).await?)?;
        }
    }
    found.truncate(usize::try_from(CANDIDATES_LIMIT).unwrap_or(usize::MAX));
    Ok(found)
}

/// Adds what was not found yet.
fn take(found: &mut Vec<Candidate>, rows: &[SqliteRow]) -> sqlx::Result<()> {
    for row in rows {
        let candidate = parse(row)?;
        if !found.iter().any(|one| one.subject == candidate.subject) {
            found.push(candidate);
        }
    }
    Ok(())
}

fn parse(row: &SqliteRow) -> sqlx::Result<Candidate> {
    let fields = Fields::new("messages", row);
    let id = fields.opt_parsed("platform_message_id", PlatformMessageId::parse)?;
    let subject = match id {
        Some(id) => Subject::Said {
            channel: fields.parsed("channel", ChannelName::parse)?,
            chat: fields.parsed("chat", ChatId::parse)?,
            id,
        },
        None => Subject::Word {
            session: fields.parsed("session_id", SessionId::parse)?,
            seq: fields.get("seq")?,
        },
    };
    Ok(Candidate {
        subject,
        at: fields.time("created_at")?,
    })
}
