//! What went through the ways out of the sandboxes, and what it cost.
//!
//! Rows are only added and, after a time, forgotten. They hold who asked whom and how much, never
//! what was said.

use std::time::Duration;

use anchorhold_core::ids::{AgentGroupId, SessionId};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{cell, int, opt_id, text_enum},
    store::{Durability, begin},
    views::Rows,
};

pub(crate) const INSERT: &str = "INSERT INTO requests_out (session_id, agent_group_id, at, took_ms,
         method, host, path, turn, model, outcome, status, rule, sent_bytes, received_bytes,
         input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
         cost_micros)
     VALUES (?1, (SELECT agent_group_id FROM sessions WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8,
         ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";

// The oldest rows come first in the table itself, so this needs no index.
pub(crate) const FORGET: &str = "DELETE FROM requests_out
     WHERE id < (SELECT MIN(id) FROM requests_out) + ?2 AND at < ?1";

/// One request, after its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestOut {
    /// Who asked.
    pub session: SessionId,
    /// When it came.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The method.
    pub method: String,
    /// The host it went to, or was to go to.
    pub host: String,
    /// The path without its query.
    pub path: String,
    /// The turn that called a model, by its first message's number.
    pub turn: Option<i64>,
    /// The model that was called, if one was.
    pub model: Option<String>,
    /// What became of it.
    pub outcome: RequestOutcome,
    /// Bytes of content from the inside to the outside.
    pub sent_bytes: u64,
    /// Bytes of content from the outside to the inside.
    pub received_bytes: u64,
    /// Tokens, where the provider told.
    pub tokens: Option<Tokens>,
    /// What it cost in millionths of a dollar, where prices are known.
    pub cost_micros: Option<u64>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestOutcome {
    /// It was answered, with this status.
    Answered(u16),
    /// The rule of this name refused it.
    Refused(&'static str),
    /// Whoever asked went away.
    Abandoned,
    /// The other side could not be reached.
    Unreachable,
}

/// The tokens of a call of a model. No token is counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Input that no cache held.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input that came from the cache.
    pub cache_read: u64,
    /// Input that was put into the cache.
    pub cache_write: u64,
    /// The part of the output that was reasoning.
    pub reasoning: u64,
}

text_enum! {
    /// What spending is summed up by.
    SpendBy {
        /// By day (UTC), agent and model.
        Day = "day",
        /// By agent and model.
        Agent = "agent",
        /// By session and model.
        Session = "session",
        /// By turn and model.
        Turn = "turn",
    }
}

/// A query that sums up calls of models, with these columns for what it sums up by.
macro_rules! spend {
    ($keys:literal, $by:literal, $order:literal) => {
        concat!(
            "SELECT ",
            $keys,
            r#", r.model, COUNT(*) AS calls,
                 SUM(r.outcome <> 'answered' OR r.status NOT BETWEEN 200 AND 299) AS failed,
                 SUM(r.input_tokens) AS input, SUM(r.output_tokens) AS output,
                 SUM(r.cache_read_tokens) AS cache_read, SUM(r.cache_write_tokens) AS cache_write,
                 SUM(r.reasoning_tokens) AS reasoning,
                 SUM(r.input_tokens IS NOT NULL AND r.cost_micros IS NULL) AS unpriced,
                 CASE WHEN SUM(r.cost_micros) IS NOT NULL
                     THEN printf('%.6f', SUM(r.cost_micros) / 1e6) END AS cost_usd
             FROM requests_out r LEFT JOIN agent_groups g ON g.id = r.agent_group_id
             WHERE r.model IS NOT NULL AND r.at >= ?1 AND (?2 IS NULL OR r.agent_group_id = ?2)
             GROUP BY "#,
            $by,
            ", r.model ORDER BY ",
            $order,
            " LIMIT ?3"
        )
    };
}

const SUMS: [&str; 10] = [
    "model",
    "calls",
    "failed",
    "input",
    "output",
    "cache_read",
    "cache_write",
    "reasoning",
    "unpriced",
    "cost_usd",
];

impl SpendBy {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Day => &["day", "group"],
            Self::Agent => &["group", "last_at"],
            Self::Session => &["group", "session_id", "last_at"],
            Self::Turn => &["group", "session_id", "turn", "last_at"],
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Day => spend!(
                r#"date(r.at / 1000, 'unixepoch') AS day, g.folder AS "group""#,
                "1, r.agent_group_id",
                "1 DESC, 2"
            ),
            Self::Agent => spend!(
                r#"g.folder AS "group", MAX(r.at) AS last_at"#,
                "r.agent_group_id",
                "1, 3"
            ),
            Self::Session => spend!(
                r#"g.folder AS "group", r.session_id, MAX(r.at) AS last_at"#,
                "r.agent_group_id, r.session_id",
                "3 DESC"
            ),
            Self::Turn => spend!(
                r#"g.folder AS "group", r.session_id, r.turn, MAX(r.at) AS last_at"#,
                "r.agent_group_id, r.session_id, r.turn",
                "4 DESC"
            ),
        }
    }
}

impl Store {
    /// Puts requests on record, all or none.
    pub async fn add_requests_out(&self, requests: &[RequestOut]) -> Result<(), Error> {
        let failed = |source| Error::AddRequestsOut { source };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        for request in requests {
            insert(&mut tx, request).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)
    }

    /// What calls of models took since `since`, for one agent group or for all, at most `limit`
    /// rows. Failed calls and those of turns that said nothing count, too.
    pub async fn spend(
        &self,
        by: SpendBy,
        since: Timestamp,
        group: Option<AgentGroupId>,
        limit: u32,
    ) -> Result<Rows, Error> {
        let failed = |source| Error::Spend { source };
        let columns: Vec<&'static str> = by.keys().iter().copied().chain(SUMS).collect();
        let mut conn = self.reader().await.map_err(failed)?;
        let rows = sqlx::query(by.sql())
            .bind(since.as_millisecond())
            .bind(opt_id(group))
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .map_err(failed)?;
        let cells = |row: &SqliteRow| (0..columns.len()).map(|index| cell(row, index)).collect();
        let rows: sqlx::Result<Vec<_>> = rows.iter().map(cells).collect();
        Ok(Rows {
            rows: rows.map_err(failed)?,
            columns,
        })
    }

    /// Forgets at most `limit` requests from before `before`; tells how many.
    pub async fn forget_requests_out(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET, before, limit).await
    }
}

async fn insert(conn: &mut SqliteConnection, request: &RequestOut) -> sqlx::Result<()> {
    let (outcome, status, rule) = match request.outcome {
        RequestOutcome::Answered(status) => ("answered", Some(status), None),
        RequestOutcome::Refused(rule) => ("refused", None, Some(rule)),
        RequestOutcome::Abandoned => ("abandoned", None, None),
        RequestOutcome::Unreachable => ("unreachable", None, None),
    };
    let opt_int = |number: Option<u64>| number.map(int).transpose();
    let tokens = |of: fn(&Tokens) -> u64| opt_int(request.tokens.as_ref().map(of));
    let took_ms = u64::try_from(request.took.as_millis()).unwrap_or(u64::MAX);
    sqlx::query(INSERT)
        .bind(request.session.to_string())
        .bind(request.at.as_millisecond())
        .bind(int(took_ms)?)
        .bind(&request.method)
        .bind(&request.host)
        .bind(&request.path)
        .bind(request.turn)
        .bind(request.model.as_deref())
        .bind(outcome)
        .bind(status)
        .bind(rule)
        .bind(int(request.sent_bytes)?)
        .bind(int(request.received_bytes)?)
        .bind(tokens(|tokens| tokens.input)?)
        .bind(tokens(|tokens| tokens.output)?)
        .bind(tokens(|tokens| tokens.cache_read)?)
        .bind(tokens(|tokens| tokens.cache_write)?)
        .bind(tokens(|tokens| tokens.reasoning)?)
        .bind(opt_int(request.cost_micros)?)
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
