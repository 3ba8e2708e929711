//! People: who becomes an owner, what their commands do, and who hears a conversation.

use std::fs;

use anchorhold_channel_cli::wire::AcceptedStatus;
use serde_json::Value;

use crate::e2e::{
    harness::{Place, until},
    person::{Card, Person, agent_quotes},
    wall::Wall,
};

/// What somebody reads whose message waits.
const WAITS: &str = "host: No agent hears this conversation yet. An owner is asked which one is \
                     to; your message waits.";
const CONNECTED: &str = "host: Connected. What waited there is answered now.";

/// A configuration where the chat `work` has an agent and the one person is an owner.
pub(crate) fn owned(place: &Place, group: &str) -> String {
    format!(
        "{}\n[agents.helper]\nprovider = \"offline\"\n{group}\n\
         [[wirings]]\nchannel = \"cli\"\nchat = \"work\"\nagent = \"helper\"\n\n\
         [[people]]\nchannel = \"cli\"\nhandle = \"local\"\nroles = [\"owner\"]\n",
        place.head(),
    )
}

/// A host where the chat `work` has an agent and the one person is an owner.
pub(crate) async fn owners_place(wall: Wall, group: &str) -> Place {
    let mut place = Place::new(wall, "");
    place.configure(&owned(&place, group));
    place.start().await;
    place
}

/// What is said on a conversation that nobody hears: it waits, and is neither stored nor lost.
async fn waits(person: &mut Person, text: &str) {
    let waits = (AcceptedStatus::Declined, Some("awaits_wiring".to_owned()));
    assert_eq!(person.try_to_say(text).await, waits);
}

/// The names of files below the data directory that hold `needle`.
fn files_with(place: &Place, needle: &str) -> Vec<String> {
    let entries = place.data().read_dir_utf8().unwrap().flatten();
    let plain = entries.filter(|entry| entry.file_type().unwrap().is_file());
    plain
        .filter(|entry| {
            let content = fs::read(entry.path()).unwrap();
            let mut windows = content.windows(needle.len());
            windows.any(|window| window == needle.as_bytes())
        })
        .map(|entry| entry.file_name().to_owned())
        .collect()
}

pub(crate) async fn a_code_makes_an_owner_and_is_kept_nowhere(wall: Wall) {
    let mut place = Place::new(wall, "");
    let agent = "\n[agents.helper]\nprovider = \"offline\"\n";
    place.configure(&[&place.head(), agent].concat());
    place.start().await;
    assert_eq!(place.rows(&["roles", "list"]).await, Vec::<Value>::new());
    let printed = place.cli(&["pair", "cli"], "").await;
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
    let code = printed.out.lines().next().unwrap().to_owned();
    assert_eq!(code.len(), 8);
    assert!(code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");

    let mut person = place.person("local").await;
    let wrong = if code == "00000000" {
        "11111111"
    } else {
        "00000000"
    };
    assert_eq!(person.ask(wrong).await, "host: That is not the code.");
    assert_eq!(place.rows(&["roles", "list"]).await, Vec::<Value>::new());
    let said = person.ask(&code).await;
    assert!(said.starts_with("host: You are the owner now."), "{said}");
    let roles = place.rows(&["roles", "list"]).await;
    assert_eq!(roles.len(), 1);
    let role = ["channel", "handle", "role"].map(|key| roles[0][key].clone());
    assert_eq!(role, ["cli", "local", "owner"]);
    assert_eq!(files_with(&place, &code), Vec::<String>::new());

    // The agent hears the owner from now on, and the code is a number like any other.
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    assert!(!place.log().contains(&code));
    assert_eq!(person.ask(&code).await, agent_quotes(&code));
    place.stop().await;
    assert!(!place.log().contains(&code));
}

pub(crate) async fn commands_are_the_hosts_and_other_words_the_agents(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let nothing = "host: No agent has heard a message of yours here.";
    assert_eq!(person.ask("/where").await, nothing);
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    let help = person.ask("/help").await;
    for command in ["/help", "/status", "/where", "/new", "/stop", "/compact"] {
        assert!(help.contains(&format!("{command}: ")), "{help}");
    }
    let idle = "host: helper is awake and has nothing to do.";
    assert_eq!(person.ask("/status").await, idle);
    let whereabouts = person.ask("/where").await;
    let begins = "host: helper: your last message, of ";
    assert!(whereabouts.starts_with(begins), "{whereabouts}");
    assert!(whereabouts.contains(", was taken in."), "{whereabouts}");
    for text in ["/clearx", "/new and tell me a joke", "/answer", "//new"] {
        assert_eq!(person.ask(text).await, agent_quotes(text));
    }
    // The host has passed it on, and the runner answers it in its place.
    let heard = person.lines().len();
    person.say("/compact").await;
    person.say("after it").await;
    let mut heard = person.hears(heard + 3).await.split_off(heard);
    let expected = [
        "host: helper is asked to make its memory smaller.",
        "agent: I keep nothing between turns, so there is nothing to compact.",
        &agent_quotes("after it"),
    ];
    // The host's word and the runner's go different ways.
    heard.sort_by_key(|line| line.starts_with("agent: "));
    assert_eq!(heard, expected);
    assert_eq!(place.sessions().await[0]["generation"], 1);
    place.stop().await;
}

pub(crate) async fn a_fresh_conversation_is_a_new_session_and_the_old_sandbox_is_gone(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    person.ask("hello").await;
    let old = place.session_id();
    assert_eq!(wall.sandboxes(&place.engine, &old).len(), 1);
    let said = person.ask("/new").await;
    assert_eq!(said, "host: helper begins afresh with your next message.");
    until("the old sandbox is gone", async || {
        let left = wall.sandboxes(&place.engine, &old);
        left.is_empty().then_some(())
    })
    .await;
    assert_eq!(place.sessions().await, Vec::<Value>::new());
    let again = person.ask("/new").await;
    assert_eq!(again, "host: helper has nothing to forget here.");
    assert_eq!(person.ask("hello again").await, agent_quotes("hello again"));
    let open = place.sessions().await;
    assert_eq!(open.len(), 1);
    assert_ne!(open[0]["session"], old.as_str());
    assert_eq!(place.rows(&["sessions", "list", "--all"]).await.len(), 2);
    place.stop().await;
}

pub(crate) async fn a_stopped_turn_ends_at_once_and_for_good(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    // What the command starts in the background is to end with it.
    person
        .say("!sh echo turn >> turns; sleep 58 & sleep 59; echo done")
        .await;
    let turns = place.workspace("turns");
    until("the turn has begun", async || turns.exists().then_some(())).await;
    let said = person.ask("/stop").await;
    assert_eq!(said, "host: helper is told to stop.");
    place
        .until_work("nothing waits", |work| work["messages_pending"] == 0)
        .await;
    // The brackets keep the search from finding itself.
    let search = "!sh cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c '[s]leep 5'";
    assert_eq!(person.ask(search).await, "agent: 0\nexit status 1");
    assert_eq!(person.ask("/stop").await, "host: helper is doing nothing.");
    person.ask("hello").await;
    let mut lines = person.lines();
    // The end can be said before the reply to the command that brought it about.
    lines[..2].sort();
    let expected = [
        "host: Stopped; your message is not answered.".to_owned(),
        said,
        "agent: 0\nexit status 1".to_owned(),
        "host: helper is doing nothing.".to_owned(),
        agent_quotes("hello"),
    ];
    assert_eq!(lines, expected);
    assert_eq!(fs::read_to_string(&turns).unwrap(), "turn\n");
    assert_eq!(place.sessions().await[0]["generation"], 1);
    place.stop().await;
}

pub(crate) async fn what_waits_for_a_wiring_is_answered_in_order_once(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("local").await;
    for text in ["one", "two", "three"] {
        waits(&mut person, text).await;
    }
    let card = person.card(1).await;
    let expected = Card {
        question: card.question,
        title: "Connect a conversation?".to_owned(),
        text: "local on cli addressed the bot in local on cli, which no agent hears. \
               Which agent is to answer there?"
            .to_owned(),
        options: ["Connect helper", "Make a new agent", "Decline"]
            .map(str::to_owned)
            .to_vec(),
    };
    assert_eq!(card, expected);
    assert_eq!(place.sessions().await, Vec::<Value>::new());
    let choice = card.choose("Connect helper");
    assert_eq!(person.ask(&choice).await, CONNECTED);
    let mut heard = person.hears(5).await;
    heard.sort_by_key(|line| line.starts_with("agent: "));
    let mut expected = vec![WAITS.to_owned(), CONNECTED.to_owned()];
    expected.extend(["one", "two", "three"].map(agent_quotes));
    assert_eq!(heard, expected);

    // Said again, it changes nothing; and from now on the agent hears what is said.
    let again = person.ask(&choice).await;
    assert_eq!(
        again,
        "host: There is no open question with that code; it may have been answered already."
    );
    assert_eq!(person.ask("four").await, agent_quotes("four"));
    assert_eq!((person.lines().len(), person.cards()), (7, 1));
    let wirings = place.rows(&["wirings", "list"]).await;
    let chats: Vec<&Value> = wirings.iter().map(|row| &row["chat"]).collect();
    assert_eq!(chats, ["local", "work"]);
    place.stop().await;
}

pub(crate) async fn a_declined_conversation_is_asked_about_no_more(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("local").await;
    waits(&mut person, "let me in").await;
    let choice = person.card(1).await.choose("Decline");
    assert_eq!(person.ask(&choice).await, "host: Refused.");
    let refused = "host: Your request was refused; your message is not answered.";
    let mut heard = person.hears(3).await;
    heard.sort();
    assert_eq!(heard, [WAITS, "host: Refused.", refused]);
    person.leave().await;
    place
        .until_work("all is delivered", |work| work["deliveries_pending"] == 0)
        .await;
    place.kill_host().await;
    place.start().await;
    let declined = (
        AcceptedStatus::Declined,
        Some("conversation_refused".to_owned()),
    );
    let mut person = place.person("local").await;
    assert_eq!(person.try_to_say("and now?").await, declined);
    let dropped = place.rows(&["dropped", "list"]).await;
    let mut counts: Vec<String> = dropped
        .iter()
        .map(|row| format!("{} {}", row["reason"].as_str().unwrap(), row["count"]))
        .collect();
    counts.sort();
    assert_eq!(counts, ["awaits_wiring 1", "conversation_refused 1"]);

    let row = place.rows(&["conversations", "list"]).await;
    let row = row.iter().find(|row| row["chat"] == "local").unwrap();
    let id = row["id"].as_str().unwrap();
    let update = ["conversations", "update", id, "--declined", "false"];
    place.rows(&update).await;
    waits(&mut person, "once more").await;
    let choice = person.card(1).await.choose("Make a new agent");
    assert_eq!(person.ask(&choice).await, CONNECTED);
    let mut heard = person.hears(3).await;
    heard.sort_by_key(|line| line.starts_with("agent: "));
    assert_eq!(heard, [WAITS, CONNECTED, &agent_quotes("once more")]);
    let groups = place.rows(&["groups", "list"]).await;
    let mut folders: Vec<&Value> = groups.iter().map(|row| &row["folder"]).collect();
    folders.sort_by_key(ToString::to_string);
    assert_eq!(folders, ["helper", "local"]);
    place.stop().await;
}

/// Takes what comes during the turn, marks that it did, and waits for a word from outside.
const LISTENS: &str = "!sh echo turn >> turns\n!listen 30\n\
                       !sh touch heard; until [ -e go ]; do sleep 0.05; done";

pub(crate) async fn what_comes_during_a_turn_is_answered_within_it(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let said = person.say("!sh echo turn >> turns\n!listen 30").await;
    let turns = place.workspace("turns");
    until("the turn has begun", async || turns.exists().then_some(())).await;
    let more = person.say("more").await;
    let first = person.answer_to(&said).await.line();
    assert_eq!(first, "agent: exit status 0\nfollow-ups taken: 1");
    let second = person.answer_to(&more).await.line();
    assert_eq!(second, "agent: follow-up: “more”");
    person.ask("hello").await;
    assert_eq!(person.lines().len(), 3);
    place.stop().await;
}

pub(crate) async fn what_came_during_a_turn_that_died_is_answered_later_once(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let said = person.say(LISTENS).await;
    let (turns, heard) = (place.workspace("turns"), place.workspace("heard"));
    until("the turn has begun", async || turns.exists().then_some(())).await;
    let more = person.say("more").await;
    until("the turn has it", async || heard.exists().then_some(())).await;
    wall.kill(&place.engine, &place.session_id());
    fs::write(place.workspace("go"), "").unwrap();
    person.answer_to(&said).await;
    person.answer_to(&more).await;
    person.ask("hello").await;
    let mut lines = person.lines();
    lines.sort();
    let mut expected = [
        "agent: exit status 0\nfollow-ups taken: 0\nexit status 0".to_owned(),
        agent_quotes("hello"),
        agent_quotes("more"),
    ];
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(fs::read_to_string(&turns).unwrap(), "turn\nturn\n");
    place.stop().await;
}
