//! One Unix socket a session, one task a connection, and what bounds them.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anchorhold_core::{clock::Clock, ids::SessionId, way_out::TURN_HEADER};
use async_trait::async_trait;
use hyper::{
    HeaderMap, Request, Response, Uri,
    body::Incoming,
    header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::{Client, redirect::Policy};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, error, info, warn};

use crate::{
    answer::{Body, Entry, refused},
    body, fetch,
    policy::{Allowed, Facts, FetchUrl, Target, judge},
    record::{Outcome, Record, bounded},
    refusal::{Refusal, Rule},
    relay, report, tunnel,
    ways::Ways,
};

/// How many records the queue of [`Parts::records`] should take: a request without a place for its
/// record is not begun.
pub const RECORDS_LIMIT: usize = 32 * 1024;
/// The most connections of one session.
const CONNECTIONS_LIMIT: usize = 64;
/// How much content of calls one session may have in the host's memory, in KiB.
const ROOM_KIB: usize = 40 * 1024;
/// How long a call waits for such room.
const ROOM_TIME: Duration = Duration::from_mins(1);
/// How long a head may take, and how long a connection may be silent between two requests.
const HEAD_TIME: Duration = Duration::from_secs(15);
const HEAD_LIMIT_BYTES: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 64;
/// How long a model's server may take to answer a connection.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long it may be silent.
const SILENCE_TIME: Duration = Duration::from_mins(5);
/// After the system refused a connection.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

/// Says what sessions may do.
#[async_trait]
pub trait Rulebook: Send + Sync + 'static {
    /// What this session may do now; it is asked at each request. `None` for one that is not known.
    async fn ways(&self, session: SessionId) -> Option<Ways>;
}

/// What a broker works with.
pub struct Parts {
    /// The rules.
    pub rulebook: Arc<dyn Rulebook>,
    /// Takes the record of each request; see [`RECORDS_LIMIT`].
    pub records: mpsc::Sender<Record>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where connections run.
    pub tasks: TaskTracker,
}

/// The broker. Cheap to clone.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

struct Shared {
    parts: Parts,
    /// Made by the first call: its trusted certificates take time and memory that most hosts of
    /// offline agents never need. `None` if it can't be made.
    client: OnceLock<Option<Client>>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Broker {
    /// A broker; nothing is served yet.
    pub fn new(parts: Parts) -> Self {
        let shared = Shared {
            parts,
            client: OnceLock::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Answers on a session's socket until `stop` fires; then its connections end, too.
    pub async fn serve(self, session: SessionId, listener: UnixListener, stop: CancellationToken) {
        let line = Arc::new(Line {
            shared: self.shared,
            session,
            stop,
            room: Arc::new(Semaphore::new(ROOM_KIB)),
        });
        let places = Arc::new(Semaphore::new(CONNECTIONS_LIMIT));
        loop {
            let accepted = line.until_stopped(async {
                // Never closed: it is only dropped.
                let place = Arc::clone(&places).acquire_owned().await.ok();
                (place, listener.accept().await)
            });
            match accepted.await {
                None => return,
                Some((Some(place), Ok((stream, _address)))) => {
                    let connection = connection(Arc::clone(&line), stream, place);
                    line.spawn(connection);
                }
                Some((_, Ok(_))) => return,
                Some((_, Err(failure))) => {
                    warn!(%session, error = %report(&failure), "connection not accepted");
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }
}

/// One session's socket.
pub(crate) struct Line {
    shared: Arc<Shared>,
    session: SessionId,
    stop: CancellationToken,
    room: Arc<Semaphore>,
}

impl Line {
    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    /// What calls models, or why nothing does.
    pub(crate) fn client(&self) -> Result<&Client, &'static str> {
        let client = self.shared.client.get_or_init(client);
        client
            .as_ref()
            .ok_or("the host has no client for HTTPS; its log says why")
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.shared.parts.tasks.spawn(task);
    }

    pub(crate) async fn until_stopped<T>(&self, task: impl Future<Output = T>) -> Option<T> {
        self.stop.run_until_cancelled(task).await
    }

    /// Waits until there is room for content of so many bytes; unknown ones could be all there can be.
    pub(crate) async fn room_for(
        &self,
        bytes: Option<u64>,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let bytes = match bytes.map(usize::try_from) {
            None => body::LIMIT_BYTES,
            Some(Ok(bytes)) if bytes <= body::LIMIT_BYTES => bytes,
            Some(_) => return Err(relay::too_large()),
        };
        let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(kib);
        match timeout(ROOM_TIME, room).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_)) | Err(_) => Err(Rule::TooSlow.refuses("other calls are still being sent")),
        }
    }
}

fn client() -> Option<Client> {
    let client = || {
        Client::builder()
            .no_proxy()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIME)
            .read_timeout(SILENCE_TIME)
            .tcp_nodelay(true)
    };
    let made = client().build().or_else(|failure| {
        // A model on this machine is still of use.
        warn!(error = %report(&failure), "no certificates to trust, HTTPS will fail");
        client().tls_certs_only([]).build()
    });
    made.map_err(|failure| error!(error = %report(&failure), "no client for HTTPS"))
        .ok()
}

async fn connection(line: Arc<Line>, stream: UnixStream, place: OwnedSemaphorePermit) {
    // A tunnel goes on after the connection was handed over, and keeps its place.
    let place = Arc::new(place);
    let service = service_fn(|request| {
        let (line, place) = (Arc::clone(&line), Arc::clone(&place));
        async move { Ok::<_, Infallible>(handle(line, request, place).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_LIMIT_BYTES)
        .max_headers(HEADERS_LIMIT)
        .half_close(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    if let Some(Err(failure)) = line.until_stopped(served).await {
        debug!(session = %line.session, error = %report(&failure), "connection ended badly");
    }
}

async fn handle(
    line: Arc<Line>,
    request: Request<Incoming>,
    place: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    let records = line.shared.parts.records.clone();
    let Ok(permit) = records.reserve_owned().await else {
        return refused(&Rule::NoSession.refuses("the host stops"));
    };
    let clock = Arc::clone(&line.shared.parts.clock);
    let mut entry = Entry::new(permit, begun(&line, &request), clock);
    let ways = line.shared.parts.rulebook.ways(line.session).await;
    let judged = match &ways {
        Some(ways) => judge_request(&request, ways),
        None => Err(Rule::NoSession.refuses("")),
    };
    let ways = ways.unwrap_or_default();
    let answered = match judged {
        Ok(Allowed::Tunnel(to)) => {
            entry.toward(&to.to_string());
            let response = tunnel::open(&line, entry, request, (to, ways.egress), place).await;
            Ok(response)
        }
        Ok(Allowed::Fetch(to)) => {
            entry.toward(&to.to_string());
            Ok(fetch::page(&line, entry, &request, (to, ways.egress)).await)
        }
        Ok(Allowed::Model(call)) => match ways.model {
            Some(model) => relay::call(&line, entry, request, (call, model)).await,
            None => Err((entry, Rule::NoModel.refuses(""))),
        },
        Err(refusal) => Err((entry, refusal)),
    };
    match answered {
        Ok(response) => response,
        Err((mut entry, refusal)) => {
            let (session, rule) = (line.session, refusal.rule.name());
            info!(%session, rule, "request from inside refused");
            entry.outcome(Outcome::Refused(refusal.rule));
            refused(&refusal)
        }
    }
}

/// What is on record from the beginning.
fn begun(line: &Line, request: &Request<Incoming>) -> Record {
    let uri = request.uri();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    Record {
        session: line.session,
        at: line.shared.parts.clock.now(),
        method: bounded(request.method().as_str()),
        host: bounded(authority),
        path: bounded(uri.path()),
        turn: turn(request.headers()),
        model: None,
        outcome: Outcome::Abandoned,
        sent_bytes: 0,
        received_bytes: 0,
        usage: None,
        cost_micros: None,
        took: Duration::ZERO,
    }
}

/// The number of a message, if the header has one.
fn turn(headers: &HeaderMap) -> Option<i64> {
    let told = headers.get(TURN_HEADER)?.to_str().ok()?;
    told.parse().ok().filter(|turn| *turn > 0)
}

fn judge_request(request: &Request<Incoming>, ways: &Ways) -> Result<Allowed, Refusal> {
    let headers = request.headers();
    let lengths = headers.get_all(CONTENT_LENGTH).iter().count();
    let codings = headers.get_all(TRANSFER_ENCODING).iter().count();
    let tunnel = request.method() == "CONNECT";
    if lengths + codings > 1 || (tunnel && lengths + codings > 0) {
        return Err(Rule::Malformed.refuses("its length is told twice, or where it has none"));
    }
    let hosts = headers.get_all(HOST).iter();
    let hosts = hosts.map(|host| host.to_str().unwrap_or("?")).collect();
    let url = fetch::url(headers);
    let fetch = url.as_ref().map(|url| FetchUrl {
        scheme: url.scheme(),
        host: url.host_str().unwrap_or_default(),
        port: url.port(),
        credentials: !url.username().is_empty() || url.password().is_some(),
    });
    let facts = Facts {
        method: request.method().as_str(),
        target: target(request.uri()),
        hosts,
        fetch,
    };
    judge(&facts, ways)
}

fn target(uri: &Uri) -> Target<'_> {
    match (uri.scheme(), uri.authority()) {
        (Some(_), _) => Target::Absolute,
        (None, Some(authority)) => Target::Authority(authority.as_str()),
        (None, None) => Target::Path {
            path: uri.path(),
            query: uri.query(),
        },
    }
}
