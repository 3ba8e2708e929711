//! Which runtimes this host works with.

use std::{fs, sync::Arc, time::Duration};

use anchorhold_core::entity::RuntimeChoice;
use anchorhold_runner::{
    docker::DockerRuntime,
    runtime::{Runtime, RuntimeKind},
    sandbox::SandboxRuntime,
};
use camino::{Utf8Path, Utf8PathBuf};
use tokio::time::timeout;
use tracing::{info, warn};

use crate::{config::Config, dirs::Dirs, report::report};

/// How long a runtime may take to say that it is there.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// There is nothing that could wall an agent in. There is no unwalled mode.
#[derive(Debug, thiserror::Error)]
#[error(
    "nothing here can wall an agent in: no container engine answers at {engine}, and the sandbox \
     runtime does not work ({why}); install bubblewrap (apt-get install bubblewrap), or start an \
     engine, or name its address in [host] docker"
)]
pub struct NoRuntime {
    engine: String,
    why: String,
}

/// The runtimes, and which one agents get that leave the choice to the host.
pub(crate) struct Runtimes {
    /// What the lifecycle works with.
    pub(crate) all: Vec<Arc<dyn Runtime>>,
    /// What `auto` means.
    pub(crate) default: RuntimeKind,
}

/// Both runtimes as they would be used here, whether they work or not; for `doctor`.
pub fn candidates(engine: &str, dirs: &Dirs) -> Vec<Arc<dyn Runtime>> {
    let mut all: Vec<Arc<dyn Runtime>> = Vec::new();
    match DockerRuntime::new(engine) {
        Ok(docker) => all.push(Arc::new(docker)),
        Err(failure) => warn!(error = %report(&failure), "engine's address can't be used"),
    }
    all.push(Arc::new(SandboxRuntime::new(dirs.sandboxes())));
    all
}

/// Did this installation's agents live in containers when a host last ran? Then they may still do.
pub fn docker_was_used(dirs: &Dirs) -> bool {
    fs::read_to_string(marker(dirs)).is_ok_and(|text| text.trim() == "docker")
}

fn marker(dirs: &Dirs) -> Utf8PathBuf {
    dirs.root().join("runtime")
}

/// Finds out what works, and decides what `auto` means.
///
/// An engine that has run this host's sandboxes and does not answer now is waited for: its
/// sandboxes may still be running, and no session may have two.
pub(super) async fn choose(
    config: &Config,
    engine: &str,
    dirs: &Dirs,
) -> Result<Runtimes, NoRuntime> {
    let docker_used = docker_was_used(dirs);
    let named = |kind: RuntimeChoice| {
        config.host.runtime == kind || config.agents.iter().any(|agent| agent.runtime == kind)
    };
    let mut all = Vec::new();
    let mut docker_answers = false;
    let mut sandbox_works = false;
    let mut why = "it was not found".to_owned();
    for runtime in candidates(engine, dirs) {
        let pinged = timeout(PING_LIMIT, runtime.ping()).await;
        let (works, reason) = match pinged {
            Ok(Ok(info)) => {
                info!(runtime = %info.kind, version = %info.version, "runtime found");
                (true, String::new())
            }
            Ok(Err(failure)) => (false, report(&failure).to_string()),
            Err(_elapsed) => (false, "it does not answer".to_owned()),
        };
        match runtime.kind() {
            RuntimeKind::Docker => {
                docker_answers = works;
                if works || docker_used || named(RuntimeChoice::Docker) {
                    all.push(runtime);
                }
            }
            RuntimeKind::Sandbox => {
                sandbox_works = works;
                if works {
                    all.push(runtime);
                } else {
                    why = reason;
                }
            }
        }
    }
    let default = match config.host.runtime {
        RuntimeChoice::Docker => RuntimeKind::Docker,
        RuntimeChoice::Sandbox => RuntimeKind::Sandbox,
        RuntimeChoice::Auto if docker_answers || docker_used => RuntimeKind::Docker,
        RuntimeChoice::Auto => RuntimeKind::Sandbox,
    };
    let usable = match default {
        RuntimeKind::Docker => true,
        RuntimeKind::Sandbox => sandbox_works,
    };
    if !usable {
        return Err(NoRuntime {
            engine: engine.to_owned(),
            why,
        });
    }
    remember(&marker(dirs), default);
    info!(runtime = %default, "agents that name no runtime get this one");
    Ok(Runtimes { all, default })
}

fn remember(marker: &Utf8Path, default: RuntimeKind) {
    if let Err(failure) = fs::write(marker, default.to_string()) {
        warn!(error = %report(&failure), "can't remember the runtime");
    }
}

#[cfg(test)]
mod tests;
