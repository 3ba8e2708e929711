//! Whether channels are alive: what was observed is written down now and then, and owners are told over
//! another channel when one stays down, and when it is back; once each, whichever host it is.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anchorhold_channel::{Connection, Health};
use anchorhold_core::{
    ids::{ChannelName, OutboundId},
    outage::{Outage, Seen, Verdict, judge},
};
use anchorhold_store::{
    Error as StoreError, channel_health::ChannelHealth, deliveries::NewDelivery,
};
use jiff::Timestamp;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::{
    base::{Base, mint},
    deliver::Deliver,
    notice,
    owners::{self, Place},
    reach::Reach,
    registry::{Instance, Registry},
    report::report,
};

/// How often it is looked. What a crash loses of the proofs is no older than this.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Watches the channels.
#[derive(Debug)]
pub struct Liveness {
    base: Base,
    registry: Registry,
    reach: Reach,
    deliver: Deliver,
    /// Instances in an outage of which no owner could be told; the log has it once.
    unheard: Mutex<HashSet<ChannelName>>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Liveness {
    /// Watches the instances in `registry`, and tells owners over `deliver`.
    pub fn new(base: Base, registry: Registry, deliver: Deliver) -> Arc<Self> {
        Arc::new(Self {
            reach: Reach::new(base.clone(), registry.clone()),
            base,
            registry,
            deliver,
            unheard: Mutex::default(),
        })
    }

    /// Looks until shutdown, and once more then.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = sleep(LOOK_EVERY) => {}
                () = shutdown.cancelled() => break,
            }
            tokio::select! {
                () = self.look() => {}
                () = shutdown.cancelled() => break,
            }
        }
        // What was observed since the last look; an outage is for the next host to judge.
        for (name, instance) in self.registry.all() {
            if let Err(failure) = self.write_down(&name, &instance).await {
                warn!(channel = %name, error = %report(&failure), "can't write down how it fares");
            }
        }
    }

    /// Looks at every instance once. What fails for one fails for it alone.
    pub(crate) async fn look(&self) {
        for (name, instance) in self.registry.all() {
            if let Err(failure) = self.examine(&name, &instance).await {
                error!(channel = %name, error = %report(&*failure), "channel can't be examined");
            }
        }
    }

    async fn write_down(&self, name: &ChannelName, instance: &Instance) -> Result<(), StoreError> {
        let store = &self.base.store;
        let known = store.channel_health(name).await?;
        let known = known.unwrap_or_else(|| ChannelHealth::unknown(name.clone()));
        let present = observed(&known, &instance.health.get());
        if present != known {
            let now = self.base.now();
            store.save_channel_health(&present, &[], now).await?;
        }
        Ok(())
    }

    async fn examine(&self, name: &ChannelName, instance: &Instance) -> Result<(), Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        let known = store.channel_health(name).await?;
        let known = known.unwrap_or_else(|| ChannelHealth::unknown(name.clone()));
        let health = instance.health.get();
        let mut present = observed(&known, &health);
        let seen = Seen {
            up: health.connection == Connection::Connected,
            since: health.since,
            proven_at: health.proven_at(),
        };
        let mut words = Vec::new();
        match judge(known.outage, seen, now) {
            Verdict::Nothing => {}
            Verdict::Begun(outage) => present.outage = Some(outage),
            Verdict::Tell => {
                let since = known.outage.map_or(now, |outage| outage.since);
                let why = present.last_error.as_ref().map(|(_, why)| why.as_str());
                let text = notice::channel_down(name, since, why);
                words = self.words(name, &text).await?;
                if words.is_empty() {
                    self.note_unheard(name);
                } else {
                    let told_at = Some(now);
                    present.outage = Some(Outage { since, told_at });
                    warn!(channel = %name, %since, people = words.len(), "owners told of a channel");
                }
            }
            Verdict::Over => {
                let was = known.outage.filter(|outage| outage.told_at.is_some());
                if let Some(outage) = was {
                    let text = notice::channel_back(name, outage.since);
                    words = self.words(name, &text).await?;
                }
                present.outage = None;
                self.unheard().remove(name);
                info!(channel = %name, "channel is back");
            }
        }
        if present != known {
            store.save_channel_health(&present, &words, now).await?;
        }
        if !words.is_empty() {
            self.deliver.nudge();
        }
        Ok(())
    }

    /// A word to each owner who can be reached over another channel than this one, if that one is up.
    async fn words(&self, name: &ChannelName, text: &str) -> Result<Vec<NewDelivery>, Failure> {
        // Nobody is reached over what is down.
        let elsewhere = |channel: &ChannelName| channel != name && self.is_up(channel);
        let place = Place::Over(&elsewhere);
        let id = |_owner| mint!(self.base, OutboundId);
        Ok(owners::words(&self.base, &self.reach, (text, &id), place).await?)
    }

    fn is_up(&self, name: &ChannelName) -> bool {
        let instance = self.registry.get(name);
        instance.is_some_and(|one| one.health.get().connection == Connection::Connected)
    }

    fn note_unheard(&self, name: &ChannelName) {
        if self.unheard().insert(name.clone()) {
            error!(channel = %name, "channel is down, and no owner can be told over another one");
        }
    }

    fn unheard(&self) -> std::sync::MutexGuard<'_, HashSet<ChannelName>> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be on record once `health` was seen.
fn observed(known: &ChannelHealth, health: &Health) -> ChannelHealth {
    ChannelHealth {
        inbound_at: known.inbound_at.max(health.last_inbound),
        outbound_at: known.outbound_at.max(health.last_outbound),
        reconnects: known.reconnects.max(health.reconnects),
        restarts: known.restarts.max(health.restarts),
        last_error: health.last_error.clone().or(known.last_error.clone()),
        ..known.clone()
    }
}

/// The state of an instance in a word: `connected` only if something has come over it since.
pub fn state(health: &Health) -> &'static str {
    match &health.connection {
        Connection::Starting => "starting",
        Connection::Connected if health.is_proven() => "connected",
        Connection::Connected => "unproven",
        Connection::Reconnecting { .. } => "reconnecting",
        Connection::Dead { .. } => "dead",
    }
}

/// The same in a sentence.
pub fn sentence(health: &Health) -> String {
    let since = moment(health.since);
    match &health.connection {
        Connection::Starting => format!("starting since {since}"),
        Connection::Connected if health.is_proven() => format!("connected since {since}"),
        Connection::Connected => format!("connected, nothing proven since {since}"),
        Connection::Reconnecting { why } => format!("reconnecting since {since}: {why}"),
        Connection::Dead { why } => format!("dead since {since}: {why}"),
    }
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
