//! The socket where a running host answers its operator: one JSON line in, one out.

mod client;

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    sync::Arc,
    time::Duration,
};

use anchorhold_admin::request as admin;
use anchorhold_core::clock::Clock;
use anchorhold_runner::lifecycle::Lifecycle;
use anchorhold_store::status::Counts;
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{
    admin::{Admin, Caller},
    live::Live,
    liveness,
    registry::Registry,
    report::report,
    sandboxes::Sandboxes,
};

pub use crate::control::client::{AskError, ask, call};

/// The longest request.
const REQUEST_LIMIT_BYTES: u64 = 256 * 1024;
/// So many are answered at a time; others wait until one is done.
const CONNECTIONS_LIMIT: usize = 32;
/// How long a request may take to come, and an answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an operator can ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the host fares.
    Status,
    /// Something of the catalog of administration.
    Admin {
        /// What.
        request: admin::Request,
    },
}

/// What is answered instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// Why.
    error: String,
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
    /// How host and sandboxes learn of each other's writing.
    pub doorbell: String,
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
    /// How often its connection came back.
    pub reconnects: u64,
    /// How often the host has started it anew.
    pub restarts: u64,
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
    /// What is seen of them.
    pub live: Live,
    /// The figures.
    pub store: anchorhold_store::Store,
    /// What carries requests of administration out.
    pub admin: Admin,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Binds the socket. The data directory is private and the lock is held, so what is there is dead.
///
/// It is made in a folder of its own and put in its place when it is private: at no time can
/// somebody else connect, however open the data directory has become.
pub fn bind(path: &Utf8Path) -> io::Result<UnixListener> {
    let parent = path.parent().unwrap_or_else(|| Utf8Path::new("."));
    // Short, since the length of a socket's path is limited.
    let nursery = parent.join(".control");
    let fresh = nursery.join("s");
    forget(fs::remove_file(&fresh))?;
    forget(fs::remove_dir(&nursery))?;
    fs::DirBuilder::new().mode(0o700).create(&nursery)?;
    let listener = UnixListener::bind(&fresh)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
    fs::rename(&fresh, path)?;
    fs::remove_dir(&nursery)?;
    Ok(listener)
}

fn forget(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => Err(failure),
        Ok(()) | Err(_) => Ok(()),
    }
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
        let seats = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
        loop {
            let accepted = tokio::select! {
                accepted = next(&listener, &seats) => accepted,
                () = shutdown.cancelled() => return,
            };
            match accepted {
                Ok((stream, seat)) => {
                    let (control, shutdown) = (Arc::clone(&control), shutdown.clone());
                    tasks.spawn(async move {
                        let _seat = seat;
                        tokio::select! {
                            answered = control.attend(stream) => {
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
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn attend(&self, stream: UnixStream) -> io::Result<()> {
        let peer = stream.peer_cred()?.uid();
        let (reader, mut writer) = stream.into_split();
        let answer = if may_ask(peer, geteuid().as_raw()) {
            match timeout(PATIENCE, line(reader)).await {
                Ok(Ok(line)) => self.answer(&line).await,
                Ok(Err(failure)) if failure.kind() == io::ErrorKind::InvalidData => {
                    fault(&failure.to_string())
                }
                Ok(Err(failure)) => return Err(failure),
                Err(_elapsed) => fault("no request came in time"),
            }
        } else {
            warn!(uid = peer, "control socket refused to somebody else");
            fault("only the user who runs the host may ask it")
        };
        let told = async {
            writer.write_all(answer.as_bytes()).await?;
            writer.write_all(b"\n").await?;
            writer.shutdown().await
        };
        match timeout(PATIENCE, told).await {
            Ok(told) => told,
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// The answer to one line, as one line without its end.
    async fn answer(&self, line: &str) -> String {
        let answer = match serde_json::from_str::<Request>(line) {
            Ok(Request::Status) => serde_json::to_string(&self.status().await),
            Ok(Request::Admin { request }) => {
                let reply = Box::pin(self.admin.perform(Caller::Operator, &request)).await;
                serde_json::to_string(&reply)
            }
            // What came is not repeated: it can be anything.
            Err(_not_one) => return fault("that is not a request this host knows"),
        };
        answer.unwrap_or_else(|_never| fault("the answer can't be written"))
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
            doorbell: self.live.doorbell().to_owned(),
            work,
        }
    }

    fn channels(&self) -> Vec<ChannelStatus> {
        let all = self.registry.all().into_iter();
        all.map(|(name, instance)| {
            let health = instance.health.get();
            ChannelStatus {
                name: name.to_string(),
                connection: liveness::sentence(&health),
                last_inbound: health.last_inbound,
                last_outbound: health.last_outbound,
                reconnects: health.reconnects,
                restarts: health.restarts,
            }
        })
        .collect()
    }
}

/// The next connection, once there is a seat for it.
async fn next(
    listener: &UnixListener,
    seats: &Arc<Semaphore>,
) -> io::Result<(UnixStream, OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats).acquire_owned().await;
    let seat = seat.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, seat))
}

/// Only the host's own user and root, who could do everything anyway.
fn may_ask(peer: u32, own: u32) -> bool {
    peer == own || peer == 0
}

/// One line of at most [`REQUEST_LIMIT_BYTES`].
async fn line(reader: impl AsyncRead + Unpin) -> io::Result<String> {
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(REQUEST_LIMIT_BYTES + 1));
    reader.read_line(&mut line).await?;
    if u64::try_from(line.len()).is_ok_and(|len| len > REQUEST_LIMIT_BYTES) {
        let what = format!("a request has at most {REQUEST_LIMIT_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(line)
}

fn fault(why: &str) -> String {
    let fault = Fault {
        error: why.to_owned(),
    };
    // silent: a text always serializes
    serde_json::to_string(&fault).unwrap_or_default()
}

#[cfg(test)]
mod tests;
