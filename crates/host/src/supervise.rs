//! Keeps a channel's adapter running: what stops is started again, with a growing wait, and said.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    Accepted, Answered, ChannelContext, ChannelError, Cursor, CursorError, CursorStore,
    Disposition, HealthReporter, Inbox, Intake, IntakeError, Observed,
};
use anchorhold_core::{
    address::Address,
    ids::ChannelName,
    inbound::{InboundAnswer, InboundEvent},
    retry::{Backoff, Next},
};
use anchorhold_store::{
    Store,
    channel_health::{Identified, stream_of},
};
use async_trait::async_trait;
use tokio::time::{sleep, timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use crate::{base::Base, registry::Instance, report::report};

const RESTART: Backoff = Backoff {
    first: Duration::from_secs(1),
    longest: Duration::from_mins(5),
    tries: u32::MAX,
};
/// A run that lasted this long makes the next failure the first one again.
const STEADY: Duration = Duration::from_mins(5);
/// How long an instance with refused credentials rests: only an operator can mend it.
const UNAUTHORIZED: Duration = Duration::from_mins(5);

/// How long a platform may take to say who the bot is.
const PROBE_LIMIT: Duration = Duration::from_secs(30);
/// How long a run may take to end when it is told to.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Runs one instance until its shutdown token fires. The adapter runs as a task of its own among
/// `tasks`, so that one that panics is one that failed.
pub async fn supervise(
    base: Base,
    name: ChannelName,
    instance: Instance,
    intake: Arc<dyn Intake>,
    tasks: TaskTracker,
) {
    restore(&base, &name, &instance).await;
    let intake: Arc<dyn Intake> = Arc::new(Proven {
        inner: intake,
        reporter: instance.reporter.clone(),
    });
    let mut failures = 0_u32;
    loop {
        let began = base.mono();
        let running = once(&base, &name, &instance, &intake, &tasks);
        let ended = tokio::select! {
            ended = running => ended,
            // A platform that does not say who the bot is must not hold the end up.
            () = cut_off(&instance.shutdown) => Ok(()),
        };
        if instance.shutdown.is_cancelled() {
            info!(channel = %name, "channel stopped");
            return;
        }
        if base.mono().saturating_duration_since(began) > STEADY {
            failures = 0;
        }
        failures += 1;
        let wait = wait_after(&name, &instance, ended, failures, base.jitter());
        info!(channel = %name, after = ?wait, "channel is started again");
        tokio::select! {
            () = sleep(wait) => {}
            () = instance.shutdown.cancelled() => return,
        }
        instance.reporter.restarted();
    }
}

/// Ends what is under way some time after it was told to end by itself.
async fn cut_off(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(END_LIMIT).await;
}

/// One run of the adapter: who the bot is, then its messages, until it ends.
async fn once(
    base: &Base,
    name: &ChannelName,
    instance: &Instance,
    intake: &Arc<dyn Intake>,
    tasks: &TaskTracker,
) -> Result<(), ChannelError> {
    let stream = identify(base, name, instance).await?;
    let cursors: Arc<dyn CursorStore> = Arc::new(Cursors {
        store: base.store.clone(),
        stream,
    });
    let cx = ChannelContext {
        inbox: Inbox::new(name.clone(), Arc::clone(intake)),
        cursor: Cursor::new(name.clone(), cursors),
        health: instance.reporter.clone(),
        shutdown: instance.shutdown.clone(),
    };
    let adapter = Arc::clone(&instance.adapter);
    let ended = tasks.spawn(async move { adapter.run(cx).await }).await;
    ended.unwrap_or_else(|panicked| {
        Err(ChannelError::Transient {
            doing: "running the adapter",
            source: Box::new(panicked),
        })
    })
}

/// Asks the platform who the bot is; the name of that account's cursor. One account's place in its
/// stream means nothing in another's, and could pass over messages that nobody has read.
async fn identify(
    base: &Base,
    name: &ChannelName,
    instance: &Instance,
) -> Result<String, ChannelError> {
    let probed = timeout(PROBE_LIMIT, instance.adapter.probe()).await;
    let identity = probed.map_err(|elapsed| ChannelError::Transient {
        doing: "asking who the bot is",
        source: Box::new(elapsed),
    })??;
    let identified = base.store.identify(name, &identity.handle).await;
    match identified.map_err(|source| ChannelError::Transient {
        doing: "noting who the bot is",
        source: Box::new(source),
    })? {
        Identified::Same | Identified::First => {}
        Identified::Changed { before } => warn!(
            channel = %name, %before, now = %identity.handle,
            "channel is another account now; it is read from that account's own place, and the place \
             of the one before is kept"
        ),
    }
    Ok(stream_of(&identity.handle))
}

/// Takes over what an earlier host had observed.
async fn restore(base: &Base, name: &ChannelName, instance: &Instance) {
    match base.store.channel_health(name).await {
        Ok(None) => {}
        Ok(Some(earlier)) => instance.reporter.restore(&Observed {
            last_inbound: earlier.inbound_at,
            last_outbound: earlier.outbound_at,
            reconnects: earlier.reconnects,
            restarts: earlier.restarts,
            last_error: earlier.last_error,
        }),
        Err(failure) => {
            warn!(channel = %name, error = %report(&failure), "can't read how the channel fared");
        }
    }
}

/// The way in, where each message that is taken proves that it works, whatever the adapter says.
struct Proven {
    inner: Arc<dyn Intake>,
    reporter: HealthReporter,
}

#[async_trait]
impl Intake for Proven {
    async fn deliver(&self, event: InboundEvent) -> Result<Accepted, IntakeError> {
        let taken = self.inner.deliver(event).await;
        if taken.is_ok() {
            self.reporter.inbound();
        }
        taken
    }

    async fn answer(&self, answer: InboundAnswer) -> Result<Answered, IntakeError> {
        let taken = self.inner.answer(answer).await;
        if taken.is_ok() {
            self.reporter.inbound();
        }
        taken
    }

    async fn present(&self, address: &Address) {
        self.inner.present(address).await;
    }
}

fn wait_after(
    name: &ChannelName,
    instance: &Instance,
    ended: Result<(), ChannelError>,
    failures: u32,
    jitter: u8,
) -> Duration {
    let backoff = match RESTART.next(failures, None, jitter) {
        Next::After(wait) => wait,
        Next::GiveUp => RESTART.longest,
    };
    let failure = match ended {
        Ok(()) => {
            warn!(channel = %name, "channel ended by itself");
            instance.reporter.reconnecting("it ended by itself");
            return backoff;
        }
        Err(failure) => failure,
    };
    let text = report(&failure).to_string();
    match failure.disposition() {
        Disposition::ParkInstance | Disposition::Dead => {
            error!(channel = %name, error = %text, "channel can't run as it is configured");
            instance.reporter.dead(&text);
            UNAUTHORIZED
        }
        Disposition::RetryAfter { wait, .. } => {
            instance.reporter.reconnecting(&text);
            wait.max(backoff)
        }
        Disposition::Backoff
        | Disposition::SettleUnknownOrResend
        | Disposition::ParkUntilPresent => {
            warn!(channel = %name, error = %text, "channel lost its connection");
            instance.reporter.reconnecting(&text);
            backoff
        }
    }
}

/// Where adapters' cursors are kept.
struct Cursors {
    store: Store,
    /// The one cursor of the account.
    stream: String,
}

#[async_trait]
impl CursorStore for Cursors {
    async fn get(&self, channel: &ChannelName) -> Result<Option<String>, CursorError> {
        self.store
            .cursor(channel, &self.stream)
            .await
            .map_err(|source| CursorError::Store {
                channel: channel.clone(),
                source: Box::new(source),
            })
    }

    async fn set(&self, channel: &ChannelName, value: &str) -> Result<(), CursorError> {
        self.store
            .set_cursor(channel, &self.stream, value)
            .await
            .map_err(|source| CursorError::Store {
                channel: channel.clone(),
                source: Box::new(source),
            })
    }
}
