//! Sandboxes die: what they had taken is tried again, or given up in plain sight.

use anchorhold_core::{entity::MessageStatus, sandbox::ExitStatus};
use anchorhold_sessiondb::Handled;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// The messages that are still open in the file of the only session.
async fn open_messages(host: &Host) -> Vec<i64> {
    let files = host.graph.base.files(host.session().await);
    let open = files.open_messages(100).unwrap();
    open.into_iter()
        .map(anchorhold_sessiondb::Seq::get)
        .collect()
}

#[tokio::test]
async fn what_a_dead_sandbox_had_taken_is_tried_again_after_a_wait() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    inside.die(ExitStatus::Signal(9));
    let message = host.until_tries(2, 1).await;
    let now = host.graph.base.now();
    assert_eq!(message.status, MessageStatus::Pending);
    assert_eq!(message.next_at, Some(now + SECOND));
    assert_eq!(
        message.last_error.as_deref(),
        Some("the agent stopped in the middle of its work (signal 9)")
    );
    let due = host.store().due_sessions(now, 10).await.unwrap();
    assert_eq!(due, []);

    host.advance(SECOND);
    let mut inside = host.enter().await;
    assert_eq!(inside.id.generation.0, 2);
    assert_eq!(inside.offer()[0].tries, 1);
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

#[tokio::test]
async fn what_a_sandbox_said_before_it_died_counts() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    // Nobody hears this bell, as when the sandbox is killed right after its commit.
    fs::remove_file(inside.in_dir.join("bell")).unwrap();
    inside.answer();
    inside.die(ExitStatus::OutOfMemory);
    assert_eq!(host.until_status(2, MessageStatus::Done).await.tries, 0);
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

#[tokio::test]
async fn a_message_that_was_tried_often_enough_is_given_up_with_one_notice() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    for tries in 1..=2 {
        let mut inside = host.enter().await;
        inside.claim();
        inside.die(ExitStatus::OutOfMemory);
        if tries < 2 {
            host.until_tries(2, tries).await;
        }
        host.advance(SECOND);
    }
    let message = host.until_status(2, MessageStatus::Failed).await;
    assert_eq!(message.next_at, None);
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(
        seen,
        [
            "host: Your message could not be answered: the agent stopped in the middle of its work \
          (out of memory). It was tried 2 times and is now given up."
        ]
    );
    assert_eq!(open_messages(&host).await, Vec::<i64>::new());

    // The next message is none the worse for it.
    host.stored("m2").await;
    host.enter().await.answer();
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(seen[1], "agent: re text of m2");
    assert_eq!(host.runtime().specs().len(), 3);
}

#[tokio::test]
async fn messages_of_one_turn_are_tried_alone_after_it_died() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.stored("m2").await;
    assert_eq!(inside.claim().len(), 2);
    inside.die(ExitStatus::Code(1));
    host.until_tries(2, 1).await;
    host.until_tries(4, 1).await;
    host.advance(SECOND);
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m1"]);
    inside.answer();
    assert_eq!(inside.texts(), ["text of m2"]);
}

#[tokio::test]
async fn a_host_that_stops_costs_no_message_a_try() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    host.enter().await.claim();
    let mut host = host.stop().await.start().await;
    let message = host.message(2).await;
    assert_eq!((message.status, message.tries), (MessageStatus::Pending, 0));
    let mut inside = host.enter().await;
    assert_eq!(inside.offer()[0].tries, 0);
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
}

/// Sandboxes that end so, with nothing in hand, are not started over and over.
async fn check_no_tight_loop(status: ExitStatus, waits_ms: &[u64]) {
    const STEP: Duration = Duration::from_millis(20);
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    for wait_ms in waits_ms {
        host.enter().await.die(status);
        host.until_empty().await;
        let starts = host.runtime().specs().len();
        let began = host.graph.base.mono();
        until("the next start", async || {
            host.advance(STEP);
            (host.runtime().specs().len() > starts).then_some(())
        })
        .await;
        let waited = host.graph.base.mono() - began;
        assert!(
            waited >= Duration::from_millis(*wait_ms),
            "{status}: {waited:?} < {wait_ms}"
        );
    }
    // It was not the message's fault.
    assert_eq!(host.message(2).await.tries, 0, "{status}");
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(
        seen,
        [
            "host: The agent can't be started at the moment. Your message is kept, and its operator \
          is told what to mend."
        ],
        "{status}"
    );
    host.enter().await.answer();
    host.until_status(2, MessageStatus::Done).await;
}

#[tokio::test]
async fn a_sandbox_that_dies_at_once_is_started_again_after_growing_waits() {
    check_no_tight_loop(ExitStatus::Code(1), &[1_000, 2_000, 4_000]).await;
    check_no_tight_loop(ExitStatus::Code(0), &[1_000, 2_000, 4_000]).await;
}

#[tokio::test]
async fn a_file_that_can_not_be_trusted_is_put_aside_and_the_session_healed() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    let generation = inside.id.generation;
    let out_dir = inside.out_dir.clone();
    fs::write(out_dir.join("outbound.db"), [7; 4096]).unwrap();
    inside.ring();
    let message = host.until_tries(2, 1).await;
    assert_eq!(
        message.last_error.as_deref(),
        Some("the agent's files were damaged")
    );
    assert!(
        out_dir
            .join(format!("aside-{generation}-outbound.db"))
            .exists()
    );
    host.advance(SECOND);
    host.enter().await.answer();
    host.until_status(2, MessageStatus::Done).await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

/// A sandbox that makes its progress file a link is replaced, and its message given up in the end.
#[tokio::test]
async fn a_progress_file_that_can_not_be_trusted_costs_tries_like_any_death() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    for tries in 1..=2 {
        let mut inside = host.enter().await;
        inside.claim();
        let progress = inside.out_dir.join("progress");
        fs::remove_file(&progress).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &progress).unwrap();
        inside.ring();
        if tries < 2 {
            host.until_tries(2, tries).await;
        }
        host.advance(SECOND);
    }
    host.until_status(2, MessageStatus::Failed).await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(
        seen,
        [
            "host: Your message could not be answered: the agent's files were damaged. It was tried \
          2 times and is now given up."
        ]
    );
}

#[tokio::test]
async fn a_turn_that_failed_is_told_once_and_not_tried_again() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let seqs = inside.claim();
    let failed = Handled::Failed {
        why: "the model has no more credit".to_owned(),
    };
    inside.finish(vec![(seqs[0], failed)], Vec::new());
    host.until_status(2, MessageStatus::Failed).await;
    assert_eq!(inside.texts(), Vec::<String>::new());
    let bench = host.stop().await;
    let host = bench.start().await;
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(
        seen,
        ["host: Your message could not be answered: the model has no more credit"]
    );
    assert_eq!(host.platform().sends().len(), 1);
}

#[tokio::test]
async fn a_session_with_a_fault_is_tried_again_after_a_while() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.claim();
    // As on a disk that fails: nothing that putting a file aside would mend.
    let (out_dir, away) = (
        inside.out_dir.clone(),
        inside.out_dir.with_extension("away"),
    );
    fs::rename(&out_dir, &away).unwrap();
    inside.die(ExitStatus::Code(1));
    let session = host.session().await;
    until("the fault is on record", async || {
        let faulted = host.store().faulted_sessions(10).await.unwrap();
        (faulted == [session]).then_some(())
    })
    .await;
    fs::rename(&away, &out_dir).unwrap();
    host.advance(Duration::from_mins(2));
    host.enter().await.answer();
    host.until_status(2, MessageStatus::Done).await;
    let row = host.store().session(session).await.unwrap().unwrap();
    assert_eq!(row.fault, None);
}

/// The fault of a failing disk kept its session waiting for as long as the clock was then set back.
#[tokio::test]
async fn a_fault_of_the_future_is_tried_again_at_once() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let inside = host.enter().await;
    let (session, ahead) = (inside.id.session, Duration::from_secs(50));
    inside.die(ExitStatus::Code(0));
    host.until_held(session).await;
    let later = host.bench.clock.now().checked_add(ahead).unwrap();
    host.store()
        .set_fault(session, "no space", later)
        .await
        .unwrap();
    host.advance(Duration::from_secs(15));
    host.enter().await.answer();
    host.until_status(2, MessageStatus::Done).await;
}

#[tokio::test]
async fn defect_55_one_session_whose_file_is_broken_stops_nobody_else() {
    let mut host = Host::new(PLAIN).await;
    for chat in ["a", "b", "c"] {
        host.hand_over(event_in(chat, "m1")).await.unwrap();
    }
    let mut insides = Vec::new();
    for _ in 0..3 {
        insides.push(host.enter().await);
    }
    // In the first of them the table of answers is gone.
    insides.sort_by_key(|inside| inside.id.session);
    let broken = insides.remove(0);
    let file = sql(&broken.out_dir.join("outbound.db"));
    file.execute_batch("DROP TABLE messages").unwrap();
    broken.ring();
    for inside in &mut insides {
        // Without a bell: the sweep alone has to come by.
        fs::remove_file(inside.in_dir.join("bell")).unwrap();
        inside.answer();
    }
    let served = ["a", "b", "c"].map(address);
    until("the two others are answered", async || {
        host.nudge();
        let answered = served.iter().filter(|to| !host.seen(to).is_empty()).count();
        (answered == 2).then_some(())
    })
    .await;
    // And the broken one is replaced.
    until("the broken sandbox is gone", async || {
        host.nudge();
        (!host.runtime().running().contains(&broken.id)).then_some(())
    })
    .await;
}
