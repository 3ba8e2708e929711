//! Something dies in mid-turn, and the person still gets one answer, or is told.

use std::fs;

use serde_json::{Value, json};

use crate::e2e::{
    harness::{Place, until},
    person::agent_quotes,
    wall::Wall,
};

/// Notes a turn in the workspace, then takes its time.
fn slow(seconds: u32) -> String {
    format!("!sh echo turn >> turns; sleep {seconds}; echo done")
}

const DONE: &str = "agent: done\nexit status 0";

/// Waits until so many turns of [`slow`] have begun.
async fn until_turns(place: &Place, count: usize) {
    let turns = place.workspace("turns");
    until("the turn has begun", async || {
        let noted = fs::read_to_string(&turns).unwrap_or_default();
        (noted.lines().count() == count).then_some(())
    })
    .await;
}

pub(crate) async fn a_runner_that_dies_in_mid_turn_is_retried_and_answers_once(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    person
        .ask("!sh [ -e once ] || { touch once; kill -9 $PPID; }; echo survived")
        .await;
    person.ask("hello").await;
    let expected = [
        "agent: survived\nexit status 0".to_owned(),
        agent_quotes("hello"),
    ];
    assert_eq!(person.lines(), expected);
    assert_eq!(place.sessions().await[0]["generation"], 2);
    place.stop().await;
}

pub(crate) async fn a_sandbox_killed_from_outside_is_retried_and_answers_once(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let said = person.say(&slow(1)).await;
    until_turns(&place, 1).await;
    wall.kill(&place.engine, &place.session_id());
    person.answer_to(&said).await;
    person.ask("hello").await;
    assert_eq!(person.lines(), [DONE.to_owned(), agent_quotes("hello")]);
    until_turns(&place, 2).await;
    assert_eq!(place.sessions().await[0]["generation"], 2);
    place.stop().await;
}

pub(crate) async fn what_always_dies_is_given_up_visibly(wall: Wall) {
    let mut place = Place::running(wall, "tries = 2").await;
    let mut person = place.person("local").await;
    person.ask("!exit 3").await;
    person.ask("hello").await;
    let told = "host: Your message could not be answered: the agent stopped in the middle of its \
                work (exit status 3). It was tried 2 times and is now given up.";
    assert_eq!(person.lines(), [told.to_owned(), agent_quotes("hello")]);
    let work = place.status().await["work"].clone();
    assert_eq!(
        (&work["messages_failed"], &work["messages_pending"]),
        (&json!(1), &json!(0))
    );
    place.stop().await;
}

const STALLED: &str = "host: Your message could not be answered: the agent made no progress. \
                       It was tried 2 times and is now given up.";

pub(crate) async fn what_hangs_is_replaced_and_given_up_visibly(wall: Wall) {
    let mut place = Place::running(wall, "tries = 2\nprogress = \"2s\"").await;
    let mut person = place.person("local").await;
    person.say("!sh echo turn >> turns\n!hang").await;
    until_turns(&place, 1).await;
    person.ask("hello").await;
    assert_eq!(person.lines(), [STALLED.to_owned(), agent_quotes("hello")]);
    assert_eq!(place.status().await["work"]["messages_failed"], 1);
    place.stop().await;
}

pub(crate) async fn words_that_came_with_a_hanging_message_are_answered(wall: Wall) {
    let mut place = Place::running(wall, "tries = 2\nprogress = \"2s\"").await;
    let mut person = place.person("local").await;
    let words = ["!hang", "hello", "and more"].map(str::to_owned);
    person.say_at_once(&words).await;
    let mut heard = person.hears(3).await;
    heard.sort();
    let mut expected = [
        agent_quotes("hello"),
        agent_quotes("and more"),
        STALLED.to_owned(),
    ];
    expected.sort();
    assert_eq!(heard, expected);
    place.stop().await;
}

/// What the status says of the one sandbox, once there is one.
async fn the_sandbox(place: &Place) -> Value {
    until("a sandbox runs", async || {
        let status = place.status().await;
        status["sandboxes"].as_array().unwrap().first().cloned()
    })
    .await
}

pub(crate) async fn a_new_host_adopts_what_a_killed_one_left_running(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let said = person.say(&slow(4)).await;
    until_turns(&place, 1).await;
    let before = wall.sandboxes(&place.engine, &place.session_id());
    place.kill_host().await;
    place.start().await;
    let expected = json!({
        "session": place.session_id(),
        "generation": 1,
        "runtime": wall.name(),
        "adopted": true,
        "stopping": false,
    });
    assert_eq!(the_sandbox(&place).await, expected);
    person.answer_to(&said).await;
    person.ask("hello").await;
    assert_eq!(person.lines(), [DONE.to_owned(), agent_quotes("hello")]);
    until_turns(&place, 1).await;
    assert_eq!(wall.sandboxes(&place.engine, &place.session_id()), before);
    place.stop().await;
}

pub(crate) async fn a_new_host_replaces_what_died_with_the_old_one(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let said = person.say(&slow(1)).await;
    until_turns(&place, 1).await;
    place.kill_host().await;
    wall.kill(&place.engine, &place.session_id());
    place.start().await;
    person.answer_to(&said).await;
    person.ask("hello").await;
    assert_eq!(person.lines(), [DONE.to_owned(), agent_quotes("hello")]);
    until_turns(&place, 2).await;
    assert_eq!(place.sessions().await[0]["generation"], 2);
    place.stop().await;
}
