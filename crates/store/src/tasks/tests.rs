//! Tasks there and back, and that a run is claimed once.

use anchorhold_core::ids::PlatformMessageId;

use super::{
    runs::{NewRun, RunOutcome, Settled},
    *,
};
use crate::{
    ingest::{Entered, Entry, Key},
    tests::fixture::{Place, address, at, bytes, delivery, group, message, oldest},
};

const LIMIT: u32 = 3;

/// A task of group 1, due at 100.
async fn task(place: &Place, name: &str) -> Task {
    if place.store.group(group(1).id).await.unwrap().is_none() {
        place.group(1).await;
    }
    Task {
        id: TaskId::mint(at(0), bytes(name)),
        group: group(1).id,
        name: name.to_owned(),
        prompt: "secret".to_owned(),
        script: Some("secret".to_owned()),
        timing: Timing::Cron("0 9 * * *".to_owned()),
        zone: "Europe/Berlin".to_owned(),
        conversation: place.conversation("chat").await,
        thread: Some(ThreadId::parse("t").unwrap()),
        runs_in: RunsIn::Apart,
        state: TaskState::Active,
        why: None,
        next_at: Some(at(100)),
        running: None,
        runs: 0,
        failures: 0,
        run_by: None,
        created_at: at(0),
        ended_at: None,
    }
}

async fn added(place: &Place, name: &str) -> Task {
    let task = task(place, name).await;
    let added = place.store.add_task(&task, None, LIMIT).await.unwrap();
    assert_eq!(added, Added::Now);
    task
}

/// The run of a task that is due at 100 and again at 200.
fn run(task: &Task, session: SessionId, number: u32) -> Entry {
    let mut message = message(session, 2);
    message.reserved = None;
    let word = format!("anchorhold: task {} {number}", task.id);
    message.key = Key::Word(PlatformMessageId::parse(&word).unwrap());
    Entry::Run(Box::new(NewRun {
        task: task.id,
        number,
        due_at: at(100),
        next_at: Some(at(200)),
        missed: 2,
        message,
    }))
}

async fn begin(place: &Place, task: &Task) -> SessionId {
    let session = place.session(1, "chat").await;
    let entered = place.store.enter(&[run(task, session, 1)]).await.unwrap();
    assert!(matches!(entered[0], Entered::Now(_)), "{entered:?}");
    session
}

#[tokio::test]
async fn tasks_come_back_as_they_were() {
    let place = Place::new().await;
    let one = added(&place, "one").await;
    let mut two = task(&place, "two").await;
    two.timing = Timing::Once(at(50));
    two.script = None;
    two.runs_in = RunsIn::Conversation(Some(two.conversation), None);
    let by = AskedBy {
        session: place.session(1, "chat").await,
        request: 7,
    };
    assert_eq!(
        place.store.add_task(&two, Some(by), LIMIT).await.unwrap(),
        Added::Now
    );
    for known in [&one, &two] {
        assert_eq!(
            place.store.task(known.id).await.unwrap().as_ref(),
            Some(known)
        );
    }
    let named = place.store.task_named(group(1).id, "two").await.unwrap();
    assert_eq!(named, Some(two.clone()));
    assert!(!format!("{one:?}").contains("secret"));
    // The same request again, as after a death before its reply.
    let mut again = two.clone();
    again.id = TaskId::mint(at(1), bytes("again"));
    let known = place.store.add_task(&again, Some(by), LIMIT).await.unwrap();
    assert_eq!(known, Added::Already(two.id));
    let taken = place.store.add_task(&again, None, LIMIT).await.unwrap();
    assert_eq!(taken, Added::NameTaken);
    added(&place, "three").await;
    let four = task(&place, "four").await;
    assert_eq!(
        place.store.add_task(&four, None, LIMIT).await.unwrap(),
        Added::TooMany
    );
}

/// Defect 34 of the reference: the next run was inserted and the last one cleared in two steps.
#[tokio::test]
async fn defect_34_a_run_is_claimed_with_its_message_or_not_at_all() {
    let place = Place::new().await;
    let task = added(&place, "one").await;
    let session = place.session(1, "chat").await;
    let once = run(&task, session, 1);
    let entered = place
        .store
        .enter(&[once.clone(), once.clone()])
        .await
        .unwrap();
    let [Entered::Now(tracked), Entered::Duplicate] = &entered[..] else {
        panic!("{entered:?}")
    };
    let again = place
        .store
        .enter(&[once, run(&task, session, 2)])
        .await
        .unwrap();
    assert_eq!(again, [Entered::Duplicate, Entered::Duplicate]);
    assert_eq!(place.number("SELECT count(*) FROM messages").await, 1);
    assert_eq!(place.number("SELECT count(*) FROM journal").await, 1);
    let runs = place.store.runs_of(task.id, 10).await.unwrap();
    let shown: Vec<_> = runs
        .iter()
        .map(|run| (run.number, run.seq, run.missed))
        .collect();
    assert_eq!(shown, [(1, tracked[0].seq, 2)]);
    // While it runs it is not due, and what was read before can't be saved over it.
    assert_eq!(place.store.due_tasks(at(500), 10).await.unwrap(), []);
    assert!(!place.store.save_task(&task).await.unwrap());
    let of_message = place
        .store
        .task_of_message(session, tracked[0].seq)
        .await
        .unwrap();
    assert_eq!(of_message.as_deref(), Some("one"));
}

/// nc#211 and others: what was executed first and claimed later ran twice.
#[tokio::test]
async fn nc_211_a_claim_survives_the_death_of_the_host() {
    let place = Place::new().await;
    let task = added(&place, "one").await;
    begin(&place, &task).await;
    let place = place.reopen().await;
    assert_eq!(place.store.due_tasks(at(500), 10).await.unwrap(), []);
    assert_eq!(place.number("SELECT count(*) FROM messages").await, 1);
}

#[tokio::test]
async fn the_end_of_a_run_is_settled_once() {
    let place = Place::new().await;
    let task = added(&place, "one").await;
    let session = begin(&place, &task).await;
    assert_eq!(place.store.runs_over(10).await.unwrap(), []);
    place
        .sql("UPDATE messages SET status = 'failed', last_error = 'boom', ended_at = 9")
        .await
        .unwrap();
    let over = place.store.runs_over(10).await.unwrap().remove(0);
    assert_eq!(
        (over.task, over.number, over.message.0),
        (task.id, 1, session)
    );
    assert_eq!(
        (over.outcome, over.why.as_deref()),
        (RunOutcome::Failed, Some("boom"))
    );
    let settled = Settled {
        state: TaskState::Active,
        why: None,
        next_at: Some(at(300)),
        failures: 1,
    };
    let lane = address("chat", None);
    let notice = delivery("paused", lane.clone());
    for (again, expect) in [(0, true), (1, false)] {
        let settling = place
            .store
            .settle_run(&over, &settled, Some(&notice), at(250 + again));
        assert_eq!(settling.await.unwrap(), expect);
    }
    let known = place.store.task(task.id).await.unwrap().unwrap();
    let stands = (
        known.state,
        known.next_at,
        known.running,
        known.runs,
        known.failures,
    );
    assert_eq!(stands, (TaskState::Active, Some(at(300)), None, 1, 1));
    assert!(oldest(&place.store, &lane).await.is_some());
    assert_eq!(
        place.store.next_task_at(at(299)).await.unwrap(),
        Some(at(300))
    );
    assert_eq!(place.store.runs_over(10).await.unwrap(), []);
}

#[tokio::test]
async fn what_was_cancelled_while_it_ran_stays_so_and_is_forgotten_in_time() {
    let place = Place::new().await;
    let task = added(&place, "one").await;
    begin(&place, &task).await;
    let mut cancelled = place.store.task(task.id).await.unwrap().unwrap();
    cancelled.state = TaskState::Ended;
    cancelled.ended_at = Some(at(150));
    cancelled.next_at = None;
    assert!(place.store.save_task(&cancelled).await.unwrap());
    assert_eq!(place.store.forget_tasks(at(1_000), 10).await.unwrap(), 0);
    // Its message is gone, too: with a session that was deleted.
    place.sql("DELETE FROM sessions").await.unwrap();
    let over = place.store.runs_over(10).await.unwrap().remove(0);
    assert_eq!(over.outcome, RunOutcome::Failed);
    let settled = Settled {
        state: TaskState::Active,
        why: None,
        next_at: Some(at(300)),
        failures: 1,
    };
    assert!(
        place
            .store
            .settle_run(&over, &settled, None, at(200))
            .await
            .unwrap()
    );
    let known = place.store.task(task.id).await.unwrap().unwrap();
    assert_eq!(
        (known.state, known.next_at, known.ended_at),
        (TaskState::Ended, None, Some(at(150)))
    );
    assert_eq!(place.store.forget_runs(at(150), 10).await.unwrap(), 0);
    assert_eq!(place.store.forget_tasks(at(151), 10).await.unwrap(), 1);
    assert_eq!(place.number("SELECT count(*) FROM task_runs").await, 0);
}

#[tokio::test]
async fn tasks_of_an_agent_that_is_deleted_do_not_run() {
    let place = Place::new().await;
    let task = added(&place, "one").await;
    let due = place.store.due_tasks(at(100), 10).await.unwrap();
    assert_eq!(due, [task]);
    assert_eq!(place.store.due_tasks(at(99), 10).await.unwrap(), []);
    place
        .sql("UPDATE agent_groups SET retired_at = 1")
        .await
        .unwrap();
    assert_eq!(place.store.due_tasks(at(100), 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_clock_that_is_set_back_has_recurring_tasks_planned_anew() {
    let place = Place::new().await;
    let daily = added(&place, "one").await;
    let mut once = task(&place, "two").await;
    once.timing = Timing::Once(at(100));
    place.store.add_task(&once, None, LIMIT).await.unwrap();
    begin(&place, &daily).await;
    assert_eq!(place.store.tasks_to_replan(10).await.unwrap(), []);
    place.store.set_back(at(150), at(120)).await.unwrap();
    let (known, last) = place.store.tasks_to_replan(10).await.unwrap().remove(0);
    assert_eq!(
        (known.id, known.next_at, last),
        (daily.id, Some(at(200)), Some(at(100)))
    );
    assert!(
        !place
            .store
            .replan_task(&daily, Some(at(160)))
            .await
            .unwrap()
    );
    assert!(
        place
            .store
            .replan_task(&known, Some(at(160)))
            .await
            .unwrap()
    );
    assert_eq!(place.store.tasks_to_replan(10).await.unwrap(), []);
    let known = place.store.task(daily.id).await.unwrap().unwrap();
    assert_eq!(known.next_at, Some(at(160)));
}
