//! Being called: <https://core.telegram.org/bots/api#setwebhook>.
//!
//! Telegram repeats a call until it is answered with success. So a call is answered when its update is
//! durable, and the parts of an album all at once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anchorhold_channel::{ChannelContext, ChannelError};
use anchorhold_channel_kit::webhook::{Call, Listener, Receiver, Reply, hexadecimal, is_secret};
use async_trait::async_trait;
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tracing::warn;

use crate::{
    adapter::TelegramAdapter,
    album::{self, Key},
    api::ALLOWED_UPDATES,
    config::Webhook,
    poll::Kept,
    receive::Later,
    wire::{Message, Numbered, User},
};

/// The header that proves a call.
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";
/// How many calls wait at once. More than an album has parts: they come side by side.
const CALLS_LIMIT: u16 = 20;

/// An update that somebody waits for.
struct Waiting {
    numbered: Numbered,
    reply_tx: oneshot::Sender<Reply>,
}

/// Hands proven calls to the run.
struct Door {
    secret: String,
    call_tx: mpsc::Sender<Waiting>,
}

#[async_trait]
impl Receiver for Door {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(SECRET_HEADER);
        given.is_some_and(|given| is_secret(given.as_bytes(), self.secret.as_bytes()))
    }

    async fn take(&self, call: Call) -> Reply {
        let read = serde_json::from_slice::<Value>(&call.body).ok();
        let Some(numbered) = read.and_then(Numbered::read) else {
            warn!("a call without an update is ignored");
            return Reply::of(StatusCode::BAD_REQUEST);
        };
        let (reply_tx, reply_rx) = oneshot::channel();
        let waiting = Waiting { numbered, reply_tx };
        let later = || Reply::of(StatusCode::SERVICE_UNAVAILABLE);
        if self.call_tx.send(waiting).await.is_err() {
            return later();
        }
        reply_rx.await.unwrap_or_else(|_ended| later())
    }
}

/// What Telegram is to prove itself with: made of the token, so that there is nothing to set up.
pub(crate) fn secret(token: &str) -> String {
    hexadecimal(&Sha256::digest(format!("anchorhold webhook {token}")))
}

/// An album that is waited for.
struct Gathering {
    parts: Vec<Waiting>,
    until: Instant,
}

struct Called<'a> {
    adapter: &'a TelegramAdapter,
    cx: &'a ChannelContext,
    me: User,
    written: Kept,
    albums: HashMap<Key, Gathering>,
}

/// Serves calls until something ends it.
pub(crate) async fn run(
    adapter: &TelegramAdapter,
    cx: &ChannelContext,
    hook: &Webhook,
) -> Result<(), ChannelError> {
    let me = adapter.me().await?;
    let written = Kept::read(cx).await;
    adapter.moves(|moves| moves.restore(written.moved.clone()));
    let listener = Listener::open(&hook.listen).await?;
    adapter.listens(listener.address().ok());
    let secret = secret(adapter.api.token().expose());
    let params = json!({
        "url": hook.url,
        "secret_token": secret,
        "allowed_updates": ALLOWED_UPDATES,
        "max_connections": CALLS_LIMIT,
        "drop_pending_updates": false,
    });
    adapter.api.asked::<Value>("setWebhook", &params).await?;
    cx.health.connected();
    let (call_tx, call_rx) = mpsc::channel(usize::from(CALLS_LIMIT));
    let door = Arc::new(Door { secret, call_tx });
    let mut called = Called {
        adapter,
        cx,
        me,
        written,
        albums: HashMap::new(),
    };
    // Connections end with this future, however it ends.
    let stop = cx.shutdown.child_token();
    let _ended = stop.clone().drop_guard();
    tokio::select! {
        ended = listener.serve(door, stop) => ended,
        () = called.serve(call_rx) => Ok(()),
    }
}

impl Called<'_> {
    async fn serve(&mut self, mut call_rx: mpsc::Receiver<Waiting>) {
        loop {
            let next = self.albums.values().map(|album| album.until).min();
            let far = Instant::now() + Duration::from_hours(1);
            tokio::select! {
                call = call_rx.recv() => match call {
                    Some(waiting) => self.take(waiting).await,
                    None => return,
                },
                () = sleep_until(next.unwrap_or(far)) => {}
            }
            self.take_albums().await;
            self.write().await;
        }
    }

    async fn take(&mut self, waiting: Waiting) {
        let key = album::part(&waiting.numbered).and_then(Key::of);
        if let Some(key) = key {
            let until = Instant::now() + self.adapter.waits.album;
            let album = self.albums.entry(key).or_insert_with(|| Gathering {
                parts: Vec::new(),
                until,
            });
            album.parts.push(waiting);
            album.until = until;
            return;
        }
        let taken = if let Some(update) = &waiting.numbered.update {
            self.adapter.take(self.cx, update, (&self.me, 0)).await
        } else {
            warn!(
                update = waiting.numbered.number,
                "update can't be read, ignored"
            );
            Ok(())
        };
        self.reply([waiting], taken);
    }

    /// Takes the albums that have been waited for long enough.
    async fn take_albums(&mut self) {
        let now = Instant::now();
        let ready: Vec<Key> = self
            .albums
            .iter()
            .filter(|(_, album)| album.until <= now || album.parts.len() >= album::PARTS_LIMIT)
            .map(|(key, _)| key.clone())
            .collect();
        for key in ready {
            let Some(Gathering { mut parts, .. }) = self.albums.remove(&key) else {
                continue;
            };
            parts.sort_by_key(|waiting| waiting.numbered.number);
            let messages: Vec<&Message> = parts
                .iter()
                .filter_map(|waiting| album::part(&waiting.numbered))
                .collect();
            let heard = self
                .adapter
                .hear(self.cx, (&messages, false), (&self.me, 0));
            let taken = heard.await;
            self.reply(parts, taken);
        }
    }

    fn reply(&self, answered: impl IntoIterator<Item = Waiting>, taken: Result<(), Later>) {
        let status = match taken {
            Ok(()) => {
                self.cx.health.inbound();
                StatusCode::OK
            }
            Err(later) => {
                warn!(error = %later, "an update is not taken yet");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        for waiting in answered {
            // silent: who has stopped waiting calls again
            let _gone = waiting.reply_tx.send(Reply::of(status)).is_err();
        }
    }

    /// Writes down which groups have moved, where that has changed.
    async fn write(&mut self) {
        let moved = self.adapter.moves(|moves| moves.clone());
        let now = Kept {
            moved,
            ..self.written.clone()
        };
        if now != self.written && now.write(self.cx).await {
            self.written = now;
        }
    }
}
