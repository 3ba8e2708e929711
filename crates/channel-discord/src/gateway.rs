//! The gateway: <https://discord.com/developers/docs/events/gateway>.
//!
//! `twilight-gateway` keeps the connection: heartbeats, sessions that go on, identifying no more often
//! than allowed. What is told goes behind a queue, so that listening never waits for the host. A queue
//! that is full loses nothing: what did not get in is read later from the conversations themselves.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use anchorhold_channel::{ChannelContext, ChannelError, LimitScope};
use anchorhold_channel_kit::http::LONGEST_WAIT;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::de::DeserializeOwned;
use tokio::{sync::mpsc, time::sleep};
use tracing::{debug, warn};
use twilight_gateway::{
    ConfigBuilder, Intents, Message as Frame, Shard, ShardId,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
    queue::InMemoryQueue,
};
use twilight_model::gateway::{CloseCode, payload::outgoing::identify::IdentifyProperties};

use crate::{
    adapter::{DiscordAdapter, NO_CONTENT},
    api::REFUSED_TOKEN,
    clicks,
    kept::{Kept, Session},
    receive::{Happened, Job, Queued, Worker},
    wire::{Gateway, Head, Inside, Interaction, Reaction, Starts},
};

/// So much may wait for the host.
const QUEUE_LIMIT: usize = 1_000;
/// So many clicks may wait to be judged; who clicks in vain is told so by Discord.
const CLICKS_LIMIT: usize = 100;
/// A connection that lasted so long makes the next failure the first one again.
const STEADY: Duration = Duration::from_mins(1);
/// So often in a row the gateway may not be reached before the host decides when to try again.
const UNREACHED_LIMIT: u32 = 3;
/// The longest time until more sessions may begin.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// No bot may identify more often at once: <https://discord.com/developers/docs/events/gateway>.
const CONCURRENCY_LIMIT: u16 = 16;

/// Receives until something ends it for good.
pub(crate) async fn run(adapter: &DiscordAdapter, cx: &ChannelContext) -> Result<(), ChannelError> {
    let me = adapter.me().await?.id;
    let mut kept = Kept::read(cx).await;
    let gateway = adapter.api.gateway().await?;
    let known = |session: &Session| adapter.api.trusts("ws", &session.url);
    kept.session = kept.session.filter(known);
    if kept.session.is_none() {
        may_begin(gateway.session_start_limit)?;
    }
    let shard = shard(adapter, &gateway, kept.session.as_ref());
    let (jobs_tx, jobs_rx) = mpsc::channel(QUEUE_LIMIT);
    let (clicks_tx, clicks_rx) = mpsc::channel(CLICKS_LIMIT);
    let listening = Listening {
        adapter,
        cx,
        shard,
        jobs_tx,
        clicks_tx,
        missed: false,
        closed: None,
        up_since: None,
        failed: 0,
        unreached: 0,
    };
    let worker = Worker::new((adapter, cx), me, kept);
    tokio::select! {
        ended = Box::pin(listening.run()) => ended,
        () = Box::pin(worker.run(jobs_rx)) => Ok(()),
        () = Box::pin(clicks::run(adapter, cx, clicks_rx)) => Ok(()),
    }
}

/// May a session begin? Discord takes a bot's token away that begins too many of them.
fn may_begin(starts: Starts) -> Result<(), ChannelError> {
    if starts.remaining > 0 {
        return Ok(());
    }
    warn!(total = starts.total, "no session may begin for now");
    Err(ChannelError::RateLimited {
        retry_after: Duration::from_millis(starts.reset_after).min(LONGEST_WAIT),
        scope: LimitScope::Instance,
    })
}

fn shard(
    adapter: &DiscordAdapter,
    gateway: &Gateway,
    session: Option<&Session>,
) -> Shard<InMemoryQueue> {
    let starts = gateway.session_start_limit;
    let queue = InMemoryQueue::new(
        starts.max_concurrency.clamp(1, CONCURRENCY_LIMIT),
        starts.remaining,
        Duration::from_millis(starts.reset_after.min(DAY_MS)),
        starts.total.max(starts.remaining),
    );
    let token = adapter.api.token().expose().to_owned();
    let properties = IdentifyProperties::new("anchorhold", "anchorhold", std::env::consts::OS);
    let mut config = ConfigBuilder::new(token, intents(adapter.message_content))
        .queue(queue)
        .identify_properties(properties)
        .proxy_url(gateway.url.trim_end_matches('/').to_owned());
    if let Some(Session { id, url, seq }) = session {
        config = config
            .session(twilight_gateway::Session::new(*seq, id.clone()))
            .resume_url(url.trim_end_matches('/').to_owned());
    }
    Shard::with_config(ShardId::ONE, config.build())
}

/// What is to be told: <https://discord.com/developers/docs/events/gateway#gateway-intents>.
fn intents(message_content: bool) -> Intents {
    let mut intents = Intents::GUILDS
        | Intents::GUILD_MESSAGES
        | Intents::GUILD_MESSAGE_REACTIONS
        | Intents::DIRECT_MESSAGES
        | Intents::DIRECT_MESSAGE_REACTIONS;
    intents.set(Intents::MESSAGE_CONTENT, message_content);
    intents
}

struct Listening<'a> {
    adapter: &'a DiscordAdapter,
    cx: &'a ChannelContext,
    shard: Shard<InMemoryQueue>,
    jobs_tx: mpsc::Sender<Queued>,
    clicks_tx: mpsc::Sender<Box<Interaction>>,
    /// Did something not get into the queue, of which the queue has not been told yet?
    missed: bool,
    /// The code that the connection was closed with last.
    closed: Option<u16>,
    up_since: Option<Instant>,
    /// How often in a row a connection was lost soon.
    failed: u32,
    /// How often in a row there was none.
    unreached: u32,
}

impl Listening<'_> {
    async fn run(mut self) -> Result<(), ChannelError> {
        loop {
            // The library expects from Discord what Discord promises, e.g. a pause between heartbeats
            // that is not zero, and panics at anything else.
            let next = AssertUnwindSafe(self.shard.next()).catch_unwind().await;
            let Ok(next) = next else {
                return Err(lost("the gateway said what nobody can make sense of"));
            };
            match next {
                Some(Ok(Frame::Text(text))) => self.hear(&text),
                Some(Ok(Frame::Close(frame))) => {
                    self.closed = frame.map(|frame| frame.code);
                    self.down().await?;
                }
                Some(Err(error)) if is_unreached(&error) => self.unreached()?,
                // What it says may be what people have said.
                Some(Err(_unreadable)) => warn!("what the gateway says can't be read, ignored"),
                None => return Err(fatal(self.closed)),
            }
        }
    }

    /// The connection is lost, and comes back by itself, soon at first.
    async fn down(&mut self) -> Result<(), ChannelError> {
        if is_fatal(self.closed) {
            return Ok(());
        }
        let now = self.adapter.clock.mono();
        let steady = self
            .up_since
            .take()
            .is_some_and(|since| now.duration_since(since) >= STEADY);
        self.failed = if steady { 1 } else { self.failed + 1 };
        let why = match self.closed {
            Some(code) => format!("the gateway closed the connection with code {code}"),
            None => "the connection to the gateway broke".to_owned(),
        };
        debug!(failed = self.failed, %why, "connection lost");
        self.cx.health.reconnecting(&why);
        if self.failed > 1 {
            let pause = self.adapter.waits.pace.pause(self.failed - 1);
            sleep(pause.ok_or_else(|| lost("the gateway closes every connection"))?).await;
        }
        Ok(())
    }

    fn unreached(&mut self) -> Result<(), ChannelError> {
        self.unreached += 1;
        let why = "the gateway can't be reached";
        warn!(failed = self.unreached, "{why}");
        self.cx.health.reconnecting(why);
        if self.unreached >= UNREACHED_LIMIT {
            return Err(lost(why));
        }
        Ok(())
    }

    /// Sorts what is said into the queues.
    fn hear(&mut self, text: &str) {
        self.unreached = 0;
        self.cx.health.inbound();
        // silent: the library has read it already, and has said so if it could not
        let Ok(head) = serde_json::from_str::<Head>(text) else {
            return;
        };
        let Head {
            op: 0,
            t: Some(kind),
            s: Some(seq),
        } = head
        else {
            return;
        };
        if matches!(kind.as_str(), "READY" | "RESUMED") {
            self.up_since = Some(self.adapter.clock.mono());
            self.cx.health.connected();
        }
        if kind == "INTERACTION_CREATE" {
            if let Some(click) = inside(&kind, text)
                && self.clicks_tx.try_send(click).is_err()
            {
                warn!("a click is lost, too many of them wait");
            }
            return;
        }
        if let Some(what) = read(&kind, text) {
            self.queue(Job { seq, what });
        }
    }

    /// Puts something into the queue. What comes after something that did not get in comes behind a
    /// word about that.
    fn queue(&mut self, job: Job) {
        if self.missed && self.jobs_tx.try_send(Queued::Missed).is_ok() {
            self.missed = false;
        }
        if self.missed || self.jobs_tx.try_send(Queued::Job(job)).is_err() {
            if !self.missed {
                warn!("too much waits for the host, the rest is read later");
            }
            self.missed = true;
        }
    }
}

/// What happened, where it is of a kind that matters.
fn read(kind: &str, text: &str) -> Option<Happened> {
    Some(match kind {
        "READY" => Happened::Began(inside(kind, text)?),
        "GUILD_CREATE" => Happened::Guild(inside(kind, text)?),
        "CHANNEL_CREATE" | "THREAD_CREATE" => Happened::Channel(inside(kind, text)?),
        "MESSAGE_CREATE" => Happened::Said(Box::new(inside(kind, text)?)),
        "MESSAGE_UPDATE" => Happened::Edited(Box::new(inside(kind, text)?)),
        "MESSAGE_REACTION_ADD" => Happened::Reacted(inside::<Box<Reaction>>(kind, text)?, true),
        "MESSAGE_REACTION_REMOVE" => Happened::Reacted(inside(kind, text)?, false),
        _ => return None,
    })
}

fn inside<T: DeserializeOwned>(kind: &str, text: &str) -> Option<T> {
    match serde_json::from_str::<Inside<T>>(text) {
        Ok(inside) => Some(inside.d),
        Err(error) => {
            // Where it is wrong, and nothing of what it says.
            warn!(
                kind,
                column = error.column(),
                "what happened can't be read, ignored"
            );
            None
        }
    }
}

fn is_unreached(error: &ReceiveMessageError) -> bool {
    matches!(error.kind(), ReceiveMessageErrorType::Reconnect)
}

fn is_fatal(code: Option<u16>) -> bool {
    let known = code.and_then(|code| CloseCode::try_from(code).ok());
    known.is_some_and(|code| !code.can_reconnect())
}

/// Why the gateway will not have us:
/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#gateway-gateway-close-event-codes>.
fn fatal(code: Option<u16>) -> ChannelError {
    let unauthorized = |reason: &str| ChannelError::Unauthorized {
        reason: reason.to_owned(),
    };
    let permanent = |reason: &str| ChannelError::Permanent {
        reason: reason.to_owned(),
    };
    match code {
        Some(4004) => unauthorized(REFUSED_TOKEN),
        Some(4014) => unauthorized(NO_CONTENT),
        Some(4010 | 4011) => {
            permanent("the bot is in more servers than one connection is told of, which are 2,500")
        }
        Some(4012 | 4013) => permanent("Discord does not speak this version any more: update"),
        _ => lost("the gateway has ended the connection"),
    }
}

fn lost(why: &'static str) -> ChannelError {
    ChannelError::Transient {
        doing: "listening to the gateway",
        source: why.into(),
    }
}

#[cfg(test)]
mod tests;
