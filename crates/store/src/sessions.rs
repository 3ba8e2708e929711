//! Sessions: one agent's memory of one conversation or thread.

use anchorhold_core::{
    entity::{Session, SessionKey},
    ids::{AgentGroupId, ConversationId, SessionId, ThreadId},
    sandbox::Generation,
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, opt_id, opt_thread},
    store::{Durability, begin, memo::Memos},
    trace::{self, About, Event},
};

pub(crate) const OPEN_SESSION: &str = "SELECT * FROM sessions WHERE agent_group_id = ?1
     AND COALESCE(conversation_id, '') = COALESCE(?2, '') AND COALESCE(thread, '') = COALESCE(?3, '')
     AND closed_at IS NULL";

pub(crate) const WAKE: &str = "UPDATE sessions
     SET dormant_at = NULL, last_active_at = MAX(last_active_at, ?4)
     WHERE agent_group_id = ?1 AND COALESCE(conversation_id, '') = COALESCE(?2, '')
         AND COALESCE(thread, '') = COALESCE(?3, '') AND closed_at IS NULL
         AND dormant_at IS NOT NULL";

pub(crate) const SESSIONS: &str = "SELECT s.*,
         (SELECT COUNT(*) FROM messages m WHERE m.session_id = s.id AND m.status = 'pending') AS pending
     FROM sessions s ORDER BY s.last_active_at DESC LIMIT ?1";

pub(crate) const FAULTED: &str =
    "SELECT id FROM sessions WHERE faulted_at IS NOT NULL ORDER BY faulted_at LIMIT ?1";

pub(crate) const OF_GROUP: &str = "SELECT * FROM sessions
     WHERE agent_group_id = ?1 AND closed_at IS NULL ORDER BY last_active_at DESC";

pub(crate) const ANSWERED: &str = "SELECT
     (SELECT COUNT(*) FROM messages WHERE session_id = ?1 AND status = 'done') AS done,
     (SELECT COUNT(*) FROM messages WHERE session_id = ?1 AND status = 'failed') AS failed,
     (SELECT COUNT(*) FROM deliveries WHERE session_id = ?1 AND status = 'sent') AS sent";

/// Everything that is recorded of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Who it is.
    pub session: Session,
    /// The highest sequence number that the host has given.
    pub in_seq: i64,
    /// Up to which sequence number `outbound.db` was pulled.
    pub out_cursor: i64,
    /// Up to which number what the agent-runner has handled was pulled.
    pub handled_cursor: i64,
    /// The highest request from inside that was answered.
    pub replied: i64,
    /// What is wrong with its files, if anything.
    pub fault: Option<Fault>,
    /// When something last went in or out.
    pub last_active_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it fell asleep, if it sleeps: it owed nothing for long. The next message wakes it.
    pub dormant_at: Option<Timestamp>,
    /// When it was closed, if it is.
    pub closed_at: Option<Timestamp>,
}

/// What is wrong with a session's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The fault, for people.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}

/// One line of the list of sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// The session.
    pub row: SessionRow,
    /// How many of its messages wait for an answer.
    pub pending: u64,
}

/// What a session has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    /// Messages that ended well.
    pub done: u64,
    /// Messages that were given up.
    pub failed: u64,
    /// Deliveries that the platforms have taken.
    pub sent: u64,
}

impl Store {
    /// The open session of this key, woken if it sleeps, made with the id `fresh` if there is none.
    ///
    /// However many ask at once, in this process or another, all get the same one.
    pub async fn session_for(
        &self,
        key: &SessionKey,
        fresh: SessionId,
        now: Timestamp,
    ) -> Result<Session, Error> {
        self.session_for_inner(key, fresh, now)
            .await
            .map_err(|source| Error::SessionFor {
                group: key.agent_group,
                conversation: key.conversation,
                source,
            })
    }

    async fn session_for_inner(
        &self,
        key: &SessionKey,
        fresh: SessionId,
        now: Timestamp,
    ) -> sqlx::Result<Session> {
        // Nearly every call finds it, and finding needs no write.
        let Memos {
            changes, sessions, ..
        } = &*self.memos;
        let read = async {
            let row = find_row(&mut *self.reader().await?, key).await?;
            let known = row.as_ref().map(parse_row).transpose()?;
            let awake = known.filter(|known| known.dormant_at.is_none());
            Ok::<_, sqlx::Error>(awake.map(|known| known.session))
        };
        if let Some(known) = sessions
            .recall(changes, key.clone(), || Box::pin(read))
            .await?
        {
            return Ok(known);
        }
        // Whatever comes to rely on it commits after it, and takes it along.
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        // One that sleeps is woken with its memory as it was.
        sqlx::query(WAKE)
            .bind(key.agent_group.to_string())
            .bind(opt_id(key.conversation))
            .bind(opt_thread(key.thread.as_ref()))
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await?;
        // The unique index on the key of open sessions decides who makes it.
        sqlx::query(
            "INSERT INTO sessions (id, agent_group_id, conversation_id, thread, last_active_at,
                 created_at, tend_at, journaled)
             SELECT ?1, ?2, ?3, ?4, ?5, ?5, ?5 + 86400000, 1 WHERE NOT EXISTS (
                 SELECT 1 FROM sessions WHERE agent_group_id = ?2
                     AND COALESCE(conversation_id, '') = COALESCE(?3, '')
                     AND COALESCE(thread, '') = COALESCE(?4, '') AND closed_at IS NULL)",
        )
        .bind(fresh.to_string())
        .bind(key.agent_group.to_string())
        .bind(opt_id(key.conversation))
        .bind(opt_thread(key.thread.as_ref()))
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?;
        let session = find(&mut tx, key).await?.ok_or(sqlx::Error::RowNotFound)?;
        tx.commit().await?;
        Ok(session)
    }

    /// Everything that is recorded of one session.
    pub async fn session(&self, session: SessionId) -> Result<Option<SessionRow>, Error> {
        let failed = |source| Error::Session { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM sessions WHERE id = ?1")
            .bind(session.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_row).transpose())
            .map_err(failed)
    }

    /// The open session of this key, if there is one; none is made.
    pub async fn session_by_key(&self, key: &SessionKey) -> Result<Option<SessionRow>, Error> {
        let failed = |source| Error::SessionByKey {
            group: key.agent_group,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = find_row(&mut conn, key).await.map_err(failed)?;
        row.as_ref().map(parse_row).transpose().map_err(failed)
    }

    /// The open sessions of a group, the one that was active last first.
    pub async fn group_sessions(&self, group: AgentGroupId) -> Result<Vec<SessionRow>, Error> {
        let failed = |source| Error::GroupSessions { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(OF_GROUP)
            .bind(group.to_string())
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_row).collect())
            .map_err(failed)
    }

    /// What a session has done so far. Reads its history: for people, not for the data path.
    pub async fn answered(&self, session: SessionId) -> Result<Answered, Error> {
        let failed = |source| Error::Answered { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(ANSWERED)
            .bind(session.to_string())
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| {
                let fields = Fields::new("answered", &row);
                Ok(Answered {
                    done: fields.number("done")?,
                    failed: fields.number("failed")?,
                    sent: fields.number("sent")?,
                })
            })
            .map_err(failed)
    }

    /// The sessions that were active last, at most `limit`.
    pub async fn sessions(&self, limit: u32) -> Result<Vec<SessionSummary>, Error> {
        let failed = |source| Error::Sessions { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(SESSIONS)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_summary).collect())
            .map_err(failed)
    }

    /// Closes a session that owes nothing: the next message of its key begins a new one.
    /// `false`, and nothing changed, if it has pending messages or deliveries, or is not open.
    pub async fn close_session(&self, session: SessionId, now: Timestamp) -> Result<bool, Error> {
        let failed = |source| Error::CloseSession { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE sessions SET closed_at = ?2 WHERE id = ?1 AND closed_at IS NULL
                 AND NOT EXISTS (SELECT 1 FROM messages
                                 WHERE session_id = ?1 AND status = 'pending')
                 AND NOT EXISTS (SELECT 1 FROM deliveries
                                 WHERE session_id = ?1 AND status = 'pending')",
        )
        .bind(session.to_string())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Counts up the session's generation, because a sandbox is about to start.
    ///
    /// Survives the loss of power when it returns, so that no number is given twice.
    pub async fn begin_generation(
        &self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Generation, Error> {
        let failed = |source| Error::BeginGeneration { session, source };
        let mut conn = self.writer(Durability::Power).await.map_err(failed)?;
        // A transaction of its own, although it is one statement: with RETURNING, the row is
        // there before the commit is, and only an explicit commit is waited for.
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let row = sqlx::query(
            "UPDATE sessions SET generation = generation + 1, last_active_at = ?2, dormant_at = NULL
             WHERE id = ?1 RETURNING generation",
        )
        .bind(session.to_string())
        .bind(now.as_millisecond())
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        let generation = parse_generation(Fields::new("sessions", &row)).map_err(failed)?;
        let starting = Event::Starting { generation };
        trace::add(&mut tx, About::Session(session), starting, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(generation)
    }

    /// The session's latest generation; 0 before the first sandbox.
    pub async fn generation(&self, session: SessionId) -> Result<Generation, Error> {
        let failed = |source| Error::Generation { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query("SELECT generation FROM sessions WHERE id = ?1")
            .bind(session.to_string())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
        parse_generation(Fields::new("sessions", &row)).map_err(failed)
    }

    /// Notes that something is wrong with the session's files. It is left alone
    /// ([`Store::due_sessions`] skips it) until the fault is cleared. The first time stays.
    pub async fn set_fault(
        &self,
        session: SessionId,
        what: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::SetFault { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "UPDATE sessions SET fault = ?2, faulted_at = COALESCE(faulted_at, ?3) WHERE id = ?1",
        )
        .bind(session.to_string())
        .bind(what)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// The session's files are well again.
    pub async fn clear_fault(&self, session: SessionId) -> Result<(), Error> {
        let failed = |source| Error::ClearFault { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("UPDATE sessions SET fault = NULL, faulted_at = NULL WHERE id = ?1")
            .bind(session.to_string())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Sessions with a fault, those with the oldest first, at most `limit`: for whoever looks
    /// whether they are well again.
    pub async fn faulted_sessions(&self, limit: u32) -> Result<Vec<SessionId>, Error> {
        let failed = |source| Error::FaultedSessions { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(FAULTED)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| {
                rows.iter()
                    .map(|row| Fields::new("sessions", row).parsed("id", SessionId::parse))
                    .collect()
            })
            .map_err(failed)
    }
}

async fn find(conn: &mut SqliteConnection, key: &SessionKey) -> sqlx::Result<Option<Session>> {
    let row = find_row(conn, key).await?;
    row.as_ref()
        .map(|row| parse_session(Fields::new("sessions", row)))
        .transpose()
}

async fn find_row(
    conn: &mut SqliteConnection,
    key: &SessionKey,
) -> sqlx::Result<Option<SqliteRow>> {
    sqlx::query(OPEN_SESSION)
        .bind(key.agent_group.to_string())
        .bind(opt_id(key.conversation))
        .bind(opt_thread(key.thread.as_ref()))
        .fetch_optional(conn)
        .await
}

fn parse_session(fields: Fields<'_>) -> sqlx::Result<Session> {
    Ok(Session {
        id: fields.parsed("id", SessionId::parse)?,
        key: SessionKey {
            agent_group: fields.parsed("agent_group_id", AgentGroupId::parse)?,
            conversation: fields.opt_parsed("conversation_id", ConversationId::parse)?,
            thread: fields.opt_parsed("thread", ThreadId::parse)?,
        },
        generation: parse_generation(fields)?,
    })
}

fn parse_generation(fields: Fields<'_>) -> sqlx::Result<Generation> {
    fields.number("generation").map(Generation)
}

fn parse_row(row: &SqliteRow) -> sqlx::Result<SessionRow> {
    let fields = Fields::new("sessions", row);
    let what: Option<String> = fields.get("fault")?;
    let fault = match what {
        Some(what) => Some(Fault {
            what,
            since: fields.time("faulted_at")?,
        }),
        None => None,
    };
    Ok(SessionRow {
        session: parse_session(fields)?,
        in_seq: fields.get("in_seq")?,
        out_cursor: fields.get("out_cursor")?,
        handled_cursor: fields.get("handled_cursor")?,
        replied: fields.get("replied")?,
        fault,
        last_active_at: fields.time("last_active_at")?,
        created_at: fields.time("created_at")?,
        dormant_at: fields.opt_time("dormant_at")?,
        closed_at: fields.opt_time("closed_at")?,
    })
}

fn parse_summary(row: &SqliteRow) -> sqlx::Result<SessionSummary> {
    Ok(SessionSummary {
        row: parse_row(row)?,
        pending: Fields::new("sessions", row).number("pending")?,
    })
}

#[cfg(test)]
mod tests;
