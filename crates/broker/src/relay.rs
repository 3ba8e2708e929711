//! A call of the model: its content judged, the key put in, the answer streamed back untouched.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use anchorhold_core::way_out::ModelApi;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::{
    Request, Response,
    body::{Body as _, Frame, Incoming},
    header::{
        ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    },
};
use tokio::time::timeout;
use tracing::warn;

use crate::{
    answer::{Body, Entry, unreachable, whole},
    body,
    policy::Call,
    record::Outcome,
    refusal::{Refusal, Rule},
    report,
    server::Line,
    usage::Tap,
    ways::Model,
};

/// How long the content of a call may take to arrive.
const BODY_TIME: Duration = Duration::from_mins(1);
/// How much of an answer that is an error is looked through.
const ERROR_LIMIT_BYTES: usize = 256 * 1024;
/// What stands where a provider's error quoted the key.
const WITHOUT_KEY: &[u8] = b"[key]";

/// Headers that go out; all others, and with them any credential, stay.
const OUTWARD: &[&str] = &[
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "openai-beta",
    "user-agent",
];
/// Headers that come back.
const INWARD: &[&str] = &[
    "content-type",
    "request-id",
    "retry-after",
    "retry-after-ms",
    "x-request-id",
    "x-should-retry",
];
const INWARD_STARTS: &[&str] = &["anthropic-ratelimit-", "x-ratelimit-"];

/// Relays one call; a refusal is told to the caller, who has the record.
pub(crate) async fn call(
    line: &Arc<Line>,
    mut entry: Entry,
    request: Request<Incoming>,
    (call, model): (Call, Arc<Model>),
) -> Result<Response<Body>, (Entry, Refusal)> {
    let host = model
        .base_url
        .split_once("://")
        .map_or("", |(_, rest)| rest);
    entry.toward(host.split('/').next().unwrap_or_default());
    entry.of_model(&model);
    let (head, content) = request.into_parts();
    let room = match line.room_for(content.size_hint().upper()).await {
        Ok(room) => room,
        Err(refusal) => return Err((entry, refusal)),
    };
    let content = match receive(content).await {
        Ok(content) => content,
        Err(refusal) => return Err((entry, refusal)),
    };
    if let Err(refusal) = body::judge(&content, &model.id) {
        return Err((entry, refusal));
    }
    entry.sent(count(content.len()));
    let query = call
        .query
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let url = format!("{}{}{query}", model.base_url, call.kind.path());
    let client = match line.client() {
        Ok(client) => client,
        Err(what) => {
            entry.outcome(Outcome::Unreachable);
            return Ok(unreachable(what));
        }
    };
    let sent = client
        .post(url)
        .headers(outward(&head.headers, &model))
        .body(content)
        .send();
    let answer = match sent.await {
        Ok(answer) => answer,
        Err(failure) => {
            warn!(session = %line.session(), error = %report(&failure.without_url()), "model not reached");
            entry.outcome(Outcome::Unreachable);
            return Ok(unreachable("the model's server does not answer the host"));
        }
    };
    drop(room);
    entry.outcome(Outcome::Answered(answer.status().as_u16()));
    Ok(pass_back(answer, entry, model).await)
}

async fn receive(content: Incoming) -> Result<Bytes, Refusal> {
    let content = Limited::new(content, body::LIMIT_BYTES).collect();
    match timeout(BODY_TIME, content).await {
        Ok(Ok(content)) => Ok(content.to_bytes()),
        Ok(Err(failure)) if failure.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_broken)) => Err(Rule::Malformed.refuses("the content did not come whole")),
        Err(_elapsed) => Err(Rule::TooSlow.refuses("")),
    }
}

pub(crate) fn too_large() -> Refusal {
    Rule::TooLarge.refuses(format!("at most {} bytes", body::LIMIT_BYTES))
}

fn outward(from: &HeaderMap, model: &Model) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in OUTWARD {
        if let Some(value) = from.get(*name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    let Some(key) = &model.key else {
        return headers;
    };
    let (name, value) = match model.api {
        ModelApi::Anthropic => (
            HeaderName::from_static("x-api-key"),
            key.expose().to_owned(),
        ),
        ModelApi::OpenAi => (AUTHORIZATION, format!("Bearer {}", key.expose())),
    };
    if let Ok(mut value) = HeaderValue::from_str(&value) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

async fn pass_back(
    answer: reqwest::Response,
    mut entry: Entry,
    model: Arc<Model>,
) -> Response<Body> {
    let status = answer.status();
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers() {
        let name_text = name.as_str();
        if INWARD.contains(&name_text)
            || INWARD_STARTS
                .iter()
                .any(|start| name_text.starts_with(start))
        {
            headers.append(name.clone(), value.clone());
        }
    }
    let content = if status.is_success() {
        let streamed = headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let streamed = streamed.is_some_and(|kind| kind.starts_with("text/event-stream"));
        if let Some(len) = answer.headers().get(CONTENT_LENGTH) {
            headers.insert(CONTENT_LENGTH, len.clone());
        }
        passing(Passing {
            from: Box::pin(answer.bytes_stream()),
            tap: Some(Tap::new(streamed)),
            entry,
            model: Some(model),
        })
    } else {
        let content = without_key(bounded(answer).await, &model);
        entry.received(count(content.len()));
        whole(content)
    };
    let mut response = Response::new(content);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// The beginning of an error; what is longer or breaks off is no use to anybody.
async fn bounded(answer: reqwest::Response) -> Vec<u8> {
    let mut content = Vec::new();
    let mut parts = answer.bytes_stream();
    while let Some(Ok(part)) = parts.next().await {
        let room = ERROR_LIMIT_BYTES.saturating_sub(content.len());
        content.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
        if room <= part.len() {
            break;
        }
    }
    content
}

/// Some servers quote in an error what they were sent.
fn without_key(content: Vec<u8>, model: &Model) -> Bytes {
    let Some(key) = &model.key else {
        return content.into();
    };
    let key = key.expose().as_bytes();
    let mut clean = Vec::with_capacity(content.len());
    let mut rest = content.as_slice();
    while let Some(at) = rest.windows(key.len()).position(|window| window == key) {
        let (before, after) = rest.split_at(at);
        clean.extend_from_slice(before);
        clean.extend_from_slice(WITHOUT_KEY);
        rest = after.get(key.len()..).unwrap_or_default();
    }
    clean.extend_from_slice(rest);
    clean.into()
}

type Chunks = Pin<Box<dyn Stream<Item = Result<Bytes, reqwest::Error>> + Send>>;

/// An answer on its way in. Its record is complete when it ends, or when it is dropped.
pub(crate) struct Passing {
    pub(crate) from: Chunks,
    pub(crate) tap: Option<Tap>,
    pub(crate) entry: Entry,
    pub(crate) model: Option<Arc<Model>>,
}

impl Drop for Passing {
    fn drop(&mut self) {
        if let Some(usage) = self.tap.as_mut().and_then(Tap::usage) {
            let prices = self.model.as_ref().and_then(|model| model.prices);
            let cost = prices.map(|prices| prices.cost_micros(&usage));
            self.entry.used(usage, cost);
        }
    }
}

/// Each part goes on as it comes.
pub(crate) fn passing(passing: Passing) -> Body {
    let parts = stream::unfold(passing, |mut passing| async move {
        let part = passing.from.next().await?;
        if let Ok(part) = &part {
            passing.entry.received(count(part.len()));
            if let Some(tap) = &mut passing.tap {
                tap.pass(part);
            }
        }
        let frame = part
            .map(Frame::data)
            .map_err(|failure| io::Error::other(failure.without_url()));
        Some((frame, passing))
    });
    StreamBody::new(parts).boxed_unsync()
}

pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
