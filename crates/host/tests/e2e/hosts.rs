//! Hosts start, stop, reload, and meet each other.

use std::fs;

use anchorhold_channel_cli::wire::AcceptedStatus;
use rustix::process::Signal;
use serde_json::json;

use crate::e2e::{
    harness::{Place, Printed, runner, until},
    person::{agent_quotes, quoted},
    wall::Wall,
};

pub(crate) async fn a_second_host_is_refused(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let second = place.cli(&["run", "--runner", runner().as_str()], "").await;
    let expected = Printed {
        code: Some(1),
        out: String::new(),
        err: format!(
            "error: another host is running on this data directory (pid {}); stop it first, or \
             use another --data-dir\n",
            place.pid()
        ),
    };
    assert_eq!(second, expected);
    let mut person = place.person("local").await;
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    place.stop().await;
}

pub(crate) async fn a_stop_lets_the_turn_end(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    let said = person
        .say("!sh echo turn >> turns; sleep 2; echo done")
        .await;
    let turns = place.workspace("turns");
    until("the turn has begun", async || turns.exists().then_some(())).await;
    place.stop().await;
    place.start().await;
    person.answer_to(&said).await;
    person.ask("hello").await;
    let expected = [
        "agent: done\nexit status 0".to_owned(),
        agent_quotes("hello"),
    ];
    assert_eq!(person.lines(), expected);
    assert_eq!(fs::read_to_string(&turns).unwrap(), "turn\n");
    place.stop().await;
}

fn one_agent(chat: &str, agent: &str) -> String {
    format!(
        "\n[agents.{agent}]\nprovider = \"offline\"\n[[wirings]]\nchannel = \"cli\"\n\
         chat = \"{chat}\"\nagent = \"{agent}\"\n"
    )
}

pub(crate) async fn a_changed_configuration_is_taken_over(wall: Wall) {
    let mut place = Place::new(wall, "");
    let first = [place.head(), one_agent("here", "helper")].concat();
    place.configure(&first);
    place.start().await;
    let (mut here, mut there) = (place.person("here").await, place.person("there").await);
    assert_eq!(here.ask("hello").await, agent_quotes("hello"));
    let waits = "host: No agent hears this conversation yet, and nobody who could change that can \
                 be reached at the moment. Your message waits.";
    let declined = there.try_to_say("early").await;
    assert_eq!(declined.0, AcceptedStatus::Declined);
    assert_eq!(there.hears(1).await, [waits]);

    let second = [first.clone(), one_agent("there", "second")].concat();
    place.configure(&second);
    place.signal(Signal::HUP);
    until("the new wiring counts", async || {
        (place.rows(&["wirings", "list"]).await.len() == 2).then_some(())
    })
    .await;
    assert_eq!(there.ask("hello").await, agent_quotes("hello"));
    assert_eq!(place.sessions().await[0]["agent"], "second");

    // Nobody tells the host of this one, and it is wrong.
    place.configure(&second.replace("\"offline\"", "\"ofline\""));
    let kept = "configuration not taken over, the earlier one stays in force";
    until("the problem is logged", async || {
        place.log().contains(kept).then_some(())
    })
    .await;
    let line = 1 + second
        .lines()
        .position(|line| line.contains("offline"))
        .unwrap();
    let problem = format!(
        "agents.helper.provider: there is no provider \"ofline\"; did you mean \"offline\"? \
         (line {line})"
    );
    assert!(place.log().contains(&problem), "{}", place.log());
    assert_eq!(here.ask("still there").await, agent_quotes("still there"));
    assert_eq!(there.ask("still there").await, agent_quotes("still there"));

    // What waited for a wiring has one.
    let mut heard = there.hears(4).await;
    heard.sort();
    let mut expected = ["early", "hello", "still there"].map(agent_quotes).to_vec();
    expected.push(waits.to_owned());
    assert_eq!(heard, expected);

    // A wiring that is gone is gone, also without a signal.
    place.configure(&first);
    until("the wiring is gone", async || {
        (there.try_to_say("hello").await.0 == AcceptedStatus::Declined).then_some(())
    })
    .await;
    assert_eq!(here.ask("at last").await, agent_quotes("at last"));
    place.stop().await;
}

pub(crate) async fn a_broken_configuration_is_told_completely(wall: Wall) {
    let place = Place::new(wall, "");
    place.configure(
        "[host]\nmax_sandboxs = 3\n\n[channels.cli]\ntype = \"clii\"\n\n[agents.helper]\n\
         provider = \"offline\"\nlimits = { memory = \"1kB\" }\n\n[[wirings]]\n\
         channel = \"cli\"\nchat = \"*\"\nagent = \"nobody\"\n",
    );
    let checked = place.cli(&["config", "check"], "").await;
    assert_eq!((checked.code, checked.out.as_str()), (Some(64), ""));
    let file = place.config();
    let begins = [
        ("host.max_sandboxs", 2),
        ("channels.cli.type", 5),
        ("agents.helper.limits.memory", 9),
        ("wirings[0].agent", 14),
    ];
    let lines: Vec<&str> = checked.err.lines().collect();
    assert_eq!(lines.len(), begins.len(), "{}", checked.err);
    for (line, (path, number)) in lines.iter().zip(begins) {
        let line = line.trim_start_matches("error: ");
        assert!(line.starts_with(&format!("{file}: {path}: ")), "{line}");
        assert!(line.ends_with(&format!("(line {number})")), "{line}");
    }
    let run = place.cli(&["run", "--runner", runner().as_str()], "").await;
    assert_eq!(run, checked);
}

pub(crate) async fn two_installations_leave_each_other_alone(wall: Wall) {
    let mut ours = Place::running(wall, "").await;
    let mut theirs = Place::running(wall, "").await;
    ours.person("local").await.ask("hello").await;
    let mut person = theirs.person("local").await;
    person.ask("hello").await;
    let session = theirs.session_id();
    let before = wall.sandboxes(&theirs.engine, &session);
    assert_eq!(before.len(), 1);
    // A stop, and a start that looks for what an earlier host left.
    ours.kill_host().await;
    ours.start().await;
    ours.stop().await;
    assert_eq!(wall.sandboxes(&theirs.engine, &session), before);
    let sent = theirs.cli(&["send", "--wait", "again"], "").await;
    assert_eq!(sent.out, format!("{}\n", quoted("again")));
    let sandboxes = theirs.status().await["sandboxes"].clone();
    let expected = json!([{
        "session": session,
        "generation": 1,
        "runtime": wall.name(),
        "adopted": false,
        "stopping": false,
    }]);
    assert_eq!(sandboxes, expected);
    theirs.stop().await;
}
