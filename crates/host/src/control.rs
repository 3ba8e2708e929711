//! The socket where a running host answers its operator: one JSON line in, one out.

use std::{fs, io, os::unix::fs::PermissionsExt, sync::Arc};

use anchorhold_channel::Connection;
use anchorhold_core::clock::Clock;
use anchorhold_runner::lifecycle::Lifecycle;
use anchorhold_store::status::Counts;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{registry::Registry, report::report, sandboxes::Sandboxes};

/// The longest request.
const REQUEST_LIMIT_BYTES: u64 = 4096;

/// What an operator can ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// How the host fares.
    Status,
}

/// How a host fares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Its data directory.
    pub data_dir: Utf8PathBuf,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// What runs sandboxes.
    pub runtimes: Vec<RuntimeStatus>,
    /// What connects it to people.
    pub channels: Vec<ChannelStatus>,
    /// The sandboxes that run.
    pub sandboxes: Vec<SandboxStatus>,
    /// Sessions that wait for a place.
    pub waiting: usize,
    /// How much there is to do.
    pub work: Work,
}

/// How one runtime fares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuntimeStatus {
    /// Which.
    pub kind: String,
    /// Does it answer?
    pub up: bool,
    /// Why not.
    pub detail: Option<String>,
}

/// How one channel instance fares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// The state of its connection.
    pub connection: String,
    /// The last proof that the way in works.
    pub last_inbound: Option<Timestamp>,
    /// The last message that its platform took.
    pub last_outbound: Option<Timestamp>,
}

/// One sandbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SandboxStatus {
    /// Whose.
    pub session: String,
    /// Which of the session's.
    pub generation: u32,
    /// What runs it.
    pub runtime: String,
    /// Was it running before this host?
    pub adopted: bool,
    /// Was it told to stop?
    pub stopping: bool,
}

/// How much there is to do, and what has failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Sessions that are not closed.
    pub sessions: u64,
    /// Sessions whose files have a fault.
    pub sessions_faulted: u64,
    /// Messages that wait for an answer.
    pub messages_pending: u64,
    /// Messages that were given up.
    pub messages_failed: u64,
    /// Deliveries on their way.
    pub deliveries_pending: u64,
    /// Of those, the ones that wait for their reader.
    pub deliveries_parked: u64,
    /// Deliveries that were given up.
    pub deliveries_dead: u64,
    /// Deliveries of which nobody knows whether they arrived.
    pub deliveries_unknown: u64,
    /// Since when the oldest message waits.
    pub oldest_message_at: Option<Timestamp>,
}

impl From<Counts> for Work {
    fn from(counts: Counts) -> Self {
        Self {
            sessions: counts.sessions_open,
            sessions_faulted: counts.sessions_faulted,
            messages_pending: counts.messages_pending,
            messages_failed: counts.messages_failed,
            deliveries_pending: counts.deliveries_pending,
            deliveries_parked: counts.deliveries_parked,
            deliveries_dead: counts.deliveries_dead,
            deliveries_unknown: counts.deliveries_unknown,
            oldest_message_at: counts.oldest_message_at,
        }
    }
}

/// What the answers are made from.
pub struct Control {
    /// For the time.
    pub clock: Arc<dyn Clock>,
    /// The data directory.
    pub data_dir: Utf8PathBuf,
    /// When the host started.
    pub started_at: Timestamp,
    /// The channels.
    pub registry: Registry,
    /// The sandboxes.
    pub lifecycle: Lifecycle,
    /// The runtimes.
    pub sandboxes: Arc<Sandboxes>,
    /// The figures.
    pub store: anchorhold_store::Store,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Binds the socket. The data directory is private and the lock is held, so what is there is dead.
pub fn bind(path: &Utf8Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => {}
        Err(failure) => return Err(failure),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Asks the host on a data directory; `None` if none answers there.
pub async fn ask(path: &Utf8Path, request: Request) -> Option<Status> {
    let mut stream = UnixStream::connect(path).await.ok()?;
    let mut line = serde_json::to_vec(&request).ok()?;
    line.push(b'\n');
    stream.write_all(&line).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

impl Control {
    /// Answers until shutdown.
    pub async fn serve(
        self,
        listener: UnixListener,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) {
        let control = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (control, shutdown) = (Arc::clone(&control), shutdown.clone());
                    tasks.spawn(async move {
                        tokio::select! {
                            answered = control.answer(stream) => {
                                if let Err(failure) = answered {
                                    warn!(error = %report(&failure), "operator not answered");
                                }
                            }
                            () = shutdown.cancelled() => {}
                        }
                    });
                }
                Err(failure) => {
                    warn!(error = %report(&failure), "control socket can't accept");
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn answer(&self, stream: UnixStream) -> io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut line = String::new();
        BufReader::new(reader.take(REQUEST_LIMIT_BYTES))
            .read_line(&mut line)
            .await?;
        let Request::Status = serde_json::from_str(&line)?;
        let mut answer = serde_json::to_vec(&self.status().await)?;
        answer.push(b'\n');
        writer.write_all(&answer).await?;
        writer.shutdown().await
    }

    async fn status(&self) -> Status {
        let work = match self.store.counts().await {
            Ok(counts) => counts.into(),
            Err(failure) => {
                warn!(error = %report(&failure), "can't count");
                Work::default()
            }
        };
        let mut runtimes: Vec<_> = self.sandboxes.runtimes();
        runtimes.sort();
        Status {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data_dir: self.data_dir.clone(),
            started_at: self.started_at,
            runtimes: runtimes
                .into_iter()
                .map(|(kind, up, detail)| RuntimeStatus {
                    kind: kind.to_string(),
                    up,
                    detail,
                })
                .collect(),
            channels: self.channels(),
            sandboxes: self
                .lifecycle
                .running()
                .into_iter()
                .map(|sandbox| SandboxStatus {
                    session: sandbox.session.to_string(),
                    generation: sandbox.generation.0,
                    runtime: sandbox.runtime.to_string(),
                    adopted: sandbox.adopted,
                    stopping: sandbox.stopping,
                })
                .collect(),
            waiting: self.lifecycle.waiting(),
            work,
        }
    }

    fn channels(&self) -> Vec<ChannelStatus> {
        let describe = |connection: Connection| match connection {
            Connection::Starting => "starting".to_owned(),
            Connection::Connected => "connected".to_owned(),
            Connection::Reconnecting { since, why } => format!("reconnecting since {since}: {why}"),
            Connection::Dead { why } => format!("dead: {why}"),
        };
        let all = self.registry.all().into_iter();
        all.map(|(name, instance)| {
            let health = instance.health.get();
            ChannelStatus {
                name: name.to_string(),
                connection: describe(health.connection),
                last_inbound: health.last_inbound,
                last_outbound: health.last_outbound,
            }
        })
        .collect()
    }
}

#[cfg(test)]
mod tests;
