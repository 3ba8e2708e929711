//! What every stage works with: handed down from `app`, never reached for.

use std::{sync::Arc, time::Instant};

use anchorhold_core::{
    clock::{Clock, Entropy},
    ids::SessionId,
};
use anchorhold_sessiondb::HostSide;
use anchorhold_store::Store;
use jiff::Timestamp;

use crate::{admin::inside::InsideBell, dirs::Dirs, live::Live};

/// The common ground of all stages. Cheap to clone.
#[derive(Clone)]
pub struct Base {
    /// The central database.
    pub store: Store,
    /// Where things are.
    pub dirs: Dirs,
    /// The sandboxes that run.
    pub live: Live,
    /// Rung when a sandbox may have asked the host for something.
    pub inside: InsideBell,
    /// Who owns what sandboxes write, where that is not the host's own user: uid and gid.
    pub sandbox_owner: Option<(u32, u32)>,
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
            live: Live::default(),
            inside,
            sandbox_owner,
            clock,
            entropy,
        }
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

    /// One session's files.
    pub fn files(&self, session: SessionId) -> HostSide {
        HostSide::at(&self.dirs.session(session))
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
