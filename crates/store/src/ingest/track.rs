//! One message gets its number, is put on record, and is kept in the journal.

use std::collections::{HashMap, hash_map::Entry};

use anchorhold_core::{
    context::Room,
    entity::MessageStatus,
    ids::{PlatformMessageId, SessionId},
    order,
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    ingest::{Key, MessageRole, NewMessage, Tracked},
    rows::{Fields, opt_id, opt_thread},
};

pub(crate) const NUMBERS: &str = "SELECT in_seq, out_cursor FROM sessions WHERE id = ?1";

pub(crate) const BY_PLATFORM_ID: &str = "SELECT seq FROM messages
     WHERE session_id = ?1 AND channel = ?2 AND chat = ?3 AND platform_message_id = ?4";

pub(crate) const BY_WORD: &str = "SELECT seq FROM messages
     WHERE session_id = ?1 AND channel = ?2 AND chat = ?3 AND word = ?4 AND word IS NOT NULL";

pub(crate) const CONTEXT: &str = "SELECT m.seq, m.created_at, OCTET_LENGTH(j.payload) AS bytes
     FROM messages m JOIN journal j ON j.session_id = m.session_id AND j.seq = m.seq
     WHERE m.session_id = ?1 AND m.status = 'context' ORDER BY m.seq DESC";

pub(crate) const END_CONTEXT: &str = "UPDATE messages SET status = 'done', ended_at = ?3
     WHERE session_id = ?1 AND seq = ?2 AND status = 'context'";

/// The numbers of the sessions that one transaction gives messages to.
#[derive(Debug, Default)]
pub(super) struct Numbers(HashMap<SessionId, Given>);

#[derive(Clone, Copy, Debug)]
struct Given {
    /// The host's highest.
    highest: i64,
    /// The agent's, as far as it was read.
    read: i64,
    /// Was the highest given here?
    moved: bool,
    /// When something came in here last.
    active_at: Option<Timestamp>,
}

impl Numbers {
    async fn of(
        &mut self,
        conn: &mut SqliteConnection,
        session: SessionId,
    ) -> sqlx::Result<&mut Given> {
        match self.0.entry(session) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(free) => {
                let row = sqlx::query(NUMBERS)
                    .bind(session.to_string())
                    .fetch_one(conn)
                    .await?;
                let fields = Fields::new("sessions", &row);
                Ok(free.insert(Given {
                    highest: fields.get("in_seq")?,
                    read: fields.get("out_cursor")?,
                    moved: false,
                    active_at: None,
                }))
            }
        }
    }

    /// The session's next number, which is not given yet.
    pub(super) async fn next(
        &mut self,
        conn: &mut SqliteConnection,
        session: SessionId,
        said: i64,
    ) -> sqlx::Result<i64> {
        let given = self.of(conn, session).await?;
        Ok(order::next_of_host(given.highest.max(given.read), said))
    }

    /// Is this the highest number of the session?
    pub(super) async fn is_latest(
        &mut self,
        conn: &mut SqliteConnection,
        session: SessionId,
        seq: i64,
    ) -> sqlx::Result<bool> {
        Ok(self.of(conn, session).await?.highest == seq)
    }

    /// Gives a number of a session that was asked for one, to something that came at a time.
    pub(super) fn take(&mut self, session: SessionId, seq: i64, at: Option<Timestamp>) {
        if let Some(given) = self.0.get_mut(&session) {
            given.highest = given.highest.max(seq);
            given.moved = true;
            given.active_at = given.active_at.max(at);
        }
    }

    /// Puts on record what was given.
    pub(super) async fn save(&self, conn: &mut SqliteConnection) -> sqlx::Result<()> {
        for (session, given) in self.0.iter().filter(|(_, given)| given.moved) {
            let update = match given.active_at {
                Some(at) => sqlx::query(
                    "UPDATE sessions SET in_seq = ?2, dormant_at = NULL,
                         last_active_at = MAX(last_active_at, ?3) WHERE id = ?1",
                )
                .bind(session.to_string())
                .bind(given.highest)
                .bind(at.as_millisecond()),
                None => sqlx::query("UPDATE sessions SET in_seq = ?2 WHERE id = ?1")
                    .bind(session.to_string())
                    .bind(given.highest),
            };
            update.execute(&mut *conn).await?;
        }
        Ok(())
    }
}

/// Puts a message on record and into the journal, unless it is on record already.
pub(super) async fn track(
    conn: &mut SqliteConnection,
    numbers: &mut Numbers,
    message: &NewMessage,
) -> sqlx::Result<Tracked> {
    let session = message.session;
    let seq = match message.reserved {
        Some(seq) => seq,
        None => numbers.next(conn, session, message.said).await?,
    };
    if !insert(conn, message, seq).await? {
        return Ok(Tracked {
            seq: known(conn, message).await?,
            fresh: false,
            surplus: Vec::new(),
        });
    }
    sqlx::query(
        "INSERT INTO journal (session_id, seq, kind, version, payload, fresh_only)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(session.to_string())
    .bind(seq)
    .bind(&message.body.kind)
    .bind(message.body.version)
    .bind(&message.body.payload)
    .bind(message.body.fresh_only.map(|generation| generation.0))
    .execute(&mut *conn)
    .await?;
    numbers.take(session, seq, Some(message.created_at));
    let surplus = match message.role {
        MessageRole::Due(_) => Vec::new(),
        MessageRole::Context => end_surplus(conn, session, message.created_at).await?,
    };
    Ok(Tracked {
        seq,
        fresh: true,
        surplus,
    })
}

/// `false` if something is in its place: the same message, or another one with its number.
async fn insert(conn: &mut SqliteConnection, message: &NewMessage, seq: i64) -> sqlx::Result<bool> {
    let (status, due) = match message.role {
        MessageRole::Due(due) => (MessageStatus::Pending, Some(due)),
        MessageRole::Context => (MessageStatus::Context, None),
    };
    let (platform_id, word) = match &message.key {
        Key::Platform(id) => (Some(id.as_str()), None),
        Key::Word(word) => (None, Some(word.as_str())),
    };
    let inserted = sqlx::query(
        "INSERT INTO messages (id, session_id, seq, conversation_id, channel, chat, thread,
             platform_message_id, word, sender_user_id, status, next_at, due_since, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)
         ON CONFLICT DO NOTHING",
    )
    .bind(message.id.to_string())
    .bind(message.session.to_string())
    .bind(seq)
    .bind(opt_id(message.conversation))
    .bind(message.address.channel.as_str())
    .bind(message.address.chat.as_str())
    .bind(opt_thread(message.address.thread.as_ref()))
    .bind(platform_id)
    .bind(word)
    .bind(opt_id(message.sender))
    .bind(status.as_str())
    .bind(due.map(Timestamp::as_millisecond))
    .bind(message.created_at.as_millisecond())
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() > 0)
}

/// The number of the same message. Where another one stands in its place, nothing is found.
async fn known(conn: &mut SqliteConnection, message: &NewMessage) -> sqlx::Result<i64> {
    let (sql, key): (_, &PlatformMessageId) = match &message.key {
        Key::Platform(id) => (BY_PLATFORM_ID, id),
        Key::Word(word) => (BY_WORD, word),
    };
    sqlx::query_scalar(sql)
        .bind(message.session.to_string())
        .bind(message.address.channel.as_str())
        .bind(message.address.chat.as_str())
        .bind(key.as_str())
        .fetch_one(conn)
        .await
}

/// Ends the context of a session that there is no room for, the newest kept; tells it oldest first.
async fn end_surplus(
    conn: &mut SqliteConnection,
    session: SessionId,
    now: Timestamp,
) -> sqlx::Result<Vec<i64>> {
    let rows = sqlx::query(CONTEXT)
        .bind(session.to_string())
        .fetch_all(&mut *conn)
        .await?;
    let mut room = Room::at(now);
    let mut surplus = Vec::new();
    for row in &rows {
        let fields = Fields::new("messages", row);
        let bytes: usize = fields.number("bytes")?;
        if !room.takes(bytes, fields.time("created_at")?) {
            surplus.push(fields.get("seq")?);
        }
    }
    surplus.reverse();
    for seq in &surplus {
        sqlx::query(END_CONTEXT)
            .bind(session.to_string())
            .bind(seq)
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await?;
    }
    Ok(surplus)
}
