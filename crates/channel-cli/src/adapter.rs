//! The adapter: serves the socket and hands operations to who is connected.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    BotIdentity, ChannelAdapter, ChannelCaps, ChannelContext, ChannelError, FactoryContext,
    FilesOut, Markup, PartKey, Questions, Reader, Sent, Support, TextLimit, error::Source,
};
use anchorhold_core::{
    address::Address,
    ids::{ChatId, Handle, IdError},
    outbound::{OPTIONS_LIMIT, OutboundOp},
};
use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use tokio::{
    io::AsyncWriteExt as _,
    net::UnixStream,
    sync::{Semaphore, mpsc},
    time::{self, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

use crate::{
    connection::{self, Shared},
    decode, encode,
    error::Error,
    hub::{AwaitedAck, Hub, Posting},
    socket::Listening,
    wire::{DEFAULT_NAME, ServerLine},
};

/// How many clients are served at once.
pub(crate) const CLIENTS_LIMIT: usize = 64;
/// How long a send waits for a client to acknowledge.
const ACK_LIMIT: Duration = Duration::from_secs(5);
/// How long a send waits until its line is written: longer than one write may take, so that a client
/// that does not read is known to be gone first.
const WRITTEN_LIMIT: Duration = Duration::from_secs(7);
/// How long the connections get to end when `run` does; they all wait for its token.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// How long it takes at most to tell one client too many that it is.
const TURN_AWAY_LIMIT: Duration = Duration::from_millis(100);
/// The pause after a connection could not be accepted: the process is out of some resource.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// After so many failures in a row the socket is given up, for the host to open it again.
const ACCEPT_FAILURES: u32 = 20;

const CAPS: ChannelCaps = ChannelCaps {
    text: TextLimit::Unlimited,
    markup: Markup::Markdown,
    threads: Support::No,
    edits: Support::Yes,
    deletes: Support::Yes,
    reactions: Support::Yes,
    typing: Support::Yes,
    questions: Questions::Native {
        max_options: OPTIONS_LIMIT,
    },
    opens_directs: Support::Yes,
    // With base64 and the longest text at its worst, this is what fits into one line.
    files: FilesOut::UpTo {
        text: TextLimit::Unlimited,
        count: 16,
        each_bytes: 12 * 1024 * 1024,
        total_bytes: 12 * 1024 * 1024,
    },
    dedupes_by_key: Support::Yes,
    reader: Reader::MayBeAbsent,
};

/// One socket.
#[derive(Debug)]
pub struct CliAdapter {
    cx: FactoryContext,
    socket: Utf8PathBuf,
    hub: Arc<Hub>,
}

impl CliAdapter {
    pub(crate) fn new(cx: &FactoryContext, socket: Utf8PathBuf) -> Self {
        Self {
            cx: cx.clone(),
            socket,
            hub: Arc::default(),
        }
    }

    async fn accept(
        &self,
        listening: &Listening,
        shared: &Shared,
        stop: &CancellationToken,
    ) -> Result<(), ChannelError> {
        let seats = Arc::new(Semaphore::new(CLIENTS_LIMIT));
        let mut failures = 0;
        loop {
            let stream = match listening.listener.accept().await {
                Ok((stream, _unnamed)) => stream,
                Err(source) => {
                    failures += 1;
                    shared.health.reconnecting("connections can't be accepted");
                    if failures >= ACCEPT_FAILURES {
                        let path = self.socket.clone();
                        return Err(Error::Accept { path, source }.into());
                    }
                    time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            failures = 0;
            shared.health.connected();
            if !is_ours(&stream) {
                turn_away(stream, "the socket belongs to somebody else").await;
                continue;
            }
            let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
                turn_away(stream, "too many clients").await;
                continue;
            };
            let serving = connection::serve(shared.clone(), stream, stop.child_token());
            let task = async move {
                serving.await;
                drop(seat);
            };
            // When it ends, that client is gone and its seat is free; nobody else notices.
            let span = tracing::info_span!("client", channel = %self.cx.name);
            shared.tracker.spawn(task.instrument(span));
        }
    }
}

#[async_trait]
impl ChannelAdapter for CliAdapter {
    fn caps(&self) -> &ChannelCaps {
        &CAPS
    }

    /// There are no credentials to prove: checks that the socket has a folder to be in.
    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let folder = self.socket.parent().unwrap_or(Utf8Path::new("/"));
        if !folder.is_dir() {
            let reason = format!("{folder} is not a folder");
            return Err(ChannelError::Permanent { reason });
        }
        let handle = Handle::parse("anchorhold").map_err(|error| permanent(&error))?;
        let sees = format!("Whoever can open {} is heard.", self.socket);
        Ok(BotIdentity {
            handle,
            name: None,
            sees: vec![sees],
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        let stop = cx.shutdown.child_token();
        // Connections end with this future, however it ends.
        let _stopped = stop.clone().drop_guard();
        let listening = Listening::open(&self.socket, self.cx.entropy.bytes()).await?;
        self.hub.set_health(cx.health.clone());
        cx.health.connected();
        let shared = Shared {
            cx: self.cx.clone(),
            hub: Arc::clone(&self.hub),
            inbox: cx.inbox,
            health: cx.health,
            tracker: TaskTracker::new(),
        };
        let ended = tokio::select! {
            ended = self.accept(&listening, &shared, &stop) => ended,
            () = cx.shutdown.cancelled() => Ok(()),
        };
        drop(listening);
        stop.cancel();
        shared.tracker.close();
        if timeout(STOP_GRACE, shared.tracker.wait()).await.is_err() {
            tracing::warn!(left = shared.tracker.len(), "clients outlive the run");
        }
        ended
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        let refused = |reason: String| ChannelError::Permanent { reason };
        if to.channel != self.cx.name || to.thread.is_some() {
            return Err(refused("the address is not on this channel".into()));
        }
        let line = encode::operation(op, key);
        let id = line.delivery_id().map(str::to_owned);
        let line = encode::bytes(&line)
            .map_err(|len| refused(format!("the message takes {len} bytes as a line")))?;
        let posting = self.hub.post(&to.chat, line, id);
        let Posting { written_rx, ack } = posting.ok_or(ChannelError::Absent)?;
        match ack {
            Some(ack) => acknowledged(ack).await?,
            None => written(written_rx).await?,
        }
        if let Some(health) = self.hub.health() {
            health.outbound();
        }
        let message_id = if encode::makes_message(op) {
            key.message_id().ok()
        } else {
            None
        };
        Ok(Sent { message_id })
    }

    /// The one person here is the socket's owner, whose direct chat is the default conversation:
    /// there is nothing to open.
    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        let owner = decode::owner().map_err(|error| permanent(&error))?;
        if *person != owner {
            let reason = "the only person on this channel is the socket's owner".into();
            return Err(ChannelError::Permanent { reason });
        }
        ChatId::parse(DEFAULT_NAME).map_err(|error| permanent(&error))
    }
}

fn permanent(error: &IdError) -> ChannelError {
    let reason = error.to_string();
    ChannelError::Permanent { reason }
}

/// Waits for the word of one client. With all of them gone nobody has read it for sure, and who has
/// seen it after all knows the id when it comes again.
async fn acknowledged(mut ack: AwaitedAck) -> Result<(), ChannelError> {
    let gone = std::mem::take(&mut ack.gone);
    let all_gone = async {
        for client in gone {
            client.cancelled().await;
        }
    };
    timeout(ACK_LIMIT, first_word(&mut ack.ack_rx, all_gone))
        .await
        .unwrap_or_else(|_elapsed| Err(ambiguous("no client has acknowledged the message")))
}

async fn first_word(
    ack_rx: &mut mpsc::Receiver<()>,
    all_gone: impl Future<Output = ()>,
) -> Result<(), ChannelError> {
    tokio::select! {
        biased;
        Some(()) = ack_rx.recv() => Ok(()),
        // The word of one that is gone may have come between the two looks.
        () = all_gone => ack_rx.try_recv().map_err(|_no_word| ChannelError::Absent),
    }
}

/// Waits until the line is written to one client.
async fn written(mut written_rx: mpsc::Receiver<()>) -> Result<(), ChannelError> {
    match timeout(WRITTEN_LIMIT, written_rx.recv()).await {
        Ok(Some(())) => Ok(()),
        Ok(None) => Err(ChannelError::Absent),
        Err(_elapsed) => Err(ambiguous("the message is still queued")),
    }
}

fn ambiguous(what: &'static str) -> ChannelError {
    ChannelError::Ambiguous {
        doing: "sending to a client",
        source: Source::from(what),
    }
}

/// The mode of the socket keeps others out; this also holds where a file system ignores modes.
fn is_ours(stream: &UnixStream) -> bool {
    let us = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) => peer.uid() == us || peer.uid() == 0,
        Err(error) => {
            tracing::warn!(error = %error, "peer not known, turned away");
            false
        }
    }
}

/// A new socket has room for one line, so this does not wait in practice.
async fn turn_away(mut stream: UnixStream, why: &str) {
    tracing::warn!(why, "client turned away");
    let line = ServerLine::Error {
        what: why.to_owned(),
        id: None,
        again: true,
    };
    let Ok(line) = encode::bytes(&line) else {
        return;
    };
    if timeout(TURN_AWAY_LIMIT, stream.write_all(&line))
        .await
        .is_err()
    {
        tracing::debug!("client turned away without a word");
    }
}

#[cfg(test)]
mod tests;
