//! What agents do at times: tasks, and their runs.
//!
//! A run is a message of a session. It is claimed in the transaction that makes that message
//! ([`crate::ingest::Entry::Run`]), so that nothing runs twice, whoever dies when; see [`runs`].

pub mod runs;

use anchorhold_core::ids::{AgentGroupId, ConversationId, SessionId, TaskId, ThreadId};
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    rows::{Fields, opt_id, opt_thread, text_enum},
    store::{Durability, begin},
};

pub(crate) const NAMED: &str = "SELECT * FROM tasks
     WHERE agent_group_id = ?1 AND name = ?2 ORDER BY state = 'ended', id DESC LIMIT 1";

pub(crate) const LIVE: &str =
    "SELECT COUNT(*) FROM tasks WHERE agent_group_id = ?1 AND state <> 'ended'";

pub(crate) const NAMES: &str =
    "SELECT name FROM tasks WHERE agent_group_id = ?1 AND state <> 'ended'";

const INSERT: &str =
    "INSERT INTO tasks (id, agent_group_id, name, prompt, script, once_at, cron, zone,
         conversation_id, thread, apart, session_conversation_id, session_thread, state, next_at,
         made_by, created_at)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'active', ?14, ?15, ?16)";

// What ran meanwhile has moved its times, and what is saved knows nothing of it.
const SAVE: &str = "UPDATE tasks SET name = ?4, prompt = ?5, script = ?6, once_at = ?7, cron = ?8,
         zone = ?9, state = ?10, why = ?11, next_at = ?12, failures = ?13, run_by = ?14,
         ended_at = ?15
     WHERE id = ?1 AND runs = ?2 AND running = ?3";

text_enum! {
    /// Where a task stands.
    TaskState {
        /// It runs at its times.
        Active = "active",
        /// It doesn't, until somebody resumes it.
        Paused = "paused",
        /// It does no more.
        Ended = "ended",
    }
}

/// When a task runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Once.
    Once(Timestamp),
    /// Again and again, by this cron expression.
    Cron(String),
}

/// The session that a task runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunsIn {
    /// One of its own.
    Apart,
    /// That of a conversation, by its key.
    Conversation(Option<ConversationId>, Option<ThreadId>),
}

/// A request of an agent, by which what it asked for is done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedBy {
    /// The session that asked.
    pub session: SessionId,
    /// The request's number there.
    pub request: i64,
}

/// One task.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Whose it is.
    pub group: AgentGroupId,
    /// What it is called; of those that have not ended each name is one of a group.
    pub name: String,
    /// What the agent is to do.
    pub prompt: String,
    /// The command that says whether the agent is woken.
    pub script: Option<String>,
    /// When it runs.
    pub timing: Timing,
    /// In which time zone, by its name.
    pub zone: String,
    /// Where its answers go.
    pub conversation: ConversationId,
    /// In which thread there.
    pub thread: Option<ThreadId>,
    /// Where it runs.
    pub runs_in: RunsIn,
    /// Where it stands.
    pub state: TaskState,
    /// Why it is paused or has ended.
    pub why: Option<String>,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
    /// The run that is under way.
    pub running: Option<u32>,
    /// How many runs there were.
    pub runs: u32,
    /// How many in a row have failed.
    pub failures: u32,
    /// The last request that had it run.
    pub run_by: Option<AskedBy>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl std::fmt::Debug for Task {
    /// What is to be done never reaches a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("timing", &self.timing)
            .field("state", &self.state)
            .field("next_at", &self.next_at)
            .field("running", &self.running)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

/// What came of adding a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Now,
    /// The same request made this one before.
    Already(TaskId),
    /// Another one of the group has that name.
    NameTaken,
    /// The group has as many as it may have.
    TooMany,
}

impl Store {
    /// Adds a task, unless its group has `limit` that have not ended.
    pub async fn add_task(
        &self,
        task: &Task,
        by: Option<AskedBy>,
        limit: u32,
    ) -> Result<Added, Error> {
        self.add_task_inner(task, by, limit)
            .await
            .map_err(|source| Error::AddTask {
                task: task.id,
                source,
            })
    }

    async fn add_task_inner(
        &self,
        task: &Task,
        by: Option<AskedBy>,
        limit: u32,
    ) -> sqlx::Result<Added> {
        let mut conn = self.writer(Durability::Power).await?;
        let mut tx = begin(&mut conn).await?;
        let made_by = by.map(spelled);
        let known = sqlx::query("SELECT id FROM tasks WHERE made_by = ?1")
            .bind(&made_by)
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(known) = known {
            let known = Fields::new("tasks", &known).parsed("id", TaskId::parse)?;
            return Ok(Added::Already(known));
        }
        let live: i64 = sqlx::query_scalar(LIVE)
            .bind(task.group.to_string())
            .fetch_one(&mut *tx)
            .await?;
        if live >= i64::from(limit) {
            return Ok(Added::TooMany);
        }
        let names: Vec<String> = sqlx::query_scalar(NAMES)
            .bind(task.group.to_string())
            .fetch_all(&mut *tx)
            .await?;
        if names.contains(&task.name) {
            return Ok(Added::NameTaken);
        }
        let (once_at, cron) = columns_of(&task.timing);
        let (apart, conversation, thread) = match &task.runs_in {
            RunsIn::Apart => (true, None, None),
            RunsIn::Conversation(conversation, thread) => (false, *conversation, thread.as_ref()),
        };
        sqlx::query(INSERT)
            .bind(task.id.to_string())
            .bind(task.group.to_string())
            .bind(&task.name)
            .bind(&task.prompt)
            .bind(&task.script)
            .bind(once_at)
            .bind(cron)
            .bind(&task.zone)
            .bind(task.conversation.to_string())
            .bind(opt_thread(task.thread.as_ref()))
            .bind(apart)
            .bind(opt_id(conversation))
            .bind(opt_thread(thread))
            .bind(task.next_at.map(Timestamp::as_millisecond))
            .bind(made_by)
            .bind(task.created_at.as_millisecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Added::Now)
    }

    /// One task.
    pub async fn task(&self, task: TaskId) -> Result<Option<Task>, Error> {
        let failed = |source| Error::Task { task, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM tasks WHERE id = ?1")
            .bind(task.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_task).transpose())
            .map_err(failed)
    }

    /// The task that a group calls so; of those that have ended the newest.
    pub async fn task_named(&self, group: AgentGroupId, name: &str) -> Result<Option<Task>, Error> {
        let failed = |source| Error::Tasks { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(NAMED)
            .bind(group.to_string())
            .bind(name)
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_task).transpose())
            .map_err(failed)
    }

    /// The names of a group's tasks that have not ended.
    pub async fn task_names(&self, group: AgentGroupId) -> Result<Vec<String>, Error> {
        let failed = |source| Error::Tasks { group, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar(NAMES)
            .bind(group.to_string())
            .fetch_all(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Puts a task as it is given in the place of the one on record: what it does, when, and where it
    /// stands. `false`, and nothing changed, if a run of it began or ended since it was read.
    pub async fn save_task(&self, task: &Task) -> Result<bool, Error> {
        let failed = |source| Error::SaveTask {
            task: task.id,
            source,
        };
        let (once_at, cron) = columns_of(&task.timing);
        let mut conn = self.writer(Durability::Power).await.map_err(failed)?;
        let done = sqlx::query(SAVE)
            .bind(task.id.to_string())
            .bind(task.runs)
            .bind(task.running.unwrap_or(0))
            .bind(&task.name)
            .bind(&task.prompt)
            .bind(&task.script)
            .bind(once_at)
            .bind(cron)
            .bind(&task.zone)
            .bind(task.state.as_str())
            .bind(&task.why)
            .bind(task.next_at.map(Timestamp::as_millisecond))
            .bind(task.failures)
            .bind(task.run_by.map(spelled))
            .bind(task.ended_at.map(Timestamp::as_millisecond))
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}

fn columns_of(timing: &Timing) -> (Option<i64>, Option<&str>) {
    match timing {
        Timing::Once(at) => (Some(at.as_millisecond()), None),
        Timing::Cron(cron) => (None, Some(cron)),
    }
}

fn spelled(by: AskedBy) -> String {
    format!("{}:{}", by.session, by.request)
}

fn parse_asked(text: &str) -> Result<AskedBy, String> {
    let parts = text.split_once(':');
    let parsed = parts.and_then(|(session, request)| {
        Some(AskedBy {
            session: SessionId::parse(session).ok()?,
            request: request.parse().ok()?,
        })
    });
    parsed.ok_or_else(|| "no request of a session".to_owned())
}

pub(crate) fn parse_task(row: &SqliteRow) -> sqlx::Result<Task> {
    let fields = Fields::new("tasks", row);
    let cron: Option<String> = fields.get("cron")?;
    let timing = match cron {
        Some(cron) => Timing::Cron(cron),
        None => Timing::Once(fields.time("once_at")?),
    };
    let runs_in = if fields.get("apart")? {
        RunsIn::Apart
    } else {
        RunsIn::Conversation(
            fields.opt_parsed("session_conversation_id", ConversationId::parse)?,
            fields.opt_parsed("session_thread", ThreadId::parse)?,
        )
    };
    let running = fields.number("running")?;
    Ok(Task {
        id: fields.parsed("id", TaskId::parse)?,
        group: fields.parsed("agent_group_id", AgentGroupId::parse)?,
        name: fields.get("name")?,
        prompt: fields.get("prompt")?,
        script: fields.get("script")?,
        timing,
        zone: fields.get("zone")?,
        conversation: fields.parsed("conversation_id", ConversationId::parse)?,
        thread: fields.opt_parsed("thread", ThreadId::parse)?,
        runs_in,
        state: fields.value("state", TaskState::parse)?,
        why: fields.get("why")?,
        next_at: fields.opt_time("next_at")?,
        running: (running > 0).then_some(running),
        runs: fields.number("runs")?,
        failures: fields.number("failures")?,
        run_by: fields.opt_parsed("run_by", parse_asked)?,
        created_at: fields.time("created_at")?,
        ended_at: fields.opt_time("ended_at")?,
    })
}

#[cfg(test)]
mod tests;
