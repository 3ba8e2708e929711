//! Between the adapter and the server: where answers get lost and servers fail, as told.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use anchorhold_channel::conformance::{Side, Trouble};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::CONTENT_TYPE,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

pub(crate) struct Proxy {
    state: Arc<State>,
    pub(crate) base: String,
    _stop: DropGuard,
}

struct State {
    upstream: String,
    http: reqwest::Client,
    troubles: Mutex<VecDeque<(Side, Trouble)>>,
    /// Answers to the next polls.
    garbage: Mutex<VecDeque<Vec<u8>>>,
    told: Mutex<Told>,
    /// Ends the connections that there are.
    connections: Mutex<CancellationToken>,
    /// Ends the polls that are open.
    polls: Mutex<CancellationToken>,
}

/// Which events were told with which place, and of which the adapter has asked for what comes after.
#[derive(Default)]
struct Told {
    with: HashMap<String, HashSet<String>>,
    confirmed: HashSet<String>,
}

impl Proxy {
    pub(crate) async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            troubles: Mutex::default(),
            garbage: Mutex::default(),
            told: Mutex::default(),
            connections: Mutex::default(),
            polls: Mutex::default(),
        });
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let accepting = accept(listener, Arc::clone(&state), tasks.clone(), stop.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Self {
            state,
            base,
            _stop: stop.drop_guard(),
        }
    }

    /// Disturbs the next request of this kind.
    pub(crate) fn trouble(&self, side: Side, trouble: Trouble) {
        self.state
            .troubles
            .lock()
            .unwrap()
            .push_back((side, trouble));
        if side == Side::Receiving {
            self.end_polls();
        }
    }

    /// Answers the next poll with these bytes.
    pub(crate) fn garble(&self, bytes: &[u8]) {
        self.state.garbage.lock().unwrap().push_back(bytes.to_vec());
        self.end_polls();
    }

    fn end_polls(&self) {
        let open = std::mem::take(&mut *self.state.polls.lock().unwrap());
        open.cancel();
    }

    /// Breaks all connections.
    pub(crate) fn break_connections(&self) {
        let open = std::mem::take(&mut *self.state.connections.lock().unwrap());
        open.cancel();
    }

    /// Has the adapter asked for what comes after this event?
    pub(crate) fn is_confirmed(&self, event: &str) -> bool {
        self.state.told.lock().unwrap().confirmed.contains(event)
    }
}

async fn accept(
    listener: TcpListener,
    state: Arc<State>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    while let Ok((stream, _peer)) = listener.accept().await {
        let end = state.connections.lock().unwrap().clone();
        let stop = stop.clone();
        let state = Arc::clone(&state);
        tasks.spawn(async move {
            tokio::select! {
                () = serve(stream, state) => {}
                () = end.cancelled() => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    let service = service_fn(|request| answer(Arc::clone(&state), request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // silent: a connection that breaks is what this is for
    drop(connection.await);
}

type Answer = Response<Full<Bytes>>;

async fn answer(state: Arc<State>, request: Request<Incoming>) -> io::Result<Answer> {
    let path = request.uri().path().to_owned();
    let side = side(&path);
    let trouble = side.and_then(|side| state.next_trouble(side));
    if side == Some(Side::Receiving) {
        state.confirm(request.uri().query().unwrap_or_default());
        let garbage = state.garbage.lock().unwrap().pop_front();
        if let Some(bytes) = garbage {
            return Ok(said(StatusCode::OK, bytes.into()));
        }
    }
    match trouble {
        None => {}
        Some(Trouble::Limit(_, wait)) => return Ok(limited(wait)),
        Some(Trouble::ServerError) => {
            return Ok(failed(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN"));
        }
        Some(Trouble::Refuse) => return Ok(failed(StatusCode::FORBIDDEN, "M_FORBIDDEN")),
        Some(Trouble::Unauthorized) => {
            return Ok(failed(StatusCode::UNAUTHORIZED, "M_UNKNOWN_TOKEN"));
        }
        Some(Trouble::LoseAnswer | Trouble::GarbleAnswer) => {}
    }
    let (status, body) = if side == Some(Side::Receiving) && trouble.is_none() {
        let open = state.polls.lock().unwrap().clone();
        tokio::select! {
            done = state.forward(request) => done?,
            () = open.cancelled() => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
    } else {
        state.forward(request).await?
    };
    match trouble {
        Some(Trouble::LoseAnswer) => Err(io::ErrorKind::ConnectionAborted.into()),
        Some(Trouble::GarbleAnswer) => Ok(said(status, body.slice(..body.len() / 2))),
        _ => {
            if side == Some(Side::Receiving) {
                state.note(&body);
            }
            Ok(said(status, body))
        }
    }
}

fn side(path: &str) -> Option<Side> {
    if path.ends_with("/sync") {
        Some(Side::Receiving)
    } else if path.contains("/rooms/") && path.contains("/send/") {
        Some(Side::Sending)
    } else {
        None
    }
}

impl State {
    fn next_trouble(&self, side: Side) -> Option<Trouble> {
        let mut troubles = self.troubles.lock().unwrap();
        let at = troubles.iter().position(|(on, _)| *on == side)?;
        Some(troubles.remove(at)?.1)
    }

    async fn forward(&self, request: Request<Incoming>) -> io::Result<(StatusCode, Bytes)> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut forwarded = self
            .http
            .request(parts.method, format!("{}{path}", self.upstream))
            .body(body);
        for name in ["authorization", "content-type"] {
            if let Some(value) = parts.headers.get(name) {
                forwarded = forwarded.header(name, value);
            }
        }
        let answer = forwarded.send().await.map_err(io::Error::other)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(io::Error::other)?;
        Ok((status, body))
    }

    fn confirm(&self, query: &str) {
        let since = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("since="));
        let mut told = self.told.lock().unwrap();
        let with = since.and_then(|since| told.with.get(since).cloned());
        told.confirmed.extend(with.unwrap_or_default());
    }

    fn note(&self, body: &[u8]) {
        let answer: Value = serde_json::from_slice(body).unwrap_or_default();
        let Some(place) = answer["next_batch"].as_str() else {
            return;
        };
        let rooms = answer["rooms"]["join"].as_object();
        let events = rooms.into_iter().flatten().flat_map(|(_, room)| {
            let events = room["timeline"]["events"].as_array().cloned();
            events.unwrap_or_default()
        });
        let ids = events.filter_map(|event| event["event_id"].as_str().map(str::to_owned));
        let mut told = self.told.lock().unwrap();
        told.with.entry(place.to_owned()).or_default().extend(ids);
    }
}

fn said(status: StatusCode, body: Bytes) -> Answer {
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .unwrap()
}

fn failed(status: StatusCode, code: &str) -> Answer {
    let body = json!({ "errcode": code, "error": "scripted" });
    said(status, body.to_string().into())
}

fn limited(wait: Duration) -> Answer {
    let wait = u64::try_from(wait.as_millis()).unwrap();
    let body = json!({
        "errcode": "M_LIMIT_EXCEEDED", "error": "scripted", "retry_after_ms": wait,
    });
    said(StatusCode::TOO_MANY_REQUESTS, body.to_string().into())
}
