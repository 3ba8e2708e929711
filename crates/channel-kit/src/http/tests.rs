use std::{error::Error as _, net::SocketAddr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_util::task::TaskTracker;

use super::*;

const DOING: &str = "testing";
const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);
/// Stands in the URL, as tokens do.
const SECRET: &str = "123:secret";

/// A server that answers one request with these bytes and then closes.
async fn answering(bytes: &'static [u8]) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = TaskTracker::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(bytes).await.unwrap();
    });
    (address, serving)
}

async fn ask(address: SocketAddr, limit_bytes: usize) -> Result<Answer, ChannelError> {
    let http = Http::new(None).unwrap();
    let url = format!("http://{address}/bot{SECRET}/call");
    http.ask_for(DOING, http.client().get(url), limit_bytes)
        .await
}

async fn answer(bytes: &'static [u8]) -> Result<Answer, ChannelError> {
    let (address, serving) = answering(bytes).await;
    let answer = ask(address, 10).await;
    serving.await.unwrap();
    answer
}

/// Everything that an error prints, in both ways.
fn chain(error: &ChannelError) -> String {
    let mut said = vec![format!("{error} {error:?}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push(format!("{error} {error:?}"));
        cause = error.source();
    }
    said.join(" ")
}

#[tokio::test]
async fn an_answer_is_read_in_full() {
    let answer = answer(b"HTTP/1.1 404 Not Found\r\nx: y\r\ncontent-length: 3\r\n\r\nno!").await;
    let answer = answer.unwrap();
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.headers["x"], "y");
    assert_eq!(&answer.body[..], b"no!");
}

#[tokio::test]
async fn what_breaks_off_or_is_too_long_is_ambiguous_and_tells_no_secret() {
    for bytes in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nlonger than",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\nlonger than\r\n0\r\n\r\n",
        b"this is no HTTP at all\r\n\r\n",
    ] {
        let error = answer(bytes).await.unwrap_err();
        assert!(matches!(error, ChannelError::Ambiguous { .. }), "{error:?}");
        assert!(!chain(&error).contains(SECRET), "{error:?}");
    }
}

#[tokio::test]
async fn a_request_that_reaches_nobody_was_not_done() {
    let (address, serving) = answering(b"").await;
    serving.abort();
    drop(serving.await);
    let error = ask(address, 10).await.unwrap_err();
    assert!(matches!(error, ChannelError::Transient { .. }), "{error:?}");
    assert!(!chain(&error).contains(SECRET), "{error:?}");
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect() {
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let answer = answer(moved).await.unwrap();
    assert_eq!(answer.status, StatusCode::FOUND);
    let failure = answer.failure(DOING, (LimitScope::Chat, NOW), "not found");
    assert!(
        matches!(failure, Some(ChannelError::Permanent { .. })),
        "{failure:?}"
    );
}

fn of(status: u16, headers: &[(&'static str, &str)], body: &'static [u8]) -> Answer {
    let mut answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body),
    };
    for (name, value) in headers {
        answer.headers.insert(*name, value.parse().unwrap());
    }
    answer
}

#[track_caller]
fn check(status: u16, headers: &[(&'static str, &str)], expect: &str) {
    let answer = of(status, headers, b"");
    let failure = answer.failure(DOING, (LimitScope::Chat, NOW), "refused");
    let shown = failure.map_or("fine".to_owned(), |error| match error {
        ChannelError::RateLimited { retry_after, scope } => format!("{retry_after:?} {scope:?}"),
        other @ (ChannelError::Transient { .. }
        | ChannelError::Ambiguous { .. }
        | ChannelError::Permanent { .. }
        | ChannelError::Unauthorized { .. }
        | ChannelError::Absent) => format!("{other:?}")
            .split([' ', '{'])
            .next()
            .unwrap()
            .into(),
    });
    assert_eq!(shown, expect, "{status}");
}

#[test]
fn a_status_says_what_was_done() {
    check(200, &[], "fine");
    check(400, &[], "Permanent");
    check(401, &[], "Unauthorized");
    check(403, &[], "Permanent");
    check(429, &[], "5s Chat");
    check(429, &[("retry-after", "2.5")], "2.5s Chat");
    check(500, &[], "Ambiguous");
    check(502, &[], "Ambiguous");
    check(503, &[], "Transient");
    check(503, &[("retry-after", "9")], "9s Instance");
    check(504, &[], "Ambiguous");
}

#[test]
fn json_that_can_not_be_read_is_ambiguous_and_not_repeated() {
    let read = |body| of(200, &[], body).json::<Vec<String>>(DOING);
    assert_eq!(read(b"[\"a\"]").unwrap(), ["a"]);
    for body in [&b""[..], b"[\"my secret", b"{\"my secret\":1}", b"[7]"] {
        let error = read(body).unwrap_err();
        assert!(matches!(error, ChannelError::Ambiguous { .. }), "{error:?}");
        assert!(!chain(&error).contains("my secret"), "{error:?}");
    }
}

#[test]
fn a_bad_proxy_is_not_repeated() {
    let error = Http::new(Some("http://user:pass word@")).unwrap_err();
    assert!(!chain(&error).contains("pass"), "{error:?}");
}
