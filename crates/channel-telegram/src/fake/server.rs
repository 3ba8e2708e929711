//! The server's one door: `/bot<token>/<method>` and `/file/bot<token>/<path>`.

use std::{io, sync::Arc, time::Duration};

use anchorhold_channel::{
    LimitScope,
    conformance::{Side, Trouble},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State as Shared},
    http::{StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use super::{TOKEN, params::Params, state::State};

type Tx = Arc<watch::Sender<State>>;

/// What a method comes to: a result, or a code, words and parameters.
pub(super) type Outcome = Result<Value, Refusal>;

/// A refusal as the Bot API words it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) words: String,
    pub(super) parameters: Value,
}

impl Refusal {
    pub(super) fn bad(words: impl Into<String>) -> Self {
        Self::of(400, format!("Bad Request: {}", words.into()))
    }

    pub(super) fn of(code: u16, words: impl Into<String>) -> Self {
        let words = words.into();
        Self {
            code,
            words,
            parameters: Value::Null,
        }
    }

    fn limited(seconds: u64) -> Self {
        Self {
            code: 429,
            words: format!("Too Many Requests: retry after {seconds}"),
            parameters: json!({ "retry_after": seconds }),
        }
    }
}

pub(super) fn router(state_tx: Tx) -> Router {
    Router::new().fallback(serve).with_state(state_tx)
}

async fn serve(Shared(state_tx): Shared<Tx>, request: Request) -> Response {
    let path = decoded(request.uri().path());
    if let Some(file) = path.strip_prefix("/file/bot") {
        return file_of(&state_tx, file);
    }
    let call = path
        .strip_prefix("/bot")
        .and_then(|call| call.split_once('/'));
    let Some((token, method)) = call else {
        return answer(Err(Refusal::of(404, "Not Found")));
    };
    if token != TOKEN || state_tx.borrow().revoked {
        return answer(Err(Refusal::of(401, "Unauthorized")));
    }
    let method = method.to_owned();
    let params = Params::read(request).await;
    state_tx.send_modify(|state| state.calls.push((method.clone(), params.all())));
    if method == "getUpdates" {
        return poll(&state_tx, &params).await;
    }
    if !matches!(
        method.as_str(),
        "getMe" | "setWebhook" | "deleteWebhook" | "getFile" | "answerCallbackQuery"
    ) && let Some(trouble) = take_trouble(&state_tx, Side::Sending)
    {
        if matches!(trouble, Trouble::LoseAnswer | Trouble::GarbleAnswer) {
            // silent: nobody hears what came of it
            state_tx.send_modify(|state| drop(state.call(&method, &params)));
        }
        return troubled(trouble);
    }
    let mut outcome = Err(Refusal::of(500, "Internal Server Error"));
    state_tx.send_modify(|state| outcome = state.call(&method, &params));
    answer(outcome)
}

/// A path with its percent-encoding undone: some clients encode the `:` of a token.
fn decoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is answered in trouble.
fn troubled(trouble: Trouble) -> Response {
    match trouble {
        Trouble::Limit(LimitScope::Chat | LimitScope::Instance, wait) => {
            answer(Err(Refusal::limited(wait.as_secs())))
        }
        Trouble::ServerError => answer(Err(Refusal::of(502, "Bad Gateway"))),
        Trouble::Refuse => {
            let words = "Forbidden: bot was blocked by the user";
            answer(Err(Refusal::of(403, words)))
        }
        Trouble::Unauthorized => answer(Err(Refusal::of(401, "Unauthorized"))),
        Trouble::LoseAnswer => broken(),
        Trouble::GarbleAnswer => bytes(b"{\"ok\":true,\"result\":{\"message_id\":1,\"da".to_vec()),
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

/// A poll: ended by updates, by its time, by another poll, or by what a test does.
async fn poll(state_tx: &Tx, params: &Params) -> Response {
    let (mut turn, mut hooked) = (0, false);
    state_tx.send_modify(|state| {
        hooked = state.webhook.is_some();
        state.poll(params.number("offset"));
        turn = state.polls;
    });
    if hooked {
        let words = "Conflict: can't use getUpdates method while webhook is active; use \
                     deleteWebhook to delete the webhook first";
        return answer(Err(Refusal::of(409, words)));
    }
    let wait = u64::try_from(params.number("timeout").unwrap_or(0)).unwrap_or(0);
    let ended = |state: &State| {
        state.polls != turn
            || state.revoked
            || state.is_troubled(Side::Receiving)
            || !state.garbage.is_empty()
            || !state.updates.is_empty()
    };
    let mut state_rx = state_tx.subscribe();
    // silent: a poll whose time is over is answered with what there is
    drop(timeout(Duration::from_secs(wait), state_rx.wait_for(ended)).await);
    let mut garbage = None;
    state_tx.send_if_modified(|state| {
        if state.polls == turn {
            garbage = state.garbage.pop_front();
        }
        false
    });
    if let Some(garbage) = garbage {
        return bytes(garbage);
    }
    if let Some(trouble) = take_trouble(state_tx, Side::Receiving) {
        return troubled(trouble);
    }
    let state = state_tx.borrow();
    if state.revoked {
        return answer(Err(Refusal::of(401, "Unauthorized")));
    }
    if state.polls != turn {
        let words = "Conflict: terminated by other getUpdates request; make sure that only one \
                     bot instance is running";
        return answer(Err(Refusal::of(409, words)));
    }
    let updates = state.updates.iter().take(100);
    answer(Ok(updates.map(|(_, update)| update.clone()).collect()))
}

fn file_of(state_tx: &Tx, file: &str) -> Response {
    let state = state_tx.borrow();
    let path = file
        .strip_prefix(TOKEN)
        .and_then(|path| path.strip_prefix('/'));
    let found = path.and_then(|path| state.files.values().find(|(known, _)| known == path));
    match found {
        Some((_, content)) => bytes(content.clone()),
        None => answer(Err(Refusal::of(404, "Not Found"))),
    }
}

fn answer(outcome: Outcome) -> Response {
    let (code, body) = match outcome {
        Ok(result) => (200, json!({ "ok": true, "result": result })),
        Err(refusal) => {
            let mut body = json!({
                "ok": false,
                "error_code": refusal.code,
                "description": refusal.words,
            });
            if !refusal.parameters.is_null() {
                body["parameters"] = refusal.parameters;
            }
            (refusal.code, body)
        }
    };
    let mut response = bytes(body.to_string().into_bytes());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn bytes(body: Vec<u8>) -> Response {
    Response::new(Body::from(body))
}

/// An answer whose connection breaks before it is over.
fn broken() -> Response {
    let lost = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::iter([
        Ok(Bytes::from_static(b"{\"ok\":")),
        Err(lost),
    ])))
}
