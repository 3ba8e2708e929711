//! The way to the model for a program of others: a port of this sandbox's loopback, open while a
//! turn runs.
//!
//! What comes is told to the host as of that turn; between turns nothing passes, so that no program
//! spends what nobody asked for. How a call failed is seen here as the provider told it, and not as
//! the program tells it.

use std::{
    convert::Infallible,
    fmt, io,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, Semaphore},
    time::sleep,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    provider::model::{
        ask::{ERROR_LIMIT_BYTES, failure},
        failure::Failure,
    },
    report,
    way_out::{Answer, Content, WayOut, WayOutError},
};

/// The largest content of a call, in bytes; the host takes no larger one.
const CONTENT_LIMIT_BYTES: usize = 32 * 1024 * 1024;
/// The most connections at a time.
const CONNECTIONS_LIMIT: usize = 32;
/// After the system refused a connection.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// What belongs to one connection, and what stands where a key would.
const OWN_HEADERS: [HeaderName; 5] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
];
const KEY_HEADER: &str = "x-api-key";

type Body = UnsyncBoxBody<Bytes, WayOutError>;

/// The port. Dropping it closes the port.
pub(super) struct Gate {
    port: u16,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    active: Notify,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    /// Where it leads, while a turn runs.
    open: Option<WayOut>,
    /// Is there a conversation from before the turn?
    goes_on: bool,
    failed: Option<Failure>,
}

/// As long as it lives, the gate is open.
pub(super) struct Open<'a> {
    gate: &'a Gate,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.gate.shared.state().open = None;
    }
}

impl Gate {
    /// Takes a free port of the loopback.
    pub(super) async fn bind() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::<Shared>::default();
        let stop = CancellationToken::new();
        let accepting = accept(listener, Arc::clone(&shared));
        let until = stop.clone();
        shared.tasks.spawn(async move {
            until.run_until_cancelled(accepting).await;
        });
        Ok(Self { port, shared, stop })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Opens it for a turn.
    pub(super) fn open(&self, way_out: &WayOut, goes_on: bool) -> Open<'_> {
        *self.shared.state() = State {
            open: Some(way_out.clone()),
            goes_on,
            failed: None,
        };
        Open { gate: self }
    }
}

impl Open<'_> {
    /// How the last call failed, if it did.
    pub(super) fn failed(&self) -> Option<Failure> {
        self.gate.shared.state().failed.clone()
    }

    /// Returns when something has passed since the last call. Cancel-safe.
    pub(super) async fn active(&self) {
        self.gate.shared.active.notified().await;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, failure: Failure) {
        self.state().failed = Some(failure);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
    loop {
        // Never closed: it is only dropped.
        let place = Arc::clone(&places).acquire_owned().await.ok();
        match listener.accept().await {
            Ok((stream, _address)) => {
                let serving = serve(stream, Arc::clone(&shared));
                shared.tasks.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(error = %report(&error), "connection to the gate not accepted");
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(pass(request, &shared).await) }
    });
    let stream = TokioIo::new(stream);
    // silent: how a connection ended is told by what is missing at its other end.
    drop(
        http1::Builder::new()
            .serve_connection(stream, service)
            .await,
    );
}

/// Passes one call on.
async fn pass(request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Body> {
    shared.active.notify_one();
    if request.method() != Method::POST {
        // Programs look whether somebody is there; that is no call of a model.
        return own(StatusCode::NOT_FOUND, "only calls of the model pass");
    }
    let (open, goes_on) = {
        let state = shared.state();
        (state.open.clone(), state.goes_on)
    };
    let Some(way_out) = open else {
        tracing::warn!("call of the model outside of a turn refused");
        return own(StatusCode::FORBIDDEN, "no turn runs");
    };
    let (head, content) = request.into_parts();
    let Ok(content) = Limited::new(content, CONTENT_LIMIT_BYTES).collect().await else {
        return own(StatusCode::PAYLOAD_TOO_LARGE, "the content is too large");
    };
    let mut outward = Request::new(Content::from(content.to_bytes()));
    *outward.method_mut() = head.method;
    *outward.uri_mut() = head.uri;
    *outward.headers_mut() = passed_on(head.headers);
    let mut answer = match way_out.send(outward).await {
        Ok(answer) => answer,
        Err(error) => {
            shared.failed(Failure::transient(&report(&error)));
            return own(StatusCode::BAD_GATEWAY, "the host does not answer");
        }
    };
    shared.active.notify_one();
    let (status, headers) = (answer.status(), passed_on(answer.headers().clone()));
    let content = if status.is_success() {
        shared.state().failed = None;
        streamed(answer, Arc::clone(shared))
    } else {
        // The status says what is needed, where the rest does not come.
        let (content, _more) = answer
            .beginning(ERROR_LIMIT_BYTES)
            .await
            .unwrap_or_default();
        shared.failed(failure(&answer, &content, goes_on));
        whole(content)
    };
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn passed_on(mut headers: HeaderMap) -> HeaderMap {
    for name in OWN_HEADERS {
        headers.remove(name);
    }
    headers.remove(KEY_HEADER);
    headers
}

fn streamed(answer: Answer, shared: Arc<Shared>) -> Body {
    let parts = stream::unfold(Some((answer, shared)), |state| async move {
        let (mut answer, shared) = state?;
        match answer.part().await {
            Ok(Some(part)) => {
                shared.active.notify_one();
                Some((Ok(Frame::data(part)), Some((answer, shared))))
            }
            Ok(None) => None,
            Err(error) => {
                shared.failed(Failure::transient(&report(&error)));
                Some((Err(error), None))
            }
        }
    });
    StreamBody::new(parts).boxed_unsync()
}

fn whole(content: impl Into<Bytes>) -> Body {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn own(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(whole(text));
    *response.status_mut() = status;
    response
}
