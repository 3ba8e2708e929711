//! The Events API and interactions over HTTP: <https://docs.slack.dev/apis/events-api/using-http-request-urls>.
//!
//! Slack repeats a call that is not answered with success. So a call is answered when what is in it is
//! durable.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{ChannelContext, ChannelError, Secret};
use anchorhold_channel_kit::webhook::{Call, Listener, Receiver, Reply, is_fresh, is_signed};
use anchorhold_core::clock::Clock;
use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::{StatusCode, header::HeaderMap};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

use crate::{
    adapter::SlackAdapter,
    config::Webhook,
    lanes::{Come, Lanes},
    wire::{Callback, Click},
};

/// The headers that prove a call: <https://docs.slack.dev/authentication/verifying-requests-from-slack>.
const SIGNATURE: &str = "x-slack-signature";
const SIGNED_AT: &str = "x-slack-request-timestamp";
/// How the signature begins: its version.
const VERSION: &str = "v0";
/// What was signed longer ago is played again by somebody.
const WINDOW: Duration = Duration::from_mins(5);
/// How many calls wait at once.
const CALLS_LIMIT: usize = 64;

/// Hands proven calls to the run.
struct Door {
    secret: Secret,
    clock: Arc<dyn Clock>,
    call_tx: mpsc::Sender<(Come, oneshot::Sender<Reply>)>,
}

#[async_trait]
impl Receiver for Door {
    fn admits(&self, headers: &HeaderMap) -> bool {
        let signed_at = signed_at(headers).and_then(|at| at.parse().ok());
        let signed_at = signed_at.and_then(|at| Timestamp::from_second(at).ok());
        signed_at.is_some_and(|at| is_fresh(at, self.clock.now(), WINDOW))
    }

    fn is_proven(&self, call: &Call) -> bool {
        let (Some(given), Some(at)) = (text(&call.headers, SIGNATURE), signed_at(&call.headers))
        else {
            return false;
        };
        let given = given
            .strip_prefix(VERSION)
            .and_then(|rest| rest.strip_prefix('='));
        let parts: [&[u8]; 5] = [VERSION.as_bytes(), b":", at.as_bytes(), b":", &call.body];
        let secret = self.secret.expose().as_bytes();
        given.is_some_and(|given| is_signed(given, secret, &parts))
    }

    async fn take(&self, call: Call) -> Reply {
        let come = match read(&call) {
            Read::Come(come) => come,
            Read::Challenge(challenge) => {
                return Reply {
                    status: StatusCode::OK,
                    body: Some(("text/plain", challenge)),
                };
            }
            Read::Nothing => return Reply::of(StatusCode::OK),
            Read::Unreadable => {
                warn!("a call that can't be read is ignored");
                return Reply::of(StatusCode::BAD_REQUEST);
            }
        };
        let (reply_tx, reply_rx) = oneshot::channel();
        let later = || Reply::of(StatusCode::SERVICE_UNAVAILABLE);
        if self.call_tx.send((come, reply_tx)).await.is_err() {
            return later();
        }
        reply_rx.await.unwrap_or_else(|_ended| later())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn signed_at(headers: &HeaderMap) -> Option<&str> {
    text(headers, SIGNED_AT)
}

/// What a call says.
enum Read {
    Come(Come),
    /// Slack wants to see that we are who it was told to call.
    Challenge(String),
    /// It is for nobody.
    Nothing,
    Unreadable,
}

fn read(call: &Call) -> Read {
    let kind = text(&call.headers, "content-type").unwrap_or_default();
    if kind.starts_with("application/x-www-form-urlencoded") {
        let mut pairs = form_urlencoded::parse(&call.body);
        let payload = pairs.find(|(name, _)| name == "payload");
        let click = payload.and_then(|(_, payload)| serde_json::from_str::<Click>(&payload).ok());
        return match click {
            Some(click) => Come::of_click(click).map_or(Read::Nothing, Read::Come),
            None => Read::Unreadable,
        };
    }
    let Ok(callback) = serde_json::from_slice::<Callback>(&call.body) else {
        return Read::Unreadable;
    };
    match (callback.kind.as_str(), callback.challenge.clone()) {
        ("url_verification", Some(challenge)) => Read::Challenge(challenge),
        ("event_callback", _) => Come::of_event(callback).map_or(Read::Nothing, Read::Come),
        _ => Read::Unreadable,
    }
}

/// Serves calls until something ends it.
pub(crate) async fn run(
    adapter: &SlackAdapter,
    cx: &ChannelContext,
    hook: &Webhook,
) -> Result<(), ChannelError> {
    let me = adapter.me().await?;
    let listener = Listener::open(&hook.listen).await?;
    adapter.listens(listener.address().ok());
    cx.health.connected();
    let (call_tx, mut call_rx) = mpsc::channel(CALLS_LIMIT);
    let door = Arc::new(Door {
        secret: hook.signing_secret.clone(),
        clock: Arc::clone(&adapter.clock),
        call_tx,
    });
    let mut lanes = Lanes::new(move |work| {
        let me = me.clone();
        Box::pin(async move { adapter.take(cx, &me, &work).await })
    });
    for come in adapter.missed() {
        // There is room for as many as there can be.
        drop(lanes.push(come, None));
    }
    let serving = async {
        loop {
            tokio::select! {
                Some((come, reply_tx)) = call_rx.recv() => {
                    cx.health.inbound();
                    if let Err(Some(reply_tx)) = lanes.push(come, Some(reply_tx)) {
                        warn!("too much is under way: a call stays with Slack");
                        reply(reply_tx, StatusCode::SERVICE_UNAVAILABLE);
                    }
                }
                waiting = lanes.done() => {
                    for reply_tx in waiting {
                        reply(reply_tx, StatusCode::OK);
                    }
                }
                else => return,
            }
        }
    };
    // Connections end with this future, however it ends.
    let stop = cx.shutdown.child_token();
    let _ended = stop.clone().drop_guard();
    tokio::select! {
        ended = listener.serve(door, stop) => ended,
        () = serving => Ok(()),
    }
}

fn reply(reply_tx: oneshot::Sender<Reply>, status: StatusCode) {
    // silent: who has stopped waiting calls again
    let _gone = reply_tx.send(Reply::of(status)).is_err();
}
