//! A runtime of entries in memory, for tests and the simulator: it does what its script says.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_core::{
    ids::InstallId,
    sandbox::{ExitStatus, Exited},
};
use async_trait::async_trait;
use tokio::sync::watch;

use crate::{
    error::RuntimeError,
    runtime::{Enforcement, InstanceStatus, Runtime, RuntimeInfo, RuntimeKind},
    spec::{InstanceId, SandboxSpec},
};

/// The runtime. Its sandboxes run until the script ends them or [`Runtime::stop`] does.
#[derive(Debug)]
pub struct FakeRuntime {
    kind: RuntimeKind,
    state: Mutex<State>,
    /// Counts the changes of the state; a wait sleeps on it.
    changes: watch::Sender<u64>,
}

/// How every start fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FakeFailure {
    /// As if the spec or the image were wrong.
    Refused,
    /// As if this one attempt went wrong.
    Failed,
}

/// What a sandbox does on SIGTERM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnTerm {
    /// It ends at once, with status 0.
    End,
    /// It ignores it, and is killed when its grace is over.
    Ignore,
    /// The engine does not get round to it: the call hangs until the script says otherwise.
    Hang,
}

#[derive(Debug)]
struct State {
    available: bool,
    failure: Option<FakeFailure>,
    on_term: OnTerm,
    /// The instances there are; with a status, those that ended and were not waited for.
    instances: BTreeMap<InstanceId, Option<ExitStatus>>,
    specs: Vec<SandboxSpec>,
    stops: Vec<(InstanceId, Duration)>,
}

impl FakeRuntime {
    /// An engine that answers, with no sandboxes.
    pub fn new(kind: RuntimeKind) -> Self {
        Self {
            kind,
            state: Mutex::new(State {
                available: true,
                failure: None,
                on_term: OnTerm::End,
                instances: BTreeMap::new(),
                specs: Vec::new(),
                stops: Vec::new(),
            }),
            changes: watch::Sender::new(0),
        }
    }

    /// Makes the engine answer, or not. Its sandboxes live on meanwhile.
    pub fn set_available(&self, available: bool) {
        self.change(|state| state.available = available);
    }

    /// Makes every start fail, or none.
    pub fn fail_starts(&self, failure: Option<FakeFailure>) {
        self.change(|state| state.failure = failure);
    }

    /// Sets what sandboxes do on SIGTERM.
    pub fn on_term(&self, on_term: OnTerm) {
        self.change(|state| state.on_term = on_term);
    }

    /// Puts a sandbox there that nobody started through this value, as one of an earlier host.
    pub fn insert(&self, id: InstanceId) {
        self.change(|state| {
            state.instances.insert(id, None);
        });
    }

    /// Ends a sandbox. False: it does not run.
    pub fn exit(&self, id: &InstanceId, status: ExitStatus) -> bool {
        self.change(|state| state.end(id, status))
    }

    /// The specs of all starts that succeeded, in order.
    pub fn specs(&self) -> Vec<SandboxSpec> {
        self.state().specs.clone()
    }

    /// The stops that were asked for, in order, with their grace.
    pub fn stops(&self) -> Vec<(InstanceId, Duration)> {
        self.state().stops.clone()
    }

    /// The sandboxes that run, in order of their names' parts.
    pub fn running(&self) -> Vec<InstanceId> {
        let state = self.state();
        let running = state.instances.iter().filter(|(_, end)| end.is_none());
        running.map(|(id, _)| *id).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state());
        self.changes.send_modify(|count| *count += 1);
        done
    }

    fn unavailable(&self) -> RuntimeError {
        RuntimeError::Unavailable {
            kind: self.kind,
            source: "the script says so".into(),
        }
    }

    fn available(&self) -> Result<MutexGuard<'_, State>, RuntimeError> {
        let state = self.state();
        if state.available {
            return Ok(state);
        }
        Err(self.unavailable())
    }

    /// Waits until `look` finds something in the state.
    async fn until<T>(&self, look: impl Fn(&mut State) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = look(&mut self.state()) {
                return found;
            }
            // silent: the sender is a field of this very value.
            drop(changes.changed().await);
        }
    }
}

impl State {
    fn end(&mut self, id: &InstanceId, status: ExitStatus) -> bool {
        match self.instances.get_mut(id) {
            Some(end @ None) => {
                *end = Some(status);
                true
            }
            Some(Some(_)) | None => false,
        }
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn kind(&self) -> RuntimeKind {
        self.kind
    }

    async fn ping(&self) -> Result<RuntimeInfo, RuntimeError> {
        drop(self.available()?);
        Ok(RuntimeInfo {
            kind: self.kind,
            version: "fake".to_owned(),
            api: "fake".to_owned(),
            enforcement: vec![Enforcement::new("sandbox", "none")],
        })
    }

    async fn start(&self, spec: &SandboxSpec) -> Result<InstanceId, RuntimeError> {
        let id = spec.id();
        {
            let state = self.available()?;
            match state.failure {
                Some(FakeFailure::Refused) => return Err(RuntimeError::refused("by the script")),
                Some(FakeFailure::Failed) => {
                    return Err(RuntimeError::failed("start", "the script says so"));
                }
                None => {}
            }
        }
        self.change(|state| {
            if let Entry::Vacant(place) = state.instances.entry(id) {
                place.insert(None);
                state.specs.push(spec.clone());
            }
        });
        Ok(id)
    }

    async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<(), RuntimeError> {
        let on_term = self.available()?.on_term;
        let known = self.change(|state| {
            state.stops.push((*id, grace));
            state.instances.contains_key(id)
        });
        if !known {
            return Err(RuntimeError::Gone { id: *id });
        }
        let status = match on_term {
            _ if grace.is_zero() => ExitStatus::Signal(9),
            OnTerm::End => ExitStatus::Code(0),
            OnTerm::Ignore => {
                tokio::time::sleep(grace).await;
                ExitStatus::Signal(9)
            }
            OnTerm::Hang => {
                self.until(|state| (state.on_term != OnTerm::Hang).then_some(()))
                    .await;
                ExitStatus::Code(0)
            }
        };
        self.change(|state| state.end(id, status));
        Ok(())
    }

    async fn wait(&self, id: &InstanceId) -> Result<Exited, RuntimeError> {
        let ended = self
            .until(|state| {
                if !state.available {
                    return Some(None);
                }
                match state.instances.get(id).copied() {
                    Some(None) => None,
                    Some(Some(status)) => {
                        state.instances.remove(id);
                        Some(Some(status))
                    }
                    None => Some(Some(ExitStatus::Unknown)),
                }
            })
            .await;
        let status = ended.ok_or_else(|| self.unavailable())?;
        Ok(Exited::observed(id.session, id.generation, status))
    }

    async fn list(&self, install: InstallId) -> Result<Vec<InstanceStatus>, RuntimeError> {
        let state = self.available()?;
        let ours = state
            .instances
            .iter()
            .filter(|(id, _)| id.install == install);
        Ok(ours
            .map(|(id, end)| InstanceStatus::new(*id, end.is_none()))
            .collect())
    }
}
