//! Messages come in: kept before they are acknowledged, once, by whom they are for.

use anchorhold_channel::{Accepted, IntakeError};
use anchorhold_core::{
    entity::MessageStatus,
    inbound::{ChatKind, What},
};
use anchorhold_runner::runtime::Runtime;
use anchorhold_sessiondb::{About, Inbound, Seq};

use super::*;

#[tokio::test]
async fn a_message_is_kept_before_it_is_accepted_and_answered_once() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let session = host.session().await;
    assert_eq!(host.in_file(session).await, ["m1"]);
    assert_eq!(host.message(2).await.status, MessageStatus::Pending);

    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m1"]);
    inside.answer();
    host.until_seen(&address("c"), 1).await;
    host.until_status(2, MessageStatus::Done).await;

    let again = host.hand_over(event("m1")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    assert_eq!(host.in_file(session).await, ["m1"]);
    assert_eq!(inside.texts(), Vec::<String>::new());
    assert_eq!(host.seen(&address("c")), ["agent: re text of m1"]);
    assert_eq!(host.platform().sends().len(), 1);
}

#[tokio::test]
async fn the_platform_is_told_when_the_message_is_kept_and_hears_one_answer() {
    let mut host = Host::new(PLAIN).await;
    host.platform().say(event("m1"));
    host.platform().say(event("m1"));
    host.enter().await.answer();
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
    assert!(host.platform().acknowledged(&chat("c"), &platform_id("m1")));
}

#[tokio::test]
async fn a_store_that_fails_acknowledges_nothing_and_loses_nothing() {
    let mut host = Host::new(PLAIN).await;
    host.break_table("INSERT", "events").await;
    let taken = host.hand_over(event("m1")).await;
    assert!(
        matches!(taken, Err(IntakeError::Unavailable(_))),
        "{taken:?}"
    );
    host.platform().say(event("m1"));
    host.mend_table().await;

    // The platform still has it and offers it again.
    let mut inside = host.enter().await;
    assert!(host.platform().acknowledged(&chat("c"), &platform_id("m1")));
    assert_eq!(inside.texts(), ["text of m1"]);
    inside.answer();
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

async fn check_declined((channel, wiring): (&str, &str), event: InboundEvent, expect: &str) {
    let config = format!(
        "[channels.one]\ntype = \"cli\"\n{channel}\n[agents.helper]\nprovider = \"offline\"\n\
         [[wirings]]\nchannel = \"one\"\nagent = \"helper\"\n{wiring}\n"
    );
    let host = Host::new(&config).await;
    let taken = host.hand_over(event.clone()).await.unwrap();
    assert_eq!(taken, Accepted::Declined(expect.to_owned()), "{wiring}");
    let dropped = host.store().dropped(10).await.unwrap();
    let recorded: Vec<_> = dropped
        .iter()
        .map(|one| {
            (
                one.chat.clone(),
                one.handle.clone(),
                one.reason.as_str(),
                one.count,
            )
        })
        .collect();
    let InboundEvent {
        address, sender, ..
    } = event.clone();
    assert_eq!(
        recorded,
        [(address.chat, sender.handle, expect, 1)],
        "{wiring}"
    );
    let again = host.hand_over(event).await.unwrap();
    assert_eq!(again, Accepted::Duplicate, "{wiring}");
    assert_eq!(host.bench.runtime.specs(), [], "{wiring}");
}

#[tokio::test]
async fn a_declined_message_is_on_record_with_the_reason() {
    let group = || InboundEvent {
        chat_kind: ChatKind::Group,
        addressed: false,
        ..event("m1")
    };
    let every = "chat = \"*\"";
    let mention = format!("{every}\nengage = \"mention\"");
    let known = format!("{every}\nsenders = \"known\"");
    let strict = "unknown_senders = \"strict\"";
    check_declined(("", "chat = \"d\""), group(), "not_wired").await;
    check_declined(("", "chat = \"d\""), event("m1"), "awaits_wiring").await;
    check_declined(("", &mention), group(), "not_engaged").await;
    check_declined((strict, every), event("m1"), "unknown_sender").await;
    check_declined(("", &known), event("m1"), "out_of_scope").await;
}

#[tokio::test]
async fn context_is_kept_without_waking_anybody_and_goes_with_the_next_that_wakes() {
    let config = format!("{PLAIN}engage = \"mention\"\nignored = \"accumulate\"\n");
    let mut host = Host::new(&config).await;
    let said = |id: &str, addressed| InboundEvent {
        chat_kind: ChatKind::Group,
        addressed,
        ..event(id)
    };
    let taken = host.hand_over(said("m1", false)).await.unwrap();
    assert_eq!(taken, Accepted::Stored);
    assert_eq!(host.message(2).await.status, MessageStatus::Context);
    let due = host
        .store()
        .due_sessions(host.graph.base.now(), 10)
        .await
        .unwrap();
    assert_eq!(due, []);
    assert_eq!(host.graph.lifecycle.waiting(), 0);

    let taken = host.hand_over(said("m2", true)).await.unwrap();
    assert_eq!(taken, Accepted::Stored);
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m1", "text of m2"]);
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.until_status(4, MessageStatus::Done).await;
    assert_eq!(host.runtime().specs().len(), 1);
}

#[tokio::test]
async fn an_edit_and_a_reaction_say_what_they_are_about() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let about = |id: &str, text: &str, what| InboundEvent {
        text: text.to_owned(),
        what,
        ..event(id)
    };
    let (of, to) = (platform_id("m1"), platform_id("m1"));
    for event in [
        // An edit is no command, whatever it says.
        about("e1", "/help", What::Edit { of }),
        about("r1", "👍", What::Reaction { to }),
    ] {
        assert_eq!(host.hand_over(event).await.unwrap(), Accepted::Stored);
    }
    // What is context goes with the next that wakes.
    host.stored("m2").await;
    let mut inside = host.enter().await;
    let rows = inside.offer();
    let heard: Vec<_> = rows
        .iter()
        .map(|row| match &row.payload {
            Inbound::Chat(chat) => (row.triggers, chat.about),
            other @ (Inbound::Note(_)
            | Inbound::Answer(_)
            | Inbound::Task(_)
            | Inbound::Control(_)) => {
                panic!("{other:?}")
            }
        })
        .collect();
    let first = Seq::new(2);
    assert_eq!(
        heard,
        [
            (true, None),
            (true, Some(About::Edit { of: first })),
            (false, Some(About::Reaction { to: first })),
            (true, None),
        ]
    );
    assert_eq!(host.seen(&address("c")), Vec::<String>::new());
}

#[tokio::test]
async fn defect_48_nobody_waits_for_the_start_of_a_sandbox() {
    let mut bench = Bench::new(FAN_OUT);
    let gate = life::Gate::before(Arc::<FakeRuntime>::clone(&bench.runtime));
    let front: Arc<dyn Runtime> = Arc::<life::Gate>::clone(&gate);
    bench.before_runtime = Some(front);
    let mut host = bench.start().await;
    for id in ["m1", "m2"] {
        let taken = tokio::time::timeout(LIMIT / 4, host.hand_over(event(id))).await;
        assert_eq!(taken.unwrap().unwrap(), Accepted::Stored);
    }
    for session in host.sessions().await {
        assert_eq!(host.in_file(session).await, ["m1", "m2"]);
    }
    assert_eq!(host.runtime().specs(), []);
    gate.open();
    let (mut first, mut second) = (host.enter().await, host.enter().await);
    assert_eq!(first.texts(), ["text of m1", "text of m2"]);
    assert_eq!(second.texts(), ["text of m1", "text of m2"]);
}

#[tokio::test]
async fn a_message_is_known_for_a_duplicate_for_two_weeks_and_then_by_its_session() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    host.enter().await.answer();
    host.until_seen(&address("c"), 1).await;
    let known = async |host: &Host| {
        let id = platform_id("m1");
        host.store()
            .event_seen(&one(), &chat("c"), &id)
            .await
            .unwrap()
    };
    host.advance(Duration::from_hours(13 * 24));
    assert_eq!(
        host.hand_over(event("m1")).await.unwrap(),
        Accepted::Duplicate
    );
    host.advance(Duration::from_hours(2 * 24));
    until("it is forgotten", async || {
        (!known(&host).await).then_some(())
    })
    .await;
    // Even then its session knows it.
    host.stored("m1").await;
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    // Nothing is owed, and the sandbox is not taken for one that has work.
    let session = host.session().await;
    until("it is idle again or gone", async || {
        let live = &host.graph.base.live;
        let busy = live
            .sessions()
            .iter()
            .any(|(running, _)| *running == session)
            && live.idle(session, host.bench.clock.mono()).is_none();
        (!busy).then_some(())
    })
    .await;
}
