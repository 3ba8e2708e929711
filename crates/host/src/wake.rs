//! Gets a session's sandbox going.

use anchorhold_core::ids::{AgentGroupId, SessionId};
use anchorhold_runner::lifecycle::Lifecycle;

use crate::base::Base;

/// An optimisation: with every call of this lost, the sweep still moves each message forward.
#[derive(Clone, Debug)]
pub struct Wake {
    base: Base,
    lifecycle: Lifecycle,
}

impl Wake {
    /// Wakes through `lifecycle`.
    pub fn new(base: Base, lifecycle: Lifecycle) -> Self {
        Self { base, lifecycle }
    }

    /// The session has something to answer. Never waits for a start.
    pub fn ask(&self, group: AgentGroupId, session: SessionId) {
        self.base.live.note_work(session, true, self.base.mono());
        if self.lifecycle.is_running(session).is_none() {
            // Should nothing come of it, the sweep finds out soon: somebody waits.
            self.base.live.sooner().notify_one();
            // After a failed start the sweep asks again when it is time.
            if !self.base.live.is_held(session, self.base.mono()) {
                self.lifecycle.want(group, session);
            }
        }
        // One that runs hears the bell when its file is written.
    }
}
