//! One message and several agents, sessions and threads: who gets it, once each.

use anchorhold_core::{
    access::Role,
    ids::{SessionId, ThreadId},
};
use anchorhold_store::ingest::{Entered, Entry};

use super::*;
use crate::tests::people::{asked, both_hear, heard, said, taken, threaded};

const STICKY: &str = "engage = \"mention-sticky\"\nignored = \"accumulate\"";

fn in_thread(thread: &str, mut event: InboundEvent) -> InboundEvent {
    event.address.thread = Some(ThreadId::parse(thread).unwrap());
    event
}

#[tokio::test]
async fn defect_23_a_replay_reaches_only_who_has_not_heard_the_message() {
    let host = Host::new(&both_hear("request_approval", "", "")).await;
    host.grant("olga", Role::Owner).await;
    host.member("eve", "helper").await;
    host.heard(asked("eve", "m1")).await;
    assert_eq!(host.in_file(host.session_of("helper").await).await, ["m1"]);
    let card = host.card("olga").await;
    let said = host.choose("olga", card.id, 0).await;
    assert_eq!(said, taken("The person is let in."));
    for agent in ["helper", "second"] {
        let session = host.session_of(agent).await;
        assert_eq!(host.in_file(session).await, ["m1"], "{agent}");
    }
    assert_eq!(host.count("SELECT count(*) FROM messages"), 2);
    let again = host.hand_over(asked("eve", "m1")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    assert_eq!(host.dropped().await, Vec::<String>::new());
}

#[tokio::test]
async fn defect_23_what_came_to_one_of_two_agents_comes_to_the_other_when_it_is_repeated() {
    let host = Host::new(FAN_OUT).await;
    host.stored("m1").await;
    let helper = host.session_of("helper").await;
    let second = host.session_of("second").await;
    // One that has a message is no reason to keep it from the other.
    for (session, id) in [(helper, "m2"), (second, "m3")] {
        let said = journal::message(&host.graph.base, session, &event(id));
        let entered = host.store().enter(&[Entry::Messages(vec![said])]).await;
        assert!(matches!(entered.unwrap()[..], [Entered::Now(_)]), "{id}");
        host.stored(id).await;
    }
    // It comes to both or to none.
    host.break_table("INSERT", "journal").await;
    let failed = host.hand_over(event("m4")).await;
    assert!(
        matches!(failed, Err(IntakeError::Unavailable(_))),
        "{failed:?}"
    );
    assert_eq!(host.count("SELECT count(*) FROM messages"), 6);
    host.mend_table().await;
    host.stored("m4").await;
    for session in [helper, second] {
        assert_eq!(host.in_file(session).await.last().unwrap(), "m4");
        let rows = host.store().journal(session, 0, 100).await.unwrap();
        let names: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
        assert_eq!(names, ["m1", "m2", "m3", "m4"]);
    }
    assert_eq!(host.count("SELECT count(*) FROM messages"), 8);
}

#[tokio::test]
async fn defect_27_only_a_mention_lets_an_agent_follow() {
    let host = Host::new(&heard("public", STICKY)).await;
    let subscribed = || host.count("SELECT count(*) FROM subscriptions");
    for id in ["m1", "m2", "m3"] {
        host.heard(said("ann", id)).await;
        assert_eq!(subscribed(), 0, "{id}");
    }
    let due = async || {
        let now = host.graph.base.now();
        host.store().due_sessions(now, 10).await.unwrap().len()
    };
    assert_eq!((due().await, host.graph.lifecycle.waiting()), (0, 0));
    assert_eq!(host.runtime().specs(), []);
    host.heard(asked("ann", "m4")).await;
    assert_eq!((due().await, subscribed()), (1, 1));
    host.heard(said("bob", "m5")).await;
    assert_eq!(host.message(10).await.status, MessageStatus::Pending);
    assert_eq!(subscribed(), 1);
}

#[tokio::test]
async fn defect_27_an_agent_follows_a_thread_and_not_its_neighbours() {
    let config = both_hear(
        "public",
        STICKY,
        "engage = \"mention\"\nignored = \"accumulate\"",
    );
    let host = Bench::with_caps(&config, threaded()).start().await;
    let (helper, second) = (host.agent("helper").await.id, host.agent("second").await.id);
    host.heard(in_thread("t1", said("ann", "m1"))).await;
    host.heard(in_thread("t1", asked("ann", "m2"))).await;
    host.heard(in_thread("t1", said("ann", "m3"))).await;
    host.heard(in_thread("t2", said("ann", "m4"))).await;
    host.heard(said("ann", "m5")).await;
    let statuses = async |group| {
        let mut found = Vec::new();
        for row in host.store().group_sessions(group).await.unwrap() {
            let session: SessionId = row.session.id;
            let thread = row.session.key.thread.map(|thread| thread.to_string());
            for (id, seq) in host
                .in_file(session)
                .await
                .into_iter()
                .zip((2..).step_by(2))
            {
                let message = host.store().message(session, seq).await.unwrap().unwrap();
                let place = thread.clone().unwrap_or_default();
                let wakes = message.status == MessageStatus::Pending;
                found.push(format!("{id} {place} {wakes}"));
            }
        }
        found.sort();
        found
    };
    assert_eq!(
        statuses(helper).await,
        [
            "m1 t1 false",
            "m2 t1 true",
            "m3 t1 true",
            "m4 t2 false",
            "m5  false"
        ]
    );
    assert_eq!(
        statuses(second).await,
        [
            "m1 t1 false",
            "m2 t1 true",
            "m3 t1 false",
            "m4 t2 false",
            "m5  false"
        ]
    );
}

#[tokio::test]
async fn defect_27_context_never_engages_an_agent_that_is_awake() {
    let wiring = "engage = \"mention\"\nignored = \"accumulate\"";
    let mut host = Host::new(&heard("public", wiring)).await;
    host.heard(asked("ann", "m1")).await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    for id in ["m2", "m3"] {
        host.heard(said("bob", id)).await;
        assert_eq!(inside.texts(), Vec::<String>::new(), "{id}");
    }
    let session = host.session().await;
    let work = host.store().session_work(session).await.unwrap();
    assert_eq!(work.pending, 0);
    host.heard(asked("ann", "m4")).await;
    assert_eq!(inside.texts(), ["text of m2", "text of m3", "text of m4"]);
}

/// Chats `a` and `b` feed the one memory of the agent, chat `c` has its own.
const FED_BY_TWO: &str = r#"
[channels.one]
type = "cli"
[agents.helper]
provider = "offline"
[[wirings]]
channel = "one"
chat = "a"
agent = "helper"
session = "agent-shared"
[[wirings]]
channel = "one"
chat = "b"
agent = "helper"
session = "agent-shared"
[[wirings]]
channel = "one"
chat = "c"
agent = "helper"
session = "shared"
"#;

#[tokio::test]
async fn defect_32_a_shared_session_is_found_by_its_key_and_not_by_its_age() {
    let mut host = Host::new(FED_BY_TWO).await;
    for (place, id) in [("a", "m1"), ("c", "m1"), ("b", "m2"), ("a", "m3")] {
        host.bench.clock.advance(Duration::from_secs(1));
        let taken = host.hand_over(event_in(place, id)).await.unwrap();
        assert_eq!(taken, Accepted::Stored, "{place} {id}");
    }
    let sessions = host.sessions().await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(host.in_file(sessions[0]).await, ["m1", "m2", "m3"]);
    assert_eq!(host.in_file(sessions[1]).await, ["m1"]);

    // Each is answered where it was asked.
    for _ in 0..2 {
        host.enter().await.answer();
    }
    let seen = host.until_seen(&address("a"), 2).await;
    assert_eq!(seen, ["agent: re text of m1", "agent: re text of m3"]);
    let seen = host.until_seen(&address("b"), 1).await;
    assert_eq!(seen, ["agent: re text of m2"]);
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
    assert_eq!(host.platform().sends().len(), 4);
}

#[tokio::test]
async fn the_same_id_in_two_chats_is_two_messages() {
    let host = Host::new(FED_BY_TWO).await;
    for place in ["a", "b"] {
        let taken = host.hand_over(event_in(place, "m1")).await.unwrap();
        assert_eq!(taken, Accepted::Stored, "{place}");
    }
    assert_eq!(host.in_file(host.session().await).await, ["m1", "m1"]);
}

#[tokio::test]
async fn defect_47_two_messages_at_once_make_one_session() {
    let host = Host::new(FAN_OUT).await;
    let (first, second, third) = tokio::join!(
        host.hand_over(event("m1")),
        host.hand_over(event("m2")),
        host.hand_over(event("m3")),
    );
    for taken in [first, second, third] {
        assert_eq!(taken.unwrap(), Accepted::Stored);
    }
    for agent in ["helper", "second"] {
        let mut kept = host.in_file(host.session_of(agent).await).await;
        kept.sort();
        assert_eq!(kept, ["m1", "m2", "m3"], "{agent}");
    }
}

#[tokio::test]
async fn the_same_message_twice_at_once_is_one() {
    let host = Host::new(FAN_OUT).await;
    let (first, second) = tokio::join!(host.hand_over(event("m1")), host.hand_over(event("m1")));
    let mut taken = [first.unwrap(), second.unwrap()].map(|taken| format!("{taken:?}"));
    taken.sort();
    assert_eq!(taken, ["Duplicate", "Stored"]);
    for agent in ["helper", "second"] {
        assert_eq!(host.in_file(host.session_of(agent).await).await, ["m1"]);
    }
    assert_eq!(host.count("SELECT count(*) FROM messages"), 2);
}
