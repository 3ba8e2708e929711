//! The websockets of Socket Mode: each event goes over one of them, and again where it is not
//! acknowledged in time.
#![expect(
    clippy::result_large_err,
    reason = "so the handshake of a websocket refuses"
)]

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, interval},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::state::State;

type Tx = Arc<watch::Sender<State>>;

/// How often it is looked for what is to be offered again.
const LOOK: Duration = Duration::from_millis(10);

/// Takes websockets until the future is dropped.
pub(super) async fn serve(sockets: TcpListener, state_tx: Tx) {
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let _ended = stop.clone().drop_guard();
    let mut number = 0;
    while let Ok((stream, _)) = sockets.accept().await {
        number += 1;
        let (state_tx, stop) = (Arc::clone(&state_tx), stop.clone());
        // It ends with the workspace.
        tracker.spawn(async move {
            stop.run_until_cancelled(link(stream, number, state_tx))
                .await
        });
    }
}

fn admit(state_tx: &Tx, request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    let mut known = false;
    let ticket = request.uri().query().unwrap_or_default();
    let ticket = ticket
        .split('&')
        .find_map(|pair| pair.strip_prefix("ticket="));
    state_tx.send_modify(|state| known = ticket.is_some_and(|ticket| state.tickets.remove(ticket)));
    if known {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(None);
    *refusal.status_mut() = axum::http::StatusCode::FORBIDDEN;
    Err(refusal)
}

async fn link(stream: TcpStream, number: u64, state_tx: Tx) {
    let admitted = |request: &Request, response| admit(&state_tx, request, response);
    let Ok(mut stream) = accept_hdr_async(stream, admitted).await else {
        return;
    };
    let mut generation = 0;
    let mut connections = 0;
    state_tx.send_modify(|state| {
        state.connections += 1;
        (generation, connections) = (state.generation, state.connections);
    });
    let hello = json!({
        "type": "hello", "num_connections": connections,
        "connection_info": { "app_id": "A0FAKE" },
        "debug_info": { "host": "fake", "approximate_connection_time": 18060 },
    });
    if say(&mut stream, &hello).await {
        talk(&mut stream, (number, generation), &state_tx).await;
    }
    state_tx.send_modify(|state| {
        state.connections -= 1;
        for pending in &mut state.pending {
            if pending.link == Some(number) {
                pending.link = None;
            }
        }
    });
}

/// Talks until the websocket breaks.
async fn talk(
    stream: &mut WebSocketStream<TcpStream>,
    (number, generation): (u64, u64),
    state_tx: &Tx,
) {
    let mut offered: HashMap<String, (Instant, u32)> = HashMap::new();
    let mut goodbyes = state_tx.borrow().goodbyes.len();
    let mut state_rx = state_tx.subscribe();
    state_rx.mark_changed();
    let mut look = interval(LOOK);
    loop {
        tokio::select! {
            changed = state_rx.changed() => if changed.is_err() { return },
            _tick = look.tick() => {}
            come = stream.next() => match come {
                Some(Ok(Message::Text(text))) => acknowledge(state_tx, text.as_str()),
                Some(Ok(_other)) => {}
                Some(Err(_)) | None => return,
            },
        }
        if state_tx.borrow().silent {
            std::future::pending::<()>().await;
        }
        if state_tx.borrow().generation != generation {
            return;
        }
        for frame in due(state_tx, number, (&mut offered, &mut goodbyes)) {
            if stream.send(frame).await.is_err() {
                return;
            }
        }
    }
}

fn acknowledge(state_tx: &Tx, text: &str) {
    let said: Value = serde_json::from_str(text).unwrap_or_default();
    if let Some(envelope) = said["envelope_id"].as_str() {
        state_tx.send_modify(|state| state.acknowledge(envelope));
    }
}

/// What is to be sent over a websocket now.
fn due(
    state_tx: &Tx,
    number: u64,
    (offered, goodbyes): (&mut HashMap<String, (Instant, u32)>, &mut usize),
) -> Vec<Message> {
    let mut frames = Vec::new();
    let now = Instant::now();
    let text = |value: Value| Message::Text(value.to_string().into());
    state_tx.send_if_modified(|state| {
        while let Some(bytes) = state.garbage.pop_front() {
            frames.push(match String::from_utf8(bytes) {
                Ok(text) => Message::Text(text.into()),
                Err(error) => Message::Binary(error.into_bytes().into()),
            });
        }
        for reason in state.goodbyes.iter().skip(*goodbyes) {
            frames.push(text(json!({ "type": "disconnect", "reason": reason })));
        }
        *goodbyes = state.goodbyes.len();
        for pending in &mut state.pending {
            if pending.link.is_some_and(|link| link != number) {
                continue;
            }
            pending.link = Some(number);
            let last = offered.get(&pending.envelope).copied();
            let tries = match last {
                Some((at, _)) if now.duration_since(at) < state.patience => continue,
                Some((_, tries)) => tries + 1,
                None => 0,
            };
            offered.insert(pending.envelope.clone(), (now, tries));
            frames.push(text(json!({
                "type": pending.kind, "envelope_id": pending.envelope,
                "payload": pending.payload, "accepts_response_payload": false,
                "retry_attempt": tries, "retry_reason": if tries > 0 { "timeout" } else { "" },
            })));
        }
        false
    });
    frames
}

async fn say(stream: &mut WebSocketStream<TcpStream>, value: &Value) -> bool {
    stream
        .send(Message::Text(value.to_string().into()))
        .await
        .is_ok()
}
