//! Platforms fail in all the ways they do, and no answer is lost, doubled or reordered.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use anchorhold_channel::{
    BotIdentity, ChannelContext, ChannelError, Inbox, LimitScope, PartKey, Sent, TextLimit,
    fake::{FakeAdapter, Scripted},
};
use anchorhold_core::{entity::DeliveryStatus, ids::OutboundId};
use anchorhold_sessiondb::{Handled, Outbound, Seq};
use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use crate::tests::inside::{post, said};

const THIRTY: Duration = Duration::from_secs(30);

fn transient() -> ChannelError {
    ChannelError::Transient {
        doing: "sending",
        source: "scripted".into(),
    }
}

fn limited(scope: LimitScope) -> ChannelError {
    let retry_after = THIRTY;
    ChannelError::RateLimited { retry_after, scope }
}

/// Puts a message into a chat and lets the agent say all of `texts` to it; gives their numbers.
async fn say(host: &mut Host, chat: &str, texts: &[&str]) -> (Inside, Vec<i64>) {
    host.hand_over(event_in(chat, "m1")).await.unwrap();
    let mut inside = host.enter().await;
    let seq = inside.offer()[0].seq;
    let emit = texts.iter().map(|text| post(seq, text)).collect();
    let said = inside.finish(vec![(seq, Handled::Done)], emit);
    (inside, said)
}

impl Host {
    /// Waits for a delivery of any session to be as `is` says.
    async fn until_said(
        &self,
        (inside, seq): (&Inside, i64),
        is: impl Fn(&Delivery) -> bool,
    ) -> Delivery {
        let session = inside.id.session;
        until(&format!("delivery {seq} is as expected"), async || {
            let found = self.store().delivery_by_seq(session, seq).await.unwrap();
            found.filter(|delivery| is(delivery))
        })
        .await
    }

    /// Waits until no lane is taken up and none is to be.
    async fn until_lanes_rest(&self) {
        until("the lanes are at rest", async || {
            let due = self
                .store()
                .due_lanes(self.graph.base.now(), 10)
                .await
                .unwrap();
            (due.is_empty() && self.graph.deliver.is_at_rest()).then_some(())
        })
        .await;
    }

    fn outcomes(&self) -> Vec<&'static str> {
        self.platform()
            .sends()
            .iter()
            .map(|send| send.outcome)
            .collect()
    }
}

#[tokio::test]
async fn a_rate_limit_parks_the_instance_and_keeps_the_order() {
    let mut host = Host::new(PLAIN).await;
    host.platform()
        .script(Scripted::Fail(limited(LimitScope::Instance)));
    let (first, said) = say(&mut host, "c", &["a", "b"]).await;
    let now = host.graph.base.now();
    let waits = host
        .until_said((&first, said[0]), |delivery| delivery.next_at > now)
        .await;
    assert_eq!((waits.next_at, waits.tries), (now + THIRTY, 0));
    // Another conversation of the same instance waits, too.
    let (second, other) = say(&mut host, "d", &["c"]).await;
    host.until_said((&second, other[0]), |_| true).await;
    host.until_lanes_rest().await;
    assert_eq!(host.outcomes(), ["failed"]);
    host.advance(THIRTY);
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        ["agent: a", "agent: b"]
    );
    assert_eq!(host.until_seen(&address("d"), 1).await, ["agent: c"]);
}

#[tokio::test]
async fn a_limit_of_one_chat_holds_no_other_back() {
    let mut host = Host::new(PLAIN).await;
    host.platform()
        .script(Scripted::Fail(limited(LimitScope::Chat)));
    let (first, said) = say(&mut host, "c", &["a", "b"]).await;
    let now = host.graph.base.now();
    let waits = host
        .until_said((&first, said[0]), |delivery| delivery.next_at > now)
        .await;
    assert_eq!((waits.next_at, waits.tries), (now + THIRTY, 0));
    say(&mut host, "d", &["c"]).await;
    assert_eq!(host.until_seen(&address("d"), 1).await, ["agent: c"]);
    host.until_lanes_rest().await;
    assert_eq!(host.outcomes(), ["failed", "sent"]);
    host.advance(THIRTY);
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        ["agent: a", "agent: b"]
    );
}

#[tokio::test]
async fn nc_3058_transient_send_is_not_dropped() {
    let mut host = Host::new(PLAIN).await;
    host.platform().script(Scripted::Fail(transient()));
    let (inside, said) = say(&mut host, "c", &["a", "b"]).await;
    let waits = host
        .until_said((&inside, said[0]), |delivery| delivery.tries == 1)
        .await;
    assert_eq!(
        waits.next_at,
        host.graph.base.now() + Duration::from_secs(2)
    );
    assert_eq!(
        waits.last_error.as_deref(),
        Some("sending failed for now: scripted")
    );
    host.until_lanes_rest().await;
    host.advance(Duration::from_secs(2));
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        ["agent: a", "agent: b"]
    );
    assert_eq!(host.outcomes(), ["failed", "sent", "sent"]);
}

async fn check_lost_answer(caps: ChannelCaps, status: DeliveryStatus, outcomes: &[&str]) {
    let mut host = Bench::with_caps(PLAIN, caps).start().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    let (inside, said) = say(&mut host, "c", &["a", "b"]).await;
    until("it is settled", async || {
        host.advance(Duration::from_secs(1));
        let all = host
            .store()
            .delivery_by_seq(inside.id.session, said[0])
            .await
            .unwrap()?;
        (all.status == status).then_some(())
    })
    .await;
    host.until_said((&inside, said[1]), |delivery| {
        delivery.status == DeliveryStatus::Sent
    })
    .await;
    // What the host says about it comes beside.
    let mut seen = host.seen(&address("c"));
    seen.retain(|line| line.starts_with("agent"));
    assert_eq!(seen, ["agent: a", "agent: b"]);
    let line = OutboundId::of_row(inside.id.session, said[0]).notice();
    let sends = host.platform().sends().into_iter();
    let of_agent = sends.filter(|send| send.key.outbound != line);
    let made: Vec<&str> = of_agent.map(|send| send.outcome).collect();
    assert_eq!(made, outcomes);
}

#[tokio::test]
async fn an_answer_that_got_lost_makes_nobody_see_anything_twice() {
    check_lost_answer(
        quiet_caps(),
        DeliveryStatus::Sent,
        &["ambiguous", "sent", "sent"],
    )
    .await;
    check_lost_answer(no_dedupe(), DeliveryStatus::Unknown, &["ambiguous", "sent"]).await;
}

#[tokio::test]
async fn oc_33403_permanent_errors_are_not_retried() {
    let mut host = Host::new(PLAIN).await;
    let reason = "no such chat".to_owned();
    host.platform()
        .script(Scripted::Fail(ChannelError::Permanent { reason }));
    let (inside, said) = say(&mut host, "c", &["a", "b"]).await;
    assert_eq!(host.until_seen(&address("c"), 1).await, ["agent: b"]);
    let dead = host
        .until_said((&inside, said[0]), |delivery| delivery.ended_at.is_some())
        .await;
    assert_eq!(dead.status, DeliveryStatus::Dead);
    assert_eq!(
        dead.last_error.as_deref(),
        Some("refused for good: no such chat")
    );
    let failed = host.store().failed_deliveries(10).await.unwrap();
    assert_eq!(failed.len(), 1);
    // However much later.
    host.advance(Duration::from_hours(25));
    host.until_lanes_rest().await;
    let sends = host.platform().sends().into_iter();
    let of_it = sends.filter(|send| send.key.outbound == dead.id);
    assert_eq!(of_it.count(), 1);
}

#[tokio::test]
async fn refused_credentials_keep_everything_until_they_are_mended() {
    let mut host = Host::new(PLAIN).await;
    let reason = "the token is wrong".to_owned();
    host.platform()
        .script(Scripted::Fail(ChannelError::Unauthorized { reason }));
    let (first, said) = say(&mut host, "c", &["a"]).await;
    let now = host.graph.base.now();
    host.until_said((&first, said[0]), |delivery| delivery.next_at > now)
        .await;
    let (second, other) = say(&mut host, "d", &["b"]).await;
    host.until_said((&second, other[0]), |_| true).await;
    host.until_lanes_rest().await;
    assert_eq!(host.outcomes(), ["failed"]);
    host.advance(Duration::from_mins(5));
    host.until_seen(&address("c"), 1).await;
    host.until_seen(&address("d"), 1).await;
}

#[tokio::test]
async fn defect_18_what_nobody_took_is_never_delivered() {
    let mut host = Host::new(PLAIN).await;
    host.platform().leave(&address("c"));
    let (absent, said) = say(&mut host, "c", &["a", "b"]).await;
    let parked = host
        .until_said((&absent, said[0]), |delivery| delivery.parked)
        .await;
    assert_eq!((parked.status, parked.tries), (DeliveryStatus::Pending, 0));
    host.until_lanes_rest().await;
    assert_eq!(host.outcomes(), ["absent"]);

    // Nor is it where the channel itself is gone.
    host.hand_over(event_in("d", "m1")).await.unwrap();
    let mut gone = host.enter().await;
    let seq = gone.offer()[0].seq;
    let instance = host.graph.registry.remove(&one()).unwrap();
    let other = gone.finish(vec![(seq, Handled::Done)], vec![post(seq, "c")]);
    let waits = host
        .until_said((&gone, other[0]), |delivery| delivery.last_error.is_some())
        .await;
    assert_eq!((waits.status, waits.tries), (DeliveryStatus::Pending, 0));
    assert_eq!(
        waits.last_error.as_deref(),
        Some("its channel is not configured")
    );
    host.until_lanes_rest().await;

    host.graph.registry.add(one(), instance);
    host.advance(Duration::from_mins(1));
    assert_eq!(host.until_seen(&address("d"), 1).await, ["agent: c"]);
    assert_eq!(host.outcomes(), ["absent", "sent"]);
    host.platform().come_back(&address("c"));
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        ["agent: a", "agent: b"]
    );
}

#[tokio::test]
async fn a_split_message_goes_on_at_the_part_that_failed() {
    let caps = ChannelCaps {
        text: TextLimit::Chars(10),
        ..quiet_caps()
    };
    let mut host = Bench::with_caps(PLAIN, caps).start().await;
    host.platform().script(Scripted::Take);
    host.platform().script(Scripted::Fail(transient()));
    let (inside, said) = say(&mut host, "c", &["one two\n\nthree four\n\nfive six"]).await;
    let waits = host
        .until_said((&inside, said[0]), |delivery| delivery.tries == 1)
        .await;
    assert_eq!(waits.parts_sent, 1);
    let first_id = waits.platform_message_id.clone().unwrap();
    // The next host finds the same parts.
    let host = host.stop().await.start().await;
    host.advance(Duration::from_secs(2));
    let seen = host.until_seen(&address("c"), 3).await;
    assert_eq!(
        seen,
        ["agent: one two", "agent: three four", "agent: five six"]
    );
    let sends = host.platform().sends();
    let parts: Vec<_> = sends
        .iter()
        .map(|send| (send.key.part, send.outcome))
        .collect();
    assert_eq!(
        parts,
        [(0, "sent"), (1, "failed"), (1, "sent"), (2, "sent")]
    );
    let sent = host
        .until_said((&inside, said[0]), |delivery| {
            delivery.status == DeliveryStatus::Sent
        })
        .await;
    assert_eq!((sent.platform_message_id, sent.tries), (Some(first_id), 0));
}

/// What an adapter of these tests does with one send, instead of handing it on.
enum Instead {
    HandOn,
    /// Waits for the gate, then hands it on.
    AfterGate,
    Fail(ChannelError),
    /// Somebody comes just before the adapter says that nobody is there.
    ArriveAndMiss,
}

type Decide = Box<dyn Fn(&Address, usize) -> Instead + Send + Sync>;

/// An adapter in front of the fake one.
struct Front {
    inner: Arc<FakeAdapter>,
    decide: Decide,
    calls: Mutex<usize>,
    /// How often it was asked what the platform can do, which is once a try of a lane.
    asked: AtomicUsize,
    inbox: Mutex<Option<Inbox>>,
    gate_tx: watch::Sender<bool>,
}

impl Front {
    /// Puts an adapter in front that asks `decide`, with the number of the call from 0.
    fn put(bench: &mut Bench, decide: Decide) -> Arc<Self> {
        let front = Arc::new(Self {
            inner: bench.platform.adapter(one()),
            decide,
            calls: Mutex::new(0),
            asked: AtomicUsize::new(0),
            inbox: Mutex::new(None),
            gate_tx: watch::Sender::new(false),
        });
        let adapter: Arc<dyn ChannelAdapter> = Arc::<Self>::clone(&front);
        bench.adapter = Some(adapter);
        front
    }
}

#[async_trait]
impl ChannelAdapter for Front {
    fn caps(&self) -> &ChannelCaps {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.inner.caps()
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        self.inner.probe().await
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        *self.inbox.lock().unwrap() = Some(cx.inbox.clone());
        self.inner.run(cx).await
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        let call = {
            let mut calls = self.calls.lock().unwrap();
            *calls += 1;
            *calls - 1
        };
        match (self.decide)(to, call) {
            Instead::HandOn => {}
            Instead::AfterGate => {
                let mut gate_rx = self.gate_tx.subscribe();
                gate_rx.wait_for(|open| *open).await.unwrap();
            }
            Instead::Fail(error) => return Err(error),
            Instead::ArriveAndMiss => {
                let inbox = self.inbox.lock().unwrap().clone().unwrap();
                inbox.present(to).await;
                return Err(ChannelError::Absent);
            }
        }
        self.inner.send(to, op, key).await
    }

    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        self.inner.open_direct(person).await
    }
}

#[tokio::test]
async fn somebody_who_comes_while_a_delivery_is_parked_is_noticed() {
    let mut bench = Bench::new(PLAIN);
    Front::put(
        &mut bench,
        Box::new(|_to, call| match call {
            0 => Instead::ArriveAndMiss,
            _ => Instead::HandOn,
        }),
    );
    let mut host = bench.start().await;
    let (_inside, _said) = say(&mut host, "c", &["a"]).await;
    assert_eq!(host.until_seen(&address("c"), 1).await, ["agent: a"]);
}

#[tokio::test]
async fn a_conversation_that_is_blocked_delays_no_other() {
    let mut bench = Bench::new(PLAIN);
    let front = Front::put(
        &mut bench,
        Box::new(|to, _call| match to.chat.as_str() {
            "c" => Instead::AfterGate,
            _ => Instead::HandOn,
        }),
    );
    let mut host = bench.start().await;
    say(&mut host, "c", &["a"]).await;
    until("the first is being sent", async || {
        (front.gate_tx.receiver_count() > 0).then_some(())
    })
    .await;
    say(&mut host, "d", &["b", "c"]).await;
    assert_eq!(
        host.until_seen(&address("d"), 2).await,
        ["agent: b", "agent: c"]
    );
    assert_eq!(host.seen(&address("c")), Vec::<String>::new());
    front.gate_tx.send_replace(true);
    assert_eq!(host.until_seen(&address("c"), 1).await, ["agent: a"]);
}

/// A lane that is in the middle of its work heeds a limit that another one ran into.
#[tokio::test]
async fn a_rate_limit_holds_for_lanes_that_are_busy_already() {
    let mut bench = Bench::new(PLAIN);
    let front = Front::put(
        &mut bench,
        Box::new(|to, call| match (to.chat.as_str(), call) {
            ("c", 0) => Instead::AfterGate,
            (_, 1) => Instead::Fail(limited(LimitScope::Instance)),
            _ => Instead::HandOn,
        }),
    );
    let mut host = bench.start().await;
    let (busy, said) = say(&mut host, "c", &["a", "b"]).await;
    until("the first is being sent", async || {
        (front.gate_tx.receiver_count() > 0).then_some(())
    })
    .await;
    let (other, limited) = say(&mut host, "d", &["c"]).await;
    let now = host.graph.base.now();
    host.until_said((&other, limited[0]), |delivery| delivery.next_at > now)
        .await;
    front.gate_tx.send_replace(true);
    host.until_said((&busy, said[0]), |delivery| {
        delivery.status == DeliveryStatus::Sent
    })
    .await;
    host.until_lanes_rest().await;
    assert_eq!(host.seen(&address("c")), ["agent: a"]);
    host.advance(THIRTY);
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        ["agent: a", "agent: b"]
    );
    assert_eq!(host.until_seen(&address("d"), 1).await, ["agent: c"]);
}

/// A store that takes no attempts is asked again later, not over and over.
#[tokio::test]
async fn a_lane_that_can_not_write_its_attempts_down_does_not_spin() {
    let mut bench = Bench::new(PLAIN);
    let front = Front::put(&mut bench, Box::new(|_to, _call| Instead::HandOn));
    let mut host = bench.start().await;
    host.break_table("INSERT", "attempts").await;
    let before = front.asked.load(Ordering::SeqCst);
    let (inside, said) = say(&mut host, "c", &["a"]).await;
    host.until_said((&inside, said[0]), |_| true).await;
    until("the lane was tried", async || {
        (front.asked.load(Ordering::SeqCst) > before + 1).then_some(())
    })
    .await;
    let asked = front.asked.load(Ordering::SeqCst);
    for _ in 0..50 {
        // As long as all of these take, a lane that spins would come by many times.
        host.store().counts().await.unwrap();
        host.nudge();
    }
    let more = front.asked.load(Ordering::SeqCst) - asked;
    assert!(more <= 4, "{more}");
    assert_eq!(host.outcomes(), Vec::<&str>::new());
    host.mend_table().await;
    host.nudge();
    assert_eq!(host.until_seen(&address("c"), 1).await, ["agent: a"]);
}

/// What the platform took is on record as soon as the store takes it, without another host.
#[tokio::test]
async fn a_store_that_fails_for_a_while_stops_no_lane_for_ever() {
    let mut host = Host::new(PLAIN).await;
    host.break_table("UPDATE", "attempts").await;
    let (inside, said) = say(&mut host, "c", &["a", "b"]).await;
    host.until_seen(&address("c"), 1).await;
    host.mend_table().await;
    for seq in said {
        host.until_said((&inside, seq), |delivery| {
            delivery.status == DeliveryStatus::Sent
        })
        .await;
    }
    assert_eq!(host.seen(&address("c")), ["agent: a", "agent: b"]);
    assert_eq!(host.outcomes(), ["sent", "sent"]);
}

#[tokio::test]
async fn defect_21_attempt_before_send() {
    let mut bench = Bench::new(PLAIN);
    let front = Front::put(&mut bench, Box::new(|_to, _call| Instead::AfterGate));
    let mut host = bench.start().await;
    let (inside, said) = say(&mut host, "c", &["a"]).await;
    until("it is being sent", async || {
        (front.gate_tx.receiver_count() > 0).then_some(())
    })
    .await;
    // The platform has not been called yet, and a host that dies here leaves this behind.
    let open = host.store().interrupted_attempts(10).await.unwrap();
    let id = OutboundId::of_row(inside.id.session, said[0]);
    let seen: Vec<_> = open
        .iter()
        .map(|attempt| (attempt.delivery, attempt.number, attempt.part))
        .collect();
    assert_eq!(seen, [(id, 1, 0)]);
    front.gate_tx.send_replace(true);
    host.until_said((&inside, said[0]), |delivery| {
        delivery.status == DeliveryStatus::Sent
    })
    .await;
    let open = host.store().interrupted_attempts(10).await.unwrap();
    assert_eq!(open, []);
}

#[tokio::test]
async fn defect_26_order_holds_through_retries() {
    let mut bench = Bench::new(PLAIN);
    Front::put(
        &mut bench,
        Box::new(|_to, call| match call {
            0 | 1 | 4 => Instead::Fail(transient()),
            3 => Instead::Fail(limited(LimitScope::Instance)),
            _ => Instead::HandOn,
        }),
    );
    let mut host = bench.start().await;
    let (inside, said) = say(&mut host, "c", &["a", "b", "c", "d"]).await;
    until("the last one is sent", async || {
        host.advance(Duration::from_secs(1));
        let session = inside.id.session;
        let last = host
            .store()
            .delivery_by_seq(session, said[3])
            .await
            .unwrap()?;
        (last.status == DeliveryStatus::Sent).then_some(())
    })
    .await;
    assert_eq!(
        host.seen(&address("c")),
        ["agent: a", "agent: b", "agent: c", "agent: d"]
    );
}

#[tokio::test]
async fn defect_41_attempts_survive_restart() {
    let mut host = Host::new(PLAIN).await;
    host.platform().script(Scripted::Fail(transient()));
    host.platform().script(Scripted::Fail(transient()));
    let (inside, said) = say(&mut host, "c", &["a"]).await;
    let before = host
        .until_said((&inside, said[0]), |delivery| delivery.tries == 1)
        .await;
    let session = inside.id.session;
    drop(inside);
    let host = host.stop().await.start().await;
    let delivery = async |tries: u32| {
        until("it was tried so often", async || {
            let found = host
                .store()
                .delivery_by_seq(session, said[0])
                .await
                .unwrap();
            found.filter(|delivery| delivery.tries == tries)
        })
        .await
    };
    let after = delivery(1).await;
    assert_eq!(
        (after.next_at, after.status),
        (before.next_at, before.status)
    );
    // It goes on with its second wait, not with the first one again.
    host.advance(Duration::from_secs(2));
    let waits = delivery(2).await;
    assert_eq!(
        waits.next_at,
        host.graph.base.now() + Duration::from_secs(4)
    );
    host.advance(Duration::from_secs(4));
    assert_eq!(host.until_seen(&address("c"), 1).await, ["agent: a"]);
}

/// All stages of these tests share one thread: whatever waited for a file on it would hold up all.
#[tokio::test]
async fn defect_53_nothing_blocks_the_event_loop() {
    let mut host = Host::new(PLAIN).await;
    host.hand_over(event_in("c", "m1")).await.unwrap();
    let mut slow = host.enter().await;
    let files = host.graph.base.files(slow.id.session);
    let locked = sql(&files.out_dir().join("outbound.db"));
    locked.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for look in ["first", "second"] {
        host.graph.base.live.look(slow.id.session);
        let chat = format!("other-{look}");
        say(&mut host, &chat, &["b"]).await;
        assert_eq!(host.until_seen(&address(&chat), 1).await, ["agent: b"]);
    }
    locked.execute_batch("ROLLBACK").unwrap();
    slow.answer();
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: re text of m1"]);
}

/// Nobody sees an edit twice, so it is made again even where the platform does not dedupe.
#[tokio::test]
async fn what_is_idempotent_by_itself_is_sent_again() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.hand_over(event_in("c", "m1")).await.unwrap();
    let mut inside = host.enter().await;
    let seq = inside.offer()[0].seq;
    let posted = inside.finish(Vec::new(), vec![post(seq, "a")])[0];
    host.until_said((&inside, posted), |delivery| {
        delivery.status == DeliveryStatus::Sent
    })
    .await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    let target = Seq::new(posted).unwrap();
    let text = "b".to_owned();
    let edit = said(seq, Outbound::Edit { target, text });
    let edited = inside.finish(vec![(seq, Handled::Done)], vec![edit])[0];
    until("it is sent", async || {
        host.advance(Duration::from_secs(1));
        let session = inside.id.session;
        let found = host
            .store()
            .delivery_by_seq(session, edited)
            .await
            .unwrap()?;
        (found.status == DeliveryStatus::Sent).then_some(())
    })
    .await;
    assert_eq!(host.outcomes(), ["sent", "ambiguous", "sent"]);
}
