//! Tasks: shown, made and changed, for the operator and for agents, each its own.
//!
//! A task gives an agent nothing that it could not do when it is written to, so none of this waits for
//! a person; what bounds it is how many there are, how often they run, and where they may write.

use std::time::Duration;

use anchorhold_admin::request::{FailCode, Reply};
use anchorhold_core::{
    guard::act::Target,
    ids::{AgentGroupId, ConversationId, FolderName, TaskId, ThreadId},
    slug::{distinct, slug},
    task::{BadSchedule, Schedule, time, wait, zone_named},
};
use anchorhold_store::{
    tasks::{
        Added, AskedBy, RunsIn, Task, TaskState, Timing,
        runs::{RunOutcome, RunRow},
    },
    views::View,
};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};

use crate::{
    admin::{Caller, lookup::Lookup, reads, refusal::Refusal},
    base::mint,
    tasks::{is_apart, of_record, writable},
};

/// So many tasks of a group have not ended at a time.
const TASKS_LIMIT: u32 = 50;
/// So much is between two runs of a task that an agent made,
const AGENTS_APART: Duration = Duration::from_mins(5);
/// and of one that the operator made.
const OPERATORS_APART: Duration = Duration::from_mins(1);
/// The zone of a task of which nothing is said.
const ZONE: &str = "UTC";
/// The most runs that are shown, the latest of them.
const RUNS_LIMIT: u32 = 50;
/// A name that is made of what a task does has so many words of it.
const NAME_WORDS: usize = 5;
/// How often a change is tried that comes between the beginning and the end of runs.
const CHANGES_LIMIT: usize = 5;

/// Shows one task with its runs. What it does is shown to the operator and to its own agent.
pub(super) async fn show(lookup: &Lookup<'_>) -> Result<Reply, Refusal> {
    let mut fields = reads::row(lookup, View::Tasks).await?;
    let id = fields.get("id").and_then(Value::as_str);
    let Some(id) = id.and_then(|id| TaskId::parse(id).ok()) else {
        return Err(lookup.absent("task", "id"));
    };
    let store = &lookup.base.store;
    if let Some(task) = store.task(id).await? {
        fields.insert("prompt".to_owned(), task.prompt.into());
        fields.insert("script".to_owned(), task.script.into());
    }
    let runs = store.runs_of(id, RUNS_LIMIT).await?;
    let runs = runs.iter().map(shown).collect();
    fields.insert("runs_made".to_owned(), Value::Array(runs));
    Ok(Reply::One(fields))
}

/// Makes or changes one.
pub(super) async fn change(
    lookup: &Lookup<'_>,
    caller: Caller,
    verb: &str,
) -> Result<Reply, Refusal> {
    let reply = if verb == "add" {
        add(lookup, caller).await?
    } else {
        changed(lookup, caller, verb).await?
    };
    // What is due at once is begun soon.
    lookup.base.live.sooner().notify_one();
    Ok(reply)
}

async fn add(lookup: &Lookup<'_>, caller: Caller) -> Result<Reply, Refusal> {
    let group = lookup.group("group").await?.id;
    let (store, now) = (&lookup.base.store, lookup.base.now());
    let zone = lookup.checked.text("zone").unwrap_or(ZONE);
    let planned = planned(lookup, caller, zone)?;
    let Some((timing, next_at)) = planned else {
        return Err(lookup.wrong("at", "it is missing"));
    };
    check_soon(lookup, caller, &timing).await?;
    let place = place(lookup, caller, group).await?;
    if writable(store, group, place.conversation).await?.is_none() {
        let what =
            "the agent may not write there: wire the conversation to it, or add a destination";
        return Err(Refusal::said(FailCode::Conflict, what));
    }
    let prompt = lookup.text("prompt")?;
    if prompt.trim().is_empty() {
        return Err(lookup.wrong("prompt", "it is empty"));
    }
    let name = if let Some(name) = lookup.owned("name") {
        name
    } else {
        let names = store.task_names(group).await?;
        let words: Vec<&str> = prompt.split_whitespace().take(NAME_WORDS).collect();
        let taken = |name: &str| names.iter().any(|known| known == name);
        distinct(&slug(&words.join(" ")), taken)
    };
    let task = Task {
        id: mint!(lookup.base, TaskId),
        group,
        name,
        prompt: prompt.to_owned(),
        script: lookup.owned("script").filter(|script| !script.is_empty()),
        timing,
        zone: zone.to_owned(),
        conversation: place.conversation,
        thread: place.thread,
        runs_in: place.runs_in,
        state: TaskState::Active,
        why: None,
        next_at: Some(next_at),
        running: None,
        runs: 0,
        failures: 0,
        run_by: None,
        created_at: now,
        ended_at: None,
    };
    let added = store.add_task(&task, asked_by(caller), TASKS_LIMIT).await?;
    let task = match added {
        Added::Now => task,
        Added::Already(known) => store.task(known).await?.unwrap_or(task),
        Added::NameTaken => {
            let what = format!(
                "there is a task {:?} already; give another --name",
                task.name
            );
            return Err(Refusal::said(FailCode::Conflict, what));
        }
        Added::TooMany => {
            let what = format!("there are {TASKS_LIMIT} tasks already; cancel one first");
            return Err(Refusal::said(FailCode::Unavailable, what));
        }
    };
    Ok(done(&task, "is planned"))
}

/// Where a task's answers go, and where it runs.
struct Place {
    conversation: ConversationId,
    thread: Option<ThreadId>,
    runs_in: RunsIn,
}

async fn place(lookup: &Lookup<'_>, caller: Caller, group: AgentGroupId) -> Result<Place, Refusal> {
    let store = &lookup.base.store;
    let within = lookup.checked.flag("in-conversation");
    let (conversation, thread) = if let Some(name) = lookup.optional("to", FolderName::parse)? {
        let known = store.destinations(group).await?;
        let known = known.into_iter().find(|known| known.name == name);
        match known.map(|known| known.target) {
            Some(Target::Conversation(conversation)) => (conversation, None),
            Some(Target::Agent(_)) | None => return Err(lookup.absent("destination", "to")),
        }
    } else if lookup.checked.text("conversation").is_some() {
        let (channel, chat) = lookup.chat()?;
        let found = store.conversation(&channel, &chat).await?;
        let found = found.ok_or_else(|| lookup.absent("conversation", "conversation"))?;
        (found.id, lookup.optional("thread", ThreadId::parse)?)
    } else {
        asking(lookup, caller).await?
    };
    let runs_in = match (within, caller) {
        (false, _) => RunsIn::Apart,
        // The very session that asks, if that is where its answers go.
        (true, Caller::Agent { session, .. }) if lookup.checked.text("to").is_none() => {
            let row = store.session(session).await?;
            let key = row.map(|row| row.session.key);
            let key = key.ok_or_else(|| lookup.absent("session", "in-conversation"))?;
            RunsIn::Conversation(key.conversation, key.thread)
        }
        (true, _) => RunsIn::Conversation(Some(conversation), thread.clone()),
    };
    Ok(Place {
        conversation,
        thread,
        runs_in,
    })
}

/// The conversation of the message that asks for a task.
async fn asking(
    lookup: &Lookup<'_>,
    caller: Caller,
) -> Result<(ConversationId, Option<ThreadId>), Refusal> {
    let Caller::Agent { session, .. } = caller else {
        let what = "say where its answers go: --channel with --conversation, or --to";
        return Err(Refusal::said(FailCode::Usage, what));
    };
    let store = &lookup.base.store;
    let address = match lookup.checked.integer("message") {
        Some(seq) => {
            let asked = store.message(session, seq).await?;
            let asked = asked.ok_or_else(|| lookup.absent("message", "message"))?;
            Some(asked.address)
        }
        None => store.last_address(session).await?,
    };
    let address = address.ok_or_else(|| lookup.absent("conversation", "to"))?;
    let found = store.conversation(&address.channel, &address.chat).await?;
    let found = found.ok_or_else(|| lookup.absent("conversation", "to"))?;
    Ok((found.id, address.thread))
}

/// What the request says about when; `None` if nothing.
fn planned(
    lookup: &Lookup<'_>,
    caller: Caller,
    zone: &str,
) -> Result<Option<(Timing, Timestamp)>, Refusal> {
    let now = lookup.base.now();
    let wrong = |field: &'static str| move |why: BadSchedule| lookup.wrong(field, why);
    let zone = zone_named(zone).map_err(wrong("zone"))?;
    let once = |field, at: Result<Timestamp, BadSchedule>| {
        let at = at.and_then(|at| Schedule::once(at, now).map(|_| at));
        at.map(|at| Some((Timing::Once(at), at)))
            .map_err(wrong(field))
    };
    if let Some(at) = lookup.checked.text("at") {
        return once("at", time(at, &zone));
    }
    if let Some(span) = lookup.checked.text("in") {
        return once("in", wait(span, &zone, now));
    }
    let Some(cron) = lookup.checked.text("cron") else {
        return Ok(None);
    };
    recurring(cron, zone, caller, now)
        .map(Some)
        .map_err(wrong("cron"))
}

fn recurring(
    cron: &str,
    zone: TimeZone,
    caller: Caller,
    now: Timestamp,
) -> Result<(Timing, Timestamp), BadSchedule> {
    let apart = match caller {
        Caller::Operator => OPERATORS_APART,
        Caller::Agent { .. } => AGENTS_APART,
    };
    let schedule = Schedule::recurring(cron, zone, apart, now)?;
    let next_at = schedule.next_after(now).ok_or(BadSchedule::Never)?;
    Ok((Timing::Cron(cron.trim().to_owned()), next_at))
}

/// Changes a task; one whose run begins or ends meanwhile is looked at again.
async fn changed(lookup: &Lookup<'_>, caller: Caller, verb: &str) -> Result<Reply, Refusal> {
    for _ in 0..CHANGES_LIMIT {
        let before = named(lookup).await?;
        let (after, what) = match verb {
            "update" => (updated(lookup, caller, before.clone()).await?, "is changed"),
            "pause" => (paused(before.clone())?, "rests"),
            "resume" => (resumed(lookup, before.clone())?, "runs again"),
            "run-now" => (run_now(lookup, caller, before.clone()).await?, "runs now"),
            _ => (cancelled(lookup, before.clone()), "is cancelled"),
        };
        if after == before || lookup.base.store.save_task(&after).await? {
            return Ok(done(&after, what));
        }
    }
    let what = "its runs begin and end just now; try again";
    Err(Refusal::said(FailCode::Unavailable, what))
}

/// The task that the request names, by id or name.
async fn named(lookup: &Lookup<'_>) -> Result<Task, Refusal> {
    let fields = reads::row(lookup, View::Tasks).await?;
    let id = fields.get("id").and_then(Value::as_str);
    let found = match id.and_then(|id| TaskId::parse(id).ok()) {
        Some(id) => lookup.base.store.task(id).await?,
        None => None,
    };
    found.ok_or_else(|| lookup.absent("task", "id"))
}

async fn updated(lookup: &Lookup<'_>, caller: Caller, task: Task) -> Result<Task, Refusal> {
    check_live(&task)?;
    let given = ["name", "prompt", "script", "at", "in", "cron", "zone"];
    if given
        .iter()
        .all(|field| lookup.checked.text(field).is_none())
    {
        let what = "`tasks update` needs something to change";
        return Err(Refusal::said(FailCode::Usage, what));
    }
    let mut after = task.clone();
    if let Some(name) = lookup.owned("name") {
        let names = lookup.base.store.task_names(task.group).await?;
        if name != task.name && names.contains(&name) {
            let what = format!("there is a task {name:?} already");
            return Err(Refusal::said(FailCode::Conflict, what));
        }
        after.name = name;
    }
    if let Some(prompt) = lookup.owned("prompt") {
        if prompt.trim().is_empty() {
            return Err(lookup.wrong("prompt", "it is empty"));
        }
        after.prompt = prompt;
    }
    if let Some(script) = lookup.owned("script") {
        after.script = Some(script).filter(|script| !script.is_empty());
    }
    if let Some(zone) = lookup.owned("zone") {
        after.zone = zone;
    }
    let planned = match planned(lookup, caller, &after.zone)? {
        Some(planned) => Some(planned),
        // The same times in another zone.
        None if after.zone != task.zone => in_zone(lookup, caller, &after)?,
        None => None,
    };
    if let Some((timing, next_at)) = planned {
        check_soon(lookup, caller, &timing).await?;
        after.timing = timing;
        after.next_at = Some(next_at);
        after.failures = 0;
    }
    Ok(after)
}

/// What a run of a task plans for once is not due at once: it could go on for ever.
async fn check_soon(lookup: &Lookup<'_>, caller: Caller, timing: &Timing) -> Result<(), Refusal> {
    let (Timing::Once(at), Caller::Agent { session, .. }) = (timing, caller) else {
        return Ok(());
    };
    let soonest = lookup.base.now().checked_add(AGENTS_APART);
    if soonest.is_ok_and(|soonest| *at >= soonest) {
        return Ok(());
    }
    let store = &lookup.base.store;
    let in_run = match (
        store.session(session).await?,
        lookup.checked.integer("message"),
    ) {
        (Some(row), _) if is_apart(&row.session.key) => true,
        (_, Some(seq)) => store.task_of_message(session, seq).await?.is_some(),
        (_, None) => false,
    };
    if in_run {
        let minutes = AGENTS_APART.as_secs() / 60;
        let what = format!("what a run of a task plans is at least {minutes} minutes ahead");
        return Err(Refusal::said(FailCode::Usage, what));
    }
    Ok(())
}

fn in_zone(
    lookup: &Lookup<'_>,
    caller: Caller,
    task: &Task,
) -> Result<Option<(Timing, Timestamp)>, Refusal> {
    let Timing::Cron(cron) = &task.timing else {
        return Ok(None);
    };
    let wrong = |why: BadSchedule| lookup.wrong("zone", why);
    let zone = zone_named(&task.zone).map_err(wrong)?;
    let planned = recurring(cron, zone, caller, lookup.base.now());
    planned.map(Some).map_err(wrong)
}

fn paused(task: Task) -> Result<Task, Refusal> {
    check_live(&task)?;
    if task.state == TaskState::Paused {
        return Ok(task);
    }
    Ok(Task {
        state: TaskState::Paused,
        why: Some("somebody paused it".to_owned()),
        ..task
    })
}

fn resumed(lookup: &Lookup<'_>, task: Task) -> Result<Task, Refusal> {
    check_live(&task)?;
    if task.state == TaskState::Active {
        return Ok(task);
    }
    let bad = |why: BadSchedule| Refusal::said(FailCode::Conflict, why.to_string());
    let (_, schedule) = of_record(&task).map_err(bad)?;
    let next_at = schedule.next_after(lookup.base.now());
    if next_at.is_none() && task.running.is_none() {
        let what = "its time is past; give it another one: `tasks update` with --at or --in";
        return Err(Refusal::said(FailCode::Conflict, what));
    }
    Ok(Task {
        state: TaskState::Active,
        why: None,
        next_at,
        failures: 0,
        ..task
    })
}

async fn run_now(lookup: &Lookup<'_>, caller: Caller, task: Task) -> Result<Task, Refusal> {
    let by = asked_by(caller);
    if by.is_some() && task.run_by == by {
        // It was carried out already, before its reply was.
        return Ok(task);
    }
    let conflict = |what: &str| Err(Refusal::said(FailCode::Conflict, what));
    if task.running.is_some() {
        return conflict("it is running already");
    }
    if task.state == TaskState::Paused {
        return conflict("it rests; `tasks resume` lets it run again");
    }
    if task.state == TaskState::Ended {
        let names = lookup.base.store.task_names(task.group).await?;
        if names.contains(&task.name) {
            return conflict("it has ended, and another one has its name now");
        }
    }
    Ok(Task {
        state: TaskState::Active,
        why: None,
        next_at: Some(lookup.base.now()),
        run_by: by,
        ended_at: None,
        ..task
    })
}

fn cancelled(lookup: &Lookup<'_>, task: Task) -> Task {
    if task.state == TaskState::Ended {
        return task;
    }
    Task {
        state: TaskState::Ended,
        why: Some("somebody cancelled it".to_owned()),
        next_at: None,
        ended_at: Some(lookup.base.now()),
        ..task
    }
}

fn check_live(task: &Task) -> Result<(), Refusal> {
    match task.state {
        TaskState::Active | TaskState::Paused => Ok(()),
        TaskState::Ended => Err(Refusal::said(FailCode::Conflict, "it has ended")),
    }
}

/// What was done, and when the task runs next, by the clocks that it is meant for.
fn done(task: &Task, what: &str) -> Reply {
    let next = task.next_at.filter(|_| task.state == TaskState::Active);
    let next = next.map_or_else(String::new, |at| {
        format!("; it runs next at {}", local(at, &task.zone))
    });
    let running = match task.running {
        Some(run) => format!("; its run {run} is under way"),
        None => String::new(),
    };
    Reply::Done {
        what: format!("the task {:?} {what}{next}{running}", task.name),
        id: Some(task.id.to_string()),
    }
}

fn local(at: Timestamp, zone: &str) -> String {
    let zoned = at.to_zoned(zone_named(zone).unwrap_or(TimeZone::UTC));
    let offset = zoned.strftime("%Y-%m-%d %H:%M:%S %:z");
    format!("{offset} ({zone})")
}

fn asked_by(caller: Caller) -> Option<AskedBy> {
    match caller {
        Caller::Operator => None,
        Caller::Agent {
            session, request, ..
        } => Some(AskedBy { session, request }),
    }
}

fn shown(run: &RunRow) -> Value {
    json!({
        "number": run.number,
        "due_at": run.due_at.as_millisecond(),
        "missed": run.missed,
        "began_at": run.began_at.as_millisecond(),
        "ended_at": run.ended_at.map(Timestamp::as_millisecond),
        "outcome": run.outcome.map(RunOutcome::as_str),
        "why": run.why,
        "message": format!("{}:{}", run.session, run.seq),
    })
}
