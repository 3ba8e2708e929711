//! Tasks: made by agents and people, run at their time, once.

use serde_json::Value;

use crate::e2e::{
    administration::{code, column},
    harness::{Place, until},
    person::Person,
    wall::Wall,
};

/// Has the agent call a tool; its answer.
async fn calls(person: &mut Person, tool: &str, arguments: &str) -> String {
    person.ask(&format!("!tool {tool} {arguments}")).await
}

/// Waits until a task has so many runs behind it; the task as `tasks show` has it.
async fn until_run(place: &Place, name: &str, runs: u64) -> Value {
    until("the task has run", async || {
        let shown = place.rows(&["tasks", "show", name]).await.remove(0);
        let over = shown["runs"] == runs && shown["running"] == 0;
        over.then_some(shown)
    })
    .await
}

pub(crate) async fn every_tool_for_tasks_goes_the_whole_way(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("work").await;
    let soon = r#"{"prompt":"!say 1 it is time","in":"1 second","name":"soon"}"#;
    let planned = calls(&mut person, "schedule_task", soon).await;
    let expect = "agent: the task \"soon\" is planned; it runs next at ";
    assert!(planned.starts_with(expect), "{planned}");
    let heard = person.hears(3).await;
    assert!(
        heard[1..].contains(&"agent: it is time".to_owned()),
        "{heard:?}"
    );
    let shown = until_run(&place, "soon", 1).await;
    assert_eq!(
        (&shown["state"], &shown["last"]),
        (&"ended".into(), &"done".into())
    );
    let daily = r#"{"prompt":"x","cron":"30 9 * * *","zone":"Europe/Berlin","name":"daily"}"#;
    let planned = calls(&mut person, "schedule_task", daily).await;
    assert!(planned.contains(" 09:30:00 +0"), "{planned}");
    let listed = calls(&mut person, "list_tasks", "{}").await;
    assert!(
        listed.contains("daily") && !listed.contains("soon"),
        "{listed}"
    );
    let one = r#"{"task":"daily"}"#;
    let said = calls(&mut person, "pause_task", one).await;
    assert!(
        said.starts_with("agent: the task \"daily\" rests"),
        "{said}"
    );
    assert_eq!(column(&place, "tasks list", "state").await, ["paused"]);
    let said = calls(&mut person, "resume_task", one).await;
    assert!(said.contains("runs again; it runs next at"), "{said}");
    let later = r#"{"task":"daily","cron":"30 10 * * *"}"#;
    let said = calls(&mut person, "update_task", later).await;
    assert!(said.contains(" 10:30:00 +0"), "{said}");
    let said = calls(&mut person, "cancel_task", one).await;
    assert!(
        said.starts_with("agent: the task \"daily\" is cancelled"),
        "{said}"
    );
    let said = calls(&mut person, "cancel_task", r#"{"task":"other"}"#).await;
    assert_eq!(
        said,
        "agent: error: not done: there is no such task (ID|NAME)"
    );
    assert_eq!(code(&place, "tasks pause daily").await, Some(1));
    place.stop().await;
}

/// Defect 34 of the reference: a bad expression was taken, and failed each minute for ever.
pub(crate) async fn defect_34_an_agent_is_told_what_its_task_can_not_be(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("work").await;
    for (arguments, expect) in [
        (
            r#"{"prompt":"x","cron":"every day"}"#,
            "no cron expression of five fields",
        ),
        (r#"{"prompt":"x","cron":"* * * * *"}"#, "at least 5 minutes"),
        (
            r#"{"prompt":"x","at":"2020-01-01 09:00"}"#,
            "that time is past",
        ),
        (
            r#"{"prompt":"x","in":"1 hour","zone":"Berlin"}"#,
            "no such time zone",
        ),
        (
            r#"{"prompt":"x","in":"1 hour","to":"nobody"}"#,
            "there is no such destination",
        ),
    ] {
        let said = calls(&mut person, "schedule_task", arguments).await;
        assert!(said.starts_with("agent: error: not done: "), "{said}");
        assert!(said.contains(expect), "{said}");
    }
    place.stop().await;
}

pub(crate) async fn a_script_decides_whether_the_agent_is_woken(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("work").await;
    for (name, script, expect) in [
        (
            "quiet",
            "echo looked > seen; echo '{\\\"wakeAgent\\\": false}'",
            None,
        ),
        (
            "loud",
            "cat seen >&2; echo '{\\\"wakeAgent\\\": true, \\\"data\\\": [1, 2]}'",
            Some("agent: task loud, run 1: “look” (found: “[1,2]”)"),
        ),
        (
            "broken",
            "echo what; exit 3",
            Some("host: The task “broken” could not be done: its script failed: exit status 3"),
        ),
    ] {
        let before = person.hears(0).await.len();
        let arguments =
            format!(r#"{{"prompt":"look","in":"1 second","name":"{name}","script":"{script}"}}"#);
        let planned = calls(&mut person, "schedule_task", &arguments).await;
        assert!(planned.contains("is planned"), "{planned}");
        let shown = until_run(&place, name, 1).await;
        let outcome = if name == "broken" { "failed" } else { "done" };
        assert_eq!(shown["last"], outcome, "{shown}");
        let heard = person
            .hears(before + 1 + usize::from(expect.is_some()))
            .await;
        assert_eq!(heard.get(before + 1).map(String::as_str), expect);
    }
    place.stop().await;
}

pub(crate) async fn a_task_that_is_due_while_no_host_runs_is_done_once(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("work").await;
    let soon = r#"{"prompt":"look","in":"2 seconds","name":"soon"}"#;
    calls(&mut person, "schedule_task", soon).await;
    place.kill_host().await;
    drop(person);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    place.start().await;
    let shown = until_run(&place, "soon", 1).await;
    assert_eq!(shown["last"], "done");
    let mut person = place.person("work").await;
    let mut heard = person.hears(1).await;
    // That it is planned is said once more where the host died before it was acknowledged.
    let planned = |line: &String| line.contains("is planned");
    if heard.iter().any(planned) {
        heard = person.hears(2).await;
        heard.retain(|line| !planned(line));
    }
    assert_eq!(heard, ["agent: task soon, run 1: “look”"]);
    place.stop().await;
}
