//! A backup taken while messages flow, and a host that goes on from it.

use crate::e2e::{harness::Place, wall::Wall};

pub(crate) async fn a_backup_taken_while_messages_flow_is_restored_and_runs(wall: Wall) {
    let mut place = Place::running(wall, "").await;
    let mut person = place.person("local").await;
    assert_eq!(person.ask("!remember the keys").await, "agent: remembered");
    person.ask("!sh echo kept > note").await;
    // A turn is running, and more waits behind it.
    person.say("!sleep 2\n!big 1").await;
    person.say("!big 2").await;
    let archive = place.path("copy.tar");
    let made = place.cli(&["backup", "--to", archive.as_str()], "").await;
    assert_eq!(made.code, Some(0), "{made:?}");
    assert_eq!(made.out, format!("{archive}\n"));
    assert_eq!(
        person.hears(4).await[2..],
        ["agent: slept 2 s\n0", "agent: 01"]
    );
    place.stop().await;

    std::fs::rename(place.data(), place.path("old")).unwrap();
    let restored = place.cli(&["restore", archive.as_str()], "").await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    assert!(
        restored.err.starts_with("everything opens: "),
        "{restored:?}"
    );
    let again = place.cli(&["restore", archive.as_str()], "").await;
    assert_eq!(again.code, Some(1), "{again:?}");

    // What had no answer then gets one, and the agent and its workspace are as they were.
    place.start().await;
    let mut person = place.person("local").await;
    let recalled = person.ask("!recall\n!sh cat note").await;
    assert_eq!(
        recalled,
        "agent: I remember “the keys”\nkept\nexit status 0"
    );
    place
        .until_work("nothing waits", |work| {
            work["messages_pending"] == 0 && work["messages_failed"] == 0
        })
        .await;
    place.stop().await;
}
