//! Sandboxes of an agent are replaced on request, each proven gone before the next one starts.

use anchorhold_admin::request::Reply;
use anchorhold_core::sandbox::{ExitStatus, Generation};
use anchorhold_runner::fake::OnTerm;
use anchorhold_sessiondb::Handled;

use super::*;

async fn restart(host: &Host, message: Option<&str>) -> String {
    let mut fields = vec![("id", "helper")];
    fields.extend(message.map(|message| ("message", message)));
    let reply = host.admin("groups", "restart", &fields).await;
    let Reply::Done { what, .. } = reply else {
        panic!("not done: {reply:?}");
    };
    what
}

#[tokio::test]
async fn defect_39_a_restart_is_about_the_running_sandboxes_of_one_agent() {
    let mut host = Host::new(FAN_OUT).await;
    host.stored("m1").await;
    let (first, second) = (host.enter().await, host.enter().await);
    let helper = host.session_of("helper").await;
    let (mut own, mut other) = if first.id.session == helper {
        (first, second)
    } else {
        (second, first)
    };
    own.answer();
    other.answer();
    host.until_seen(&address("c"), 2).await;
    // Another session of the agent, whose sandbox has ended.
    host.hand_over(event_in("d", "m1")).await.unwrap();
    for _ in 0..2 {
        let mut idle = host.enter().await;
        idle.answer();
        host.until_seen(&address("d"), 1).await;
        let ended = idle.id;
        idle.die(ExitStatus::Code(0));
        until("it is known to have ended", async || {
            let running = host.graph.lifecycle.is_running(ended.session);
            running.is_none().then_some(())
        })
        .await;
    }
    host.until_seen(&address("d"), 2).await;
    assert_eq!(host.runtime().specs().len(), 4);

    host.runtime().on_term(OnTerm::Hang);
    let said = restart(&host, Some("read your notes")).await;
    assert_eq!(said, "One sandbox is being replaced.");
    // Should this host die now, the next one finds on record that what runs is of the past.
    let recorded = host.store().generation(own.id.session).await.unwrap();
    assert_eq!(recorded, Generation(own.id.generation.0 + 1));
    until("it is told to stop", async || {
        (host.runtime().stops().len() == 1).then_some(())
    })
    .await;
    // The old one is not gone yet: it gets none of the message, and no other is started.
    host.advance(Duration::from_secs(2));
    assert_eq!(own.texts(), Vec::<String>::new());
    assert_eq!(host.runtime().specs().len(), 4);
    assert!(host.runtime().running().contains(&own.id));
    let old = own.id;
    drop(own);
    host.runtime().on_term(OnTerm::End);

    let mut fresh = host.enter().await;
    assert_eq!(fresh.id.session, old.session);
    assert_eq!(fresh.id.generation, Generation(old.generation.0 + 2));
    assert!(!host.runtime().running().contains(&old));
    assert_eq!(fresh.texts(), ["note: read your notes"]);
    // The other agent and the session that slept were left alone.
    assert!(host.runtime().running().contains(&other.id));
    assert_eq!(other.texts(), Vec::<String>::new());
    assert_eq!(host.runtime().specs().len(), 5);

    let seq = fresh.claim()[0];
    fresh.finish(vec![(seq, Handled::Done)], Vec::new());
    until("the message is done", async || {
        let message = host.store().message(old.session, seq.get()).await.unwrap();
        message.filter(|message| message.status == MessageStatus::Done)
    })
    .await;
    assert_eq!(fresh.texts(), Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_without_a_sandbox_wakes_nobody() {
    let mut host = Host::new(PLAIN).await;
    let none = "No sandbox of this agent runs; the next message starts one.";
    assert_eq!(restart(&host, Some("hello")).await, none);
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.let_go(inside).await;
    assert_eq!(restart(&host, Some("hello")).await, none);
    host.advance(Duration::from_secs(2));
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    assert_eq!(host.runtime().specs().len(), 1);
}

/// What a turn had taken is neither lost nor blamed for the restart.
#[tokio::test]
async fn a_turn_that_a_restart_ends_costs_no_try() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    let old = inside.id;
    drop(inside);
    let said = restart(&host, None).await;
    assert_eq!(said, "One sandbox is being replaced.");
    let mut fresh = host.enter().await;
    assert_eq!(fresh.id.generation, Generation(old.generation.0 + 2));
    let rows = fresh.offer();
    assert_eq!((rows.len(), rows[0].tries), (1, 0));
    fresh.answer();
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

/// A host that has just begun does not know yet what runs.
#[tokio::test]
async fn a_restart_reaches_what_an_earlier_host_left_running() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let id = host.enter().await.id;
    let mut bench = host.stop().await;
    bench.runtime.insert(id);
    bench.entered.remove(&id);
    let host = bench.start().await;
    assert_eq!(restart(&host, None).await, "One sandbox is being replaced.");
}
