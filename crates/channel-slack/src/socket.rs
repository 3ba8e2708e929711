//! Socket Mode: <https://docs.slack.dev/apis/events-api/using-socket-mode>.
//!
//! Slack sends what happens over a websocket that we open, and offers again what is not acknowledged.
//! It asks for another websocket now and then; the old one goes once the new one is there.

use std::{mem::take, pin::pin, time::Duration};

use anchorhold_channel::{ChannelContext, ChannelError, Secret};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use crate::{
    adapter::SlackAdapter,
    lanes::{Come, Lanes},
    link::{Frame, Link, lost},
    wire::Envelope,
};

/// For so long Slack offers again by itself what nobody has acknowledged.
const OFFERED_AGAIN: Duration = Duration::from_mins(4);

/// Receives until something ends it for good.
pub(crate) async fn run(
    adapter: &SlackAdapter,
    cx: &ChannelContext,
    app_token: &Secret,
) -> Result<(), ChannelError> {
    let me = adapter.me().await?;
    let mut receiving = Receiving {
        adapter,
        cx,
        lanes: Lanes::new(move |work| {
            let me = me.clone();
            Box::pin(async move { adapter.take(cx, &me, &work).await })
        }),
        durable: Vec::new(),
        failed: 0,
    };
    let mut link = None;
    // What was said before, nobody has heard.
    let mut heard: Option<Instant> = None;
    loop {
        let opened = receiving.meanwhile(open(adapter, app_token)).await;
        let ended = match opened {
            Ok(next) => {
                cx.health.connected();
                cx.health.inbound();
                if heard.is_none_or(|heard| heard.elapsed() > OFFERED_AGAIN) {
                    receiving.catch_up();
                }
                // Only now does an earlier one go.
                let link = link.insert(next);
                let ended = receiving.serve(link).await;
                heard = Some(Instant::now());
                ended
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            link = None;
            receiving.pause_after(error).await?;
        }
    }
}

/// Opens a websocket and is greeted on it.
async fn open(adapter: &SlackAdapter, app_token: &Secret) -> Result<Link, ChannelError> {
    let url = adapter.api.open_connection(app_token).await?;
    let mut link = Link::open(adapter.api.websocket(url)).await?;
    let greeted = async {
        loop {
            let envelope = match link.next().await? {
                Frame::Text(text) => read(&text),
                Frame::Sign => continue,
            };
            match envelope {
                Some(envelope) if envelope.kind == "hello" => return Ok(envelope.num_connections),
                Some(envelope) if envelope.kind == "disconnect" => {
                    return Err(asked_to_go(&envelope));
                }
                Some(_) | None => {}
            }
        }
    };
    let connections = timeout(adapter.waits.sign, greeted).await.map_err(lost)??;
    // Two are there for a moment when one takes the other one's place.
    if connections.is_some_and(|connections| connections > 2) {
        warn!(
            connections,
            "another program listens with this app-level token, and each gets only a part"
        );
    }
    Ok(link)
}

fn read(text: &str) -> Option<Envelope> {
    serde_json::from_str(text).ok()
}

/// What it means that Slack ends a connection.
fn asked_to_go(envelope: &Envelope) -> ChannelError {
    if envelope.reason.as_deref() == Some("link_disabled") {
        return ChannelError::Permanent {
            reason: "Socket Mode is switched off for the app: switch it on under Socket Mode in \
                     the app's settings"
                .to_owned(),
        };
    }
    lost("Slack asks for another connection")
}

struct Receiving<'a> {
    adapter: &'a SlackAdapter,
    cx: &'a ChannelContext,
    lanes: Lanes<'a, String>,
    /// The envelopes that are durable and not acknowledged yet.
    durable: Vec<String>,
    failed: u32,
}

impl Receiving<'_> {
    /// Asks for what nobody has heard.
    fn catch_up(&mut self) {
        for come in self.adapter.missed() {
            if self.lanes.push(come, None).is_err() {
                warn!("too much is under way: what was missed is not asked for");
            }
        }
    }

    /// Does something while what has come is taken.
    async fn meanwhile<T>(&mut self, doing: impl Future<Output = T>) -> T {
        let mut doing = pin!(doing);
        loop {
            tokio::select! {
                done = &mut doing => return done,
                envelopes = self.lanes.done() => self.durable.extend(envelopes),
            }
        }
    }

    /// Serves a websocket until another one is asked for; an error says that it is lost.
    async fn serve(&mut self, link: &mut Link) -> Result<(), ChannelError> {
        let waits = self.adapter.waits;
        let mut asked = false;
        let mut until = Instant::now() + waits.silence;
        loop {
            for envelope in take(&mut self.durable) {
                link.say(json!({ "envelope_id": envelope }).to_string())
                    .await?;
            }
            tokio::select! {
                frame = link.next() => {
                    let frame = frame?;
                    self.cx.health.inbound();
                    asked = false;
                    until = Instant::now() + waits.silence;
                    if let Frame::Text(text) = frame && self.hear(&text)? {
                        return Ok(());
                    }
                }
                envelopes = self.lanes.done() => self.durable.extend(envelopes),
                () = sleep_until(until) => {
                    if asked {
                        return Err(lost("nobody is there any more"));
                    }
                    link.ping().await?;
                    asked = true;
                    until = Instant::now() + waits.sign;
                }
            }
        }
    }

    /// Takes words of Slack on; `true` where it asks for another websocket.
    fn hear(&mut self, text: &str) -> Result<bool, ChannelError> {
        let Some(envelope) = read(text) else {
            warn!("what can't be read is ignored");
            return Ok(false);
        };
        if envelope.kind == "disconnect" {
            info!(
                reason = envelope.reason.as_deref().unwrap_or_default(),
                "another connection is asked for"
            );
            let error = asked_to_go(&envelope);
            return if matches!(error, ChannelError::Transient { .. }) {
                Ok(true)
            } else {
                Err(error)
            };
        }
        let Some(id) = envelope.envelope_id.clone() else {
            return Ok(false);
        };
        // What comes over it shows that the connection is a good one.
        self.failed = 0;
        match Come::of_envelope(&envelope) {
            Some(come) => {
                if self.lanes.push(come, Some(id)).is_err() {
                    warn!("too much is under way: an envelope stays with Slack");
                }
            }
            None => self.durable.push(id),
        }
        Ok(false)
    }

    /// Waits before the next websocket; too many failures in a row are a lost connection.
    async fn pause_after(&mut self, error: ChannelError) -> Result<(), ChannelError> {
        if !matches!(error, ChannelError::Transient { .. }) {
            return Err(error);
        }
        self.failed += 1;
        let Some(pause) = self.adapter.waits.pace.pause(self.failed) else {
            return Err(error);
        };
        warn!(%error, failed = self.failed, "the connection to Slack is lost");
        self.cx.health.reconnecting(&error.to_string());
        self.meanwhile(sleep(pause)).await;
        Ok(())
    }
}
