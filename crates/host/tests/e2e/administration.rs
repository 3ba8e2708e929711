//! Administration by the operator, over the control socket.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::e2e::{
    harness::{Place, program, until},
    people::owners_place,
    person::agent_quotes,
    wall::Wall,
};

/// Somebody who is not the one who runs the host.
const NOBODY: &str = "65534";

/// A command without spaces in its values, as the program takes it.
fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// The exit status of a command.
pub(crate) async fn code(place: &Place, line: &str) -> Option<i32> {
    place.cli(&words(line), "").await.code
}

/// What a command that must succeed prints, one value a line.
async fn done(place: &Place, line: &str) -> Vec<Value> {
    place.rows(&words(line)).await
}

/// One column of what a command lists.
pub(crate) async fn column(place: &Place, line: &str, name: &str) -> Vec<String> {
    let rows = done(place, line).await;
    let cells = rows
        .iter()
        .map(|row| row[name].as_str().unwrap().to_owned());
    let mut cells: Vec<String> = cells.collect();
    cells.sort();
    cells
}

/// Waits until everything that was asked for is approved and done.
pub(crate) async fn until_carried_out(place: &Place) {
    until("what was approved is done", async || {
        let all = place.rows(&["approvals", "list", "--all"]).await;
        let mut open = all.iter().filter(|row| row["carried_out_at"].is_null());
        open.next().is_none().then_some(())
    })
    .await;
}

/// What `wirings explain` says of plain words on a conversation: who would do what.
async fn explained(place: &Place, chat: &str) -> Vec<Value> {
    let asked = format!("wirings explain --channel cli --conversation {chat} --text hello");
    let rows = done(place, &asked).await;
    let outcome = |row: &Value| json!([row["agent"], row["outcome"]]);
    rows.iter().map(outcome).collect()
}

/// Makes the agent `second`, and wires the chat `desk` to it.
const SECOND: &str = "groups create --folder second";
const DESK: &str = "wirings create --channel cli --conversation desk --group second";

pub(crate) async fn commands_do_what_they_say_and_tell_how_it_went(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let made = done(&place, SECOND).await;
    let id = made[0]["id"].as_str().unwrap();
    let folders = column(&place, "groups list", "folder").await;
    assert_eq!(folders, ["helper", "second"]);
    let got = done(&place, &format!("groups get {id}")).await;
    assert_eq!(got[0]["folder"], "second");
    assert_eq!(explained(&place, "desk").await, [json!([null, "declined"])]);
    let wired = done(&place, DESK).await;
    let wiring = wired[0]["id"].as_str().unwrap();
    let hears = [json!(["second", "answered"])];
    assert_eq!(explained(&place, "desk").await, hears);
    let mut person = place.person("desk").await;
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));

    let update = |pattern| format!("wirings update {wiring} --engage pattern --pattern {pattern}");
    assert_eq!(code(&place, &update("(")).await, Some(64));
    assert_eq!(explained(&place, "desk").await, hears);
    assert_eq!(code(&place, &update("^ai")).await, Some(0));
    let declines = [json!(["second", "declined"])];
    assert_eq!(explained(&place, "desk").await, declines);
    let acts = column(&place, "audit list", "act").await;
    assert_eq!(acts, ["create_group", "create_wiring", "update_wiring"]);
    place.stop().await;
    let away = place.cli(&["groups", "list", "--json"], "").await;
    assert_eq!((away.code, away.out.as_str()), (Some(69), ""));
}

pub(crate) async fn what_can_not_be_done_is_told_by_the_exit_status(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    done(&place, SECOND).await;
    done(&place, DESK).await;
    for (line, expected) in [
        (DESK, 1),
        (SECOND, 1),
        ("groups get nobody", 1),
        ("groups delete helper", 1),
        ("undo restore 7", 1),
        ("pair nowhere", 1),
        ("groups create --folder ../up", 64),
        ("groups create --folder", 64),
        ("groups create", 64),
        ("groups explode", 64),
        ("sessions close ../../etc", 64),
        ("wirings list --limit 0", 64),
        ("roles grant --channel cli --handle ann --role emperor", 64),
    ] {
        for line in [line.to_owned(), format!("{line} --json")] {
            let printed = place.cli(&words(&line), "").await;
            assert_eq!(printed.code, Some(expected), "{line}: {printed:?}");
            assert_eq!(printed.out, "", "{line}");
            assert_ne!(printed.err, "", "{line}");
        }
    }
    place.stop().await;
}

pub(crate) async fn what_is_deleted_can_be_had_back(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    done(&place, SECOND).await;
    done(&place, DESK).await;
    let mut person = place.person("desk").await;
    assert_eq!(person.ask("hello").await, agent_quotes("hello"));
    let session = place.session_id();
    let listed = async |place: &Place| {
        let mut all = Vec::new();
        for what in ["groups list", "wirings list", "destinations list"] {
            all.push(done(place, what).await);
        }
        all
    };
    let mut before = listed(&place).await;
    let deleted = done(&place, "groups delete second").await;
    let folders = column(&place, "groups list", "folder").await;
    assert_eq!(folders, ["helper"]);
    until("its sandbox is gone", async || {
        let left = wall.sandboxes(&place.engine, &session);
        left.is_empty().then_some(())
    })
    .await;
    let undo = format!("undo restore {}", deleted[0]["id"].as_str().unwrap());
    assert_eq!(code(&place, &undo).await, Some(0));
    assert_eq!(code(&place, &undo).await, Some(1));
    // A session that was closed stays closed.
    for row in &mut before[0] {
        row["sessions"] = json!(0);
    }
    assert_eq!(listed(&place).await, before);
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
    let folders = column(&place, "groups list", "folder").await;
    assert_eq!(folders, ["helper"]);
    place.stop().await;
}

const RESTART: &str = "groups restart helper --message hi";
/// How the agent repeats it.
pub(crate) const TOLD: &str = "agent: note from the host: “hi”";

pub(crate) async fn a_restart_is_told_to_the_fresh_sandbox_once(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("work").await;
    person.ask("hello").await;
    let old = wall.sandboxes(&place.engine, &place.session_id());
    let said = done(&place, RESTART).await;
    assert_eq!(said[0]["done"], "One sandbox is being replaced.");
    person.hears(2).await;
    person.ask("hello again").await;
    let expected = [
        agent_quotes("hello"),
        TOLD.to_owned(),
        agent_quotes("hello again"),
    ];
    assert_eq!(person.lines(), expected);
    // The number in between is nobody's: it made the old one a thing of the past.
    assert_eq!(place.sessions().await[0]["generation"], 3);
    let new = wall.sandboxes(&place.engine, &place.session_id());
    assert_eq!(new.len(), 1);
    assert_ne!(new, old);
    // Nobody runs, so nobody is told.
    let close = format!("sessions close {}", place.session_id());
    assert_eq!(code(&place, &close).await, Some(0));
    let said = done(&place, RESTART).await;
    let nobody = "No sandbox of this agent runs; the next message starts one.";
    assert_eq!(said[0]["done"], nobody);
    place.stop().await;
}

pub(crate) async fn a_restart_survives_the_host(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    let mut person = place.person("work").await;
    person.ask("hello").await;
    assert_eq!(code(&place, RESTART).await, Some(0));
    // How far it has come by then is left to chance.
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
    let sessions = place.sessions().await;
    assert!(
        sessions[0]["generation"].as_u64().unwrap() >= 3,
        "{sessions:?}"
    );
    place.stop().await;
}

/// What a used installation may have, and its configuration file has not.
const USE: &[&str] = &[
    "groups create --folder second --name Second",
    "groups update second --tries 3",
    "wirings create --channel cli --conversation desk --group second --pattern ^(ai|\"bot\")\\b \
     --ignored accumulate",
    "users create --channel cli --handle ann --name Ann",
    "roles grant --channel cli --handle ann --role admin --group second",
    "members add --channel cli --handle ann --group helper",
    "destinations add --group helper --name other --to-group second",
];

/// Everything on record, but for which of it the configuration file has.
async fn on_record(place: &Place) -> Vec<Value> {
    let mut all = Vec::new();
    for what in [
        "groups list",
        "conversations list",
        "wirings list",
        "users list",
        "roles list",
        "members list",
        "destinations list",
        "sessions list",
    ] {
        let mut rows = done(place, what).await;
        assert!(!rows.is_empty(), "{what}");
        for row in &mut rows {
            row.as_object_mut().unwrap().remove("managed_by");
        }
        all.append(&mut rows);
    }
    all
}

pub(crate) async fn an_exported_configuration_changes_nothing(wall: Wall) {
    let mut place = owners_place(wall, "").await;
    for line in USE {
        done(&place, line).await;
    }
    let (mut work, mut desk) = (place.person("work").await, place.person("desk").await);
    assert_eq!(work.ask("hello").await, agent_quotes("hello"));
    desk.say("only context").await;
    let overheard = format!(
        "{} Before that I overheard one message.",
        agent_quotes("ai?")
    );
    assert_eq!(desk.ask("ai?").await, overheard);
    let exported = place.cli(&["config", "export"], "").await;
    assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""));
    let before = on_record(&place).await;
    work.leave().await;
    desk.leave().await;
    place.stop().await;
    place.configure(&exported.out);
    place.start().await;
    assert_eq!(on_record(&place).await, before);
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
        until_carried_out(&place).await;
        place
            .until_work("all is answered", |work| work["messages_pending"] == 0)
            .await;
        assert_eq!(person.ask("three").await, agent_quotes("three"));
        let mut answers = person.lines();
        answers.retain(|line| line.starts_with("agent: "));
        assert_eq!(
            answers,
            ["one", "two", "three"].map(agent_quotes),
            "round {round}"
        );
        let mut chats = column(&place, "wirings list", "chat").await;
        chats.retain(|name| *name == chat);
        assert_eq!(chats.len(), 1, "round {round}");
        person.leave().await;
    }
    place.stop().await;
}
