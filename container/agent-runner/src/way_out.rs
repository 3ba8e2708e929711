//! The way out: requests to the host's broker, over its socket in `in/`.
//!
//! HTTP on a Unix socket and nothing more: no TLS, no names, no credential. The host does all that.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    time::Duration,
};

use anchorhold_core::way_out::{SOCKET, TURN_HEADER};
use bytes::Bytes;
use camino::{Utf8Path, Utf8PathBuf};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::Incoming,
    client::conn::http1::{self, Connection},
    header::{HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};

/// How long the other side may be silent: longer than the host waits for what is outside.
pub const SILENCE: Duration = Duration::from_mins(6);

/// What a request has as content.
pub type Content = Full<Bytes>;

/// The way out of this sandbox.
#[derive(Clone, Debug)]
pub struct WayOut {
    in_dir: Utf8PathBuf,
    turn: Option<i64>,
}

/// Why there is no answer, or no more of one.
#[derive(Debug, thiserror::Error)]
pub enum WayOutError {
    /// The host does not listen, because it is not there just now.
    #[error("the host does not answer")]
    NoHost {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The connection broke off.
    #[error("the connection to the host broke off")]
    Broken {
        /// What the client said.
        #[source]
        source: hyper::Error,
    },
    /// Nothing came for [`SILENCE`].
    #[error("nothing came for {} s", SILENCE.as_secs())]
    Silent,
}

type Conn = Connection<TokioIo<UnixStream>, Content>;

/// An answer, while it comes.
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    content: Incoming,
    /// Has to be driven for anything to come; `None` once it has ended.
    conn: Option<Pin<Box<Conn>>>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl WayOut {
    /// The one whose socket is in `in_dir`.
    pub fn at(in_dir: &Utf8Path) -> Self {
        Self {
            in_dir: in_dir.to_owned(),
            turn: None,
        }
    }

    /// The same, in which each request says which turn it is of, by its first message's number.
    #[must_use]
    pub fn for_turn(self, turn: Option<i64>) -> Self {
        Self { turn, ..self }
    }

    /// The number of the turn's first message.
    pub(crate) fn turn(&self) -> Option<i64> {
        self.turn
    }

    /// The session's `in/`.
    pub fn in_dir(&self) -> &Utf8Path {
        &self.in_dir
    }

    /// A connection to the broker as it is, for whoever speaks HTTP itself.
    pub async fn connect(&self) -> Result<UnixStream, WayOutError> {
        let connected = UnixStream::connect(self.in_dir.join(SOCKET)).await;
        connected.map_err(|source| WayOutError::NoHost { source })
    }

    /// Sends a request and waits for the head of the answer. Dropping the future, or the answer,
    /// ends the request.
    pub async fn send(&self, mut request: Request<Content>) -> Result<Answer, WayOutError> {
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static(SOCKET));
        if let Some(turn) = self.turn {
            headers.insert(TURN_HEADER, HeaderValue::from(turn));
        }
        let stream = TokioIo::new(self.connect().await?);
        let shaken = http1::handshake(stream).await;
        let (mut sender, conn) = shaken.map_err(|source| WayOutError::Broken { source })?;
        let mut conn = Some(Box::pin(conn));
        let answered = patiently(driven(&mut conn, sender.send_request(request))).await?;
        let (head, content) = answered
            .map_err(|source| WayOutError::Broken { source })?
            .into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            content,
            conn,
        })
    }
}

impl Answer {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A header as text, where it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next part of the content; `None` at its end.
    pub async fn part(&mut self) -> Result<Option<Bytes>, WayOutError> {
        loop {
            let next = patiently(driven(&mut self.conn, self.content.frame())).await?;
            match next {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    // What is no data is a trailer, which nobody sends here.
                    if let Ok(part) = frame.into_data() {
                        return Ok(Some(part));
                    }
                }
                Some(Err(source)) => return Err(WayOutError::Broken { source }),
            }
        }
    }

    /// At most so many bytes of the content, from its beginning, and whether there are more.
    pub async fn beginning(&mut self, limit: usize) -> Result<(Vec<u8>, bool), WayOutError> {
        let mut content = Vec::new();
        while let Some(part) = self.part().await? {
            let room = limit.saturating_sub(content.len());
            content.extend_from_slice(part.get(..room.min(part.len())).unwrap_or_default());
            if part.len() > room {
                return Ok((content, true));
            }
        }
        Ok((content, false))
    }
}

async fn patiently<T>(work: impl Future<Output = T>) -> Result<T, WayOutError> {
    timeout(SILENCE, work)
        .await
        .map_err(|_elapsed| WayOutError::Silent)
}

/// Polls the connection beside `work`, which waits for it, so that no task of its own has to.
async fn driven<T>(conn: &mut Option<Pin<Box<Conn>>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|context| {
        // How it ended is told to `work`, too.
        let ended = conn
            .as_mut()
            .is_some_and(|conn| conn.as_mut().poll(context).is_ready());
        if ended {
            *conn = None;
        }
        work.as_mut().poll(context)
    })
    .await
}

#[cfg(test)]
mod tests;
