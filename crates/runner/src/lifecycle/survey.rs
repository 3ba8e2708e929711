//! Asking one runtime what it has, over and over: adoption, orphans, health.

use std::{sync::Arc, time::Duration};

use super::{
    shared::Shared,
    state::{Fate, Listed},
};
use crate::{
    error::{RuntimeError, chain},
    runtime::{InstanceStatus, Runtime, RuntimeKind},
};

/// A runtime that takes longer to list its sandboxes counts as not answering.
const LIST_LIMIT: Duration = Duration::from_secs(30);

/// Surveys `runtime` until shutdown. The only place that reports its health, so that the reports
/// come in order.
pub(super) async fn survey_on(shared: Arc<Shared>, runtime: Arc<dyn Runtime>) {
    let kind = runtime.kind();
    let surveying = async {
        let mut reported = None;
        loop {
            let (up, detail) = match survey_once(&shared, runtime.as_ref()).await {
                Ok(true) => (true, None),
                Ok(false) => {
                    if shared.tick().await {
                        continue;
                    }
                    return;
                }
                Err(error) => (false, Some(chain(&error))),
            };
            if reported != Some(up) {
                report(kind, up, detail.as_deref());
                shared.owner.runtime_health(kind, up, detail).await;
                reported = Some(up);
            }
            rest(&shared, kind).await;
        }
    };
    let ended: Option<()> = shared.shutdown.run_until_cancelled(surveying).await;
    tracing::debug!(runtime = %kind, by_itself = ended.is_some(), "survey ends");
}

/// Waits until the runtime is to be asked again: soon if it did not answer or somebody waits for a
/// sandbox, else when it is said to be down, or after a long while.
async fn rest(shared: &Shared, kind: RuntimeKind) {
    let mut changes = shared.changes();
    tokio::time::sleep(shared.config.tick).await;
    let urgent = || {
        let state = shared.state();
        !state.is_up(kind) || state.waiting() > 0
    };
    let rest = shared.config.rest.saturating_sub(shared.config.tick);
    // Either end is one to go on after.
    let waited = tokio::time::timeout(rest, changes.wait_for(|_| urgent())).await;
    tracing::trace!(runtime = %kind, changed = waited.is_ok(), "runtime is asked again");
}

fn report(kind: RuntimeKind, up: bool, detail: Option<&str>) {
    if up {
        tracing::info!(runtime = %kind, "runtime answers");
    } else {
        tracing::error!(runtime = %kind, error = detail, "runtime does not answer");
    }
}

/// Takes in what the runtime lists. False: it is to be asked again at once.
async fn survey_once(shared: &Arc<Shared>, runtime: &dyn Runtime) -> Result<bool, RuntimeError> {
    let kind = runtime.kind();
    shared.state().begin_list(kind);
    let listing = runtime.list(shared.config.install);
    let listed = match tokio::time::timeout(LIST_LIMIT, listing).await {
        Ok(listed) => listed,
        Err(elapsed) => Err(RuntimeError::Unavailable {
            kind,
            source: elapsed.into(),
        }),
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let news = shared.state().is_up(kind) || !shared.state().is_asked(kind);
            if news {
                shared.change(|state| state.went_down(kind));
            } else {
                shared.state().went_down(kind);
            }
            return Err(error);
        }
    };
    let mut is_sure = true;
    for status in listed {
        is_sure &= take_in(shared, kind, status).await != Fate::Later;
    }
    // A runtime that comes up lets its sessions start. One that has a sandbox of such a session first
    // has to be rid of the start, which waits for it: otherwise there would be two.
    let settled = is_sure || shared.state().is_up(kind);
    if settled {
        shared.change(|state| state.came_up(kind));
    }
    Ok(settled)
}

async fn take_in(shared: &Arc<Shared>, kind: RuntimeKind, status: InstanceStatus) -> Fate {
    let InstanceStatus { id, running, .. } = status;
    if id.install != shared.config.install || !shared.state().is_new(&id, kind) {
        return Fate::Leave;
    }
    let current = shared.owner.current(id.session).await;
    let now = shared.clock.mono();
    let listed = Listed { id, kind, running };
    let fate = shared.change(|state| state.take_in(listed, current, now));
    match fate {
        Fate::Leave | Fate::Later => {}
        Fate::Adopt => {
            tracing::info!(session = %id.session, generation = %id.generation, "running sandbox is adopted");
            shared.owner.started(id.session, id.generation, true).await;
            shared.spawn_watch(id, kind);
            if shared.state().is_draining() {
                shared.stop(id.session, shared.config.stop_grace);
            }
        }
        Fate::Orphan => {
            tracing::warn!(session = %id.session, generation = %id.generation, "orphaned sandbox is told to stop");
            shared.spawn_watch(id, kind);
            shared.spawn_stop(id, kind, shared.config.stop_grace);
        }
        Fate::Collect => shared.spawn_watch(id, kind),
    }
    fate
}
