//! Requests that agents make from inside their sandboxes, and what they come to.

use std::{fs, time::Duration};

use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::e2e::{
    administration::{TOLD, code, column, until_carried_out},
    harness::{Place, until},
    people::{owned, owners_place},
    person::{Person, agent_quotes},
    wall::Wall,
};

/// How long others may wait for an answer while an agent asks for too much.
const PROMPT: Duration = Duration::from_secs(10);

pub(crate) async fn an_agent_sees_its_own_group_and_asks_for_no_more(wall: Wall) {
    let mut place = Place::new(wall, "");
    let second = "[agents.second]\nprovider = \"offline\"\nadmin_scope = \"disabled\"\n\
                  [[wirings]]\nchannel = \"cli\"\nchat = \"shut\"\nagent = \"second\"\n";
    place.configure(&[&owned(&place, ""), second].concat());
    place.start().await;
    let mut person = place.person("work").await;
    let said = person
        .ask("!sh anchorhold groups list --json | grep -o '\"folder\":\"[a-z]*\"'")
        .await;
    assert_eq!(said, "agent: \"folder\":\"helper\"\nexit status 0");
    let create = "anchorhold wirings create --channel cli --conversation x --group helper";
    for (command, status) in [
        (create, 1),
        ("anchorhold groups get second", 1),
        ("anchorhold roles list", 1),
        ("anchorhold pair cli", 64),
        ("anchorhold approvals approve 123456", 64),
        ("anchorhold groups update helper --admin-scope global", 64),
        ("anchorhold groups explode", 64),
        ("anchorhold", 64),
    ] {
        let said = person
            .ask(&format!("!sh {command} 2>/dev/null; echo $?"))
            .await;
        assert_eq!(said, format!("agent: {status}\nexit status 0"), "{command}");
    }
    // Something of somebody else's looks like nothing at all.
    let missing = "!sh anchorhold groups get second; anchorhold groups get third";
    let said = person.ask(missing).await;
    let lines: Vec<&str> = said.trim_start_matches("agent: ").lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(lines[0], lines[1]);

    let mut shut = place.person("shut").await;
    for command in ["groups list", "groups restart", "sessions list"] {
        let said = shut
            .ask(&format!("!sh anchorhold {command}; echo $?"))
            .await;
        let expected = "agent: error: agents of this group may not administer anything \
                        (forbidden)\n1\nexit status 0";
        assert_eq!(said, expected);
    }
    assert_eq!(
        place.rows(&["approvals", "list"]).await,
        Vec::<Value>::new()
    );
    assert_eq!(
        column(&place, "wirings list", "chat").await,
        ["shut", "work"]
    );
    place.stop().await;
}

/// Lets the agent ask for a restart; the command's last line is its exit status.
async fn asks_for_a_restart(person: &mut Person) {
    let ask = "!sh anchorhold groups restart --message hi >/dev/null 2>&1; echo $?";
    assert_eq!(person.ask(ask).await, "agent: 75\nexit status 0");
}

pub(crate) async fn an_approved_restart_is_told_to_the_fresh_sandbox(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("work").await;
    asks_for_a_restart(&mut person).await;
    let card = person.card(1).await;
    assert_eq!(card.title, "Approve a change?");
    assert!(
        card.text.contains("`restart_group` of the agent “helper”"),
        "{card:?}"
    );
    // The same again is the same request.
    asks_for_a_restart(&mut person).await;
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    assert_eq!(
        (
            person.cards(),
            place.rows(&["approvals", "list"]).await.len()
        ),
        (1, 1)
    );
    assert_eq!(place.sessions().await[0]["generation"], 1);

    let code = card.question.code();
    let refused = format!("Your request {code} (restart_group): It was refused.");
    let said = person.ask(&card.choose("Reject")).await;
    assert_eq!(said, "host: Refused.");
    let count = person.lines().len();
    let notes = person.hears(5).await;
    let note = |text: &str| format!("agent: note from the host: “{text}”");
    assert!(notes.contains(&note(&refused)), "{count}: {notes:?}");
    assert_eq!(place.sessions().await[0]["generation"], 1);

    asks_for_a_restart(&mut person).await;
    let card = person.card(2).await;
    let said = person.ask(&card.choose("Approve")).await;
    assert_eq!(said, "host: One sandbox is being replaced.");
    let code = card.question.code();
    let done = format!("Your request {code} (restart_group): One sandbox is being replaced.");
    let mut notes = person.hears(9).await.split_off(5);
    notes.retain(|line| line.starts_with("agent: note"));
    notes.sort();
    assert_eq!(notes, [note(&done), note("hi")]);
    person.ask("hello").await;
    assert_eq!(person.lines().len(), 10);
    assert_eq!(place.sessions().await[0]["generation"], 3);
    place.stop().await;
}

/// Asks two hundred times at once, and notes how each went.
const FLOOD: &str = "!sh for part in 1 2 3 4; do for i in $(seq 50); do \
                     (anchorhold groups list >/dev/null 2>&1; echo $? >> codes) & done; wait; done";

pub(crate) async fn a_flood_of_requests_harms_nobody(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut neighbour = place.person("neighbour").await;
    neighbour.ask("hello").await;
    let mut person = place.person("local").await;
    person.say(FLOOD).await;
    let codes = place.workspace("codes");
    let count = async |code: &str, least: usize| {
        until("requests are answered", async || {
            let noted = fs::read_to_string(&codes).unwrap_or_default();
            (noted.lines().filter(|line| *line == code).count() >= least).then_some(())
        })
        .await;
    };
    // So many are answered in a minute, and then none.
    count("0", 60).await;
    count("69", 1).await;
    let others = async {
        let still = agent_quotes("still here?");
        assert_eq!(neighbour.ask("still here?").await, still);
        let own = "!sh anchorhold groups list >/dev/null; echo $?";
        assert_eq!(neighbour.ask(own).await, "agent: 0\nexit status 0");
        assert_eq!(code(&place, "groups list").await, Some(0));
        let told = "host: helper is told to stop.";
        assert_eq!(person.ask("/stop").await, told);
        assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    };
    let prompt = timeout(PROMPT, others).await;
    prompt.expect("nobody waits for long");
    let noted = fs::read_to_string(&codes).unwrap();
    assert_eq!(noted.lines().filter(|line| *line == "0").count(), 60);
    place.stop().await;
}

pub(crate) async fn an_approved_restart_outlives_the_host(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("work").await;
    // The host dies somewhere between hearing the answer and having replaced the sandbox.
    for (round, millis) in [0, 4, 10].into_iter().enumerate() {
        asks_for_a_restart(&mut person).await;
        let before = place.sessions().await[0]["generation"].as_u64().unwrap();
        let heard = person.lines().len();
        let card = person.card(round + 1).await;
        let choice = card.choose("Approve");
        let id = person.shout(&choice).await;
        sleep(Duration::from_millis(millis)).await;
        place.kill_host().await;
        place.start().await;
        person.repeat(&id, &choice).await;
        person.answer_to(&id).await;
        until_carried_out(&place).await;
        place
            .until_work("the agent knows", |work| work["messages_pending"] == 0)
            .await;
        assert_eq!(person.ask("hello").await, agent_quotes("hello"));
        let lines = person.lines().split_off(heard);
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        let code = card.question.code();
        assert_eq!(count(&format!("“Your request {code} ")), 1, "{lines:?}");
        assert_eq!(count(TOLD), 1, "{lines:?}");
        let after = place.sessions().await[0]["generation"].as_u64().unwrap();
        assert!(after > before, "round {round}: {before}, {after}");
    }
    place.stop().await;
}
