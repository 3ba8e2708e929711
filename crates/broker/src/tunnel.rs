//! A tunnel for HTTPS: bytes both ways, counted, until one side or the time ends it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::{Request, Response, body::Incoming, upgrade};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::OwnedSemaphorePermit,
    time::{interval, timeout},
};

use crate::{
    answer::{Body, Entry, refused, unreachable, whole},
    connect::{NoWay, connect},
    egress::{Destination, Egress},
    record::Outcome,
    server::Line,
};

/// How long the inside may take to begin, once the tunnel is there.
const UPGRADE_TIME: Duration = Duration::from_secs(10);
/// A tunnel in which nothing moves for so long is closed.
const IDLE_TIME: Duration = Duration::from_mins(10);
const BUFFER_BYTES: usize = 64 * 1024;

/// Makes a tunnel, and answers.
pub(crate) async fn open(
    line: &Arc<Line>,
    mut entry: Entry,
    request: Request<Incoming>,
    (to, egress): (Destination, Egress),
    place: Arc<OwnedSemaphorePermit>,
) -> Response<Body> {
    let mut outside = match connect(&to, &egress).await {
        Ok(outside) => outside,
        Err(NoWay::Refused(refusal)) => {
            entry.outcome(Outcome::Refused(refusal.rule));
            return refused(&refusal);
        }
        Err(NoWay::Unreachable(what)) => {
            entry.outcome(Outcome::Unreachable);
            return unreachable(what);
        }
    };
    entry.outcome(Outcome::Answered(200));
    let held = Arc::clone(line);
    line.spawn(async move {
        let Ok(Ok(inside)) = timeout(UPGRADE_TIME, upgrade::on(request)).await else {
            return;
        };
        let moved = Moved {
            entry,
            out: AtomicU64::new(0),
            back: AtomicU64::new(0),
        };
        let mut inside = TokioIo::new(inside);
        let passing = pass(&mut inside, &mut outside, &moved);
        held.until_stopped(passing).await;
        drop(moved);
        // The connection's place is taken until here.
        drop(place);
    });
    Response::new(whole(Bytes::new()))
}

/// What went through, put on record also if the host drops the tunnel.
struct Moved {
    entry: Entry,
    out: AtomicU64,
    back: AtomicU64,
}

impl Moved {
    fn note(&mut self) {
        self.entry.sent(self.out.swap(0, Ordering::Relaxed));
        self.entry.received(self.back.swap(0, Ordering::Relaxed));
    }

    fn total(&self) -> u64 {
        let out = self.out.load(Ordering::Relaxed);
        out.wrapping_add(self.back.load(Ordering::Relaxed))
    }
}

impl Drop for Moved {
    fn drop(&mut self) {
        self.note();
    }
}

async fn pass(
    inside: &mut (impl AsyncRead + AsyncWrite + Unpin),
    outside: &mut (impl AsyncRead + AsyncWrite + Unpin),
    moved: &Moved,
) {
    let (from_inside, to_inside) = io::split(inside);
    let (from_outside, to_outside) = io::split(outside);
    let both = async {
        tokio::join!(
            one_way(from_inside, to_outside, &moved.out),
            one_way(from_outside, to_inside, &moved.back),
        )
    };
    tokio::select! {
        // silent: how a connection ended is the business of its two ends.
        _ended = both => {}
        () = idle(moved) => {}
    }
}

/// Returns when nothing has moved for a whole [`IDLE_TIME`].
async fn idle(moved: &Moved) {
    let mut ticks = interval(IDLE_TIME);
    let mut seen = None;
    loop {
        ticks.tick().await;
        let total = moved.total();
        if seen.replace(total) == Some(total) {
            return;
        }
    }
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let len = from.read(&mut buffer).await?;
        if len == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..len).unwrap_or_default()).await?;
        moved.fetch_add(u64::try_from(len).unwrap_or(0), Ordering::Relaxed);
    }
}
