//! Who is connected, on which conversation, and which sends wait for an answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anchorhold_channel::HealthReporter;
use anchorhold_core::ids::ChatId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::wire::LINE_LIMIT_BYTES;

/// How many lines wait for one client at most.
const QUEUE_LINES: usize = 256;
/// How many bytes wait for one client at most: two of the longest lines.
const QUEUE_BYTES: usize = 2 * LINE_LIMIT_BYTES + 2;

/// A line on its way to one client.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) line: Arc<[u8]>,
    /// Says that the line was written; dropped without a word if it was not.
    pub(crate) written_tx: Option<mpsc::Sender<()>>,
    /// The line's share of the queue's bytes.
    _room: OwnedSemaphorePermit,
}

/// The sending side of one client's queue.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    line_tx: mpsc::Sender<Outgoing>,
    room: Arc<Semaphore>,
    /// Fires when the client is gone, or to make it go.
    pub(crate) gone: CancellationToken,
}

impl Peer {
    /// A queue for a client whose connection ends with `gone`.
    pub(crate) fn new(gone: CancellationToken) -> (Self, mpsc::Receiver<Outgoing>) {
        let (line_tx, line_rx) = mpsc::channel(QUEUE_LINES);
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        let peer = Self {
            line_tx,
            room,
            gone,
        };
        (peer, line_rx)
    }

    /// Queues a line now; a client whose queue is full is disconnected, so that nobody waits for it.
    fn push(&self, line: &Arc<[u8]>, written_tx: &mpsc::Sender<()>) {
        // silent: a line is never longer than u32::MAX, `encode::bytes` has checked it
        let len = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(len);
        let queued = room.map(|room| {
            let outgoing = Outgoing {
                line: Arc::clone(line),
                written_tx: Some(written_tx.clone()),
                _room: room,
            };
            self.line_tx.try_send(outgoing).is_ok()
        });
        if !queued.unwrap_or(false) {
            self.gone.cancel();
        }
    }

    /// Queues a line when there is room: what a client asked for itself can wait for the client.
    pub(crate) async fn reply(&self, line: Vec<u8>) {
        // silent: as in `push`
        let len = u32::try_from(line.len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(len).await else {
            return;
        };
        let outgoing = Outgoing {
            line: line.into(),
            written_tx: None,
            _room: room,
        };
        // silent: a queue without its end means that the connection is ending
        drop(self.line_tx.send(outgoing).await);
    }
}

#[derive(Debug)]
struct Member {
    number: u64,
    acks: bool,
    peer: Peer,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    ack_tx: mpsc::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    last_number: u64,
    chats: HashMap<ChatId, Vec<Member>>,
    waiters: HashMap<(ChatId, String), Vec<Waiter>>,
    health: Option<HealthReporter>,
}

impl State {
    fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

/// What the connections and the sends share.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

/// One line, handed to every client of a conversation.
#[derive(Debug)]
pub(crate) struct Posting {
    /// Hears once from each client to which the line was written; closed when none is left.
    pub(crate) written_rx: mpsc::Receiver<()>,
    /// There where a client of the conversation acknowledges.
    pub(crate) ack: Option<AwaitedAck>,
}

/// Waits for one of the clients that acknowledge.
#[derive(Debug)]
pub(crate) struct AwaitedAck {
    pub(crate) ack_rx: mpsc::Receiver<()>,
    /// One for each of those clients.
    pub(crate) gone: Vec<CancellationToken>,
    hub: Arc<Hub>,
    key: (ChatId, String),
    number: u64,
}

impl Drop for AwaitedAck {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if let Some(waiters) = state.waiters.get_mut(&self.key) {
            waiters.retain(|waiter| waiter.number != self.number);
            if waiters.is_empty() {
                state.waiters.remove(&self.key);
            }
        }
    }
}

/// A client's place on a conversation, given up when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) chat: ChatId,
    hub: Arc<Hub>,
    number: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        if let Some(members) = state.chats.get_mut(&self.chat) {
            members.retain(|member| member.number != self.number);
            if members.is_empty() {
                state.chats.remove(&self.chat);
            }
        }
    }
}

impl Hub {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the client reads what is said on `chat`.
    pub(crate) fn join(self: &Arc<Self>, chat: ChatId, peer: Peer, acks: bool) -> Seat {
        let mut state = self.state();
        let number = state.number();
        let members = state.chats.entry(chat.clone()).or_default();
        members.push(Member { number, acks, peer });
        let hub = Arc::clone(self);
        Seat { chat, hub, number }
    }

    /// Hands a line to every client on `chat`; `None` where there is none. With `ack_id`, the
    /// clients that acknowledge are waited for under that id.
    pub(crate) fn post(
        self: &Arc<Self>,
        chat: &ChatId,
        line: Vec<u8>,
        ack_id: Option<String>,
    ) -> Option<Posting> {
        let mut state = self.state();
        let number = state.number();
        let State { chats, waiters, .. } = &mut *state;
        let members = chats.get(chat)?;
        let acking = members.iter().filter(|member| member.acks);
        let gone: Vec<_> = acking.map(|member| member.peer.gone.clone()).collect();
        let ack = ack_id.filter(|_id| !gone.is_empty()).map(|id| {
            let (ack_tx, ack_rx) = mpsc::channel(1);
            let key = (chat.clone(), id);
            let waiting = waiters.entry(key.clone()).or_default();
            waiting.push(Waiter { number, ack_tx });
            AwaitedAck {
                ack_rx,
                gone,
                hub: Arc::clone(self),
                key,
                number,
            }
        });
        let (written_tx, written_rx) = mpsc::channel(1);
        let line: Arc<[u8]> = line.into();
        for member in members {
            member.peer.push(&line, &written_tx);
        }
        Some(Posting { written_rx, ack })
    }

    /// A client on `chat` says that it has `id`. An id that nobody waits for (any more) is normal.
    pub(crate) fn ack(&self, chat: &ChatId, id: String) {
        let state = self.state();
        for waiter in state.waiters.get(&(chat.clone(), id)).into_iter().flatten() {
            // silent: a full queue already holds an acknowledgement, a closed one needs none
            let _heard = waiter.ack_tx.try_send(());
        }
    }

    /// Where health is reported from now on.
    pub(crate) fn set_health(&self, health: HealthReporter) {
        self.state().health = Some(health);
    }

    /// Where health is reported, once `run` has run.
    pub(crate) fn health(&self) -> Option<HealthReporter> {
        self.state().health.clone()
    }
}
