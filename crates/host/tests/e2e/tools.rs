//! What agents can do to reach people and the host, each tool through the whole path.

use serde_json::{Value, json};

use crate::e2e::{
    harness::{Place, until},
    person::{Person, agent_quotes},
    wall::Wall,
};

/// A host whose agent hears the chats `work` and `ops`, each with somebody who has written there.
async fn two_chats(wall: Wall) -> (Place, Person, Person) {
    let mut place = Place::new(wall, "");
    let wiring = |chat: &str| {
        format!("[[wirings]]\nchannel = \"cli\"\nchat = \"{chat}\"\nagent = \"helper\"\n")
    };
    place.configure(&format!(
        "{}\n[agents.helper]\nprovider = \"offline\"\n{}{}",
        place.head(),
        wiring("work"),
        wiring("ops")
    ));
    place.start().await;
    let (mut work, mut ops) = (place.person("work").await, place.person("ops").await);
    for person in [&mut work, &mut ops] {
        assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    }
    (place, work, ops)
}

/// The line that has the offline agent call a tool.
fn call(tool: &str, arguments: &Value) -> String {
    format!("!tool {tool} {arguments}")
}

fn question(options: &[&str], timeout_s: u32) -> String {
    let arguments = json!({"question": "Go?", "options": options, "timeout_s": timeout_s});
    call("ask_user_question", &arguments)
}

/// The number that a tool told of what it sent.
fn number(told: &str) -> i64 {
    let digits = told.rsplit("message ").next().unwrap();
    digits.parse().unwrap_or_else(|_| panic!("{told}"))
}

pub(crate) async fn a_question_waits_for_its_answer(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let ask = person.say(&question(&["yes", "no"], 60)).await;
    let card = person.card(1).await;
    assert_eq!((card.title.as_str(), card.options.len()), ("Go?", 2));
    assert_eq!(
        person.ask(&card.choose("no")).await,
        "host: You answered: no"
    );
    let told = person.answer_to(&ask).await.line();
    assert_eq!(told, "agent: local chose: no");

    // By number and in words of their own, where somebody does not choose.
    for (card, (words, expect)) in
        (2..).zip([("1", "chose: yes"), ("rather not", "wrote: rather not")])
    {
        let ask = person.say(&question(&["yes", "no"], 60)).await;
        let card = person.card(card).await;
        person.say(words).await;
        let told = person.answer_to(&ask).await.line();
        assert_eq!(told, format!("agent: local {expect}"));
        let late = person.ask(&card.choose("yes")).await;
        assert!(
            late.starts_with("host: There is no open question"),
            "{late}"
        );
    }

    let free = json!({"question": "Which colour?"});
    let ask = person.say(&call("ask_user_question", &free)).await;
    assert_eq!(person.answer_to(&ask).await.line(), "agent: Which colour?");
    let answer = person.say("blue").await;
    let told = person.hears(8).await.pop().unwrap();
    assert_eq!(told, "agent: local wrote: blue");
    // What answered a question is not answered for itself.
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    assert!(
        person
            .heard
            .iter()
            .all(|heard| heard.to.as_ref() != Some(&answer))
    );
    place.stop().await;
}

pub(crate) async fn an_answer_that_comes_too_late_is_a_message_of_a_later_turn(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let told = person.ask(&question(&["yes", "no"], 1)).await;
    let expect = "agent: nobody has answered within 1 s; an answer that comes later is a message of \
                  a later turn";
    assert_eq!(told, expect);
    let card = person.card(1).await;
    assert_eq!(
        person.ask(&card.choose("yes")).await,
        "host: You answered: yes"
    );
    let lines = person.hears(3).await;
    assert!(
        lines[2].starts_with("agent: answer to question #"),
        "{lines:?}"
    );
    assert!(lines[2].ends_with(": yes"), "{lines:?}");
    place.stop().await;
}

pub(crate) async fn an_asked_question_survives_host_and_sandbox(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let ask = person.say(&question(&["yes", "no"], 300)).await;
    let card = person.card(1).await;
    place.kill_host().await;
    place.start().await;
    person.repeat("chosen", &card.choose("yes")).await;
    let chose = person.answer_to("chosen").await.line();
    assert_eq!(chose, "host: You answered: yes");
    assert_eq!(
        person.answer_to(&ask).await.line(),
        "agent: local chose: yes"
    );

    // It is asked once, though the turn that asks it runs twice.
    let ask = person.say(&question(&["yes", "no"], 300)).await;
    let card = person.card(2).await;
    wall.kill(&place.engine, &place.session_id());
    until("the turn runs again", async || {
        (place.sessions().await[0]["generation"] == 2).then_some(())
    })
    .await;
    let chose = person.ask(&card.choose("no")).await;
    assert_eq!(chose, "host: You answered: no");
    assert_eq!(
        person.answer_to(&ask).await.line(),
        "agent: local chose: no"
    );
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    assert_eq!(person.cards(), 2);
    place.stop().await;
}

pub(crate) async fn words_go_to_the_destination_that_they_name(wall: Wall) {
    let (mut place, mut work, mut ops) = two_chats(wall).await;
    let listed = work.ask("!tool list_destinations {}").await;
    let expect = "agent: ops: conversation cli/ops (direct)\nwork: conversation cli/work (direct)";
    assert_eq!(listed, expect);

    let hi = json!({"text": "hi ops", "to": "ops"});
    let order = call("send_message", &hi);
    let (told, heard) = tokio::join!(work.ask(&order), ops.hears(2));
    assert!(
        told.starts_with("agent: sent to \"ops\" as message "),
        "{told}"
    );
    assert_eq!(heard[1], "agent: hi ops");
    let there = number(&told);

    let nowhere = json!({"text": "hi", "to": "nowhere"});
    let told = work.ask(&call("send_message", &nowhere)).await;
    let expect = "there is no destination \"nowhere\"; there are: ops, work";
    assert!(told.starts_with("agent: error: message "), "{told}");
    assert!(told.ends_with(expect), "{told}");

    // What is changed is changed where it is, whoever asked for it.
    let edit = call("edit_message", &json!({"seq": there, "text": "hello ops"}));
    let (told, edits) = tokio::join!(work.ask(&edit), ops.marks(1));
    assert_eq!(told, format!("agent: message {there} is changed"));
    assert_eq!(edits, ["edit: hello ops"]);

    let file = json!({"path": "r.txt", "to": "ops", "text": "here"});
    let order = format!("!sh echo report > r.txt\n{}", call("send_file", &file));
    let (told, heard) = tokio::join!(work.ask(&order), ops.hears(3));
    assert!(
        told.contains("\"r.txt\" (7 bytes) is sent as message "),
        "{told}"
    );
    assert_eq!(heard[2], "agent: here");
    assert_eq!(ops.heard[2].files[0].data, b"report\n");

    let card = json!({"title": "Deploy", "fields": [{"name": "by", "value": "Ann"}], "to": "ops"});
    let order = call("send_card", &card);
    let (_told, heard) = tokio::join!(work.ask(&order), ops.hears(4));
    assert_eq!(heard[3], "agent: **Deploy**\n\n- **by**: Ann");
    assert_eq!(work.lines().len(), 7);
    place.stop().await;
}

/// The number of a message that was just sent is the one to change it by.
pub(crate) async fn defect_30_what_was_sent_just_now_can_be_changed(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let first = json!({"text": "first"});
    let ask = person.say(&call("send_message", &first)).await;
    assert_eq!(person.answer_to(&ask).await.line(), "agent: first");
    let told = person.hears(2).await.pop().unwrap();
    let sent = number(&told);
    let both = [
        call("edit_message", &json!({"seq": sent, "text": "second"})),
        call("add_reaction", &json!({"seq": 2, "emoji": "👍"})),
    ];
    let told = person.ask(&both.join("\n")).await;
    let expect = format!("agent: message {sent} is changed\nmessage 2 has 👍 on it");
    assert_eq!(told, expect);
    assert_eq!(person.marks(2).await, ["edit: second", "react: 👍"]);

    let unknown = json!({"seq": 99_999, "text": "x"});
    person.say(&call("edit_message", &unknown)).await;
    let lines = person.hears(5).await;
    let told = lines.iter().find(|line| line.starts_with("agent: error: "));
    let told = told.unwrap_or_else(|| panic!("{lines:?}"));
    assert!(
        told.ends_with("the message it is about was never sent"),
        "{told}"
    );
    place.stop().await;
}

pub(crate) async fn an_agent_knows_how_things_are(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let told = person.ask("!tool status {}").await;
    for line in [
        "agent: agent: helper",
        "provider: offline, model: none",
        "messages that wait for an answer: 1",
        "messages of yours on their way: 0",
        "questions that nobody has answered: 0",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    place.stop().await;
}

/// A harness starts the shim as an MCP server; here it is started by a command of the turn.
pub(crate) async fn a_harness_calls_tools_over_mcp(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let about = json!({"protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "harness", "version": "1"}});
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params":
            {"name": "send_message", "arguments": {"text": "over MCP"}}}),
    ];
    let lines: Vec<String> = lines.iter().map(|line| format!("'{line}'")).collect();
    let command = format!(
        "!sh (printf '%s\\n' {}; sleep 2) | agent-runner mcp | tail -1 | grep -o 'sent as message'",
        lines.join(" ")
    );
    person.say(&command).await;
    let heard = person.hears(2).await;
    assert_eq!(
        heard,
        ["agent: over MCP", "agent: sent as message\nexit status 0"]
    );
    place.stop().await;
}

/// A host with two agents that may write to each other, and a third that may be written to by nobody.
async fn two_agents(wall: Wall) -> (Place, Person) {
    let mut place = Place::new(wall, "");
    let agent = |folder: &str| format!("[agents.{folder}]\nprovider = \"offline\"\n");
    let may = |from: &str, to: &str| {
        format!("[[destinations]]\nagent = \"{from}\"\nname = \"{to}\"\nto_agent = \"{to}\"\n")
    };
    let parts = [
        place.head(),
        agent("helper"),
        agent("second"),
        agent("third"),
        "[[wirings]]\nchannel = \"cli\"\nchat = \"work\"\nagent = \"helper\"\n".to_owned(),
        may("helper", "second"),
        may("second", "helper"),
        may("helper", "third"),
    ];
    place.configure(&parts.join("\n"));
    place.start().await;
    let person = place.person("work").await;
    (place, person)
}

fn to_agent(to: &str, text: &str) -> String {
    call("send_to_agent", &json!({"to": to, "text": text}))
}

pub(crate) async fn an_agent_asks_another_and_the_answer_comes_back(wall: Wall) {
    let (mut place, mut person) = two_agents(wall).await;
    let files =
        json!({"to": "second", "text": "!sh cat /anchorhold/in/inbox/*/*", "files": ["r.txt"]});
    let order = format!("!sh echo report > r.txt\n{}", call("send_to_agent", &files));
    let told = person.ask(&order).await;
    assert!(told.contains("\"second\" has got it as message "), "{told}");
    let lines = person.hears(2).await;
    assert!(
        lines[1].ends_with("You wrote: “report\nexit status 0”"),
        "{lines:?}"
    );

    // What the other can't answer is told, too, and not left open.
    person.ask(&to_agent("second", "!fail rejected")).await;
    let lines = person.hears(4).await;
    let expect = "agent: note from the host: “second: Your message could not be answered: the \
                  agent's model refuses to answer it.”";
    assert_eq!(lines[3], expect);

    // Both sides have to allow it.
    let told = person.ask(&to_agent("third", "hello")).await;
    let expect = "that agent may not write to you, so you may not write to it";
    assert!(told.ends_with(expect), "{told}");
    let told = person.ask(&to_agent("nobody", "hello")).await;
    let expect = "agent: error: bad arguments for send_to_agent: there is no agent \"nobody\"; there \
                  are: second, third";
    assert_eq!(told, expect);
    place.stop().await;
}

/// Each agent in a row asks the other; after five of them one has to answer.
pub(crate) async fn agents_do_not_ask_each_other_for_ever(wall: Wall) {
    let (mut place, mut person) = two_agents(wall).await;
    let mut order = "hello".to_owned();
    for to in ["second", "helper"].into_iter().cycle().skip(1).take(5) {
        order = to_agent(to, &order);
    }
    person.say(&to_agent("second", &order)).await;
    until("the sixth is refused", async || {
        let refused = "5 agents have asked each other already";
        place.log().contains(refused).then_some(())
    })
    .await;
    place.stop().await;
}

/// No tool makes an agent, and the command that would is not an agent's to give.
pub(crate) async fn defect_05_no_agent_makes_agents_by_itself(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let told = person.ask("!tool create_agent {\"folder\":\"new\"}").await;
    assert!(
        told.starts_with("agent: error: there is no such tool"),
        "{told}"
    );
    let create = "!sh anchorhold groups create --folder new >/dev/null 2>&1; echo $?";
    let told = person.ask(create).await;
    assert_ne!(told, "agent: 0\nexit status 0");
    assert_eq!(place.rows(&["groups", "list"]).await.len(), 1);
    place.stop().await;
}
