//! Runs a command line in the workspace.

use std::{
    io::{self, ErrorKind},
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    net::unix::pipe::Receiver,
    process::{Child, Command},
    time::timeout,
};

use crate::{
    children::Group,
    provider::TurnIo,
    tools::{ToolError, Tools},
};

/// How long a command may take unless the call says otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);
/// How long a call can let a command take at most.
const TIMEOUT_LIMIT: Duration = Duration::from_hours(1);
/// How much of the output is kept, from its beginning.
const OUTPUT_LIMIT_BYTES: usize = 64 * 1024;

pub(super) const TOOL: &str = "bash";
pub(super) const SPEC: (&str, &str) = (
    "Runs a command line in the workspace, and gives its output and how it ended. There is no \
     network but what the environment's proxy lets through. What it starts in the background ends \
     with it.",
    r#"{"type":"object","properties":{"cmd":{"type":"string","description":"The command line, for bash -c"},"timeout_s":{"type":"integer","minimum":1,"maximum":3600,"description":"After so many seconds it is stopped; 60 if absent"}},"required":["cmd"],"additionalProperties":false}"#,
);
/// The shells, best first.
const SHELLS: &[&str] = &["bash", "sh"];
/// How often the pipe is read in a row, so that an endless writer can't hold up the clock.
const READS_LIMIT: usize = 16;
/// After the end: four times what a pipe holds, in case somebody who left the group still writes.
const PIPE_READS_LIMIT: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arguments {
    cmd: String,
    timeout_s: Option<u64>,
}

/// The command has a process group of its own, which is killed when the command ends, its time is
/// up or the turn is dropped: nothing that it started in the background goes on unnoticed.
pub(super) async fn call(
    tools: &Tools,
    io: &TurnIo,
    arguments: Arguments,
) -> Result<String, ToolError> {
    let limit = arguments.timeout_s.map_or(TIMEOUT, Duration::from_secs);
    if limit.is_zero() || limit > TIMEOUT_LIMIT {
        let what = format!("timeout_s is not from 1 to {}", TIMEOUT_LIMIT.as_secs());
        return Err(ToolError::Value { tool: TOOL, what });
    }
    let ran = run(tools, io, &arguments.cmd, limit).await?;
    Ok(ran.output.text(&ending(ran.status, limit)))
}

/// What a command line came to.
pub(super) struct Ran {
    output: Output,
    /// How it ended; `None` where its time was up.
    status: Option<ExitStatus>,
}

impl Ran {
    /// All that it wrote, if it has ended well and that is all; else why not.
    pub(super) fn whole(self, limit: Duration) -> Result<String, String> {
        if self.status.is_none_or(|status| !status.success()) {
            return Err(ending(self.status, limit));
        }
        if self.output.cut_bytes > 0 {
            return Err(format!("it wrote more than {OUTPUT_LIMIT_BYTES} bytes"));
        }
        Ok(String::from_utf8_lossy(&self.output.kept).into_owned())
    }
}

/// Runs a command line for at most `limit`.
pub(super) async fn run(
    tools: &Tools,
    io: &TurnIo,
    cmd: &str,
    limit: Duration,
) -> Result<Ran, ToolError> {
    io.progress(Some(limit));
    let failed = |doing| move |source| ToolError::Shell { doing, source };
    let _awaited = tools.children.awaited();
    let (mut child, pipe) = spawn(tools, cmd).map_err(failed("start the shell"))?;
    let group = Group::of(&child);
    let mut output = Output::default();
    let ended = timeout(limit, async {
        tokio::select! {
            status = child.wait() => status,
            // It closed its output and may still run.
            read = output.read_on(&pipe) => match read {
                Ok(()) => child.wait().await,
                Err(error) => Err(error),
            },
        }
    })
    .await;
    drop(group);
    let status = match ended {
        Ok(status) => Some(status.map_err(failed("wait for the command"))?),
        Err(_elapsed) => {
            child.wait().await.map_err(failed("wait for the command"))?;
            None
        }
    };
    output
        .read_now(&pipe, PIPE_READS_LIMIT)
        .map_err(failed("read the output"))?;
    Ok(Ran { output, status })
}

/// Output and errors go to the same pipe, so that they stay in order.
fn spawn(tools: &Tools, cmd: &str) -> io::Result<(Child, Receiver)> {
    let mut missing = io::Error::from(ErrorKind::NotFound);
    for shell in SHELLS {
        let (reader, writer) = io::pipe()?;
        let spawned = Command::new(shell)
            .args(["-c", cmd])
            .current_dir(&tools.workspace)
            .envs(tools.extra.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        match spawned {
            Ok(child) => return Ok((child, Receiver::from_owned_fd(OwnedFd::from(reader))?)),
            Err(error) if error.kind() == ErrorKind::NotFound => missing = error,
            Err(error) => return Err(error),
        }
    }
    Err(missing)
}

fn ending(status: Option<ExitStatus>, limit: Duration) -> String {
    match status {
        None => format!("stopped after {} s: its time was up", limit.as_secs()),
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
    }
}

/// What a command wrote.
#[derive(Debug, Default)]
struct Output {
    kept: Vec<u8>,
    cut_bytes: u64,
}

/// Why reading stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stopped {
    AtEnd,
    Empty,
    AtLimit,
}

impl Output {
    /// Reads until the end. What was read stays if the future is dropped.
    async fn read_on(&mut self, pipe: &Receiver) -> io::Result<()> {
        loop {
            pipe.readable().await?;
            if self.read_now(pipe, READS_LIMIT)? == Stopped::AtEnd {
                return Ok(());
            }
        }
    }

    /// Reads what is there, without waiting.
    fn read_now(&mut self, pipe: &Receiver, reads: usize) -> io::Result<Stopped> {
        let mut chunk = [0_u8; 4096];
        for _ in 0..reads {
            match pipe.try_read(&mut chunk) {
                Ok(0) => return Ok(Stopped::AtEnd),
                Ok(len) => self.keep(chunk.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Stopped::Empty),
                Err(error) => return Err(error),
            }
        }
        Ok(Stopped::AtLimit)
    }

    fn keep(&mut self, chunk: &[u8]) {
        let room = OUTPUT_LIMIT_BYTES
            .saturating_sub(self.kept.len())
            .min(chunk.len());
        let (kept, cut) = chunk.split_at(room);
        self.kept.extend_from_slice(kept);
        self.cut_bytes = self
            .cut_bytes
            .saturating_add(u64::try_from(cut.len()).unwrap_or(u64::MAX));
    }

    fn text(&self, ending: &str) -> String {
        let mut text = String::from_utf8_lossy(&self.kept)
            .trim_end_matches('\n')
            .to_owned();
        if !text.is_empty() {
            text.push('\n');
        }
        if self.cut_bytes > 0 {
            let note = format!("(output cut: {} more bytes)\n", self.cut_bytes);
            text.push_str(&note);
        }
        text.push_str(ending);
        text
    }
}
