//! One lane: its deliveries in order, for as long as they are due.

use std::sync::atomic::Ordering;

use anchorhold_channel::{ChannelError, LimitScope, PartKey};
use anchorhold_core::{address::Address, outbound::OutboundOp};
use anchorhold_sessiondb::Outcome;
use anchorhold_store::{
    Durability, Error as StoreError,
    attempts::{
        AttemptId, Refusal, Settled, Unattempted,
        steps::{Begin, Step},
    },
    deliveries::{Delivery, Queued},
};
use jiff::Timestamp;
use tokio::time::timeout;
use tracing::{Instrument, error, info, info_span, warn};

use crate::{
    deliver::{
        Deliver, Failure, NO_CHANNEL, SEND_LIMIT, SETTLE_TRIES, STORE_WAIT,
        outcome::{after_failure, later},
        outgoing::Outgoing,
    },
    notice,
    registry::Instance,
    report::report,
};

/// How many deliveries of its own a lane reads ahead.
const AHEAD: u32 = 32;

/// How a lane goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Onward {
    /// With its next delivery.
    Next,
    /// Later, when something says so: it has something that is not due.
    Later,
    /// It has nothing.
    Empty,
}

/// What came of the last attempt and is not on record yet: it goes there with the next one's begin.
type Carried = Option<(AttemptId, Settled)>;

/// One attempt that failed.
struct Tried {
    attempt: AttemptId,
    /// The how-manieth failure of its part it is.
    failed: u32,
    /// Who had come before it was made.
    arrivals: u64,
}

/// A delivery that is about to be sent, with what is left of it.
struct Ready<'a> {
    delivery: &'a Delivery,
    instance: &'a Instance,
    operations: Vec<OutboundOp>,
}

impl Deliver {
    /// Sends what a lane has, in order, until there is nothing more or what is next is not due.
    pub(super) async fn lane_on(&self, lane: &Address) -> Result<Onward, Failure> {
        loop {
            let queued = self.base.store.oldest_deliveries(lane, AHEAD).await?;
            if queued.is_empty() {
                return Ok(Onward::Empty);
            }
            let Some(instance) = self.registry.get(&lane.channel) else {
                self.wait_for_channel(queued).await?;
                return Ok(Onward::Later);
            };
            let mut carried = None;
            let went = self.go_through(&instance, queued, &mut carried).await;
            if let Some((attempt, settled)) = carried {
                self.settle(attempt, &settled).await?;
            }
            if went? == Onward::Later || self.shutdown.is_cancelled() {
                return Ok(Onward::Later);
            }
        }
    }

    /// Sends these deliveries of one lane. What is left in `carried` is to be settled.
    async fn go_through(
        &self,
        instance: &Instance,
        queued: Vec<Queued>,
        carried: &mut Carried,
    ) -> Result<Onward, Failure> {
        let mut queued = queued.into_iter();
        while let Some(Queued { delivery, answers }) = queued.next() {
            let due = !delivery.parked && delivery.next_at <= self.base.now();
            if !due || self.shutdown.is_cancelled() {
                for behind in queued {
                    let why = || Outcome::Waits("what was said there before waits, too".to_owned());
                    self.base.outcomes.note(behind.delivery.id, why);
                }
                return Ok(Onward::Later);
            }
            let span = info_span!(
                "deliver",
                session = delivery.session.map(tracing::field::display),
                outbound = %delivery.id,
                attempt = delivery.tries + 1,
            );
            let step = async {
                let outgoing = serde_json::from_str::<Outgoing>(&delivery.payload);
                if !outgoing.as_ref().is_ok_and(Outgoing::is_plain) {
                    // What it is about may be what was sent last.
                    self.settle_carried(carried).await?;
                }
                let prepared = self.prepare(&delivery, outgoing, answers, instance).await?;
                match prepared {
                    Ok(operations) => {
                        let ready = Ready {
                            delivery: &delivery,
                            instance,
                            operations,
                        };
                        self.send(ready, carried).await
                    }
                    Err(why) => {
                        self.settle_carried(carried).await?;
                        self.give_up(&delivery, why).await?;
                        Ok(Onward::Next)
                    }
                }
            };
            if step.instrument(span).await? != Onward::Next {
                return Ok(Onward::Later);
            }
        }
        Ok(Onward::Next)
    }

    async fn wait_for_channel(&self, queued: Vec<Queued>) -> Result<(), StoreError> {
        let now = self.base.now();
        for Queued { delivery, .. } in queued.into_iter().take(1) {
            let later = Unattempted::Later {
                next_at: later(now, NO_CHANNEL),
                why: "its channel is not configured".to_owned(),
            };
            let why = || Outcome::Waits("its channel is not configured".to_owned());
            self.base.outcomes.note(delivery.id, why);
            self.base
                .store
                .settle_unattempted(delivery.id, &later, now)
                .await?;
        }
        Ok(())
    }

    /// Sends what is left of a delivery, part by part.
    async fn send(&self, ready: Ready<'_>, carried: &mut Carried) -> Result<Onward, Failure> {
        let Ready {
            delivery,
            instance,
            operations,
        } = ready;
        let left = operations.len();
        let arrivals = self.arrivals.load(Ordering::SeqCst);
        let mut failed = delivery.tries;
        for (index, (operation, part)) in operations.iter().zip(delivery.parts_sent..).enumerate() {
            let begin = Begin {
                delivery: delivery.id,
                part,
                durability: durability(instance, operation),
            };
            let attempt = match self.begin(begin, carried).await? {
                Ok(attempt) => attempt,
                Err(why) => return Ok(after_refusal(why)),
            };
            let key = PartKey {
                outbound: delivery.id,
                part,
            };
            let tried = timeout(
                SEND_LIMIT,
                instance.adapter.send(&delivery.address, operation, key),
            );
            let tried = tried.await.unwrap_or_else(|elapsed| {
                Err(ChannelError::Ambiguous {
                    doing: "sending",
                    source: Box::new(elapsed),
                })
            });
            match tried {
                Ok(sent) => {
                    instance.reporter.outbound();
                    let last = index + 1 == left;
                    let settled = Settled::PartSent {
                        platform_id: sent.message_id,
                        last,
                    };
                    *carried = Some((attempt, settled));
                    info!(part, last, "sent");
                    if last {
                        self.base.outcomes.note(delivery.id, || Outcome::Sent);
                    }
                    failed = 0;
                }
                Err(failure) => {
                    let tried = Tried {
                        attempt,
                        failed: failed + 1,
                        arrivals,
                    };
                    return self
                        .settle_failure((delivery, instance), operation, tried, &failure)
                        .await;
                }
            }
        }
        Ok(Onward::Next)
    }

    /// Writes an attempt down before it is made, with what came of the one before.
    async fn begin(
        &self,
        begin: Begin,
        carried: &mut Carried,
    ) -> Result<Result<AttemptId, Refusal>, Failure> {
        let step = Step {
            settle: carried.clone(),
            begin: Some(begin),
        };
        // An error leaves it carried: it is settled by itself, with patience.
        let begun = self.ledger.take(step).await?;
        *carried = None;
        Ok(begun.unwrap_or(Err(Refusal::Missing)))
    }

    async fn settle_carried(&self, carried: &mut Carried) -> Result<(), Failure> {
        if let Some((attempt, settled)) = carried.take() {
            self.settle(attempt, &settled).await?;
        }
        Ok(())
    }

    /// Records what came of an attempt. What is known is not given up over a store that fails for a
    /// while: the lane would stand still until the next host decides.
    async fn settle(&self, attempt: AttemptId, settled: &Settled) -> Result<(), Failure> {
        let step = || Step {
            settle: Some((attempt, settled.clone())),
            begin: None,
        };
        for _ in 1..SETTLE_TRIES {
            match self.ledger.take(step()).await {
                Ok(_) => return Ok(()),
                Err(failure) => error!(error = %report(&failure), "attempt not settled yet"),
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_WAIT) => {}
                () = self.shutdown.cancelled() => break,
            }
        }
        self.ledger.take(step()).await?;
        Ok(())
    }

    async fn settle_failure(
        &self,
        (delivery, instance): (&Delivery, &Instance),
        operation: &OutboundOp,
        Tried {
            attempt,
            failed,
            arrivals,
        }: Tried,
        failure: &ChannelError,
    ) -> Result<Onward, Failure> {
        let (now, jitter) = (self.base.now(), self.base.jitter());
        let again = may_be_repeated(instance, operation);
        let outcome = after_failure(failure, again, failed, now, jitter);
        if let Some((scope, until)) = outcome.park {
            self.park(&delivery.address, scope, until).await;
        }
        self.settle(attempt, &outcome.settled).await?;
        let told = || told(&outcome.settled);
        self.base.outcomes.note(delivery.id, told);
        match &outcome.settled {
            Settled::Dead { why, .. } | Settled::Unknown { why, .. } => {
                error!(error = %why, settled = ?outcome.settled, "delivery given up");
                self.ends.notify_one();
                return Ok(Onward::Next);
            }
            Settled::Park => {
                info!("nobody is there, delivery kept");
                if self.arrivals.load(Ordering::SeqCst) != arrivals {
                    self.unpark(&delivery.address).await;
                }
            }
            Settled::Retry { why, next_at, .. } => {
                warn!(error = %why, %next_at, "delivery will be tried again");
            }
            Settled::PartSent { .. } => {}
        }
        Ok(Onward::Later)
    }

    /// Holds back what would run into the same limit.
    async fn park(&self, at: &Address, scope: LimitScope, until: Timestamp) {
        let (store, channel) = (&self.base.store, &at.channel);
        let parked = match scope {
            LimitScope::Chat => store.put_off_chat(channel, &at.chat, until).await,
            LimitScope::Instance => store.park_channel_until(channel, until).await,
        };
        if let Err(failure) = parked {
            // It runs into its limit again, that is all.
            error!(%channel, ?scope, error = %report(&failure), "not parked");
        }
    }

    /// Ends a delivery that can't be sent at all, and tells the person.
    async fn give_up(&self, delivery: &Delivery, why: String) -> Result<(), Failure> {
        error!(error = %why, "delivery can't be sent");
        let outgoing = Outgoing::notice(notice::rejected(&why));
        let (id, address) = (delivery.id.notice(), delivery.address.clone());
        let told = outgoing.delivery(id, address, delivery.in_reply_to)?;
        // First the word, which is one however often it is said, then the end: a host that dies in
        // between says it again and nothing is given up in silence.
        let (store, now) = (&self.base.store, self.base.now());
        store.new_delivery(delivery.session, &told, now).await?;
        store
            .settle_unattempted(delivery.id, &Unattempted::Dead { why: why.clone() }, now)
            .await?;
        self.base.outcomes.note(delivery.id, || Outcome::Dead(why));
        self.ends.notify_one();
        Ok(())
    }
}

/// What is told inside of an attempt that failed.
fn told(settled: &Settled) -> Outcome {
    match settled {
        Settled::PartSent { .. } => Outcome::Sent,
        Settled::Retry { why, .. } => Outcome::Waits(why.clone()),
        Settled::Park => Outcome::Waits("nobody is there to read it".to_owned()),
        Settled::Unknown { why, .. } => Outcome::Unknown(why.clone()),
        Settled::Dead { why, .. } => Outcome::Dead(why.clone()),
    }
}

/// What may be done twice needs no record that outlives power.
fn durability(instance: &Instance, operation: &OutboundOp) -> Durability {
    if may_be_repeated(instance, operation) {
        Durability::Process
    } else {
        Durability::Power
    }
}

/// Is the same thing done twice what it is when done once?
fn may_be_repeated(instance: &Instance, operation: &OutboundOp) -> bool {
    instance.adapter.caps().dedupes_by_key.is_yes() || operation.is_idempotent()
}

/// What was read ahead may be over by now, and an instance may have been parked by another lane.
fn after_refusal(why: Refusal) -> Onward {
    match why {
        Refusal::Missing | Refusal::Ended | Refusal::Part => Onward::Next,
        Refusal::Open | Refusal::Parked => Onward::Later,
    }
}
