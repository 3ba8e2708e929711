//! Runs of tasks: who is due, the claim before each, and what follows its end.

use anchorhold_core::{
    ids::{SessionId, TaskId},
    task::Ended,
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    deliveries::{NewDelivery, insert_notice},
    ingest::NewMessage,
    rows::{Fields, text_enum},
    store::{Durability, begin},
    tasks::{Task, TaskState, parse_task},
    trace::{self, About, Event},
};

pub(crate) const DUE: &str = "SELECT * FROM tasks
     WHERE state = 'active' AND running = 0 AND next_at <= ?1
         AND EXISTS (SELECT 1 FROM agent_groups g WHERE g.id = agent_group_id AND g.retired_at IS NULL)
     ORDER BY next_at LIMIT ?2";

pub(crate) const NEXT: &str = "SELECT MIN(next_at) AS next_at FROM tasks
     WHERE state = 'active' AND running = 0 AND next_at > ?1";

pub(crate) const CLAIM: &str =
    "UPDATE tasks SET running = ?3, runs = ?3, next_at = ?4, state = 'active'
     WHERE id = ?1 AND next_at = ?2 AND runs = ?3 - 1 AND running = 0 AND state = 'active'";

pub(crate) const TO_REPLAN: &str = "SELECT t.*, r.due_at AS last_due_at FROM tasks t
     LEFT JOIN task_runs r ON r.task_id = t.id AND r.number = t.runs
     WHERE t.replan = 1 LIMIT ?1";

pub(crate) const OVER: &str =
    "SELECT t.id, t.running, r.session_id, r.seq, m.status, m.last_error, m.ended_at
     FROM tasks t JOIN task_runs r ON r.task_id = t.id AND r.number = t.running
     LEFT JOIN messages m ON m.session_id = r.session_id AND m.seq = r.seq
     WHERE t.running > 0 AND (m.id IS NULL OR m.status IN ('done', 'failed')) LIMIT ?1";

pub(crate) const OF_TASK: &str =
    "SELECT * FROM task_runs WHERE task_id = ?1 ORDER BY number DESC LIMIT ?2";

pub(crate) const OF_MESSAGE: &str =
    "SELECT t.name FROM task_runs r JOIN tasks t ON t.id = r.task_id
     WHERE r.session_id = ?1 AND r.seq = ?2";

pub(crate) const FORGET_RUNS: &str = "DELETE FROM task_runs WHERE (task_id, number) IN (
     SELECT task_id, number FROM task_runs WHERE ended_at < ?1 ORDER BY ended_at LIMIT ?2)";

pub(crate) const FORGET_TASKS: &str = "DELETE FROM tasks WHERE id IN (
     SELECT id FROM tasks WHERE ended_at < ?1 AND running = 0 ORDER BY ended_at LIMIT ?2)";

text_enum! {
    /// How a run ended.
    RunOutcome {
        /// Well.
        Done = "done",
        /// It was given up.
        Failed = "failed",
    }
}

/// A run that is about to begin: its claim, and its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// Whose it is.
    pub task: TaskId,
    /// The run's number: one more than there were.
    pub number: u32,
    /// When the task was due, which it must still be.
    pub due_at: Timestamp,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
    /// So many more runs were due by now.
    pub missed: u32,
    /// The message that the session gets.
    pub message: NewMessage,
}

/// A run whose message has ended, and whose end has no consequences yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOver {
    /// Whose it was.
    pub task: TaskId,
    /// Its number.
    pub number: u32,
    /// Its message, which may be gone.
    pub message: (SessionId, i64),
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why, where there is something to say.
    pub why: Option<String>,
    /// When.
    pub ended_at: Option<Timestamp>,
}

/// What follows from the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Where the task stands now, if it is still active.
    pub state: TaskState,
    /// Why, if it is so no more.
    pub why: Option<String>,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
    /// How many runs in a row have failed.
    pub failures: u32,
}

/// One run, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its number.
    pub number: u32,
    /// The session that it is, or was, in.
    pub session: SessionId,
    /// The number of its message there.
    pub seq: i64,
    /// When it was due.
    pub due_at: Timestamp,
    /// How many more were due.
    pub missed: u32,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How.
    pub outcome: Option<RunOutcome>,
    /// Why.
    pub why: Option<String>,
}

impl RunOutcome {
    /// The same for a decision about what follows.
    pub fn ended(self) -> Ended {
        match self {
            Self::Done => Ended::Well,
            Self::Failed => Ended::Failed,
        }
    }
}

impl Store {
    /// Tasks that are due at `now` and of which no run is under way, the longest due first, at most
    /// `limit`.
    pub async fn due_tasks(&self, now: Timestamp, limit: u32) -> Result<Vec<Task>, Error> {
        let failed = |source| Error::DueTasks { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(DUE)
            .bind(now.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_task).collect())
            .map_err(failed)
    }

    /// When the next task becomes due, of those that are not due at `now`.
    pub async fn next_task_at(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let failed = |source| Error::DueTasks { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(NEXT)
            .bind(now.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| Fields::new("tasks", &row).opt_time("next_at"))
            .map_err(failed)
    }

    /// Tasks whose next time is to be found anew, with when the last run of each was due, at most
    /// `limit`.
    pub async fn tasks_to_replan(
        &self,
        limit: u32,
    ) -> Result<Vec<(Task, Option<Timestamp>)>, Error> {
        let failed = |source| Error::DueTasks { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let rows = sqlx::query(TO_REPLAN).bind(limit).fetch_all(&mut *conn);
        let rows = rows.await.map_err(failed)?;
        let parse = |row| {
            let last = Fields::new("task_runs", row).opt_time("last_due_at")?;
            Ok((parse_task(row)?, last))
        };
        rows.iter()
            .map(parse)
            .collect::<sqlx::Result<_>>()
            .map_err(failed)
    }

    /// The next time of a task was found anew. `false`, and nothing changed, if a run of it began or
    /// ended since it was read.
    pub async fn replan_task(
        &self,
        task: &Task,
        next_at: Option<Timestamp>,
    ) -> Result<bool, Error> {
        let failed = |source| Error::SaveTask {
            task: task.id,
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "UPDATE tasks SET replan = 0, next_at = coalesce(?4, next_at)
             WHERE id = ?1 AND runs = ?2 AND running = ?3",
        )
        .bind(task.id.to_string())
        .bind(task.runs)
        .bind(task.running.unwrap_or(0))
        .bind(next_at.map(Timestamp::as_millisecond))
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }

    /// Runs that are over, at most `limit`. One whose message is gone has failed.
    pub async fn runs_over(&self, limit: u32) -> Result<Vec<RunOver>, Error> {
        let failed = |source| Error::RunsOver { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(OVER)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_over).collect())
            .map_err(failed)
    }

    /// Puts the end of a run on record with all that follows from it, and `notice` on its way to
    /// people. `false`, and nothing changed, if that was done before.
    pub async fn settle_run(
        &self,
        over: &RunOver,
        settled: &Settled,
        notice: Option<&NewDelivery>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.settle_run_inner(over, settled, notice, now)
            .await
            .map_err(|source| Error::SettleRun {
                task: over.task,
                source,
            })
    }

    async fn settle_run_inner(
        &self,
        over: &RunOver,
        settled: &Settled,
        notice: Option<&NewDelivery>,
        now: Timestamp,
    ) -> sqlx::Result<bool> {
        let mut conn = self.writer(Durability::Power).await?;
        let mut tx = begin(&mut conn).await?;
        // What somebody has paused or cancelled meanwhile stays so.
        let done = sqlx::query(
            "UPDATE tasks SET running = 0, failures = ?3,
                 next_at = CASE state WHEN 'active' THEN ?4 ELSE next_at END,
                 ended_at = CASE WHEN state = 'active' AND ?5 = 'ended' THEN ?7 ELSE ended_at END,
                 why = CASE state WHEN 'active' THEN ?6 ELSE why END,
                 state = CASE state WHEN 'active' THEN ?5 ELSE state END
             WHERE id = ?1 AND running = ?2",
        )
        .bind(over.task.to_string())
        .bind(over.number)
        .bind(settled.failures)
        .bind(settled.next_at.map(Timestamp::as_millisecond))
        .bind(settled.state.as_str())
        .bind(&settled.why)
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE task_runs SET ended_at = ?3, outcome = ?4, why = ?5
             WHERE task_id = ?1 AND number = ?2 AND ended_at IS NULL",
        )
        .bind(over.task.to_string())
        .bind(over.number)
        .bind(over.ended_at.unwrap_or(now).as_millisecond())
        .bind(over.outcome.as_str())
        .bind(&over.why)
        .execute(&mut *tx)
        .await?;
        if let Some(notice) = notice {
            insert_notice(&mut tx, None, notice, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// The latest runs of a task, the latest first, at most `limit`.
    pub async fn runs_of(&self, task: TaskId, limit: u32) -> Result<Vec<RunRow>, Error> {
        let failed = |source| Error::Task { task, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(OF_TASK)
            .bind(task.to_string())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_run).collect())
            .map_err(failed)
    }

    /// The name of the task that a message is a run of, if it is one.
    pub async fn task_of_message(
        &self,
        session: SessionId,
        seq: i64,
    ) -> Result<Option<String>, Error> {
        let failed = |source| Error::Message {
            session,
            seq,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(OF_MESSAGE)
            .bind(session.to_string())
            .bind(seq)
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Forgets runs that ended before `before`, at most `limit`; returns how many.
    pub async fn forget_runs(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET_RUNS, before, limit).await
    }

    /// Forgets tasks that ended before `before`, with their runs, at most `limit`; returns how many.
    pub async fn forget_tasks(&self, before: Timestamp, limit: u32) -> Result<u64, Error> {
        self.forget(FORGET_TASKS, before, limit).await
    }
}

/// Claims a run. `false` if the task is not due any more as it was: somebody else has claimed it, or
/// has changed the task.
pub(crate) async fn claim(conn: &mut SqliteConnection, run: &NewRun) -> sqlx::Result<bool> {
    let done = sqlx::query(CLAIM)
        .bind(run.task.to_string())
        .bind(run.due_at.as_millisecond())
        .bind(run.number)
        .bind(run.next_at.map(Timestamp::as_millisecond))
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Puts a run that was claimed on record, with the number of its message.
pub(crate) async fn begin_run(
    conn: &mut SqliteConnection,
    run: &NewRun,
    seq: i64,
) -> sqlx::Result<()> {
    let (session, now) = (run.message.session, run.message.created_at);
    sqlx::query(
        "INSERT INTO task_runs (task_id, number, session_id, seq, due_at, missed, began_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(run.task.to_string())
    .bind(run.number)
    .bind(session.to_string())
    .bind(seq)
    .bind(run.due_at.as_millisecond())
    .bind(run.missed)
    .bind(now.as_millisecond())
    .execute(&mut *conn)
    .await?;
    let event = Event::Fired {
        task: run.task,
        number: run.number,
        due_at: run.due_at,
        missed: run.missed,
    };
    trace::add(conn, About::Row(session, seq), event, now).await
}

fn parse_over(row: &SqliteRow) -> sqlx::Result<RunOver> {
    let fields = Fields::new("tasks", row);
    let status: Option<String> = fields.get("status")?;
    let (outcome, why) = match status.as_deref() {
        Some("done") => (RunOutcome::Done, fields.get("last_error")?),
        Some(_failed) => (RunOutcome::Failed, fields.get("last_error")?),
        None => (RunOutcome::Failed, Some("its record is gone".to_owned())),
    };
    Ok(RunOver {
        task: fields.parsed("id", TaskId::parse)?,
        number: fields.number("running")?,
        message: (
            fields.parsed("session_id", SessionId::parse)?,
            fields.get("seq")?,
        ),
        outcome,
        why,
        ended_at: fields.opt_time("ended_at")?,
    })
}

fn parse_run(row: &SqliteRow) -> sqlx::Result<RunRow> {
    let fields = Fields::new("task_runs", row);
    let outcome: Option<&str> = fields.get("outcome")?;
    let outcome = match outcome {
        Some(_) => Some(fields.value("outcome", RunOutcome::parse)?),
        None => None,
    };
    Ok(RunRow {
        number: fields.number("number")?,
        session: fields.parsed("session_id", SessionId::parse)?,
        seq: fields.get("seq")?,
        due_at: fields.time("due_at")?,
        missed: fields.number("missed")?,
        began_at: fields.time("began_at")?,
        ended_at: fields.opt_time("ended_at")?,
        outcome,
        why: fields.get("why")?,
    })
}
