//! Keeps a channel's adapter running: what stops is started again, with a growing wait, and said.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelContext, ChannelError, Cursor, CursorError, CursorStore, Disposition, Inbox, Intake,
};
use anchorhold_core::{
    ids::ChannelName,
    retry::{Backoff, Next},
};
use anchorhold_store::Store;
use async_trait::async_trait;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;
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

/// Runs one instance until its shutdown token fires. The adapter runs as a task of its own among
/// `tasks`, so that one that panics is one that failed.
pub async fn supervise(
    base: Base,
    name: ChannelName,
    instance: Instance,
    intake: Arc<dyn Intake>,
    tasks: TaskTracker,
) {
    let cursors: Arc<dyn CursorStore> = Arc::new(Cursors {
        store: base.store.clone(),
    });
    let mut failures = 0_u32;
    loop {
        let cx = ChannelContext {
            inbox: Inbox::new(name.clone(), Arc::clone(&intake)),
            cursor: Cursor::new(name.clone(), Arc::clone(&cursors)),
            health: instance.reporter.clone(),
            shutdown: instance.shutdown.clone(),
        };
        let began = base.mono();
        let adapter = Arc::clone(&instance.adapter);
        let ended = tasks.spawn(async move { adapter.run(cx).await }).await;
        let ended = ended.unwrap_or_else(|panicked| {
            Err(ChannelError::Transient {
                doing: "running the adapter",
                source: Box::new(panicked),
            })
        });
        if instance.shutdown.is_cancelled() {
            info!(channel = %name, "channel stopped");
            return;
        }
        if base.mono().saturating_duration_since(began) > STEADY {
            failures = 0;
        }
        failures += 1;
        let wait = wait_after(&name, &instance, ended, failures, base.jitter());
        tokio::select! {
            () = sleep(wait) => {}
            () = instance.shutdown.cancelled() => return,
        }
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
        Disposition::RetryAfter(wait) => {
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
}

/// The one cursor that each instance has.
const STREAM: &str = "stream";

#[async_trait]
impl CursorStore for Cursors {
    async fn get(&self, channel: &ChannelName) -> Result<Option<String>, CursorError> {
        self.store
            .cursor(channel, STREAM)
            .await
            .map_err(|source| CursorError::Store {
                channel: channel.clone(),
                source: Box::new(source),
            })
    }

    async fn set(&self, channel: &ChannelName, value: &str) -> Result<(), CursorError> {
        self.store
            .set_cursor(channel, STREAM, value)
            .await
            .map_err(|source| CursorError::Store {
                channel: channel.clone(),
                source: Box::new(source),
            })
    }
}
