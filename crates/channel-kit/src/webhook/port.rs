//! Ports: who listens at the same address shares one, and has a path of its own there.
//!
//! A port is open for as long as somebody has a place at it. Connections are taken by whoever serves, and a
//! call goes to whose path it names: which of them took its connection makes no difference.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use anchorhold_channel::ChannelError;
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit},
};

use super::Receiver;

/// How many calls are served at once; others are asked to come again.
const CALLS_LIMIT: usize = 64;
/// How many connections there may be.
pub(super) const CONNECTIONS_LIMIT: usize = 256;

/// The ports of this process. A process has each port only once, whoever asks for it first.
static PORTS: Mutex<Vec<(SocketAddr, Weak<Port>)>> = Mutex::new(Vec::new());

/// A port that is open.
pub(super) struct Port {
    pub(super) socket: TcpListener,
    /// Who is called at which path; `None` where a place is taken and not served yet.
    routes: Mutex<HashMap<String, Option<Arc<dyn Receiver>>>>,
    seats: Arc<Semaphore>,
    calls: Semaphore,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

impl Port {
    /// The port at this address, which is opened if it is not open. Port 0 is a new one each time.
    pub(super) async fn open(address: SocketAddr) -> Result<Arc<Self>, ChannelError> {
        if let Some(open) = known(address) {
            return Ok(open);
        }
        let socket = TcpListener::bind(address).await;
        let socket = match socket {
            Ok(socket) => socket,
            // Another listener of this process may have come first meanwhile.
            Err(source) => {
                return known(address).ok_or_else(|| ChannelError::Transient {
                    doing: "opening the port for webhooks",
                    source: Box::new(source),
                });
            }
        };
        let port = Arc::new(Self {
            socket,
            routes: Mutex::default(),
            seats: Arc::new(Semaphore::new(CONNECTIONS_LIMIT)),
            calls: Semaphore::new(CALLS_LIMIT),
        });
        if address.port() != 0 {
            let mut ports = ports();
            ports.retain(|(_, port)| port.strong_count() > 0);
            ports.push((address, Arc::downgrade(&port)));
        }
        Ok(port)
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Waits for room for one more connection.
    pub(super) async fn seat(&self) -> Option<OwnedSemaphorePermit> {
        // Nobody closes the semaphore.
        Arc::clone(&self.seats).acquire_owned().await.ok()
    }

    /// Room for one more call, if there is any.
    pub(super) fn call(&self) -> Option<SemaphorePermit<'_>> {
        self.calls.try_acquire().ok()
    }

    /// Who is called at this path.
    pub(super) fn receiver(&self, path: &str) -> Option<Arc<dyn Receiver>> {
        self.routes().get(path)?.clone()
    }

    fn routes(&self) -> MutexGuard<'_, HashMap<String, Option<Arc<dyn Receiver>>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ports() -> MutexGuard<'static, Vec<(SocketAddr, Weak<Port>)>> {
    PORTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn known(address: SocketAddr) -> Option<Arc<Port>> {
    let ports = ports();
    let mut here = ports.iter().filter(|(at, _)| *at == address);
    here.find_map(|(_, port)| port.upgrade())
}

/// A path at a port, which is free again with the value.
#[derive(Debug)]
pub(super) struct Route {
    port: Arc<Port>,
    path: String,
}

impl Route {
    /// Takes a path, if it is free.
    pub(super) fn take(port: Arc<Port>, path: &str) -> Result<Self, ChannelError> {
        let path = path.to_owned();
        {
            let mut routes = port.routes();
            if routes.contains_key(&path) {
                let reason = format!("another instance is called at the path {path} of this port");
                return Err(ChannelError::Permanent { reason });
            }
            routes.insert(path.clone(), None);
        }
        Ok(Self { port, path })
    }

    pub(super) fn port(&self) -> &Arc<Port> {
        &self.port
    }

    /// From now on calls of the path go there.
    pub(super) fn serve(&self, receiver: Arc<dyn Receiver>) {
        self.port.routes().insert(self.path.clone(), Some(receiver));
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.port.routes().remove(&self.path);
    }
}

#[cfg(test)]
mod tests;
