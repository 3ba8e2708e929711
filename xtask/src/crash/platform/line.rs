//! One connection to the channel, which never blocks.

use std::{
    io::{self, ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Value, json};

/// No line of a run is longer.
const LINE_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// How long a host that is alive may take to read.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// So much is read at once.
const READS_LIMIT: usize = 64;

/// What the host says, as far as it matters.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Heard {
    Accepted {
        id: String,
        status: String,
    },
    Message {
        id: String,
        in_reply_to: Option<String>,
        voice: Option<String>,
        text: String,
    },
    Error {},
    #[serde(other)]
    Other,
}

/// What one reading brought.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) lines: Vec<Heard>,
    /// Is the host still there?
    pub(super) open: bool,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    rest: Vec<u8>,
}

impl Wire {
    /// Takes a place on the conversation `name`.
    pub(super) fn connect(socket: &Path, name: &str) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(WRITE_LIMIT))?;
        let mut wire = Self {
            stream,
            rest: Vec::new(),
        };
        wire.write(&json!({"type": "hello", "name": name, "acks": true}))?;
        Ok(wire)
    }

    /// Says one line.
    pub(super) fn write(&mut self, line: &Value) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.write_all(format!("{line}\n").as_bytes())
    }

    /// The lines that are there.
    pub(super) fn read(&mut self) -> Reading {
        let mut open = self.stream.set_nonblocking(true).is_ok();
        let mut bytes = [0; 16 * 1024];
        for _ in 0..READS_LIMIT {
            match self.stream.read(&mut bytes) {
                Ok(0) => {
                    open = false;
                    break;
                }
                Ok(len) => self.rest.extend(bytes.iter().take(len)),
                Err(err) if err.kind() == ErrorKind::WouldBlock => break,
                Err(err) if err.kind() == ErrorKind::Interrupted => {}
                Err(_broken) => {
                    open = false;
                    break;
                }
            }
        }
        let mut parts: Vec<Vec<u8>> = self
            .rest
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect();
        self.rest = parts.pop().unwrap_or_default();
        open &= self.rest.len() <= LINE_LIMIT_BYTES;
        let mut lines = Vec::with_capacity(parts.len());
        for part in parts {
            match serde_json::from_slice(&part) {
                Ok(line) => lines.push(line),
                Err(_no_line) => open = false,
            }
        }
        Reading { lines, open }
    }
}
