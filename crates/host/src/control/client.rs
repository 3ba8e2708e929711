//! The other end of the control socket: one request, one answer.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use crate::control::{Fault, Request, Status};

/// The longest answer that is taken: far longer than the longest list.
const ANSWER_LIMIT_BYTES: u64 = 256 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there.
    #[error("no host answers at {path}; start one with `anchorhold run`")]
    NoHost {
        /// The socket.
        path: Utf8PathBuf,
    },
    /// The host was gone before it had answered; what was asked for may have been done.
    #[error("the host at {path} went away before it had answered")]
    Lost {
        /// The socket.
        path: Utf8PathBuf,
        /// What the system says, if it was an error.
        #[source]
        source: Option<io::Error>,
    },
    /// The host does not take the request.
    #[error("the host refuses: {why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// What answers is of another version.
    #[error("what answers at {path} is not understood; is the host of this version?")]
    Odd {
        /// The socket.
        path: Utf8PathBuf,
    },
}

/// Asks the host on a data directory how it fares; `None` if none answers there.
pub async fn ask(path: &Utf8Path, request: Request) -> Option<Status> {
    // silent: whoever needs to know why uses `call`
    call(path, &request).await.ok()
}

/// Asks the host that listens at `path`. Waits for its answer however long it takes.
pub async fn call<T: DeserializeOwned>(path: &Utf8Path, request: &Request) -> Result<T, AskError> {
    let lost = |source| AskError::Lost {
        path: path.to_owned(),
        source: Some(source),
    };
    let stream = UnixStream::connect(path)
        .await
        .map_err(|_why| AskError::NoHost {
            path: path.to_owned(),
        })?;
    let (reader, mut writer) = stream.into_split();
    let mut line = serde_json::to_vec(request).map_err(|failure| lost(failure.into()))?;
    line.push(b'\n');
    // A host that refuses may not have read it all; what it says counts.
    let written = writer.write_all(&line).await;
    let mut answer = Vec::new();
    let mut reader = BufReader::new(reader.take(ANSWER_LIMIT_BYTES));
    reader.read_until(b'\n', &mut answer).await.map_err(lost)?;
    if answer.is_empty() {
        let path = path.to_owned();
        let source = written.err();
        return Err(AskError::Lost { path, source });
    }
    if let Ok(fault) = serde_json::from_slice::<Fault>(&answer) {
        return Err(AskError::Refused { why: fault.error });
    }
    serde_json::from_slice(&answer).map_err(|_why| AskError::Odd {
        path: path.to_owned(),
    })
}
