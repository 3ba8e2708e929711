//! What has outlived its time is forgotten, and nothing else.

use std::fs;

use anchorhold_channel::{FilesOut, TextLimit};
use anchorhold_core::inbound::Attachment;
use anchorhold_sessiondb::Handled;

use super::*;
use crate::tests::inside::post_file;

const DAY: Duration = Duration::from_hours(24);

impl Host {
    /// Moves the clock so many days, and lets the sweep take so many steps.
    async fn pass(&self, days: u32, steps: u32) {
        self.bench.clock.advance(DAY * days);
        for _step in 0..steps {
            self.step().await;
        }
    }

    /// Lets the sweep take its next step and waits until it has: a session that does not exist any
    /// more is no sign, so it is a record that is old enough to go.
    async fn step(&self) {
        self.change_schema("INSERT INTO dropped VALUES ('one', 'sign', 'sign', 'sign', 1, 0, 0)")
            .await;
        until("the sweep has taken a step", async || {
            self.advance(Duration::from_secs(10));
            let dropped = self.store().dropped(100).await.unwrap();
            let there = dropped.iter().any(|one| one.chat == chat("sign"));
            (!there).then_some(())
        })
        .await;
    }

    /// Stores a message, has it answered and waits until the sandbox is gone for want of work.
    async fn talk(&mut self, id: &str) -> SessionId {
        self.stored(id).await;
        let seen = self.seen(&address("c")).len();
        let mut inside = self.enter().await;
        inside.answer();
        self.until_seen(&address("c"), seen + 1).await;
        let session = inside.id.session;
        until("the turn is over", async || {
            let work = self.store().session_work(session).await.unwrap();
            (work.pending == 0).then_some(())
        })
        .await;
        self.until_idle_is_gone().await;
        session
    }

    /// Waits until no sandbox is left, as each has been idle for too long.
    async fn until_idle_is_gone(&self) {
        let mut looks = 0;
        until("the sandbox goes", async || {
            // It counts as idle from when the host has seen that; so now and then once more.
            if looks % 400 == 0 {
                self.advance(Duration::from_mins(11));
            }
            looks += 1;
            self.nudge();
            self.graph.lifecycle.running().is_empty().then_some(())
        })
        .await;
        self.until_empty().await;
    }

    async fn sleeps(&self, session: SessionId) -> bool {
        let row = self.store().session(session).await.unwrap().unwrap();
        row.dormant_at.is_some()
    }
}

fn with_files() -> ChannelCaps {
    ChannelCaps {
        files: FilesOut::UpTo {
            text: TextLimit::Unlimited,
            count: 2,
            each_bytes: 100,
            total_bytes: 150,
        },
        ..quiet_caps()
    }
}

fn with_file(id: &str) -> InboundEvent {
    let mut sent = event(id);
    sent.attachments.push(Attachment {
        name: "photo.png".to_owned(),
        media_type: None,
        content: b"content".to_vec(),
    });
    sent
}

#[tokio::test]
async fn defect_51_a_silent_session_sleeps_and_the_next_message_finds_its_memory() {
    let mut host = Host::new(PLAIN).await;
    let session = host.talk("m1").await;
    host.pass(29, 2).await;
    assert!(!host.sleeps(session).await);
    host.pass(2, 2).await;
    assert!(host.sleeps(session).await);
    assert_eq!(host.store().counts().await.unwrap().sessions_open, 0);
    // The host may be another one by then.
    let mut host = host.stop().await.start().await;
    assert!(host.sleeps(session).await);
    assert_eq!(host.talk("m2").await, session);
    assert!(!host.sleeps(session).await);
    assert_eq!(host.sessions().await, [session]);
}

#[tokio::test]
async fn a_conversation_that_a_person_ended_is_not_found_again() {
    let mut host = Host::new(PLAIN).await;
    let session = host.talk("m1").await;
    host.pass(31, 2).await;
    assert!(host.sleeps(session).await);
    let now = host.graph.base.now();
    host.store()
        .end_session(session, "afresh", now)
        .await
        .unwrap();
    assert_ne!(host.talk("m2").await, session);
}

#[tokio::test]
async fn never_keeps_every_session_awake() {
    let config = format!("[retention]\nidle_session = \"never\"\n{PLAIN}");
    let mut host = Host::new(&config).await;
    let session = host.talk("m1").await;
    host.pass(3000, 2).await;
    assert!(!host.sleeps(session).await);
}

#[tokio::test]
async fn defect_51_a_session_that_slept_for_a_year_is_deleted_with_its_folder() {
    let mut host = Host::new(PLAIN).await;
    let session = host.talk("m1").await;
    host.pass(31, 2).await;
    let folder = host.graph.base.dirs.session(session);
    host.pass(360, 2).await;
    assert!(folder.exists());
    host.pass(10, 2).await;
    assert_eq!(host.sessions().await, []);
    assert!(!folder.exists());
    assert_eq!(
        host.store().health().await.unwrap().problems,
        Vec::<String>::new()
    );
    assert_ne!(host.talk("m2").await, session);
}

/// The host has died between the folder and the rows.
#[tokio::test]
async fn a_death_amid_the_deletion_of_a_session_is_made_good() {
    let mut host = Host::new(PLAIN).await;
    let session = host.talk("m1").await;
    host.pass(31, 2).await;
    fs::remove_dir_all(host.graph.base.dirs.session(session)).unwrap();
    let host = host.stop().await.start().await;
    host.pass(370, 2).await;
    assert_eq!(host.sessions().await, []);
}

/// A closed session with something on its way out waits with its files.
#[tokio::test]
async fn what_is_pending_is_never_forgotten() {
    let mut host = Bench::with_caps(PLAIN, with_files()).start().await;
    host.platform().leave(&address("c"));
    host.hand_over(with_file("m1")).await.unwrap();
    let mut inside = host.enter().await;
    let asked = inside.claim();
    let said = post_file(asked[0], "here", "a.txt");
    inside.finish(vec![(asked[0], Handled::Done)], vec![said]);
    let delivery = host.until_delivery(3, |delivery| delivery.parked).await;
    host.pass(4000, 4).await;
    host.until_empty().await;
    host.pass(4000, 4).await;
    let session = host.session().await;
    assert!(!host.sleeps(session).await);
    let kept = host.store().delivery(delivery.id).await.unwrap();
    assert!(kept.is_some());
    let files = host.graph.base.files(session);
    assert!(files.out_dir().join("outbox/3/a.txt").exists());
}

#[tokio::test]
async fn a_message_that_waits_for_its_agent_is_never_forgotten() {
    let host = Host::new(PLAIN).await;
    host.hand_over(with_file("m1")).await.unwrap();
    let session = host.session().await;
    host.store()
        .set_fault(session, "its files are in use", host.graph.base.now())
        .await
        .unwrap();
    host.pass(4000, 4).await;
    let message = host.message(2).await;
    assert_eq!(message.status, MessageStatus::Pending);
    let files = host.graph.base.files(session);
    assert_eq!(files.inbox().unwrap().len(), 1);
    assert!(!host.sleeps(session).await);
}

#[tokio::test]
async fn defect_51_files_and_messages_go_when_their_time_is_over() {
    let config = format!("[retention]\nidle_session = \"never\"\n{PLAIN}");
    let mut host = Bench::with_caps(&config, with_files()).start().await;
    host.hand_over(with_file("m1")).await.unwrap();
    let mut inside = host.enter().await;
    let asked = inside.claim();
    let said = post_file(asked[0], "here", "a.txt");
    inside.finish(vec![(asked[0], Handled::Done)], vec![said]);
    host.until_seen(&address("c"), 1).await;
    let session = inside.id.session;
    let (inbox, outbox) = (
        inside.in_dir.join("inbox/2"),
        inside.out_dir.join("outbox/3"),
    );
    host.until_idle_is_gone().await;
    host.pass(28, 2).await;
    assert!(inbox.exists() && outbox.exists());
    host.pass(3, 2).await;
    assert!(!inbox.exists() && !outbox.exists());
    assert!(host.store().message(session, 2).await.unwrap().is_some());
    assert!(
        host.store()
            .delivery_by_seq(session, 3)
            .await
            .unwrap()
            .is_some()
    );

    host.talk("m2").await;
    host.pass(91, 3).await;
    assert_eq!(host.store().message(session, 2).await.unwrap(), None);
    assert_eq!(
        host.store().delivery_by_seq(session, 3).await.unwrap(),
        None
    );
    // The newest is still there, so numbers go on and the agent is offered nothing twice.
    assert!(host.store().message(session, 4).await.unwrap().is_some());
    host.stored("m3").await;
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m3"]);
    assert_eq!(inside.claim()[0].get(), 6);
}

#[tokio::test]
async fn a_message_that_is_handed_over_again_after_sweeping_is_still_known() {
    let mut host = Host::new(PLAIN).await;
    host.talk("m1").await;
    host.pass(13, 3).await;
    let again = host.hand_over(event("m1")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    // Also beyond the ledger, as long as the session knows the message.
    host.pass(30, 3).await;
    host.hand_over(event("m1")).await.unwrap();
    let session = host.session().await;
    assert_eq!(host.store().session_work(session).await.unwrap().pending, 0);
}

/// What is wrong with one session's folder is no reason to leave the others as they are.
#[tokio::test]
async fn a_session_that_cannot_be_tidied_keeps_no_other_from_it() {
    let mut host = Host::new(PLAIN).await;
    let bad = host.talk("m1").await;
    let outbox = host.graph.base.files(bad).out_dir().join("outbox");
    fs::remove_dir_all(&outbox).unwrap();
    fs::write(&outbox, "no folder").unwrap();
    let other = host.hand_over(event_in("d", "m1")).await.unwrap();
    assert_eq!(other, Accepted::Stored);
    host.enter().await.answer();
    host.until_seen(&address("d"), 1).await;
    host.pass(1, 1).await;
    host.until_empty().await;
    host.pass(31, 3).await;
    for session in host.sessions().await {
        assert!(host.sleeps(session).await);
    }
}

/// A ledger that went by a clock which is set ahead would let a platform's message in twice.
#[tokio::test]
async fn a_clock_that_is_set_ahead_forgets_no_duplicates() {
    let mut host = Host::new(PLAIN).await;
    host.talk("m1").await;
    let known = async |host: &Host| {
        let (channel, chat, id) = (one(), chat("c"), platform_id("m1"));
        host.store().event_seen(&channel, &chat, &id).await.unwrap()
    };
    host.bench.clock.set_ahead(DAY * 30);
    host.step().await;
    host.step().await;
    assert!(known(&host).await);
    host.pass(15, 2).await;
    assert!(!known(&host).await);
}
