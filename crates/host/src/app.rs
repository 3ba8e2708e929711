//! The whole object graph in one function, from the data directory up; then running, then stopping.

pub(crate) mod graph;
mod lifecycle;
pub(crate) mod reload;
mod runner_binary;
pub(crate) mod runtimes;
mod user;

use std::{fmt, sync::Arc, time::Duration};

use anchorhold_channel::SecretSource;
use anchorhold_core::{
    clock::{Clock, Entropy},
    ids::ChannelName,
};
use anchorhold_runner::runtime::{Runtime, RuntimeKind};
use anchorhold_store::Pace;
use camino::Utf8PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::{
    app::{
        graph::{Graph, Outside},
        runtimes::Runtimes,
    },
    config::Config,
    dirs::Dirs,
    lock::{HostLock, LockError},
    registry::Instance,
    settings::{self, SettingsError},
};

pub use crate::app::runner_binary::find as find_runner;
pub use crate::app::runtimes::{NoRuntime, candidates, docker_was_used};

/// What a host is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: Utf8PathBuf,
    /// The data directory.
    pub data_dir: Utf8PathBuf,
    /// The agent-runner's binary; `None`: beside the host's own.
    pub runner: Option<Utf8PathBuf>,
    /// What the environment says about the container engine.
    pub docker_host: Option<String>,
}

/// Where time, randomness and secrets come from.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Secrets.
    pub secrets: Arc<SecretSource>,
    /// Which start of the machine this is; `None` if that can't be told.
    pub boot: Option<String>,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// What a host is put together from by a program that brings its own channels and runtimes.
#[derive(Clone)]
pub struct Parts {
    /// The agent-runner's binary.
    pub runner: Utf8PathBuf,
    /// What runs sandboxes.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    /// What agents get that leave the choice to the host.
    pub default_runtime: RuntimeKind,
    /// The channel instances.
    pub channels: Vec<(ChannelName, Instance)>,
    /// When calls of the central database may begin; `None`: at once.
    pub pace: Option<Arc<dyn Pace>>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("channels", &self.channels)
            .finish_non_exhaustive()
    }
}

/// A host that runs as tasks of the runtime that started it.
pub struct Running {
    graph: Graph,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl Running {
    /// Stops in order: nothing new comes in, turns get `grace`, the rest is on disk.
    pub async fn stop(self, grace: Duration) {
        self.graph.stop(grace).await;
    }
}

/// Why a host can't run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration can't be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Another host has the data directory, or it can't be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The data directory can't be used.
    #[error("can't use {path}")]
    Io {
        /// What can't be used.
        path: Utf8PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The central database can't be used, or does not agree with the configuration.
    #[error(transparent)]
    Store(#[from] anchorhold_store::Error),
    /// There is nothing that could wall an agent in.
    #[error(transparent)]
    NoRuntime(#[from] NoRuntime),
    /// The agent-runner is not there.
    #[error("there is no agent-runner at {path}: build it, or name it with --runner")]
    NoRunner {
        /// Where it was looked for.
        path: Utf8PathBuf,
    },
}

/// What makes a running host do something else.
struct Signals {
    stop: Signal,
    interrupt: Signal,
    reload: Signal,
}

/// Starts a host in `dirs` from given parts: no signals, no lock, no look at the machine.
///
/// Whoever calls it sees to it that no other host has the data directory. Dropping the tasks of the
/// runtime is, for the host, the death of its process.
pub async fn start(
    world: &World,
    config: &Config,
    dirs: Dirs,
    parts: Parts,
) -> Result<Running, RunError> {
    let outside = Outside {
        runner: parts.runner,
        runtimes: Runtimes {
            all: parts.runtimes,
            default: parts.default_runtime,
        },
        channels: parts.channels,
        pace: parts.pace,
    };
    let graph = Box::pin(Graph::build(world, config, dirs, outside)).await?;
    Ok(Running { graph })
}

/// Runs a host until it is told to stop.
pub async fn run(options: Options, world: World) -> Result<(), RunError> {
    let (config, text) = settings::read(&options.config)?;
    let dirs = Dirs::open(&options.data_dir).map_err(|source| RunError::Io {
        path: options.data_dir.clone(),
        source,
    })?;
    let lock = HostLock::take(&dirs.lock())?;
    let mut signals = Signals::listen().map_err(|source| RunError::Io {
        path: "the process's signals".into(),
        source,
    })?;
    let outside = Outside::find(&options, &world, &config, &dirs).await?;
    let graph = Box::pin(Graph::build(&world, &config, dirs, outside)).await?;
    info!(data_dir = %graph.base.dirs.root(), pid = std::process::id(), "host runs");
    let grace = config.host.stop_grace;
    serve(&graph, &options, &mut signals, (config, text)).await;
    info!("host stops");
    let stopped = graph.stop(grace);
    tokio::select! {
        () = stopped => info!("host stopped"),
        () = signals.stop() => warn!("host stopped without waiting for its sandboxes"),
    }
    drop(lock);
    Ok(())
}

/// Waits for the signal to stop, and reloads the configuration when told so or when it changes.
async fn serve(
    graph: &Graph,
    options: &Options,
    signals: &mut Signals,
    (config, text): (Config, Vec<u8>),
) {
    for note in &config.notes {
        warn!("{note}");
    }
    let mut file = reload::Watched::new(options.config.clone(), text);
    loop {
        let told = tokio::select! {
            told = signals.next() => told,
            () = file.changed() => Told::Reload,
        };
        match told {
            Told::Stop => return,
            Told::Reload => reload::reload(graph, &mut file).await,
        }
    }
}

/// What a signal asks for.
enum Told {
    Stop,
    Reload,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            stop: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _told = self.stop.recv() => Told::Stop,
            _told = self.interrupt.recv() => Told::Stop,
            _told = self.reload.recv() => Told::Reload,
        }
    }

    async fn stop(&mut self) {
        while let Told::Reload = self.next().await {}
    }
}
