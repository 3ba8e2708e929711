//! The other end of the socket, for the command line.

use std::{
    collections::{HashSet, VecDeque},
    io,
    time::Duration,
};

use anchorhold_core::ids::QuestionId;
use camino::{Utf8Path, Utf8PathBuf};
use tokio::{
    io::AsyncWriteExt as _,
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    time,
};

use crate::{
    encode,
    error::ClientError,
    lines::{Line, LineReader},
    wire::{ClientLine, LINE_LIMIT_BYTES, ServerLine, WireFile},
};

/// How long the host may take to welcome a client.
const WELCOME_LIMIT: Duration = Duration::from_secs(5);
/// How many ids are remembered to tell repeats.
const SEEN_LIMIT: usize = 4096;

/// A client on one conversation.
///
/// What the host delivers is acknowledged once the caller comes back for more: by then it has the
/// line. Repeats are acknowledged and dropped. Reconnecting is up to the caller, with
/// [`Client::reconnect`], which remembers what was seen.
#[derive(Debug)]
pub struct Client {
    path: Utf8PathBuf,
    name: String,
    /// Makes the ids of this client's messages unlike all others'.
    random: String,
    said: u64,
    seen: Seen,
    /// The last line that the caller got and that is to be acknowledged.
    unacknowledged: Option<String>,
    connection: Connection,
}

impl Client {
    /// Connects and waits for the welcome. `random` has to be fresh for each client.
    pub async fn connect(
        path: &Utf8Path,
        name: &str,
        random: [u8; 10],
    ) -> Result<Self, ClientError> {
        let connection = Connection::open(path, name).await?;
        let random: Vec<String> = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            path: path.to_owned(),
            name: name.to_owned(),
            random: random.concat(),
            said: 0,
            seen: Seen::default(),
            unacknowledged: None,
            connection,
        })
    }

    /// Connects anew to the same conversation. What was not acknowledged comes again from the host,
    /// and is dropped if the caller had it.
    pub async fn reconnect(&mut self) -> Result<(), ClientError> {
        self.connection = Connection::open(&self.path, &self.name).await?;
        self.unacknowledged = None;
        Ok(())
    }

    /// Says something new and returns its id, which its `accepted` or `error` line will carry.
    /// Dropped in the middle, the rest goes out with the next call.
    pub async fn say(&mut self, text: &str, files: Vec<WireFile>) -> Result<String, ClientError> {
        let id = format!("c{}-{}", self.random, self.said);
        self.said += 1;
        self.say_as(&id, text, files).await?;
        Ok(id)
    }

    /// Says something under a chosen id: with the same id it is the same message again, stored once.
    pub async fn say_as(
        &mut self,
        id: &str,
        text: &str,
        files: Vec<WireFile>,
    ) -> Result<(), ClientError> {
        let line = ClientLine::Message {
            id: Some(id.to_owned()),
            text: text.to_owned(),
            files,
        };
        self.connection.queue(&line)?;
        self.connection.flush().await.map_err(ClientError::Broken)
    }

    /// Chooses an option of a question, counted from 1. An `answered` or `error` line with the
    /// question's id says what became of it; made again, e.g. after a reconnect, it is harmless.
    /// Dropped in the middle, the rest goes out with the next call.
    pub async fn answer(&mut self, question: QuestionId, option: usize) -> Result<(), ClientError> {
        let line = ClientLine::Answer { question, option };
        self.connection.queue(&line)?;
        self.connection.flush().await.map_err(ClientError::Broken)
    }

    /// The next line, `None` once the host has closed the connection. Acknowledges the line before.
    /// Can be dropped and called again without losing anything.
    pub async fn next(&mut self) -> Result<Option<ServerLine>, ClientError> {
        self.acknowledge().await?;
        loop {
            let Some(line) = self.connection.next().await? else {
                return Ok(None);
            };
            let Some(id) = line.delivery_id() else {
                return Ok(Some(line));
            };
            self.unacknowledged = Some(id.to_owned());
            if self.seen.insert(id) {
                return Ok(Some(line));
            }
            self.acknowledge().await?;
        }
    }

    /// Acknowledges the last line and ends the connection.
    pub async fn close(mut self) -> Result<(), ClientError> {
        self.acknowledge().await?;
        let ended = self.connection.write.shutdown().await;
        ended.map_err(ClientError::Broken)
    }

    async fn acknowledge(&mut self) -> Result<(), ClientError> {
        if let Some(id) = self.unacknowledged.take() {
            self.connection.queue(&ClientLine::Ack { id })?;
        }
        self.connection.flush().await.map_err(ClientError::Broken)
    }
}

#[derive(Debug)]
struct Connection {
    lines: LineReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
    /// What is to be written, and how much of it is: kept here so that a dropped call loses nothing.
    unsent: Vec<u8>,
    sent: usize,
}

impl Connection {
    async fn open(path: &Utf8Path, name: &str) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path.as_std_path());
        let stream = stream.await.map_err(|source| ClientError::Connect {
            path: path.to_owned(),
            source,
        })?;
        let (read, write) = stream.into_split();
        let mut connection = Self {
            lines: LineReader::new(read),
            write,
            unsent: Vec::new(),
            sent: 0,
        };
        let no_welcome = || ClientError::NoWelcome {
            path: path.to_owned(),
        };
        let welcome = time::timeout(WELCOME_LIMIT, connection.greet(name)).await;
        match welcome.map_err(|_elapsed| no_welcome())?? {
            Some(ServerLine::Welcome { .. }) => Ok(connection),
            Some(ServerLine::Error { what, .. }) => Err(ClientError::Refused { what }),
            Some(_) | None => Err(no_welcome()),
        }
    }

    async fn greet(&mut self, name: &str) -> Result<Option<ServerLine>, ClientError> {
        self.queue(&ClientLine::Hello {
            name: name.to_owned(),
            acks: true,
        })?;
        let flushed = self.flush().await;
        // A host that turns clients away says why before it closes: that is read first.
        let line = self.next().await?;
        match (line, flushed) {
            (None, Err(error)) => Err(ClientError::Broken(error)),
            (line, _) => Ok(line),
        }
    }

    fn queue(&mut self, line: &ClientLine) -> Result<(), ClientError> {
        let line = encode::bytes(line).map_err(|len| ClientError::TooLong {
            len,
            limit: LINE_LIMIT_BYTES,
        })?;
        self.unsent.extend_from_slice(&line);
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.unsent.len() {
            let (_, rest) = self.unsent.split_at(self.sent);
            self.sent += self.write.write(rest).await?;
        }
        self.unsent = Vec::new();
        self.sent = 0;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<ServerLine>, ClientError> {
        match self.lines.next().await {
            Ok(Line::Whole(line)) => serde_json::from_slice(&line)
                .map(Some)
                .map_err(ClientError::Line),
            Ok(Line::TooLong) => Err(ClientError::LineTooLong),
            Ok(Line::End { .. }) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(ClientError::Broken(error)),
        }
    }
}

/// The ids that were seen last.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<String>,
    order: VecDeque<String>,
}

impl Seen {
    /// Remembers an id; `false` if it is known.
    fn insert(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > SEEN_LIMIT
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
