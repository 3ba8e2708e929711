//! Answers go out: one lane a conversation, in order; each attempt is written down before it is made.

mod lane;
mod ledger;
pub mod outcome;
pub mod outgoing;
mod prepare;

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anchorhold_core::address::Address;
use anchorhold_store::{
    Error as StoreError,
    attempts::Settled,
    deliveries::{Delivery, NewDelivery},
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use crate::{
    base::Base,
    deliver::{lane::Onward, ledger::Ledger, outcome::after_interruption, outgoing::Outgoing},
    registry::{Instance, Registry},
    report::report,
};

/// The most lanes that one look takes up,
const LANES_LIMIT: u32 = 1_000;
/// and when it is looked for more, if there were so many.
const MORE_LANES_IN: Duration = Duration::from_millis(100);
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
    /// The lanes that are taken up, and whether something was added since they looked last.
    busy: Arc<Mutex<HashMap<Address, bool>>>,
    ledger: Ledger,
    /// Counts who came, so that somebody who comes while a delivery is being parked is noticed.
    arrivals: Arc<AtomicU64>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
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
        let ledger = Ledger::new(base.clone());
        Self {
            base,
            registry,
            nudge,
            ends,
            busy,
            ledger,
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
            Ok(_) => self.start(delivery.address),
            Err(failure) => error!(error = %report(&failure), "can't store a notice"),
        }
    }

    /// Settles what the death of an earlier host cut off; once, before [`Deliver::run`].
    pub async fn settle_interrupted(&self) -> Result<(), StoreError> {
        for attempt in self.base.store.interrupted_attempts(u32::MAX).await? {
            let delivery = self.base.store.delivery(attempt.delivery).await?;
            let repeatable = delivery.is_some_and(|delivery| self.is_repeatable(&delivery));
            let settled = after_interruption(repeatable, self.base.now());
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

    /// Does the platform take a second send under the same key for the first? Then an attempt needs
    /// no record that outlives power, and what it sends does all the more: said anew it would come
    /// under another key. Yes where the channel is not configured and could be any.
    pub fn dedupes(&self, lane: &Address) -> bool {
        let instance = self.registry.get(&lane.channel);
        instance.is_none_or(|instance| instance.adapter.caps().dedupes_by_key.is_yes())
    }

    /// Is sending it twice the same as sending it once?
    fn is_repeatable(&self, delivery: &Delivery) -> bool {
        let instance = self.registry.get(&delivery.address.channel);
        let dedupes = |instance: &Instance| instance.adapter.caps().dedupes_by_key.is_yes();
        // silent: a record that can't be read says so where it is to be sent
        let outgoing = serde_json::from_str::<Outgoing>(&delivery.payload).ok();
        instance.as_ref().is_some_and(dedupes)
            || outgoing.is_some_and(|outgoing| outgoing.is_idempotent())
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
        let due = self.base.store.due_lanes(now, LANES_LIMIT).await?;
        let all = due.len() < usize::try_from(LANES_LIMIT).unwrap_or(usize::MAX);
        for lane in due {
            self.start(lane);
        }
        if !all {
            return Ok(MORE_LANES_IN);
        }
        let next = self.base.store.next_delivery_at(now).await?;
        let wait = next.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        Ok(wait.unwrap_or(LOOK_EVERY).min(LOOK_EVERY))
    }

    /// There is something in this lane: it is taken up, or goes on with it.
    pub fn start(&self, lane: Address) {
        match self.busy().entry(lane.clone()) {
            Entry::Occupied(mut busy) => {
                *busy.get_mut() = true;
                return;
            }
            Entry::Vacant(idle) => {
                idle.insert(false);
            }
        }
        self.tasks.spawn(self.clone().lane(lane));
    }

    /// Goes on with one lane for as long as it has something that is due.
    async fn lane(self, lane: Address) {
        loop {
            let onward = if self.shutdown.is_cancelled() {
                Onward::Later
            } else {
                self.lane_once(&lane).await
            };
            let again = {
                let mut busy = self.busy();
                let again = busy.get(&lane).copied().unwrap_or(false) && onward == Onward::Empty;
                if again {
                    busy.insert(lane.clone(), false);
                } else {
                    busy.remove(&lane);
                }
                again
            };
            if !again {
                if onward != Onward::Empty {
                    // When it goes on is seen where every lane is.
                    self.nudge();
                }
                return;
            }
        }
    }

    async fn lane_once(&self, lane: &Address) -> Onward {
        match self.lane_on(lane).await {
            Ok(onward) => onward,
            Err(failure) => {
                error!(channel = %lane.channel, chat = %lane.chat,
                    error = %report(&*failure), "lane stopped");
                // What failed would fail again at once.
                tokio::select! {
                    () = tokio::time::sleep(STORE_WAIT) => {}
                    () = self.shutdown.cancelled() => {}
                }
                Onward::Later
            }
        }
    }

    /// Is no lane taken up?
    #[cfg(test)]
    pub(crate) fn is_at_rest(&self) -> bool {
        self.busy().is_empty()
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<Address, bool>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
