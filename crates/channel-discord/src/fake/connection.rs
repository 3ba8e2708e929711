//! The gateway: one connection after the other, each with a session that begins or goes on.

use std::{ops::ControlFlow, sync::Arc};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};

use super::{
    TOKEN,
    state::{MESSAGE_CONTENT, State},
};

type Tx = Arc<watch::Sender<State>>;

/// How often a client is to show that it is there, in milliseconds.
const HEARTBEAT: u64 = 41_250;

/// Takes connections until `stop`.
pub(super) async fn serve(socket: TcpListener, state_tx: Tx, stop: CancellationToken) {
    let tracker = TaskTracker::new();
    while let Some(Ok((stream, _peer))) = stop.run_until_cancelled(socket.accept()).await {
        let (state_tx, stop) = (Arc::clone(&state_tx), stop.clone());
        tracker.spawn(async move {
            stop.run_until_cancelled(Box::pin(one(stream, state_tx)))
                .await
        });
    }
}

async fn one(mut stream: TcpStream, state_tx: Tx) {
    let mut turned_away = false;
    state_tx.send_if_modified(|state| {
        turned_away = state.turned_away > 0;
        state.turned_away = state.turned_away.saturating_sub(1);
        false
    });
    if turned_away {
        // silent: whoever is turned away need not stay to hear it
        let mut asked = [0; 1024];
        let _read = stream.read(&mut asked).await.is_ok();
        let answer = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
        let _told = stream.write_all(answer).await.is_ok();
        return;
    }
    let Ok((_request, socket)) = ServerBuilder::new().accept(stream).await else {
        return;
    };
    let cut = state_tx.borrow().cuts;
    let mut connection = Connection {
        socket,
        state_tx,
        cut,
        session: None,
    };
    connection.talk().await;
}

/// A session on a connection, and how much of it was told there.
#[derive(Clone, Copy)]
struct Place {
    session: usize,
    told: usize,
}

struct Connection {
    socket: WebSocketStream<TcpStream>,
    state_tx: Tx,
    cut: u64,
    session: Option<Place>,
}

impl Connection {
    async fn talk(&mut self) {
        let mut state_rx = self.state_tx.subscribe();
        let hello = json!({ "op": 10, "d": { "heartbeat_interval": HEARTBEAT, "_trace": [] } });
        let mut on = self.say(&hello).await;
        while on.is_continue() {
            on = tokio::select! {
                said = self.socket.next() => match said {
                    Some(Ok(said)) => self.hear(&said).await,
                    Some(Err(_)) | None => ControlFlow::Break(()),
                },
                changed = state_rx.changed() => match changed {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_gone) => ControlFlow::Break(()),
                },
            };
            if on.is_continue() {
                on = self.catch_up().await;
            }
        }
    }

    async fn say(&mut self, what: &Value) -> ControlFlow<()> {
        self.send(Message::text(what.to_string())).await
    }

    async fn send(&mut self, message: Message) -> ControlFlow<()> {
        match self.socket.send(message).await {
            Ok(()) => ControlFlow::Continue(()),
            Err(_broken) => ControlFlow::Break(()),
        }
    }

    async fn close(&mut self, code: u16) -> ControlFlow<()> {
        let code = CloseCode::try_from(code).ok();
        // silent: the connection is over in any case
        let _closed = self.socket.send(Message::close(code, "")).await.is_ok();
        while let Some(Ok(_)) = self.socket.next().await {}
        ControlFlow::Break(())
    }

    /// What a client says: <https://discord.com/developers/docs/events/gateway-events#send-events>.
    async fn hear(&mut self, said: &Message) -> ControlFlow<()> {
        let text = said.as_text().unwrap_or_default();
        let Ok(said) = serde_json::from_str::<Value>(text) else {
            return ControlFlow::Continue(());
        };
        let data = &said["d"];
        match said["op"].as_u64() {
            Some(1) => self.say(&json!({ "op": 11 })).await,
            Some(2 | 6) if !self.knows(data["token"].as_str()) => self.close(4004).await,
            Some(2) => self.identify(data).await,
            Some(6) => self.resume(data).await,
            Some(_) | None => ControlFlow::Continue(()),
        }
    }

    fn knows(&self, token: Option<&str>) -> bool {
        let token = token.map(|token| token.strip_prefix("Bot ").unwrap_or(token));
        token == Some(TOKEN) && !self.state_tx.borrow().revoked
    }

    async fn identify(&mut self, data: &Value) -> ControlFlow<()> {
        let intents = data["intents"].as_u64().unwrap_or_default();
        if intents & MESSAGE_CONTENT != 0 && !self.state_tx.borrow().content_allowed {
            return self.close(4014).await;
        }
        let mut session = 0;
        self.state_tx
            .send_modify(|state| session = state.begin(intents));
        self.session = Some(Place { session, told: 0 });
        ControlFlow::Continue(())
    }

    async fn resume(&mut self, data: &Value) -> ControlFlow<()> {
        let seq = data["seq"]
            .as_u64()
            .and_then(|seq| usize::try_from(seq).ok());
        let mut place = None;
        self.state_tx.send_modify(|state| {
            let mut sessions = state.sessions.iter_mut().enumerate();
            let known = sessions.find(|(_, known)| data["session_id"] == *known.id);
            if let (Some((session, known)), Some(told)) = (known, seq)
                && !known.over
                && told <= known.told.len()
            {
                known
                    .told
                    .push(("RESUMED".to_owned(), json!({ "_trace": [] })));
                state.resumed += 1;
                place = Some(Place { session, told });
            }
        });
        self.session = place;
        match place {
            Some(_) => ControlFlow::Continue(()),
            None => self.say(&json!({ "op": 9, "d": false })).await,
        }
    }

    /// Tells what has happened meanwhile, and does what tests want.
    async fn catch_up(&mut self) -> ControlFlow<()> {
        if self.state_tx.borrow().cuts != self.cut {
            return ControlFlow::Break(());
        }
        let (mut close, mut garbage) = (None, Vec::new());
        if self.session.is_some() {
            self.state_tx.send_if_modified(|state| {
                close = state.closes.pop_front();
                garbage = state.garbage.drain(..).collect();
                false
            });
        }
        for bytes in garbage {
            let message = match String::from_utf8(bytes) {
                Ok(text) => Message::text(text),
                Err(error) => Message::binary(error.into_bytes()),
            };
            if self.send(message).await.is_break() {
                return ControlFlow::Break(());
            }
        }
        for told in self.news() {
            if self.say(&told).await.is_break() {
                return ControlFlow::Break(());
            }
        }
        match close {
            Some(code) => self.close(code).await,
            None => ControlFlow::Continue(()),
        }
    }

    fn news(&mut self) -> Vec<Value> {
        let Some(place) = &mut self.session else {
            return Vec::new();
        };
        let state = self.state_tx.borrow();
        let Some(session) = state.sessions.get(place.session) else {
            return Vec::new();
        };
        let numbered = session.told.iter().zip(1_u64..).skip(place.told);
        let news: Vec<Value> = numbered
            .map(|((kind, what), seq)| json!({ "op": 0, "t": kind, "s": seq, "d": what }))
            .collect();
        place.told = session.told.len();
        news
    }
}
