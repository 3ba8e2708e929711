//! What agents do at times: a task that is due becomes a message of a session, and the end of that
//! message says what follows.
//!
//! The sweep steps through it, when a task is due as when a message is. A run is claimed in the
//! transaction that makes its message, so nothing runs twice; what a host leaves undone by its death the
//! next one finds due.

use anchorhold_core::{
    address::Address,
    entity::{Conversation, SessionKey},
    guard::act::Target,
    ids::{
        AgentGroupId, ConversationId, IdError, MessageId, OutboundId, PlatformMessageId, SessionId,
        TaskId, ThreadId,
    },
    task::{BadSchedule, Firing, Follows, Schedule, Standing, zone_named},
};
use anchorhold_sessiondb::{self as sessiondb, Body, Inbound};
use anchorhold_store::{
    Error as StoreError, Store,
    deliveries::NewDelivery,
    ingest::{self, Entered, Entry, Key, MessageRole, NewMessage},
    tasks::{
        RunsIn, Task, TaskState, Timing,
        runs::{NewRun, RunOutcome, RunOver, Settled},
    },
};
use jiff::{Timestamp, tz::TimeZone};
use tracing::{error, info, warn};

use crate::{
    base::{Base, mint},
    deliver::{Deliver, outgoing::Outgoing},
    journal::{Journal, JournalError},
    notice,
    report::report,
    sessions::HOST_WORD,
    wake::Wake,
};

/// How many tasks one look begins or settles.
const TASKS_LIMIT: u32 = 100;

/// What the thread of a task's own session begins with.
const APART: &str = "task ";

/// Runs tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Tasks {
    base: Base,
    journal: Journal,
    wake: Wake,
    deliver: Deliver,
}

/// Why a task could not be run or settled. It is due again at the next look.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Files(#[from] sessiondb::Error),
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("can't encode a word about task {task}")]
    Encode {
        task: TaskId,
        #[source]
        source: serde_json::Error,
    },
}

impl Tasks {
    /// Runs the tasks of `base`'s store.
    pub fn new(base: Base, journal: Journal, wake: Wake, deliver: Deliver) -> Self {
        Self {
            base,
            journal,
            wake,
            deliver,
        }
    }

    /// Settles the runs that are over, and begins those that are due. What fails for one fails for it
    /// alone.
    pub async fn step(&self) -> Result<(), StoreError> {
        for (task, last_due) in self.base.store.tasks_to_replan(TASKS_LIMIT).await? {
            self.replan(&task, last_due).await?;
        }
        for over in self.base.store.runs_over(TASKS_LIMIT).await? {
            if let Err(failure) = Box::pin(self.settle(&over)).await {
                let task = over.task;
                error!(%task, error = %report(&failure), "end of a run not settled yet");
            }
        }
        let now = self.base.now();
        for task in self.base.store.due_tasks(now, TASKS_LIMIT).await? {
            let id = task.id;
            if let Err(failure) = Box::pin(self.run(task)).await {
                error!(task = %id, error = %report(&failure), "task that is due not begun yet");
            }
        }
        Ok(())
    }

    /// Finds the next time of a task anew, since the clock was set back.
    async fn replan(&self, task: &Task, last_due: Option<Timestamp>) -> Result<(), StoreError> {
        let now = self.base.now();
        let next_at = match (of_record(task), task.next_at) {
            (Ok((_, schedule)), Some(next_at)) => schedule.after_set_back(next_at, last_due, now),
            (Err(_), _) | (_, None) => None,
        };
        info!(task = %task.id, ?next_at, "task planned anew after the clock was set back");
        self.base.store.replan_task(task, next_at).await?;
        Ok(())
    }

    /// Begins the run of a task that is due, unless nobody may have it run any more.
    async fn run(&self, task: Task) -> Result<(), TaskError> {
        let Some(due_at) = task.next_at else {
            return Ok(());
        };
        let (zone, schedule) = match of_record(&task) {
            Ok(known) => known,
            // It was good when it was made: the zone is gone from this machine.
            Err(bad) => return self.pause(task, &bad.to_string()).await,
        };
        let Some(place) = writable(&self.base.store, task.group, task.conversation).await? else {
            return self
                .pause(task, "its agent may not write there any more")
                .await;
        };
        let (store, now) = (&self.base.store, self.base.now());
        let fresh = mint!(self.base, SessionId);
        let session = store.session_for(&key(&task)?, fresh, now).await?.id;
        let firing = schedule.fire(due_at, now);
        let address = Address {
            channel: place.channel,
            chat: place.chat,
            thread: task.thread.clone(),
        };
        let run = NewRun {
            task: task.id,
            number: task.runs.saturating_add(1),
            due_at,
            next_at: firing.next_at,
            missed: firing.missed,
            message: self
                .message(
                    &task,
                    session,
                    address,
                    body(&task, (due_at, firing), &zone)?,
                )
                .await?,
        };
        match self.journal.enter(Entry::Run(Box::new(run))).await? {
            Entered::Now(_) => {
                info!(task = %task.id, %session, missed = firing.missed, "task runs");
                self.wake.ask(task.group, session);
            }
            // Somebody has changed it meanwhile: it is looked at again if it is still due.
            Entered::Duplicate | Entered::Late => {}
        }
        Ok(())
    }

    /// The message that the next run of a task is.
    async fn message(
        &self,
        task: &Task,
        session: SessionId,
        address: Address,
        body: ingest::Body,
    ) -> Result<NewMessage, TaskError> {
        let now = self.base.now();
        let word = format!(
            "{HOST_WORD}task {} {}",
            task.id,
            task.runs.saturating_add(1)
        );
        Ok(NewMessage {
            id: mint!(self.base, MessageId),
            session,
            reserved: None,
            said: self.journal.said(session).await,
            conversation: Some(task.conversation),
            address,
            key: Key::Word(PlatformMessageId::parse(&word)?),
            sender: None,
            role: MessageRole::Due(now),
            created_at: now,
            body,
        })
    }

    /// Puts on record what follows from the end of a run.
    async fn settle(&self, over: &RunOver) -> Result<(), TaskError> {
        let (store, now) = (&self.base.store, self.base.now());
        let Some(task) = store.task(over.task).await? else {
            return Ok(());
        };
        let standing = match of_record(&task) {
            Ok((_, schedule)) => {
                schedule.follows(over.outcome.ended(), task.failures, task.next_at, now)
            }
            // What is wrong with it is found when it is due next.
            Err(_bad) => Standing {
                failures: task.failures,
                follows: task.next_at.map_or(Follows::Over, Follows::At),
            },
        };
        let settled = settled(standing, over.outcome);
        let paused = settled.state == TaskState::Paused && task.state == TaskState::Active;
        let notice = if paused {
            self.paused_notice(&task, over, standing.failures).await?
        } else {
            None
        };
        if store
            .settle_run(over, &settled, notice.as_ref(), now)
            .await?
        {
            let (task, run, outcome) = (over.task, over.number, over.outcome.as_str());
            info!(%task, run, outcome, next_at = ?settled.next_at, "run of a task settled");
            if let Some(notice) = notice {
                self.deliver.start(notice.address);
            }
        }
        Ok(())
    }

    /// What is told where the task's answers go. Why the run failed was told as of any message.
    async fn paused_notice(
        &self,
        task: &Task,
        over: &RunOver,
        failures: u32,
    ) -> Result<Option<NewDelivery>, TaskError> {
        let Some(place) = writable(&self.base.store, task.group, task.conversation).await? else {
            return Ok(None);
        };
        let address = Address {
            channel: place.channel,
            chat: place.chat,
            thread: task.thread.clone(),
        };
        let (session, seq) = over.message;
        let id = OutboundId::of_row(session, seq).waiting();
        let message = self.base.store.message(session, seq).await?;
        let said = Outgoing::notice(notice::task_paused(&task.name, failures));
        let encoded = said.delivery(id, address, message.map(|message| message.id));
        encoded.map(Some).map_err(|source| TaskError::Encode {
            task: task.id,
            source,
        })
    }

    /// Pauses a task that can't run as it is.
    async fn pause(&self, task: Task, why: &str) -> Result<(), TaskError> {
        warn!(task = %task.id, why, "task paused");
        let paused = Task {
            state: TaskState::Paused,
            why: Some(why.to_owned()),
            ..task
        };
        self.base.store.save_task(&paused).await?;
        Ok(())
    }
}

/// The conversation, if the agents of the group may write there: they hear it, or have it for a
/// destination.
pub(crate) async fn writable(
    store: &Store,
    group: AgentGroupId,
    conversation: ConversationId,
) -> Result<Option<Conversation>, StoreError> {
    let Some(known) = store.conversation_by_id(conversation).await? else {
        return Ok(None);
    };
    let known = known.conversation;
    let target = Target::Conversation(conversation);
    let destinations = store.destinations(group).await?;
    if destinations.iter().any(|known| known.target == target) {
        return Ok(Some(known));
    }
    let wirings = store.wirings_of_group(group).await?;
    let heard = wirings.iter().any(|row| {
        let every_chat = row.wiring.chat.is_none();
        let here = every_chat || row.wiring.chat.as_ref() == Some(&known.chat);
        here && row.wiring.channel == known.channel
    });
    Ok(heard.then_some(known))
}

/// The zone and the schedule of a task.
pub(crate) fn of_record(task: &Task) -> Result<(TimeZone, Schedule), BadSchedule> {
    let zone = zone_named(&task.zone)?;
    let (cron, once_at) = match &task.timing {
        Timing::Once(at) => (None, *at),
        Timing::Cron(cron) => (Some(cron.as_str()), Timestamp::MIN),
    };
    let schedule = Schedule::on_record(cron, zone.clone(), once_at)?;
    Ok((zone, schedule))
}

/// The session that a task runs in.
fn key(task: &Task) -> Result<SessionKey, IdError> {
    let (conversation, thread) = match &task.runs_in {
        // No platform has threads where there is no conversation.
        RunsIn::Apart => (None, Some(ThreadId::parse(&format!("{APART}{}", task.id))?)),
        RunsIn::Conversation(conversation, thread) => (*conversation, thread.clone()),
    };
    Ok(SessionKey {
        agent_group: task.group,
        conversation,
        thread,
    })
}

/// Is it the key of a session of a task's own?
pub(crate) fn is_apart(key: &SessionKey) -> bool {
    let thread = key.thread.as_ref().map(ThreadId::as_str);
    key.conversation.is_none() && thread.is_some_and(|thread| thread.starts_with(APART))
}

/// What the agent is told of a run.
fn body(
    task: &Task,
    (due_at, firing): (Timestamp, Firing),
    zone: &TimeZone,
) -> Result<ingest::Body, sessiondb::Error> {
    let payload = sessiondb::Task {
        id: task.id.to_string(),
        name: task.name.clone(),
        run: task.runs.saturating_add(1),
        prompt: task.prompt.clone(),
        script: task.script.clone(),
        due_at,
        zone: task.zone.clone(),
        offset_s: zone.to_offset(due_at).seconds(),
        missed: firing.missed,
        found: None,
    };
    let body = Body::of(&Inbound::Task(Box::new(payload)))?;
    Ok(ingest::Body {
        kind: body.kind,
        version: body.version,
        payload: body.payload,
        fresh_only: None,
    })
}

fn settled(standing: Standing, outcome: RunOutcome) -> Settled {
    let (state, why, next_at) = match (standing.follows, outcome) {
        (Follows::At(at), _) => (TaskState::Active, None, Some(at)),
        (Follows::Paused, _) => {
            let why = format!("it failed {} times in a row", standing.failures);
            (TaskState::Paused, Some(why), None)
        }
        (Follows::Over, RunOutcome::Done) => (TaskState::Ended, Some("done".to_owned()), None),
        (Follows::Over, RunOutcome::Failed) => {
            (TaskState::Ended, Some("it failed".to_owned()), None)
        }
    };
    Settled {
        state,
        why,
        next_at,
        failures: standing.failures,
    }
}
