//! HTTP around the script.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Collected, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Frame, Incoming},
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Act, Asked, FakeModels, chat, checks, messages, responses};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How the answers of one API are put together.
pub(crate) trait Api {
    /// The events of an answer in words that ends for this reason.
    fn words(&self, text: &str, why: Why) -> Vec<String>;
    /// The events of calls.
    fn calls(&self, calls: &[(&'static str, Value)]) -> Vec<String>;
    /// The event of an error.
    fn error(&self) -> String;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Done,
    Cut,
    Refused,
}

/// One piece of a stream.
enum Piece {
    Text(String),
    /// Goes on when it is released.
    Wait,
}

pub(crate) async fn serve<S>(fake: FakeModels, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let fake = fake.clone();
        async move { Ok::<_, Infallible>(answer(fake, request).await) }
    });
    // silent: how a connection ended is told by what is missing at its other end.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

async fn answer(fake: FakeModels, request: Request<Incoming>) -> Response<Body> {
    let (head, content) = request.into_parts();
    // silent: what came until it broke off is no JSON then.
    let content = content
        .collect()
        .await
        .map(Collected::to_bytes)
        .unwrap_or_default();
    let content: Value = serde_json::from_slice(&content).unwrap_or_default();
    let header = |(name, value): (&hyper::header::HeaderName, &HeaderValue)| {
        let value = value.to_str().unwrap_or("?").to_owned();
        (name.as_str().to_owned(), value)
    };
    let asked = Asked {
        path: head.uri.path().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        content: content.clone(),
    };
    let path = asked.path.clone();
    let (act, window) = fake.take(asked);
    let refused = if path.ends_with("/v1/messages") {
        checks::messages(&head.headers, &content, window)
    } else if path.ends_with("/chat/completions") {
        checks::chat(&content, window)
    } else if path.ends_with("/responses") {
        checks::responses(&content, window)
    } else {
        return error(404, "not_found_error", "no such path", None);
    };
    if let Err(what) = refused {
        fake.give_back(act);
        return error(400, "invalid_request_error", &what, None);
    }
    if path.ends_with("/v1/messages") {
        let number = fake.asked().len();
        played(fake, &messages::Messages(number), act)
    } else if path.ends_with("/responses") {
        let number = fake.asked().len();
        played(fake, &responses::Responses(number), act)
    } else {
        played(fake, &chat::Chat, act)
    }
}

fn played(fake: FakeModels, api: &impl Api, act: Act) -> Response<Body> {
    let text = |events: Vec<String>| vec![Piece::Text(events.concat())];
    let pieces = match act {
        Act::Say(words) => text(api.words(&words, Why::Done)),
        Act::Cut(words) => text(api.words(&words, Why::Cut)),
        Act::Refuse => text(api.words("", Why::Refused)),
        Act::Call(calls) => text(api.calls(&calls)),
        Act::Fail(status, message, after) => {
            let kind = match status {
                401 => "authentication_error",
                429 => "rate_limit_error",
                529 => "overloaded_error",
                _ => "api_error",
            };
            return error(status, kind, message, after);
        }
        Act::FailInside => {
            let mut events = api.words("half", Why::Done);
            events.truncate(2);
            events.push(api.error());
            text(events)
        }
        Act::Garbage => vec![Piece::Text("data: {\"what\": \n\n<html>".to_owned())],
        Act::BreakOff => {
            let mut events = api.words("half", Why::Done);
            events.truncate(2);
            text(events)
        }
        Act::Held(words) => {
            let mut events = api.words(&words, Why::Done);
            let rest = events.split_off(1);
            vec![
                Piece::Text(events.concat()),
                Piece::Wait,
                Piece::Text(rest.concat()),
            ]
        }
    };
    streamed(fake, pieces)
}

fn streamed(fake: FakeModels, pieces: Vec<Piece>) -> Response<Body> {
    let pieces = (fake, pieces.into_iter());
    let parts = stream::unfold(pieces, |(fake, mut pieces)| async move {
        let mut next = pieces.next()?;
        if matches!(next, Piece::Wait) {
            fake.released().await;
            next = pieces.next()?;
        }
        let text = match next {
            Piece::Text(text) => text,
            Piece::Wait => String::new(),
        };
        Some((Ok(Frame::data(Bytes::from(text))), (fake, pieces)))
    });
    let mut response = Response::new(StreamBody::new(parts).boxed_unsync());
    let kind = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn error(status: u16, kind: &str, message: &str, after: Option<u32>) -> Response<Body> {
    let told = json!({
        "type": "error",
        "error": { "type": kind, "message": message },
    });
    let content = Full::new(Bytes::from(told.to_string()));
    let mut response = Response::new(content.boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(after) = after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after));
    }
    response
}
