//! Answers go out: one lane a conversation, in order; each attempt is written down before it is made.

pub mod outcome;
pub mod outgoing;
mod prepare;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anchorhold_channel::{ChannelError, PartKey};
use anchorhold_core::{address::Address, outbound::OutboundOp};
use anchorhold_store::{
    Durability, Error as StoreError,
    attempts::{AttemptId, Settled, Unattempted},
    deliveries::{Delivery, NewDelivery},
};
use tokio::{sync::Notify, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{Instrument, error, info, info_span, warn};

use crate::{
    base::Base,
    deliver::{
        outcome::{after_failure, after_interruption, later},
        outgoing::Outgoing,
    },
    notice,
    registry::{Instance, Registry},
    report::report,
};

/// The most lanes that one look takes up.
const LANES_LIMIT: u32 = 64;
/// No send takes longer; then nobody can say whether it was taken.
const SEND_LIMIT: Duration = Duration::from_mins(1);
/// With every nudge lost, lanes are still looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long a lane waits where the store fails, and how often it tries to record what came of an
/// attempt.
const STORE_WAIT: Duration = Duration::from_secs(1);
const SETTLE_TRIES: u32 = 600;
/// How long a delivery waits whose channel is not configured.
const NO_CHANNEL: Duration = Duration::from_mins(1);

/// The way out of one host. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Deliver {
    base: Base,
    registry: Registry,
    nudge: Arc<Notify>,
    /// Something ended that was not sent.
    ends: Arc<Notify>,
    busy: Arc<Mutex<HashSet<Address>>>,
    /// Counts who came, so that somebody who comes while a delivery is being parked is noticed.
    arrivals: Arc<AtomicU64>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// One attempt that failed.
struct Tried {
    attempt: AttemptId,
    /// The how-manieth failure of its part it is.
    failed: u32,
    /// Who had come before it was made.
    arrivals: u64,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Deliver {
    /// The way out over the instances in `registry`.
    pub fn new(
        base: Base,
        registry: Registry,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> Self {
        let (nudge, ends) = (Arc::default(), Arc::default());
        let (busy, arrivals) = (Arc::default(), Arc::default());
        Self {
            base,
            registry,
            nudge,
            ends,
            busy,
            arrivals,
            tasks,
            shutdown,
        }
    }

    /// There may be something to send.
    pub fn nudge(&self) {
        self.nudge.notify_one();
    }

    /// Tells when a delivery has ended dead or unknown; like every nudge it may be lost.
    pub fn ends(&self) -> Arc<Notify> {
        Arc::clone(&self.ends)
    }

    /// Somebody is there again at `address`.
    pub async fn unpark(&self, address: &Address) {
        self.arrivals.fetch_add(1, Ordering::SeqCst);
        match self
            .base
            .store
            .unpark(&address.channel, &address.chat, self.base.now())
            .await
        {
            Ok(_) => self.nudge(),
            Err(failure) => error!(error = %report(&failure), "can't unpark a conversation"),
        }
    }

    /// Puts a text of the host's own on its way.
    pub async fn say(&self, delivery: NewDelivery, about: Option<anchorhold_core::ids::SessionId>) {
        match self
            .base
            .store
            .new_delivery(about, &delivery, self.base.now())
            .await
        {
            Ok(_) => self.nudge(),
            Err(failure) => error!(error = %report(&failure), "can't store a notice"),
        }
    }

    /// Settles what the death of an earlier host cut off; once, before [`Deliver::run`].
    pub async fn settle_interrupted(&self) -> Result<(), StoreError> {
        for attempt in self.base.store.interrupted_attempts(u32::MAX).await? {
            let delivery = self.base.store.delivery(attempt.delivery).await?;
            let instance = delivery.and_then(|d| self.registry.get(&d.address.channel));
            let caps = instance.as_ref().map(|instance| instance.adapter.caps());
            let settled = after_interruption(caps, self.base.now());
            warn!(outbound = %attempt.delivery, ?settled, "attempt was cut off");
            if let Settled::Unknown { why, .. } = &settled {
                error!(outbound = %attempt.delivery, error = %why, "delivery given up");
            }
            self.base
                .store
                .settle_attempt(attempt.attempt, &settled, self.base.now())
                .await?;
        }
        Ok(())
    }

    /// Takes up due lanes until shutdown; what is being sent then is brought to its end.
    pub async fn run(self) {
        loop {
            let wait = match self.take_up().await {
                Ok(wait) => wait,
                Err(failure) => {
                    error!(error = %report(&failure), "can't look for deliveries");
                    LOOK_EVERY
                }
            };
            tokio::select! {
                () = self.nudge.notified() => {}
                () = tokio::time::sleep(wait) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Starts every lane that is due and not taken up yet; tells for how long there is nothing new.
    async fn take_up(&self) -> Result<Duration, StoreError> {
        let now = self.base.now();
        for lane in self.base.store.due_lanes(now, LANES_LIMIT).await? {
            if self.busy().insert(lane.clone()) {
                self.tasks.spawn(self.clone().lane(lane));
            }
        }
        let next = self.base.store.next_delivery_at(now).await?;
        let wait = next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        Ok(wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY))
    }

    /// Sends the oldest delivery of one lane, if it is due.
    async fn lane(self, lane: Address) {
        if !self.shutdown.is_cancelled()
            && let Err(failure) = self.lane_step(&lane).await
        {
            error!(channel = %lane.channel, chat = %lane.chat,
                error = %report(&*failure), "lane stopped");
            // What failed would fail again at once.
            tokio::select! {
                () = tokio::time::sleep(STORE_WAIT) => {}
                () = self.shutdown.cancelled() => {}
            }
        }
        self.busy().remove(&lane);
        // Whether it goes on is seen where every lane is, so that it heeds what others met.
        self.nudge();
    }

    /// Tries the oldest delivery of a lane once.
    async fn lane_step(&self, lane: &Address) -> Result<(), Failure> {
        let Some(delivery) = self.base.store.oldest_delivery(lane).await? else {
            return Ok(());
        };
        if delivery.parked || delivery.next_at > self.base.now() {
            return Ok(());
        }
        let span = info_span!(
            "deliver",
            session = delivery.session.map(tracing::field::display),
            outbound = %delivery.id,
            attempt = delivery.tries + 1,
        );
        async {
            let Some(instance) = self.registry.get(&lane.channel) else {
                let next_at = later(self.base.now(), NO_CHANNEL);
                let why = "its channel is not configured".to_owned();
                let later = Unattempted::Later { next_at, why };
                self.base
                    .store
                    .settle_unattempted(delivery.id, &later, self.base.now())
                    .await?;
                return Ok(());
            };
            match self.prepare(&delivery, &instance).await? {
                Ok(operations) => self.send(&delivery, &instance, operations).await,
                Err(why) => self.give_up(&delivery, why).await,
            }
        }
        .instrument(span)
        .await
    }

    /// Sends what is left, part by part.
    async fn send(
        &self,
        delivery: &Delivery,
        instance: &Instance,
        operations: Vec<OutboundOp>,
    ) -> Result<(), Failure> {
        let store = &self.base.store;
        let left = operations.len();
        // A second send that the platform takes for the first needs no record that outlives power.
        let durability = if instance.adapter.caps().dedupes_by_key.is_yes() {
            Durability::Process
        } else {
            Durability::Power
        };
        let arrivals = self.arrivals.load(Ordering::SeqCst);
        let mut failed = delivery.tries;
        for (index, (operation, part)) in operations.iter().zip(delivery.parts_sent..).enumerate() {
            let attempt = store
                .begin_attempt(delivery.id, part, durability, self.base.now())
                .await?;
            let key = PartKey {
                outbound: delivery.id,
                part,
            };
            let tried = timeout(
                SEND_LIMIT,
                instance.adapter.send(&delivery.address, operation, key),
            )
            .await;
            let tried = tried.unwrap_or_else(|elapsed| {
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
                    self.settle(attempt, &settled).await?;
                    info!(part, last, "sent");
                    failed = 0;
                }
                Err(failure) => {
                    let tried = Tried {
                        attempt,
                        failed: failed + 1,
                        arrivals,
                    };
                    return self
                        .settle_failure(delivery, instance, tried, &failure)
                        .await;
                }
            }
        }
        Ok(())
    }

    /// Records what came of an attempt. What is known is not given up over a store that fails for a
    /// while: the lane would stand still until the next host decides.
    async fn settle(&self, attempt: AttemptId, settled: &Settled) -> Result<(), Failure> {
        for _ in 1..SETTLE_TRIES {
            let now = self.base.now();
            let done = self.base.store.settle_attempt(attempt, settled, now);
            match done.await {
                Ok(_) => return Ok(()),
                Err(failure) => error!(error = %report(&failure), "attempt not settled yet"),
            }
            tokio::select! {
                () = tokio::time::sleep(STORE_WAIT) => {}
                () = self.shutdown.cancelled() => break,
            }
        }
        let now = self.base.now();
        self.base
            .store
            .settle_attempt(attempt, settled, now)
            .await?;
        Ok(())
    }

    async fn settle_failure(
        &self,
        delivery: &Delivery,
        instance: &Instance,
        Tried {
            attempt,
            failed,
            arrivals,
        }: Tried,
        failure: &ChannelError,
    ) -> Result<(), Failure> {
        let (now, jitter) = (self.base.now(), self.base.jitter());
        let outcome = after_failure(failure, instance.adapter.caps(), failed, now, jitter);
        if let Some(until) = outcome.park_instance {
            let channel = &delivery.address.channel;
            let parked = self.base.store.park_channel_until(channel, until).await;
            if let Err(failure) = parked {
                // It runs into its limit again, that is all.
                error!(%channel, error = %report(&failure), "instance not parked");
            }
        }
        self.settle(attempt, &outcome.settled).await?;
        match &outcome.settled {
            Settled::Dead { why, .. } | Settled::Unknown { why, .. } => {
                error!(error = %why, settled = ?outcome.settled, "delivery given up");
                self.ends.notify_one();
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
        Ok(())
    }

    /// Ends a delivery that can't be sent at all, and tells the person.
    async fn give_up(&self, delivery: &Delivery, why: String) -> Result<(), Failure> {
        error!(error = %why, "delivery can't be sent");
        let outgoing = Outgoing::notice(notice::rejected(&why));
        let told = NewDelivery {
            id: delivery.id.notice(),
            address: delivery.address.clone(),
            in_reply_to: delivery.in_reply_to,
            kind: outgoing.kind().to_owned(),
            payload: outgoing.encode()?,
        };
        // First the word, which is one however often it is said, then the end: a host that dies in
        // between says it again and nothing is given up in silence.
        let (store, now) = (&self.base.store, self.base.now());
        store.new_delivery(delivery.session, &told, now).await?;
        store
            .settle_unattempted(delivery.id, &Unattempted::Dead { why }, now)
            .await?;
        self.ends.notify_one();
        Ok(())
    }

    /// Is no lane taken up?
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.busy().is_empty()
    }

    fn busy(&self) -> MutexGuard<'_, HashSet<Address>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
