//! A child that is spoken to in lines of JSON, and its end.

use std::{
    fs, io,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use camino::Utf8Path;
use futures_util::StreamExt;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};
use tokio_util::{
    codec::{FramedRead, LinesCodec, LinesCodecError},
    task::TaskTracker,
};

use crate::{children::Group, provider::TurnIo};

/// How long a child may take to end once it is told to.
pub(super) const GRACE: Duration = Duration::from_secs(5);
/// How long it may take to read a message.
const WRITE_TIME: Duration = Duration::from_secs(30);
/// The longest line, in bytes: images are in such.
const LINE_LIMIT_BYTES: usize = 32 * 1024 * 1024;
/// How much of what it says of its errors is kept, from the end.
const ERRORS_LIMIT_BYTES: usize = 2048;

/// The pipes of a running child.
#[derive(Debug)]
pub(super) struct Pipe {
    /// Killed with the pipe: a child that its turn has left must not spend on.
    group: Option<Group>,
    /// Closed once it is to end.
    input: Option<ChildStdin>,
    output: FramedRead<ChildStdout, LinesCodec>,
    errors: Arc<Mutex<Vec<u8>>>,
}

/// What a child is started with.
pub(super) struct Start<'a> {
    /// The program and its arguments.
    pub(super) command: &'a [String],
    /// Its environment, beside that of every command.
    pub(super) environment: &'a [(String, String)],
    /// Where it keeps what it remembers.
    pub(super) home: &'a Utf8Path,
}

impl Pipe {
    /// Starts a child in the workspace, with a process group of its own.
    ///
    /// Nobody waits for its exit status: that it has ended shows at its pipes.
    pub(super) fn open(start: &Start<'_>, io: &TurnIo, tasks: &TaskTracker) -> io::Result<Self> {
        fs::create_dir_all(start.home)?;
        let (program, arguments) = start
            .command
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let pair = |(name, value): &(String, String)| (name.clone(), value.clone());
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(io.workspace())
            .env_clear()
            .envs(io.environment().iter().map(pair))
            .envs(start.environment.iter().map(pair))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let group = Group::of(&child);
        let piped = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = piped else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let kept = Arc::default();
        tasks.spawn(keep_end(errors, Arc::clone(&kept)));
        let codec = LinesCodec::new_with_max_length(LINE_LIMIT_BYTES);
        Ok(Self {
            group: Some(group),
            input: Some(input),
            output: FramedRead::new(output, codec),
            errors: kept,
        })
    }

    /// Tells it something.
    pub(super) async fn send(&mut self, message: &Value) -> io::Result<()> {
        let line = format!("{message}\n");
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let write = async {
            input.write_all(line.as_bytes()).await?;
            input.flush().await
        };
        timeout(WRITE_TIME, write)
            .await
            .map_err(|_elapsed| io::ErrorKind::TimedOut)?
    }

    /// The next line; `None` at its end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            match self.output.next().await? {
                Ok(line) => return Some(line),
                Err(LinesCodecError::MaxLineLengthExceeded) => {
                    tracing::warn!("line of a harness too long");
                }
                Err(LinesCodecError::Io(error)) => {
                    tracing::warn!(%error, "harness can't be read");
                    return None;
                }
            }
        }
    }

    /// What it said last of its errors.
    pub(super) fn errors(&self) -> String {
        let kept = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().to_owned()
    }

    /// Tells it `last`, which interrupts it so that it ends the commands that it runs, and has it end;
    /// kills it with its process group if it does not. May be called again where it was dropped.
    pub(super) async fn end(&mut self, last: &Value) {
        let ending = async {
            // silent: it is told by the end of its input, too.
            drop(self.send(last).await);
            self.input = None;
            while let Some(_too_late) = self.output.next().await {}
        };
        if timeout(GRACE, ending).await.is_ok() {
            return;
        }
        tracing::warn!("harness does not end and is killed");
        self.group = None;
    }
}

/// Reads errors as they come, and keeps the last of them.
async fn keep_end(mut errors: ChildStderr, kept: Arc<Mutex<Vec<u8>>>) {
    let mut chunk = [0_u8; 1024];
    while let Ok(len @ 1..) = errors.read(&mut chunk).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(chunk.get(..len).unwrap_or_default());
        let surplus = kept.len().saturating_sub(ERRORS_LIMIT_BYTES);
        kept.drain(..surplus);
    }
}
