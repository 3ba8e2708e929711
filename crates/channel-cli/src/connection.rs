//! One client's connection, from its first line to its last.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{Accepted, Answered, FactoryContext, HealthReporter, Inbox, IntakeError};
use anchorhold_core::{
    address::Address,
    ids::{ChatId, PlatformMessageId, QuestionId},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _},
    net::UnixStream,
    sync::mpsc,
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    decode, encode,
    hub::{Hub, Outgoing, Peer, Seat},
    lines::{Line, LineReader},
    wire::{AcceptedStatus, ClientLine, DEFAULT_NAME, LINE_LIMIT_BYTES, ServerLine, WireFile},
};

/// How long a client may take to say its first line.
const FIRST_LINE_LIMIT: Duration = Duration::from_mins(1);
/// How long one line may take to be written; a client that does not read is then disconnected.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long what is queued may take once the client says nothing more.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(1);

/// What all connections of one run share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) cx: FactoryContext,
    pub(crate) hub: Arc<Hub>,
    pub(crate) inbox: Inbox,
    pub(crate) health: HealthReporter,
    pub(crate) tracker: TaskTracker,
}

/// Serves a client until it leaves, breaks the rules, stops reading, or `gone` fires.
pub(crate) async fn serve(shared: Shared, stream: UnixStream, gone: CancellationToken) {
    // Whatever ends this future, also a panic in it, ends the sends that wait for this client.
    let _ended = gone.clone().drop_guard();
    let (read, write) = stream.into_split();
    let (peer, line_rx) = Peer::new(gone.clone());
    let random = shared.cx.entropy.bytes();
    let mut client = Client {
        shared,
        peer,
        seat: None,
        random,
        made_ids: 0,
    };
    let talk = async {
        let mut writing = std::pin::pin!(write_lines(write, line_rx));
        tokio::select! {
            () = &mut writing => return,
            () = client.read_lines(LineReader::new(read)) => {}
        }
        // Nothing new is queued from here on; what is there is still written.
        drop(client);
        if time::timeout(LAST_LINES_LIMIT, writing).await.is_err() {
            tracing::debug!("last lines not written");
        }
    };
    tokio::select! {
        () = talk => {}
        () = gone.cancelled() => {}
    }
}

/// Writes what is queued until the queue's other ends are gone or the client no longer takes it.
async fn write_lines(mut to: impl AsyncWrite + Unpin, mut line_rx: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = line_rx.recv().await {
        let write = async {
            to.write_all(&outgoing.line).await?;
            to.flush().await
        };
        match time::timeout(WRITE_LIMIT, write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = %error, "client went away");
                return;
            }
            Err(_elapsed) => {
                tracing::warn!("client does not read, disconnected");
                return;
            }
        }
        if let Some(written_tx) = outgoing.written_tx {
            // silent: one client's word is enough, the send may be over
            let _heard = written_tx.try_send(());
        }
    }
}

struct Client {
    shared: Shared,
    peer: Peer,
    /// Where the client sits, from its first good line on.
    seat: Option<Seat>,
    random: [u8; 10],
    made_ids: u64,
}

impl Client {
    async fn read_lines(&mut self, mut lines: LineReader<impl AsyncRead + Unpin>) {
        let first = time::timeout(FIRST_LINE_LIMIT, self.take_seat(&mut lines)).await;
        match first {
            Ok(true) => while self.read_line(&mut lines).await {},
            Ok(false) => {}
            Err(_elapsed) => self.complain("no line came in time").await,
        }
    }

    /// Reads until the client has a seat; `false` when it has left before.
    async fn take_seat(&mut self, lines: &mut LineReader<impl AsyncRead + Unpin>) -> bool {
        while self.seat.is_none() {
            if !self.read_line(lines).await {
                return false;
            }
        }
        true
    }

    /// Reads and handles one line; `false` at the end.
    async fn read_line(&mut self, lines: &mut LineReader<impl AsyncRead + Unpin>) -> bool {
        match lines.next().await {
            Ok(Line::Whole(line)) => {
                // A blank line is nothing: people press return.
                if !line.trim_ascii().is_empty() {
                    self.handle(&line).await;
                }
                true
            }
            Ok(Line::TooLong) => {
                let what = format!("a line has at most {LINE_LIMIT_BYTES} bytes");
                self.complain(&what).await;
                false
            }
            Ok(Line::End { half: true }) => {
                self.complain("the last line has no end and is not taken")
                    .await;
                false
            }
            Ok(Line::End { half: false }) => false,
            Err(error) => {
                tracing::debug!(error = %error, "client went away");
                false
            }
        }
    }

    async fn handle(&mut self, line: &[u8]) {
        let line = match decode::line(line) {
            Ok(line) => line,
            Err(what) => return self.complain(&what).await,
        };
        match line {
            ClientLine::Hello { name, acks } => self.hello(&name, acks).await,
            ClientLine::Message { id, text, files } => self.message(id, text, files).await,
            ClientLine::Answer { question, option } => self.answer(question, option).await,
            ClientLine::Ack { id } => match &self.seat {
                Some(seat) => self.shared.hub.ack(&seat.chat, id),
                None => self.complain("an ack can't be the first line").await,
            },
        }
    }

    async fn hello(&mut self, name: &str, acks: bool) {
        if self.seat.is_some() {
            return self.complain("hello can only be the first line").await;
        }
        match decode::name(name) {
            Ok(chat) => self.sit_down(chat, acks).await,
            Err(what) => self.complain(&what).await,
        }
    }

    /// The client reads from now on: it is welcomed, then the host is told.
    async fn sit_down(&mut self, chat: ChatId, acks: bool) {
        let name = chat.as_str().to_owned();
        self.reply(&ServerLine::Welcome { name }).await;
        let address = Address {
            channel: self.shared.cx.name.clone(),
            chat: chat.clone(),
            thread: None,
        };
        let seat = self.shared.hub.join(chat, self.peer.clone(), acks);
        self.seat = Some(seat);
        let inbox = self.shared.inbox.clone();
        let gone = self.peer.gone.clone();
        // Not awaited here: the host may send at once, and this task has to read the answer.
        self.shared.tracker.spawn(async move {
            tokio::select! {
                () = inbox.present(&address) => {}
                () = gone.cancelled() => {}
            }
        });
    }

    async fn message(&mut self, given: Option<String>, text: String, files: Vec<WireFile>) {
        let made = self.made_ids;
        let id = decode::message_id(given.as_deref(), || made_id(self.random, made));
        self.made_ids += 1;
        let id = match id {
            Ok(id) => id,
            Err(what) => return self.complain(&what).await,
        };
        match self.chat().await {
            Ok(chat) => {
                let reply = self.deliver(&chat, id, text, files).await;
                self.reply(&reply).await;
            }
            Err(what) => self.complain(&what).await,
        }
    }

    /// The client's conversation: one that has not said which gets its place on the default one.
    async fn chat(&mut self) -> Result<ChatId, String> {
        if let Some(seat) = &self.seat {
            return Ok(seat.chat.clone());
        }
        let chat = decode::name(DEFAULT_NAME)?;
        self.sit_down(chat.clone(), false).await;
        Ok(chat)
    }

    async fn answer(&mut self, question: QuestionId, number: usize) {
        let reply = match decode::option(number) {
            Ok(option) => match self.chat().await {
                Ok(chat) => self.judge(&chat, question, option).await,
                Err(what) => not_answered(question, what, false),
            },
            Err(what) => not_answered(question, what, false),
        };
        self.reply(&reply).await;
    }

    /// Hands an answer to the host; the reply says what became of it.
    async fn judge(&self, chat: &ChatId, question: QuestionId, option: usize) -> ServerLine {
        let answer = match decode::answer(&self.shared.cx, chat, question, option) {
            Ok(answer) => answer,
            Err(what) => return not_answered(question, what, false),
        };
        let (taken, text) = match self.shared.inbox.answer(answer).await {
            Ok(Answered::Taken(text)) => (true, text),
            Ok(Answered::Refused(text)) => (false, text),
            Err(error @ IntakeError::Refused { .. }) => {
                return not_answered(question, error.to_string(), false);
            }
            Err(error @ (IntakeError::Unavailable(_) | IntakeError::Stopping)) => {
                return not_answered(question, error.to_string(), true);
            }
        };
        self.shared.health.inbound();
        ServerLine::Answered {
            question,
            taken,
            text,
        }
    }

    /// Hands a message to the host; the answer says what became of it.
    async fn deliver(
        &self,
        chat: &ChatId,
        message_id: PlatformMessageId,
        text: String,
        files: Vec<WireFile>,
    ) -> ServerLine {
        let id = message_id.as_str().to_owned();
        let not_taken = |what: String, again| ServerLine::Error {
            what,
            id: Some(id.clone()),
            again,
        };
        let event = match decode::event(&self.shared.cx, chat, message_id, text, files) {
            Ok(event) => event,
            Err(what) => return not_taken(what, false),
        };
        let (status, reason) = match self.shared.inbox.deliver(event).await {
            Ok(Accepted::Stored) => (AcceptedStatus::Stored, None),
            Ok(Accepted::Duplicate) => (AcceptedStatus::Duplicate, None),
            Ok(Accepted::Declined(reason)) => (AcceptedStatus::Declined, Some(reason)),
            Err(error @ IntakeError::Refused { .. }) => {
                return not_taken(error.to_string(), false);
            }
            Err(error @ (IntakeError::Unavailable(_) | IntakeError::Stopping)) => {
                return not_taken(error.to_string(), true);
            }
        };
        self.shared.health.inbound();
        ServerLine::Accepted { id, status, reason }
    }

    async fn complain(&self, what: &str) {
        let what = what.to_owned();
        let (id, again) = (None, false);
        self.reply(&ServerLine::Error { what, id, again }).await;
    }

    async fn reply(&self, line: &ServerLine) {
        match encode::bytes(line) {
            Ok(line) => self.peer.reply(line).await,
            Err(len) => tracing::warn!(len, "reply too long, not sent"),
        }
    }
}

fn not_answered(question: QuestionId, what: String, again: bool) -> ServerLine {
    ServerLine::Error {
        what,
        id: Some(question.to_string()),
        again,
    }
}

/// An id for a message that came without one: never the same again.
fn made_id(random: [u8; 10], number: u64) -> String {
    let random: Vec<String> = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("m{}-{number}", random.concat())
}
