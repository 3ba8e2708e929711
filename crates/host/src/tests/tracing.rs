//! What became of a message, as whoever asks is told.

use anchorhold_channel::{ChannelError, fake::Scripted};
use anchorhold_core::{inbound::Quote, sandbox::ExitStatus};

use super::*;
use crate::{
    tests::people::{direct, heard, saying},
    trace::{Asked, Found, look, show, timeline::Timeline},
};

impl Host {
    pub(super) async fn traced(&self, id: &str) -> Timeline {
        let found = self.look_for(id, None).await;
        let Found::One(timeline) = found else {
            panic!("{found:?}");
        };
        *timeline
    }

    async fn look_for(&self, id: &str, conversation: Option<&str>) -> Found {
        let asked = Asked {
            id,
            conversation,
            group: None,
            thorough: true,
            now: self.graph.base.now(),
        };
        let files = |session| self.graph.base.dirs.session(session);
        look(self.store(), &files, &asked).await.unwrap()
    }
}

/// Each step of an agent, or of nobody in particular, in a word.
fn words(timeline: &Timeline, agent: Option<&str>) -> Vec<&'static str> {
    let steps = timeline.steps.iter();
    let own = steps.filter(|step| step.agent.as_deref() == agent);
    own.map(|step| step.step).collect()
}

fn check_ends_well(words: &[&str]) {
    let end = words.len() - 5;
    let well = ["pulled", "done", "said", "attempt", "sent"];
    assert_eq!(words[end..], well, "{words:?}");
}

fn still(timeline: &Timeline) -> Vec<String> {
    timeline.owned.iter().map(show::still).collect()
}

#[tokio::test]
async fn a_message_is_traced_across_agents_deaths_and_restarts() {
    let mut host = Host::new(FAN_OUT).await;
    host.stored("m1").await;
    let mut first = host.enter().await;
    let second = host.enter().await;
    first.claim();
    let traced = host.traced("m1").await;
    assert_eq!(traced.steps[0].what, "received: 10 bytes of text");
    let mut owned = still(&traced);
    owned.sort();
    assert_eq!(owned.len(), 2);
    assert!(owned[0].starts_with("is in the hands of "), "{owned:?}");
    assert!(owned[1].starts_with("waits for "), "{owned:?}");

    first.die(ExitStatus::Signal(9));
    drop(second);
    until("its try is over", async || {
        let traced = host.traced("m1").await;
        traced.agents.iter().any(|one| one.tries == 1).then_some(())
    })
    .await;
    let mut host = host.stop().await.start().await;
    host.advance(Duration::from_secs(5));
    for _ in 0..2 {
        host.enter().await.answer();
    }
    host.until_seen(&address("c"), 2).await;
    until("all of it is over", async || {
        host.traced("m1").await.owned.is_empty().then_some(())
    })
    .await;

    let traced = host.traced("m1").await;
    assert_eq!(words(&traced, None), ["received", "host"]);
    let of_both = ["helper", "second"].map(|agent| words(&traced, Some(agent)));
    let (tried, plain) = if of_both[0].contains(&"retry") {
        (&of_both[0], &of_both[1])
    } else {
        (&of_both[1], &of_both[0])
    };
    check_ends_well(tried);
    check_ends_well(plain);
    for words in [tried, plain] {
        assert_eq!(words[..3], ["routed", "stored", "sandbox"], "{words:?}");
    }
    let count = |words: &[&str], what| words.iter().filter(|word| **word == what).count();
    assert_eq!((count(tried, "retry"), count(plain, "retry")), (1, 0));
    let died = traced
        .steps
        .iter()
        .find(|step| step.what.contains("in its hands"));
    let died = died.expect("the death is told");
    assert_eq!(
        died.what,
        "sandbox 1 ended with the message in its hands: signal 9"
    );
    let retry = traced
        .steps
        .iter()
        .find(|step| step.step == "retry")
        .unwrap();
    let why = "the agent stopped in the middle of its work (signal 9)";
    assert_eq!(retry.why.as_deref(), Some(why));
    // What was said is told to nobody.
    let shown = show::text(&traced);
    assert!(!shown.contains("text of"), "{shown}");
    assert!(
        shown.ends_with("It is over: nothing of it is under way."),
        "{shown}"
    );
    host.stop().await;
}

#[tokio::test]
async fn the_last_of_a_conversation_is_found_by_whatever_it_is_called() {
    let host = Host::new(PLAIN).await;
    host.stored("m1").await;
    host.stored("m2").await;
    host.hand_over(event_in("d", "m2")).await.unwrap();
    for called in ["one:c", "c"] {
        let Found::One(found) = host.look_for("last", Some(called)).await else {
            panic!("{called}");
        };
        assert_eq!(found.message.id.as_deref(), Some("m2"));
    }
    assert!(matches!(
        host.look_for("last", None).await,
        Found::Conversation(_)
    ));
    assert!(matches!(host.look_for("m9", None).await, Found::Nothing));
    // Two chats have it: both are named, and a conversation makes the choice.
    let several = host.look_for("m2", None).await;
    let Found::Several(candidates) = &several else {
        panic!("{several:?}");
    };
    let names = show::names(candidates);
    assert_eq!(
        names,
        ["m2 --conversation one:c", "m2 --conversation one:d"]
    );
    assert!(matches!(
        host.look_for("m2", Some("one:d")).await,
        Found::One(_)
    ));
    host.stop().await;
}

#[tokio::test]
async fn what_nobody_may_hear_is_traced_with_its_rule() {
    let host = Host::new(&heard("strict", "")).await;
    let declined = host.hand_over(direct("eve", "m1")).await.unwrap();
    assert!(matches!(declined, Accepted::Declined(_)), "{declined:?}");
    let traced = host.traced("m1").await;
    assert_eq!(words(&traced, Some("helper")), ["declined"]);
    assert_eq!(words(&traced, None), ["received", "declined"]);
    let why = "the sender is not known, and strangers are not heard here";
    assert_eq!(traced.steps[1].why.as_deref(), Some(why));
    assert_eq!(traced.owned, []);
    host.stop().await;
}

#[tokio::test]
async fn where_is_told_of_a_message_that_is_replied_to() {
    let host = Host::new(&heard("public", "")).await;
    host.heard(direct("ann", "m1")).await;
    host.heard(direct("ann", "m2")).await;
    let mut ask = saying("/where", direct("ann", "w1"));
    ask.reply_to = Some(Quote {
        sender: None,
        text: String::new(),
        message_id: Some(platform_id("m1")),
    });
    let told = host.tell(ask.clone()).await;
    let expect = "host: helper: that message, of 2026-01-01T00:00:00Z, waits to be answered.";
    assert_eq!(told, expect);
    let nothing = "host: Nothing is on record of that message; reply to one that you wrote.";
    for unknown in ["m9", "w1"] {
        ask.message_id = platform_id(&format!("of {unknown}"));
        let quote = ask.reply_to.as_mut().unwrap();
        quote.message_id = Some(platform_id(unknown));
        assert_eq!(host.tell(ask.clone()).await, nothing, "{unknown}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_send_that_failed_says_when_it_is_tried_again() {
    let mut host = Host::new(PLAIN).await;
    let busy = ChannelError::Transient {
        doing: "sending",
        source: "busy".into(),
    };
    host.platform().script(Scripted::Fail(busy));
    host.stored("m1").await;
    host.enter().await.answer();
    let traced = until("a try has failed", async || {
        let traced = host.traced("m1").await;
        let tried = traced
            .steps
            .iter()
            .filter(|step| step.step == "attempt")
            .count();
        (tried == 2).then_some(traced)
    })
    .await;
    let owned = still(&traced);
    assert_eq!(owned.len(), 1);
    assert!(
        owned[0].starts_with("a post waits for its next try (until "),
        "{owned:?}"
    );
    host.stop().await;
}

/// What keeps an answer is told, also where it is another answer: a lane keeps its order.
#[tokio::test]
async fn an_answer_behind_one_that_nobody_reads_says_so() {
    let mut host = Host::new(PLAIN).await;
    host.platform().leave(&address("c"));
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.answer();
    until("the first answer waits for its reader", async || {
        let owned = still(&host.traced("m1").await);
        (owned == ["a post waits until somebody is there to read it"]).then_some(())
    })
    .await;
    host.stored("m2").await;
    inside.answer();
    let behind =
        "a post waits behind an earlier one, which waits until somebody is there to read it";
    until("the second one waits behind it", async || {
        let owned = still(&host.traced("m2").await);
        (owned == [behind]).then_some(())
    })
    .await;
    host.platform().come_back(&address("c"));
    until("both are over", async || {
        let owned = [host.traced("m1").await.owned, host.traced("m2").await.owned];
        owned.concat().is_empty().then_some(())
    })
    .await;
    host.stop().await;
}

/// A clock that goes on with each look at it.
#[derive(Debug)]
pub(super) struct Ticking(pub(super) Arc<FakeClock>);

impl Clock for Ticking {
    fn now(&self) -> jiff::Timestamp {
        self.0.advance(Duration::from_millis(1));
        self.0.now()
    }

    fn mono(&self) -> std::time::Instant {
        self.0.mono()
    }
}

/// Found with a clock that runs: nothing is stored before it has come.
#[tokio::test]
async fn a_message_is_received_before_it_is_stored() {
    let mut bench = Bench::new(PLAIN);
    bench.ticking = true;
    let host = bench.start().await;
    host.stored("m1").await;
    let traced = host.traced("m1").await;
    let first: Vec<_> = traced.steps.iter().map(|step| step.step).take(3).collect();
    assert_eq!(first, ["received", "routed", "stored"]);
    host.stop().await;
}
