//! Listens to one running sandbox and takes over what it says.

use std::{sync::Arc, time::Duration};

use anchorhold_core::ids::SessionId;
use anchorhold_sessiondb::Disposition;
use tokio::{net::UnixDatagram, sync::Notify, time::sleep};
use tracing::{error, warn};

use crate::{
    base::Base,
    live::{Ending, Watcher},
    pull::{Pull, PullError},
    report::report,
};

/// How many rings are taken together.
const RINGS_LIMIT: u32 = 64;
/// After a look that found nothing, the next one waits: a sandbox that rings without a reason gets
/// no more of the host than this.
const AFTER_NOTHING: Duration = Duration::from_millis(5);

/// Reads whenever the bell rings or the sweep says so, until the sandbox has ended.
///
/// It alone reads the session's answers while the sandbox runs, so no two readings meet.
pub async fn watch(
    pull: Pull,
    base: Base,
    session: SessionId,
    (bell, look, watcher): (UnixDatagram, Arc<Notify>, Watcher),
) {
    let mut ring = [0_u8; 16];
    // What was asked for up to here, those who answer know of.
    let mut told_of = 0;
    loop {
        let told_to = tokio::select! {
            rung = bell.recv(&mut ring) => {
                if rung.is_ok() {
                    base.live.note_heard();
                }
                false
            }
            () = look.notified() => true,
            () = watcher.stop.cancelled() => break,
        };
        // Rings that have piled up are answered by one look; who keeps ringing gets no more.
        for _ in 0..RINGS_LIMIT {
            if bell.try_recv(&mut ring).is_err() {
                break;
            }
        }
        match pull.session(session).await {
            Ok(read) => {
                // Told again by the sweep: a ring may be lost.
                if read.asked > told_of || told_to {
                    told_of = read.asked;
                    base.inside.ring(session);
                }
                if read.any {
                    continue;
                }
            }
            Err(PullError::Files(failure)) => note(&base, session, &failure),
            Err(failure) => error!(%session, error = %report(&failure), "answers not taken over"),
        }
        tokio::select! {
            () = sleep(AFTER_NOTHING) => {}
            () = watcher.stop.cancelled() => break,
        }
    }
    watcher.ended.cancel();
}

fn note(base: &Base, session: SessionId, failure: &anchorhold_sessiondb::Error) {
    match failure.disposition() {
        Disposition::Later => {
            base.live.note_unreadable(session, base.mono());
        }
        Disposition::Quarantine => {
            error!(%session, error = %report(failure), "files of a sandbox can't be trusted");
            base.live.condemn(session, Ending::Untrusted);
        }
        Disposition::Fault => {
            warn!(%session, error = %report(failure), "files of a session can't be read");
        }
    }
}
