//! A client of the channel of the machine's own user; see `docs/channels/cli.md`.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use crate::machine::{Interrupts, Stopwatch};

/// Who writes on this channel, whatever the client: the socket's owner, by this handle.
pub(super) const OWNER: &str = "local";
/// How long a read waits before it looks whether somebody pressed Ctrl-C.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long anything that is waited for may take.
const LIMIT: Duration = Duration::from_mins(1);
/// No line of a measurement is longer.
const LINE_LIMIT_BYTES: usize = 1024 * 1024;

/// A client on one conversation, which acknowledges what it gets.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    interrupts: Interrupts,
    name: String,
    said: u32,
    /// What came and is no whole line yet.
    rest: Vec<u8>,
    lines: VecDeque<Vec<u8>>,
    /// The ids of what came before: the same id again is the same message again.
    seen: BTreeSet<String>,
}

/// What the host says, as far as a measurement cares.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line {
    Welcome,
    Accepted {
        status: String,
        reason: Option<String>,
    },
    Message {
        id: String,
        in_reply_to: Option<String>,
        voice: Option<String>,
        text: String,
    },
    Error {
        what: String,
    },
    #[serde(other)]
    Other,
}

/// An answer that was not acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    id: String,
    /// The message that it answers.
    pub(super) to: Option<String>,
}

impl Client {
    /// Takes a place on the conversation `name`.
    pub(super) fn connect(socket: &Path, name: &str, interrupts: &Interrupts) -> Result<Self> {
        let stream = UnixStream::connect(socket)
            .with_context(|| format!("connect to {}", socket.display()))?;
        stream.set_read_timeout(Some(LOOK_EVERY))?;
        stream.set_write_timeout(Some(LIMIT))?;
        let mut client = Self {
            stream,
            interrupts: interrupts.clone(),
            name: name.to_owned(),
            said: 0,
            rest: Vec::new(),
            lines: VecDeque::new(),
            seen: BTreeSet::new(),
        };
        client.write(&json!({"type": "hello", "name": name, "acks": true}))?;
        let first = client.line(&Stopwatch::start())?;
        ensure!(
            matches!(first, Line::Welcome),
            "the host's first line is no welcome: {first:?}"
        );
        Ok(client)
    }

    /// Says something; gives the message's id.
    pub(super) fn say(&mut self, text: &str) -> Result<String> {
        self.said = self.said.saturating_add(1);
        let id = format!("{}-{}", self.name, self.said);
        self.write(&json!({"type": "message", "id": id, "text": text}))?;
        Ok(id)
    }

    /// Waits for the agent's next answer.
    pub(super) fn answer(&mut self) -> Result<Answer> {
        let watch = Stopwatch::start();
        loop {
            match self.line(&watch)? {
                Line::Message {
                    voice: Some(voice),
                    text,
                    ..
                } if voice != "agent" => {
                    bail!("the {voice} said: {text}")
                }
                Line::Message {
                    id,
                    in_reply_to: to,
                    ..
                } => {
                    if self.seen.insert(id.clone()) {
                        return Ok(Answer { id, to });
                    }
                    self.acknowledge(&Answer { id, to })?;
                }
                Line::Accepted { status, reason } => ensure!(
                    status == "stored",
                    "a message was {status}: {}",
                    reason.unwrap_or_default()
                ),
                Line::Error { what } => bail!("the host did not take a line: {what}"),
                Line::Welcome | Line::Other => {}
            }
        }
    }

    /// Says something that the host must decline for `reason`, and waits until it has.
    pub(super) fn be_declined(&mut self, text: &str, reason: &str) -> Result<()> {
        let watch = Stopwatch::start();
        self.say(text)?;
        loop {
            match self.line(&watch)? {
                Line::Accepted {
                    status,
                    reason: given,
                } => {
                    let given = given.unwrap_or_default();
                    ensure!(
                        status == "declined" && given == reason,
                        "a message was not declined for {reason} but {status}: {given}"
                    );
                    return Ok(());
                }
                Line::Error { what } => bail!("the host did not take a line: {what}"),
                line @ Line::Message { .. } => bail!("what is declined was answered: {line:?}"),
                Line::Welcome | Line::Other => {}
            }
        }
    }

    /// Says something by an id that begins with `name`, and waits until the host has stored it.
    pub(super) fn be_stored(&mut self, text: &str, name: &str) -> Result<()> {
        let watch = Stopwatch::start();
        self.said = self.said.saturating_add(1);
        let id = format!("{name}-{}", self.said);
        self.write(&json!({"type": "message", "id": id, "text": text}))?;
        loop {
            match self.line(&watch)? {
                Line::Accepted { status, reason } => {
                    let reason = reason.unwrap_or_default();
                    ensure!(status == "stored", "a message was {status}: {reason}");
                    return Ok(());
                }
                Line::Error { what } => bail!("the host did not take a line: {what}"),
                Line::Message {
                    id,
                    in_reply_to: to,
                    ..
                } => self.acknowledge(&Answer { id, to })?,
                Line::Welcome | Line::Other => {}
            }
        }
    }

    /// Tells the host that an answer has arrived.
    pub(super) fn acknowledge(&mut self, answer: &Answer) -> Result<()> {
        self.write(&json!({"type": "ack", "id": answer.id}))
    }

    /// Says something and waits for its answer; tells how long that took.
    pub(super) fn round_trip(&mut self, text: &str) -> Result<Duration> {
        let watch = Stopwatch::start();
        let said = self.say(text)?;
        let answer = self.answer()?;
        let took = watch.elapsed();
        self.acknowledge(&answer)?;
        ensure!(
            answer.to.as_ref() == Some(&said),
            "{said} was said, and {:?} was answered",
            answer.to
        );
        Ok(took)
    }

    fn write(&mut self, line: &serde_json::Value) -> Result<()> {
        let text = format!("{line}\n");
        self.stream
            .write_all(text.as_bytes())
            .context("write to the host")
    }

    /// The next line, within the limit counted from `watch`.
    fn line(&mut self, watch: &Stopwatch) -> Result<Line> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return serde_json::from_slice(&line).context("read a line of the host");
            }
            self.interrupts.check()?;
            ensure!(
                watch.elapsed() < LIMIT,
                "the host said nothing for {} s that was waited for",
                LIMIT.as_secs()
            );
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        let length = match self.stream.read(&mut bytes) {
            Ok(0) => bail!("the host closed the connection"),
            Ok(length) => length,
            Err(err) if err.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(err) if err.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(err) => return Err(err).context("read from the host"),
        };
        self.rest.extend(bytes.iter().take(length));
        let mut lines: Vec<Vec<u8>> = self
            .rest
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        self.rest = lines.pop().unwrap_or_default();
        ensure!(self.rest.len() <= LINE_LIMIT_BYTES, "a line has no end");
        self.lines.extend(lines);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
