//! Webhooks: one way to listen, for all platforms that call us.
//!
//! Who calls is proven from the raw bytes before anything is parsed, and from the headers before anything
//! is read where those are enough; bodies, calls at once and time have limits; and the listener opens on
//! this machine alone unless the configuration says otherwise. Whoever listens at the same address shares
//! one port, and each has a path of its own there.

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
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

mod port;
mod proof;
mod seats;

pub use proof::{hexadecimal, is_fresh, is_secret, is_signed, signature};

use port::{Port, Route};
use seats::Seats;

/// The longest body that is read, in bytes.
pub const BODY_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// For how long a connection may be silent.
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
    /// Is the caller who they have to be, as far as the headers show it? Asked before anything of the
    /// body is read, so a secret in a header is compared here.
    fn admits(&self, headers: &HeaderMap) -> bool;

    /// The same as far as the body shows it: of a signature over raw bytes, nothing of which is parsed.
    /// Where the headers are enough, they were.
    fn is_proven(&self, _call: &Call) -> bool {
        true
    }

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

/// A place at a port, which serves nobody yet.
#[derive(Debug)]
pub struct Listener {
    route: Route,
}

impl Listener {
    /// Opens the port, or takes a place at the one that is open at this address. `Transient` where
    /// another program holds it, who may go; `Permanent` where the path is another listener's.
    pub async fn open(listen: &Listen) -> Result<Self, ChannelError> {
        let port = Port::open(listen.address).await?;
        let route = Route::take(port, &listen.path)?;
        Ok(Self { route })
    }

    /// The address that it has, with its port.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.route.port().address()
    }

    /// Serves until `stop` fires; then calls get a moment to end. Dropping the future ends it at
    /// once.
    pub async fn serve(
        self,
        receiver: Arc<dyn Receiver>,
        stop: CancellationToken,
    ) -> Result<(), ChannelError> {
        self.route.serve(receiver);
        let port = Arc::clone(self.route.port());
        let seats = Seats::new(Arc::clone(&port), IDLE_LIMIT);
        let router = Router::new().fallback(serve_call).with_state(port);
        let ending = stop.clone();
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
async fn serve_call(State(port): State<Arc<Port>>, request: Request) -> Response {
    let reply = match timeout(CALL_LIMIT, answered(&port, request)).await {
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

async fn answered(port: &Port, request: Request) -> Reply {
    let Some(receiver) = port.receiver(request.uri().path()) else {
        return Reply::of(StatusCode::NOT_FOUND);
    };
    let Some(_place) = port.call() else {
        return Reply::of(StatusCode::SERVICE_UNAVAILABLE);
    };
    let turned_away = || {
        tracing::warn!("a call that proves nothing was turned away");
        Reply::of(StatusCode::UNAUTHORIZED)
    };
    if !receiver.admits(request.headers()) {
        return turned_away();
    }
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
    if !receiver.is_proven(&call) {
        return turned_away();
    }
    receiver.take(call).await
}

#[cfg(test)]
mod tests;
