//! The whole object graph in one function, from the data directory up; then running, then stopping.

pub(crate) mod graph;
pub(crate) mod reload;
mod runner_binary;
pub(crate) mod runtimes;

use std::sync::Arc;

use anchorhold_channel::SecretSource;
use anchorhold_core::clock::{Clock, Entropy};
use camino::Utf8PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::{
    app::graph::{Graph, Outside},
    config::Config,
    dirs::Dirs,
    lock::{HostLock, LockError},
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

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
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
