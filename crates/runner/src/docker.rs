//! Sandboxes as containers of an engine that speaks Docker's API.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anchorhold_core::{
    ids::InstallId,
    sandbox::{ExitStatus, Exited},
};
use async_trait::async_trait;
use bollard::{
    API_DEFAULT_VERSION, Docker,
    models::{ContainerInspectResponse, ContainerState},
    query_parameters::{
        CreateContainerOptions, InspectContainerOptions, KillContainerOptions,
        ListContainersOptions, RemoveContainerOptions, StartContainerOptions, WaitContainerOptions,
    },
};
use futures_util::{StreamExt as _, future::BoxFuture};

use crate::{
    error::{RuntimeError, chain},
    runtime::{InstanceStatus, Runtime, RuntimeInfo, RuntimeKind},
    spec::{InstanceId, SandboxSpec},
};

mod container;
mod engine_error;
mod info;
mod output;

use engine_error::{classify, status_code};

/// How long one request may take before the engine counts as not answering.
const REQUEST_LIMIT_SECS: u64 = 60;
/// How long to wait between two looks at a container that the engine's own wait said nothing about.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// The runtime over a container engine.
///
/// Made without contacting the engine: one that is down now may be up later.
#[derive(Debug)]
pub struct DockerRuntime {
    address: Address,
    /// The connection whose API version was agreed on; dropped when the engine stops answering,
    /// because it may come back as another version.
    client: Mutex<Option<Docker>>,
    /// How containers ended that are being removed, so that a wait which is dropped between the
    /// removal and its answer takes nothing with it.
    ended: Mutex<BTreeMap<InstanceId, ExitStatus>>,
}

/// The container as it was found once it did not run; `None` if there is none.
type Over = Result<Option<(ContainerInspectResponse, ContainerState)>, RuntimeError>;

#[derive(Debug)]
enum Address {
    Unix(String),
    Http(String),
}

impl DockerRuntime {
    /// The engine at `address`: `unix:///path/to/socket`, a plain absolute path, `http://host:port`
    /// or `tcp://host:port`.
    pub fn new(address: &str) -> Result<Self, RuntimeError> {
        let address = match address.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Address::Unix(path.to_owned()),
            Some(("http" | "tcp", _)) => Address::Http(address.to_owned()),
            None if address.starts_with('/') => Address::Unix(address.to_owned()),
            _ => {
                return Err(RuntimeError::refused(format!(
                    "{address:?} is not an engine's address: use unix:///path or http://host:port"
                )));
            }
        };
        Ok(Self {
            address,
            client: Mutex::new(None),
            ended: Mutex::new(BTreeMap::new()),
        })
    }

    async fn client(&self) -> Result<Docker, RuntimeError> {
        if let Some(client) = self.cached().clone() {
            return Ok(client);
        }
        let connected = match &self.address {
            Address::Unix(path) => {
                Docker::connect_with_unix(path, REQUEST_LIMIT_SECS, API_DEFAULT_VERSION)
            }
            Address::Http(url) => {
                Docker::connect_with_http(url, REQUEST_LIMIT_SECS, API_DEFAULT_VERSION)
            }
        };
        let client = connected.map_err(unavailable)?;
        let client = client.negotiate_version().await.map_err(unavailable)?;
        *self.cached() = Some(client.clone());
        Ok(client)
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Option<Docker>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> std::sync::MutexGuard<'_, BTreeMap<InstanceId, ExitStatus>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes our error of the engine's and forgets a connection that went silent.
    fn error(&self, what: &str, error: bollard::errors::Error) -> RuntimeError {
        let error = classify(what, error);
        if matches!(error, RuntimeError::Unavailable { .. }) {
            *self.cached() = None;
        }
        error
    }

    /// The container of `id` as the engine has it now; `None` if it has none.
    async fn inspect(
        &self,
        docker: &Docker,
        id: &InstanceId,
    ) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        let name = id.to_string();
        let found = match docker
            .inspect_container(&name, None::<InspectContainerOptions>)
            .await
        {
            Ok(found) => found,
            Err(error) if status_code(&error) == Some(404) => return Ok(None),
            Err(error) => return Err(self.error("inspect the container", error)),
        };
        let labels = found.config.as_ref().and_then(|c| c.labels.as_ref());
        if container::identity(labels) != Some(*id) {
            return Err(RuntimeError::refused(format!(
                "the container {name} was not made by this installation: remove or rename it"
            )));
        }
        Ok(Some(found))
    }

    /// Starts a container that was created; one that can't start is taken away again.
    async fn start_created(&self, docker: &Docker, id: &InstanceId) -> Result<(), RuntimeError> {
        let name = id.to_string();
        let started = docker
            .start_container(&name, None::<StartContainerOptions>)
            .await;
        let error = match started {
            Ok(()) => return Ok(()),
            // 304: it runs already.
            Err(error) if status_code(&error) == Some(304) => return Ok(()),
            Err(error) => self.error("start the container", error),
        };
        // An engine that went silent may still start it: then `list` shows what became of it.
        if !matches!(error, RuntimeError::Unavailable { .. })
            && let Err(left) = self.remove(docker, &name).await
        {
            tracing::warn!(sandbox = %id, error = %chain(&left), "container that did not start is left");
        }
        Err(error)
    }

    /// Removes a container that does not run; returns when the engine has it no more.
    async fn remove(&self, docker: &Docker, name: &str) -> Result<(), RuntimeError> {
        let mut last = None;
        // It may run by now: a host that died before this one had asked for its start, and the engine
        // was slow. Nobody is told of it any more, so that it may not live on.
        for force in [false, true] {
            let options = RemoveContainerOptions {
                v: true,
                force,
                link: false,
            };
            match docker.remove_container(name, Some(options)).await {
                Ok(()) => return Ok(()),
                Err(error) if status_code(&error) == Some(404) => return Ok(()),
                Err(error) if status_code(&error) == Some(409) => last = Some(error),
                Err(error) => return Err(self.error("remove the container", error)),
            }
        }
        // Somebody else is at it: whether it is gone is seen at the next look.
        last.map_or(Ok(()), |error| {
            Err(self.error("remove the container", error))
        })
    }

    /// Waits until the container does not run; `None` once the engine has none of this name.
    /// Boxed, because the engine's answers are large and several futures would hold them.
    fn until_over<'a>(&'a self, docker: &'a Docker, id: &'a InstanceId) -> BoxFuture<'a, Over> {
        Box::pin(self.look_until_over(docker, id))
    }

    async fn look_until_over(&self, docker: &Docker, id: &InstanceId) -> Over {
        loop {
            let Some(found) = self.inspect(docker, id).await? else {
                return Ok(None);
            };
            // A state that is not told is no proof of an end.
            if let Some(state) = found.state.clone()
                && state.running == Some(false)
            {
                return Ok(Some((found, state)));
            }
            let options = WaitContainerOptions {
                condition: "not-running".to_owned(),
            };
            // Whatever the wait says, the next look decides; it fails if the engine is gone.
            let said = docker
                .wait_container(&id.to_string(), Some(options))
                .next()
                .await;
            if !matches!(said, Some(Ok(_))) && !engine_error::is_exit(said.as_ref()) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }

    async fn kill(
        &self,
        docker: &Docker,
        id: &InstanceId,
        signal: &str,
    ) -> Result<(), RuntimeError> {
        let options = KillContainerOptions {
            signal: signal.to_owned(),
        };
        match docker.kill_container(&id.to_string(), Some(options)).await {
            Ok(()) => Ok(()),
            // 409: it does not run, which is what the signal was for.
            Err(error) if status_code(&error) == Some(409) => Ok(()),
            Err(error) if status_code(&error) == Some(404) => Err(RuntimeError::Gone { id: *id }),
            Err(error) => Err(self.error("send a signal", error)),
        }
    }
}

#[async_trait]
impl Runtime for DockerRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Docker
    }

    async fn ping(&self) -> Result<RuntimeInfo, RuntimeError> {
        let docker = self.client().await?;
        let version = docker
            .version()
            .await
            .map_err(|e| self.error("ask for the version", e))?;
        let info = docker
            .info()
            .await
            .map_err(|e| self.error("ask for the engine's state", e))?;
        Ok(info::describe(
            &docker.client_version().to_string(),
            &version,
            &info,
        ))
    }

    async fn start(&self, spec: &SandboxSpec) -> Result<InstanceId, RuntimeError> {
        let body = container::body(spec)?;
        let docker = self.client().await?;
        let id = spec.id();
        let options = CreateContainerOptions {
            name: Some(id.to_string()),
            platform: String::new(),
        };
        match docker.create_container(Some(options), body).await {
            Ok(_) => self.start_created(&docker, &id).await.map(|()| id),
            Err(error) if status_code(&error) == Some(409) => {
                let Some(found) = self.inspect(&docker, &id).await? else {
                    return Err(RuntimeError::failed("create the container", error));
                };
                let never_started =
                    found
                        .state
                        .and_then(|state| state.status)
                        .is_some_and(|status| {
                            status == bollard::models::ContainerStateStatusEnum::CREATED
                        });
                if never_started {
                    self.start_created(&docker, &id).await?;
                }
                Ok(id)
            }
            Err(error) if status_code(&error) == Some(404) => Err(RuntimeError::Refused {
                what: container::no_image(spec),
                source: Some(error.into()),
            }),
            Err(error) => Err(self.error("create the container", error)),
        }
    }

    async fn stop(&self, id: &InstanceId, grace: Duration) -> Result<(), RuntimeError> {
        let docker = self.client().await?;
        if self.inspect(&docker, id).await?.is_none() {
            return Err(RuntimeError::Gone { id: *id });
        }
        if !grace.is_zero() {
            self.kill(&docker, id, "SIGTERM").await?;
            match tokio::time::timeout(grace, self.until_over(&docker, id)).await {
                Ok(over) => return over.map(|_| ()),
                Err(_elapsed) => tracing::debug!(sandbox = %id, "sandbox outlived its grace"),
            }
        }
        self.kill(&docker, id, "SIGKILL").await
    }

    async fn wait(&self, id: &InstanceId) -> Result<Exited, RuntimeError> {
        let docker = self.client().await?;
        let exited = |status| Exited::observed(id.session, id.generation, status);
        let Some((found, state)) = self.until_over(&docker, id).await? else {
            let known = self.ended().remove(id);
            return Ok(exited(known.unwrap_or(ExitStatus::Unknown)));
        };
        let status = container::ended_as(&state);
        output::save(&docker, id, &found).await;
        self.ended().insert(*id, status);
        self.remove(&docker, &id.to_string()).await?;
        self.ended().remove(id);
        Ok(exited(status))
    }

    async fn list(&self, install: InstallId) -> Result<Vec<InstanceStatus>, RuntimeError> {
        let docker = self.client().await?;
        let label = format!("{}={install}", container::LABEL_INSTALL);
        let options = ListContainersOptions {
            all: true,
            limit: None,
            size: false,
            filters: Some(HashMap::from([("label".to_owned(), vec![label])])),
        };
        let found = docker
            .list_containers(Some(options))
            .await
            .map_err(|error| self.error("list the containers", error))?;
        Ok(found
            .iter()
            .filter_map(container::status)
            .filter(|status| status.id.install == install)
            .collect())
    }
}

fn unavailable(error: bollard::errors::Error) -> RuntimeError {
    RuntimeError::Unavailable {
        kind: RuntimeKind::Docker,
        source: error.into(),
    }
}
