//! Connections with a limit: so many at once, and none that says nothing for long.
//!
//! Without it, whoever reaches the port could open connections until the host has no files left.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep},
};

use super::port::Port;

/// How long after a connection that could not be taken the next one is.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// A port that takes only so many connections at once; others wait outside.
#[derive(Debug)]
pub(super) struct Seats {
    port: Arc<Port>,
    idle: Duration,
}

/// One connection, which ends when nothing comes over it for a while.
#[derive(Debug)]
pub(super) struct Seated {
    stream: TcpStream,
    idle: Duration,
    until: Pin<Box<Sleep>>,
    _seat: OwnedSemaphorePermit,
}

impl Seats {
    /// Connections of `port`, each of which may be silent for `idle`.
    pub(super) fn new(port: Arc<Port>, idle: Duration) -> Self {
        Self { port, idle }
    }
}

impl axum::serve::Listener for Seats {
    type Io = Seated;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated, SocketAddr) {
        let Some(seat) = self.port.seat().await else {
            return pending().await;
        };
        let (stream, from) = loop {
            match self.port.socket.accept().await {
                Ok(accepted) => break accepted,
                // E.g. it was gone at once, or there are no files left.
                Err(error) => {
                    tracing::warn!(%error, "a connection was not taken");
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        };
        let seated = Seated {
            stream,
            idle: self.idle,
            until: Box::pin(sleep(self.idle)),
            _seat: seat,
        };
        (seated, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.address()
    }
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = pin!(&mut self.stream).poll_read(cx, buf) {
            let next = Instant::now() + self.idle;
            self.until.as_mut().reset(next);
            return Poll::Ready(read);
        }
        ready!(self.until.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Seated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
