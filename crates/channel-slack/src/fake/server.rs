//! The doors of the web: `/api/<method>`, `/files/<id>/<name>` and `/upload/<id>`.

use std::{io, sync::Arc};

use anchorhold_channel::{
    LimitScope,
    conformance::{Side, Trouble},
};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State as Shared},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
    },
    response::Response,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    APP_TOKEN, BOT_TOKEN,
    methods::Outcome,
    params::{LIMIT_BYTES, Params},
    state::{State, merge},
};

type Tx = Arc<watch::Sender<State>>;

/// The methods by which something is sent.
const SENDING: &[&str] = &[
    "assistant.threads.setStatus",
    "chat.delete",
    "chat.postMessage",
    "chat.update",
    "files.completeUploadExternal",
    "reactions.add",
    "reactions.remove",
];
/// The method by which something is received.
const RECEIVING: &str = "apps.connections.open";

pub(super) fn router(state_tx: Tx) -> Router {
    Router::new().fallback(serve).with_state(state_tx)
}

async fn serve(Shared(state_tx): Shared<Tx>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if let Some(method) = path.strip_prefix("/api/") {
        return call(&state_tx, method, request).await;
    }
    if let Some(file) = path.strip_prefix("/files/") {
        return file_of(&state_tx, file, request.headers());
    }
    match path.strip_prefix("/upload/") {
        Some(id) => upload(&state_tx, id, request).await,
        None => with_status(StatusCode::NOT_FOUND),
    }
}

/// Whose token a request has.
fn token(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

async fn call(state_tx: &Tx, method: &str, request: Request) -> Response {
    let token = token(request.headers()).map(str::to_owned);
    let params = Params::read(request).await;
    state_tx.send_modify(|state| state.calls.push((method.to_owned(), params.all())));
    let expect = if method == RECEIVING {
        APP_TOKEN
    } else {
        BOT_TOKEN
    };
    if token.is_none() {
        return answer(state_tx, Err("not_authed"));
    }
    if token.as_deref() != Some(expect) || state_tx.borrow().revoked {
        return answer(state_tx, Err("invalid_auth"));
    }
    let side = match method {
        RECEIVING => Some(Side::Receiving),
        method if SENDING.contains(&method) => Some(Side::Sending),
        _ => None,
    };
    if let Some(trouble) = side.and_then(|side| take_trouble(state_tx, side)) {
        if matches!(trouble, Trouble::LoseAnswer | Trouble::GarbleAnswer) {
            // silent: nobody hears what came of it
            state_tx.send_modify(|state| drop(state.call(method, &params)));
        }
        return troubled(state_tx, trouble);
    }
    let mut outcome = Err("internal_error");
    state_tx.send_modify(|state| outcome = state.call(method, &params));
    answer(state_tx, outcome)
}

/// What is answered in trouble.
fn troubled(state_tx: &Tx, trouble: Trouble) -> Response {
    match trouble {
        Trouble::Limit(LimitScope::Chat | LimitScope::Instance, wait) => {
            let mut response = answer(state_tx, Err("ratelimited"));
            *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            // Whole seconds; a shorter wait is none.
            let seconds = HeaderValue::from(wait.as_secs());
            response.headers_mut().insert("retry-after", seconds);
            response
        }
        Trouble::ServerError => with_status(StatusCode::BAD_GATEWAY),
        Trouble::Refuse => answer(state_tx, Err("is_archived")),
        Trouble::Unauthorized => answer(state_tx, Err("invalid_auth")),
        Trouble::LoseAnswer => broken(),
        Trouble::GarbleAnswer => bytes(b"{\"ok\":true,\"channel\":\"C0GE".to_vec()),
    }
}

fn take_trouble(state_tx: &Tx, side: Side) -> Option<Trouble> {
    let mut trouble = None;
    state_tx.send_modify(|state| {
        let at = state.troubles.iter().position(|(of, _)| *of == side);
        trouble = at.map(|at| state.troubles.remove(at).1);
    });
    trouble
}

/// A private file: who has no token that may see it is sent to where one logs in.
fn file_of(state_tx: &Tx, path: &str, headers: &HeaderMap) -> Response {
    let state = state_tx.borrow();
    let id = path.split('/').next().unwrap_or_default();
    let allowed = token(headers) == Some(BOT_TOKEN);
    if !allowed {
        let mut response = with_status(StatusCode::FOUND);
        let there = HeaderValue::from_static("https://fake.slack.com/?redir=files");
        response.headers_mut().insert("location", there);
        return response;
    }
    if !state.scopes.iter().any(|scope| scope == "files:read") {
        return bytes(b"<!DOCTYPE html><html><head><title>Slack</title></head></html>".to_vec());
    }
    match state.files.get(id) {
        Some((_, content)) => bytes(content.clone()),
        None => with_status(StatusCode::NOT_FOUND),
    }
}

async fn upload(state_tx: &Tx, id: &str, request: Request) -> Response {
    let content = to_bytes(request.into_body(), LIMIT_BYTES).await;
    let Ok(content) = content else {
        return with_status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let mut known = false;
    state_tx.send_modify(|state| {
        if let Some((_, place)) = state.uploads.get_mut(id) {
            *place = Some(content.to_vec());
            known = true;
        }
    });
    if known {
        bytes(format!("OK - {}", content.len()).into_bytes())
    } else {
        with_status(StatusCode::NOT_FOUND)
    }
}

fn answer(state_tx: &Tx, outcome: Outcome) -> Response {
    let body = match outcome {
        Ok(fields) => {
            let mut body = json!({ "ok": true });
            merge(&mut body, fields);
            body
        }
        Err(word) => json!({ "ok": false, "error": word }),
    };
    let scopes = state_tx.borrow().scopes.join(",");
    let mut response = json_of(&body);
    if let Ok(scopes) = HeaderValue::from_str(&scopes) {
        response.headers_mut().insert("x-oauth-scopes", scopes);
    }
    response
}

fn json_of(body: &Value) -> Response {
    let mut response = bytes(body.to_string().into_bytes());
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn bytes(body: Vec<u8>) -> Response {
    Response::new(Body::from(body))
}

fn with_status(status: StatusCode) -> Response {
    let mut response = bytes(Vec::new());
    *response.status_mut() = status;
    response
}

/// An answer whose connection breaks before it is over.
fn broken() -> Response {
    let lost = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::iter([
        Ok(Bytes::from_static(b"{\"ok\":")),
        Err(lost),
    ])))
}
