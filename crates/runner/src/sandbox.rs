//! Sandboxes made by bubblewrap: namespaces, a read-only root, no daemon, no image.
//!
//! A sandbox is two processes of bubblewrap and what runs under them: the *monitor* outside, which
//! writes down the command's exit status, and *init*, the first process of the new process-id
//! namespace, which reaps orphans. When init ends the kernel ends everything in the namespace, and
//! only then reports init as ended: a readable process descriptor of init proves the end of all.
//!
//! bubblewrap's own reaper is kept as init (no `--as-pid-1`), because the agent-runner does not
//! reap what its tools abandon. The reaper passes no signals on, so `stop` finds the command
//! itself, the second process of the namespace, and signals that.
//!
//! Nothing ties a sandbox to the host that started it. What the next host needs is in the state
//! folder: see `record`.

use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anchorhold_core::{
    ids::InstallId,
    sandbox::{ExitStatus, Exited},
};
use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::Signal;
use tokio::sync::OnceCell;

use crate::{
    error::{Cause, RuntimeError},
    log,
    runtime::{InstanceStatus, Runtime, RuntimeInfo, RuntimeKind, exit_status},
    spec::{InstanceId, SandboxSpec},
};

mod bwrap;
mod cgroup;
mod launch;
mod probe;
mod process;
mod record;
mod seccomp;
mod stage;

use cgroup::{Cgroups, Groups};
use process::Process;
use record::{Folder, Record};

/// How long bubblewrap's monitor may take to write down how init ended.
const MONITOR_LIMIT: Duration = Duration::from_secs(5);
/// How long killed processes may take to leave their control group.
const EMPTY_LIMIT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The runtime over bubblewrap.
#[derive(Debug)]
pub struct SandboxRuntime {
    state_dir: Utf8PathBuf,
    host: OnceCell<Host>,
    /// Names that a start is working on, so that two starts of one name don't meet.
    starting: Mutex<BTreeSet<InstanceId>>,
}

/// What was found out about this machine.
#[derive(Clone, Debug)]
struct Host {
    bwrap: Utf8PathBuf,
    setpriv: Option<Utf8PathBuf>,
    version: String,
    cgroups: Cgroups,
    boot: String,
}

/// The two processes of a sandbox, as far as they live.
#[derive(Debug, Default)]
struct Living {
    monitor: Option<Process>,
    init: Option<Process>,
}

impl SandboxRuntime {
    /// Keeps its records in `state_dir`, which is made when needed and readable for the host only.
    pub fn new(state_dir: Utf8PathBuf) -> Self {
        Self {
            state_dir,
            host: OnceCell::new(),
            starting: Mutex::new(BTreeSet::new()),
        }
    }

    /// Looks at the machine once; a machine without bubblewrap is looked at again next time.
    async fn host(&self) -> Result<&Host, RuntimeError> {
        self.host
            .get_or_try_init(|| async { blocking(probe::find_host).await? })
            .await
    }

    fn folder(&self, id: &InstanceId) -> Folder {
        Folder::of(&self.state_dir, id)
    }

    fn starting(&self) -> std::sync::MutexGuard<'_, BTreeSet<InstanceId>> {
        self.starting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes away whatever came to be of a start that failed.
    async fn give_up(
        &self,
        host: &Host,
        folder: &Folder,
        id: &InstanceId,
    ) -> Result<(), RuntimeError> {
        let what = "clean up after a start";
        let failed = |error: io::Error| RuntimeError::failed(what, error);
        living(folder, id, &host.boot).map_err(failed)?.kill(id);
        let gone = until_gone(folder, id, &host.boot);
        match tokio::time::timeout(EMPTY_LIMIT, gone).await {
            Ok(gone) => gone.map_err(failed)?,
            Err(elapsed) => return Err(RuntimeError::failed(what, elapsed)),
        }
        self.finish(host, id).await.map(drop)
    }

    /// Everything that tells how `id` ended, and then nothing of it any more.
    async fn finish(&self, host: &Host, id: &InstanceId) -> Result<ExitStatus, RuntimeError> {
        let failed = |error: io::Error| RuntimeError::failed("clean up after a sandbox", error);
        let folder = self.folder(id);
        let record = folder.read().map_err(failed)?;
        let groups = match &record {
            Some(record) => Groups(record.cgroups.clone()),
            None => host.cgroups.named(id.install, &leaf(id)),
        };
        empty(&groups, id).await?;
        let status = match &record {
            Some(Record {
                ended: Some(ended), ..
            }) => *ended,
            Some(record) if record.boot == host.boot => {
                let code = folder.status().map_err(failed)?.exit_code;
                exit_status(code, groups.went_out_of_memory())
            }
            // The status file may not have reached the disk before the machine went down.
            Some(_) => exit_status(folder.status().map_err(failed)?.exit_code, false),
            None => ExitStatus::Unknown,
        };
        if let Some(record) = record {
            let log = record.log.clone();
            let ended = Some(status);
            folder.write(&Record { ended, ..record }).map_err(failed)?;
            if let Err(error) = log::keep_tail(&log) {
                tracing::warn!(sandbox = %id, path = %log, %error, "output of a sandbox was not cut");
            }
        }
        remove_groups(&groups).await?;
        // The last step, and without an await after it: a wait that is dropped before finds
        // everything still here.
        folder.remove().map_err(failed)?;
        Ok(status)
    }
}

#[async_trait]
impl Runtime for SandboxRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Sandbox
    }

    async fn ping(&self) -> Result<RuntimeInfo, RuntimeError> {
        let host = self.host().await?.clone();
        blocking(move || probe::describe(&host)).await?
    }

    async fn start(&self, spec: &SandboxSpec) -> Result<InstanceId, RuntimeError> {
        let host = self.host().await?;
        let id = spec.id();
        if !self.starting().insert(id) {
            return Err(RuntimeError::Failed {
                what: format!("{id} is being started already"),
                source: None,
            });
        }
        let _starting = Starting(self, id);
        launch::check(host, spec)?;
        let folder = self.folder(&id);
        let known = folder
            .read()
            .map_err(|error| RuntimeError::failed("read the sandbox's record", error))?;
        match known {
            Some(record) if record.monitor.is_some() => return Ok(id),
            // Left by a host that died before it let the sandbox go: nothing of it ever ran.
            Some(_) => {
                self.finish(host, &id).await?;
            }
            None => {}
        }
        match launch::launch(host, &folder, spec).await {
            Ok(()) => Ok(id),
            Err(error) => {
                self.give_up(host, &folder, &id).await?;
                Err(error)
            }
        }
    }

    async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<(), RuntimeError> {
        let failed = |error: io::Error| RuntimeError::failed("stop a sandbox", error);
        let host = self.host().await?;
        let folder = self.folder(id);
        if !folder.exists().map_err(failed)? {
            return Err(RuntimeError::Gone { id: *id });
        }
        let living = living(&folder, id, &host.boot).map_err(failed)?;
        if let (Some(init), false) = (&living.init, grace.is_zero())
            && let Some(command) = process::command_of(init.pid).map_err(failed)?
        {
            command.signal(Signal::TERM).map_err(failed)?;
            match tokio::time::timeout(grace, command.over()).await {
                // Its exit status is on its way into the file; then what it left behind goes.
                Ok(over) => {
                    over.map_err(failed)?;
                    living.monitor_wrote().await.map_err(failed)?;
                }
                Err(_elapsed) => tracing::debug!(sandbox = %id, "sandbox outlived its grace"),
            }
        }
        living.kill(id);
        Ok(())
    }

    async fn wait(&self, id: &InstanceId) -> Result<Exited, RuntimeError> {
        let failed = |error: io::Error| RuntimeError::failed("watch a sandbox", error);
        let host = self.host().await?;
        let folder = self.folder(id);
        until_gone(&folder, id, &host.boot).await.map_err(failed)?;
        let status = self.finish(host, id).await?;
        Ok(Exited::observed(id.session, id.generation, status))
    }

    async fn list(&self, install: InstallId) -> Result<Vec<InstanceStatus>, RuntimeError> {
        let boot = self.host().await?.boot.clone();
        let state_dir = self.state_dir.clone();
        blocking(move || survey(&state_dir, install, &boot))
            .await?
            .map_err(|error| RuntimeError::failed("list the sandboxes", error))
    }
}

/// Takes the name back when a start ends, however it ends.
struct Starting<'a>(&'a SandboxRuntime, InstanceId);

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.0.starting().remove(&self.1);
    }
}

impl Living {
    /// Waits, not for long, until the monitor is over: it ends once it wrote the exit status.
    async fn monitor_wrote(&self) -> io::Result<()> {
        match &self.monitor {
            Some(monitor) => tokio::time::timeout(MONITOR_LIMIT, monitor.over())
                .await
                .unwrap_or(Ok(())),
            None => Ok(()),
        }
    }

    /// Kills everything inside by killing init; the monitor only if there is no init to report.
    fn kill(&self, id: &InstanceId) {
        let target = self.init.as_ref().or(self.monitor.as_ref());
        if let Some(Err(error)) = target.map(|process| process.signal(Signal::KILL)) {
            tracing::warn!(sandbox = %id, %error, "sandbox was not killed");
        }
    }
}

/// Waits until both processes of `id` are over; the end of one is the end of the other.
async fn until_gone(folder: &Folder, id: &InstanceId, boot: &str) -> io::Result<()> {
    loop {
        let living = living(folder, id, boot)?;
        match &living {
            Living {
                monitor: None,
                init: None,
            } => return Ok(()),
            // The command ended, or somebody killed the monitor: either way it is over for
            // what is left inside.
            Living {
                monitor: None,
                init: Some(init),
            } => {
                init.signal(Signal::KILL)?;
                init.over().await?;
            }
            Living {
                monitor: Some(monitor),
                init: None,
            } => {
                if tokio::time::timeout(MONITOR_LIMIT, monitor.over())
                    .await
                    .is_err()
                {
                    monitor.signal(Signal::KILL)?;
                }
            }
            Living {
                monitor: Some(monitor),
                init: Some(init),
            } => tokio::select! {
                over = monitor.over() => over?,
                over = init.over() => over?,
            },
        }
    }
}

/// The processes of `id` that live, by its record, or by a look at all processes without one.
fn living(folder: &Folder, id: &InstanceId, boot: &str) -> io::Result<Living> {
    let alive = |process: Option<Process>| -> io::Result<Option<Process>> {
        match process {
            Some(process) if !process.is_over()? => Ok(Some(process)),
            Some(_) | None => Ok(None),
        }
    };
    let name = id.to_string();
    let record = folder.read()?;
    if let Some(record) = &record {
        if record.boot != boot {
            return Ok(Living::default());
        }
        let init = match record.init {
            Some(init) => init.open()?,
            None => match folder.status()?.init {
                Some(pid) if process::command_line_has(pid, &name) => Process::open(pid)?,
                Some(_) | None => None,
            },
        };
        let monitor = match record.monitor {
            Some(monitor) => monitor.open()?,
            None => None,
        };
        let found = Living {
            monitor: alive(monitor)?,
            init: alive(init)?,
        };
        if found.monitor.is_some() || found.init.is_some() {
            return Ok(found);
        }
    }
    // Nothing by the record, or no record: what carries the name is a part of it all the same.
    let mut found = Living::default();
    for process in process::marked(&name) {
        let slot = if process::is_namespace_init(process.pid) {
            &mut found.init
        } else {
            &mut found.monitor
        };
        *slot = alive(process.open()?)?;
    }
    Ok(found)
}

/// The instances of `install` in `state_dir`; empties logs that grew too large on the way.
fn survey(state_dir: &Utf8Path, install: InstallId, boot: &str) -> io::Result<Vec<InstanceStatus>> {
    let entries = match state_dir.read_dir_utf8() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let Some(id) = InstanceId::parse(entry?.file_name()).filter(|id| id.install == install)
        else {
            continue;
        };
        let folder = Folder::of(state_dir, &id);
        let living = living(&folder, &id, boot)?;
        let running = living.monitor.is_some() || living.init.is_some();
        if let (true, Some(record)) = (running, folder.read()?)
            && let Err(error) = log::empty_if_large(&record.log)
        {
            tracing::warn!(sandbox = %id, path = %record.log, %error, "log of a sandbox is not bounded");
        }
        found.push(InstanceStatus::new(id, running));
    }
    Ok(found)
}

/// Kills what is left in `groups` and waits until they are empty.
async fn empty(groups: &Groups, id: &InstanceId) -> Result<(), RuntimeError> {
    let attempt = async {
        while !groups.processes().is_empty() {
            groups.kill()?;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok::<(), io::Error>(())
    };
    let what = format!("processes of {id} do not end");
    match tokio::time::timeout(EMPTY_LIMIT, attempt).await {
        Ok(emptied) => emptied.map_err(|error| RuntimeError::failed(what, error)),
        Err(elapsed) => Err(RuntimeError::failed(what, elapsed)),
    }
}

async fn remove_groups(groups: &Groups) -> Result<(), RuntimeError> {
    let attempt = async {
        while !groups.remove()? {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok::<(), io::Error>(())
    };
    let what = "remove a control group";
    match tokio::time::timeout(EMPTY_LIMIT, attempt).await {
        Ok(removed) => removed.map_err(|error| RuntimeError::failed(what, error)),
        Err(elapsed) => Err(RuntimeError::failed(what, elapsed)),
    }
}

/// The name of a sandbox's control group below its install's.
fn leaf(id: &InstanceId) -> String {
    format!("{}-{}", id.session, id.generation)
}

/// Runs short file work where it holds up no other task. The one place that does so.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, RuntimeError> {
    #[expect(clippy::disallowed_methods, reason = "this is the crate's one helper")]
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| RuntimeError::failed("run file work", Cause::from(error)))
}
