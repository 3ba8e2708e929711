//! What every stage works with: handed down from `app`, never reached for.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anchorhold_core::{
    clock::{Clock, Entropy},
    ids::SessionId,
};
use anchorhold_sessiondb::HostSide;
use anchorhold_store::Store;
use jiff::Timestamp;

use crate::{
    admin::inside::InsideBell, dirs::Dirs, live::Live, models::Models, outcomes::Outcomes,
};

/// The common ground of all stages. Cheap to clone.
#[derive(Clone)]
pub struct Base {
    /// The central database.
    pub store: Store,
    /// Where things are.
    pub dirs: Dirs,
    /// The models, and the hosts that agents may reach; none until the configuration is read.
    pub models: Models,
    /// The sandboxes that run.
    pub live: Live,
    /// Rung when a sandbox may have asked the host for something.
    pub inside: InsideBell,
    /// What becomes of what tools say.
    pub outcomes: Outcomes,
    /// Who owns what sandboxes write, where that is not the host's own user: uid and gid.
    pub sandbox_owner: Option<(u32, u32)>,
    /// Messages whose files are in their place and that are not on record yet.
    in_hand: Arc<Mutex<HashSet<(SessionId, i64)>>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Base {
    /// The ground of one host.
    pub fn new(
        store: Store,
        dirs: Dirs,
        (sandbox_owner, inside): (Option<(u32, u32)>, InsideBell),
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            store,
            dirs,
            models: Models::default(),
            live: Live::default(),
            inside,
            outcomes: Outcomes::default(),
            sandbox_owner,
            in_hand: Arc::default(),
            clock,
            entropy,
        }
    }

    /// Where time comes from.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Wall time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Monotonic time.
    pub fn mono(&self) -> Instant {
        self.clock.mono()
    }

    /// What a fresh id is made of.
    pub fn seed(&self) -> (Timestamp, [u8; 10]) {
        (self.clock.now(), self.entropy.bytes())
    }

    /// A random number for the spread of waits.
    pub fn jitter(&self) -> u8 {
        self.entropy.bytes()[0]
    }

    /// Says that files of this message may be there before it is on record, for as long as the value
    /// lives.
    pub fn hold(&self, session: SessionId, seq: i64) -> InHand {
        let in_hand = Arc::clone(&self.in_hand);
        let message = (session, seq);
        in_hand
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(message);
        InHand { in_hand, message }
    }

    /// Is the message about to be put on record?
    pub fn is_in_hand(&self, session: SessionId, seq: i64) -> bool {
        let in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.contains(&(session, seq))
    }

    /// One session's files. Those of a session whose sandbox runs stay open.
    pub fn files(&self, session: SessionId) -> HostSide {
        let open = || HostSide::at(&self.dirs.session(session));
        self.live.files(session, open).unwrap_or_else(open)
    }
}

/// See [`Base::hold`].
#[derive(Debug)]
pub struct InHand {
    in_hand: Arc<Mutex<HashSet<(SessionId, i64)>>>,
    message: (SessionId, i64),
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut in_hand = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        in_hand.remove(&self.message);
    }
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base")
            .field("dirs", &self.dirs)
            .finish_non_exhaustive()
    }
}

/// A fresh id of the type that is asked for.
macro_rules! mint {
    ($base:expr, $id:ty) => {{
        let (now, random) = $base.seed();
        <$id>::mint(now, random)
    }};
}
pub(crate) use mint;
