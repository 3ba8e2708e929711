//! Tasks: run once at their time, whoever dies when, and their answers go where they should.

use anchorhold_admin::request::FailCode;
use anchorhold_core::sandbox::ExitStatus;
use anchorhold_sessiondb::Handled;
use anchorhold_store::tasks::{Task, TaskState};

use super::*;
use crate::tests::administration::{columns, done, failed};

const MINUTE: Duration = Duration::from_mins(1);
/// One channel, and no agent.
const BARE: &str = "[channels.one]\ntype = \"cli\"\n";
const ADD: &str = "tasks add group=helper channel=one conversation=c name=report prompt=write~it";

impl Host {
    /// A host with an agent that was talked to in the chat `c` and sleeps.
    async fn talked_to(config: &str) -> Self {
        let mut host = Host::new(config).await;
        host.stored("m1").await;
        let mut inside = host.enter().await;
        inside.answer();
        host.until_seen(&address("c"), 1).await;
        inside.die(ExitStatus::Code(0));
        host.until_empty().await;
        host
    }

    async fn task(&self, name: &str) -> Task {
        let group = self.store().groups().await.unwrap().remove(0).id;
        self.store().task_named(group, name).await.unwrap().unwrap()
    }

    /// Moves the clock and runs the task that is due; its sandbox is gone afterwards.
    async fn run_due(&mut self, wait: Duration, how: Handled) -> String {
        self.advance(wait);
        let mut inside = self.enter().await;
        let texts = until("there is a run", async || {
            Some(inside.texts()).filter(|texts| !texts.is_empty())
        })
        .await;
        let seqs = inside.claim();
        inside.finish(seqs.iter().map(|seq| (*seq, how.clone())).collect(), vec![]);
        inside.die(ExitStatus::Code(0));
        self.until_empty().await;
        texts.join("; ")
    }

    /// The task, when no run of it is under way.
    async fn settled(&self, name: &str) -> Task {
        until("the run is settled", async || {
            self.nudge();
            Some(self.task(name).await).filter(|task| task.running.is_none() && task.runs > 0)
        })
        .await
    }
}

#[tokio::test]
async fn a_task_runs_once_at_its_time_and_answers_where_it_should() {
    let mut host = Host::talked_to(PLAIN).await;
    let planned = done(&host.operator(&format!("{ADD} in=10~minutes")).await);
    let expect = "the task \"report\" is planned; it runs next at 2026-01-01 00:10:00 +00:00 (UTC)";
    assert_eq!(planned, expect);
    host.advance(9 * MINUTE);
    assert_eq!(host.task("report").await.runs, 0);
    host.advance(MINUTE);
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["task report run 1 missed 0"]);
    // It has a session of its own.
    assert_eq!(host.sessions().await.len(), 2);
    inside.answer();
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen[1], "agent: re task report run 1 missed 0");
    let task = host.settled("report").await;
    assert_eq!(
        (task.state, task.next_at, task.failures),
        (TaskState::Ended, None, 0)
    );
    host.advance(60 * MINUTE);
    host.nudge();
    assert_eq!(
        host.store()
            .due_tasks(host.graph.base.now(), 10)
            .await
            .unwrap(),
        []
    );
    let trace = host
        .operator(&format!("trace id={}:2", inside.id.session))
        .await;
    let trace = anchorhold_admin::render::text(&trace);
    assert!(trace.contains("run 1 of the task"), "{trace}");
}

/// nc PR#1941 lost what was under way over a restart, nc#211 ran it again.
#[tokio::test]
async fn nc_pr_1941_a_run_outlives_the_host_that_claimed_it() {
    let mut host = Host::talked_to(PLAIN).await;
    done(&host.operator(&format!("{ADD} cron=0~9~*~*~*")).await);
    host.advance(Duration::from_hours(9));
    let inside = host.enter().await;
    let session = inside.id.session;
    drop(inside);
    let mut host = host.stop().await.start().await;
    let mut inside = host.enter().await;
    assert_eq!(inside.id.session, session);
    assert_eq!(inside.texts(), ["task report run 1 missed 0"]);
    inside.answer();
    host.until_seen(&address("c"), 2).await;
    let task = host.settled("report").await;
    assert_eq!((task.runs, task.state), (1, TaskState::Active));
    inside.die(ExitStatus::Code(0));
    host.until_empty().await;
    // Nobody was there for three days: what was missed is one run.
    let bench = host.stop().await;
    bench.clock.advance(Duration::from_hours(3 * 24));
    let mut host = bench.start().await;
    let text = host.run_due(Duration::ZERO, Handled::Done).await;
    assert_eq!(text, "task report run 2 missed 2");
    let task = host.settled("report").await;
    let next = task.next_at.unwrap().to_string();
    assert_eq!((task.runs, next.as_str()), (2, "2026-01-05T09:00:00Z"));
}

#[tokio::test]
async fn defect_34_runs_that_fail_back_off_and_then_rest_visibly() {
    let mut host = Host::talked_to(PLAIN).await;
    done(&host.operator(&format!("{ADD} cron=*/5~*~*~*~*")).await);
    let failed = || Handled::Failed {
        why: "boom".to_owned(),
    };
    let mut waits = Vec::new();
    for run in 1..=5 {
        let now = host.graph.base.now();
        let next = host.task("report").await.next_at.unwrap();
        waits.push(next.duration_since(now).as_mins());
        host.run_due(next.duration_since(now).unsigned_abs(), failed())
            .await;
        let task = host.settled("report").await;
        assert_eq!(task.failures, run);
    }
    assert_eq!(waits, [5, 5, 5, 10, 20]);
    let task = host.task("report").await;
    assert_eq!(task.state, TaskState::Paused);
    assert_eq!(task.why.as_deref(), Some("it failed 5 times in a row"));
    let seen = host.until_seen(&address("c"), 7).await;
    assert_eq!(seen[1], "host: The task “report” could not be done: boom");
    assert!(
        seen[6].starts_with("host: The task “report” failed 5 times in a row"),
        "{seen:?}"
    );
    host.advance(Duration::from_hours(24));
    assert_eq!(host.task("report").await.runs, 5);
    let resumed = done(&host.operator("tasks resume id=report").await);
    assert!(
        resumed.starts_with("the task \"report\" runs again; it runs next at"),
        "{resumed}"
    );
    host.run_due(5 * MINUTE, Handled::Done).await;
    let task = host.settled("report").await;
    assert_eq!((task.failures, task.state), (0, TaskState::Active));
}

/// oc#64293: what woke agents at times could not be switched off.
#[tokio::test]
async fn oc_64293_a_task_can_be_paused_changed_run_and_cancelled() {
    let mut host = Host::talked_to(PLAIN).await;
    done(&host.operator(&format!("{ADD} cron=0~*~*~*~*")).await);
    let rests = done(&host.operator("tasks pause id=report").await);
    assert_eq!(rests, "the task \"report\" rests");
    host.advance(Duration::from_hours(5));
    let conflict = failed(&host.operator("tasks run-now id=report").await);
    assert_eq!(conflict.0, FailCode::Conflict);
    assert_eq!(host.task("report").await.runs, 0);
    let changed = "tasks update id=report cron=30~9~*~*~* zone=Europe/Berlin name=daily";
    done(&host.operator(changed).await);
    let resumed = done(&host.operator("tasks resume id=daily").await);
    assert!(
        resumed.ends_with("2026-01-01 09:30:00 +01:00 (Europe/Berlin)"),
        "{resumed}"
    );
    done(&host.operator("tasks run-now id=daily").await);
    host.run_due(Duration::ZERO, Handled::Done).await;
    let task = host.settled("daily").await;
    assert_eq!(task.next_at.unwrap().to_string(), "2026-01-01T08:30:00Z");
    done(&host.operator("tasks cancel id=daily").await);
    host.advance(Duration::from_hours(48));
    assert_eq!(host.task("daily").await.runs, 1);
    assert!(columns(host.operator("tasks list").await, &["name"]).is_empty());
    let listed = columns(
        host.operator("tasks list all=true").await,
        &["name", "state", "runs", "last"],
    );
    assert_eq!(listed, [["daily", "ended", "1", "done"]]);
    let shown = anchorhold_admin::render::text(&host.operator("tasks show id=daily").await);
    assert!(shown.contains("write it"), "{shown}");
}

/// Defect 34 of the reference: a bad expression was taken, and failed each minute for ever.
#[tokio::test]
async fn defect_34_a_task_that_cannot_be_is_refused_with_a_reason() {
    let host = Host::talked_to(PLAIN).await;
    for (when, expect) in [
        ("cron=every~day", "no cron expression of five fields"),
        ("cron=0~0~31~2~*", "it would never run"),
        ("at=2025-12-31~09:00", "that time is past"),
        ("at=tomorrow", "that is no time"),
        ("in=soon", "no span of time"),
        ("in=1~hour zone=Mars/Base", "no such time zone"),
        (
            "in=1~hour at=2026-12-24~09:00",
            "give only one of --at, or --in, or --cron",
        ),
        ("", "needs --at, or --in, or --cron"),
    ] {
        let (code, what) = failed(&host.operator(format!("{ADD} {when}").trim_end()).await);
        assert_eq!(code, FailCode::Usage, "{when}: {what}");
        assert!(what.contains(expect), "{when}: {what}");
    }
    let elsewhere = ADD.replace("conversation=c", "conversation=nowhere");
    let (code, _) = failed(&host.operator(&format!("{elsewhere} in=1~hour")).await);
    assert_eq!(code, FailCode::NotFound);
}

#[tokio::test]
async fn agents_have_their_own_tasks_and_see_no_others() {
    let mut host = Host::new(BARE).await;
    let one = host.agent_of("a", "disabled", "ca").await;
    let two = host.agent_of("b", "global", "cb").await;
    let planned = done(
        &host
            .asks(&one, "tasks add prompt=Look~at~the~mail in=10~minutes")
            .await,
    );
    assert!(
        planned.starts_with("the task \"look-at-the-mail\" is planned"),
        "{planned}"
    );
    let listed = columns(
        host.asks(&one, "tasks list").await,
        &["name", "chat", "runs_in"],
    );
    assert_eq!(listed, [["look-at-the-mail", "ca", "its own"]]);
    assert!(columns(host.asks(&two, "tasks list").await, &["name"]).is_empty());
    for foreign in [
        "tasks cancel id=look-at-the-mail",
        "tasks show id=look-at-the-mail",
    ] {
        assert_eq!(
            failed(&host.asks(&two, foreign).await).0,
            FailCode::NotFound
        );
    }
    for (asked, code) in [
        ("tasks list group=a", FailCode::Forbidden),
        (
            "tasks add prompt=x in=1~hour channel=one conversation=ca",
            FailCode::Forbidden,
        ),
        ("tasks run-now id=x", FailCode::Forbidden),
        ("tasks add prompt=x in=1~hour to=nobody", FailCode::NotFound),
        ("tasks add prompt=x cron=*~*~*~*~*", FailCode::Usage),
        ("tasks update id=x", FailCode::NotFound),
    ] {
        assert_eq!(failed(&host.asks(&two, asked).await).0, code, "{asked}");
    }
    done(&host.asks(&one, "tasks cancel id=look-at-the-mail").await);
}

#[tokio::test]
async fn a_group_has_so_many_tasks_and_no_more() {
    let host = Host::talked_to(PLAIN).await;
    for n in 0..50 {
        let add = ADD.replace("name=report", &format!("name=t{n}"));
        done(&host.operator(&format!("{add} in=1~hour")).await);
    }
    let (code, what) = failed(&host.operator(&format!("{ADD} in=1~hour")).await);
    assert_eq!(code, FailCode::Unavailable, "{what}");
    done(&host.operator("tasks cancel id=t7").await);
    done(&host.operator(&format!("{ADD} in=1~hour")).await);
}

/// A task goes on only as long as its agent may write where its answers go.
#[tokio::test]
async fn a_task_whose_agent_lost_the_place_rests() {
    let mut host = Host::new(BARE).await;
    let inside = host.agent_of("a", "group", "ca").await;
    done(
        &host
            .asks(&inside, "tasks add prompt=x name=x in=10~minutes")
            .await,
    );
    inside.die(ExitStatus::Code(0));
    let wiring = columns(host.operator("wirings list").await, &["id"])
        .remove(0)
        .remove(0);
    done(&host.operator(&format!("wirings delete id={wiring}")).await);
    host.advance(10 * MINUTE);
    let task = until("the task rests", async || {
        host.nudge();
        Some(host.task("x").await).filter(|task| task.state == TaskState::Paused)
    })
    .await;
    assert_eq!(
        task.why.as_deref(),
        Some("its agent may not write there any more")
    );
    assert_eq!(task.runs, 0);
}

#[tokio::test]
async fn a_task_in_the_conversation_runs_in_its_memory() {
    let mut host = Host::talked_to(PLAIN).await;
    let session = host.session().await;
    done(
        &host
            .operator(&format!("{ADD} in=5~minutes in-conversation=true"))
            .await,
    );
    host.advance(5 * MINUTE);
    let mut inside = host.enter().await;
    assert_eq!(inside.id.session, session);
    assert_eq!(inside.texts(), ["task report run 1 missed 0"]);
    inside.answer();
    host.until_seen(&address("c"), 2).await;
}
