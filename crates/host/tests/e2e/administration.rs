//! Administration: by the operator over the socket, and by agents from inside their sandboxes.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::e2e::{
    harness::{Place, program, until},
    people::{owned, owners_place},
    person::{Person, agent_quotes},
    wall::Wall,
};

/// Somebody who is not the one who runs the host.
const NOBODY: &str = "65534";
/// How long others may wait for an answer while an agent asks for too much.
const PROMPT: Duration = Duration::from_secs(10);

/// The exit status of a command.
async fn code(place: &Place, args: &[&str]) -> Option<i32> {
    place.cli(args, "").await.code
}

/// One column of what a command lists.
async fn column(place: &Place, args: &[&str], name: &str) -> Vec<String> {
    let rows = place.rows(args).await;
    let cells = rows
        .iter()
        .map(|row| row[name].as_str().unwrap().to_owned());
    let mut cells: Vec<String> = cells.collect();
    cells.sort();
    cells
}

/// What `wirings explain` says of plain words on a conversation: who would do what.
async fn explained(place: &Place, chat: &str) -> Vec<Value> {
    let asked = ["wirings", "explain", "--channel", "cli", "--conversation"];
    let asked = [&asked[..], &[chat, "--text", "hello"]].concat();
    let rows = place.rows(&asked).await;
    let outcome = |row: &Value| json!([row["agent"], row["outcome"]]);
    rows.iter().map(outcome).collect()
}

pub(crate) async fn commands_do_what_they_say_and_tell_how_it_went(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let made = place
        .rows(&["groups", "create", "--folder", "second"])
        .await;
    let id = made[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        column(&place, &["groups", "list"], "folder").await,
        ["helper", "second"]
    );
    assert_eq!(
        place.rows(&["groups", "get", &id]).await[0]["folder"],
        "second"
    );
    assert_eq!(explained(&place, "desk").await, Vec::<Value>::new());
    let wire = [
        "wirings",
        "create",
        "--channel",
        "cli",
        "--conversation",
        "desk",
    ];
    let wire = [&wire[..], &["--group", "second"]].concat();
    let wiring = place.rows(&wire).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        explained(&place, "desk").await,
        [json!(["second", "answered"])]
    );
    let mut person = place.person("desk").await;
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));

    let pattern = [
        "wirings",
        "update",
        &wiring,
        "--engage",
        "pattern",
        "--pattern",
    ];
    let update = |regex| [&pattern[..], &[regex]].concat();
    assert_eq!(code(&place, &update("(")).await, Some(64));
    assert_eq!(code(&place, &update("^ai")).await, Some(0));
    assert_eq!(
        explained(&place, "desk").await,
        [json!(["second", "declined"])]
    );
    // Not done, not accepted, and no host.
    for (args, expected) in [
        (&wire[..], 1),
        (&["groups", "create", "--folder", "second"], 1),
        (&["groups", "get", "nobody"], 1),
        (&["groups", "delete", "helper"], 1),
        (&["groups", "create", "--folder", "a b"], 64),
        (&["groups", "create", "--folder", "../up"], 64),
        (&["groups", "create"], 64),
        (&["groups", "explode"], 64),
        (&["sessions", "close", "../../etc"], 64),
        (&["wirings", "list", "--limit", "0"], 64),
    ] {
        let printed = place.cli(args, "").await;
        assert_eq!(printed.code, Some(expected), "{args:?}: {printed:?}");
        assert_eq!(printed.out, "", "{args:?}");
        assert_ne!(printed.err, "", "{args:?}");
    }
    let acts = column(&place, &["audit", "list"], "act").await;
    assert!(acts.contains(&"create_group".to_owned()), "{acts:?}");
    place.stop().await;
    let away = place.cli(&["groups", "list", "--json"], "").await;
    assert_eq!((away.code, away.out.as_str()), (Some(69), ""));
}

pub(crate) async fn what_is_deleted_can_be_had_back(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    place
        .rows(&["groups", "create", "--folder", "second"])
        .await;
    let wire = [
        "wirings",
        "create",
        "--channel",
        "cli",
        "--conversation",
        "desk",
    ];
    place
        .rows(&[&wire[..], &["--group", "second"]].concat())
        .await;
    let mut person = place.person("desk").await;
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    let session = place.session_id();
    let listed = async |place: &Place| {
        let mut all = Vec::new();
        for what in ["groups", "wirings", "destinations"] {
            all.push(place.rows(&[what, "list"]).await);
        }
        all
    };
    let before = listed(&place).await;
    let deleted = place.rows(&["groups", "delete", "second"]).await;
    assert_eq!(
        column(&place, &["groups", "list"], "folder").await,
        ["helper"]
    );
    until("its sandbox is gone", async || {
        let left = wall.sandboxes(&place.engine, &session);
        left.is_empty().then_some(())
    })
    .await;
    let undo = deleted[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(code(&place, &["undo", "restore", &undo]).await, Some(0));
    assert_eq!(code(&place, &["undo", "restore", &undo]).await, Some(1));
    let mut after = listed(&place).await;
    // What it talked in stays closed, so it has no session more.
    for rows in [&mut after[0]] {
        for row in rows.iter_mut().filter(|row| row["folder"] == "second") {
            assert_eq!(row["sessions"], 0);
            row["sessions"] = json!(1);
        }
    }
    assert_eq!(after, before);
    assert_eq!(person.ask("hello again").await, agent_quotes("hello again"));
    place.stop().await;
}

pub(crate) async fn somebody_else_is_refused(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let (data, socket) = (place.data(), place.data().join("control.sock"));
    let mode = |path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&data), mode(&socket)), (0o700, 0o600));
    if rustix::process::getuid().is_root() {
        // Even where the files let everybody through.
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        let copy = place.path("anchorhold");
        fs::copy(program(), &copy).unwrap();
        let done = Command::new("setpriv")
            .args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"])
            .args([copy.as_str(), "--data-dir", data.as_str()])
            .args(["groups", "list"])
            .output()
            .unwrap();
        let err = String::from_utf8(done.stderr).unwrap();
        let expected = "error: the host refuses: only the user who runs the host may ask it\n";
        assert_eq!((done.status.code(), err.as_str()), (Some(1), expected));
        assert_eq!(done.stdout, b"");
        assert!(
            place.log().contains("control socket refused"),
            "{}",
            place.log()
        );
    }
    assert_eq!(
        column(&place, &["groups", "list"], "folder").await,
        ["helper"]
    );
    place.stop().await;
}

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
        ("anchorhold pair cli", 1),
        ("anchorhold approvals approve 123456", 1),
        ("anchorhold groups update helper --admin-scope global", 1),
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
        column(&place, &["wirings", "list"], "chat").await,
        ["shut", "work"]
    );
    place.stop().await;
}

/// Lets the agent ask for a restart; the command's last line is its exit status.
async fn asks_for_a_restart(person: &mut Person) {
    let ask = "!sh anchorhold groups restart --message 'look again' >/dev/null 2>&1; echo $?";
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
    assert_eq!(notes, [note(&done), note("look again")]);
    person.ask("hello").await;
    assert_eq!(person.lines().len(), 10);
    assert_eq!(place.sessions().await[0]["generation"], 2);
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
    let since = Instant::now();
    assert_eq!(
        neighbour.ask("still here?").await,
        agent_quotes("still here?")
    );
    let own = "!sh anchorhold groups list >/dev/null; echo $?";
    assert_eq!(neighbour.ask(own).await, "agent: 0\nexit status 0");
    assert_eq!(code(&place, &["groups", "list"]).await, Some(0));
    assert_eq!(person.ask("/stop").await, "host: helper is told to stop.");
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    assert!(since.elapsed() < PROMPT, "{:?}", since.elapsed());
    let noted = fs::read_to_string(&codes).unwrap();
    assert_eq!(noted.lines().filter(|line| *line == "0").count(), 60);
    place.stop().await;
}

const RESTART: &[&str] = &["groups", "restart", "helper", "--message", "look again"];
const TOLD: &str = "agent: note from the host: “look again”";

pub(crate) async fn a_restart_is_told_to_the_fresh_sandbox_once(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("work").await;
    person.ask("hello").await;
    let old = wall.sandboxes(&place.engine, &place.session_id());
    let done = place.rows(RESTART).await;
    assert_eq!(done[0]["done"], "One sandbox is being replaced.");
    person.hears(2).await;
    person.ask("hello again").await;
    let expected = [
        agent_quotes("hello"),
        TOLD.to_owned(),
        agent_quotes("hello again"),
    ];
    assert_eq!(person.lines(), expected);
    assert_eq!(place.sessions().await[0]["generation"], 2);
    let new = wall.sandboxes(&place.engine, &place.session_id());
    assert_eq!(new.len(), 1);
    assert_ne!(new, old);
    // Nobody runs, so nobody is told.
    assert_eq!(
        code(&place, &["sessions", "close", &place.session_id()]).await,
        Some(0)
    );
    let done = place.rows(RESTART).await;
    let nobody = "No sandbox of this agent runs; the next message starts one.";
    assert_eq!(done[0]["done"], nobody);
    place.stop().await;
}

pub(crate) async fn a_restart_survives_the_host(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("work").await;
    person.ask("hello").await;
    assert_eq!(code(&place, RESTART).await, Some(0));
    place.kill_host().await;
    place.start().await;
    person.hears(2).await;
    person.ask("hello again").await;
    let expected = [
        agent_quotes("hello"),
        TOLD.to_owned(),
        agent_quotes("hello again"),
    ];
    assert_eq!(person.lines(), expected);
    assert_eq!(place.sessions().await[0]["generation"], 2);
    place.stop().await;
}

pub(crate) async fn an_exported_configuration_changes_nothing(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    place
        .rows(&[
            "groups",
            "create",
            "--folder",
            "second",
            "--name",
            "The second",
        ])
        .await;
    place
        .rows(&["groups", "update", "second", "--tries", "3"])
        .await;
    let wire = [
        "wirings",
        "create",
        "--channel",
        "cli",
        "--conversation",
        "desk",
    ];
    let rules = [
        "--group",
        "second",
        "--pattern",
        "^(ai|\"robot\")\\b",
        "--ignored",
        "accumulate",
    ];
    place.rows(&[&wire[..], &rules].concat()).await;
    let somebody = ["--channel", "cli", "--handle", "ann"];
    place
        .rows(&[&["users", "create", "--name", "Ann"], &somebody[..]].concat())
        .await;
    let grant = ["roles", "grant", "--role", "admin", "--group", "second"];
    place.rows(&[&grant[..], &somebody].concat()).await;
    place
        .rows(&[&["members", "add", "--group", "helper"], &somebody[..]].concat())
        .await;
    let (mut work, mut desk) = (place.person("work").await, place.person("desk").await);
    assert_eq!(work.ask("hello").await, agent_quotes("hello"));
    desk.say("only context").await;
    let overheard = "agent: I am the offline agent: I follow a script and understand nothing. \
                     You wrote: “ai?” Before that I overheard one message.";
    assert_eq!(desk.ask("ai?").await, overheard);
    let exported = place.cli(&["config", "export"], "").await;
    assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""));
    let listed = async |place: &Place| {
        let mut all = Vec::new();
        let resources = [
            "groups",
            "conversations",
            "wirings",
            "users",
            "roles",
            "members",
        ];
        for what in resources.into_iter().chain(["destinations", "sessions"]) {
            for mut row in place.rows(&[what, "list"]).await {
                // What is in the file now belongs to it.
                row.as_object_mut().unwrap().remove("managed_by");
                all.push(row);
            }
        }
        all
    };
    let before = listed(&place).await;
    work.leave().await;
    desk.leave().await;
    place.stop().await;
    place.configure(&exported.out);
    place.start().await;
    assert_eq!(listed(&place).await, before);
    let again = place.cli(&["config", "export"], "").await;
    assert_eq!(again, exported);
    let (mut work, mut desk) = (place.person("work").await, place.person("desk").await);
    assert_eq!(work.ask("hello").await, agent_quotes("hello"));
    assert_eq!(desk.ask("ai!").await, agent_quotes("ai!"));
    assert_eq!(place.session_ids().len(), 2);
    place.stop().await;
}

pub(crate) async fn a_decision_outlives_the_host_that_took_it(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    // The host dies somewhere between hearing the answer and having done everything it asks for.
    for (round, millis) in [0, 3, 8, 20].into_iter().enumerate() {
        let chat = format!("desk-{round}");
        let mut person = place.person(&chat).await;
        for text in ["one", "two"] {
            person.try_to_say(text).await;
        }
        let choice = person.card(1).await.choose("Connect helper");
        let id = person.shout(&choice).await;
        sleep(Duration::from_millis(millis)).await;
        place.kill_host().await;
        place.start().await;
        person.repeat(&id, &choice).await;
        person.answer_to(&id).await;
        until("the request is closed", async || {
            let open = place.rows(&["approvals", "list"]).await;
            open.is_empty().then_some(())
        })
        .await;
        place
            .until_work("all is answered", |work| {
                work["messages_pending"] == 0 && work["deliveries_pending"] == 0
            })
            .await;
        assert_eq!(person.ask("three").await, agent_quotes("three"));
        let mut answers = person.lines();
        answers.retain(|line| line.starts_with("agent: "));
        assert_eq!(
            answers,
            ["one", "two", "three"].map(agent_quotes),
            "round {round}"
        );
        let mut chats = column(&place, &["wirings", "list"], "chat").await;
        chats.retain(|name| *name == chat);
        assert_eq!(chats.len(), 1, "round {round}");
        person.leave().await;
    }
    place.stop().await;
}
