//! The broker on a real Unix socket, with a small server of the tests' own outside.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anchorhold_core::{clock::Clock, ids::SessionId, way_out::ModelApi};
use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::mpsc,
    time::{Duration, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    Broker, Outcome, Parts, Record, Rulebook,
    egress::{Egress, Entry},
    refusal::Rule,
    usage::Usage,
    ways::{Key, Model, Prices, Ways},
};

const LIMIT: Duration = Duration::from_secs(20);
const KEY: &str = "canary-key-4711";

struct Real;

impl Clock for Real {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn mono(&self) -> Instant {
        Instant::now()
    }
}

struct Fixed(Ways);

#[async_trait]
impl Rulebook for Fixed {
    async fn ways(&self, _session: SessionId) -> Option<Ways> {
        Some(self.0.clone())
    }
}

/// A broker with one session.
struct Bench {
    session: SessionId,
    records: mpsc::Receiver<Record>,
    stop: CancellationToken,
    tasks: TaskTracker,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new(ways: Ways) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("broker")).unwrap();
        let (records_tx, records) = mpsc::channel(64);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let broker = Broker::new(Parts {
            rulebook: Arc::new(Fixed(ways)),
            records: records_tx,
            clock: Arc::new(Real),
            tasks: tasks.clone(),
        });
        let session = SessionId::mint(Timestamp::UNIX_EPOCH, [7; 10]);
        tasks.spawn(broker.serve(session, listener, stop.clone()));
        Self {
            session,
            records,
            stop,
            tasks,
            dir,
        }
    }

    async fn open(&self) -> UnixStream {
        let socket = self.dir.path().join("broker");
        UnixStream::connect(socket).await.unwrap()
    }

    /// Sends raw bytes and reads until the broker closes.
    async fn raw(&self, request: &str) -> String {
        let mut stream = self.open().await;
        // silent: the broker may have answered and gone before everything was sent.
        drop(stream.write_all(request.as_bytes()).await);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        // silent: what came until it broke off is what is looked at.
        drop(timeout(LIMIT, read).await.expect("no end of the answer"));
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn call(&self, content: &str) -> String {
        let len = content.len();
        self.raw(&format!(
            "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer mine\r\nX-Anchorhold-Turn: 6\r\nContent-Length: {len}\r\n\r\n{content}"
        ))
        .await
    }

    async fn record(&mut self) -> Record {
        let record = timeout(LIMIT, self.records.recv()).await;
        let mut record = record.expect("no record came").unwrap();
        assert_eq!(record.session, self.session);
        assert!(record.at > Timestamp::UNIX_EPOCH);
        record.at = Timestamp::UNIX_EPOCH;
        record.took = Duration::ZERO;
        record
    }

    /// Ends the broker; every task of it has to end with it.
    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(LIMIT, self.tasks.wait())
            .await
            .expect("a task goes on");
    }
}

/// A server that reads one request with its content, and answers with `answer`; gives the request.
async fn outside(answer: String) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    });
    (address, served)
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut chunk = vec![0; 4096];
    loop {
        let len = stream.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..len]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, content)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().unwrap());
        if content.len() >= length {
            return text;
        }
    }
}

fn ways(address: SocketAddr) -> Ways {
    Ways {
        model: Some(Arc::new(Model {
            id: "m".to_owned(),
            api: ModelApi::Anthropic,
            base_url: format!("http://{address}"),
            key: Some(Key::new(KEY).unwrap()),
            prices: Some(Prices {
                input: 1000,
                output: 2000,
                cache_read: 0,
                cache_write: 0,
            }),
        })),
        egress: Egress::new(vec![Entry::parse(&address.to_string()).unwrap()]),
    }
}

fn nobody() -> SocketAddr {
    "127.0.0.1:9".parse().unwrap()
}

const CALL: &str = r#"{"model":"m","messages":[{"role":"user","content":"secret words"}]}"#;

#[tokio::test]
async fn a_call_gets_the_key_outside_and_is_recorded_without_its_content() {
    let events = "data: {\"message\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}}\n\n";
    let (address, served) = outside(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nset-cookie: a=b\r\nrequest-id: r1\r\nconnection: close\r\n\r\n{events}"
    ))
    .await;
    let mut bench = Bench::new(ways(address));
    let answer = bench.call(CALL).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("request-id: r1\r\n"), "{answer}");
    assert!(answer.contains(events), "{answer}");
    assert!(!answer.contains("set-cookie"), "{answer}");
    let asked = served.await.unwrap();
    assert!(
        asked.starts_with("POST /v1/messages HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains(&format!("x-api-key: {KEY}\r\n")), "{asked}");
    assert!(!asked.contains("Bearer mine"), "{asked}");
    assert!(asked.ends_with(CALL), "{asked}");
    let expect = Record {
        session: bench.session,
        at: Timestamp::UNIX_EPOCH,
        method: "POST".to_owned(),
        host: address.to_string(),
        path: "/model/v1/messages".to_owned(),
        turn: Some(6),
        model: Some("m".to_owned()),
        outcome: Outcome::Answered(200),
        sent_bytes: u64::try_from(CALL.len()).unwrap(),
        received_bytes: u64::try_from(events.len()).unwrap(),
        usage: Some(Usage {
            input: 3,
            output: 4,
            ..Usage::default()
        }),
        cost_micros: Some(11),
        took: Duration::ZERO,
    };
    assert_eq!(bench.record().await, expect);
    bench.end().await;
}

#[tokio::test]
async fn an_answer_streams_through_part_by_part() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::new(ways(listener.local_addr().unwrap()));
    let mut inside = bench.open().await;
    let len = CALL.len();
    let request = format!(
        "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n{CALL}"
    );
    inside.write_all(request.as_bytes()).await.unwrap();
    let (mut outside, _) = listener.accept().await.unwrap();
    read_request(&mut outside).await;
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    outside.write_all(head.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    for part in ["first", "second"] {
        let chunk = format!("{:x}\r\n{part}\r\n", part.len());
        outside.write_all(chunk.as_bytes()).await.unwrap();
        // The next part is not sent before this one arrived inside.
        while !String::from_utf8_lossy(&seen).contains(part) {
            let mut chunk = [0; 1024];
            let len = timeout(LIMIT, inside.read(&mut chunk))
                .await
                .unwrap()
                .unwrap();
            assert!(len > 0, "it ended");
            seen.extend_from_slice(&chunk[..len]);
        }
    }
    drop(inside);
    bench.end().await;
}

#[tokio::test]
async fn an_error_that_quotes_the_key_loses_it() {
    let told = format!("{{\"error\":\"bad key {KEY}, {KEY}\"}}");
    let (address, _served) = outside(format!(
        "HTTP/1.1 401 Unauthorized\r\nretry-after: 7\r\ncontent-length: {}\r\n\r\n{told}",
        told.len()
    ))
    .await;
    let mut bench = Bench::new(ways(address));
    let answer = bench.call(CALL).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("retry-after: 7"), "{answer}");
    assert!(
        answer.ends_with("{\"error\":\"bad key [key], [key]\"}"),
        "{answer}"
    );
    assert_eq!(bench.record().await.outcome, Outcome::Answered(401));
    bench.end().await;
}

#[tokio::test]
async fn what_a_rule_is_against_gets_an_answer_that_names_it() {
    let mut bench = Bench::new(ways(nobody()));
    let cases = [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", Rule::NoSuchPlace),
        (
            "GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n",
            Rule::PlainHttp,
        ),
        (
            "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
            Rule::EgressList,
        ),
        (
            "CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n",
            Rule::EgressList,
        ),
        (
            "GET /model/v1/files HTTP/1.1\r\nHost: x\r\n\r\n",
            Rule::ModelCall,
        ),
        (
            "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
            Rule::Malformed,
        ),
        (
            "CONNECT 127.0.0.1:9 HTTP/1.1\r\nHost: 127.0.0.1:9\r\nContent-Length: 3\r\n\r\nabc",
            Rule::Malformed,
        ),
        (
            "GET /fetch HTTP/1.1\r\nHost: x\r\nX-Fetch-Url: https://example.org/\r\n\r\n",
            Rule::EgressList,
        ),
        (
            "GET /fetch HTTP/1.1\r\nHost: x\r\nX-Fetch-Url: http://127.0.0.1:9/\r\n\r\n",
            Rule::PlainHttp,
        ),
        (
            "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{\"model\":\"n\"}",
            Rule::ModelName,
        ),
        (
            "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n",
            Rule::TooLarge,
        ),
    ];
    for (request, rule) in cases {
        let answer = bench.raw(request).await;
        let status = format!("HTTP/1.1 {} ", rule.status());
        assert!(answer.starts_with(&status), "{request}: {answer}");
        let named = format!("x-anchorhold-rule: {}\r\n", rule.name());
        assert!(answer.contains(&named), "{request}: {answer}");
        assert!(
            answer.contains(&format!("refused by rule {}: ", rule.name())),
            "{answer}"
        );
        assert_eq!(
            bench.record().await.outcome,
            Outcome::Refused(rule),
            "{request}"
        );
    }
    bench.end().await;
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_read_in_none() {
    let (address, served) =
        outside("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    let bench = Bench::new(ways(address));
    let hidden = "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\n\r\n";
    let cases = [
        format!(
            "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
        ),
        format!(
            "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{hidden}"
        ),
        format!(
            "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}"
        ),
        "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde".to_owned(),
        "POST /model/v1/messages HTTP/1.1\r\nHost : x\r\n\r\n".to_owned(),
        "GET /\r\nX: y HTTP/1.1\r\n\r\n".to_owned(),
        format!(
            "GET / HTTP/1.1\r\nHost: x\r\nBig: {}\r\n\r\n",
            "x".repeat(64 * 1024)
        ),
        format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100)),
        "\0\u{1}\u{2}garbage\r\n\r\n".to_owned(),
    ];
    for request in cases {
        let answer = bench.raw(&request).await;
        assert!(!answer.contains("HTTP/1.1 200"), "{request}: {answer}");
        assert!(
            answer.matches("HTTP/1.1").count() <= 1,
            "{request}: {answer}"
        );
    }
    assert!(!served.is_finished(), "something reached the outside");
    bench.end().await;
}

#[tokio::test]
async fn a_tunnel_to_a_listed_address_carries_bytes_both_ways() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut bench = Bench::new(ways(address));
    let mut inside = bench.open().await;
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    inside.write_all(request.as_bytes()).await.unwrap();
    let (mut outside, _) = listener.accept().await.unwrap();
    let mut head = [0; 19];
    inside.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK\r\nda");
    inside.write_all(b"ping").await.unwrap();
    let mut ping = [0; 4];
    outside.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"ping");
    outside.write_all(b"pong!").await.unwrap();
    drop(outside);
    let mut rest = Vec::new();
    timeout(LIMIT, inside.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    assert!(rest.ends_with(b"pong!"), "{rest:?}");
    drop(inside);
    let record = bench.record().await;
    assert_eq!(record.outcome, Outcome::Answered(200));
    assert_eq!(
        (record.host, record.sent_bytes, record.received_bytes),
        (address.to_string(), 4, 5)
    );
    bench.end().await;
}

#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_refused() {
    // On the list by name, and not by address.
    let egress = Egress::new(vec![Entry::parse("localhost:8443").unwrap()]);
    let mut bench = Bench::new(Ways {
        model: None,
        egress,
    });
    let answer = bench
        .raw("CONNECT localhost:8443 HTTP/1.1\r\nHost: localhost:8443\r\n\r\n")
        .await;
    assert!(
        answer.contains("x-anchorhold-rule: private-address\r\n"),
        "{answer}"
    );
    assert_eq!(
        bench.record().await.outcome,
        Outcome::Refused(Rule::PrivateAddress)
    );
    bench.end().await;
}

#[tokio::test]
async fn a_model_that_does_not_answer_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut bench = Bench::new(ways(address));
    let answer = bench.call(CALL).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert!(!answer.contains(KEY), "{answer}");
    assert_eq!(bench.record().await.outcome, Outcome::Unreachable);
    bench.end().await;
}

#[test]
fn a_key_is_never_shown() {
    let ways = ways(nobody());
    let shown = format!("{ways:?}");
    assert!(shown.contains("Key(..)") && !shown.contains(KEY), "{shown}");
    assert!(Key::new("a\r\nb").is_err());
    assert!(Key::new("").is_err());
}

/// What the broker adds to a first byte, and how much goes through a tunnel; it prints both.
/// Run it with `--release` for figures: the limits here are those of a busy machine.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_fast_enough_to_be_no_concern() {
    const CALLS: usize = 200;
    const MOVED: usize = 256 * 1024 * 1024;
    let clock = Real;
    let tasks = TaskTracker::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for _ in 0..2 * CALLS {
            read_request(&mut stream).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap();
        }
        let (mut stream, _) = listener.accept().await.unwrap();
        let chunk = vec![7; 256 * 1024];
        for _ in 0..MOVED / chunk.len() {
            stream.write_all(&chunk).await.unwrap();
        }
    });
    let bench = Bench::new(ways(address));
    let mut records = bench.records;
    tasks.spawn(async move { while records.recv().await.is_some() {} });
    let len = CALL.len();
    let request = format!(
        "POST /model/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len}\r\n\r\n{CALL}"
    );
    let socket = bench.dir.path().join("broker");
    let mut inside = UnixStream::connect(&socket).await.unwrap();
    let mut through = Vec::new();
    for _ in 0..2 * CALLS {
        let started = clock.mono();
        inside.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"ok") {
            let mut chunk = [0; 1024];
            let len = inside.read(&mut chunk).await.unwrap();
            seen.extend_from_slice(&chunk[..len]);
        }
        through.push(clock.mono() - started);
    }
    through.drain(..CALLS);
    through.sort_unstable();
    let median = through[CALLS / 2];
    let mut inside = UnixStream::connect(&socket).await.unwrap();
    let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    inside.write_all(request.as_bytes()).await.unwrap();
    let started = clock.mono();
    let (mut moved, mut chunk) = (0, vec![0; 256 * 1024]);
    while moved < MOVED {
        let len = inside.read(&mut chunk).await.unwrap();
        assert!(len > 0, "the tunnel ended after {moved} bytes");
        moved += len;
    }
    let rate =
        f64::from(u32::try_from(MOVED).unwrap()) / (clock.mono() - started).as_secs_f64() / 1e6;
    println!("a whole call takes {median:?} at the median; a tunnel carries {rate:.0} MB/s");
    assert!(median < Duration::from_millis(100), "{median:?}");
    assert!(rate > 20.0, "{rate} MB/s");
}
