//! What agents ask people: each question is answered once, or expires.

use anchorhold_core::ids::{OutboundId, QuestionId, SessionId, UserId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    rows::{Fields, opt_id, text_enum, to_json},
    store::{Durability, begin},
};

/// The shortest code that names a question or an approval; see [`QuestionId::code`].
pub(crate) const CODE_CHARS: usize = 6;
/// The most ids that one code brings: more than one needs the whole id anyway.
pub(crate) const CODE_MATCHES: u32 = 10;

pub(crate) const BY_CODE: &str = "SELECT id FROM questions
     WHERE status = 'open' AND substr(id, -length(?1)) = ?1 ORDER BY expires_at LIMIT ?2";

pub(crate) const EXPIRE: &str = "UPDATE questions SET status = 'expired' WHERE id IN (
     SELECT id FROM questions WHERE status = 'open' AND expires_at <= ?1
     ORDER BY expires_at LIMIT ?2)";

pub(crate) const CLOSE: &str = "UPDATE questions SET status = 'expired'
     WHERE session_id = ?1 AND status = 'open' AND delivery_id IN (
         SELECT id FROM deliveries WHERE session_id = ?1 AND seq = ?2)";

pub(crate) const UNSETTLED: &str = "SELECT
         (SELECT count(*) FROM deliveries WHERE session_id = ?1 AND status = 'pending'),
         (SELECT count(*) FROM questions WHERE session_id = ?1 AND status = 'open'
             AND expires_at > ?2)";

pub(crate) const SAID_SINCE: &str = "SELECT count(*) FROM deliveries
     WHERE session_id = ?1 AND seq IS NOT NULL AND channel = ?2 AND created_at > ?3";

text_enum! {
    /// Where a question stands.
    QuestionStatus {
        /// Nobody has answered yet.
        Open = "open",
        /// Somebody has answered.
        Answered = "answered",
        /// Nobody has answered in time.
        Expired = "expired",
    }
}

/// A question that is about to be asked.
#[derive(Clone, PartialEq, Eq)]
pub struct NewQuestion {
    /// What an answer names it by.
    pub id: QuestionId,
    /// Whose it is.
    pub session: SessionId,
    /// The delivery that asks it, which is on record already.
    pub delivery: OutboundId,
    /// A short heading.
    pub title: String,
    /// The answers to choose from, in order.
    pub options: Vec<String>,
    /// From when on no answer counts.
    pub expires_at: Timestamp,
}

/// One question as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct QuestionRow {
    /// Its id.
    pub id: QuestionId,
    /// Whose it is.
    pub session: SessionId,
    /// The delivery that asks it.
    pub delivery: OutboundId,
    /// Its heading.
    pub title: String,
    /// The answers to choose from, in order.
    pub options: Vec<String>,
    /// Where it stands.
    pub status: QuestionStatus,
    /// The answer that was chosen.
    pub answer: Option<String>,
    /// Who chose it.
    pub answered_by: Option<UserId>,
    /// When it was asked.
    pub created_at: Timestamp,
    /// From when on no answer counts.
    pub expires_at: Timestamp,
    /// When it was answered.
    pub answered_at: Option<Timestamp>,
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answering {
    /// It counts.
    Now,
    /// Another one came first.
    Already,
    /// It came too late.
    Expired,
    /// There is no such question, or it has no such answer.
    Gone,
}

impl std::fmt::Debug for NewQuestion {
    /// What is asked never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewQuestion")
            .field("id", &self.id)
            .field("session", &self.session)
            .field("options", &self.options.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for QuestionRow {
    /// What is asked and answered never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QuestionRow")
            .field("id", &self.id)
            .field("session", &self.session)
            .field("options", &self.options.len())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Records a question. Repeating it changes nothing.
    pub async fn open_question(&self, fresh: &NewQuestion, now: Timestamp) -> Result<(), Error> {
        let failed = |source| Error::OpenQuestion {
            question: fresh.id,
            source,
        };
        let options = to_json(&fresh.options).map_err(failed)?;
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO questions (id, session_id, delivery_id, title, options, status,
                 created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?7) ON CONFLICT (id) DO NOTHING",
        )
        .bind(fresh.id.to_string())
        .bind(fresh.session.to_string())
        .bind(fresh.delivery.to_string())
        .bind(&fresh.title)
        .bind(options)
        .bind(now.as_millisecond())
        .bind(fresh.expires_at.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// One question.
    pub async fn question(&self, question: QuestionId) -> Result<Option<QuestionRow>, Error> {
        let failed = |source| Error::Question { question, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM questions WHERE id = ?1")
            .bind(question.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_question).transpose())
            .map_err(failed)
    }

    /// The open questions whose id ends in `code`. One of fewer than six digits names none.
    pub async fn question_by_code(&self, code: &str) -> Result<Vec<QuestionId>, Error> {
        let failed = |source| Error::QuestionByCode { source };
        if code.len() < CODE_CHARS {
            return Ok(Vec::new());
        }
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(BY_CODE)
            .bind(code.to_ascii_lowercase())
            .bind(CODE_MATCHES)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_id).collect())
            .map_err(failed)
    }

    /// Records an answer by the number of the option, counted from 0. Only the first one counts.
    pub async fn answer_question(
        &self,
        question: QuestionId,
        option: usize,
        by: Option<UserId>,
        now: Timestamp,
    ) -> Result<Answering, Error> {
        self.answer_inner(question, option, by, now)
            .await
            .map_err(|source| Error::AnswerQuestion { question, source })
    }

    async fn answer_inner(
        &self,
        question: QuestionId,
        option: usize,
        by: Option<UserId>,
        now: Timestamp,
    ) -> sqlx::Result<Answering> {
        let mut conn = self.writer(Durability::Process).await?;
        let mut tx = begin(&mut conn).await?;
        let row = sqlx::query("SELECT * FROM questions WHERE id = ?1")
            .bind(question.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let known = row.as_ref().map(parse_question).transpose()?;
        let Some(known) = known else {
            return Ok(Answering::Gone);
        };
        match known.status {
            QuestionStatus::Answered => return Ok(Answering::Already),
            QuestionStatus::Expired => return Ok(Answering::Expired),
            QuestionStatus::Open if known.expires_at <= now => return Ok(Answering::Expired),
            QuestionStatus::Open => {}
        }
        let Some(answer) = known.options.get(option) else {
            return Ok(Answering::Gone);
        };
        sqlx::query(
            "UPDATE questions SET status = 'answered', answer = ?2, answered_by = ?3,
                 answered_at = ?4 WHERE id = ?1",
        )
        .bind(question.to_string())
        .bind(answer)
        .bind(opt_id(by))
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(Answering::Now)
    }

    /// Nobody can answer any more what a session asked with its row `seq`. Repeating it changes
    /// nothing.
    pub async fn close_question(&self, session: SessionId, seq: i64) -> Result<(), Error> {
        let failed = |source| Error::CloseQuestion { session, source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(CLOSE)
            .bind(session.to_string())
            .bind(seq)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// How much of what a session said is on its way, and how many of its questions are open.
    pub async fn unsettled(&self, session: SessionId, now: Timestamp) -> Result<(u64, u64), Error> {
        let failed = |source| Error::Unsettled { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        let (unsent, open): (i64, i64) = sqlx::query_as(UNSETTLED)
            .bind(session.to_string())
            .bind(now.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
        Ok((unsent.unsigned_abs(), open.unsigned_abs()))
    }

    /// How often a session has said something on a channel since then.
    pub async fn said_since(
        &self,
        session: SessionId,
        channel: &str,
        since: Timestamp,
    ) -> Result<u64, Error> {
        let failed = |source| Error::Unsettled { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        let count: i64 = sqlx::query_scalar(SAID_SINCE)
            .bind(session.to_string())
            .bind(channel)
            .bind(since.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(count.unsigned_abs())
    }

    /// Expires open questions whose time is over at `now`, at most `limit`; returns how many.
    pub async fn expire_questions(&self, now: Timestamp, limit: u32) -> Result<u64, Error> {
        let failed = |source| Error::ExpireQuestions { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(EXPIRE)
            .bind(now.as_millisecond())
            .bind(limit)
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }
}

pub(crate) fn parse_id(row: &SqliteRow) -> sqlx::Result<QuestionId> {
    Fields::new("questions", row).parsed("id", QuestionId::parse)
}

fn parse_question(row: &SqliteRow) -> sqlx::Result<QuestionRow> {
    let fields = Fields::new("questions", row);
    Ok(QuestionRow {
        id: fields.parsed("id", QuestionId::parse)?,
        session: fields.parsed("session_id", SessionId::parse)?,
        delivery: fields.parsed("delivery_id", OutboundId::parse)?,
        title: fields.get("title")?,
        options: fields.json("options")?,
        status: fields.value("status", QuestionStatus::parse)?,
        answer: fields.get("answer")?,
        answered_by: fields.opt_parsed("answered_by", UserId::parse)?,
        created_at: fields.time("created_at")?,
        expires_at: fields.time("expires_at")?,
        answered_at: fields.opt_time("answered_at")?,
    })
}

#[cfg(test)]
mod tests;
