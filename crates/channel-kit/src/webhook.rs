//! Webhooks: one way to listen, for all platforms that call us.
//!
//! Who calls is proven from the raw bytes before anything is parsed; bodies, calls at once and time
//! have limits; and the listener opens on this machine alone unless the configuration says otherwise.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use anchorhold_channel::{ChannelError, TableReader};
use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use bytes::Bytes;
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tokio_util::sync::CancellationToken;

mod proof;
mod seats;

pub use proof::{hexadecimal, is_fresh, is_secret, is_signed};

use seats::Seats;

/// The longest body that is read, in bytes.
pub const BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// How many calls are served at once; others are asked to come again.
const CALLS_LIMIT: usize = 64;
/// How many connections there may be, and for how long one may be silent.
const CONNECTIONS_LIMIT: usize = 256;
const IDLE_LIMIT: Duration = Duration::from_secs(40);
/// How long one call may take until it is answered: platforms give up after some ten seconds.
const CALL_LIMIT: Duration = Duration::from_secs(25);
/// How long calls get to end when the listener does.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// One call of a platform.
#[derive(Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its query, undecoded.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as it came.
    pub body: Bytes,
}

/// What a platform is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The body with its media type, where there is one.
    pub body: Option<(&'static str, String)>,
}

impl Reply {
    /// A status and nothing else.
    pub fn of(status: StatusCode) -> Self {
        Self { status, body: None }
    }
}

/// Who takes the calls.
#[async_trait]
pub trait Receiver: Send + Sync + 'static {
    /// Is the caller who they have to be? Looks at headers and raw bytes and parses neither.
    fn is_proven(&self, call: &Call) -> bool;

    /// Takes a call of the proven caller. The platform hears the reply, so what it acknowledges has to
    /// be durable by then. Dropped when the listener ends or the caller goes.
    async fn take(&self, call: Call) -> Reply;
}

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The address; port 0 is any free one.
    pub address: SocketAddr,
    /// The path that is called, with its `/`; every other one is not found.
    pub path: String,
}

impl Listen {
    /// Reads the keys `listen` and `path` of a table; `path` is used where it is not given.
    ///
    /// An address without a host part is one of this machine alone.
    pub fn read(reader: &mut TableReader, path: &str) -> Option<Self> {
        let address = reader.parsed("listen", |text: &str| {
            let text = match text.strip_prefix(':') {
                Some(port) => format!("127.0.0.1:{port}"),
                None => text.to_owned(),
            };
            text.parse::<SocketAddr>()
                .map_err(|_not_an_address| "has to be an address like \"127.0.0.1:8080\"")
        })?;
        let path = reader.optional("path").unwrap_or_else(|| path.to_owned());
        if !path.starts_with('/') {
            reader.problem("path", "has to begin with `/`");
            return None;
        }
        Some(Self { address, path })
    }
}

/// A listener that is open and serves nobody yet.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    path: String,
}

struct Shared {
    receiver: Arc<dyn Receiver>,
    path: String,
    calls: Semaphore,
}

impl Listener {
    /// Opens the port. `Transient` where it is taken: who holds it may go.
    pub async fn open(listen: &Listen) -> Result<Self, ChannelError> {
        let socket = TcpListener::bind(listen.address).await;
        let socket = socket.map_err(|source| ChannelError::Transient {
            doing: "opening the port for webhooks",
            source: Box::new(source),
        })?;
        let path = listen.path.clone();
        Ok(Self { socket, path })
    }

    /// The address that it has, with its port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` fires; then calls get a moment to end. Dropping the future ends it at
    /// once.
    pub async fn serve(
        self,
        receiver: Arc<dyn Receiver>,
        stop: CancellationToken,
    ) -> Result<(), ChannelError> {
        let shared = Arc::new(Shared {
            receiver,
            path: self.path,
            calls: Semaphore::new(CALLS_LIMIT),
        });
        let router = Router::new().fallback(serve_call).with_state(shared);
        let ending = stop.clone();
        let seats = Seats::new(self.socket, CONNECTIONS_LIMIT, IDLE_LIMIT);
        let serving = axum::serve(seats, router)
            .with_graceful_shutdown(async move { ending.cancelled().await });
        let ended = tokio::select! {
            ended = async { serving.await } => ended,
            () = async {
                stop.cancelled().await;
                tokio::time::sleep(STOP_GRACE).await;
            } => Ok(()),
        };
        ended.map_err(|source| ChannelError::Transient {
            doing: "serving webhooks",
            source: Box::new(source),
        })
    }
}

/// One call, from the first byte to the answer.
async fn serve_call(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let reply = match timeout(CALL_LIMIT, answered(&shared, request)).await {
        Ok(reply) => reply,
        Err(_elapsed) => Reply::of(StatusCode::SERVICE_UNAVAILABLE),
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = reply.status;
    if let Some((media_type, body)) = reply.body {
        *response.body_mut() = Body::from(body);
        let media_type = axum::http::HeaderValue::from_static(media_type);
        response.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    response
}

async fn answered(shared: &Shared, request: Request) -> Reply {
    if request.uri().path() != shared.path {
        return Reply::of(StatusCode::NOT_FOUND);
    }
    let Ok(_place) = shared.calls.try_acquire() else {
        return Reply::of(StatusCode::SERVICE_UNAVAILABLE);
    };
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT_BYTES).await else {
        return Reply::of(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let call = Call {
        method: parts.method,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    if !shared.receiver.is_proven(&call) {
        tracing::warn!("a call that proves nothing was turned away");
        return Reply::of(StatusCode::UNAUTHORIZED);
    }
    shared.receiver.take(call).await
}

#[cfg(test)]
mod tests;
